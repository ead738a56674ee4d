//! 16-bit numbers to floats, by the CPU's own instruction where it has one.
#![allow(unsafe_code, reason = "calls an instruction that was detected")]

use half::f16;

use crate::lanes::Element;

/// Widens numbers into as many floats, exactly.
pub fn widen(from: &[f16], to: &mut [f32]) {
    assert_eq!(from.len(), to.len(), "a float for each number");
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f") {
        // SAFETY: the feature was detected.
        return unsafe { x86::widen(from, to) };
    }
    one_by_one(from, to);
}

#[inline(always)]
fn one_by_one(from: &[f16], to: &mut [f32]) {
    to.iter_mut().zip(from).for_each(|(to, x)| *to = x.widen());
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{_mm256_loadu_si256, _mm512_cvtph_ps, _mm512_storeu_ps};

    use half::f16;

    #[target_feature(enable = "avx512f")]
    pub(super) fn widen(from: &[f16], to: &mut [f32]) {
        let ((numbers, rest), (floats, others)) = (from.as_chunks::<16>(), to.as_chunks_mut::<16>());
        for (numbers, floats) in numbers.iter().zip(floats) {
            // SAFETY: sixteen numbers are read, and as many floats written.
            unsafe {
                let lanes = _mm512_cvtph_ps(_mm256_loadu_si256(numbers.as_ptr().cast()));
                _mm512_storeu_ps(floats.as_mut_ptr(), lanes);
            }
        }
        super::one_by_one(rest, others);
    }
}

#[cfg(test)]
mod tests {
    use super::{f16, widen};

    #[test]
    fn every_number_is_what_it_is() {
        let all: Vec<f16> = (0..=u16::MAX).map(f16::from_bits).collect();
        for numbers in [&all[..], &all[..37], &all[5..5]] {
            let mut floats = vec![1.0; numbers.len()];
            widen(numbers, &mut floats);
            for (number, float) in numbers.iter().zip(floats) {
                assert!(number.to_f32() == float || number.is_nan() && float.is_nan(), "{number}: {float}");
            }
        }
    }
}
