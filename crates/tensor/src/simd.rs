//! SIMD levels: one kernel in plain Rust, compiled for each level, chosen once at run time.
#![allow(unsafe_code, reason = "calls functions compiled for CPU features that were detected")]

use crate::error::{Error, Result};

/// A set of CPU features that kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Simd {
    /// What every CPU of the target has.
    Portable,
    /// AVX2, FMA and F16C: eight lanes.
    Avx2,
    /// The same with AVX-VNNI: products of 8-bit integers.
    AvxVnni,
    /// AVX-512 F, BW, DQ and VL: sixteen lanes.
    Avx512,
    /// The same with VNNI: products of 8-bit integers.
    Vnni,
    /// The same with BF16: products of pairs of bf16.
    Avx512Bf16,
    /// The same with AMX: products of tiles of bf16.
    Amx,
}

/// A computation compiled once per SIMD level.
pub trait Kernel {
    /// What it returns.
    type Output;

    /// The computation, over `N` lanes; `FMA` says whether a fused multiply-add is one
    /// instruction. Implementations are `#[inline(always)]`, and so is all they call.
    fn run<const N: usize, const FMA: bool>(self) -> Self::Output;
}

impl Simd {
    /// The levels this CPU supports, best first.
    pub fn supported() -> Vec<Self> {
        let all = [Self::Amx, Self::Avx512Bf16, Self::Vnni, Self::Avx512, Self::AvxVnni, Self::Avx2, Self::Portable];
        all.into_iter().filter(|level| level.is_supported()).collect()
    }

    /// The level named by `FORMWORK_SIMD`, else the best that this CPU supports.
    pub fn from_env() -> Result<Self> {
        match std::env::var("FORMWORK_SIMD") {
            Ok(name) => Self::named(&name),
            Err(_) => Ok(Self::supported()[0]),
        }
    }

    /// The level of this name: `amx`, `avx512bf16`, `vnni`, `avx512`, `avxvnni`, `avx2` or `portable`.
    pub fn named(name: &str) -> Result<Self> {
        let level = match name {
            "amx" => Self::Amx,
            "avx512bf16" => Self::Avx512Bf16,
            "vnni" => Self::Vnni,
            "avx512" => Self::Avx512,
            "avxvnni" => Self::AvxVnni,
            "avx2" => Self::Avx2,
            "portable" => Self::Portable,
            _ => {
                return Err(Error::usage("unknown-simd", format!("unknown SIMD level `{name}`"))
                    .help("FORMWORK_SIMD is one of amx, avx512bf16, vnni, avx512, avxvnni, avx2, portable"));
            }
        };
        if level.is_supported() {
            return Ok(level);
        }
        Err(Error::usage("unsupported-simd", format!("this CPU lacks `{name}`"))
            .help("unset FORMWORK_SIMD to use the best level this CPU has"))
    }

    /// Whether it has instructions for products of bf16, which are faster than those of floats.
    pub fn has_bf16(self) -> bool {
        matches!(self, Self::Amx | Self::Avx512Bf16)
    }

    /// Floats of a register that its kernels are compiled for.
    pub(crate) fn lanes(self) -> usize {
        match self {
            Self::Portable => 4,
            Self::Avx2 | Self::AvxVnni => 8,
            Self::Avx512 | Self::Vnni | Self::Avx512Bf16 | Self::Amx => 16,
        }
    }

    /// This level, or the portable one if this CPU lacks it.
    pub(crate) fn or_portable(self) -> Self {
        if self.is_supported() { self } else { Self::Portable }
    }

    #[cfg(target_arch = "x86_64")]
    fn is_supported(self) -> bool {
        match self {
            Self::Portable => true,
            Self::Avx2 => {
                is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c")
            }
            Self::AvxVnni => Self::Avx2.is_supported() && is_x86_feature_detected!("avxvnni"),
            Self::Amx => Self::Avx512Bf16.is_supported() && crate::packed::tiles::is_supported(),
            Self::Avx512Bf16 => Self::Vnni.is_supported() && is_x86_feature_detected!("avx512bf16"),
            Self::Vnni => Self::Avx512.is_supported() && is_x86_feature_detected!("avx512vnni"),
            Self::Avx512 => {
                Self::Avx2.is_supported()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
            }
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn is_supported(self) -> bool {
        self == Self::Portable
    }

    /// Runs a kernel compiled for this level. A level that the CPU lacks runs as portable.
    #[cfg(target_arch = "x86_64")]
    pub fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self {
            // SAFETY: `is_supported` has detected the features the function is compiled for.
            Self::Avx512 | Self::Vnni | Self::Avx512Bf16 | Self::Amx if self.is_supported() => unsafe {
                avx512(kernel)
            },
            // SAFETY: as above.
            Self::Avx2 | Self::AvxVnni if self.is_supported() => unsafe { avx2(kernel) },
            _ => kernel.run::<4, false>(),
        }
    }

    /// Runs a kernel.
    #[cfg(not(target_arch = "x86_64"))]
    pub fn run<K: Kernel>(self, kernel: K) -> K::Output {
        kernel.run::<4, { cfg!(target_arch = "aarch64") }>()
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<16, true>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c")]
fn avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<8, true>()
}

#[cfg(test)]
mod tests {
    use super::Simd;

    #[test]
    fn levels_are_named() {
        assert_eq!(Simd::named("portable").unwrap(), Simd::Portable);
        assert_eq!(Simd::named("sse9").unwrap_err().code, "unknown-simd");
        let missing = [("avx2", Simd::Avx2), ("avxvnni", Simd::AvxVnni), ("avx512", Simd::Avx512)];
        for (name, level) in missing {
            let expected = Simd::supported().contains(&level);
            assert_eq!(Simd::named(name).is_ok(), expected, "{name}");
        }
    }
}
