//! Rotary position embedding: pairs of channels turn by an angle proportional to the position.

use std::f64::consts::PI;

use formwork_tensor::{Context, TableKey, Tensor, Tokens};

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
    key: TableKey,
}

impl Rope {
    /// The embedding of this configuration.
    pub fn new(config: RopeConfig) -> Self {
        assert!(config.d_rot % 2 == 0, "an odd number of channels cannot rotate in pairs");
        Self { config, key: key(&config) }
    }

    /// Rotates `[B, S, H, d]` by the positions of its tokens, in place.
    pub fn apply(&self, ctx: &Context, mut x: Tensor, tokens: &Tokens) -> Tensor {
        let [b, s, heads, d] = x.axes("rope");
        assert_eq!((b, s), (tokens.batch(), tokens.len()), "one position per token");
        assert!(self.config.d_rot <= d, "more rotating channels than channels");
        let half = self.config.d_rot / 2;
        if half == 0 {
            return x;
        }
        let table = ctx.table(tokens.step(), self.key, || self.table(ctx, tokens));
        let (cos, sin) = table.data().split_at(b * s * half);
        let (data, device) = x.split_device();
        device.threads().rows(data, heads * d, |first, rows| {
            for (offset, token) in rows.chunks_exact_mut(heads * d).enumerate() {
                let at = (first + offset) * half;
                let (cos, sin) = (&cos[at..at + half], &sin[at..at + half]);
                for head in token.chunks_exact_mut(d) {
                    rotate(&mut head[..2 * half], cos, sin, self.config.layout);
                }
            }
        });
        x
    }

    /// Cosines, then sines, of every token: `[2, B·S, d_rot/2]`.
    fn table(&self, ctx: &Context, tokens: &Tokens) -> Tensor {
        let positions = tokens.positions.data();
        let longest = positions.iter().max().map_or(0, |last| *last as usize + 1);
        let frequencies = frequencies(&self.config, longest);
        let factor = attention_factor(&self.config.scaling) as f32;
        let mut table = ctx.tensor(&[2, positions.len(), frequencies.len()]);
        let (cos, sin) = table.data_mut().split_at_mut(positions.len() * frequencies.len());
        let rows = cos.chunks_exact_mut(frequencies.len());
        let rows = rows.zip(sin.chunks_exact_mut(frequencies.len()));
        for (&position, (cos, sin)) in positions.iter().zip(rows) {
            for (i, frequency) in frequencies.iter().enumerate() {
                // The reference rounds the angle to f32; so must we.
                let angle = f64::from(position as f32 * frequency);
                cos[i] = angle.cos() as f32 * factor;
                sin[i] = angle.sin() as f32 * factor;
            }
        }
        table
    }
}

/// Turns every pair of one head by its angle.
fn rotate(x: &mut [f32], cos: &[f32], sin: &[f32], layout: RopeLayout) {
    match layout {
        RopeLayout::HalfSplit => {
            let (left, right) = x.split_at_mut(cos.len());
            let pairs = left.iter_mut().zip(right).zip(cos.iter().zip(sin));
            for ((x, y), (cos, sin)) in pairs {
                (*x, *y) = (*x * cos - *y * sin, *y * cos + *x * sin);
            }
        }
        RopeLayout::Interleaved => {
            for (pair, (cos, sin)) in x.chunks_exact_mut(2).zip(cos.iter().zip(sin)) {
                let (x, y) = (pair[0], pair[1]);
                pair[0] = x * cos - y * sin;
                pair[1] = y * cos + x * sin;
            }
        }
    }
}

/// The angle per position of every pair, for sequences of up to `longest` tokens.
fn frequencies(config: &RopeConfig, longest: usize) -> Vec<f32> {
    let d = config.d_rot as f64;
    let pairs = config.d_rot / 2;
    let plain = |theta: f64| (0..pairs).map(move |i| theta.powf(-2.0 * i as f64 / d));
    let scaled: Vec<f64> = match config.scaling {
        RopeScaling::None => plain(config.theta).collect(),
        RopeScaling::Linear { factor } => plain(config.theta).map(|f| f / factor).collect(),
        RopeScaling::DynamicNtk { factor, original_max } => {
            let length = longest.max(original_max) as f64;
            let stretch = factor * length / original_max as f64 - (factor - 1.0);
            plain(config.theta * stretch.powf(d / (d - 2.0))).collect()
        }
        RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_max } => {
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
        RopeScaling::LongRope { short, long, original_max, .. } => {
            let divisors = if longest > original_max { long } else { short };
            assert_eq!(divisors.len(), pairs, "one divisor per rotating pair");
            plain(config.theta).zip(divisors).map(|(f, divisor)| f / divisor).collect()
        }
    };
    scaled.into_iter().map(|f| f as f32).collect()
}

/// How much of each unscaled frequency YaRN keeps, from 0 to 1.
fn yarn_kept(config: &RopeConfig) -> Vec<f64> {
    let RopeScaling::Yarn { beta_fast, beta_slow, original_max, truncate, .. } = config.scaling
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
fn attention_factor(scaling: &RopeScaling) -> f64 {
    match *scaling {
        RopeScaling::Yarn { attention_factor, .. }
        | RopeScaling::LongRope { attention_factor, .. } => attention_factor,
        _ => 1.0,
    }
}

/// Equal for embeddings that share their tables.
fn key(config: &RopeConfig) -> TableKey {
    let (kind, values) = match config.scaling {
        RopeScaling::None => (0, [0.0; 6]),
        RopeScaling::Linear { factor } => (1, [factor, 0.0, 0.0, 0.0, 0.0, 0.0]),
        RopeScaling::DynamicNtk { factor, original_max } => {
            (2, [factor, original_max as f64, 0.0, 0.0, 0.0, 0.0])
        }
        RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_max } => {
            (3, [factor, low_freq_factor, high_freq_factor, original_max as f64, 0.0, 0.0])
        }
        RopeScaling::Yarn {
            factor,
            beta_fast,
            beta_slow,
            original_max,
            attention_factor,
            truncate,
        } => {
            let max = original_max as f64;
            let truncate = f64::from(u8::from(truncate));
            (4, [factor, beta_fast, beta_slow, max, attention_factor, truncate])
        }
        RopeScaling::LongRope { short, long, original_max, attention_factor } => {
            let [short, long] = [short, long].map(|divisors| f64::from_bits(divisors.as_ptr() as u64));
            (5, [short, long, original_max as f64, attention_factor, 0.0, 0.0])
        }
    };
    let mut key = [0; 10];
    key[..3].copy_from_slice(&[kind, config.d_rot as u64, config.theta.to_bits()]);
    key[3..9].copy_from_slice(&values.map(f64::to_bits));
    key
}
