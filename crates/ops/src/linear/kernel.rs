//! Linear map of the last axis: `y = x Wᵀ + b`.

use formwork_tensor::{Context, Input, Matrix, Tensor};

use crate::activation::Gate;

/// A matrix in the layout and type of its checkpoint, and an optional bias.
#[derive(Clone)]
pub struct Linear {
    weight: Matrix,
    bias: Option<Vec<f32>>,
}

impl Linear {
    /// A linear layer; the bias has one number per output.
    pub fn new(weight: Matrix, bias: Option<Vec<f32>>) -> Self {
        Self { weight, bias }
    }

    /// `[.., d_in]` to `[.., d_out]`.
    pub fn forward<'x>(&self, ctx: &Context, x: impl Into<Input<'x>>) -> Tensor {
        let x = x.into();
        let mut y = ctx.tensor(&x.dims().with_width(self.weight.d_out()));
        self.weight.multiply(x, self.bias.as_deref(), &mut y);
        y
    }

    /// `[.., d_in]` to `[.., d_out]`, added to `onto` of that shape: the bits of a sum taken afterwards.
    pub fn forward_onto<'x>(&self, ctx: &Context, x: impl Into<Input<'x>>, onto: &Tensor) -> Tensor {
        let mut y = ctx.tensor(&onto.dims());
        self.weight.multiply_onto(x, self.bias.as_deref(), onto, &mut y);
        y
    }

    /// `[.., d_in]` to the `[.., d_out]` of each layer, in one go.
    pub fn forward_all<'x, const N: usize>(
        ctx: &Context,
        layers: [&Self; N],
        x: impl Into<Input<'x>>,
    ) -> [Tensor; N] {
        let x = x.into();
        let products = layers.map(|layer| (&layer.weight, layer.bias.as_deref()));
        let mut outputs = products.map(|(weight, _)| ctx.tensor(&x.dims().with_width(weight.d_out())));
        Matrix::multiply_all(x, &products, &mut outputs.each_mut());
        outputs
    }

    /// `[.., d_in]` to `[.., d_out]`: `f(gate(x)) · up(x)`, the gate and what it gates multiplied and joined piece by piece.
    pub fn forward_gated<'x>(ctx: &Context, [gate, up]: [&Self; 2], x: impl Into<Input<'x>>, f: Gate) -> Tensor {
        let x = x.into();
        let mut y = ctx.tensor(&x.dims().with_width(gate.weight.d_out()));
        let products = [gate, up].map(|layer| (&layer.weight, layer.bias.as_deref()));
        let simd = ctx.device().simd();
        Matrix::multiply_gated(x, products, &|gate, up| f.apply(simd, gate, up), &mut y);
        y
    }
}
