//! A weight matrix, in the layout of its checkpoint or packed in panels.

use std::sync::Arc;

use crate::coded::Coded;
use crate::device::Device;
use crate::matmul;
use crate::normed::{Input, Norm};
use crate::packed::{self, Format, GROUP, Packed};
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

/// Where the numbers of a matrix are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a mapped file.
    File,
    /// In memory of the process, in the layout of a checkpoint.
    Memory,
    /// In memory of the process, packed in panels; large ones ask the system for large pages.
    Panels {
        /// Whether they do.
        large_pages: bool,
    },
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

    /// The same matrix in panels of this format, made on up to so many threads; one that is packed already stays as it is.
    pub fn pack(&self, format: Format, threads: usize) -> Self {
        let Held::Stored(param, layout) = &self.held else { return self.clone() };
        let packed = packed::pack(param, *layout == Layout::InOut, [self.d_in, self.d_out], format, threads);
        param.release();
        Self { held: Held::Packed(Arc::new(packed)), ..*self }
    }

    /// The same with its numbers as they are stored.
    pub fn pack_as_stored(&self, threads: usize) -> Self {
        match &self.held {
            Held::Stored(param, _) => self.pack(Format::Float(param.dtype()), threads),
            Held::Packed(_) => self.clone(),
        }
    }

    /// Rows of codes `[d_out, d_in]` in panels of this format, made on up to so many threads; those that hold the format's own
    /// codes keep them.
    pub fn from_coded(coded: &Coded, format: Format, threads: usize) -> Self {
        let packed = Packed::from_coded(coded, format, threads);
        let &[d_out, d_in] = coded.shape() else { panic!("a matrix has two axes, not {:?}", coded.shape()) };
        Self { held: Held::Packed(Arc::new(packed)), d_in, d_out }
    }

    /// The numbers that it multiplies with, `[d_out, d_in]`.
    pub fn to_f32(&self) -> Vec<f32> {
        let mut out = vec![0.0; self.d_in * self.d_out];
        out.chunks_exact_mut(self.d_in.max(1)).enumerate().for_each(|(row, out)| self.row(row, out));
        out
    }

    /// Writes the numbers of an output, `[d_in]`.
    pub fn row(&self, row: usize, out: &mut [f32]) {
        match &self.held {
            Held::Packed(packed) => packed.row(row, out),
            Held::Stored(param, Layout::OutIn) => param.copy_to(row * self.d_in, out),
            Held::Stored(param, Layout::InOut) => {
                let number =
                    |input: usize, x: &mut f32| param.copy_to(input * self.d_out + row, std::slice::from_mut(x));
                out.iter_mut().enumerate().for_each(|(input, x)| number(input, x));
            }
        }
    }

    /// Where its numbers are.
    pub fn place(&self) -> Place {
        match &self.held {
            Held::Stored(param, _) if param.is_in_file() => Place::File,
            Held::Stored(..) => Place::Memory,
            Held::Packed(packed) => Place::Panels { large_pages: packed.asks_large_pages() },
        }
    }

    /// How its numbers are stored.
    pub fn format(&self) -> Format {
        match &self.held {
            Held::Packed(packed) => packed.format(),
            Held::Stored(param, _) => Format::Float(param.dtype()),
        }
    }

    /// The codes of a group of 32 inputs of an output, and their grid, of a matrix whose format has such.
    pub fn group(&self, row: usize, group: usize, codes: &mut [i8; GROUP]) -> u16 {
        match &self.held {
            Held::Packed(packed) => packed.group(row, group, codes),
            Held::Stored(..) => panic!("floats are no codes"),
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
    pub fn multiply<'x>(&self, x: impl Into<Input<'x>>, bias: Option<&[f32]>, y: &mut Tensor) {
        products(x.into(), &[(self, bias)], &mut [y], None);
    }

    /// `y = onto + x Wᵀ + bias` for `onto` and `y` `[.., d_out]`, with the bits of a product that is added afterwards.
    pub fn multiply_onto<'x>(&self, x: impl Into<Input<'x>>, bias: Option<&[f32]>, onto: &Tensor, y: &mut Tensor) {
        assert_eq!(onto.data().len(), y.data().len(), "a product is added to numbers of its own shape");
        products(x.into(), &[(self, bias)], &mut [y], Some(onto.data()));
    }

    /// Several matrices with one input `[.., d_in]`: `outputs[i] = x Wᵢᵀ + biasᵢ`. Packed ones are multiplied in one go.
    pub fn multiply_all<'x>(
        x: impl Into<Input<'x>>,
        matrices: &[(&Self, Option<&[f32]>)],
        outputs: &mut [&mut Tensor],
    ) {
        products(x.into(), matrices, outputs, None);
    }

    /// Two matrices of equal outputs with one input `[.., d_in]`, the values of the first, in their place, made of both by
    /// `gate(gates, values)`: `y = gate(x W₀ᵀ + bias₀, x W₁ᵀ + bias₁)`, element by element and in any pieces.
    pub fn multiply_gated<'x>(
        x: impl Into<Input<'x>>,
        matrices: [(&Self, Option<&[f32]>); 2],
        gate: &(dyn Fn(&mut [f32], &[f32]) + Sync),
        y: &mut Tensor,
    ) {
        let (input, mut room) = (x.into(), None);
        if let [Held::Packed(gates), Held::Packed(ups)] = matrices.map(|(matrix, _)| &matrix.held) {
            let x = operand(input, &matrices, &mut room);
            let device: &Device = x.0.device();
            let [of_gates, of_ups] = matrices.map(|affine| product(x, affine, y, None));
            return packed::multiply_gated(device, [(gates, of_gates), (ups, of_ups)], gate, y.data_mut());
        }
        let device = Arc::clone(y.device());
        let mut values = device.tensor(y.shape());
        products(input, &matrices, &mut [&mut *y, &mut values], None);
        device.threads().rows(y.data_mut(), 1, |first, gates| gate(gates, &values.data()[first..][..gates.len()]));
    }
}

/// A matrix and its bias.
type Affine<'a> = (&'a Matrix, Option<&'a [f32]>);

/// A tensor, and what products make of it first.
type Operand<'a> = (&'a Tensor, Option<&'a dyn Norm>);

/// The input of some products as their kernels read it: normalised here, in `room`, unless all of them lay it out anew.
fn operand<'a>(input: Input<'a>, matrices: &[Affine<'_>], room: &'a mut Option<Tensor>) -> Operand<'a> {
    let (x, norm) = input.unmade();
    let lays_out = |matrix: &Matrix| match &matrix.held {
        Held::Packed(packed) => packed.lays_out(x.device(), x.dims().rows()),
        Held::Stored(..) => false,
    };
    let is_ready = norm.is_none() || matrices.iter().all(|(matrix, _)| lays_out(matrix));
    if is_ready { (x, norm) } else { (input.made(room), None) }
}

/// The product of a matrix, for an output of so many numbers.
fn product<'a>(
    (x, norm): Operand<'a>,
    (matrix, bias): Affine<'a>,
    y: &Tensor,
    onto: Option<&'a [f32]>,
) -> matmul::Product<'a> {
    let (rows, d_in, d_out) = (x.dims().rows(), matrix.d_in, matrix.d_out);
    assert_eq!(x.dims().width(), d_in, "a matrix of {d_in} inputs cannot map {:?}", x.shape());
    assert_eq!((y.dims().rows(), y.dims().width()), (rows, d_out), "output of a product");
    assert!(bias.is_none_or(|bias| bias.len() == d_out), "one bias per output");
    matmul::Product { x: x.data(), norm, bias, rows, d_in, d_out, onto }
}

fn products(input: Input<'_>, matrices: &[Affine<'_>], outputs: &mut [&mut Tensor], onto: Option<&[f32]>) {
    assert_eq!(matrices.len(), outputs.len(), "one output for each matrix");
    let mut room = None;
    let x = operand(input, matrices, &mut room);
    let device: &Device = x.0.device();
    let (mut packed, mut ys) = (Vec::with_capacity(matrices.len()), Vec::with_capacity(matrices.len()));
    for (affine, y) in matrices.iter().zip(outputs) {
        let product = product(x, *affine, y, onto);
        match &affine.0.held {
            Held::Stored(param, layout) => stored(&product, device, param, *layout, y.data_mut()),
            Held::Packed(it) => {
                packed.push((&**it, product));
                ys.push(y.data_mut());
            }
        }
    }
    packed::multiply_all(device, &packed, &mut ys);
}

/// A product with a matrix where the checkpoint has it.
fn stored(product: &matmul::Product<'_>, device: &Device, param: &Param, layout: Layout, y: &mut [f32]) {
    match (param.values(), layout) {
        (Values::F32(w), Layout::OutIn) => product.out_in(device, w, y),
        (Values::Bf16(w), Layout::OutIn) => product.out_in(device, w, y),
        (Values::F16(w), Layout::OutIn) => product.out_in(device, w, y),
        (Values::F32(w), Layout::InOut) => product.in_out(device, w, y),
        (Values::Bf16(w), Layout::InOut) => product.in_out(device, w, y),
        (Values::F16(w), Layout::InOut) => product.in_out(device, w, y),
    }
}
