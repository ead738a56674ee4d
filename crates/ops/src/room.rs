//! How many tokens caches hold, and in which format.

/// The format of the numbers in a cache. Queries and sums are 32-bit whatever it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheFormat {
    /// 32-bit: what the layers gave.
    #[default]
    F32,
    /// 16-bit IEEE.
    F16,
    /// 8-bit, with a 16-bit scale for each 32 numbers of a row.
    Q8,
}

/// Numbers of a row that share a scale; the last group of a row may be smaller.
pub(crate) const GROUP: usize = 32;

impl CacheFormat {
    /// Every format, the most exact first.
    pub const ALL: [Self; 3] = [Self::F32, Self::F16, Self::Q8];

    /// Its name on command lines and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Q8 => "q8",
        }
    }

    /// The format of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// Bytes of a row of `width` numbers: one head of one token.
    pub fn row_bytes(self, width: u128) -> u128 {
        match self {
            Self::F32 => 4 * width,
            Self::F16 => 2 * width,
            Self::Q8 => width + 2 * width.div_ceil(GROUP as u128),
        }
    }
}

/// What a cache is to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Tokens of each sequence.
    pub tokens: usize,
    /// The format of keys, values and latents. Recurrent states stay in 32 bits: their errors would add up.
    pub format: CacheFormat,
}

impl From<usize> for Room {
    /// So many tokens in 32 bits.
    fn from(tokens: usize) -> Self {
        Self { tokens, format: CacheFormat::F32 }
    }
}
