//! The grouped products with VNNI: four 8-bit products of a lane in one instruction.
#![allow(unsafe_code, reason = "CPU intrinsics, called where their features were detected")]

use std::marker::PhantomData;

use super::PANEL;
use super::group::{Codes, QUADS};
use super::grouped::{AHEAD, Groups, Tile};
use super::lanes::{Lanes, Narrow, Wide};
use super::quantise::Group;
use crate::simd::prefetch;

/// One task in the vectors of AVX-512.
pub(crate) fn wide<C: Codes>(task: Groups<'_, C>) {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
    fn compiled<C: Codes>(mut task: Groups<'_, C>) {
        task.walk::<Vnni<Wide>>(0);
    }
    // SAFETY: a device has `Simd::Vnni` only where these features were detected.
    unsafe { compiled(task) }
}

/// One task in the vectors of AVX2.
pub(crate) fn narrow<C: Codes>(task: Groups<'_, C>) {
    #[target_feature(enable = "avxvnni,avx2,fma,f16c")]
    fn compiled<C: Codes>(mut task: Groups<'_, C>) {
        task.walk::<Vnni<Narrow>>(0);
    }
    // SAFETY: a device has `Simd::AvxVnni` only where these features were detected.
    unsafe { compiled(task) }
}

/// Codes of four bits are masked, not shifted: those of the second half count sixteen times, and its scales a sixteenth.
struct Vnni<L>(PhantomData<L>);

impl<L: Lanes> Tile for Vnni<L> {
    const TALLEST: usize = L::TALLEST;
    const TALLEST_OF_STREAMS: usize = L::TALLEST_OF_STREAMS;
    const ABREAST: usize = L::ABREAST;

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
            let mut lanes = [[L::floats(); NP]; MR];
            for block in 0..blocks {
                half::<L, C, MR, NP, 0>(&ws, &xs, block, &mut lanes);
                half::<L, C, MR, NP, 1>(&ws, &xs, block, &mut lanes);
            }
            for m in 0..MR {
                for p in 0..NP {
                    L::store(lanes[m][p], sums[m][p].as_mut_ptr());
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
unsafe fn half<L: Lanes, C: Codes, const MR: usize, const NP: usize, const HALF: usize>(
    ws: &[*const u8; NP],
    xs: &[Input; MR],
    block: usize,
    sums: &mut [[L::Floats; NP]; MR],
) {
    // SAFETY: by the contract.
    unsafe {
        let group = 2 * block + HALF;
        let raised = C::BITS == 4 && HALF == 1;
        let mut whole = [[L::ints(0); NP]; MR];
        let mut scales = [0.0; MR];
        for m in 0..MR {
            let Group { scale, sum } = xs[m].groups.add(group).read_unaligned();
            let offset = if raised { 16 * C::OFFSET } else { C::OFFSET };
            whole[m] = [L::ints(-offset * sum); NP];
            scales[m] = if raised { scale / 16.0 } else { scale };
        }
        let mask = match (C::BITS, HALF) {
            (4, 0) => 0x0f,
            (4, _) => -16,
            _ => -1,
        };
        for quad in 0..QUADS {
            let mut w = [L::ints(0); NP];
            for p in 0..NP {
                let line = ws[p].add(block * C::BYTES + C::quad(HALF, quad));
                if MR <= 2 && !raised {
                    prefetch(line.wrapping_add(AHEAD));
                }
                w[p] = L::weights(line, mask);
            }
            for m in 0..MR {
                let x = L::codes(xs[m].codes.add((group * QUADS + quad) * 4));
                for p in 0..NP {
                    whole[m][p] = L::dot(whole[m][p], w[p], x);
                }
            }
        }
        for p in 0..NP {
            let scale = L::scales(ws[p].add(block * C::BYTES + HALF * 2 * PANEL));
            for m in 0..MR {
                sums[m][p] = L::add(sums[m][p], whole[m][p], scale, scales[m]);
            }
        }
    }
}
