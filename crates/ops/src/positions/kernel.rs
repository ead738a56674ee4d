//! Sinusoidal positions: sines and cosines of geometrically spaced frequencies.

use formwork_tensor::{Context, Ids, Tensor};

/// How sines and cosines share the last axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SinusoidalLayout {
    /// All sines, then all cosines.
    Halves,
    /// Sine and cosine of each frequency side by side.
    Interleaved,
}

/// `[B, S]` positions to `[B, S, d]`: frequency `i` of `d/2` is `theta^(-2i/d)`.
pub fn sinusoidal(ctx: &Context, positions: &Ids, d: usize, theta: f64, layout: SinusoidalLayout) -> Tensor {
    let mut y = ctx.zeros(&[positions.batch(), positions.len(), d]);
    let half = d / 2;
    let frequency = |i: usize| theta.powf(-2.0 * i as f64 / d as f64);
    let frequencies: Vec<f64> = (0..half).map(frequency).collect();
    for (row, &position) in y.data_mut().chunks_exact_mut(d).zip(positions.data()) {
        for (i, frequency) in frequencies.iter().enumerate() {
            let (sin, cos) = (f64::from(position) * frequency).sin_cos();
            let (at_sin, at_cos) = match layout {
                SinusoidalLayout::Halves => (i, half + i),
                SinusoidalLayout::Interleaved => (2 * i, 2 * i + 1),
            };
            row[at_sin] = sin as f32;
            row[at_cos] = cos as f32;
        }
    }
    y
}
