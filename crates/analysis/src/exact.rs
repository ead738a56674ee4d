//! Checked arithmetic on counts: an overflow names the figure and its factors, it never wraps.

use crate::AnalysisError;

/// `a + b`.
pub(crate) fn add(figure: &str, a: u128, b: u128) -> Result<u128, AnalysisError> {
    a.checked_add(b).ok_or_else(|| overflow(figure, a, "+", b))
}

/// `a · b`.
pub(crate) fn mul(figure: &str, a: u128, b: u128) -> Result<u128, AnalysisError> {
    a.checked_mul(b).ok_or_else(|| overflow(figure, a, "·", b))
}

/// A count as a real number, for ratios and bounds.
#[expect(clippy::cast_precision_loss, reason = "ratios are shown with a few digits")]
pub(crate) fn real(count: u128) -> f64 {
    count as f64
}

/// A length of a list as a count.
pub(crate) fn count(len: usize) -> u128 {
    len as u128
}

fn overflow(figure: &str, a: u128, sign: &str, b: u128) -> AnalysisError {
    AnalysisError::Overflow { figure: figure.to_string(), factors: format!("{a} {sign} {b}") }
}
