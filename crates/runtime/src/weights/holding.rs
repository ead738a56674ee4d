//! Where the matrices of a model are kept while it runs.

use std::path::Path;

use formwork_tensor::{DType, Error, Format, Matrix, Result};

use super::Weights;
use super::piece::Piece;
use super::record::{Line, Taken};

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

/// What a format is called.
pub(crate) fn format_name(format: Format) -> &'static str {
    Format::NAMED.iter().find(|(_, other)| *other == format).map_or("f32", |(name, _)| name)
}

fn format(name: &str) -> Result<Format> {
    let found = Format::NAMED.iter().find(|(other, _)| *other == name).map(|(_, format)| *format);
    found.ok_or_else(|| {
        let names = Format::NAMED.map(|(name, _)| name).join(", ");
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
            Holding::Mapped | Holding::Packed => self.shared.checkpoint.format().unwrap_or(Format::Float(DType::F32)),
        };
        format_name(held)
    }

    /// Whether the checkpoint's numbers are in codes, which stand for others already.
    pub fn are_codes(&self) -> bool {
        self.shared.checkpoint.has_codes()
    }

    /// Notes what is taken from now on, so that it can be written with [`save`](Self::save).
    pub fn recording(self) -> Self {
        self.shared.state.borrow_mut().taken = Some(Taken::default());
        self
    }

    /// What was taken since [`recording`](Self::recording), by name.
    pub fn taken(&self) -> Vec<Line> {
        self.shared.state.borrow().taken.as_ref().map(Taken::lines).unwrap_or_default()
    }

    /// Writes what was taken as a checkpoint that the same model loads without any mapping.
    ///
    /// # Errors
    /// The system's reason why the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        self.shared.state.borrow().taken.as_ref().map_or(Ok(()), |taken| taken.write(path))
    }

    /// A matrix of the parameter `name` `[.., d_out, d_in]` where the holding wants it.
    pub(super) fn held(&self, name: &str, dims: &[usize], piece: Piece) -> Matrix {
        let original = self.shared.state.borrow().taken.is_some().then(|| piece.clone());
        let outputs = piece.dims().first().copied().unwrap_or_default();
        let matrix = match self.holding {
            Holding::Mapped => piece.matrix(None),
            Holding::Packed => piece.matrix(None).pack_as_stored(),
            Holding::As(format) if format.code_bits() == Some(4) && outputs == self.vocab_size => {
                piece.matrix(Some(Format::Q8))
            }
            Holding::As(format) => piece.matrix(Some(format)),
        };
        if let (Some(taken), Some(original)) = (&mut self.shared.state.borrow_mut().taken, original) {
            taken.matrix(name, dims, &original, &matrix);
        }
        matrix
    }
}
