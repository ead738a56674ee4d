//! Floats to whole numbers of sixteen bits, the largest 32767.

use super::GROUP;
use crate::lanes::mul_add;

/// 1.5 · 2^23: adding it rounds to a whole number, which the lower bits hold.
const MAGIC: f32 = 12_582_912.0;

/// What the largest number becomes.
const MOST: f32 = 32767.0;

/// The bits of a number without its sign. They are in the order of sizes, with what is not finite at the end.
#[inline(always)]
fn size(x: f32) -> i32 {
    (x.to_bits() & 0x7fff_ffff) as i32
}

/// The step between whole numbers where the largest size is this, and its inverse. What is not finite makes the step not a number;
/// numbers too small to divide by count as zeros.
#[inline(always)]
fn step(largest: i32) -> [f32; 2] {
    let largest = f32::from_bits(largest as u32);
    let inverse = MOST / largest;
    match (largest.is_finite(), inverse.is_finite()) {
        (false, _) => [f32::NAN, 0.0],
        (true, true) => [largest / MOST, inverse],
        (true, false) => [0.0, 0.0],
    }
}

#[inline(always)]
fn round<const FMA: bool>(x: f32, inverse: f32) -> i16 {
    mul_add::<FMA>(x, inverse, MAGIC).to_bits() as i16
}

/// Rounds products of weights and scales relative to the largest of them, and returns the step: a product is about `step · out`.
#[inline(always)]
pub fn round_products<const FMA: bool>(weights: &[f32], scales: &[f32], out: &mut [i16]) -> f32 {
    let products = || weights.iter().zip(scales).map(|(weight, scale)| weight * scale);
    let [step, inverse] = step(products().map(size).fold(0, i32::max));
    out.iter_mut().zip(products()).for_each(|(out, product)| *out = round::<FMA>(product, inverse));
    step
}

/// Rows rounded by groups, relative to the largest number of each.
pub struct Rounded {
    /// Pairs `[width.div_ceil(2), rows]`, the first number in the lower half.
    pub(super) words: Vec<i32>,
    /// The steps `[width.div_ceil(GROUP), rows]`.
    pub(super) scales: Vec<f32>,
    pub(super) rows: usize,
    pub(super) width: usize,
}

impl Rounded {
    /// Of rows of `width` numbers.
    pub fn new<'a>(rows: impl ExactSizeIterator<Item = &'a [f32]>, width: usize) -> Self {
        let count = rows.len();
        let (mut words, mut scales) = (vec![0; width.div_ceil(2) * count], vec![0.0; width.div_ceil(GROUP) * count]);
        for (row, numbers) in rows.enumerate() {
            assert_eq!(numbers.len(), width, "a row of another width");
            for (group, numbers) in numbers.chunks(GROUP).enumerate() {
                let [step, inverse] = step(numbers.iter().map(|x| size(*x)).fold(0, i32::max));
                scales[group * count + row] = step;
                for (pair, numbers) in numbers.chunks(2).enumerate() {
                    let code = |at: usize| numbers.get(at).map_or(0, |x| round::<false>(*x, inverse));
                    let word = i32::from(code(1)) << 16 | i32::from(code(0) as u16);
                    words[(group * GROUP / 2 + pair) * count + row] = word;
                }
            }
        }
        Self { words, scales, rows: count, width }
    }
}
