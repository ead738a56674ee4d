//! Ids with a shape, and one stream of tokens of a step.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};

/// Integer ids `[B, S]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ids {
    data: Vec<u32>,
    batch: usize,
}

impl Ids {
    /// Ids `[batch, data.len() / batch]`.
    ///
    /// # Errors
    /// `empty-input` if there is none, `input-shape` if the rows would differ in length.
    pub fn new(data: Vec<u32>, batch: usize) -> Result<Self> {
        if data.is_empty() || batch == 0 {
            return Err(Error::new("empty-input", "there are no ids").help("give at least one id"));
        }
        if !data.len().is_multiple_of(batch) {
            let message = format!("{} ids do not form {batch} rows of equal length", data.len());
            return Err(Error::new("input-shape", message));
        }
        Ok(Self { data, batch })
    }

    /// As many rows as are asked for, of numbers that an operator made; `data` divides evenly.
    pub fn rows_of(data: Vec<u32>, rows: usize) -> Self {
        assert!(rows > 0 && data.len().is_multiple_of(rows), "{} numbers in {rows} rows", data.len());
        Self { data, batch: rows }
    }

    /// Zeros `[batch, len]`.
    pub fn zeros(batch: usize, len: usize) -> Self {
        Self { data: vec![0; batch * len], batch }
    }

    /// All ids, row by row.
    pub fn data(&self) -> &[u32] {
        &self.data
    }

    /// All ids, row by row, to change.
    pub fn data_mut(&mut self) -> &mut [u32] {
        &mut self.data
    }

    /// The number of rows, `B`.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// The length of a row, `S`.
    #[allow(clippy::len_without_is_empty, reason = "ids are never empty")]
    pub fn len(&self) -> usize {
        self.data.len() / self.batch
    }

    /// The ids of one sequence.
    pub fn row(&self, index: usize) -> &[u32] {
        &self.data[index * self.len()..][..self.len()]
    }

    /// Every id plus `by`: learned positions that start above zero.
    pub fn offset(&self, by: u32) -> Self {
        Self { data: self.data.iter().map(|id| id + by).collect(), batch: self.batch }
    }
}

/// The tokens whose results the caller of a step wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Asked {
    /// Every new token's.
    #[default]
    All,
    /// Those of each sequence's last slot.
    Last,
}

/// One stream of tokens of this step: the new ids, where they stand, and which keys are padding.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// The new ids `[B, S]`.
    pub ids: Ids,
    /// The position of each new token `[B, S]`: how many valid tokens precede it.
    pub positions: Ids,
    /// Which of the slots `[B, past + S]` hold tokens rather than padding; `None`: all.
    pub valid: Option<Vec<bool>>,
    /// The number of slots that earlier steps filled.
    pub past: usize,
    /// Whose results are wanted.
    pub asked: Asked,
    /// Where the texts begin and end that are packed into the one row; empty: a row is a text.
    packed: Vec<Range<usize>>,
    step: u64,
}

impl Tokens {
    /// New tokens after `past` earlier ones. The mask `[B, past + S]` is false at padding, which
    /// may stand on either side.
    ///
    /// # Errors
    /// `mask-shape` if the mask has another number of elements.
    pub fn new(ids: Ids, past: usize, mask: Option<Vec<bool>>) -> Result<Self> {
        let (batch, len) = (ids.batch(), ids.len());
        let slots = past + len;
        let mask = mask.filter(|mask| mask.len() != batch * slots || mask.contains(&false));
        let mut positions = Vec::with_capacity(batch * len);
        match &mask {
            None => (0..batch).for_each(|_| positions.extend(past as u32..slots as u32)),
            Some(mask) if mask.len() != batch * slots => {
                let message = format!("the mask has {} elements, not {batch} x {slots}", mask.len());
                return Err(Error::new("mask-shape", message));
            }
            Some(mask) => {
                for row in mask.chunks_exact(slots) {
                    let mut count = 0_u32;
                    let counts = row.iter().map(|&valid| {
                        count += u32::from(valid);
                        count.saturating_sub(1)
                    });
                    positions.extend(counts.skip(past));
                }
            }
        }
        let positions = Ids { data: positions, batch };
        Ok(Self { ids, positions, valid: mask, past, asked: Asked::All, packed: Vec::new(), step: next_step() })
    }

    /// Whole texts of these lengths in one row, one after the other and without padding.
    ///
    /// # Errors
    /// `input-shape` unless the ids are one row, as long as the texts together, and every text has one.
    pub fn packed(ids: Ids, lengths: &[usize]) -> Result<Self> {
        if ids.batch() != 1 || ids.len() != lengths.iter().sum::<usize>() || lengths.contains(&0) {
            let message = format!("{} rows of {} ids are no texts of {lengths:?}", ids.batch(), ids.len());
            return Err(Error::new("input-shape", message));
        }
        let mut start = 0;
        let texts = lengths.iter().map(|length| {
            start += length;
            start - length..start
        });
        let packed = texts.collect();
        let positions = lengths.iter().flat_map(|length| 0..*length as u32).collect();
        let positions = Ids { data: positions, batch: 1 };
        Ok(Self { ids, positions, valid: None, past: 0, asked: Asked::All, packed, step: next_step() })
    }

    /// The same, with results wanted for these tokens.
    #[must_use]
    pub fn asking(mut self, asked: Asked) -> Self {
        self.asked = asked;
        self
    }

    /// The number of sequences, `B`.
    pub fn batch(&self) -> usize {
        self.ids.batch()
    }

    /// The number of new tokens of a sequence, `S`.
    #[allow(clippy::len_without_is_empty, reason = "a step has tokens")]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Where the texts are that are packed into the one row; none: a row is a text.
    pub fn packed_texts(&self) -> &[Range<usize>] {
        &self.packed
    }

    /// The new tokens of each text, among those `[B, S]` of all.
    pub fn texts(&self) -> Vec<Range<usize>> {
        match self.packed.is_empty() {
            true => (0..self.batch()).map(|row| row * self.len()..(row + 1) * self.len()).collect(),
            false => self.packed.clone(),
        }
    }

    /// The number of slots so far, `T` = past + `S`.
    pub fn slots(&self) -> usize {
        self.past + self.len()
    }

    /// Which slots of one sequence hold tokens; `None`: all.
    pub fn valid_row(&self, batch: usize) -> Option<&[bool]> {
        let slots = self.slots();
        self.valid.as_ref().map(|valid| &valid[batch * slots..][..slots])
    }

    /// Which of one sequence's new tokens are no padding; `None`: all.
    pub fn valid_new(&self, batch: usize) -> Option<&[bool]> {
        self.valid_row(batch).map(|valid| &valid[self.past..])
    }

    /// A number that no other step has: the key of what is computed once per step.
    pub fn step(&self) -> u64 {
        self.step
    }
}

fn next_step() -> u64 {
    static STEP: AtomicU64 = AtomicU64::new(0);
    STEP.fetch_add(1, Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::{Ids, Tokens};

    fn positions(past: usize, mask: Option<Vec<bool>>) -> Vec<u32> {
        let ids = Ids::new(vec![7; 4], 1).unwrap();
        Tokens::new(ids, past, mask).unwrap().positions.data().to_vec()
    }

    #[test]
    fn positions_count_valid_tokens() {
        assert_eq!(positions(0, None), [0, 1, 2, 3]);
        assert_eq!(positions(3, None), [3, 4, 5, 6]);
        assert_eq!(positions(0, Some(vec![false, false, true, true])), [0, 0, 0, 1]);
        assert_eq!(positions(0, Some(vec![true, true, false, false])), [0, 1, 1, 1]);
        assert_eq!(positions(2, Some(vec![false, true, true, true, true, true])), [1, 2, 3, 4]);
    }

    #[test]
    fn packed_texts_count_from_their_own_start() {
        let packed = |lengths: &[usize]| Tokens::packed(Ids::new(vec![7; 6], 1).unwrap(), lengths);
        let tokens = packed(&[2, 1, 3]).unwrap();
        assert_eq!(tokens.positions.data(), [0, 1, 0, 0, 1, 2]);
        assert_eq!(tokens.texts(), [0..2, 2..3, 3..6]);
        for lengths in [&[2, 3][..], &[6, 1], &[6, 0]] {
            assert_eq!(packed(lengths).unwrap_err().code, "input-shape");
        }
        let rows = Tokens::new(Ids::new(vec![7; 6], 2).unwrap(), 4, None).unwrap();
        assert_eq!(rows.texts(), [0..3, 3..6]);
    }

    #[test]
    fn a_mask_of_another_shape_is_refused() {
        let ids = Ids::new(vec![7; 4], 2).unwrap();
        assert_eq!(Tokens::new(ids, 1, Some(vec![true; 4])).unwrap_err().code, "mask-shape");
        assert_eq!(Ids::new(vec![], 1).unwrap_err().code, "empty-input");
        assert_eq!(Ids::new(vec![1, 2, 3], 2).unwrap_err().code, "input-shape");
    }
}
