//! Rotary position embedding: pairs of channels turn by an angle proportional to the position.

use std::sync::Arc;

use formwork_tensor::{Context, TableKey, Tensor, Tokens, threads};

pub use super::scaling::RopeScaling;
use super::scaling::{attention_factor, frequencies};

/// Which channels form a rotated pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RopeLayout {
    /// Channel `i` with `i + d_rot/2`.
    HalfSplit,
    /// Channel `2i` with `2i + 1`.
    Interleaved,
    /// Reads channel `2i` with `2i + 1` and writes channel `i` with `i + d_rot/2`.
    PairsToHalves,
    /// Channel `i + d_rot/2` with `i`: half split, turning the other way.
    HalfSwapped,
}

/// What a rotary embedding does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RopeConfig {
    /// The channels that rotate; the others pass.
    pub d_rot: usize,
    /// Whether they are the last ones of a head rather than the first.
    pub trailing: bool,
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
        assert!(
            config.d_rot > 0 && config.d_rot.is_multiple_of(2),
            "channels rotate in pairs, not {}",
            config.d_rot
        );
        Self {
            config,
            key: key(&config),
        }
    }

    /// Rotates `[B, S, H, d]` by the positions of its tokens, in place.
    pub fn apply(&self, ctx: &Context, x: Tensor, tokens: &Tokens) -> Tensor {
        self.apply_at(ctx, x, tokens, 0, |position| position)
    }

    /// Rotates by other positions than the tokens' own, in place; a `map` has a number of its own, of those that a step uses.
    pub(crate) fn apply_at(&self, ctx: &Context, mut x: Tensor, tokens: &Tokens, map: u64, position: impl Fn(u32) -> u32) -> Tensor {
        let [_, _, heads, d] = x.axes("rope");
        let turns = self.turns(ctx, &x, tokens, map, position);
        let (data, device) = x.split_device();
        device.threads().rows(data, heads * d, |first, rows| turns.rotate_all(first, rows, heads));
        x
    }

    /// The angles by which the heads of `x` `[B, S, H, d]` turn at the positions of its tokens.
    pub(crate) fn turns_of(&self, ctx: &Context, x: &Tensor, tokens: &Tokens) -> Turns {
        self.turns(ctx, x, tokens, 0, |position| position)
    }

    fn turns(&self, ctx: &Context, x: &Tensor, tokens: &Tokens, map: u64, position: impl Fn(u32) -> u32) -> Turns {
        let [b, s, _, width] = x.axes("rope");
        assert_eq!(
            (b, s),
            (tokens.batch(), tokens.len()),
            "one position per token"
        );
        assert!(
            self.config.d_rot <= width,
            "more rotating channels than channels"
        );
        let mut key = self.key;
        key[9] = map;
        let table = ctx.table(tokens.step(), key, || self.table(ctx, tokens, &position));
        Turns { table, config: self.config, tokens: b * s, width }
    }

    /// Cosines, then sines, of every token: `[2, B·S, d_rot/2]`.
    fn table(&self, ctx: &Context, tokens: &Tokens, map: &impl Fn(u32) -> u32) -> Tensor {
        let positions = tokens.positions.data();
        let longest = positions.iter().map(|p| map(*p)).max().map_or(0, |last| last as usize + 1);
        let frequencies = frequencies(&self.config, longest);
        let factor = attention_factor(&self.config.scaling) as f32;
        let mut table = ctx.tensor(&[2, positions.len(), frequencies.len()]);
        let (cos, sin) = table
            .data_mut()
            .split_at_mut(positions.len() * frequencies.len());
        let rows = cos.chunks_exact_mut(frequencies.len());
        let rows = rows.zip(sin.chunks_exact_mut(frequencies.len()));
        for (&position, (cos, sin)) in positions.iter().zip(rows) {
            for (i, frequency) in frequencies.iter().enumerate() {
                // The reference rounds the angle to f32; so must we.
                let angle = f64::from(map(position) as f32 * frequency);
                cos[i] = angle.cos() as f32 * factor;
                sin[i] = angle.sin() as f32 * factor;
            }
        }
        table
    }
}

/// The angles of a step's tokens, for heads of one width.
pub(crate) struct Turns {
    table: Arc<Tensor>,
    config: RopeConfig,
    tokens: usize,
    width: usize,
}

impl Turns {
    /// Rotates the heads of one token.
    pub(crate) fn rotate(&self, token: usize, heads: &mut [f32]) {
        let half = self.config.d_rot / 2;
        let (cos, sin) = self.table.data().split_at(self.tokens * half);
        let [cos, sin] = [cos, sin].map(|of| &of[token * half..][..half]);
        let start = if self.config.trailing { self.width - 2 * half } else { 0 };
        for head in heads.chunks_exact_mut(self.width) {
            rotate(&mut head[start..start + 2 * half], cos, sin, self.config.layout);
        }
    }

    /// Rotates the tokens from `first` on, of so many heads each.
    pub(crate) fn rotate_all(&self, first: usize, rows: &mut [f32], heads: usize) {
        let tokens = rows.chunks_exact_mut(heads * self.width).enumerate();
        tokens.for_each(|(offset, token)| self.rotate(first + offset, token));
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
        RopeLayout::HalfSwapped => {
            let (left, right) = x.split_at_mut(cos.len());
            let pairs = right.iter_mut().zip(left).zip(cos.iter().zip(sin));
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
        RopeLayout::PairsToHalves => {
            rotate(x, cos, sin, RopeLayout::Interleaved);
            threads::scratch(x.len(), |pairs| {
                pairs.copy_from_slice(x);
                let (left, right) = x.split_at_mut(cos.len());
                for ((left, right), pair) in left.iter_mut().zip(right).zip(pairs.chunks_exact(2)) {
                    (*left, *right) = (pair[0], pair[1]);
                }
            });
        }
    }
}

/// Equal for embeddings that share their tables.
fn key(config: &RopeConfig) -> TableKey {
    let (kind, values) = match config.scaling {
        RopeScaling::None => (0, [0.0; 6]),
        RopeScaling::Linear { factor } => (1, [factor, 0.0, 0.0, 0.0, 0.0, 0.0]),
        RopeScaling::DynamicNtk {
            factor,
            original_max,
        } => (2, [factor, original_max as f64, 0.0, 0.0, 0.0, 0.0]),
        RopeScaling::Llama3 {
            factor,
            low_freq_factor,
            high_freq_factor,
            original_max,
        } => (
            3,
            [
                factor,
                low_freq_factor,
                high_freq_factor,
                original_max as f64,
                0.0,
                0.0,
            ],
        ),
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
            (
                4,
                [
                    factor,
                    beta_fast,
                    beta_slow,
                    max,
                    attention_factor,
                    truncate,
                ],
            )
        }
        RopeScaling::LongRope {
            short,
            long,
            original_max,
            attention_factor,
        } => {
            let [short, long] =
                [short, long].map(|divisors| f64::from_bits(divisors.as_ptr() as u64));
            (
                5,
                [short, long, original_max as f64, attention_factor, 0.0, 0.0],
            )
        }
    };
    let mut key = [0; 10];
    key[..3].copy_from_slice(&[kind, config.d_rot as u64, config.theta.to_bits()]);
    key[3..9].copy_from_slice(&values.map(f64::to_bits));
    key
}
