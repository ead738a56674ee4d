//! The products in vectors of AVX-512, with VNNI or without, and of AVX2.

use std::arch::x86_64::*;

use half::f16;

use super::{LANES, Lanes, Walk};

/// A walk with AVX-512 and VNNI.
pub(super) fn vnni(walk: impl Walk) {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
    fn compiled(walk: impl Walk) {
        // SAFETY: this is compiled for the instructions.
        unsafe { walk.walk::<Wide<true>>() }
    }
    // SAFETY: called for a supported `Simd::Vnni` or what is above it, which have these features.
    unsafe { compiled(walk) }
}

/// A walk with AVX-512 alone.
pub(super) fn avx512(walk: impl Walk) {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
    fn compiled(walk: impl Walk) {
        // SAFETY: this is compiled for the instructions.
        unsafe { walk.walk::<Wide<false>>() }
    }
    // SAFETY: called for a supported `Simd::Avx512`, which has these features.
    unsafe { compiled(walk) }
}

/// A walk with AVX2.
pub(super) fn avx2(walk: impl Walk) {
    #[target_feature(enable = "avx2,fma,f16c")]
    fn compiled(walk: impl Walk) {
        // SAFETY: this is compiled for the instructions.
        unsafe { walk.walk::<Narrow>() }
    }
    // SAFETY: called for a supported `Simd::Avx2` or what is above it, which have these features.
    unsafe { compiled(walk) }
}

/// AVX-512: one register.
struct Wide<const VNNI: bool>;

/// AVX2: two registers.
struct Narrow;

impl<const VNNI: bool> Lanes for Wide<VNNI> {
    const TALLEST: usize = 8;

    type Ints = __m512i;
    type Codes = __m512i;
    type Floats = __m512;

    #[inline(always)]
    unsafe fn ints() -> __m512i {
        // SAFETY: by the contract, here and below; arrays are as long as what is read and written.
        unsafe { _mm512_setzero_si512() }
    }

    #[inline(always)]
    unsafe fn load(from: &[i32; LANES]) -> __m512i {
        unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
    }

    #[inline(always)]
    unsafe fn store(sums: __m512i, to: &mut [i32; LANES]) {
        unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), sums) }
    }

    #[inline(always)]
    unsafe fn pairs(from: &[i8; 2 * LANES]) -> __m512i {
        unsafe { _mm512_cvtepi8_epi16(_mm256_loadu_si256(from.as_ptr().cast())) }
    }

    #[inline(always)]
    unsafe fn singles(from: &[i8; LANES]) -> __m512i {
        unsafe { _mm512_cvtepi8_epi32(_mm_loadu_si128(from.as_ptr().cast())) }
    }

    #[inline(always)]
    unsafe fn dot(sums: __m512i, codes: __m512i, inputs: i32) -> __m512i {
        unsafe {
            let inputs = _mm512_set1_epi32(inputs);
            match VNNI {
                true => _mm512_dpwssd_epi32(sums, codes, inputs),
                false => _mm512_add_epi32(sums, _mm512_madd_epi16(codes, inputs)),
            }
        }
    }

    #[inline(always)]
    unsafe fn floats() -> __m512 {
        unsafe { _mm512_setzero_ps() }
    }

    #[inline(always)]
    unsafe fn scales(from: &[f16; LANES]) -> __m512 {
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(from.as_ptr().cast())) }
    }

    #[inline(always)]
    unsafe fn add(sums: __m512, group: __m512i, scales: __m512, scale: f32) -> __m512 {
        unsafe { _mm512_fmadd_ps(_mm512_cvtepi32_ps(group), _mm512_mul_ps(scales, _mm512_set1_ps(scale)), sums) }
    }

    #[inline(always)]
    unsafe fn put(sums: __m512, to: &mut [f32; LANES]) {
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), sums) }
    }
}

impl Lanes for Narrow {
    const TALLEST: usize = 4;

    type Ints = [__m256i; 2];
    type Codes = [__m256i; 2];
    type Floats = [__m256; 2];

    #[inline(always)]
    unsafe fn ints() -> [__m256i; 2] {
        // SAFETY: by the contract, here and below; arrays are as long as what is read and written.
        unsafe { [_mm256_setzero_si256(); 2] }
    }

    #[inline(always)]
    unsafe fn load(from: &[i32; LANES]) -> [__m256i; 2] {
        unsafe { [_mm256_loadu_si256(from.as_ptr().cast()), _mm256_loadu_si256(from.as_ptr().add(8).cast())] }
    }

    #[inline(always)]
    unsafe fn store([low, high]: [__m256i; 2], to: &mut [i32; LANES]) {
        unsafe {
            _mm256_storeu_si256(to.as_mut_ptr().cast(), low);
            _mm256_storeu_si256(to.as_mut_ptr().add(8).cast(), high);
        }
    }

    #[inline(always)]
    unsafe fn pairs(from: &[i8; 2 * LANES]) -> [__m256i; 2] {
        unsafe {
            let low = _mm256_cvtepi8_epi16(_mm_loadu_si128(from.as_ptr().cast()));
            [low, _mm256_cvtepi8_epi16(_mm_loadu_si128(from.as_ptr().add(16).cast()))]
        }
    }

    #[inline(always)]
    unsafe fn singles(from: &[i8; LANES]) -> [__m256i; 2] {
        unsafe {
            let low = _mm256_cvtepi8_epi32(_mm_loadl_epi64(from.as_ptr().cast()));
            [low, _mm256_cvtepi8_epi32(_mm_loadl_epi64(from.as_ptr().add(8).cast()))]
        }
    }

    #[inline(always)]
    unsafe fn dot([s0, s1]: [__m256i; 2], [c0, c1]: [__m256i; 2], inputs: i32) -> [__m256i; 2] {
        unsafe {
            let inputs = _mm256_set1_epi32(inputs);
            let low = _mm256_add_epi32(s0, _mm256_madd_epi16(c0, inputs));
            [low, _mm256_add_epi32(s1, _mm256_madd_epi16(c1, inputs))]
        }
    }

    #[inline(always)]
    unsafe fn floats() -> [__m256; 2] {
        unsafe { [_mm256_setzero_ps(); 2] }
    }

    #[inline(always)]
    unsafe fn scales(from: &[f16; LANES]) -> [__m256; 2] {
        unsafe {
            let low = _mm256_cvtph_ps(_mm_loadu_si128(from.as_ptr().cast()));
            [low, _mm256_cvtph_ps(_mm_loadu_si128(from.as_ptr().add(8).cast()))]
        }
    }

    #[inline(always)]
    unsafe fn add([s0, s1]: [__m256; 2], [g0, g1]: [__m256i; 2], [k0, k1]: [__m256; 2], scale: f32) -> [__m256; 2] {
        unsafe {
            let scale = _mm256_set1_ps(scale);
            let low = _mm256_fmadd_ps(_mm256_cvtepi32_ps(g0), _mm256_mul_ps(k0, scale), s0);
            [low, _mm256_fmadd_ps(_mm256_cvtepi32_ps(g1), _mm256_mul_ps(k1, scale), s1)]
        }
    }

    #[inline(always)]
    unsafe fn put([low, high]: [__m256; 2], to: &mut [f32; LANES]) {
        unsafe {
            _mm256_storeu_ps(to.as_mut_ptr(), low);
            _mm256_storeu_ps(to.as_mut_ptr().add(8), high);
        }
    }
}
