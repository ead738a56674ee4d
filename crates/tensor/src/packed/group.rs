//! Panels of 8 and 4 bits: for each 32 inputs sixteen scales, then the codes, four inputs of every output together.
//!
//! Codes are stored without sign, `offset` too large; a product starts at `-offset` times the sum of the input's codes. Sums
//! within a group are exact integers, so that all instruction sets agree on them.

use std::marker::PhantomData;

use half::f16;

use crate::lanes::{Element, mul_add};
use crate::matmul::Product;
use crate::simd::{Kernel, Simd, prefetch};

use super::blocks::{Block, Outputs, STREAMS};
use super::quantise::{InputGroup, Quantised};
use super::{GROUP, PANEL};

/// Bytes of the sixteen scales of a group.
pub(crate) const SCALES: usize = 2 * PANEL;
/// Four inputs of sixteen outputs.
const QUAD: usize = 4 * PANEL;
/// Quads of a group.
pub(crate) const QUADS: usize = GROUP / 4;
/// Bytes that are fetched ahead of a stream.
pub(crate) const AHEAD: usize = 2048;

/// How the codes of a group are stored.
pub(crate) trait Codes: Copy + Send + Sync + 'static {
    /// Bytes of a group of a panel.
    const BYTES: usize;
    /// What is added to a code before it is stored.
    const OFFSET: i32;
    /// The smallest and the largest code.
    const RANGE: [f32; 2];
    /// The scale at which a group's codes fill the range.
    fn scale(group: &[f32]) -> f32;
    /// Stores the code of an input of an output.
    fn put(block: &mut [u8], output: usize, input: usize, code: u8);
    /// The stored code.
    fn get(block: &[u8], output: usize, input: usize) -> u8;
    /// The codes of a quad, each in its byte.
    #[cfg(target_arch = "x86_64")]
    fn quad(block: &[u8], quad: usize) -> std::arch::x86_64::__m512i;
}

/// 8 bits, -127 to 127.
#[derive(Clone, Copy)]
pub(crate) struct Eight;

/// 4 bits, -8 to 7.
#[derive(Clone, Copy)]
pub(crate) struct Four;

impl Codes for Eight {
    const BYTES: usize = SCALES + PANEL * GROUP;
    const OFFSET: i32 = 128;
    const RANGE: [f32; 2] = [-127.0, 127.0];

    fn scale(group: &[f32]) -> f32 {
        group.iter().fold(0.0_f32, |largest, x| largest.max(x.abs())) / 127.0
    }

    fn put(block: &mut [u8], output: usize, input: usize, code: u8) {
        block[SCALES + input / 4 * QUAD + output * 4 + input % 4] = code;
    }

    #[inline(always)]
    fn get(block: &[u8], output: usize, input: usize) -> u8 {
        block[SCALES + input / 4 * QUAD + output * 4 + input % 4]
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn quad(block: &[u8], quad: usize) -> std::arch::x86_64::__m512i {
        super::vnni::load(block, SCALES + quad * QUAD)
    }
}

impl Codes for Four {
    const BYTES: usize = SCALES + PANEL * GROUP / 2;
    const OFFSET: i32 = 8;
    const RANGE: [f32; 2] = [-8.0, 7.0];

    /// The number that is largest in size gets the code -8.
    fn scale(group: &[f32]) -> f32 {
        let extreme = group.iter().fold(0.0_f32, |extreme, x| if x.abs() > extreme.abs() { *x } else { extreme });
        extreme / -8.0
    }

    fn put(block: &mut [u8], output: usize, input: usize, code: u8) {
        let quad = input / 4;
        let at = SCALES + quad % (QUADS / 2) * QUAD + output * 4 + input % 4;
        block[at] |= code << (quad / (QUADS / 2) * 4);
    }

    #[inline(always)]
    fn get(block: &[u8], output: usize, input: usize) -> u8 {
        let quad = input / 4;
        let byte = block[SCALES + quad % (QUADS / 2) * QUAD + output * 4 + input % 4];
        byte >> (quad / (QUADS / 2) * 4) & 15
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn quad(block: &[u8], quad: usize) -> std::arch::x86_64::__m512i {
        super::vnni::load_nibbles(block, SCALES + quad % (QUADS / 2) * QUAD, quad >= QUADS / 2)
    }
}

/// Quantises sixteen rows of `d_in` numbers.
pub(crate) fn pack<C: Codes>(rows: &[f32], d_in: usize, out: &mut [u8]) {
    for (group, block) in out.chunks_exact_mut(C::BYTES).enumerate() {
        let start = group * GROUP;
        for output in 0..PANEL {
            let mut numbers = [0.0; GROUP];
            let given = &rows[output * d_in + start..][..GROUP.min(d_in - start)];
            numbers[..given.len()].copy_from_slice(given);
            let scale = f16::from_f32(C::scale(&numbers));
            block[2 * output..2 * output + 2].copy_from_slice(&scale.to_le_bytes());
            let scale = scale.widen();
            let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
            for (input, x) in numbers.iter().enumerate() {
                let [least, most] = C::RANGE;
                let code = (x * inverse).round().clamp(least, most);
                C::put(block, output, input, (code + C::OFFSET as f32) as u8);
            }
        }
    }
}

/// Stores codes that are given with their scales: `group(output, group, codes)`.
pub(crate) fn fill<C: Codes>(out: &mut [u8], given: impl Fn(usize, usize, &mut [i8; GROUP]) -> f16) {
    for (group, block) in out.chunks_exact_mut(C::BYTES).enumerate() {
        for output in 0..PANEL {
            let mut codes = [0; GROUP];
            let scale = given(output, group, &mut codes);
            block[2 * output..2 * output + 2].copy_from_slice(&scale.to_le_bytes());
            for (input, code) in codes.iter().enumerate() {
                C::put(block, output, input, (i32::from(*code) + C::OFFSET) as u8);
            }
        }
    }
}

/// The codes of a group of an output of a panel, and their scale.
pub(crate) fn codes<C: Codes>(panel: &[u8], output: usize, group: usize, codes: &mut [i8; GROUP]) -> f16 {
    let block = &panel[group * C::BYTES..][..C::BYTES];
    for (input, code) in codes.iter_mut().enumerate() {
        *code = (i32::from(C::get(block, output, input)) - C::OFFSET) as i8;
    }
    f16::from_le_bytes([block[2 * output], block[2 * output + 1]])
}

/// The number of an input of an output of a panel.
pub(crate) fn at<C: Codes>(panel: &[u8], output: usize, input: usize) -> f32 {
    let block = &panel[input / GROUP * C::BYTES..][..C::BYTES];
    scale::<C>(block, output) * (i32::from(C::get(block, output, input % GROUP)) - C::OFFSET) as f32
}

#[inline(always)]
fn scale<C: Codes>(block: &[u8], output: usize) -> f32 {
    f16::from_le_bytes([block[2 * output], block[2 * output + 1]]).widen()
}

/// One task.
pub(crate) struct Groups<'a, C> {
    product: &'a Product<'a>,
    panels: &'a [u8],
    x: &'a Quantised<'a>,
    block: Block,
    out: Outputs<'a>,
    codes: PhantomData<C>,
}

impl<'a, C: Codes> Groups<'a, C> {
    pub(crate) fn new(
        product: &'a Product<'a>,
        panels: &'a [u8],
        x: &'a Quantised<'a>,
        block: Block,
        out: Outputs<'a>,
    ) -> Self {
        Self { product, panels, x, block, out, codes: PhantomData }
    }

    pub(crate) fn run(self, simd: Simd) {
        #[cfg(target_arch = "x86_64")]
        if simd == Simd::Vnni {
            return super::vnni::run(self);
        }
        simd.run(self);
    }

    /// Walks the tiles of the task: `tile(self, first row, rows, panels)`.
    #[inline(always)]
    pub(crate) fn walk(
        mut self,
        few: impl Fn(&mut Self, usize, [usize; STREAMS]),
        many: impl Fn(&mut Self, usize, usize, [usize; 2]),
    ) {
        let rows = self.product.rows;
        let block = self.block.clone();
        if block.streams == STREAMS {
            for at in block.range.clone() {
                let panels = std::array::from_fn(|stream| block.panel(at, stream));
                (0..rows).for_each(|row| few(&mut self, row, panels));
            }
            return;
        }
        for at in block.range.clone().step_by(2) {
            // The second of a pair behind the end has no outputs of this task.
            let second = if at + 1 < block.range.end { at + 1 } else { usize::MAX / PANEL };
            let mut row = 0;
            while row < rows {
                let count = if rows - row >= 6 { 6 } else { 1 };
                many(&mut self, row, count, [at, second]);
                row += count;
            }
        }
    }

    /// The weights of a panel; those of the first stand in for a panel that is not there.
    #[inline(always)]
    pub(crate) fn panel(&self, panel: usize) -> &'a [u8] {
        let bytes = self.product.d_in.div_ceil(GROUP) * C::BYTES;
        let panel = if panel < self.product.d_out.div_ceil(PANEL) { panel } else { 0 };
        &self.panels[panel * bytes..][..bytes]
    }

    #[inline(always)]
    pub(crate) fn input(&self, row: usize, group: usize) -> InputGroup<'a> {
        self.x.group(row, group)
    }

    #[inline(always)]
    pub(crate) fn groups(&self) -> usize {
        self.product.d_in.div_ceil(GROUP)
    }

    #[inline(always)]
    pub(crate) fn put(&mut self, row: usize, panel: usize, sums: &[f32; PANEL]) {
        let start = panel.saturating_mul(PANEL);
        let y = self.out.panel(row, panel);
        if !y.is_empty() {
            self.product.put(y, sums, start);
        }
    }

    /// One row by `NP` panels in plain Rust.
    #[inline(always)]
    fn tile<const NP: usize, const FMA: bool>(&mut self, row: usize, panels: [usize; NP]) {
        let mut sums = [[0.0; PANEL]; NP];
        for group in 0..self.groups() {
            let x = self.input(row, group);
            for p in 0..NP {
                let panel = self.panel(panels[p]);
                prefetch(panel, group * C::BYTES + AHEAD);
                let block = &panel[group * C::BYTES..][..C::BYTES];
                let mut whole = [-C::OFFSET * x.sum; PANEL];
                for input in 0..GROUP {
                    let code = i32::from(x.codes[input].cast_signed());
                    for (output, whole) in whole.iter_mut().enumerate() {
                        *whole += i32::from(C::get(block, output, input)) * code;
                    }
                }
                for output in 0..PANEL {
                    let factor = scale::<C>(block, output) * x.scale;
                    sums[p][output] = mul_add::<FMA>(whole[output] as f32, factor, sums[p][output]);
                }
            }
        }
        for p in 0..NP {
            self.put(row, panels[p], &sums[p]);
        }
    }
}

impl<C: Codes> Kernel for Groups<'_, C> {
    type Output = ();

    #[inline(always)]
    fn run<const N: usize, const FMA: bool>(self) {
        self.walk(
            |it, row, panels| it.tile::<STREAMS, FMA>(row, panels),
            |it, first, count, panels| (first..first + count).for_each(|row| it.tile::<2, FMA>(row, panels)),
        );
    }
}
