//! Grids with a zero point for groups of numbers: a scale and a zero point that leave the least square error together.

use std::array::from_fn;

use super::encode::{Lanes, ends, nearest};
use super::group::{Codes, ZERO_BITS, ZERO_STEPS, scale_below, scale_of};
use super::{GROUP, PANEL};

/// Shares of a group's largest number, and of its smallest, that the last codes may stand for: what lies beyond is cut off, and
/// all else is finer.
const SHARES: [f32; 4] = [1.02, 0.95, 0.88, 0.81];
/// The scales of grids that are tried, in steps from the one below the best scale.
const NEAR: [i32; 4] = [-1, 0, 1, 2];
/// No number may move by more than this share of the group's largest in size.
const FARTHEST: f32 = 1.0 / 8.0;
/// The bits of the largest scale.
const LARGEST: i32 = 0x1ef;

/// A line through codes and their numbers: `x = scale · code + offset`.
#[derive(Clone, Copy)]
struct Lines {
    scale: Lanes,
    offset: Lanes,
}

/// The grids of groups.
#[inline(always)]
pub(crate) fn grids<C: Codes>(group: &[Lanes; GROUP]) -> [u16; PANEL] {
    let [high, low] = ends(group);
    let mean: Lanes = from_fn(|lane| group.iter().map(|x| x[lane]).sum::<f32>() / GROUP as f32);
    let best = best_lines::<C>(group, [&high, &low], &mean);
    // The line through both ends cuts nothing off, and neither does the first scale that is not below it.
    let [least, most] = C::RANGE;
    let scale: Lanes = from_fn(|lane| (high[lane] - low[lane]) / (most - least));
    let whole = Lines { scale, offset: from_fn(|lane| low[lane] - scale[lane] * least) };
    let mut found = near::<C>(group, &whole, &mean, 1);
    let allowed: Lanes = from_fn(|lane| high[lane].max(-low[lane]) * FARTHEST);
    for step in NEAR {
        let other = near::<C>(group, &best, &mean, step);
        for (lane, allowed) in allowed.iter().enumerate() {
            let better = (other.farthest[lane] <= *allowed) & (other.error[lane] < found.error[lane]);
            found.bits[lane] = if better { other.bits[lane] } else { found.bits[lane] };
            found.error[lane] = if better { other.error[lane] } else { found.error[lane] };
        }
    }
    found.bits
}

/// Of lines that cut off more or less at either end, refitted to their codes by least squares, those that leave the least error.
#[inline(always)]
fn best_lines<C: Codes>(group: &[Lanes; GROUP], [high, low]: [&Lanes; 2], mean: &Lanes) -> Lines {
    let [least, most] = C::RANGE;
    let mut best = Lines { scale: [0.0; PANEL], offset: *mean };
    let mut gains: Lanes = [0.0; PANEL];
    for (above, below) in SHARES.into_iter().flat_map(|above| SHARES.map(|below| (above, below))) {
        let scale: Lanes = from_fn(|lane| (above * high[lane] - below * low[lane]) / (most - least));
        let inverse = scale.map(|scale| 1.0 / scale);
        let start: Lanes = from_fn(|lane| least - below * low[lane] * inverse[lane]);
        let [mut codes, mut squares, mut products] = [[0.0_f32; PANEL]; 3];
        for x in group {
            for lane in 0..PANEL {
                let code = nearest::<C>(x[lane] * inverse[lane] + start[lane]);
                codes[lane] += code;
                squares[lane] += code * code;
                products[lane] += code * (x[lane] - mean[lane]);
            }
        }
        for lane in 0..PANEL {
            // The line of least squares takes the square of the covariance over the codes' variance away from the error.
            let code = codes[lane] / GROUP as f32;
            let fitted = products[lane] / (squares[lane] - codes[lane] * code);
            let gain = products[lane] * fitted;
            let better = gain > gains[lane];
            gains[lane] = if better { gain } else { gains[lane] };
            best.scale[lane] = if better { fitted } else { best.scale[lane] };
            best.offset[lane] = if better { mean[lane] - fitted * code } else { best.offset[lane] };
        }
    }
    best
}

/// Grids, and what they leave.
struct Tried {
    bits: [u16; PANEL],
    error: Lanes,
    farthest: Lanes,
}

/// The grids that keep the means of lines, with a scale some steps above the one below theirs.
#[inline(always)]
fn near<C: Codes>(group: &[Lanes; GROUP], lines: &Lines, mean: &Lanes, steps: i32) -> Tried {
    let bits: [u16; PANEL] = from_fn(|lane| {
        let scale = scale_below(lines.scale[lane]);
        let bits = if scale > 0 { (scale + steps).clamp(1, LARGEST) as u16 } else { 0 };
        let of_mean = (mean[lane] - lines.offset[lane]) / lines.scale[lane];
        let zero = ZERO_STEPS as f32 * (of_mean - mean[lane] / scale_of(bits));
        let [least, most] = [0, (1 << ZERO_BITS) - 1];
        let zero = (zero.round_ties_even() as i32 + ZERO_STEPS * C::OFFSET).clamp(least, most);
        bits << ZERO_BITS | zero as u16
    });
    let grids = bits.map(C::grid);
    let inverse = grids.map(|grid| 1.0 / grid.scale);
    let zero = grids.map(|grid| grid.zero as f32 / ZERO_STEPS as f32);
    let [mut error, mut farthest] = [[0.0_f32; PANEL]; 2];
    for x in group {
        for lane in 0..PANEL {
            let code = nearest::<C>(x[lane] * inverse[lane] + zero[lane]);
            let rest = (code - zero[lane]) * grids[lane].scale - x[lane];
            error[lane] += rest * rest;
            farthest[lane] = farthest[lane].max(rest.abs());
        }
    }
    Tried { bits, error, farthest }
}
