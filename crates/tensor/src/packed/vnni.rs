//! The grouped products with AVX-512 VNNI: four 8-bit products of a lane in one instruction.
#![allow(unsafe_code, reason = "CPU intrinsics, called where their features were detected")]

use std::arch::x86_64::*;

use super::PANEL;
use super::group::{Codes, QUADS};
use super::grouped::{AHEAD, Groups, Tile};
use super::quantise::Group;

pub(crate) fn run<C: Codes>(task: Groups<'_, C>) {
    // SAFETY: a device has `Simd::Vnni` only where these features were detected.
    unsafe { compiled(task) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn compiled<C: Codes>(mut task: Groups<'_, C>) {
    task.walk::<Vnni>(0);
}

/// Codes of four bits are masked, not shifted: those of the second half count sixteen times, and its scales a sixteenth.
pub(crate) struct Vnni;

impl Tile for Vnni {
    const TALLEST: usize = 6;

    #[allow(clippy::needless_range_loop, reason = "indices of several arrays, unrolled")]
    #[inline(always)]
    fn tile<C: Codes, const MR: usize, const NP: usize>(task: &mut Groups<'_, C>, row: usize, panels: [usize; NP]) {
        let blocks = task.x.groups() / 2;
        let mut ws = [std::ptr::null(); NP];
        for p in 0..NP {
            let panel = task.panel(panels[p]);
            assert!(panel.len() == blocks * C::BYTES, "a whole panel");
            ws[p] = panel.as_ptr();
        }
        let mut xs = [Input { codes: std::ptr::null(), groups: std::ptr::null() }; MR];
        for m in 0..MR {
            let x = task.x.row(row + m);
            xs[m] = Input { codes: x.codes.as_ptr(), groups: x.groups() };
        }
        let mut sums = [[[0.0; PANEL]; NP]; MR];
        // SAFETY: called from code compiled for these features; panels and rows have `blocks` blocks.
        unsafe {
            let mut lanes = [[_mm512_setzero_ps(); NP]; MR];
            for block in 0..blocks {
                half::<C, MR, NP, 0>(&ws, &xs, block, &mut lanes);
                half::<C, MR, NP, 1>(&ws, &xs, block, &mut lanes);
            }
            for m in 0..MR {
                for p in 0..NP {
                    _mm512_storeu_ps(sums[m][p].as_mut_ptr(), lanes[m][p]);
                }
            }
        }
        for m in 0..MR {
            for p in 0..NP {
                task.put(row + m, panels[p], &sums[m][p]);
            }
        }
    }
}

/// Where a row's codes and groups are.
#[derive(Clone, Copy)]
struct Input {
    codes: *const u8,
    groups: *const Group,
}

/// Adds the products of one half of a block.
///
/// # Safety
/// Panels and rows have more than `block` blocks, and the CPU has the instructions.
#[allow(clippy::needless_range_loop, reason = "indices of several arrays, unrolled")]
#[inline(always)]
unsafe fn half<C: Codes, const MR: usize, const NP: usize, const HALF: usize>(
    ws: &[*const u8; NP],
    xs: &[Input; MR],
    block: usize,
    sums: &mut [[__m512; NP]; MR],
) {
    // SAFETY: by the contract.
    unsafe {
        let group = 2 * block + HALF;
        let raised = C::BITS == 4 && HALF == 1;
        let mut whole = [[_mm512_setzero_si512(); NP]; MR];
        let mut scales = [0.0; MR];
        for m in 0..MR {
            let Group { scale, sum } = xs[m].groups.add(group).read_unaligned();
            let offset = if raised { 16 * C::OFFSET } else { C::OFFSET };
            whole[m] = [_mm512_set1_epi32(-offset * sum); NP];
            scales[m] = if raised { scale / 16.0 } else { scale };
        }
        for quad in 0..QUADS {
            let mut w = [_mm512_setzero_si512(); NP];
            for p in 0..NP {
                let line = ws[p].add(block * C::BYTES + C::quad(HALF, quad));
                if MR <= 2 && !raised {
                    _mm_prefetch::<_MM_HINT_T0>(line.wrapping_add(AHEAD).cast());
                }
                let bytes = _mm512_loadu_si512(line.cast());
                w[p] = match (C::BITS, HALF) {
                    (4, 0) => _mm512_and_si512(bytes, _mm512_set1_epi8(0x0f)),
                    (4, _) => _mm512_and_si512(bytes, _mm512_set1_epi8(-16)),
                    _ => bytes,
                };
            }
            for m in 0..MR {
                let x = _mm512_set1_epi32(xs[m].codes.add((group * QUADS + quad) * 4).cast::<i32>().read_unaligned());
                for p in 0..NP {
                    whole[m][p] = _mm512_dpbusd_epi32(whole[m][p], w[p], x);
                }
            }
        }
        for p in 0..NP {
            let place = ws[p].add(block * C::BYTES + HALF * 2 * PANEL);
            let w = _mm512_cvtph_ps(_mm256_loadu_si256(place.cast()));
            for m in 0..MR {
                let factor = _mm512_mul_ps(w, _mm512_set1_ps(scales[m]));
                sums[m][p] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(whole[m][p]), factor, sums[m][p]);
            }
        }
    }
}
