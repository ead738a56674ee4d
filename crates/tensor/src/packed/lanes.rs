//! The sixteen lanes of a panel in the vectors of an instruction set that has dot products of bytes.
#![allow(unsafe_code, reason = "CPU intrinsics, called where their features were detected")]

use std::arch::x86_64::*;

/// Sixteen lanes. Everything is `#[inline(always)]`, and called where its instructions are there.
pub(crate) trait Lanes {
    /// The most rows of a tile: as many as registers hold sums of a group for.
    const TALLEST: usize;
    /// The same of a tile of `STREAMS` panels.
    const TALLEST_OF_STREAMS: usize;

    /// Sixteen sums of products, or four codes for each of sixteen outputs.
    type Ints: Copy;
    /// Sixteen floats.
    type Floats: Copy;
    /// Four codes of an input, repeated.
    type Codes: Copy;

    /// The same sum in all lanes.
    unsafe fn ints(value: i32) -> Self::Ints;

    /// Zeros.
    unsafe fn floats() -> Self::Floats;

    /// Four codes of an input.
    unsafe fn codes(from: *const i32) -> Self::Codes;

    /// 64 bytes of weights, masked.
    unsafe fn weights(from: *const u8, mask: i8) -> Self::Ints;

    /// Adds the four products of every output.
    unsafe fn dot(sums: Self::Ints, weights: Self::Ints, codes: Self::Codes) -> Self::Ints;

    /// Sixteen scales of two bytes, times a factor.
    unsafe fn scales(from: *const u8, factor: f32) -> Self::Floats;

    /// `sums + group · (scales · scale)`
    unsafe fn add(sums: Self::Floats, group: Self::Ints, scales: Self::Floats, scale: f32) -> Self::Floats;

    /// Writes sixteen floats.
    unsafe fn store(lanes: Self::Floats, to: *mut f32);
}

/// AVX-512 with VNNI: one register.
pub(crate) struct Wide;

/// AVX2 with AVX-VNNI: two registers.
pub(crate) struct Narrow;

impl Lanes for Wide {
    const TALLEST: usize = 12;
    const TALLEST_OF_STREAMS: usize = 2;

    type Ints = __m512i;
    type Floats = __m512;
    type Codes = __m512i;

    #[inline(always)]
    unsafe fn ints(value: i32) -> __m512i {
        // SAFETY: by the contract, here and below.
        unsafe { _mm512_set1_epi32(value) }
    }

    #[inline(always)]
    unsafe fn floats() -> __m512 {
        unsafe { _mm512_setzero_ps() }
    }

    #[inline(always)]
    unsafe fn codes(from: *const i32) -> __m512i {
        unsafe { _mm512_set1_epi32(from.read_unaligned()) }
    }

    #[inline(always)]
    unsafe fn weights(from: *const u8, mask: i8) -> __m512i {
        unsafe { _mm512_and_si512(_mm512_loadu_si512(from.cast()), _mm512_set1_epi8(mask)) }
    }

    #[inline(always)]
    unsafe fn dot(sums: __m512i, weights: __m512i, codes: __m512i) -> __m512i {
        unsafe { _mm512_dpbusd_epi32(sums, weights, codes) }
    }

    #[inline(always)]
    unsafe fn scales(from: *const u8, factor: f32) -> __m512 {
        unsafe { _mm512_mul_ps(_mm512_cvtph_ps(_mm256_loadu_si256(from.cast())), _mm512_set1_ps(factor)) }
    }

    #[inline(always)]
    unsafe fn add(sums: __m512, group: __m512i, scales: __m512, scale: f32) -> __m512 {
        unsafe { _mm512_fmadd_ps(_mm512_cvtepi32_ps(group), _mm512_mul_ps(scales, _mm512_set1_ps(scale)), sums) }
    }

    #[inline(always)]
    unsafe fn store(lanes: __m512, to: *mut f32) {
        unsafe { _mm512_storeu_ps(to, lanes) }
    }
}

impl Lanes for Narrow {
    const TALLEST: usize = 3;
    const TALLEST_OF_STREAMS: usize = 1;

    type Ints = [__m256i; 2];
    type Floats = [__m256; 2];
    type Codes = __m256i;

    #[inline(always)]
    unsafe fn ints(value: i32) -> [__m256i; 2] {
        // SAFETY: by the contract, here and below.
        unsafe { [_mm256_set1_epi32(value); 2] }
    }

    #[inline(always)]
    unsafe fn floats() -> [__m256; 2] {
        unsafe { [_mm256_setzero_ps(); 2] }
    }

    #[inline(always)]
    unsafe fn codes(from: *const i32) -> __m256i {
        unsafe { _mm256_set1_epi32(from.read_unaligned()) }
    }

    #[inline(always)]
    unsafe fn weights(from: *const u8, mask: i8) -> [__m256i; 2] {
        unsafe {
            let mask = _mm256_set1_epi8(mask);
            let low = _mm256_and_si256(_mm256_loadu_si256(from.cast()), mask);
            [low, _mm256_and_si256(_mm256_loadu_si256(from.add(32).cast()), mask)]
        }
    }

    #[inline(always)]
    unsafe fn dot([s0, s1]: [__m256i; 2], [w0, w1]: [__m256i; 2], codes: __m256i) -> [__m256i; 2] {
        unsafe { [_mm256_dpbusd_avx_epi32(s0, w0, codes), _mm256_dpbusd_avx_epi32(s1, w1, codes)] }
    }

    #[inline(always)]
    unsafe fn scales(from: *const u8, factor: f32) -> [__m256; 2] {
        unsafe {
            let factor = _mm256_set1_ps(factor);
            let low = _mm256_mul_ps(_mm256_cvtph_ps(_mm_loadu_si128(from.cast())), factor);
            [low, _mm256_mul_ps(_mm256_cvtph_ps(_mm_loadu_si128(from.add(16).cast())), factor)]
        }
    }

    #[inline(always)]
    unsafe fn add([s0, s1]: [__m256; 2], [g0, g1]: [__m256i; 2], [w0, w1]: [__m256; 2], scale: f32) -> [__m256; 2] {
        unsafe {
            let scale = _mm256_set1_ps(scale);
            let low = _mm256_fmadd_ps(_mm256_cvtepi32_ps(g0), _mm256_mul_ps(w0, scale), s0);
            [low, _mm256_fmadd_ps(_mm256_cvtepi32_ps(g1), _mm256_mul_ps(w1, scale), s1)]
        }
    }

    #[inline(always)]
    unsafe fn store([low, high]: [__m256; 2], to: *mut f32) {
        unsafe {
            _mm256_storeu_ps(to, low);
            _mm256_storeu_ps(to.add(8), high);
        }
    }
}
