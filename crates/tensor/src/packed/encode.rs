//! Numbers become codes: of each group a scale is searched that leaves the least square error.

use std::marker::PhantomData;

use half::f16;

use crate::lanes::Element;
use crate::simd::{Kernel, Simd};

use super::GROUP;
use super::group::{self, CANDIDATES, Codes};

/// Quantises sixteen rows of `d_in` numbers into a panel of zeros. Every SIMD level gives the same codes.
pub(crate) fn pack<C: Codes>(simd: Simd, rows: &[f32], d_in: usize, out: &mut [u8]) {
    simd.run(Pack { rows, d_in, out, codes: PhantomData::<C> });
}

struct Pack<'a, C> {
    rows: &'a [f32],
    d_in: usize,
    out: &'a mut [u8],
    codes: PhantomData<C>,
}

impl<C: Codes> Kernel for Pack<'_, C> {
    type Output = ();

    #[inline(always)]
    fn run<const N: usize, const FMA: bool>(self) {
        let Self { rows, d_in, out, .. } = self;
        group::fill::<C>(out, d_in, |output, group, codes| {
            let start = group * GROUP;
            let mut numbers = [0.0; GROUP];
            let given = &rows[output * d_in + start..][..GROUP.min(d_in - start)];
            numbers[..given.len()].copy_from_slice(given);
            let scale = f16::from_f32(scale::<C>(&numbers));
            let inverse = if scale == f16::ZERO { 0.0 } else { 1.0 / scale.widen() };
            for (code, x) in codes.iter_mut().zip(&numbers) {
                *code = nearest::<C>(x * inverse) as i8;
            }
            scale
        });
    }
}

/// The nearest code, the even one of two.
#[inline(always)]
fn nearest<C: Codes>(x: f32) -> f32 {
    /// Adding 1.5·2^23 and taking it away rounds to the nearest even integer.
    const ROUND: f32 = 12_582_912.0;
    let [least, most] = C::RANGE;
    (x.clamp(least, most) + ROUND) - ROUND
}

/// Of several codes for the number that is largest in size, the scale of the one that leaves the least square error. None may
/// move a number by more than the largest divided by the least code.
#[inline(always)]
fn scale<C: Codes>(group: &[f32; GROUP]) -> f32 {
    let [least, most] = C::RANGE;
    let extreme = group.iter().fold(0.0_f32, |extreme, x| if x.abs() > extreme.abs() { *x } else { extreme });
    let opposite = group.iter().fold(0.0_f32, |opposite, x| opposite.max(x * -extreme.signum()));
    let step = extreme.abs() / -least;
    let mut best = (f32::INFINITY, extreme / least);
    for (error, scale) in candidates::<C>(group, extreme) {
        let near = -least * scale.abs() >= extreme.abs() - step && most * scale.abs() >= opposite - step;
        if near && error < best.0 {
            best = (error, scale);
        }
    }
    best.1
}

/// For each code that the extreme may get: the square error that is left, in units of the extreme's square, and the scale.
///
/// At a scale `s`, numbers are `s (c + r)` for codes `c` and rests `r`. The least squares for these codes are at `s (1 + t)`, where
/// `t` is the sum of `c r` divided by that of `c²`, and leave `s²` times the sum of `r²` less `t` times the sum of `c r`.
#[inline(always)]
fn candidates<C: Codes>(group: &[f32; GROUP], extreme: f32) -> [(f32, f32); CANDIDATES] {
    let inverse = C::EXTREMES.map(|code| code / extreme);
    let [mut squares, mut products, mut rests] = [[0.0_f32; CANDIDATES]; 3];
    for x in group {
        for at in 0..CANDIDATES {
            let exact = x * inverse[at];
            let code = nearest::<C>(exact);
            let rest = exact - code;
            squares[at] += code * code;
            products[at] += code * rest;
            rests[at] += rest * rest;
        }
    }
    std::array::from_fn(|at| {
        let (code, more) = (C::EXTREMES[at], products[at] / squares[at]);
        ((rests[at] - more * products[at]) / (code * code), (1.0 + more) * extreme / code)
    })
}
