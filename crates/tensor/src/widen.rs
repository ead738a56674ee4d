//! Short numbers to floats in kernels of `N` lanes, by the CPU's own instructions where those are of sixteen.
#![allow(unsafe_code, reason = "calls instructions that were detected")]

use half::f16;

use crate::lanes::Element;

/// Codes that stand side by side.
const LANES: usize = 16;

/// Widens numbers into as many floats, exactly.
pub fn halves<const N: usize>(from: &[f16], to: &mut [f32]) {
    assert_eq!(from.len(), to.len(), "a float for each number");
    #[cfg(target_arch = "x86_64")]
    if N == LANES && is_x86_feature_detected!("avx512f") {
        // SAFETY: the feature was detected.
        return unsafe { x86::halves(from, to) };
    }
    one_by_one(from, to);
}

/// Multiplies codes, sixteen side by side, by a scale for each of the sixteen.
pub fn codes<const N: usize>(from: &[i8], scales: &[f16; LANES], to: &mut [f32]) {
    assert!(from.len() == to.len() && from.len().is_multiple_of(LANES), "a float for each code, sixteen side by side");
    let mut floats = [0.0; LANES];
    halves::<N>(scales, &mut floats);
    #[cfg(target_arch = "x86_64")]
    if N == LANES && is_x86_feature_detected!("avx512f") {
        // SAFETY: the feature was detected.
        return unsafe { x86::codes(from, &floats, to) };
    }
    for (codes, to) in from.as_chunks::<LANES>().0.iter().zip(to.as_chunks_mut::<LANES>().0) {
        *to = std::array::from_fn(|lane| codes[lane].widen() * floats[lane]);
    }
}

#[inline(always)]
fn one_by_one(from: &[f16], to: &mut [f32]) {
    to.iter_mut().zip(from).for_each(|(to, x)| *to = x.widen());
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        _mm_loadu_si128, _mm256_loadu_si256, _mm512_cvtepi8_epi32, _mm512_cvtepi32_ps, _mm512_cvtph_ps,
        _mm512_loadu_ps, _mm512_mul_ps, _mm512_storeu_ps,
    };

    use half::f16;

    use super::LANES;

    #[target_feature(enable = "avx512f")]
    pub(super) fn halves(from: &[f16], to: &mut [f32]) {
        let ((numbers, rest), (floats, others)) = (from.as_chunks::<LANES>(), to.as_chunks_mut::<LANES>());
        for (numbers, floats) in numbers.iter().zip(floats) {
            // SAFETY: sixteen numbers are read, and as many floats written.
            unsafe {
                let lanes = _mm512_cvtph_ps(_mm256_loadu_si256(numbers.as_ptr().cast()));
                _mm512_storeu_ps(floats.as_mut_ptr(), lanes);
            }
        }
        super::one_by_one(rest, others);
    }

    #[target_feature(enable = "avx512f")]
    pub(super) fn codes(from: &[i8], scales: &[f32; LANES], to: &mut [f32]) {
        // SAFETY: sixteen floats are read.
        let scales = unsafe { _mm512_loadu_ps(scales.as_ptr()) };
        for (codes, floats) in from.as_chunks::<LANES>().0.iter().zip(to.as_chunks_mut::<LANES>().0) {
            // SAFETY: sixteen codes are read, and as many floats written.
            unsafe {
                let lanes = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(codes.as_ptr().cast())));
                _mm512_storeu_ps(floats.as_mut_ptr(), _mm512_mul_ps(lanes, scales));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LANES, codes, f16, halves};

    #[test]
    fn every_half_is_what_it_is() {
        every_half::<4>();
        every_half::<LANES>();
    }

    fn every_half<const N: usize>() {
        let all: Vec<f16> = (0..=u16::MAX).map(f16::from_bits).collect();
        for numbers in [&all[..], &all[..37], &all[5..5]] {
            let mut floats = vec![1.0; numbers.len()];
            halves::<N>(numbers, &mut floats);
            for (number, float) in numbers.iter().zip(floats) {
                assert!(number.to_f32() == float || number.is_nan() && float.is_nan(), "{number}: {float}");
            }
        }
    }

    #[test]
    fn every_code_is_multiplied_by_its_scale() {
        every_code::<4>();
        every_code::<LANES>();
    }

    fn every_code<const N: usize>() {
        let scales = std::array::from_fn(|lane| f16::from_f32(0.01 * (lane as f32 - 3.0)));
        let all: Vec<i8> = (i8::MIN..=i8::MAX).flat_map(|code| [code; LANES]).collect();
        let mut floats = vec![1.0; all.len()];
        codes::<N>(&all, &scales, &mut floats);
        for (at, float) in floats.into_iter().enumerate() {
            assert_eq!(float, f32::from(all[at]) * scales[at % LANES].to_f32(), "{at}");
        }
    }
}
