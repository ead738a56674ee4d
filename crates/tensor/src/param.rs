//! A parameter: numbers of a checkpoint in their stored type, mapped or owned, shared by clones.
#![allow(unsafe_code, reason = "views aligned bytes of a checkpoint as numbers")]

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use half::{bf16, f16};

use crate::buffer::Buffer;
use crate::context::Context;
use crate::lanes::Element;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// The type that numbers are stored in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DType {
    /// 32-bit IEEE.
    F32,
    /// The upper half of an `F32`.
    Bf16,
    /// 16-bit IEEE.
    F16,
}

impl DType {
    /// Bytes of one number.
    pub fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::Bf16 | Self::F16 => 2,
        }
    }
}

/// Bytes that stay where they are as long as the owner lives: a mapped file, for one.
pub trait Owner: Send + Sync {
    /// The bytes.
    fn bytes(&self) -> &[u8];

    /// Whether they are those of a mapped file, and no memory of the process's own.
    fn is_file(&self) -> bool {
        false
    }

    /// Says that some of them are not read again soon; only a hint.
    fn release(&self, _bytes: Range<usize>) {}
}

impl Owner for Buffer {
    fn bytes(&self) -> &[u8] {
        Buffer::bytes(self)
    }
}

/// The numbers of a parameter in their stored type.
#[derive(Clone, Copy)]
pub enum Values<'a> {
    /// 32-bit IEEE.
    F32(&'a [f32]),
    /// The upper half of an `F32`.
    Bf16(&'a [bf16]),
    /// 16-bit IEEE.
    F16(&'a [f16]),
}

/// A constant array of a model.
#[derive(Clone)]
pub struct Param {
    shape: Shape,
    dtype: DType,
    owner: Arc<dyn Owner>,
    bytes: Range<usize>,
}

impl Param {
    /// The numbers in a range of an owner's bytes; misaligned ones are copied.
    pub fn new(dims: &[usize], dtype: DType, owner: Arc<dyn Owner>, bytes: Range<usize>) -> Self {
        let shape = Shape::new(dims);
        let data = &owner.bytes()[bytes.clone()];
        assert_eq!(data.len(), shape.elements() * dtype.size(), "bytes of a parameter {shape:?}");
        if data.as_ptr().align_offset(dtype.size()) != 0 {
            return Self::from_bytes(dims, dtype, data);
        }
        Self { shape, dtype, owner, bytes }
    }

    /// A copy of little-endian bytes.
    pub fn from_bytes(dims: &[usize], dtype: DType, data: &[u8]) -> Self {
        let mut buffer = Buffer::zeros(data.len().div_ceil(4));
        buffer.bytes_mut()[..data.len()].copy_from_slice(data);
        Self::new(dims, dtype, Arc::new(buffer), 0..data.len())
    }

    /// A copy of floats.
    pub fn from_f32(dims: &[usize], data: &[f32]) -> Self {
        let mut buffer = Buffer::zeros(data.len());
        buffer.floats_mut()[..data.len()].copy_from_slice(data);
        Self::new(dims, DType::F32, Arc::new(buffer), 0..size_of_val(data))
    }

    /// No numbers: what stands in for a parameter that could not be loaded.
    pub fn empty() -> Self {
        Self::from_f32(&[0], &[])
    }

    /// The axis lengths.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The stored type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The stored bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.owner.bytes()[self.bytes.clone()]
    }

    /// Whether the numbers are in a mapped file.
    pub(crate) fn is_in_file(&self) -> bool {
        self.owner.is_file()
    }

    /// Says that it is not read again soon; only a hint.
    pub(crate) fn release(&self) {
        self.owner.release(self.bytes.clone());
    }

    /// The same numbers under another shape of as many elements.
    pub fn reshape(&self, dims: &[usize]) -> Self {
        let shape = Shape::new(dims);
        assert_eq!(shape.elements(), self.shape.elements(), "cannot reshape to {dims:?}");
        Self { shape, ..self.clone() }
    }

    /// A range of the first axis; shares the memory.
    pub fn rows(&self, range: Range<usize>) -> Self {
        let [length, rest @ ..] = &*self.shape else { panic!("rows needs an axis") };
        assert!(range.end <= *length, "rows {range:?} of an axis of {length}");
        let stride = rest.iter().product::<usize>() * self.dtype.size();
        let start = self.bytes.start;
        let bytes = start + range.start * stride..start + range.end * stride;
        let mut dims = self.shape.to_vec();
        dims[0] = range.len();
        Self::new(&dims, self.dtype, Arc::clone(&self.owner), bytes)
    }

    /// The numbers in their stored type.
    pub fn values(&self) -> Values<'_> {
        let bytes = self.bytes();
        match self.dtype {
            DType::F32 => Values::F32(view(bytes)),
            DType::Bf16 => Values::Bf16(view(bytes)),
            DType::F16 => Values::F16(view(bytes)),
        }
    }

    /// The numbers as floats; borrowed when they are stored so.
    pub fn to_f32(&self) -> Cow<'_, [f32]> {
        match self.values() {
            Values::F32(values) => Cow::Borrowed(values),
            Values::Bf16(values) => values.iter().map(|x| x.widen()).collect(),
            Values::F16(values) => values.iter().map(|x| x.widen()).collect(),
        }
    }

    /// The numbers as a tensor.
    pub fn tensor(&self, ctx: &Context) -> Tensor {
        let mut tensor = ctx.tensor(&self.shape);
        self.copy_to(0, tensor.data_mut());
        tensor
    }

    /// Copies `out.len()` numbers from element `start` on as floats.
    pub fn copy_to(&self, start: usize, out: &mut [f32]) {
        let range = start..start + out.len();
        match self.values() {
            Values::F32(values) => out.copy_from_slice(&values[range]),
            Values::Bf16(values) => widen_all(&values[range], out),
            Values::F16(values) => widen_all(&values[range], out),
        }
    }
}

fn widen_all<E: Element>(from: &[E], to: &mut [f32]) {
    to.iter_mut().zip(from).for_each(|(y, x)| *y = x.widen());
}

/// Aligned bytes of whole numbers as numbers: those that [`Param::new`] has checked, or packed ones.
pub(crate) fn view<T: Element>(bytes: &[u8]) -> &[T] {
    // SAFETY: every bit pattern is a valid value of every element type.
    let (head, values, tail) = unsafe { bytes.align_to::<T>() };
    assert!(head.is_empty() && tail.is_empty(), "whole and aligned numbers");
    values
}
