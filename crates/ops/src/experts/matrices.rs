//! What one expert holds and computes.

use formwork_tensor::{Context, Matrix, Tensor};

use crate::activation::{gelu, gelu_quick, gelu_tanh, relu, relu2, sigmoid, silu, tanh};

/// The matrices of an expert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpertKind {
    /// Up and down.
    Plain,
    /// Gate, up and down.
    Gated,
    /// Gate and up one below the other, and down.
    Fused,
    /// Gate and up row by row in turn, and down.
    Interleaved,
}

/// The nonlinearity of an expert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpertActivation {
    /// `max(x, 0)`
    Relu,
    /// `max(x, 0)²`
    Relu2,
    /// `x · Φ(x)`
    Gelu,
    /// The tanh approximation of it.
    GeluTanh,
    /// `x · sigmoid(1.702 x)`
    GeluQuick,
    /// `x · sigmoid(x)`
    Silu,
    /// `1 / (1 + e^-x)`
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
}

impl ExpertActivation {
    pub(crate) fn apply(self, x: Tensor) -> Tensor {
        match self {
            Self::Relu => relu(x),
            Self::Relu2 => relu2(x),
            Self::Gelu => gelu(x),
            Self::GeluTanh => gelu_tanh(x),
            Self::GeluQuick => gelu_quick(x),
            Self::Silu => silu(x),
            Self::Sigmoid => sigmoid(x),
            Self::Tanh => tanh(x),
        }
    }
}

/// One matrix of every expert, and their biases one after the other.
#[derive(Clone)]
pub struct Stacked {
    matrices: Vec<Matrix>,
    bias: Option<Vec<f32>>,
}

impl Stacked {
    /// A matrix for each expert; the biases, if any, `[E, d_out]`.
    pub fn new(matrices: Vec<Matrix>, bias: Option<Vec<f32>>) -> Self {
        Self { matrices, bias }
    }

    /// How many experts have one.
    pub(crate) fn experts(&self) -> usize {
        self.matrices.len()
    }

    /// The expert's image of `[n, d_in]`.
    pub(crate) fn forward(&self, ctx: &Context, expert: usize, x: &Tensor) -> Tensor {
        let matrix = &self.matrices[expert];
        let mut output = ctx.tensor(&x.dims().with_width(matrix.d_out()));
        matrix.multiply(x, self.bias_of(expert), &mut output);
        output
    }

    /// The images of one `[n, d_in]` under a matrix of each of several stacks, expert by expert: in one go.
    pub(crate) fn forward_all(stacks: &[Self], ctx: &Context, experts: &[usize], x: &Tensor) -> Vec<Tensor> {
        let of_expert = |expert: usize| stacks.iter().map(move |stack| (&stack.matrices[expert], stack.bias_of(expert)));
        let products: Vec<_> = experts.iter().flat_map(|expert| of_expert(*expert)).collect();
        let output = |(matrix, _): &(&Matrix, _)| ctx.tensor(&x.dims().with_width(matrix.d_out()));
        let mut outputs: Vec<Tensor> = products.iter().map(output).collect();
        Matrix::multiply_all(x, &products, &mut outputs.iter_mut().collect::<Vec<_>>());
        outputs
    }

    fn bias_of(&self, expert: usize) -> Option<&[f32]> {
        let d_out = self.matrices[expert].d_out();
        self.bias.as_ref().map(|bias| &bias[expert * d_out..][..d_out])
    }
}
