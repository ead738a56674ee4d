//! Soft-capping: `c · tanh(x / c)`.

use formwork_tensor::Tensor;
use formwork_tensor::lanes::tanh;

use super::kernel::{Scalar, map};

struct Cap(f32);

impl Scalar for Cap {
    #[inline(always)]
    fn at<const FMA: bool>(&self, x: f32) -> f32 {
        self.0 * tanh::<FMA>(x / self.0)
    }
}

/// `c · tanh(x / c)`, element by element and in place.
pub fn softcap(x: Tensor, c: f32) -> Tensor {
    map(x, &Cap(c))
}
