//! Choosing the next id from logits. Reproducible: our own generator, plain `f32` arithmetic.

use formwork_tensor::lanes::exp;
use formwork_tensor::{Error, Result};

/// How the next id is chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// 0: the likeliest id; else logits are divided by it.
    pub temperature: f32,
    /// Keep so many of the likeliest ids; 0: all.
    pub top_k: usize,
    /// Keep the likeliest ids that reach this probability together.
    pub top_p: f32,
    /// Drop ids less likely than this share of the likeliest.
    pub min_p: f32,
    /// Weakens ids that have occurred; 1: not.
    pub repetition_penalty: f32,
    /// Starts the generator.
    pub seed: u64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { temperature: 0.0, top_k: 0, top_p: 1.0, min_p: 0.0, repetition_penalty: 1.0, seed: 0 }
    }
}

/// Chooses ids one after the other.
#[derive(Clone, Debug)]
pub struct Sampler {
    options: Sampling,
    state: u64,
}

impl Sampler {
    /// # Errors
    /// `sampling-option` if an option is out of its range.
    pub fn new(options: Sampling) -> Result<Self> {
        let unit = 0.0..=1.0;
        let wrong = if !(options.temperature.is_finite() && options.temperature >= 0.0) {
            "temperature is 0 or more"
        } else if !(unit.contains(&options.top_p) && options.top_p > 0.0) {
            "top-p is above 0 and at most 1"
        } else if !unit.contains(&options.min_p) {
            "min-p is between 0 and 1"
        } else if !(options.repetition_penalty.is_finite() && options.repetition_penalty > 0.0) {
            "the repetition penalty is above 0"
        } else {
            return Ok(Self { options, state: options.seed });
        };
        Err(Error::usage("sampling-option", wrong))
    }

    /// The next id after the ids `seen`.
    ///
    /// # Errors
    /// `no-finite-logits` if no logit is a number above minus infinity.
    pub fn sample(&mut self, logits: &[f32], seen: &[u32]) -> Result<u32> {
        let options = self.options;
        let mut logits = logits.to_vec();
        if options.repetition_penalty != 1.0 {
            penalise(&mut logits, seen, options.repetition_penalty);
        }
        if options.temperature == 0.0 {
            return greedy(&logits);
        }
        let top = logits[greedy(&logits)? as usize];
        let mut choices: Vec<(u32, f32)> = (0..).zip(logits).filter(|c| !c.1.is_nan()).collect();
        choices.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        if options.top_k > 0 {
            choices.truncate(options.top_k);
        }
        for choice in &mut choices {
            let distance = if choice.1 == top { 0.0 } else { choice.1 - top };
            choice.1 = exp::<false>(distance / options.temperature);
        }
        keep_top_p(&mut choices, options.top_p);
        let least = options.min_p * choices[0].1;
        choices.retain(|choice| choice.1 >= least);
        Ok(self.draw(&choices))
    }

    /// An id with the probability of its weight.
    fn draw(&mut self, choices: &[(u32, f32)]) -> u32 {
        let total: f32 = choices.iter().map(|choice| choice.1).sum();
        let mut left = self.uniform() * total;
        for &(id, weight) in choices {
            if left < weight {
                return id;
            }
            left -= weight;
        }
        choices[0].0 // rounding left a rest
    }

    /// A number in [0, 1): SplitMix64.
    fn uniform(&mut self) -> f32 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1_u64 << 24) as f32
    }
}

/// The likeliest id; the lowest of equals.
///
/// # Errors
/// `no-finite-logits` if no logit is a number above minus infinity.
pub fn greedy(logits: &[f32]) -> Result<u32> {
    let mut best = None;
    for (id, &logit) in (0..).zip(logits) {
        if logit > best.map_or(f32::NEG_INFINITY, |(_, top)| top) {
            best = Some((id, logit));
        }
    }
    best.map(|(id, _)| id).ok_or_else(|| {
        Error::new("no-finite-logits", "the model gave no finite logit")
            .help("check the weights for NaN or infinite values")
    })
}

/// Divides positive and multiplies negative logits of ids that have occurred.
fn penalise(logits: &mut [f32], seen: &[u32], penalty: f32) {
    let mut seen = seen.to_vec();
    seen.sort_unstable();
    seen.dedup();
    for id in seen {
        if let Some(logit) = logits.get_mut(id as usize) {
            *logit = if *logit > 0.0 { *logit / penalty } else { *logit * penalty };
        }
    }
}

/// Cuts sorted choices where their sum reaches `p` of all.
fn keep_top_p(choices: &mut Vec<(u32, f32)>, p: f32) {
    if p == 1.0 {
        return;
    }
    let goal = p * choices.iter().map(|choice| choice.1).sum::<f32>();
    let mut sum = 0.0;
    let reached = choices.iter().position(|choice| {
        sum += choice.1;
        sum >= goal
    });
    choices.truncate(reached.map_or(choices.len(), |at| at + 1));
}

#[cfg(test)]
mod tests {
    use super::{Sampler, Sampling, greedy};

    fn many(options: Sampling, logits: &[f32]) -> Vec<u32> {
        let mut sampler = Sampler::new(options).unwrap();
        (0..500).map(|_| sampler.sample(logits, &[]).unwrap()).collect()
    }

    #[test]
    fn greedy_takes_the_lowest_of_equals() {
        assert_eq!(greedy(&[1.0, 3.0, f32::NAN, 3.0]).unwrap(), 1);
        for none in [&[f32::NAN; 2][..], &[f32::NEG_INFINITY], &[]] {
            assert_eq!(greedy(none).unwrap_err().code, "no-finite-logits");
        }
    }

    #[test]
    fn filters_narrow_the_choice() {
        let logits = [2.0, 1.0, 0.0, -1.0];
        let warm = Sampling { temperature: 1.0, seed: 7, ..Sampling::default() };
        assert_eq!(many(warm, &logits), many(warm, &logits));
        let share = many(warm, &logits).iter().filter(|id| **id == 0).count();
        assert!((270..370).contains(&share), "{share} of 500 where 322 are expected");
        let only = |options| many(options, &logits).into_iter().max().unwrap();
        assert_eq!(only(Sampling { top_k: 1, ..warm }), 0);
        assert_eq!(only(Sampling { top_k: 2, ..warm }), 1);
        assert_eq!(only(Sampling { top_p: 0.7, ..warm }), 1);
        assert_eq!(only(Sampling { min_p: 1.0, ..warm }), 0);
        assert_eq!(only(Sampling { temperature: 1e-9, ..warm }), 0);
    }

    #[test]
    fn a_penalty_weakens_what_was_seen() {
        let options = Sampling { repetition_penalty: 3.0, ..Sampling::default() };
        let mut sampler = Sampler::new(options).unwrap();
        assert_eq!(sampler.sample(&[2.0, 1.0], &[0, 0]).unwrap(), 1);
        assert_eq!(sampler.sample(&[-1.0, -2.0], &[0]).unwrap(), 1);
    }

    #[test]
    fn options_have_ranges() {
        let base = Sampling::default();
        for wrong in [
            Sampling { temperature: -1.0, ..base },
            Sampling { temperature: f32::NAN, ..base },
            Sampling { top_p: 2.0, ..base },
            Sampling { top_p: 0.0, ..base },
            Sampling { min_p: -0.1, ..base },
            Sampling { repetition_penalty: 0.0, ..base },
        ] {
            assert_eq!(Sampler::new(wrong).unwrap_err().code, "sampling-option");
        }
    }
}
