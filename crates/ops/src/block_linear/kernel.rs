//! A linear map for each head.

use formwork_tensor::{Context, Kernel, Tensor};

use crate::decayed::add_product;

/// Weights `[H, d, d]`, inputs first, and biases `[H, d]`.
#[derive(Clone)]
pub struct BlockLinear {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl BlockLinear {
    /// From `weight` `[H, d, d]` and `bias` `[H, d]`.
    pub fn new(weight: Vec<f32>, bias: Vec<f32>) -> Self {
        Self { weight, bias }
    }

    /// `[B, S, H, d]` to `[B, S, H, d]`.
    pub fn forward(&self, ctx: &Context, x: &Tensor) -> Tensor {
        let [_, _, heads, d] = x.axes("block_linear");
        let mut y = ctx.tensor(x.shape());
        let simd = ctx.device().simd();
        ctx.device().threads().rows(y.data_mut(), heads * d, |first, rows| {
            let x = &x.data()[first * heads * d..][..rows.len()];
            simd.run(Rows { layer: self, x, y: rows, d });
        });
        y
    }
}

struct Rows<'a> {
    layer: &'a BlockLinear,
    x: &'a [f32],
    y: &'a mut [f32],
    d: usize,
}

impl Kernel for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const N: usize, const FMA: bool>(self) {
        let d = self.d;
        let width = self.layer.bias.len();
        for (x, y) in self.x.chunks_exact(width).zip(self.y.chunks_exact_mut(width)) {
            y.copy_from_slice(&self.layer.bias);
            let heads = x.chunks_exact(d).zip(y.chunks_exact_mut(d)).zip(self.layer.weight.chunks_exact(d * d));
            for ((x, y), weight) in heads {
                add_product::<N, FMA>(y, x, weight, [1, d, d]);
            }
        }
    }
}
