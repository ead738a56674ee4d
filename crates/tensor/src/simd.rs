//! SIMD levels: one kernel in plain Rust, compiled for each level, chosen once at run time.
#![allow(unsafe_code, reason = "calls functions compiled for CPU features that were detected")]

use crate::error::{Error, Result};

/// A set of CPU features that kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
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

/// A level whose features this CPU was found to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Simd(Level);

/// A computation compiled once per SIMD level.
pub trait Kernel {
    /// What it returns.
    type Output;

    /// The computation, over `N` lanes; `FMA` says whether a fused multiply-add is one
    /// instruction. Implementations are `#[inline(always)]`, and so is all they call.
    fn run<const N: usize, const FMA: bool>(self) -> Self::Output;
}

impl Simd {
    /// What every CPU has.
    pub const PORTABLE: Self = Self(Level::Portable);

    /// The levels this CPU supports, best first.
    pub fn supported() -> Vec<Self> {
        Level::ALL.into_iter().filter_map(Self::of).collect()
    }

    /// This level, if the CPU supports it.
    pub fn of(level: Level) -> Option<Self> {
        level.is_supported().then_some(Self(level))
    }

    /// The level named by `FORMWORK_SIMD`, else the best that this CPU supports.
    pub fn from_env() -> Result<Self> {
        Self::asked(&std::env::var("FORMWORK_SIMD").unwrap_or_default())
    }

    /// The level of this name; without one, the best.
    fn asked(name: &str) -> Result<Self> {
        if name.is_empty() { Ok(Self::supported()[0]) } else { Self::named(name) }
    }

    /// The level of this name: `amx`, `avx512bf16`, `vnni`, `avx512`, `avxvnni`, `avx2` or `portable`.
    pub fn named(name: &str) -> Result<Self> {
        let Some(level) = Level::ALL.into_iter().find(|level| level.name() == name) else {
            return Err(Error::usage("unknown-simd", format!("unknown SIMD level `{name}`"))
                .help(format!("FORMWORK_SIMD is one of {}", Level::ALL.map(Level::name).join(", "))));
        };
        Self::of(level).ok_or_else(|| {
            Error::usage("unsupported-simd", format!("this CPU lacks `{name}`"))
                .help("unset FORMWORK_SIMD to use the best level this CPU has")
        })
    }

    /// Which it is.
    pub fn level(self) -> Level {
        self.0
    }

    /// Whether it has instructions for products of bf16, which are faster than those of floats.
    pub fn has_bf16(self) -> bool {
        self.0.has_bf16()
    }

    /// Floats of a register that its kernels are compiled for.
    pub(crate) fn lanes(self) -> usize {
        match self.0 {
            Level::Portable => 4,
            Level::Avx2 | Level::AvxVnni => 8,
            Level::Avx512 | Level::Vnni | Level::Avx512Bf16 | Level::Amx => 16,
        }
    }

    /// Runs a kernel compiled for this level.
    #[cfg(target_arch = "x86_64")]
    pub fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self.0 {
            // SAFETY: the CPU has the features that the function is compiled for.
            Level::Avx512 | Level::Vnni | Level::Avx512Bf16 | Level::Amx => unsafe { avx512(kernel) },
            // SAFETY: as above.
            Level::Avx2 | Level::AvxVnni => unsafe { avx2(kernel) },
            Level::Portable => kernel.run::<4, false>(),
        }
    }

    /// Runs a kernel.
    #[cfg(not(target_arch = "x86_64"))]
    pub fn run<K: Kernel>(self, kernel: K) -> K::Output {
        kernel.run::<4, { cfg!(target_arch = "aarch64") }>()
    }
}

impl Level {
    /// Every level, the best first.
    pub const ALL: [Self; 7] =
        [Self::Amx, Self::Avx512Bf16, Self::Vnni, Self::Avx512, Self::AvxVnni, Self::Avx2, Self::Portable];

    /// What `FORMWORK_SIMD` and reports call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Amx => "amx",
            Self::Avx512Bf16 => "avx512bf16",
            Self::Vnni => "vnni",
            Self::Avx512 => "avx512",
            Self::AvxVnni => "avxvnni",
            Self::Avx2 => "avx2",
            Self::Portable => "portable",
        }
    }

    /// Whether it has instructions for products of bf16.
    pub fn has_bf16(self) -> bool {
        matches!(self, Self::Amx | Self::Avx512Bf16)
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
    use super::{Level, Simd};

    #[test]
    fn levels_are_named() {
        assert_eq!(Simd::named("portable").unwrap(), Simd::PORTABLE);
        assert_eq!(Simd::asked("").unwrap(), Simd::supported()[0]);
        assert_eq!(Simd::asked("portable").unwrap(), Simd::PORTABLE);
        assert_eq!(Simd::named("sse9").unwrap_err().code, "unknown-simd");
        let missing = [("avx2", Level::Avx2), ("avxvnni", Level::AvxVnni), ("avx512", Level::Avx512)];
        for (name, level) in missing {
            let expected = Simd::supported().into_iter().find(|simd| simd.level() == level);
            assert_eq!(Simd::named(name).ok(), expected, "{name}");
        }
    }
}
