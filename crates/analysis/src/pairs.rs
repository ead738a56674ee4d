//! How many pairs of queries and keys a mask lets through.

use formwork_ops::{Pattern, Visibility};

use crate::run::Run;
use crate::{AnalysisError, exact};

const FIGURE: &str = "the visible pairs of attention";

/// Visible pairs of one head of one sequence: `queries` new positions after `past`, over `keys` positions in all.
pub(crate) fn visible(mask: &Visibility, run: &Run, queries: u128, keys: u128) -> Result<u128, AnalysisError> {
    let past = keys.saturating_sub(queries);
    match mask {
        Visibility::Full => exact::mul(FIGURE, queries, keys),
        Visibility::Causal => triangle(past, queries),
        Visibility::Window(size) => window(past, queries, run.value(size, FIGURE)?),
        Visibility::Symmetric(half) => symmetric(queries, run.value(half, FIGURE)?),
        Visibility::Chunked(size) => chunked(past, queries, run.value(size, FIGURE)?.max(1)),
        Visibility::Prefix(size) => prefix(past, queries, run.value(size, FIGURE)?),
        Visibility::Sparse(pattern) => sparse(*pattern, past, queries),
        Visibility::Chosen(count) => window(past, queries, run.value(count, FIGURE)?),
        Visibility::Groups(groups) => {
            groups.iter().try_fold(0, |sum, group| exact::add(FIGURE, sum, visible(group, run, queries, keys)?))
        }
    }
}

/// Keys that the last position sees: what one step of decoding reads.
pub(crate) fn last(mask: &Visibility, run: &Run, keys: u128) -> Result<u128, AnalysisError> {
    visible(mask, run, 1, keys)
}

/// How many groups of heads a mask tells apart.
pub(crate) fn groups(mask: &Visibility) -> u128 {
    if let Visibility::Groups(groups) = mask { exact::count(groups.len()) } else { 1 }
}

/// Counted query by query.
fn sparse(pattern: Pattern, past: u128, queries: u128) -> Result<u128, AnalysisError> {
    let end = exact::add(FIGURE, past, queries)?;
    let too_long =
        |_| AnalysisError::BadQuestion(format!("{end} tokens are too many to count a sparse pattern's pairs"));
    let size = |n: u128| usize::try_from(n).map_err(too_long);
    let (first, len) = (size(past)?, size(end)?);
    (first..len).try_fold(0, |sum, i| exact::add(FIGURE, sum, exact::count(pattern.count(i, len))))
}

/// Each query sees the past and itself: `S·p + S(S+1)/2`.
fn triangle(past: u128, queries: u128) -> Result<u128, AnalysisError> {
    let after = exact::mul(FIGURE, queries, exact::add(FIGURE, queries, 1)?)? / 2;
    exact::add(FIGURE, exact::mul(FIGURE, queries, past)?, after)
}

/// The sum of `min(i, W)` over the positions `i` after `past`, counted from one.
fn window(past: u128, queries: u128, size: u128) -> Result<u128, AnalysisError> {
    let growing = size.saturating_sub(past).min(queries);
    exact::add(FIGURE, triangle(past, growing)?, exact::mul(FIGURE, queries - growing, size)?)
}

/// Keys at most `half` away on either side; `S(2w+1) - w(w+1)` once the sequence is longer than `w`.
fn symmetric(queries: u128, half: u128) -> Result<u128, AnalysisError> {
    if queries <= half {
        return exact::mul(FIGURE, queries, queries);
    }
    let width = exact::add(FIGURE, exact::mul(FIGURE, half, 2)?, 1)?;
    Ok(exact::mul(FIGURE, queries, width)? - exact::mul(FIGURE, half, half + 1)?)
}

/// Positions see their own chunk up to themselves: the whole triangles minus what came before `past`.
fn chunked(past: u128, queries: u128, size: u128) -> Result<u128, AnalysisError> {
    let until = |end: u128| -> Result<u128, AnalysisError> {
        exact::add(FIGURE, exact::mul(FIGURE, end / size, triangle(0, size)?)?, triangle(0, end % size)?)
    };
    Ok(until(exact::add(FIGURE, past, queries)?)? - until(past)?)
}

/// Queries inside the first `size` positions see all of these that there are, later ones the past and themselves.
fn prefix(past: u128, queries: u128, size: u128) -> Result<u128, AnalysisError> {
    let end = exact::add(FIGURE, past, queries)?;
    let inside = size.min(end).saturating_sub(past);
    let first = exact::mul(FIGURE, inside, size.min(end))?;
    exact::add(FIGURE, first, triangle(exact::add(FIGURE, past, inside)?, queries - inside)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(past: u128, queries: u128, sees: impl Fn(u128, u128) -> bool) -> u128 {
        (past..past + queries).map(|i| exact::count((0..past + queries).filter(|j| sees(i, *j)).count())).sum()
    }

    #[test]
    fn closed_forms_equal_counting() {
        for (past, queries, w) in [(0, 7, 3), (5, 4, 3), (2, 9, 6), (0, 3, 8), (10, 1, 4), (3, 6, 1)] {
            assert_eq!(triangle(past, queries), Ok(count(past, queries, |i, j| j <= i)));
            assert_eq!(window(past, queries, w), Ok(count(past, queries, |i, j| j <= i && i - j < w)));
            assert_eq!(chunked(past, queries, w), Ok(count(past, queries, |i, j| j <= i && i / w == j / w)));
            assert_eq!(prefix(past, queries, w), Ok(count(past, queries, |i, j| j <= i || j < w)));
            assert_eq!(symmetric(queries, w), Ok(count(0, queries, |i, j| i.abs_diff(j) <= w)));
        }
    }
}
