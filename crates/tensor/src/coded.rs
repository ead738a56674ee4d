//! Tensors whose rows a file holds in codes: read a row at a time, so that no whole copy in floats is needed.

use std::ops::Range;
use std::sync::Arc;

use crate::packed::{Format, GROUP};
use crate::param::Param;

/// Rows of numbers in codes, all of one length.
pub trait CodedRows: Send + Sync {
    /// Writes the numbers of a row, or its first ones.
    fn row(&self, row: usize, out: &mut [f32]);

    /// The format whose codes the rows hold; none where they must be encoded anew.
    fn format(&self) -> Option<Format>;

    /// The codes of a group of 32 numbers, and the grid that the format makes numbers of them with. Called for rows with a format
    /// alone.
    fn group(&self, row: usize, group: usize, codes: &mut [i8; GROUP]) -> u16;
}

/// A tensor `[.., d]` of such rows, in an order of its own.
#[derive(Clone)]
pub struct Coded {
    dims: Vec<usize>,
    order: Arc<[usize]>,
    range: Range<usize>,
    source: Arc<dyn CodedRows>,
}

impl Coded {
    /// All rows of a source in order; the axes before the last count them.
    pub fn new(dims: &[usize], source: Arc<dyn CodedRows>) -> Self {
        let rows = dims[..dims.len() - 1].iter().product();
        Self { dims: dims.to_vec(), order: (0..rows).collect(), range: 0..rows, source }
    }

    /// The axis lengths.
    pub fn shape(&self) -> &[usize] {
        &self.dims
    }

    /// The length of a row.
    pub fn width(&self) -> usize {
        self.dims.last().copied().unwrap_or(1)
    }

    /// The same rows in another order: `order[i]` becomes row `i`.
    pub fn reorder(&self, order: impl Iterator<Item = usize>) -> Self {
        let order: Arc<[usize]> = order.map(|row| self.place(row)).collect();
        assert_eq!(order.len(), self.range.len(), "an order of all rows");
        Self { range: 0..order.len(), order, ..self.clone() }
    }

    /// A range of the first axis of two or more.
    pub fn rows(&self, range: Range<usize>) -> Self {
        let [length, inner @ .., _] = &self.dims[..] else { panic!("rows needs two axes") };
        assert!(range.end <= *length, "rows {range:?} of an axis of {length}");
        let (stride, start) = (inner.iter().product::<usize>(), self.range.start);
        let mut dims = self.dims.clone();
        dims[0] = range.len();
        Self { dims, range: start + range.start * stride..start + range.end * stride, ..self.clone() }
    }

    /// The same rows under other axes before the last.
    pub fn reshape(&self, dims: &[usize]) -> Self {
        let rows = dims[..dims.len() - 1].iter().product::<usize>();
        assert!(rows == self.range.len() && dims.last() == self.dims.last(), "cannot reshape rows to {dims:?}");
        Self { dims: dims.to_vec(), ..self.clone() }
    }

    /// The same rows without what follows `dims.last()` numbers: what filled the last group up.
    pub fn narrow(&self, dims: &[usize]) -> Self {
        assert!(dims.last() <= self.dims.last(), "cannot narrow rows to {dims:?}");
        Self { dims: dims.to_vec(), ..self.clone() }
    }

    /// Writes the numbers of a row.
    pub fn row(&self, row: usize, out: &mut [f32]) {
        self.source.row(self.place(row), out);
    }

    /// The numbers as a parameter of floats.
    pub fn to_param(&self) -> Param {
        let width = self.width();
        let mut numbers = vec![0.0; self.range.len() * width];
        numbers.chunks_exact_mut(width.max(1)).enumerate().for_each(|(row, out)| self.row(row, out));
        Param::from_f32(&self.dims, &numbers)
    }

    /// The format whose codes the rows hold.
    pub fn format(&self) -> Option<Format> {
        self.source.format()
    }

    /// The codes of a group of a row and their grid.
    pub fn group(&self, row: usize, group: usize, codes: &mut [i8; GROUP]) -> u16 {
        self.source.group(self.place(row), group, codes)
    }

    fn place(&self, row: usize) -> usize {
        self.order[self.range.start + row]
    }
}
