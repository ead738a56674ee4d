//! The tensor: contiguous floats with a shape, whose buffer goes back to the pool on drop.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::buffer::Buffer;
use crate::device::Device;
use crate::shape::Shape;

/// A contiguous row-major array of `f32` of up to four axes.
pub struct Tensor {
    shape: Shape,
    buffer: Buffer,
    device: Arc<Device>,
}

impl Tensor {
    pub(crate) fn from_parts(shape: Shape, buffer: Buffer, device: Arc<Device>) -> Self {
        Self { shape, buffer, device }
    }

    /// The axis lengths, outermost first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The axis lengths as a value.
    pub fn dims(&self) -> Shape {
        self.shape
    }

    /// The elements, row by row.
    pub fn data(&self) -> &[f32] {
        &self.buffer.floats()[..self.shape.elements()]
    }

    /// The elements, row by row.
    pub fn data_mut(&mut self) -> &mut [f32] {
        &mut self.buffer.floats_mut()[..self.shape.elements()]
    }

    /// What this tensor shares with all others of its context.
    pub fn device(&self) -> &Arc<Device> {
        &self.device
    }

    /// The elements together with the device, for kernels that work in place.
    pub fn split_device(&mut self) -> (&mut [f32], &Device) {
        (&mut self.buffer.floats_mut()[..self.shape.elements()], &self.device)
    }

    /// The same elements under another shape of as many elements.
    pub fn reshape(mut self, dims: &[usize]) -> Self {
        let shape = Shape::new(dims);
        assert_eq!(shape.elements(), self.shape.elements(), "cannot reshape {:?} to {dims:?}", self.shape);
        self.shape = shape;
        self
    }

    /// `[.., n·d]` to `[.., n, d]`; free.
    pub fn split_heads(self, heads: usize) -> Self {
        let width = self.shape.width();
        assert!(heads > 0 && width.is_multiple_of(heads), "{width} channels do not divide into {heads} heads");
        let shape = self.shape.with_last_split(heads);
        self.reshape(&shape)
    }

    /// `[.., n, d]` to `[.., n·d]`; free.
    pub fn merge_heads(self) -> Self {
        let shape = self.shape.with_last_merged();
        self.reshape(&shape)
    }

    /// Cuts the last axis into pieces of the given widths, which sum to its length.
    pub fn split<const N: usize>(self, widths: [usize; N]) -> [Self; N] {
        let total: usize = widths.iter().sum();
        assert_eq!(total, self.shape.width(), "cannot split {:?} into {widths:?}", self.shape);
        let mut start = 0;
        widths.map(|width| {
            let piece = self.columns(start..start + width);
            start += width;
            piece
        })
    }

    /// A copy of a range of the last axis.
    pub fn columns(&self, range: Range<usize>) -> Self {
        let width = range.len();
        let mut piece = self.device.tensor(&self.shape.with_width(width));
        let rows = self.data().chunks_exact(self.shape.width().max(1));
        for (to, from) in piece.data_mut().chunks_exact_mut(width.max(1)).zip(rows) {
            to.copy_from_slice(&from[range.clone()]);
        }
        piece
    }

    /// Joins tensors along the last axis; all other axes are equal.
    pub fn concat(parts: &[&Self]) -> Self {
        let first = parts.first().expect("concat needs at least one tensor");
        let width = parts.iter().map(|part| part.shape.width()).sum();
        let mut joined = first.device.tensor(&first.shape.with_width(width));
        let mut start = 0;
        for part in parts {
            let own = part.shape.width();
            assert_eq!(part.shape.with_width(0), first.shape.with_width(0), "concat joins the last axis");
            let rows = part.data().chunks_exact(own.max(1));
            for (to, from) in joined.data_mut().chunks_exact_mut(width.max(1)).zip(rows) {
                to[start..start + own].copy_from_slice(from);
            }
            start += own;
        }
        joined
    }

    /// `[B, S, d]` to `[B, 1, d]`: the last slot of each sequence, padding or not.
    pub fn last_slot(&self) -> Self {
        let [b, s, d] = self.axes("last_slot");
        let mut last = self.device.tensor(&[b, 1, d]);
        for (to, from) in last.data_mut().chunks_exact_mut(d).zip(self.data().chunks_exact(s * d)) {
            to.copy_from_slice(&from[(s - 1) * d..]);
        }
        last
    }

    /// A copy of a range of the first axis.
    pub fn rows(&self, range: Range<usize>) -> Self {
        let [length, rest @ ..] = &*self.shape else { panic!("rows needs an axis") };
        assert!(range.end <= *length, "rows {range:?} of an axis of {length}");
        let stride: usize = rest.iter().product();
        let mut dims = self.shape.to_vec();
        dims[0] = range.len();
        let mut piece = self.device.tensor(&dims);
        piece.data_mut().copy_from_slice(&self.data()[range.start * stride..range.end * stride]);
        piece
    }

    /// The axes as an array, for an operator that needs exactly `N`.
    pub fn axes<const N: usize>(&self, operator: &str) -> [usize; N] {
        let shape = &self.shape;
        let wrong = |_| panic!("`{operator}` needs {N} axes, not {shape:?}");
        (&**shape).try_into().unwrap_or_else(wrong)
    }
}

impl Clone for Tensor {
    fn clone(&self) -> Self {
        let mut copy = self.device.tensor(&self.shape);
        copy.data_mut().copy_from_slice(self.data());
        copy
    }
}

impl Drop for Tensor {
    fn drop(&mut self) {
        self.device.pool.give(std::mem::take(&mut self.buffer));
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Tensor{:?}", self.shape)
    }
}
