//! The grouped products with AVX-512 VNNI: four 8-bit products of a lane in one instruction.
#![allow(unsafe_code, reason = "CPU intrinsics, called where their features were detected")]

use std::arch::x86_64::*;

use super::PANEL;
use super::blocks::STREAMS;
use super::group::{AHEAD, Codes, Groups, QUADS};

/// Sixty-four bytes.
#[inline(always)]
pub(crate) fn load(block: &[u8], at: usize) -> __m512i {
    let bytes: &[u8; 64] = block[at..at + 64].try_into().expect("64 bytes");
    // SAFETY: reads the 64 bytes of `bytes`; inlined into code compiled for AVX-512 alone.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

/// The low or the high halves of sixty-four bytes.
#[inline(always)]
pub(crate) fn load_nibbles(block: &[u8], at: usize, high: bool) -> __m512i {
    let bytes = load(block, at);
    // SAFETY: inlined into code compiled for AVX-512 alone.
    unsafe {
        let bytes = if high { _mm512_srli_epi16::<4>(bytes) } else { bytes };
        _mm512_and_si512(bytes, _mm512_set1_epi8(15))
    }
}

pub(crate) fn run<C: Codes>(task: Groups<'_, C>) {
    // SAFETY: a device has `Simd::Vnni` only where these features were detected.
    unsafe { compiled(task) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn compiled<C: Codes>(task: Groups<'_, C>) {
    task.walk(
        |it, row, panels| tile::<C, 1, STREAMS>(it, row, panels),
        |it, row, count, panels| match count {
            6 => tile::<C, 6, 2>(it, row, panels),
            _ => (row..row + count).for_each(|row| tile::<C, 1, 2>(it, row, panels)),
        },
    );
}

#[allow(clippy::needless_range_loop, reason = "indices of several arrays, unrolled")]
/// `MR` rows by `NP` panels.
#[inline(always)]
fn tile<C: Codes, const MR: usize, const NP: usize>(task: &mut Groups<'_, C>, row: usize, panels: [usize; NP]) {
    // SAFETY: inlined into `compiled`, whose features were detected; loads stay within the slices they are taken from.
    unsafe {
        let mut ws = [task.panel(panels[0]); NP];
        for p in 1..NP {
            ws[p] = task.panel(panels[p]);
        }
        let mut sums = [[_mm512_setzero_ps(); NP]; MR];
        for group in 0..task.groups() {
            let mut whole = [[_mm512_setzero_si512(); NP]; MR];
            let mut xs = [task.input(row, group); MR];
            for m in 0..MR {
                xs[m] = task.input(row + m, group);
                whole[m] = [_mm512_set1_epi32(-C::OFFSET * xs[m].sum); NP];
            }
            let mut scales = [_mm512_setzero_ps(); NP];
            for p in 0..NP {
                let block = &ws[p][group * C::BYTES..][..C::BYTES];
                if MR == 1 {
                    // A whole group of lines, as far ahead of its stream.
                    for line in 0..C::BYTES / 64 {
                        _mm_prefetch::<_MM_HINT_T0>(block.as_ptr().wrapping_add(AHEAD + line * 64).cast());
                    }
                }
                scales[p] = _mm512_cvtph_ps(_mm256_loadu_si256(block[..32].as_ptr().cast()));
                for quad in 0..QUADS {
                    let w = C::quad(block, quad);
                    for m in 0..MR {
                        let x: &[u8; 4] = xs[m].codes[quad * 4..][..4].try_into().expect("four codes");
                        whole[m][p] = _mm512_dpbusd_epi32(whole[m][p], w, _mm512_set1_epi32(i32::from_le_bytes(*x)));
                    }
                }
            }
            for m in 0..MR {
                let x = _mm512_set1_ps(xs[m].scale);
                for p in 0..NP {
                    let factor = _mm512_mul_ps(scales[p], x);
                    sums[m][p] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(whole[m][p]), factor, sums[m][p]);
                }
            }
        }
        for m in 0..MR {
            for p in 0..NP {
                let mut lanes = [0.0; PANEL];
                _mm512_storeu_ps(lanes.as_mut_ptr(), sums[m][p]);
                task.put(row + m, panels[p], &lanes);
            }
        }
    }
}
