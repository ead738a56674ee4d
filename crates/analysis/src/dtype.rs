//! Storage formats and their exact sizes.

use formwork_ops::{Grade, Mix};

use crate::{AnalysisError, exact};

/// How numbers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DType {
    /// Four bytes.
    F32,
    /// Two bytes.
    Bf16,
    /// Two bytes.
    F16,
    /// Blocks of 32 with one 16-bit scale: 34 bytes.
    Q8,
    /// Blocks of 32 with one 16-bit scale: 26 bytes.
    Q6,
    /// Blocks of 32 with a 16-bit scale, or a scale and a zero point in 16 bits: 18 bytes.
    Q4,
}

/// Numbers in a quantised block.
const BLOCK: u128 = 32;

impl DType {
    /// Every format.
    pub const ALL: [Self; 6] = [Self::F32, Self::Bf16, Self::F16, Self::Q8, Self::Q6, Self::Q4];

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        self.names()[0]
    }

    /// How a matrix of a grade is stored in a mix; of those that stay as they are, as vectors are.
    pub(crate) fn of(mix: Mix, grade: Grade) -> Self {
        let named = |name| Self::ALL.into_iter().find(|dtype| dtype.names().contains(&name)).unwrap_or(Self::F32);
        match mix.format(grade) {
            Some(format) => named(format),
            None => mix.format(Grade::Plain).map_or(Self::F32, named).precise(),
        }
    }

    /// Its name, and those of other formats of the same sizes.
    fn names(self) -> &'static [&'static str] {
        match self {
            Self::F32 => &["f32"],
            Self::Bf16 => &["bf16"],
            Self::F16 => &["f16"],
            Self::Q8 => &["q8"],
            Self::Q6 => &["q6"],
            Self::Q4 => &["q4", "q4z"],
        }
    }

    /// Bytes of `rows` rows of `width` numbers. Rows that do not fill whole blocks stay in f32.
    pub(crate) fn bytes(self, rows: u128, width: u128) -> Result<u128, AnalysisError> {
        let figure = "the bytes";
        let plain = |size| exact::mul(figure, exact::mul(figure, rows, width)?, size);
        match self {
            Self::F32 => plain(4),
            Self::Bf16 | Self::F16 => plain(2),
            Self::Q8 | Self::Q6 | Self::Q4 if !width.is_multiple_of(BLOCK) => plain(4),
            Self::Q8 => exact::mul(figure, exact::mul(figure, rows, width / BLOCK)?, 34),
            Self::Q6 => exact::mul(figure, exact::mul(figure, rows, width / BLOCK)?, 26),
            Self::Q4 => exact::mul(figure, exact::mul(figure, rows, width / BLOCK)?, 18),
        }
    }

    /// The same for numbers that are never quantised: quantised models keep them in f32.
    pub(crate) fn precise(self) -> Self {
        match self {
            Self::Q8 | Self::Q6 | Self::Q4 => Self::F32,
            other => other,
        }
    }
}
