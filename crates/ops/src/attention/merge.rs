//! Joining what the blocks of keys gave, in the order of their slots.

use formwork_tensor::Kernel;
use formwork_tensor::lanes::{exp, mul_add};

/// Adds the parts of `blocks` blocks, `apart` floats from one to the next, to the totals of the blocks before. Both hold for each
/// query `d` weighted sums, the largest score and the sum of weights.
pub(crate) struct Merge<'a> {
    pub(crate) totals: &'a mut [f32],
    pub(crate) parts: &'a [f32],
    pub(crate) d: usize,
    pub(crate) apart: usize,
    pub(crate) blocks: usize,
}

impl Kernel for Merge<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const N: usize, const FMA: bool>(self) {
        let each = self.d + 2;
        for block in 0..self.blocks {
            let parts = &self.parts[block * self.apart..][..self.totals.len()];
            for (total, part) in self.totals.chunks_exact_mut(each).zip(parts.chunks_exact(each)) {
                add::<FMA>(total, part);
            }
        }
    }
}

/// Adds one query's part of a block to its totals.
#[inline(always)]
fn add<const FMA: bool>(total: &mut [f32], part: &[f32]) {
    let d = total.len() - 2;
    if part[d] == f32::NEG_INFINITY {
        return;
    }
    // The larger of the two keeps its weights: `e^0` is one.
    let fallen = exp::<FMA>(-(part[d] - total[d]).abs());
    let rises = part[d] > total[d] || part[d].is_nan();
    let (max, old, new) = if rises { (part[d], fallen, 1.0) } else { (total[d], 1.0, fallen) };
    total[d + 1] = mul_add::<FMA>(total[d + 1], old, part[d + 1] * new);
    total[d] = max;
    for (total, part) in total[..d].iter_mut().zip(part) {
        *total = mul_add::<FMA>(*total, old, part * new);
    }
}

/// The mean of one query: its totals divided by the sum of weights, to which a sink adds.
pub(crate) struct Finish<'a> {
    pub(crate) totals: &'a [f32],
    pub(crate) sink: Option<f32>,
    pub(crate) y: &'a mut [f32],
}

impl Kernel for Finish<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const N: usize, const FMA: bool>(self) {
        let d = self.y.len();
        let (max, weights) = (self.totals[d], self.totals[d + 1]);
        if max == f32::NEG_INFINITY {
            return self.y.fill(0.0);
        }
        let top = self.sink.map_or(max, |sink| max.max(sink));
        let factor = exp::<FMA>(max - top);
        let sink = self.sink.map_or(0.0, |sink| exp::<FMA>(sink - top));
        let inverse = factor / mul_add::<FMA>(weights, factor, sink);
        self.y.iter_mut().zip(self.totals).for_each(|(y, total)| *y = total * inverse);
    }
}
