//! Repeated measurements of one quantity.

use serde_json::{Value, json};

/// Measurements of one quantity, in the order they were taken.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sample(Vec<f64>);

impl Sample {
    pub(super) fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    /// The middle one, or the mean of the two in the middle; `None` without any.
    pub(super) fn median(&self) -> Option<f64> {
        let sorted = self.sorted();
        let at = sorted.len().checked_sub(1)?;
        Some((sorted[at / 2] + sorted[at.div_ceil(2)]) / 2.0)
    }

    /// The smallest and the largest.
    pub(super) fn range(&self) -> Option<(f64, f64)> {
        let sorted = self.sorted();
        Some((*sorted.first()?, *sorted.last()?))
    }

    /// The same as numbers of another quantity.
    pub(super) fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        Self(self.0.iter().map(|value| f(*value)).collect())
    }

    pub(super) fn json(&self) -> Value {
        match (self.median(), self.range()) {
            (Some(median), Some((min, max))) => json!({ "median": median, "min": min, "max": max }),
            _ => Value::Null,
        }
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }
}

#[cfg(test)]
mod tests {
    use super::Sample;

    #[test]
    fn medians_are_in_the_middle() {
        let of = |values: &[f64]| Sample(values.to_vec()).median();
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[3.0]), Some(3.0));
        assert_eq!(of(&[5.0, 1.0]), Some(3.0));
        assert_eq!(of(&[9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(Sample(vec![2.0, 7.0, 1.0]).range(), Some((1.0, 7.0)));
    }
}
