//! How the memory is best read, which processors disagree about.

use std::ops::Range;
use std::sync::OnceLock;

use crate::simd::{Level, Simd};

/// Panels that products of few rows read side by side at most, far apart.
pub(crate) const STREAMS: usize = 4;

/// How the memory is asked for what is read later. A core has few requests of the first-level cache under way (24 lines on Zen 4: 14
/// GB/s), and more of the second: asking for that is a tenth faster there, in attention behind long contexts and in products of one
/// row. The other processors were measured with the first.
#[derive(Clone, Copy)]
pub struct Prefetch {
    second_level: bool,
    ahead: usize,
}

impl Prefetch {
    /// Asks for what it is told.
    #[inline]
    pub fn exact() -> Self {
        Self { second_level: is_second_level_faster(), ahead: 0 }
    }

    /// Asks for what is read in one go, before anything is computed: it is to be near.
    #[inline]
    pub fn near() -> Self {
        Self { second_level: false, ahead: 0 }
    }

    /// Asks for the weights that products read later. AMD's cores read them a tenth to a third slower when asked further ahead
    /// (measured on Zen 3 and 4).
    #[inline]
    pub(crate) fn of_weights() -> Self {
        Self { ahead: if is_amd() { 512 } else { 2048 }, ..Self::exact() }
    }

    /// Asks for what stands at an address, or so far ahead, which need not be of the process; only a hint.
    #[inline(always)]
    pub fn ask<T>(self, from: *const T) {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::{_MM_HINT_T0, _MM_HINT_T1, _mm_prefetch};
            let from = from.wrapping_byte_add(self.ahead).cast();
            // SAFETY: a prefetch of any address is harmless.
            #[allow(unsafe_code, reason = "a hint")]
            unsafe {
                match self.second_level {
                    true => _mm_prefetch::<_MM_HINT_T1>(from),
                    false => _mm_prefetch::<_MM_HINT_T0>(from),
                }
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = from;
    }
}

/// What is read next, to be asked for evenly while other things are computed: a core has few requests under way at once.
#[derive(Clone, Copy)]
pub struct Next {
    prefetch: Prefetch,
    from: *const u8,
    bytes: usize,
}

impl Next {
    /// As much as `read`, right behind it.
    #[inline(always)]
    pub fn behind<T>(read: &[T]) -> Self {
        Self { prefetch: Prefetch::exact(), from: read.as_ptr_range().end.cast(), bytes: size_of_val(read) }
    }

    /// Nothing that is not asked for already.
    #[inline(always)]
    pub fn nothing<T>(read: &[T]) -> Self {
        Self { prefetch: Prefetch::exact(), from: read.as_ptr().cast(), bytes: 0 }
    }

    /// As much again, so many times further on.
    #[inline(always)]
    pub fn further(self, times: usize) -> Self {
        Self { from: self.from.wrapping_add(times * self.bytes), ..self }
    }

    /// The same asked for in another way.
    #[inline(always)]
    pub fn by(self, prefetch: Prefetch) -> Self {
        Self { prefetch, ..self }
    }

    /// What the work on some of `of` rows asks for, in so many steps.
    #[inline(always)]
    pub fn share(self, rows: Range<usize>, of: usize, steps: usize) -> Ahead {
        let from = self.from.wrapping_add(rows.start * self.bytes / of);
        Ahead { prefetch: self.prefetch, from, step: (rows.len() * self.bytes).div_ceil(of * steps.max(1)) }
    }
}

/// Some of what is read next, step by step.
pub struct Ahead {
    prefetch: Prefetch,
    from: *const u8,
    step: usize,
}

impl Ahead {
    /// Asks for the next step.
    #[inline(always)]
    pub fn ask(&mut self) {
        self.prefetch.ask(self.from);
        self.from = self.from.wrapping_add(self.step);
    }
}

/// Whether a core has more requests of the second-level cache under way: AMD's with AVX-512.
#[inline]
fn is_second_level_faster() -> bool {
    static FASTER: OnceLock<bool> = OnceLock::new();
    *FASTER.get_or_init(|| is_amd() && Simd::of(Level::Avx512).is_some())
}

#[inline]
fn is_amd() -> bool {
    static AMD: OnceLock<bool> = OnceLock::new();
    *AMD.get_or_init(|| vendor() == *b"Auth") // AuthenticAMD
}

#[cfg(target_arch = "x86_64")]
fn vendor() -> [u8; 4] {
    std::arch::x86_64::__cpuid(0).ebx.to_le_bytes()
}

#[cfg(not(target_arch = "x86_64"))]
fn vendor() -> [u8; 4] {
    [0; 4]
}
