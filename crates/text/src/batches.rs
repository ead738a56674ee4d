//! Texts of like length side by side.

use std::ops::Range;

use formwork_runtime::{Output, Texts};

use crate::engine::Engine;
use crate::error::{Error, Result};

/// Tokens that are read at once, with the padding that a model needs that does not pack its texts.
const TOKENS: usize = 1 << 14;

/// Reads texts in batches of at most `batch`, the longest first, so that little is padding where any is; gives `each` the place of a text and
/// its output, in no order.
pub(crate) fn read(
    engine: &mut impl Engine,
    texts: &Texts,
    batch: usize,
    mut each: impl FnMut(usize, Output) -> Result<()>,
) -> Result<()> {
    if batch == 0 {
        return Err(Error::usage("usage", "a batch has at least one text"));
    }
    let mut order: Vec<usize> = (0..texts.ids.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(texts.ids[*at].len()));
    let lengths: Vec<usize> = order.iter().map(|at| texts.ids[*at].len()).collect();
    for range in ranges(&lengths, batch) {
        let places = &order[range];
        let of = |rows: &[Vec<u32>]| match rows.is_empty() {
            true => Vec::new(),
            false => places.iter().map(|at| rows[*at].clone()).collect(),
        };
        let wanted = if texts.places.is_empty() {
            Vec::new()
        } else {
            places.iter().map(|at| texts.places[*at].clone()).collect()
        };
        let outputs = engine.read(&Texts { ids: of(&texts.ids), types: of(&texts.types), places: wanted })?;
        for (at, output) in places.iter().zip(outputs) {
            each(*at, output)?;
        }
    }
    Ok(())
}

/// Batches of texts whose lengths fall.
fn ranges(lengths: &[usize], batch: usize) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut start = 0;
    while let Some(longest) = lengths.get(start) {
        let count = (TOKENS / longest.max(&1)).clamp(1, batch);
        let end = (start + count).min(lengths.len());
        ranges.push(start..end);
        start = end;
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::{TOKENS, ranges};

    #[test]
    fn batches_are_bounded_by_texts_and_by_tokens() {
        assert_eq!(ranges(&[5, 4, 3, 2, 1], 2), [0..2, 2..4, 4..5]);
        assert_eq!(ranges(&[2 * TOKENS, TOKENS / 2, TOKENS / 2, 1], 8), [0..1, 1..3, 3..4]);
        assert!(ranges(&[], 8).is_empty());
    }
}
