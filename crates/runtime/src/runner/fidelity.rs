//! How near the rows of two models' outputs are.

use formwork_tensor::{Error, Result};
use serde_json::{Value, json};

/// Sums over rows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fidelity {
    rows: usize,
    /// The Kullback-Leibler divergences of the softmaxes, in nats.
    divergence: f64,
    worst: f64,
    /// Rows whose largest entry is the same.
    same_top: usize,
    squares: f64,
    total: f64,
}

impl Fidelity {
    /// Takes in a row of the reference and of the other.
    ///
    /// # Errors
    /// If one of them is not a row that anything can be compared with.
    pub(super) fn row(&mut self, reference: &[f32], other: &[f32]) -> Result<()> {
        for (row, whose) in [(reference, "the original weights"), (other, "the new weights")] {
            if !is_sound(row) {
                let message = format!("at token {}, the outputs of {whose} are not finite", self.rows);
                let error = Error::new("outputs-not-finite", message);
                return Err(error.help("the model overflows on these ids: choose another format, or another text"));
            }
        }
        let divergence = divergence(reference, other);
        self.rows += 1;
        self.divergence += divergence;
        self.worst = self.worst.max(divergence);
        self.same_top += usize::from(top(reference) == top(other));
        for (x, y) in reference.iter().zip(other).filter(|(x, _)| x.is_finite()) {
            self.squares += f64::from(x - y).powi(2);
            self.total += f64::from(*x).powi(2);
        }
        Ok(())
    }

    fn relative_rms(&self) -> f64 {
        if self.squares == 0.0 { 0.0 } else { (self.squares / self.total).sqrt() }
    }

    fn per_row(&self, sum: f64) -> f64 {
        sum / self.rows.max(1) as f64
    }

    /// Figures of outputs of this name.
    pub(super) fn json(&self, output: &str) -> Value {
        let mut all = json!({ "rows": self.rows, "relative_rms": self.relative_rms() });
        if output == "logits" {
            all["kl"] = self.per_row(self.divergence).into();
            all["kl_max"] = self.worst.into();
            all["same_top"] = self.per_row(self.same_top as f64).into();
        }
        all
    }

    /// The same for people.
    pub(super) fn text(&self, output: &str) -> String {
        let (rows, rms) = (self.rows, self.relative_rms());
        if output != "logits" {
            return format!("{output} over {rows} tokens: relative error {rms:.5}");
        }
        let (mean, worst, same) =
            (self.per_row(self.divergence), self.worst, 100.0 * self.per_row(self.same_top as f64));
        format!(
            "logits over {rows} tokens: KL divergence {mean:.3e} nats, at most {worst:.3e}; relative error {rms:.5}; \
             the likeliest id is the same for {same:.1} %"
        )
    }
}

/// Whether probabilities can be made of a row: minus infinity is a logit of what never comes, but something has to come.
fn is_sound(row: &[f32]) -> bool {
    row.iter().all(|x| *x < f32::INFINITY) && row.iter().any(|x| x.is_finite())
}

/// `Σ p ln(p / q)` for `p` and `q` the softmaxes of the reference's and the other's logits.
fn divergence(reference: &[f32], other: &[f32]) -> f64 {
    let (p, q) = (normaliser(reference), normaliser(other));
    let term = |(x, y): (&f32, &f32)| {
        let (x, y) = (f64::from(*x) - p, f64::from(*y) - q);
        if x == f64::NEG_INFINITY { 0.0 } else { x.exp() * (x - y) }
    };
    reference.iter().zip(other).map(term).sum::<f64>().max(0.0)
}

/// The logarithm of the sum of exponentials.
fn normaliser(logits: &[f32]) -> f64 {
    let largest = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    largest + logits.iter().map(|x| (f64::from(*x) - largest).exp()).sum::<f64>().ln()
}

fn top(row: &[f32]) -> Option<usize> {
    (0..row.len()).max_by(|a, b| row[*a].total_cmp(&row[*b]))
}

#[cfg(test)]
mod tests {
    use super::Fidelity;

    #[test]
    fn divergence_is_that_of_the_softmaxes() {
        let mut fidelity = Fidelity::default();
        // p = (1/2, 1/2), q = (1/4, 3/4): ln(2)/2 + ln(2/3)/2.
        fidelity.row(&[0.0, 0.0], &[0.0, 3.0_f32.ln()]).unwrap();
        fidelity.row(&[1.0, f32::NEG_INFINITY], &[7.0, f32::NEG_INFINITY]).unwrap();
        assert!((fidelity.divergence - 0.5 * (4.0_f64 / 3.0).ln()).abs() < 1e-7, "{fidelity:?}");
        assert_eq!((fidelity.rows, fidelity.same_top), (2, 2));
        assert!(fidelity.relative_rms().is_finite());
    }

    #[test]
    fn rows_that_are_not_finite_are_no_agreement() {
        for broken in [[0.0, f32::NAN], [0.0, f32::INFINITY], [f32::NEG_INFINITY; 2]] {
            let mut fidelity = Fidelity::default();
            fidelity.row(&[0.0, 0.0], &[0.0, 0.0]).unwrap();
            for (x, y) in [([0.0, 0.0], broken), (broken, [0.0, 0.0]), (broken, broken)] {
                let error = fidelity.row(&x, &y).unwrap_err();
                assert_eq!(error.code, "outputs-not-finite");
                assert!(error.message.starts_with("at token 1,"), "{error}");
            }
            assert_eq!(fidelity.rows, 1);
        }
    }
}
