//! Loads what mixes tokens besides plain attention: latents, convolutions, decays.

use formwork_ops::block_linear::BlockLinear;
use formwork_ops::chosen_mla::ChosenMla;
use formwork_ops::gated_delta::LogDecay;
use formwork_ops::mla::{LatentDecoding, Mla};
use formwork_ops::rg_lru::RgLru;
use formwork_ops::selective_scan::SelectiveScan;
use formwork_ops::short_conv::ShortConv;
use formwork_ops::state_space::StateSpace;
use formwork_ops::wkv::Wkv;
use formwork_tensor::Param;

use super::Weights;

impl Weights {
    /// `name.weight` `[heads·(nope + d_v), latent]`.
    pub fn mla(
        &self,
        name: &str,
        latent: usize,
        heads: usize,
        nope: usize,
        d_v: usize,
        scale: f32,
        decoding: LatentDecoding,
    ) -> Mla {
        let dims = [heads * (nope + d_v), latent];
        let weight = self.table(&self.full(&format!("{name}.weight")), &dims);
        let weight = weight.unwrap_or_else(|| Param::from_f32(&dims, &vec![0.0; dims[0] * dims[1]]));
        Mla::new(&weight, heads, nope, d_v, scale, decoding)
    }

    /// `name.weight` `[heads·(nope + d_v), latent]`, read at chosen places.
    pub fn chosen_mla(
        &self,
        name: &str,
        latent: usize,
        heads: usize,
        nope: usize,
        d_v: usize,
        scale: f32,
        decoding: LatentDecoding,
    ) -> ChosenMla {
        ChosenMla::new(self.mla(name, latent, heads, nope, d_v, scale, decoding))
    }

    /// `name.A_log` `[heads]` and `name.dt_bias` `[heads·width]`.
    pub fn log_decay(&self, name: &str, heads: usize, width: usize) -> LogDecay {
        LogDecay::new(&self.vector(name, "A_log", heads), self.vector(name, "dt_bias", heads * width))
    }

    /// `name.weight` `[heads, d, d]` and `name.bias` `[heads, d]`.
    pub fn block_linear(&self, name: &str, heads: usize, d: usize) -> BlockLinear {
        BlockLinear::new(self.numbers(name, "weight", &[heads, d, d]), self.numbers(name, "bias", &[heads, d]))
    }

    /// `name.recurrent_param` `[channels]`.
    pub fn rg_lru(&self, name: &str, channels: usize) -> RgLru {
        RgLru::new(&self.vector(name, "recurrent_param", channels))
    }

    /// `name.time_decay` and `name.time_first` `[channels]`.
    pub fn wkv(&self, name: &str, channels: usize) -> Wkv {
        Wkv::new(&self.vector(name, "time_decay", channels), self.vector(name, "time_first", channels))
    }

    /// `name.weight` `[channels, 1, n]`, without bias.
    pub fn short_conv(&self, name: &str, channels: usize, n: usize) -> ShortConv {
        ShortConv::new(&self.numbers(name, "weight", &[channels, 1, n]), None, channels)
    }

    /// `name.weight` `[channels, 1, n]` and `name.bias` `[channels]`.
    pub fn short_conv_bias(&self, name: &str, channels: usize, n: usize) -> ShortConv {
        let bias = self.vector(name, "bias", channels);
        ShortConv::new(&self.numbers(name, "weight", &[channels, 1, n]), Some(bias), channels)
    }

    /// `name.A_log` `[channels, n]` and `name.D` `[channels]`.
    pub fn selective_scan(&self, name: &str, channels: usize, n: usize) -> SelectiveScan {
        SelectiveScan::new(&self.numbers(name, "A_log", &[channels, n]), self.vector(name, "D", channels))
    }

    /// `name.A_log`, `name.D` and `name.dt_bias` `[heads]`.
    pub fn state_space(&self, name: &str, heads: usize, low: f32, high: f32) -> StateSpace {
        let [a_log, skip, bias] = ["A_log", "D", "dt_bias"].map(|of| self.vector(name, of, heads));
        StateSpace::new(&a_log, skip, bias, low, high)
    }
}
