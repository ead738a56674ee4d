//! Where the matrices of a model are kept while it runs.

use formwork_tensor::{DType, Error, Format, Matrix, Result};

use super::Weights;

/// Where matrices are kept. Vectors, and tables that are looked up, stay in the checkpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Holding {
    /// In the mapped file: loading takes no time, and its pages are shared with other processes.
    #[default]
    Mapped,
    /// In memory of their own, laid out for products, their numbers as they are stored.
    Packed,
    /// The same in another format.
    As(Format),
}

impl Holding {
    /// The holding that `--hold` and `--dtype` ask for.
    ///
    /// # Errors
    /// `usage` for an unknown word, or a format of numbers that stay in the file.
    pub fn named(hold: Option<&str>, dtype: Option<&str>) -> Result<Self> {
        match (hold, dtype.map(format).transpose()?) {
            (None | Some("mapped"), None) => Ok(Self::Mapped),
            (Some("packed"), None) => Ok(Self::Packed),
            (None | Some("packed"), Some(format)) => Ok(Self::As(format)),
            (Some("mapped"), Some(_)) => Err(Error::usage("usage", "mapped weights keep the format of their file")
                .help("leave out --hold, or --dtype")),
            (Some(other), _) => {
                Err(Error::usage("usage", format!("`{other}` is no way to hold weights")).help("one of mapped, packed"))
            }
        }
    }
}

/// What formats are called.
const FORMATS: [(&str, Format); 5] = [
    ("f32", Format::Float(DType::F32)),
    ("bf16", Format::Float(DType::Bf16)),
    ("f16", Format::Float(DType::F16)),
    ("q8", Format::Q8),
    ("q4", Format::Q4),
];

fn format(name: &str) -> Result<Format> {
    let found = FORMATS.iter().find(|(other, _)| *other == name).map(|(_, format)| *format);
    found.ok_or_else(|| {
        let names = FORMATS.map(|(name, _)| name).join(", ");
        Error::usage("usage", format!("`{name}` is no format of weights")).help(format!("one of {names}"))
    })
}

impl Weights {
    /// Keeps matrices as `holding` says from now on. A matrix with as many outputs as there are ids keeps 8 bits where others
    /// have 4: its errors reach the logits at once.
    pub fn hold(mut self, holding: Holding, vocab_size: usize) -> Self {
        (self.holding, self.vocab_size) = (holding, vocab_size);
        self
    }

    /// The name of the format that most numbers of the weights are held in.
    pub fn format(&self) -> &'static str {
        let held = match self.holding {
            Holding::As(format) => format,
            Holding::Mapped | Holding::Packed => Format::Float(self.shared.checkpoint.dtype().unwrap_or(DType::F32)),
        };
        FORMATS.iter().find(|(_, format)| *format == held).map_or("f32", |(name, _)| name)
    }

    pub(super) fn held(&self, matrix: Matrix) -> Matrix {
        match self.holding {
            Holding::Mapped => matrix,
            Holding::Packed => matrix.pack_as_stored(),
            Holding::As(Format::Q4) if matrix.d_out() == self.vocab_size => matrix.pack(Format::Q8),
            Holding::As(format) => matrix.pack(format),
        }
    }
}
