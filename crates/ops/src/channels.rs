//! What scans share that keep a few numbers for each channel: blocks of channels run side by side, token after token.

use std::ops::Range;

use formwork_tensor::{Context, Tensor};

use crate::recurrent::RecurrentState;

/// Channels of one task.
pub(crate) const BLOCK: usize = 32;

/// Runs `task(sequence, channels, state, y)` for every block of channels, where `state` is `[n, BLOCK]` and `y` `[S, BLOCK]`, zeros at
/// first; lanes beyond the last channel are scratch. The state is `[n, d]` for each sequence, the result `[B, S, d]`.
pub(crate) fn run(
    ctx: &Context,
    [b, s, d]: [usize; 3],
    n: usize,
    state: &mut RecurrentState,
    task: impl Fn(usize, Range<usize>, &mut [f32], &mut [f32]) + Sync,
) -> Tensor {
    let blocks = d.div_ceil(BLOCK);
    let channels = |block: usize| block * BLOCK..(block * BLOCK + BLOCK).min(d);
    // A task owns the numbers of its channels, then its columns of the result.
    let size = (n + s) * BLOCK;
    let mut work = ctx.zeros(&[b * blocks, n + s, BLOCK]);
    for (index, piece) in work.data_mut().chunks_exact_mut(size).enumerate() {
        let (held, range) = (state.sequence(index / blocks), channels(index % blocks));
        for (row, held) in piece.chunks_exact_mut(BLOCK).zip(held.chunks_exact(d)) {
            row[..range.len()].copy_from_slice(&held[range.clone()]);
        }
    }
    ctx.device().threads().chunks(work.data_mut(), size, |index, piece| {
        let (state, y) = piece.split_at_mut(n * BLOCK);
        task(index / blocks, channels(index % blocks), state, y);
    });
    let mut y = ctx.tensor(&[b, s, d]);
    for (index, piece) in work.data().chunks_exact(size).enumerate() {
        let (sequence, range) = (index / blocks, channels(index % blocks));
        let (held, result) = piece.split_at(n * BLOCK);
        let of_state = held.chunks_exact(BLOCK).zip(state.sequence_mut(sequence).chunks_exact_mut(d));
        let of_result = result.chunks_exact(BLOCK).zip(y.data_mut()[sequence * s * d..].chunks_exact_mut(d));
        of_state.chain(of_result).for_each(|(from, to)| to[range.clone()].copy_from_slice(&from[..range.len()]));
    }
    state.advance(s);
    y
}

/// The numbers of a block's channels; lanes beyond the last channel are 0.
#[inline(always)]
pub(crate) fn lanes(of: &[f32]) -> [f32; BLOCK] {
    let mut lanes = [0.0; BLOCK];
    lanes[..of.len()].copy_from_slice(of);
    lanes
}
