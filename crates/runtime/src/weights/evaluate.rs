//! Makes parameters out of the tensors of a checkpoint, sharing its memory where it can.

use formwork_tensor::Param;

use super::Shared;
use super::mapping::Source;
use super::pattern::Captures;
use super::piece::{Piece, Value};
use super::report::Problem;

impl Shared {
    /// The parameter that a source describes.
    pub(crate) fn evaluate(&self, source: &Source, captures: &Captures) -> Result<Piece, Problem> {
        let settle = |source| self.evaluate(source, captures).map(Piece::settle);
        Ok(Piece::from(match *source {
            Source::Name(name) => return self.tensor(&captures.expand(name)),
            Source::Transpose(source) => {
                let piece = self.evaluate(source, captures)?;
                if piece.stored_dims().len() == 2 {
                    return Ok(Piece { transposed: !piece.transposed, ..piece });
                }
                transpose(&piece.settle())
            }
            Source::Rows { source, start, len } => {
                let piece = self.evaluate(source, captures)?;
                fits(&piece.dims(), 0, start + len, source, captures)?;
                match piece {
                    Piece { value: Value::Codes(coded), transposed: false } if coded.shape().len() > 1 => {
                        return Ok(coded.rows(start..start + len).into());
                    }
                    other => other.settle().rows(start..start + len),
                }
            }
            Source::Columns { source, start, len } => {
                let param = settle(source)?;
                fits(param.shape(), param.shape().len().saturating_sub(1), start + len, source, captures)?;
                columns(&param, start, len)
            }
            Source::Concat(parts) => {
                let parts: Result<Vec<_>, _> = parts.iter().map(settle).collect();
                concat(&parts?, source)?
            }
            Source::Stack { source, var, count } => {
                let one = |index: usize| -> Result<Param, Problem> {
                    let captures = captures.with(var, index.to_string());
                    let param = self.evaluate(source, &captures)?.settle();
                    Ok(param.reshape(&[&[1], param.shape()].concat()))
                };
                let parts: Result<Vec<_>, _> = (0..count).map(one).collect();
                concat(&parts?, source)?
            }
            Source::Reshape(source, dims) => {
                let param = match self.evaluate(source, captures)? {
                    Piece { value: Value::Codes(coded), transposed: false } if keeps_rows(coded.shape(), dims) => {
                        return Ok(coded.reshape(dims).into());
                    }
                    other => other.settle(),
                };
                if param.shape().iter().product::<usize>() != dims.iter().product::<usize>() {
                    return Err(mismatch(source, &param, dims));
                }
                param.reshape(dims)
            }
            Source::PermuteRope { source, heads } => {
                let piece = self.evaluate(source, captures)?;
                let rows = piece.dims().first().copied().filter(|rows| rows % (2 * heads) == 0);
                let Some(rows) = rows else {
                    return Err(mismatch(source, &piece.settle(), &[2 * heads]));
                };
                match piece {
                    Piece { value: Value::Codes(coded), transposed: false } if coded.shape().len() == 2 => {
                        return Ok(coded.reorder(rope_order(rows, heads)).into());
                    }
                    other => permute_rope(&other.settle(), heads),
                }
            }
            Source::Add(source, number) => map(&settle(source)?, |x| x + number),
            Source::NegExp(source) => map(&settle(source)?, |x| -x.exp()),
            Source::Zeros(dims) => Param::from_f32(dims, &vec![0.0; dims.iter().product()]),
            Source::Sinusoids { rows, d } => sinusoids(rows, d),
            Source::FirstOf(choices) => {
                let present = |choice: &&Source| self.present(choice, captures);
                let choice = choices.iter().find(present).or(choices.first());
                return self.evaluate(choice.expect("a choice has alternatives"), captures);
            }
        }))
    }

    /// The pieces of a source along its first axis, each without that axis.
    pub(crate) fn evaluate_pieces(&self, source: &Source, captures: &Captures) -> Result<Vec<Piece>, Problem> {
        match *source {
            Source::Stack { source, var, count } => {
                let one = |index: usize| self.evaluate(source, &captures.with(var, index.to_string()));
                (0..count).map(one).collect()
            }
            Source::Transpose(inner) => {
                let mut pieces = self.evaluate_pieces(inner, captures)?;
                if pieces.iter().any(|piece| piece.stored_dims().len() != 2) {
                    return Err(Problem::Shape {
                        name: format!("{source:?}"),
                        expected: vec![0; 3],
                        found: Vec::new(),
                    });
                }
                pieces.iter_mut().for_each(|piece| piece.transposed = !piece.transposed);
                Ok(pieces)
            }
            Source::FirstOf(choices) => {
                let present = |choice: &&Source| self.present(choice, captures);
                let choice = choices.iter().find(present).or(choices.first());
                self.evaluate_pieces(choice.expect("a choice has alternatives"), captures)
            }
            _ => self.evaluate(source, captures).map(Piece::cut),
        }
    }

    /// Whether all tensors of a source are in the checkpoint.
    fn present(&self, source: &Source, captures: &Captures) -> bool {
        match *source {
            Source::Name(name) => self.resolve(&captures.expand(name)).is_some(),
            Source::Transpose(source)
            | Source::Rows { source, .. }
            | Source::Columns { source, .. }
            | Source::Reshape(source, _)
            | Source::PermuteRope { source, .. }
            | Source::Add(source, _)
            | Source::NegExp(source) => self.present(source, captures),
            Source::Zeros(_) | Source::Sinusoids { .. } => true,
            Source::Concat(parts) => parts.iter().all(|part| self.present(part, captures)),
            Source::Stack { source, var, count } => {
                (0..count).all(|i| self.present(source, &captures.with(var, i.to_string())))
            }
            Source::FirstOf(choices) => choices.iter().any(|part| self.present(part, captures)),
        }
    }
}

fn mismatch(source: &Source, param: &Param, expected: &[usize]) -> Problem {
    Problem::Shape { name: format!("{source:?}"), expected: expected.to_vec(), found: param.shape().to_vec() }
}

fn fits(dims: &[usize], axis: usize, end: usize, source: &Source, captures: &Captures) -> Result<(), Problem> {
    match dims.get(axis) {
        Some(length) if end <= *length => Ok(()),
        _ => {
            let name = match source {
                Source::Name(name) => captures.expand(name),
                other => format!("{other:?}"),
            };
            Err(Problem::Shape { name, expected: vec![end], found: dims.to_vec() })
        }
    }
}

/// Exchanges the last two axes.
pub(crate) fn transpose(param: &Param) -> Param {
    let mut dims = param.shape().to_vec();
    let n = dims.len();
    assert!(n >= 2, "only a matrix has a transpose");
    let (rows, columns) = (dims[n - 2], dims[n - 1]);
    dims.swap(n - 2, n - 1);
    let size = param.dtype().size();
    let from = param.bytes();
    let mut to = Vec::with_capacity(from.len());
    for matrix in from.chunks_exact((rows * columns * size).max(1)) {
        for column in 0..columns {
            for row in 0..rows {
                to.extend_from_slice(&matrix[(row * columns + column) * size..][..size]);
            }
        }
    }
    Param::from_bytes(&dims, param.dtype(), &to)
}

/// A range of the last axis.
fn columns(param: &Param, start: usize, len: usize) -> Param {
    let mut dims = param.shape().to_vec();
    let size = param.dtype().size();
    let last = dims.last_mut().expect("checked by `fits`");
    let rows = param.bytes().chunks_exact(*last * size);
    let bytes: Vec<u8> = rows.flat_map(|row| &row[start * size..][..len * size]).copied().collect();
    *last = len;
    Param::from_bytes(&dims, param.dtype(), &bytes)
}

/// Joins along the first axis; parts of several types become floats.
fn concat(parts: &[Param], source: &Source) -> Result<Param, Problem> {
    let first = parts.first().expect("a concatenation has parts");
    if let Some(odd) = parts.iter().find(|part| part.shape()[1..] != first.shape()[1..]) {
        return Err(mismatch(source, odd, first.shape()));
    }
    let mut dims = first.shape().to_vec();
    dims[0] = parts.iter().map(|part| part.shape()[0]).sum();
    if parts.iter().all(|part| part.dtype() == first.dtype()) {
        let bytes: Vec<u8> = parts.iter().flat_map(|part| part.bytes()).copied().collect();
        return Ok(Param::from_bytes(&dims, first.dtype(), &bytes));
    }
    let floats: Vec<f32> = parts.iter().flat_map(|part| part.to_f32().into_owned()).collect();
    Ok(Param::from_f32(&dims, &floats))
}

/// Rows `2i, 2i + 1` of each head to rows `i, i + d/2`.
fn permute_rope(param: &Param, heads: usize) -> Param {
    let rows = param.shape()[0];
    let stride = param.bytes().len() / rows;
    let order = rope_order(rows, heads);
    let bytes: Vec<u8> = order.flat_map(|row| &param.bytes()[row * stride..][..stride]).copied().collect();
    Param::from_bytes(param.shape(), param.dtype(), &bytes)
}

/// Where each row of a permuted matrix comes from.
fn rope_order(rows: usize, heads: usize) -> impl Iterator<Item = usize> {
    let d = rows / heads;
    (0..rows).map(move |row| row / d * d + row % d % (d / 2) * 2 + row % d / (d / 2))
}

/// Whether other axes before the last count the same rows.
fn keeps_rows(from: &[usize], to: &[usize]) -> bool {
    from.last() == to.last() && from.iter().product::<usize>() == to.iter().product::<usize>()
}

/// Sines, then cosines, of each row's number.
fn sinusoids(rows: usize, d: usize) -> Param {
    let angle = |row: usize, i: usize| row as f64 * 10000_f64.powf(-2.0 * i as f64 / d as f64);
    let row = |row: usize| {
        let angles = (0..d / 2).map(move |i| angle(row, i));
        angles.clone().map(f64::sin).chain(angles.map(f64::cos))
    };
    let numbers: Vec<f32> = (0..rows).flat_map(row).map(|x| x as f32).collect();
    Param::from_f32(&[rows, d], &numbers)
}

fn map(param: &Param, f: impl Fn(f32) -> f32) -> Param {
    let floats: Vec<f32> = param.to_f32().iter().map(|x| f(*x)).collect();
    Param::from_f32(param.shape(), &floats)
}
