//! Norms that are applied as their rows are read.

use std::ops::Range;

use crate::shape::Shape;
use crate::simd::Simd;
use crate::tensor::Tensor;
use crate::threads;

/// What makes a row of a row of equal width.
pub trait Norm: Sync {
    /// Writes as many rows of `width` as are given, of which the tensor's row `first` is the first.
    fn normalise(&self, simd: Simd, first: usize, width: usize, x: &[f32], y: &mut [f32]);
}

/// A normalised tensor whose numbers are not made yet: products that lay their inputs out make each row where they do so, while
/// it is in the cache.
#[derive(Clone, Copy)]
pub struct Normed<'a> {
    x: &'a Tensor,
    norm: &'a dyn Norm,
}

impl<'a> Normed<'a> {
    /// `x` `[.., d]` by a norm of that width.
    pub fn new(x: &'a Tensor, norm: &'a dyn Norm) -> Self {
        Self { x, norm }
    }

    /// Writes all of it to a tensor of its shape.
    pub fn write(&self, y: &mut Tensor) {
        let (device, width) = (self.x.device(), self.x.dims().width());
        device.threads().rows(y.data_mut(), width, |first, rows| {
            let x = &self.x.data()[first * width..][..rows.len()];
            self.norm.normalise(device.simd(), first, width, x, rows);
        });
    }
}

/// The input of a product.
#[derive(Clone, Copy)]
pub enum Input<'a> {
    /// A tensor.
    Tensor(&'a Tensor),
    /// One that is normalised first.
    Normed(Normed<'a>),
}

impl<'a> Input<'a> {
    /// The axis lengths, outermost first.
    pub fn dims(&self) -> Shape {
        self.unmade().0.dims()
    }

    /// The tensor that is there, and what it is normalised by.
    pub(crate) fn unmade(self) -> (&'a Tensor, Option<&'a dyn Norm>) {
        match self {
            Self::Tensor(x) => (x, None),
            Self::Normed(Normed { x, norm }) => (x, Some(norm)),
        }
    }

    /// The same numbers as a tensor, made in `room` where they are not there.
    pub(crate) fn made(self, room: &'a mut Option<Tensor>) -> &'a Tensor {
        match self {
            Self::Tensor(x) => x,
            Self::Normed(it) => {
                let y = room.insert(it.x.device().tensor(it.x.shape()));
                it.write(y);
                y
            }
        }
    }
}

impl<'a> From<&'a Tensor> for Input<'a> {
    fn from(x: &'a Tensor) -> Self {
        Self::Tensor(x)
    }
}

impl<'a> From<&Normed<'a>> for Input<'a> {
    fn from(x: &Normed<'a>) -> Self {
        Self::Normed(*x)
    }
}

/// Rows `[.., width]` that are laid out for kernels.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub(crate) x: &'a [f32],
    pub(crate) width: usize,
    pub(crate) norm: Option<&'a dyn Norm>,
}

impl Rows<'_> {
    /// Lends some of them, as far as there are so many.
    pub(crate) fn lend<R>(&self, simd: Simd, rows: Range<usize>, read: impl FnOnce(&[f32]) -> R) -> R {
        let x = &self.x[rows.start * self.width..(rows.end * self.width).min(self.x.len())];
        let Some(norm) = self.norm else { return read(x) };
        threads::scratch(x.len(), |y| {
            norm.normalise(simd, rows.start, self.width, x, y);
            read(y)
        })
    }
}
