//! xIELU: a parabola to the right of zero, an exponential to the left.

use formwork_tensor::lanes::exp;
use formwork_tensor::{Context, Kernel, Tensor};

/// The slopes and bounds of one layer.
#[derive(Clone, Copy, Debug)]
pub struct Xielu {
    right: f32,
    left: f32,
    beta: f32,
    eps: f32,
}

impl Xielu {
    /// From the trained numbers: `right = softplus(alpha_p)`, `left = beta + softplus(alpha_n)`.
    pub fn new(alpha_p: f32, alpha_n: f32, beta: f32, eps: f32) -> Self {
        let softplus = |x: f32| x.max(0.0) + (-x.abs()).exp().ln_1p();
        Self {
            right: softplus(alpha_p),
            left: beta + softplus(alpha_n),
            beta,
            eps,
        }
    }

    /// Element by element.
    pub fn forward(&self, ctx: &Context, x: &Tensor) -> Tensor {
        let mut y = ctx.tensor(x.shape());
        let simd = ctx.device().simd();
        ctx.device().threads().rows(y.data_mut(), 1, |first, y| {
            let x = &x.data()[first..][..y.len()];
            simd.run(Elements { x, y, it: *self });
        });
        y
    }
}

struct Elements<'a> {
    x: &'a [f32],
    y: &'a mut [f32],
    it: Xielu,
}

impl Kernel for Elements<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const N: usize, const FMA: bool>(self) {
        let it = self.it;
        for (y, &x) in self.y.iter_mut().zip(self.x) {
            let left = it.left * (exp_minus_one::<FMA>(x.min(it.eps)) - x);
            let right = it.right * x * x;
            *y = if x > 0.0 { right } else { left } + it.beta * x;
        }
    }
}

/// `e^x - 1` for `x <= 0`: near zero the difference would lose its digits, a polynomial keeps them.
#[inline(always)]
fn exp_minus_one<const FMA: bool>(x: f32) -> f32 {
    let near = x * (1.0 + x * (0.5 + x * (1.0 / 6.0 + x * (1.0 / 24.0 + x * (1.0 / 120.0 + x / 720.0)))));
    let far = exp::<FMA>(x) - 1.0;
    if x > -0.35 { near } else { far }
}
