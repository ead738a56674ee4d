//! Sixteen lanes in the vectors of an instruction set: what products in codes have in common.
#![allow(unsafe_code, reason = "CPU intrinsics, called where their features were detected")]

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

use half::f16;

use crate::lanes::{Element, mul_add};

/// Lanes of a vector.
pub(crate) const LANES: usize = 16;

/// Sixteen lanes. Everything is `#[inline(always)]`, and called where its instructions are there; pointers have room for as many.
pub(crate) trait Sixteen {
    /// Sixteen sums.
    type Ints: Copy;
    /// Sixteen pairs of numbers in sixteen bits.
    type Pairs: Copy;
    /// Sixteen floats.
    type Floats: Copy;

    /// The same sum in all lanes.
    unsafe fn ints(value: i32) -> Self::Ints;

    /// Adds the products of every lane's pair with a pair of inputs, the first in the lower half.
    unsafe fn add_pairs(sums: Self::Ints, pairs: Self::Pairs, inputs: i32) -> Self::Ints;

    /// Zeros.
    unsafe fn floats() -> Self::Floats;

    /// Sixteen scales.
    unsafe fn scales(from: *const f16) -> Self::Floats;

    /// Floats times a factor.
    unsafe fn times(floats: Self::Floats, factor: f32) -> Self::Floats;

    /// `sums + group · (scales · scale)`
    unsafe fn add(sums: Self::Floats, group: Self::Ints, scales: Self::Floats, scale: f32) -> Self::Floats;

    /// Writes floats.
    unsafe fn store(floats: Self::Floats, to: *mut f32);
}

/// Arrays: the plain twin of all others.
pub(crate) struct Arrays;

/// One register of AVX-512.
#[cfg(target_arch = "x86_64")]
pub(crate) struct Zmm;

/// Two registers of AVX2.
#[cfg(target_arch = "x86_64")]
pub(crate) struct Ymms;

/// Whether a fused multiply-add is one instruction of every CPU of the target.
const FMA: bool = cfg!(target_arch = "aarch64");

impl Sixteen for Arrays {
    type Ints = [i32; LANES];
    type Pairs = [[i16; 2]; LANES];
    type Floats = [f32; LANES];

    #[inline(always)]
    unsafe fn ints(value: i32) -> [i32; LANES] {
        [value; LANES]
    }

    #[inline(always)]
    unsafe fn add_pairs(mut sums: [i32; LANES], pairs: [[i16; 2]; LANES], inputs: i32) -> [i32; LANES] {
        let [first, second] = [i32::from(inputs as i16), inputs >> 16];
        for (sum, [a, b]) in sums.iter_mut().zip(pairs) {
            *sum += i32::from(a) * first + i32::from(b) * second;
        }
        sums
    }

    #[inline(always)]
    unsafe fn floats() -> [f32; LANES] {
        [0.0; LANES]
    }

    #[inline(always)]
    unsafe fn scales(from: *const f16) -> [f32; LANES] {
        // SAFETY: by the contract, here and below.
        unsafe { from.cast::<[f16; LANES]>().read_unaligned() }.map(Element::widen)
    }

    #[inline(always)]
    unsafe fn times(floats: [f32; LANES], factor: f32) -> [f32; LANES] {
        floats.map(|x| x * factor)
    }

    #[inline(always)]
    unsafe fn add(mut sums: [f32; LANES], group: [i32; LANES], scales: [f32; LANES], scale: f32) -> [f32; LANES] {
        for lane in 0..LANES {
            sums[lane] = mul_add::<FMA>(group[lane] as f32, scales[lane] * scale, sums[lane]);
        }
        sums
    }

    #[inline(always)]
    unsafe fn store(floats: [f32; LANES], to: *mut f32) {
        unsafe { to.cast::<[f32; LANES]>().write_unaligned(floats) }
    }
}

#[cfg(target_arch = "x86_64")]
impl Sixteen for Zmm {
    type Ints = __m512i;
    type Pairs = __m512i;
    type Floats = __m512;

    #[inline(always)]
    unsafe fn ints(value: i32) -> __m512i {
        // SAFETY: by the contract, here and below.
        unsafe { _mm512_set1_epi32(value) }
    }

    #[inline(always)]
    unsafe fn add_pairs(sums: __m512i, pairs: __m512i, inputs: i32) -> __m512i {
        unsafe { _mm512_add_epi32(sums, _mm512_madd_epi16(pairs, _mm512_set1_epi32(inputs))) }
    }

    #[inline(always)]
    unsafe fn floats() -> __m512 {
        unsafe { _mm512_setzero_ps() }
    }

    #[inline(always)]
    unsafe fn scales(from: *const f16) -> __m512 {
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(from.cast())) }
    }

    #[inline(always)]
    unsafe fn times(floats: __m512, factor: f32) -> __m512 {
        unsafe { _mm512_mul_ps(floats, _mm512_set1_ps(factor)) }
    }

    #[inline(always)]
    unsafe fn add(sums: __m512, group: __m512i, scales: __m512, scale: f32) -> __m512 {
        unsafe { _mm512_fmadd_ps(_mm512_cvtepi32_ps(group), _mm512_mul_ps(scales, _mm512_set1_ps(scale)), sums) }
    }

    #[inline(always)]
    unsafe fn store(floats: __m512, to: *mut f32) {
        unsafe { _mm512_storeu_ps(to, floats) }
    }
}

#[cfg(target_arch = "x86_64")]
impl Sixteen for Ymms {
    type Ints = [__m256i; 2];
    type Pairs = [__m256i; 2];
    type Floats = [__m256; 2];

    #[inline(always)]
    unsafe fn ints(value: i32) -> [__m256i; 2] {
        // SAFETY: by the contract, here and below.
        unsafe { [_mm256_set1_epi32(value); 2] }
    }

    #[inline(always)]
    unsafe fn add_pairs([s0, s1]: [__m256i; 2], [p0, p1]: [__m256i; 2], inputs: i32) -> [__m256i; 2] {
        unsafe {
            let inputs = _mm256_set1_epi32(inputs);
            let low = _mm256_add_epi32(s0, _mm256_madd_epi16(p0, inputs));
            [low, _mm256_add_epi32(s1, _mm256_madd_epi16(p1, inputs))]
        }
    }

    #[inline(always)]
    unsafe fn floats() -> [__m256; 2] {
        unsafe { [_mm256_setzero_ps(); 2] }
    }

    #[inline(always)]
    unsafe fn scales(from: *const f16) -> [__m256; 2] {
        unsafe {
            let low = _mm256_cvtph_ps(_mm_loadu_si128(from.cast()));
            [low, _mm256_cvtph_ps(_mm_loadu_si128(from.add(8).cast()))]
        }
    }

    #[inline(always)]
    unsafe fn times([low, high]: [__m256; 2], factor: f32) -> [__m256; 2] {
        unsafe {
            let factor = _mm256_set1_ps(factor);
            [_mm256_mul_ps(low, factor), _mm256_mul_ps(high, factor)]
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
    unsafe fn store([low, high]: [__m256; 2], to: *mut f32) {
        unsafe {
            _mm256_storeu_ps(to, low);
            _mm256_storeu_ps(to.add(8), high);
        }
    }
}
