//! The shape of a tensor: up to four axes, stored inline.

use std::fmt;
use std::ops::Deref;

/// The largest number of axes.
const MAX_RANK: usize = 4;

/// Up to four axis lengths, outermost first. Reads as a slice.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    dims: [usize; MAX_RANK],
    rank: usize,
}

impl Shape {
    /// The shape with these axes.
    ///
    /// # Panics
    /// If there are more than four.
    pub fn new(dims: &[usize]) -> Self {
        assert!(dims.len() <= MAX_RANK, "a tensor has at most {MAX_RANK} axes, not {dims:?}");
        let mut shape = Self { dims: [0; MAX_RANK], rank: dims.len() };
        shape.dims[..dims.len()].copy_from_slice(dims);
        shape
    }

    /// The number of elements.
    pub fn elements(&self) -> usize {
        self.iter().product()
    }

    /// The length of the last axis; 1 for a scalar.
    pub fn width(&self) -> usize {
        self.last().copied().unwrap_or(1)
    }

    /// The last axis as two, the outer one of length `n`, which divides it.
    pub(crate) fn with_last_split(&self, n: usize) -> Self {
        assert!((1..MAX_RANK).contains(&self.rank), "{self:?} has no room for heads");
        let mut split = self.with_width(n);
        split.dims[self.rank] = self.width() / n;
        split.rank += 1;
        split
    }

    /// The last two axes as one.
    pub(crate) fn with_last_merged(&self) -> Self {
        assert!(self.rank >= 2, "{self:?} has no heads to merge");
        let mut merged = *self;
        merged.rank -= 1;
        merged.dims[merged.rank - 1] *= self.width();
        merged.dims[merged.rank] = 0;
        merged
    }

    /// The number of rows: the product of all axes but the last.
    pub fn rows(&self) -> usize {
        match self.rank {
            0 => 1,
            rank => self.dims[..rank - 1].iter().product(),
        }
    }

    /// The same shape with another last axis.
    pub fn with_width(mut self, width: usize) -> Self {
        assert!(self.rank > 0, "a scalar has no last axis");
        self.dims[self.rank - 1] = width;
        self
    }
}

impl Deref for Shape {
    type Target = [usize];

    fn deref(&self) -> &[usize] {
        &self.dims[..self.rank]
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:?}", &**self)
    }
}

impl From<&[usize]> for Shape {
    fn from(dims: &[usize]) -> Self {
        Self::new(dims)
    }
}

#[cfg(test)]
mod tests {
    use super::Shape;

    #[test]
    fn counts_rows_and_width() {
        let shape = Shape::new(&[2, 3, 5]);
        assert_eq!((shape.elements(), shape.rows(), shape.width()), (30, 6, 5));
        assert_eq!(&*shape.with_width(7), &[2, 3, 7]);
        assert_eq!((Shape::new(&[]).elements(), Shape::new(&[4]).rows()), (1, 1));
    }
}
