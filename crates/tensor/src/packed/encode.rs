//! Numbers become codes: of each group a grid is searched that leaves the least square error.

use std::array::from_fn;
use std::marker::PhantomData;

use half::f16;

use crate::simd::{Kernel, Simd};

use super::group::{BLOCK, Codes, Eight, Four, FourZero, Six, ZERO_STEPS, put_grid};
use super::{GROUP, PANEL, zeros};

/// One number of each output of a panel.
pub(crate) type Lanes = [f32; PANEL];

/// Codes of numbers.
pub(crate) trait Encode: Codes {
    /// The grids of the groups of sixteen outputs.
    fn search(group: &[Lanes; GROUP]) -> [u16; PANEL];
}

impl Encode for Eight {
    #[inline(always)]
    fn search(group: &[Lanes; GROUP]) -> [u16; PANEL] {
        scales::<Self>(group, [-120.0, -121.0, -122.0, -123.0, -124.0, -125.0, -126.0, -127.0])
    }
}

impl Encode for Six {
    #[inline(always)]
    fn search(group: &[Lanes; GROUP]) -> [u16; PANEL] {
        scales::<Self>(group, [-29.0, -30.0, -30.5, -31.0, -31.5, -32.0, -32.5, -33.0])
    }
}

impl Encode for Four {
    #[inline(always)]
    fn search(group: &[Lanes; GROUP]) -> [u16; PANEL] {
        scales::<Self>(group, [-7.0, -7.6, -8.0, -8.3, -8.6, -9.0, -9.5, -10.0])
    }
}

impl Encode for FourZero {
    #[inline(always)]
    fn search(group: &[Lanes; GROUP]) -> [u16; PANEL] {
        zeros::grids::<Self>(group)
    }
}

/// Quantises sixteen rows of `d_in` numbers into a panel of zeros. Every SIMD level gives the same codes.
pub(crate) fn pack<C: Encode>(simd: Simd, rows: &[f32], d_in: usize, out: &mut [u8]) {
    simd.run(Pack { rows, d_in, out, codes: PhantomData::<C> });
}

struct Pack<'a, C> {
    rows: &'a [f32],
    d_in: usize,
    out: &'a mut [u8],
    codes: PhantomData<C>,
}

impl<C: Encode> Kernel for Pack<'_, C> {
    type Output = ();

    #[inline(always)]
    fn run<const N: usize, const FMA: bool>(self) {
        for (at, block) in self.out.chunks_exact_mut(C::BYTES).enumerate() {
            for half in 0..BLOCK / GROUP {
                let start = (at * BLOCK + half * GROUP).min(self.d_in);
                let width = GROUP.min(self.d_in - start);
                let mut group = [[0.0; PANEL]; GROUP];
                for (output, row) in self.rows.chunks_exact(self.d_in).enumerate() {
                    group.iter_mut().zip(&row[start..start + width]).for_each(|(lanes, x)| lanes[output] = *x);
                }
                put::<C>(block, half, &group);
            }
        }
    }
}

/// Stores the group of each output in one half of a block.
#[inline(always)]
fn put<C: Encode>(block: &mut [u8], half: usize, group: &[Lanes; GROUP]) {
    let bits = C::search(group);
    let grids = bits.map(C::grid);
    let inverse: Lanes = grids.map(|grid| if grid.scale == 0.0 { 0.0 } else { 1.0 / grid.scale });
    let zeros: Lanes = grids.map(|grid| grid.zero as f32 / ZERO_STEPS as f32);
    bits.into_iter().enumerate().for_each(|(output, bits)| put_grid(block, output, half, bits));
    for (input, x) in group.iter().enumerate() {
        let code = |lane: usize| nearest::<C>(x[lane] * inverse[lane] + zeros[lane]);
        let codes: [i32; PANEL] = from_fn(|lane| code(lane) as i32 + C::OFFSET);
        for (output, code) in codes.into_iter().enumerate() {
            C::put(block, output, half * GROUP + input, code as u8);
        }
    }
}

/// The nearest code, the even one of two.
#[inline(always)]
pub(crate) fn nearest<C: Codes>(x: f32) -> f32 {
    /// Adding 1.5·2^23 and taking it away rounds to the nearest even integer.
    const ROUND: f32 = 12_582_912.0;
    let [least, most] = C::RANGE;
    (x.clamp(least, most) + ROUND) - ROUND
}

/// The largest and the smallest numbers of groups, and zero.
#[inline(always)]
pub(crate) fn ends(group: &[Lanes; GROUP]) -> [Lanes; 2] {
    let [mut high, mut low] = [[0.0_f32; PANEL]; 2];
    for x in group {
        for lane in 0..PANEL {
            high[lane] = if x[lane] > high[lane] { x[lane] } else { high[lane] };
            low[lane] = if x[lane] < low[lane] { x[lane] } else { low[lane] };
        }
    }
    [high, low]
}

/// Of several codes for the number that is largest in size, the scale of the one that leaves the least square error: below the
/// least code it is cut off, and the others are finer. None may move a number by more than the largest divided by the least code.
#[inline(always)]
fn scales<C: Codes>(group: &[Lanes; GROUP], extremes: [f32; 8]) -> [u16; PANEL] {
    let [least, most] = C::RANGE;
    let [high, low] = ends(group);
    let extreme: Lanes = from_fn(|lane| if high[lane] > -low[lane] { high[lane] } else { low[lane] });
    let opposite: Lanes = from_fn(|lane| high[lane].min(-low[lane]));
    let [mut scales, mut errors] = [extreme.map(|x| x / least), [f32::INFINITY; PANEL]];
    for code in extremes {
        let found = refit::<C>(group, &extreme, code);
        for lane in 0..PANEL {
            let (error, scale) = (found[0][lane], found[1][lane]);
            let (size, step) = (scale.abs(), extreme[lane].abs() / -least);
            let near = (-least * size >= extreme[lane].abs() - step) & (most * size >= opposite[lane] - step);
            let better = near & (error < errors[lane]);
            errors[lane] = if better { error } else { errors[lane] };
            scales[lane] = if better { scale } else { scales[lane] };
        }
    }
    scales.map(|scale| f16::from_f32(scale).to_bits())
}

/// With a code for the number that is largest in size: the square error that is left, in units of that number's square, and
/// the scale.
///
/// At a scale `s`, numbers are `s (c + r)` for codes `c` and rests `r`. The least squares for these codes are at `s (1 + t)`, where
/// `t` is the sum of `c r` divided by that of `c²`, and leave `s²` times the sum of `r²` less `t` times the sum of `c r`.
#[inline(always)]
fn refit<C: Codes>(group: &[Lanes; GROUP], extreme: &Lanes, code: f32) -> [Lanes; 2] {
    let inverse: Lanes = extreme.map(|extreme| code / extreme);
    let [mut squares, mut products, mut rests] = [[0.0_f32; PANEL]; 3];
    for x in group {
        for lane in 0..PANEL {
            let exact = x[lane] * inverse[lane];
            let code = nearest::<C>(exact);
            let rest = exact - code;
            squares[lane] += code * code;
            products[lane] += code * rest;
            rests[lane] += rest * rest;
        }
    }
    let more: Lanes = from_fn(|lane| products[lane] / squares[lane]);
    let error = from_fn(|lane| (rests[lane] - more[lane] * products[lane]) / (code * code));
    [error, from_fn(|lane| (1.0 + more[lane]) * extreme[lane] / code)]
}
