//! A weight matrix in the layout of its checkpoint.

use crate::matmul;
use crate::param::{Param, Values};
use crate::tensor::Tensor;

/// How a checkpoint lays out the matrix of a linear layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `[out, in]`: each row gives one output.
    OutIn,
    /// `[in, out]`: each row belongs to one input.
    InOut,
}

/// A matrix that maps `d_in` inputs to `d_out` outputs.
#[derive(Clone)]
pub struct Matrix {
    pub(crate) param: Param,
    pub(crate) layout: Layout,
    pub(crate) d_in: usize,
    pub(crate) d_out: usize,
}

impl Matrix {
    /// A matrix over a parameter of two axes.
    pub fn new(param: Param, layout: Layout) -> Self {
        let &[rows, columns] = param.shape() else { panic!("a matrix has two axes, not {:?}", param.shape()) };
        let (d_out, d_in) = match layout {
            Layout::OutIn => (rows, columns),
            Layout::InOut => (columns, rows),
        };
        Self { param, layout, d_in, d_out }
    }

    /// The number of inputs.
    pub fn d_in(&self) -> usize {
        self.d_in
    }

    /// The number of outputs.
    pub fn d_out(&self) -> usize {
        self.d_out
    }

    /// `y = x Wᵀ + bias` for `x` `[.., d_in]` and `y` `[.., d_out]`.
    pub fn multiply(&self, x: &Tensor, bias: Option<&[f32]>, y: &mut Tensor) {
        self.product(x, bias, y, false);
    }

    /// `y += x Wᵀ + bias`: a residual that needs no tensor of its own.
    pub fn multiply_add(&self, x: &Tensor, bias: Option<&[f32]>, y: &mut Tensor) {
        self.product(x, bias, y, true);
    }

    /// Several matrices with one input `[.., d_in]`: `outputs[i] = x Wᵢᵀ + biasᵢ`, the input prepared once.
    pub fn multiply_all(x: &Tensor, matrices: &[(&Self, Option<&[f32]>)], outputs: &mut [&mut Tensor]) {
        assert_eq!(matrices.len(), outputs.len(), "one output for each matrix");
        for ((matrix, bias), y) in matrices.iter().zip(outputs) {
            matrix.multiply(x, *bias, y);
        }
    }

    fn product(&self, x: &Tensor, bias: Option<&[f32]>, y: &mut Tensor, add: bool) {
        let (d_in, d_out) = (self.d_in, self.d_out);
        let rows = x.dims().rows();
        assert_eq!(x.dims().width(), d_in, "a matrix of {d_in} inputs cannot map {:?}", x.shape());
        assert_eq!((y.dims().rows(), y.dims().width()), (rows, d_out), "output of a product");
        assert!(bias.is_none_or(|bias| bias.len() == d_out), "one bias per output");
        let product = matmul::Product { x: x.data(), bias, rows, d_in, d_out, add };
        let (y, device) = y.split_device();
        match (self.param.values(), self.layout) {
            (Values::F32(w), Layout::OutIn) => product.out_in(device, w, y),
            (Values::Bf16(w), Layout::OutIn) => product.out_in(device, w, y),
            (Values::F16(w), Layout::OutIn) => product.out_in(device, w, y),
            (Values::F32(w), Layout::InOut) => product.in_out(device, w, y),
            (Values::Bf16(w), Layout::InOut) => product.in_out(device, w, y),
            (Values::F16(w), Layout::InOut) => product.in_out(device, w, y),
        }
    }
}
