//! Root-mean-square normalisation over the last axis: `y = x / sqrt(mean(x²) + eps) · w`.

use formwork_tensor::lanes::{accumulate, load, load_tail, sum};
use formwork_tensor::{Context, Kernel, Norm, Normed, Simd, Tensor};

/// The weight `[d]` (none: 1), the number of equal parts that have a mean each, and `eps`.
#[derive(Clone)]
pub struct RmsNorm {
    weight: Option<Vec<f32>>,
    groups: usize,
    eps: f32,
}

impl RmsNorm {
    /// Multiplies by `weight`.
    pub fn new(weight: Vec<f32>, eps: f32) -> Self {
        Self::grouped(weight, 1, eps)
    }

    /// Multiplies by `weight`; each of `groups` equal parts has a mean of its own.
    pub fn grouped(weight: Vec<f32>, groups: usize, eps: f32) -> Self {
        assert!(groups > 0 && weight.len().is_multiple_of(groups), "rms_norm of {} features in {groups} groups", weight.len());
        Self { weight: Some(weight), groups, eps }
    }

    /// Multiplies by `1 + weight`.
    pub fn plus_one(weight: Vec<f32>, eps: f32) -> Self {
        Self::new(weight.into_iter().map(|w| 1.0 + w).collect(), eps)
    }

    /// Has no weight.
    pub fn unweighted(eps: f32) -> Self {
        Self { weight: None, groups: 1, eps }
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
        assert!(self.weight.as_ref().is_none_or(|weight| weight.len() == d), "rms_norm of another width");
        Normed::new(x, self)
    }
}

impl Norm for RmsNorm {
    fn normalise(&self, simd: Simd, _first: usize, width: usize, x: &[f32], y: &mut [f32]) {
        simd.run(Rows { x, y, d: width / self.groups, weight: self.weight.as_deref(), eps: self.eps });
    }
}

/// `x / sqrt(mean(x²) + eps)`, without a weight.
pub fn rms_normalize(ctx: &Context, x: &Tensor, eps: f32) -> Tensor {
    RmsNorm::unweighted(eps).forward(ctx, x)
}

struct Rows<'a> {
    x: &'a [f32],
    y: &'a mut [f32],
    /// Features that share a mean.
    d: usize,
    weight: Option<&'a [f32]>,
    eps: f32,
}

impl Kernel for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const N: usize, const FMA: bool>(self) {
        let parts = self.x.chunks_exact(self.d).zip(self.y.chunks_exact_mut(self.d));
        for (index, (x, y)) in parts.enumerate() {
            let mean = sum_of_squares::<N, FMA>(x) / self.d as f32;
            let scale = 1.0 / (mean + self.eps).sqrt();
            match self.weight {
                Some(w) => y
                    .iter_mut()
                    .zip(x)
                    .zip(&w[index * self.d % w.len()..])
                    .for_each(|((y, x), w)| *y = x * scale * w),
                None => y.iter_mut().zip(x).for_each(|(y, x)| *y = x * scale),
            }
        }
    }
}

/// `Σ x²`, over four sums of lanes.
#[inline(always)]
fn sum_of_squares<const N: usize, const FMA: bool>(x: &[f32]) -> f32 {
    let mut sums = [[0.0; N]; 4];
    let mut blocks = x.chunks_exact(N);
    for (index, block) in (&mut blocks).enumerate() {
        let lanes = load::<N, f32>(block);
        accumulate::<N, FMA>(&mut sums[index % 4], &lanes, &lanes);
    }
    let tail = load_tail::<N, f32>(blocks.remainder());
    accumulate::<N, FMA>(&mut sums[0], &tail, &tail);
    sums.map(sum).iter().sum()
}
