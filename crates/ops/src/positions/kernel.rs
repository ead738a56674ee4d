//! Positions, and sinusoids of geometrically spaced frequencies at them.

use formwork_tensor::{Context, Ids, Tensor, Tokens};

/// The position of each token, counted from `offset`.
pub fn offset_positions(_ctx: &Context, tokens: &Tokens, offset: usize) -> Ids {
    tokens.positions.offset(offset as u32)
}

/// How sines and cosines share the last axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SinusoidalLayout {
    /// All sines, then all cosines.
    Halves,
    /// The same with frequencies that end at `1/theta` instead of one step before it.
    ClosedHalves,
    /// Sine and cosine of each frequency side by side.
    Interleaved,
}

/// `[B, S]` positions to `[B, S, d]`: frequency `i` of `d/2` is `theta^(-2i/d)`, or `theta^(-i/(d/2 - 1))` when closed.
pub fn sinusoidal(ctx: &Context, positions: &Ids, d: usize, theta: f64, layout: SinusoidalLayout) -> Tensor {
    let mut y = ctx.zeros(&[positions.batch(), positions.len(), d]);
    let half = d / 2;
    let steps = if layout == SinusoidalLayout::ClosedHalves { half.saturating_sub(1).max(1) } else { half };
    let frequency = |i: usize| theta.powf(-(i as f64) / steps as f64);
    let frequencies: Vec<f64> = (0..half).map(frequency).collect();
    for (row, &position) in y.data_mut().chunks_exact_mut(d).zip(positions.data()) {
        for (i, frequency) in frequencies.iter().enumerate() {
            let (sin, cos) = (f64::from(position) * frequency).sin_cos();
            let (at_sin, at_cos) = match layout {
                SinusoidalLayout::Halves | SinusoidalLayout::ClosedHalves => (i, half + i),
                SinusoidalLayout::Interleaved => (2 * i, 2 * i + 1),
            };
            row[at_sin] = sin as f32;
            row[at_cos] = cos as f32;
        }
    }
    y
}
