//! Frequencies of rotary embeddings, and how they are stretched for long contexts.

use std::f64::consts::PI;

use super::kernel::RopeConfig;

/// How frequencies are changed for contexts longer than trained on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RopeScaling {
    /// Not at all.
    None,
    /// Positions divided by `factor`.
    Linear {
        /// By how much.
        factor: f64,
    },
    /// The base grows with the length of the sequence beyond `original_max`.
    DynamicNtk {
        /// How fast.
        factor: f64,
        /// The trained length.
        original_max: usize,
    },
    /// Low frequencies divided by `factor`, high ones kept, those between blended.
    Llama3 {
        /// By how much.
        factor: f64,
        /// Wavelengths above `original_max / low_freq_factor` are low frequencies.
        low_freq_factor: f64,
        /// Wavelengths below `original_max / high_freq_factor` are high frequencies.
        high_freq_factor: f64,
        /// The trained length.
        original_max: usize,
    },
    /// YaRN: a ramp over dimensions between scaled and unscaled frequencies.
    Yarn {
        /// By how much.
        factor: f64,
        /// Rotations above which a dimension is kept.
        beta_fast: f64,
        /// Rotations below which a dimension is scaled.
        beta_slow: f64,
        /// The trained length.
        original_max: usize,
        /// Multiplies sines and cosines.
        attention_factor: f64,
        /// Whether the ends of the ramp are rounded to whole dimensions.
        truncate: bool,
    },
    /// LongRoPE: one divisor per dimension, for short and for long sequences.
    LongRope {
        /// Divisors up to `original_max` tokens.
        short: &'static [f64],
        /// Divisors beyond.
        long: &'static [f64],
        /// The trained length.
        original_max: usize,
        /// Multiplies sines and cosines.
        attention_factor: f64,
    },
}

/// The angle per position of every pair, for sequences of up to `longest` tokens.
pub(crate) fn frequencies(config: &RopeConfig, longest: usize) -> Vec<f32> {
    let d = config.d_rot as f64;
    let pairs = config.d_rot / 2;
    let plain = |theta: f64| (0..pairs).map(move |i| theta.powf(-2.0 * i as f64 / d));
    let scaled: Vec<f64> = match config.scaling {
        RopeScaling::None => plain(config.theta).collect(),
        RopeScaling::Linear { factor } => plain(config.theta).map(|f| f / factor).collect(),
        RopeScaling::DynamicNtk {
            factor,
            original_max,
        } => {
            let length = longest.max(original_max) as f64;
            let stretch = factor * length / original_max as f64 - (factor - 1.0);
            plain(config.theta * stretch.powf(d / (d - 2.0))).collect()
        }
        RopeScaling::Llama3 {
            factor,
            low_freq_factor,
            high_freq_factor,
            original_max,
        } => {
            let blend = |f: f64| {
                let rotations = original_max as f64 * f / (2.0 * PI);
                let smooth = (rotations - low_freq_factor) / (high_freq_factor - low_freq_factor);
                let smooth = smooth.clamp(0.0, 1.0);
                (1.0 - smooth) * f / factor + smooth * f
            };
            plain(config.theta).map(blend).collect()
        }
        RopeScaling::Yarn { factor, .. } => {
            let kept = yarn_kept(config);
            let blend = |(f, kept): (f64, f64)| f / factor * (1.0 - kept) + f * kept;
            plain(config.theta).zip(kept).map(blend).collect()
        }
        RopeScaling::LongRope {
            short,
            long,
            original_max,
            ..
        } => {
            let divisors = if longest > original_max { long } else { short };
            assert_eq!(divisors.len(), pairs, "one divisor per rotating pair");
            plain(config.theta)
                .zip(divisors)
                .map(|(f, divisor)| f / divisor)
                .collect()
        }
    };
    scaled.into_iter().map(|f| f as f32).collect()
}

/// How much of each unscaled frequency YaRN keeps, from 0 to 1.
fn yarn_kept(config: &RopeConfig) -> Vec<f64> {
    let RopeScaling::Yarn {
        beta_fast,
        beta_slow,
        original_max,
        truncate,
        ..
    } = config.scaling
    else {
        return Vec::new();
    };
    let d = config.d_rot as f64;
    let dimension = |rotations: f64| {
        d * (original_max as f64 / (rotations * 2.0 * PI)).ln() / (2.0 * config.theta.ln())
    };
    let (mut low, mut high) = (dimension(beta_fast), dimension(beta_slow));
    if truncate {
        (low, high) = (low.floor(), high.ceil());
    }
    (low, high) = (low.max(0.0), high.min(d - 1.0));
    if low == high {
        high += 0.001;
    }
    let ramp = |i: usize| ((i as f64 - low) / (high - low)).clamp(0.0, 1.0);
    (0..config.d_rot / 2).map(|i| 1.0 - ramp(i)).collect()
}

/// What sines and cosines are multiplied by.
pub(crate) fn attention_factor(scaling: &RopeScaling) -> f64 {
    match *scaling {
        RopeScaling::Yarn {
            attention_factor, ..
        }
        | RopeScaling::LongRope {
            attention_factor, ..
        } => attention_factor,
        _ => 1.0,
    }
}
