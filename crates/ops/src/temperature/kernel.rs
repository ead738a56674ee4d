//! Multiplies every token by a function of its position.

use formwork_tensor::{Context, Tensor, Tokens};

/// How fast tokens grow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TemperatureConfig {
    /// How much.
    pub scale: f32,
    /// Positions that share a factor.
    pub every: usize,
    /// Added to the position.
    pub offset: usize,
}

/// `x · (1 + scale · ln(1 + floor((position + offset) / every)))`.
#[derive(Clone, Copy, Debug)]
pub struct Temperature {
    config: TemperatureConfig,
}

impl Temperature {
    /// With this configuration.
    pub fn new(config: TemperatureConfig) -> Self {
        assert!(config.every > 0, "positions are grouped by at least one");
        Self { config }
    }

    /// Scales `[B, S, ..]` by the positions of its tokens, in place.
    pub fn apply(&self, _ctx: &Context, mut x: Tensor, tokens: &Tokens) -> Tensor {
        let positions = tokens.positions.data();
        let width = x.data().len() / positions.len().max(1);
        assert_eq!(
            width * positions.len(),
            x.data().len(),
            "one position per token"
        );
        let (data, device) = x.split_device();
        device.threads().rows(data, width.max(1), |first, rows| {
            let rows = rows.chunks_exact_mut(width.max(1));
            for (row, &position) in rows.zip(&positions[first..]) {
                let factor = self.factor(position as usize);
                row.iter_mut().for_each(|x| *x *= factor);
            }
        });
        x
    }

    fn factor(&self, position: usize) -> f32 {
        let TemperatureConfig { scale, every, offset } = self.config;
        let steps = (position + offset) / every;
        1.0 + scale * (steps as f32).ln_1p()
    }
}
