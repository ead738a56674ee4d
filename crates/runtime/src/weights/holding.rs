//! Where the matrices of a model are kept while it runs.

use std::path::Path;
use std::rc::Rc;

use formwork_ops::{Grade, Mix};
use formwork_tensor::{DType, Error, Format, Matrix, Place, Result};

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
    /// The same in other formats.
    As(Mix),
}

impl Holding {
    /// The holding that `--hold` and `--dtype` ask for.
    ///
    /// # Errors
    /// `usage` for an unknown word, or a format of numbers that stay in the file.
    pub fn named(hold: Option<&str>, dtype: Option<&str>) -> Result<Self> {
        match (hold, dtype.map(mix).transpose()?) {
            (None | Some("mapped"), None) => Ok(Self::Mapped),
            (Some("packed"), None) => Ok(Self::Packed),
            (None | Some("packed"), Some(mix)) => Ok(Self::As(mix)),
            (Some("mapped"), Some(_)) => Err(Error::usage("usage", "mapped weights keep the format of their file")
                .help("leave out --hold, or --dtype")),
            (Some(other), _) => {
                Err(Error::usage("usage", format!("`{other}` is no way to hold weights")).help("one of mapped, packed"))
            }
        }
    }
}

/// Bytes of the matrices that a model multiplies with, by where they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// In mapped files.
    pub mapped: u64,
    /// In memory of the process, in the layout of a checkpoint: made of others, or random.
    pub copied: u64,
    /// In memory of the process, packed.
    pub packed: u64,
    /// Those of them for which the system was asked for large pages.
    pub large_pages: u64,
}

impl Held {
    fn add(&mut self, matrix: &Matrix) {
        let bytes = matrix.size() as u64;
        match matrix.place() {
            Place::File => self.mapped += bytes,
            Place::Memory => self.copied += bytes,
            Place::Panels { large_pages } => {
                self.packed += bytes;
                self.large_pages += if large_pages { bytes } else { 0 };
            }
        }
    }
}

fn mix(name: &str) -> Result<Mix> {
    Mix::named(name).ok_or_else(|| {
        let names = Mix::ALL.map(Mix::name).join(", ");
        Error::usage("usage", format!("`{name}` is no format of weights")).help(format!("one of {names}"))
    })
}

/// What a format is called.
pub(crate) fn format_name(format: Format) -> &'static str {
    Format::NAMED.iter().find(|(_, other)| *other == format).map_or("f32", |(name, _)| name)
}

impl Weights {
    /// Keeps matrices as `holding` says from now on.
    pub fn hold(self, holding: Holding) -> Self {
        Self { holding, ..self }
    }

    /// The same weights, whose matrices are kept nearer to their originals by formats that tell them apart.
    pub fn fine(&self) -> Self {
        self.graded(Grade::Fine)
    }

    /// The same, for matrices that every format of few bits keeps nearer.
    pub fn finest(&self) -> Self {
        self.graded(Grade::Finest)
    }

    /// The same, for matrices whose numbers stay as they are stored.
    pub fn exact(&self) -> Self {
        self.graded(Grade::Exact)
    }

    fn graded(&self, grade: Grade) -> Self {
        Self { shared: Rc::clone(&self.shared), prefix: self.prefix.clone(), grade, ..*self }
    }

    /// Packs matrices on up to so many threads, instead of all that there are.
    pub fn threads(self, threads: usize) -> Self {
        Self { threads, ..self }
    }

    /// Where the matrices are that were taken so far.
    pub fn places(&self) -> Held {
        self.shared.state.borrow().held
    }

    /// The name of the format that was asked for, or that most numbers are stored in.
    pub fn format(&self) -> &'static str {
        match self.holding {
            Holding::As(mix) => mix.name(),
            Holding::Mapped | Holding::Packed => {
                format_name(self.shared.checkpoint.format().unwrap_or(Format::Float(DType::F32)))
            }
        }
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
        let matrix = match self.holding {
            Holding::Mapped => piece.matrix(None, self.threads),
            Holding::Packed => piece.matrix(None, self.threads).pack_as_stored(self.threads),
            Holding::As(mix) => match mix.format(self.grade).and_then(Format::named) {
                Some(format) => piece.matrix(Some(format), self.threads),
                None => piece.matrix(None, self.threads).pack_as_stored(self.threads),
            },
        };
        let mut state = self.shared.state.borrow_mut();
        state.held.add(&matrix);
        if let (Some(taken), Some(original)) = (&mut state.taken, original) {
            taken.matrix(name, dims, &original, &matrix);
        }
        matrix
    }
}
