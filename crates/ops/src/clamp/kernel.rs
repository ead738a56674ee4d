//! `min(max(x, low), high)`, element by element and in place.

use formwork_tensor::Tensor;

use crate::activation::kernel::{Scalar, map};

struct Clamp {
    low: f32,
    high: f32,
}

impl Scalar for Clamp {
    #[inline(always)]
    fn at<const FMA: bool>(&self, x: f32) -> f32 {
        x.clamp(self.low, self.high)
    }
}

/// `min(max(x, low), high)`, element by element and in place; not a number stays so.
pub fn clamp(x: Tensor, low: f32, high: f32) -> Tensor {
    assert!(low <= high, "clamped between {low} and {high}");
    map(x, &Clamp { low, high })
}
