//! A weight matrix, in the layout of its checkpoint or packed in panels.

use std::sync::Arc;

use crate::device::Device;
use crate::matmul;
use crate::packed::{self, Format, Packed, Quantised};
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
    held: Held,
    d_in: usize,
    d_out: usize,
}

/// Where the numbers are.
#[derive(Clone)]
enum Held {
    /// In the checkpoint.
    Stored(Param, Layout),
    /// In panels, in memory of their own.
    Packed(Arc<Packed>),
}

impl Matrix {
    /// A matrix over a parameter of two axes.
    pub fn new(param: Param, layout: Layout) -> Self {
        let &[rows, columns] = param.shape() else { panic!("a matrix has two axes, not {:?}", param.shape()) };
        let (d_out, d_in) = match layout {
            Layout::OutIn => (rows, columns),
            Layout::InOut => (columns, rows),
        };
        Self { held: Held::Stored(param, layout), d_in, d_out }
    }

    /// The same matrix in panels of this format; one that is packed already stays as it is.
    pub fn pack(&self, format: Format) -> Self {
        let Held::Stored(param, layout) = &self.held else { return self.clone() };
        let packed = packed::pack(param, *layout == Layout::InOut, self.d_in, self.d_out, format);
        Self { held: Held::Packed(Arc::new(packed)), ..*self }
    }

    /// The same matrix in panels, its numbers as they are stored.
    pub fn pack_as_stored(&self) -> Self {
        match &self.held {
            Held::Stored(param, _) => self.pack(Format::Float(param.dtype())),
            Held::Packed(_) => self.clone(),
        }
    }

    /// The numbers that it multiplies with, `[d_out, d_in]`.
    pub fn to_f32(&self) -> Vec<f32> {
        match &self.held {
            Held::Packed(packed) => packed.to_f32(),
            Held::Stored(param, Layout::OutIn) => param.to_f32().into_owned(),
            Held::Stored(param, Layout::InOut) => {
                let w = param.to_f32();
                let place = |at: usize| at % self.d_in * self.d_out + at / self.d_in;
                (0..w.len()).map(|at| w[place(at)]).collect()
            }
        }
    }

    /// Bytes that a product reads.
    pub fn size(&self) -> usize {
        match &self.held {
            Held::Packed(packed) => packed.size(),
            Held::Stored(param, _) => param.bytes().len(),
        }
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
        self.product(x, x.device(), &mut None, bias, y, false);
    }

    /// `y += x Wᵀ + bias`: a residual that needs no tensor of its own.
    pub fn multiply_add(&self, x: &Tensor, bias: Option<&[f32]>, y: &mut Tensor) {
        self.product(x, x.device(), &mut None, bias, y, true);
    }

    /// Several matrices with one input `[.., d_in]`: `outputs[i] = x Wᵢᵀ + biasᵢ`, the input prepared once.
    pub fn multiply_all(x: &Tensor, matrices: &[(&Self, Option<&[f32]>)], outputs: &mut [&mut Tensor]) {
        assert_eq!(matrices.len(), outputs.len(), "one output for each matrix");
        let (device, mut input) = (x.device(), None);
        for ((matrix, bias), y) in matrices.iter().zip(outputs) {
            matrix.product(x, device, &mut input, *bias, y, false);
        }
    }

    fn product<'a>(
        &self,
        x: &Tensor,
        device: &'a Device,
        input: &mut Option<Quantised<'a>>,
        bias: Option<&[f32]>,
        y: &mut Tensor,
        add: bool,
    ) {
        let (d_in, d_out) = (self.d_in, self.d_out);
        let rows = x.dims().rows();
        assert_eq!(x.dims().width(), d_in, "a matrix of {d_in} inputs cannot map {:?}", x.shape());
        assert_eq!((y.dims().rows(), y.dims().width()), (rows, d_out), "output of a product");
        assert!(bias.is_none_or(|bias| bias.len() == d_out), "one bias per output");
        let product = matmul::Product { x: x.data(), bias, rows, d_in, d_out, add };
        let y = y.data_mut();
        let (param, layout) = match &self.held {
            Held::Packed(packed) => return packed.multiply(device, &product, input, y),
            Held::Stored(param, layout) => (param, *layout),
        };
        match (param.values(), layout) {
            (Values::F32(w), Layout::OutIn) => product.out_in(device, w, y),
            (Values::Bf16(w), Layout::OutIn) => product.out_in(device, w, y),
            (Values::F16(w), Layout::OutIn) => product.out_in(device, w, y),
            (Values::F32(w), Layout::InOut) => product.in_out(device, w, y),
            (Values::Bf16(w), Layout::InOut) => product.in_out(device, w, y),
            (Values::F16(w), Layout::InOut) => product.in_out(device, w, y),
        }
    }
}
