//! Short numbers to floats in kernels of `N` lanes, by the CPU's own instructions where it has them.
#![allow(unsafe_code, reason = "calls instructions that were detected")]

use half::f16;

use crate::lanes::Element;

/// Codes that stand side by side.
const LANES: usize = 16;

/// Widens numbers into as many floats, exactly.
#[inline(always)]
pub fn halves<const N: usize>(from: &[f16], to: &mut [f32]) {
    assert_eq!(from.len(), to.len(), "a float for each number");
    #[cfg(target_arch = "x86_64")]
    match N {
        // SAFETY: the feature was detected.
        LANES if is_x86_feature_detected!("avx512f") => return unsafe { x86::halves(from, to) },
        // SAFETY: as above.
        8 if is_x86_feature_detected!("f16c") => return unsafe { x86::halves_of_eight(from, to) },
        _ => {}
    }
    one_by_one(from, to);
}

/// Multiplies the codes of sixteen rows side by side, those of two numbers as neighbours, by a scale for each of the rows, and writes
/// number after number: `[count / 2, 16, 2]` to `[count, 16]`. The last number of an odd count is alone.
pub fn codes<const N: usize>(from: &[i8], scales: &[f16; LANES], to: &mut [f32]) {
    assert!(from.len() == to.len() && from.len().is_multiple_of(LANES), "a float for each code, sixteen side by side");
    let mut floats = [0.0; LANES];
    halves::<N>(scales, &mut floats);
    #[cfg(target_arch = "x86_64")]
    if N == LANES && is_x86_feature_detected!("avx512f") {
        // SAFETY: the feature was detected.
        return unsafe { x86::codes(from, &floats, to) };
    }
    let (pairs, single) = from.as_chunks::<{ 2 * LANES }>();
    let (both, last) = to.as_chunks_mut::<{ 2 * LANES }>();
    for (codes, to) in pairs.iter().zip(both) {
        let (first, second) = to.split_at_mut(LANES);
        for (lane, both) in codes.as_chunks::<2>().0.iter().enumerate() {
            // The first code of a pair in the lower byte, the second, with its sign, above.
            let both = i16::from_le_bytes(both.map(i8::cast_unsigned));
            first[lane] = f32::from(both << 8 >> 8) * floats[lane];
            second[lane] = f32::from(both >> 8) * floats[lane];
        }
    }
    alone(single, &floats, last);
}

#[inline(always)]
fn alone(codes: &[i8], scales: &[f32; LANES], to: &mut [f32]) {
    to.iter_mut().zip(codes).zip(scales).for_each(|((to, code), scale)| *to = code.widen() * scale);
}

#[inline(always)]
fn one_by_one(from: &[f16], to: &mut [f32]) {
    to.iter_mut().zip(from).for_each(|(to, x)| *to = x.widen());
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        _mm_loadu_si128, _mm256_cvtph_ps, _mm256_loadu_si256, _mm256_storeu_ps, _mm512_cvtepi16_epi32,
        _mm512_cvtepi32_ps, _mm512_cvtph_ps, _mm512_loadu_ps, _mm512_mul_ps, _mm512_slli_epi32, _mm512_srai_epi32,
        _mm512_storeu_ps,
    };

    use half::f16;

    use super::LANES;

    #[target_feature(enable = "avx512f")]
    #[inline]
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

    #[target_feature(enable = "avx,f16c")]
    #[inline]
    pub(super) fn halves_of_eight(from: &[f16], to: &mut [f32]) {
        let ((numbers, rest), (floats, others)) = (from.as_chunks::<8>(), to.as_chunks_mut::<8>());
        for (numbers, floats) in numbers.iter().zip(floats) {
            // SAFETY: eight numbers are read, and as many floats written.
            unsafe {
                let lanes = _mm256_cvtph_ps(_mm_loadu_si128(numbers.as_ptr().cast()));
                _mm256_storeu_ps(floats.as_mut_ptr(), lanes);
            }
        }
        super::one_by_one(rest, others);
    }

    #[target_feature(enable = "avx512f")]
    pub(super) fn codes(from: &[i8], scales: &[f32; LANES], to: &mut [f32]) {
        // SAFETY: sixteen floats are read.
        let lanes = unsafe { _mm512_loadu_ps(scales.as_ptr()) };
        let (pairs, single) = from.as_chunks::<{ 2 * LANES }>();
        let (both, last) = to.as_chunks_mut::<{ 2 * LANES }>();
        for (codes, floats) in pairs.iter().zip(both) {
            // SAFETY: sixteen pairs are read, and twice sixteen floats written.
            unsafe {
                // The first code of a pair in the lower byte, the second, with its sign, above.
                let pairs = _mm512_cvtepi16_epi32(_mm256_loadu_si256(codes.as_ptr().cast()));
                let first = _mm512_srai_epi32::<24>(_mm512_slli_epi32::<24>(pairs));
                let both = [first, _mm512_srai_epi32::<8>(pairs)];
                for (at, codes) in both.into_iter().enumerate() {
                    let numbers = _mm512_mul_ps(_mm512_cvtepi32_ps(codes), lanes);
                    _mm512_storeu_ps(floats.as_mut_ptr().add(at * LANES), numbers);
                }
            }
        }
        super::alone(single, scales, last);
    }
}

#[cfg(test)]
mod tests {
    use super::{LANES, codes, f16, halves};

    #[test]
    fn every_half_is_what_it_is() {
        every_half::<4>();
        every_half::<8>();
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
        for count in [0, 1, 2, 7, 256] {
            // Number by number; neighbours are two numbers of a row.
            let code = |number: usize, lane: usize| (number * 17 + lane * 5) as u8 as i8;
            let mut all: Vec<i8> = Vec::new();
            for pair in 0..count / 2 {
                all.extend((0..2 * LANES).map(|at| code(2 * pair + at % 2, at / 2)));
            }
            all.extend((0..count % 2 * LANES).map(|lane| code(count - 1, lane)));
            let mut floats = vec![1.0; all.len()];
            codes::<N>(&all, &scales, &mut floats);
            for (at, float) in floats.into_iter().enumerate() {
                let (number, lane) = (at / LANES, at % LANES);
                assert_eq!(float, f32::from(code(number, lane)) * scales[lane].to_f32(), "{number} of {count}, {lane}");
            }
        }
    }
}
