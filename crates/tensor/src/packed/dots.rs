//! The grouped products in vectors: four products of bytes of every lane in a step.
#![allow(unsafe_code, reason = "CPU intrinsics, called where their features were detected")]

use std::hint::black_box;
use std::marker::PhantomData;

use super::PANEL;
use super::group::{Codes, QUAD, QUADS, UNIT, ZERO_STEPS};
use super::grouped::{Groups, Tile};
use super::lanes::{Lanes, Narrow, Wide};
use super::quantise::GROUP_BYTES;
use crate::reads::Prefetch;
use crate::sixteen::Sixteen;

/// One task with AVX-512 and VNNI.
pub(crate) fn wide<C: Codes>(task: Groups<'_, C>) {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
    fn compiled<C: Codes>(mut task: Groups<'_, C>) {
        task.walk::<Vectors<Wide>>();
    }
    // SAFETY: called for `Level::Vnni` and what is above it, which have these features.
    unsafe { compiled(task) }
}

/// One task with AVX2 and AVX-VNNI.
pub(crate) fn narrow<C: Codes>(task: Groups<'_, C>) {
    #[target_feature(enable = "avxvnni,avx2,fma,f16c")]
    fn compiled<C: Codes>(mut task: Groups<'_, C>) {
        task.walk::<Vectors<Narrow<true>>>();
    }
    // SAFETY: called for `Level::AvxVnni`, which has these features.
    unsafe { compiled(task) }
}

/// One task with AVX2 alone.
pub(crate) fn pairs<C: Codes>(task: Groups<'_, C>) {
    #[target_feature(enable = "avx2,fma,f16c")]
    fn compiled<C: Codes>(mut task: Groups<'_, C>) {
        task.walk::<Vectors<Narrow<false>>>();
    }
    // SAFETY: called for `Level::Avx2` and `Level::Avx512`, which have these features.
    unsafe { compiled(task) }
}

/// Codes of four bits are masked and, where sums have room, not shifted: those of the second half count sixteen times, and its
/// scales a sixteenth.
struct Vectors<L>(PhantomData<L>);

impl<L: Lanes> Tile for Vectors<L> {
    const TALLEST_OF_STREAMS: usize = L::TALLEST_OF_STREAMS;

    #[inline(always)]
    fn tallest(bits: usize) -> usize {
        L::tallest(bits)
    }

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
        let x = task.x.row(row);
        let words = x.words();
        let whole = task.x.groups() * GROUP_BYTES * x.height;
        assert!(x.height >= MR && words.len() + 4 * (x.height - MR) >= whole, "rows of one tile");
        let input = Input { words: words.as_ptr(), height: x.height };
        let prefetch = Prefetch::of_weights();
        // A loop that is unrolled asks for all its inputs first, which pushes the sums of many rows out of the registers.
        let quads = if MR > 3 { black_box(QUADS) } else { QUADS };
        let mut sums = [[[0.0; PANEL]; NP]; MR];
        // SAFETY: called from code compiled for these features; panels and rows have `blocks` blocks.
        unsafe {
            let mut lanes = [[L::V::floats(); NP]; MR];
            // What registers do not hold is in memory between groups: left to itself, the compiler spills sums within a group.
            let all = if MR * NP > L::KEPT { black_box(&mut lanes) } else { &mut lanes };
            for block in 0..blocks {
                half::<L, C, MR, NP, 0>(&ws, input, [block, quads], prefetch, all);
                half::<L, C, MR, NP, 1>(&ws, input, [block, quads], prefetch, all);
            }
            for m in 0..MR {
                for p in 0..NP {
                    L::V::store(lanes[m][p], sums[m][p].as_mut_ptr());
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

/// Where the words of rows are: of each row every `height` words one.
#[derive(Clone, Copy)]
struct Input {
    words: *const u8,
    height: usize,
}

/// Adds the products of one half of a block, in `quads` steps.
///
/// # Safety
/// Panels and rows have more than `block` blocks, `quads` is `QUADS`, and the CPU has the instructions.
#[allow(clippy::needless_range_loop, reason = "indices of several arrays, unrolled")]
#[inline(always)]
unsafe fn half<L: Lanes, C: Codes, const MR: usize, const NP: usize, const HALF: usize>(
    ws: &[*const u8; NP],
    Input { words, height }: Input,
    [block, quads]: [usize; 2],
    prefetch: Prefetch,
    sums: &mut [[<L::V as Sixteen>::Floats; NP]; MR],
) {
    // SAFETY: by the contract.
    unsafe {
        let raised = C::BITS == 4 && HALF == 1 && L::ROOM;
        let start = |start: i32| match C::BITS {
            _ if C::HAS_ZERO => 0,
            8 if !L::ROOM => 0,
            _ if raised => start,
            bits => start >> (8 - bits),
        };
        let scales = words.add((2 * block + HALF) * height * GROUP_BYTES).cast::<f32>();
        let starts = scales.add(height).cast::<i32>();
        let mut codes = starts.add(height);
        let mut whole = [[L::V::ints(0); NP]; MR];
        // Without room, products of four bits are summed in sixteen up to the end of the group.
        let narrow = C::BITS == 4 && !L::ROOM;
        for m in 0..MR {
            let first = if narrow { 0 } else { start(starts.add(m).read_unaligned()) };
            whole[m] = [L::V::ints(first); NP];
        }
        for quad in 0..quads {
            let mut w = [L::V::ints(0); NP];
            for p in 0..NP {
                let block = ws[p].add(block * C::BYTES);
                match C::BITS {
                    // The first half asks for eight of thirteen lines, the second for the five behind them.
                    6 if HALF == 1 && quad <= QUADS / 2 => prefetch.ask(block.add(C::BYTES + quad * QUAD)),
                    6 if HALF == 1 => {}
                    4 if raised => {}
                    _ => prefetch.ask(block.add(C::quad(HALF, quad))),
                }
                w[p] = L::weights::<C>(block, HALF, quad);
            }
            for m in 0..MR {
                let x = L::codes(codes.add(m));
                for p in 0..NP {
                    whole[m][p] = L::dot(whole[m][p], w[p], x, C::BITS);
                }
            }
            codes = codes.add(height);
        }
        if narrow {
            for m in 0..MR {
                let start = start(starts.add(m).read_unaligned());
                for p in 0..NP {
                    whole[m][p] = L::widened(whole[m][p], start);
                }
            }
        }
        for p in 0..NP {
            let grids = ws[p].add(block * C::BYTES + HALF * 2 * PANEL);
            let raise = if raised { 1.0 / 16.0 } else { 1.0 };
            if !C::HAS_ZERO {
                let weights = L::V::times(L::V::scales(grids.cast()), raise);
                for m in 0..MR {
                    sums[m][p] = L::V::add(sums[m][p], whole[m][p], weights, scales.add(m).read_unaligned());
                }
                continue;
            }
            // Raised products count sixteenfold, others are counted as the steps of a zero point are.
            let unit = if raised { UNIT * raise } else { UNIT / ZERO_STEPS as f32 };
            let (weights, zeros) = (L::V::times(L::scales_beside_zeros(grids), unit), L::zeros(grids));
            // A start is -128 times the sum of the codes. Out of memory a number is repeated as it is multiplied.
            let shift = if raised { 6 } else { 7 };
            let sums_of_codes: [i32; MR] = std::array::from_fn(|m| starts.add(m).read_unaligned() >> shift);
            let sums_of_codes = if MR > 3 { black_box(&sums_of_codes) } else { &sums_of_codes };
            for m in 0..MR {
                let group = if raised { whole[m][p] } else { L::eightfold(whole[m][p]) };
                let group = L::V::add_pairs(group, zeros, sums_of_codes[m]);
                sums[m][p] = L::V::add(sums[m][p], group, weights, scales.add(m).read_unaligned());
            }
        }
    }
}
