//! Logits as logarithms of probabilities.

use std::cmp::Ordering;

/// The logarithms of the softmax of one row of logits, each when asked for.
#[derive(Clone, Copy)]
pub(crate) struct LogSoftmax<'a> {
    logits: &'a [f32],
    /// The logarithm of the sum of all exponentials.
    whole: f64,
}

impl<'a> LogSoftmax<'a> {
    pub(crate) fn of(logits: &'a [f32]) -> Self {
        let largest = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        let sum: f64 = logits.iter().map(|x| (f64::from(*x) - largest).exp()).sum();
        Self { logits, whole: largest + sum.ln() }
    }

    /// Of one id, in nats.
    pub(crate) fn at(&self, id: u32) -> f64 {
        f64::from(self.logits[id as usize]) - self.whole
    }

    /// The `count` likeliest ids, the likeliest first; the lowest of equals.
    pub(crate) fn likeliest(&self, count: usize) -> Vec<(u32, f64)> {
        let order = |a: &u32, b: &u32| -> Ordering {
            self.logits[*b as usize].total_cmp(&self.logits[*a as usize]).then(a.cmp(b))
        };
        let mut ids: Vec<u32> = (0..).zip(self.logits).filter(|(_, x)| !x.is_nan()).map(|(id, _)| id).collect();
        if count < ids.len() {
            ids.select_nth_unstable_by(count, order);
            ids.truncate(count);
        }
        ids.sort_unstable_by(order);
        ids.into_iter().map(|id| (id, self.at(id))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::LogSoftmax;

    #[test]
    fn the_likeliest_come_first() {
        let logits = [0.0, 2.0_f32.ln(), f32::NEG_INFINITY, 0.0];
        let row = LogSoftmax::of(&logits);
        let near = |found: f64, share: f64| assert!((found - share.ln()).abs() < 1e-7, "{found} not ln {share}");
        near(row.at(0), 0.25);
        near(row.at(1), 0.5);
        assert_eq!(row.at(2), f64::NEG_INFINITY);
        let ids: Vec<u32> = row.likeliest(3).iter().map(|choice| choice.0).collect();
        assert_eq!(ids, [1, 0, 3]);
        assert_eq!(row.likeliest(9).len(), 4);
    }
}
