//! What generated crates import: tensors, operators, weights, sessions and the command line.

pub mod batch;
pub mod beams;
pub mod inputs;
mod likelihood;
pub mod model;
pub mod rows;
pub mod runner;
pub mod sampling;
mod scoring;
pub mod session;
mod texts;
pub mod weights;

pub use formwork_ops::attention::KvCache;
pub use formwork_ops::attention::{Attention, Mask};
pub use formwork_ops::batch_norm::BatchNorm;
pub use formwork_ops::block_linear::BlockLinear;
pub use formwork_ops::chosen_mla::ChosenMla;
pub use formwork_ops::differential::Differential;
pub use formwork_ops::disentangled::Distances;
pub use formwork_ops::embedding::Embedding;
pub use formwork_ops::experts::{ExpertActivation, ExpertKind, Experts, ExpertsConfig};
pub use formwork_ops::gated_delta::LogDecay;
pub use formwork_ops::kept::{Keeps, Kept};
pub use formwork_ops::layer_norm::LayerNorm;
pub use formwork_ops::linear::Linear;
pub use formwork_ops::linear_attention::FeatureMap;
pub use formwork_ops::mla::{LatentDecoding, Mla};
pub use formwork_ops::multi_scale::GroupCache;
pub use formwork_ops::once::Once;
pub use formwork_ops::parameter::Parameter;
pub use formwork_ops::positions::SinusoidalLayout;
pub use formwork_ops::recurrent::RecurrentState;
pub use formwork_ops::relative_bias::RelativeBias;
pub use formwork_ops::rg_lru::RgLru;
pub use formwork_ops::rms_norm::RmsNorm;
pub use formwork_ops::rope::{Rope, RopeConfig, RopeLayout, RopeScaling};
pub use formwork_ops::route::{GroupLimit, Renormalise, RouterScore, Routing};
pub use formwork_ops::row_cache::RowCache;
pub use formwork_ops::selective_scan::SelectiveScan;
pub use formwork_ops::short_conv::ShortConv;
pub use formwork_ops::state_space::StateSpace;
pub use formwork_ops::temperature::{Temperature, TemperatureConfig};
pub use formwork_ops::wkv::Wkv;
pub use formwork_ops::xielu::Xielu;
pub use formwork_ops::{CacheFormat, Pattern, Room};
pub use formwork_tensor::{Context, Ids, Param, Record, Simd, Tensor, Tokens, error};
pub use formwork_tensor::{Error, Result};

pub use batch::{Answer, Chosen, Continue, continue_all};
pub use beams::{BeamSearch, Hypothesis, beam_search};
pub use inputs::Inputs;
pub use model::{Info, Model, load, load_held};
pub use rows::Rows;
pub use sampling::Sampling;
pub use scoring::{Score, score};
pub use session::Session;
pub use texts::{Output, Texts, read_texts};
pub use weights::mapping::{Fact, Gguf, Mapping, Rule, Source};
pub use weights::{Holding, Weights};

/// Operators without parameters.
pub mod ops {
    pub use formwork_ops::activation::softcap;
    pub use formwork_ops::activation::{gated_gelu, gated_gelu_tanh, gated_relu, gated_sigmoid, gated_silu};
    pub use formwork_ops::activation::{gelu, gelu_quick, gelu_tanh, relu, relu2, sigmoid, silu, tanh};
    pub use formwork_ops::asked::asked;
    pub use formwork_ops::clamp::clamp;
    pub use formwork_ops::concat::concat;
    pub use formwork_ops::decayed_attention::decayed_attention;
    pub use formwork_ops::disentangled::{content_to_position, position_to_content};
    pub use formwork_ops::dual_chunk::dual_chunk_attention;
    pub use formwork_ops::dynamic_context::{chosen_attention, top_keys};
    pub use formwork_ops::gated_delta::{gated_delta, gated_delta_features};
    pub use formwork_ops::layer_norm::layer_normalize;
    pub use formwork_ops::linear_attention::{linear_attention, linear_attention_full};
    pub use formwork_ops::mask_dropout::mask_dropout;
    pub use formwork_ops::multi_scale::{multi_scale_attention, multi_scale_attention_full};
    pub use formwork_ops::padded_positions::padded_positions;
    pub use formwork_ops::pool::{last_token, mean_token};
    pub use formwork_ops::positions::{offset_positions, sinusoidal};
    pub use formwork_ops::rms_norm::rms_normalize;
    pub use formwork_ops::route::{route, route_biased};
    pub use formwork_ops::sparse::{sparse_attention, sparse_attention_full};
    pub use formwork_ops::token_shift::token_shift;
    pub use formwork_ops::within_capacity::within_capacity;
}
