//! What a source gives: a parameter of floats, or rows of codes that stay as they are while that suffices.

use formwork_tensor::{Coded, Format, GROUP, Layout, Matrix, Param};

use super::evaluate::transpose;

/// A parameter that may stand for its transpose.
#[derive(Clone)]
pub(crate) struct Piece {
    pub(crate) value: Value,
    /// Whether the two axes are to be exchanged.
    pub(crate) transposed: bool,
}

/// The numbers of a piece.
#[derive(Clone)]
pub(crate) enum Value {
    Floats(Param),
    Codes(Coded),
}

/// Rows `[d_out, d_in]` of a matrix.
pub(crate) enum Rows {
    Floats(Matrix),
    Codes(Coded),
}

impl Rows {
    /// Writes the numbers of a row.
    pub(crate) fn row(&self, row: usize, out: &mut [f32]) {
        match self {
            Self::Floats(matrix) => matrix.row(row, out),
            Self::Codes(coded) => coded.row(row, out),
        }
    }
}

impl From<Param> for Piece {
    fn from(param: Param) -> Self {
        Self { value: Value::Floats(param), transposed: false }
    }
}

impl From<Coded> for Piece {
    fn from(coded: Coded) -> Self {
        Self { value: Value::Codes(coded), transposed: false }
    }
}

impl Piece {
    /// The axes before they are exchanged.
    pub(crate) fn stored_dims(&self) -> &[usize] {
        match &self.value {
            Value::Floats(param) => param.shape(),
            Value::Codes(coded) => coded.shape(),
        }
    }

    /// The axes of the parameter that this stands for.
    pub(crate) fn dims(&self) -> Vec<usize> {
        let mut dims = self.stored_dims().to_vec();
        if self.transposed {
            dims.reverse();
        }
        dims
    }

    /// The parameter itself as floats, copied if it was transposed or in codes.
    pub(crate) fn settle(self) -> Param {
        let param = match self.value {
            Value::Floats(param) => param,
            Value::Codes(coded) => coded.to_param(),
        };
        if self.transposed { transpose(&param) } else { param }
    }

    /// The pieces along the first axis, each without it; they share its memory.
    pub(crate) fn cut(self) -> Vec<Self> {
        let dims = self.dims();
        let [count, rest @ ..] = &dims[..] else { return Vec::new() };
        match self {
            Self { value: Value::Codes(coded), transposed: false } if !rest.is_empty() => {
                (0..*count).map(|at| coded.rows(at..at + 1)).map(|part| part.reshape(rest).into()).collect()
            }
            whole => {
                let param = whole.settle();
                (0..*count).map(|at| param.rows(at..at + 1).reshape(rest).into()).collect()
            }
        }
    }

    /// A matrix in this format, or as stored: floats where they are, codes packed, for nothing multiplies them elsewhere. Packing
    /// takes up to so many threads.
    pub(crate) fn matrix(self, format: Option<Format>, threads: usize) -> Matrix {
        let matrix = match self {
            Self { value: Value::Codes(coded), transposed: false } => {
                let own = coded.format().unwrap_or(Format::Float(formwork_tensor::DType::F32));
                return Matrix::from_coded(&coded, format.unwrap_or(own), threads);
            }
            Self { value: Value::Floats(param), transposed: true } => Matrix::new(param, Layout::InOut),
            other => Matrix::new(other.settle(), Layout::OutIn),
        };
        format.map_or(matrix.clone(), |format| matrix.pack(format, threads))
    }

    /// Its rows, to be read one by one.
    pub(crate) fn into_rows(self) -> Rows {
        match self {
            Self { value: Value::Codes(coded), transposed: false } => Rows::Codes(coded),
            other => Rows::Floats(other.matrix(None, 1)),
        }
    }

    /// Whether this is a parameter of these axes; rows of codes may be filled up to whole groups.
    pub(crate) fn fit(self, dims: &[usize]) -> Result<Self, Self> {
        let found = self.dims();
        let padded = match dims.split_last() {
            Some((width, outer)) => [outer, &[width.next_multiple_of(GROUP)]].concat(),
            None => Vec::new(),
        };
        match self {
            fits if found == dims => Ok(fits),
            Self { value: Value::Codes(coded), transposed: false } if found == padded => Ok(coded.narrow(dims).into()),
            other => Err(other),
        }
    }
}
