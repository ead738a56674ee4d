//! Layer normalisation over the last axis: `y = (x - mean) / sqrt(var + eps) · w + b`.

use formwork_tensor::{Context, Kernel, Norm, Normed, Simd, Tensor};

/// The weight `[d]` or `[heads, d]` and bias `[d]` (none: 1 and 0) and `eps`.
#[derive(Clone)]
pub struct LayerNorm {
    weight: Option<Vec<f32>>,
    bias: Option<Vec<f32>>,
    eps: f32,
}

impl LayerNorm {
    /// With a weight and an optional bias.
    pub fn new(weight: Vec<f32>, bias: Option<Vec<f32>>, eps: f32) -> Self {
        Self {
            weight: Some(weight),
            bias,
            eps,
        }
    }

    /// Multiplies by `1 + weight`.
    pub fn plus_one(weight: Vec<f32>, bias: Option<Vec<f32>>, eps: f32) -> Self {
        Self::new(weight.into_iter().map(|w| 1.0 + w).collect(), bias, eps)
    }

    /// Has neither weight nor bias.
    pub fn unweighted(eps: f32) -> Self {
        Self {
            weight: None,
            bias: None,
            eps,
        }
    }

    /// `[.., d]` to `[.., d]`.
    pub fn forward(&self, ctx: &Context, x: &Tensor) -> Tensor {
        let mut y = ctx.tensor(x.shape());
        self.deferred(x).write(&mut y);
        y
    }

    /// `[.., d]`, whose rows the products that read them normalise.
    pub fn deferred<'a>(&'a self, x: &'a Tensor) -> Normed<'a> {
        let d = x.dims().width();
        assert!(self.weight.as_ref().is_none_or(|weight| weight.len().is_multiple_of(d)), "layer_norm of another width");
        assert!(self.bias.as_ref().is_none_or(|bias| bias.len() == d), "layer_norm of another width");
        Normed::new(x, self)
    }
}

impl Norm for LayerNorm {
    fn normalise(&self, simd: Simd, first: usize, width: usize, x: &[f32], y: &mut [f32]) {
        simd.run(Rows { x, y, first, d: width, norm: self });
    }
}

/// `(x - mean) / sqrt(var + eps)`, without weight and bias.
pub fn layer_normalize(ctx: &Context, x: &Tensor, eps: f32) -> Tensor {
    LayerNorm::unweighted(eps).forward(ctx, x)
}

struct Rows<'a> {
    x: &'a [f32],
    y: &'a mut [f32],
    first: usize,
    d: usize,
    norm: &'a LayerNorm,
}

impl Kernel for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const N: usize, const FMA: bool>(self) {
        let norm = self.norm;
        let rows = self.x.chunks_exact(self.d);
        let rows = rows.zip(self.y.chunks_exact_mut(self.d));
        for (row, (x, y)) in (self.first..).zip(rows) {
            let mean = total::<N>(x, |x| x) / self.d as f32;
            let variance = total::<N>(x, |x| (x - mean) * (x - mean)) / self.d as f32;
            let scale = 1.0 / (variance + norm.eps).sqrt();
            y.iter_mut()
                .zip(x)
                .for_each(|(y, x)| *y = (x - mean) * scale);
            if let Some(weight) = &norm.weight {
                let weight = &weight[row * self.d % weight.len()..][..self.d];
                y.iter_mut().zip(weight).for_each(|(y, w)| *y *= w);
            }
            if let Some(bias) = &norm.bias {
                y.iter_mut().zip(bias).for_each(|(y, b)| *y += b);
            }
        }
    }
}

/// `Σ f(x)` over lanes.
#[inline(always)]
fn total<const N: usize>(x: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [0.0; N];
    let blocks = x.chunks_exact(N);
    let tail: f32 = blocks.remainder().iter().map(|&x| f(x)).sum();
    for block in blocks {
        sums.iter_mut()
            .zip(block)
            .for_each(|(sum, &x)| *sum += f(x));
    }
    formwork_tensor::lanes::sum(sums) + tail
}
