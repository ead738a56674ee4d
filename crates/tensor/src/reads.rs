//! How the memory is best read, which processors disagree about.

use std::ops::Range;
use std::sync::OnceLock;

use crate::simd::Simd;

/// Panels that products of few rows read side by side at most, far apart.
pub(crate) const STREAMS: usize = 4;

/// Asks the memory for what stands at an address, which need not be one of the process; only a hint.
#[inline(always)]
pub fn prefetch<T>(from: *const T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch of any address is harmless.
        #[allow(unsafe_code, reason = "a hint")]
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(from.cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = from;
}

/// What is read next, to be asked for evenly while other things are computed: a core has few requests under way at once.
#[derive(Clone, Copy)]
pub struct Next {
    from: *const u8,
    bytes: usize,
}

impl Next {
    /// As much as `read`, right behind it.
    #[inline(always)]
    pub fn behind<T>(read: &[T]) -> Self {
        Self { from: read.as_ptr_range().end.cast(), bytes: size_of_val(read) }
    }

    /// Nothing that is not asked for already.
    #[inline(always)]
    pub fn nothing<T>(read: &[T]) -> Self {
        Self { from: read.as_ptr().cast(), bytes: 0 }
    }

    /// What the work on some of `of` rows asks for, in so many steps.
    #[inline(always)]
    pub fn share(self, rows: Range<usize>, of: usize, steps: usize) -> Ahead {
        let from = self.from.wrapping_add(rows.start * self.bytes / of);
        Ahead { from, step: (rows.len() * self.bytes).div_ceil(of * steps.max(1)) }
    }
}

/// Some of what is read next, step by step.
pub struct Ahead {
    from: *const u8,
    step: usize,
}

impl Ahead {
    /// Asks for the next step.
    #[inline(always)]
    pub fn ask(&mut self) {
        prefetch(self.from);
        self.from = self.from.wrapping_add(self.step);
    }
}

/// Whether several streams are read faster than one. Most cores follow them all (Zen 3: 28 to 20 GB/s); AMD's with AVX-512 read one
/// after the other faster (Zen 4: 58 to 48 tokens a second of a model of 4 bits).
pub(crate) fn are_streams_faster() -> bool {
    !(is_amd() && Simd::Avx512.or_portable() == Simd::Avx512)
}

/// Bytes of a stream that products ask for before they need them. AMD's cores keep fewer requests waiting, and read a tenth to a third
/// slower when asked further ahead (measured on Zen 4).
#[inline]
pub(crate) fn ahead() -> usize {
    if is_amd() { 512 } else { 2048 }
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
