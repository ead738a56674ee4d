//! The products in vectors of AVX-512, with VNNI or without, and of AVX2.

use std::arch::x86_64::*;

use super::{LANES, Lanes, Walk};
use crate::sixteen::{Sixteen as _, Ymms, Zmm};

/// A walk with AVX-512 and VNNI.
pub(super) fn vnni(walk: impl Walk) {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
    fn compiled(walk: impl Walk) {
        // SAFETY: this is compiled for the instructions.
        unsafe { walk.walk::<Wide<true>>() }
    }
    // SAFETY: called for `Level::Vnni` and what is above it, which have these features.
    unsafe { compiled(walk) }
}

/// A walk with AVX-512 alone.
pub(super) fn avx512(walk: impl Walk) {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
    fn compiled(walk: impl Walk) {
        // SAFETY: this is compiled for the instructions.
        unsafe { walk.walk::<Wide<false>>() }
    }
    // SAFETY: called for `Level::Avx512`, which has these features.
    unsafe { compiled(walk) }
}

/// A walk with AVX2.
pub(super) fn avx2(walk: impl Walk) {
    #[target_feature(enable = "avx2,fma,f16c")]
    fn compiled(walk: impl Walk) {
        // SAFETY: this is compiled for the instructions.
        unsafe { walk.walk::<Narrow>() }
    }
    // SAFETY: called for `Level::Avx2` and what is above it, which have these features.
    unsafe { compiled(walk) }
}

/// AVX-512: one register.
struct Wide<const VNNI: bool>;

/// AVX2: two registers.
struct Narrow;

impl<const VNNI: bool> Lanes for Wide<VNNI> {
    const TALLEST: usize = 8;

    type V = Zmm;

    #[inline(always)]
    unsafe fn store(sums: __m512i, to: &mut [i32; LANES]) {
        // SAFETY: by the contract, here and below; arrays are as long as what is read and written.
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
            match VNNI {
                true => _mm512_dpwssd_epi32(sums, codes, _mm512_set1_epi32(inputs)),
                false => Zmm::add_pairs(sums, codes, inputs),
            }
        }
    }
}

impl Lanes for Narrow {
    const TALLEST: usize = 4;

    type V = Ymms;

    #[inline(always)]
    unsafe fn store([low, high]: [__m256i; 2], to: &mut [i32; LANES]) {
        // SAFETY: by the contract, here and below; arrays are as long as what is read and written.
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
}
