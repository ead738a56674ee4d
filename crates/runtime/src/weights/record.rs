//! What a model took from its weights, to be written in the project's own form.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use formwork_tensor::{DType, Format, GROUP, Matrix, Param, Result};
use half::{bf16, f16};

use super::packed_file::{Form, METADATA, pack, pack_six};
use super::piece::Piece;
use super::writer::{Planned, write_planned};

/// Numbers that are widened at once.
const PIECE: usize = 1 << 10;

/// Everything that was taken, by name.
#[derive(Default)]
pub(crate) struct Taken(BTreeMap<String, Entry>);

enum Entry {
    /// Not multiplied with as a matrix, or that too: it stays as it is.
    Param(Param),
    /// One matrix, or a stack of them.
    Matrices { dims: Vec<usize>, matrices: Vec<Matrix>, error: Error },
}

/// How far numbers are from those that they stand for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Error {
    /// The sum of squared differences.
    pub squares: f64,
    /// The sum of the originals' squares.
    pub total: f64,
    /// The largest difference.
    pub largest: f32,
}

impl Error {
    /// The root of the mean square of the differences, in units of the originals'.
    pub fn relative_rms(&self) -> f64 {
        if self.squares == 0.0 { 0.0 } else { (self.squares / self.total).sqrt() }
    }

    /// Takes in other numbers.
    pub fn add(&mut self, other: &Self) {
        self.squares += other.squares;
        self.total += other.total;
        self.largest = self.largest.max(other.largest);
    }

    fn of(original: &[f32], held: &[f32]) -> Self {
        let mut error = Self::default();
        for (x, y) in original.iter().zip(held) {
            error.squares += f64::from(x - y).powi(2);
            error.total += f64::from(*x).powi(2);
            error.largest = error.largest.max((x - y).abs());
        }
        error
    }
}

/// A tensor as it will be written.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub dims: Vec<usize>,
    /// How it is stored; none for what stays as it was.
    pub format: Option<Format>,
    /// How far it is from the original.
    pub error: Error,
}

impl Line {
    /// Whether every number of the original is finite.
    pub fn was_finite(&self) -> bool {
        self.error.total.is_finite()
    }

    /// Whether every number is as it will be written, the original's being so.
    pub fn is_finite(&self) -> bool {
        self.error.squares.is_finite()
    }
}

impl Taken {
    pub(crate) fn param(&mut self, name: &str, param: &Param) {
        self.0.insert(name.to_string(), Entry::Param(param.clone()));
    }

    /// One matrix of a parameter `dims`, or the next of its stack.
    pub(crate) fn matrix(&mut self, name: &str, dims: &[usize], original: &Piece, matrix: &Matrix) {
        let error = error(original, matrix);
        let empty = || Entry::Matrices { dims: dims.to_vec(), matrices: Vec::new(), error: Error::default() };
        if let Entry::Matrices { matrices, error: sum, .. } = self.0.entry(name.to_string()).or_insert_with(empty)
            && matrices.len() < dims[..dims.len() - 2].iter().product()
        {
            sum.add(&error);
            matrices.push(matrix.clone());
        }
    }

    /// What is to be written, in the order of names.
    pub(crate) fn lines(&self) -> Vec<Line> {
        let line = |(name, entry): (&String, &Entry)| match entry {
            Entry::Param(param) => {
                Line { name: name.clone(), dims: param.shape().to_vec(), format: None, error: unchanged(param) }
            }
            Entry::Matrices { dims, matrices, error } => {
                let format = matrices.first().map(Matrix::format);
                Line { name: name.clone(), dims: dims.clone(), format, error: *error }
            }
        };
        self.0.iter().map(line).collect()
    }

    /// Writes the file.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let mut planned = Vec::new();
        for (name, entry) in &self.0 {
            match entry {
                Entry::Param(param) => planned.push(Planned {
                    name: name.clone(),
                    dtype: dtype_name(param.dtype()),
                    dims: param.shape().to_vec(),
                    write: Box::new(|out| out.write_all(param.bytes())),
                }),
                Entry::Matrices { dims, matrices, .. } => planned.extend(plan(name, dims, matrices)),
            }
        }
        write_planned(path, &METADATA, planned)
    }
}

/// The size of numbers that stay as they are.
fn unchanged(param: &Param) -> Error {
    let count = param.shape().iter().product::<usize>();
    let mut error = Error::default();
    let mut piece = [0.0; PIECE];
    for start in (0..count).step_by(PIECE) {
        let numbers = &mut piece[..PIECE.min(count - start)];
        param.copy_to(start, numbers);
        error.add(&Error::of(numbers, numbers));
    }
    error
}

/// How far a matrix is from what it was made of.
fn error(original: &Piece, matrix: &Matrix) -> Error {
    let width = matrix.d_in();
    let mut error = Error::default();
    let whole = original.clone().into_rows();
    let (mut x, mut y) = (vec![0.0; width], vec![0.0; width]);
    for row in 0..matrix.d_out() {
        whole.row(row, &mut x);
        matrix.row(row, &mut y);
        error.add(&Error::of(&x, &y));
    }
    error
}

fn dtype_name(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 => "F32",
        DType::Bf16 => "BF16",
        DType::F16 => "F16",
    }
}

/// The tensors that hold some matrices of one shape.
fn plan<'a>(name: &str, dims: &[usize], matrices: &'a [Matrix]) -> Vec<Planned<'a>> {
    let Some(first) = matrices.first() else { return Vec::new() };
    let format = first.format();
    if let Format::Float(dtype) = format {
        let write = move |out: &mut dyn Write| matrices.iter().try_for_each(|matrix| floats(matrix, dtype, out));
        return vec![Planned {
            name: name.to_string(),
            dtype: dtype_name(dtype),
            dims: dims.to_vec(),
            write: Box::new(write),
        }];
    }
    let mut scales = dims.to_vec();
    if let Some(width) = scales.last_mut() {
        *width = width.div_ceil(GROUP);
    }
    let Form { codes: (dtype, bytes), scales: grid_dtype, .. } = *Form::of(format).expect("floats were written above");
    let codes = move |out: &mut dyn Write| {
        groups(matrices, |codes, _| match format {
            Format::Q8 => out.write_all(&codes.map(i8::cast_unsigned)),
            Format::Q6 => out.write_all(&pack_six(codes)),
            _ => out.write_all(&pack(codes)),
        })
    };
    let grids = move |out: &mut dyn Write| groups(matrices, |_, grid| out.write_all(&grid.to_le_bytes()));
    vec![
        Planned {
            name: format!("{name}.codes"),
            dtype,
            dims: [&scales[..], &[bytes]].concat(),
            write: Box::new(codes),
        },
        Planned { name: format!("{name}.scales"), dtype: grid_dtype, dims: scales, write: Box::new(grids) },
    ]
}

/// Goes through all groups of all rows.
fn groups(matrices: &[Matrix], mut each: impl FnMut(&[i8; GROUP], u16) -> std::io::Result<()>) -> std::io::Result<()> {
    for matrix in matrices {
        for row in 0..matrix.d_out() {
            for group in 0..matrix.d_in().div_ceil(GROUP) {
                let mut codes = [0; GROUP];
                let grid = matrix.group(row, group, &mut codes);
                each(&codes, grid)?;
            }
        }
    }
    Ok(())
}

fn floats(matrix: &Matrix, dtype: DType, out: &mut dyn Write) -> std::io::Result<()> {
    let mut numbers = vec![0.0; matrix.d_in()];
    for row in 0..matrix.d_out() {
        matrix.row(row, &mut numbers);
        let bytes: Vec<u8> = match dtype {
            DType::F32 => numbers.iter().flat_map(|x| x.to_le_bytes()).collect(),
            DType::Bf16 => numbers.iter().flat_map(|x| bf16::from_f32(*x).to_le_bytes()).collect(),
            DType::F16 => numbers.iter().flat_map(|x| f16::from_f32(*x).to_le_bytes()).collect(),
        };
        out.write_all(&bytes)?;
    }
    Ok(())
}
