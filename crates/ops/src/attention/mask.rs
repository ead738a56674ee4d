//! Which keys a query sees.

use std::ops::Range;

/// Which keys a query sees, besides that padding is never seen. `i` and `j` are slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mask {
    /// All.
    Full,
    /// `j <= i`.
    Causal,
    /// `j <= i` and `i - j < w`.
    SlidingWindow(usize),
    /// `|i - j| <= half`.
    SymmetricWindow(usize),
    /// `j <= i` in the same chunk; chunks are counted from the first token.
    Chunked(usize),
    /// `j <= i`, and the first `n` tokens; a first step is to hold them all.
    Prefix(usize),
}

impl Mask {
    /// How many of the last tokens, itself included, a token may see at most, where the mask bounds it.
    pub(crate) fn reach(self) -> Option<usize> {
        match self {
            Self::SlidingWindow(size) | Self::Chunked(size) => Some(size),
            Self::Full | Self::Causal | Self::SymmetricWindow(_) | Self::Prefix(_) => None,
        }
    }

    /// The slots that query slot `i` may see, of `slots`.
    pub(crate) fn seen(self, i: usize, slots: usize, valid: Option<&[bool]>) -> Range<usize> {
        match self {
            Self::Full => 0..slots,
            Self::Causal => 0..i + 1,
            Self::SlidingWindow(window) => (i + 1).saturating_sub(window)..i + 1,
            Self::SymmetricWindow(half) => i.saturating_sub(half)..(i + half + 1).min(slots),
            Self::Chunked(chunk) => {
                let inside = i.saturating_sub(padding(valid)) % chunk;
                i - inside..i + 1
            }
            Self::Prefix(len) => 0..(padding(valid) + len).min(slots).max(i + 1),
        }
    }
}

/// Slots before the first token.
fn padding(valid: Option<&[bool]>) -> usize {
    valid.map_or(0, |valid| valid.iter().take_while(|v| !**v).count())
}
