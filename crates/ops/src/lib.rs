//! The op catalogue.
//!
//! An op is defined once, in one file: its shapes, parameters, FLOPs, state, call form and, with the feature `kernels`, the kernel
//! that computes it. No list of ops exists outside [`ALL`].

#[cfg(feature = "kernels")]
mod channels;
mod decayed;
mod dim;
mod form;
mod grade;
#[cfg(feature = "kernels")]
pub mod kept;
#[cfg(feature = "kernels")]
pub mod once;
mod op;
mod pattern;
#[cfg(feature = "kernels")]
pub mod recurrent;
mod room;
#[cfg(feature = "kernels")]
pub mod row_cache;
mod state;
#[cfg(feature = "kernels")]
mod stored;

pub use dim::{Atom, Poly};
pub use form::{Form, Lit};
pub use grade::{Grade, Mix};
pub use op::{
    AttentionFlops, Attr, AttrDefault, AttrType, AttrValue, Call, Facts, Float, Flops, Input, InputKind, Kind, Op,
    OpError, Param, Role, Type,
};
pub use pattern::Pattern;
pub use room::{CacheFormat, Room};
pub use state::{NewState, RowCount, Rows, State, Visibility};

macro_rules! catalogue {
    ($($module:ident: $($op:ident),+;)*) => {
        $(pub mod $module;)*

        /// Every op, by name.
        pub static ALL: &[&Op] = &[$($(&$module::$op),+),*];
    };
}

catalogue! {
    activation: GATED_GELU, GATED_GELU_TANH, GATED_RELU, GATED_SIGMOID, GATED_SILU, GELU, GELU_QUICK, GELU_TANH, RELU, RELU2, SIGMOID, SILU, SOFTCAP, TANH;
    arithmetic: ADD, MUL, SCALE, SUB;
    asked: ASKED;
    attention: ATTENTION;
    batch_norm: BATCH_NORM;
    block_linear: BLOCK_LINEAR;
    concat: CONCAT;
    decayed_attention: DECAYED_ATTENTION;
    differential: DIFFERENTIAL;
    dual_chunk: DUAL_CHUNK_ATTENTION;
    dynamic_context: CHOSEN_ATTENTION, TOP_KEYS;
    chosen_mla: CHOSEN_MLA;
    clamp: CLAMP;
    embedding: EMBEDDING;
    gated_delta: GATED_DELTA, LOG_DECAY;
    expert_heads: EXPERT_HEADS, MERGE_EXPERT_HEADS;
    experts: EXPERTS;
    layer_norm: LAYER_NORM;
    layout: HEADS, MERGE_HEADS, SPLIT;
    linear: LINEAR;
    linear_attention: LINEAR_ATTENTION;
    mla: MLA;
    multi_scale: MULTI_SCALE_ATTENTION;
    mask_dropout: MASK_DROPOUT;
    padded_positions: PADDED_POSITIONS;
    parameter: PARAMETER;
    pool: FIRST_TOKEN, LAST_TOKEN, MEAN_TOKEN;
    positions: POSITIONS, SINUSOIDAL;
    relative_bias: RELATIVE_BIAS;
    rg_lru: RG_LRU;
    rms_norm: RMS_NORM;
    rope: ROPE;
    selective_scan: SELECTIVE_SCAN;
    short_conv: SHORT_CONV;
    sparse: SPARSE_ATTENTION;
    state_space: STATE_SPACE;
    route: ROUTE;
    temperature: TEMPERATURE;
    token_shift: TOKEN_SHIFT;
    within_capacity: WITHIN_CAPACITY;
    wkv: WKV;
    xielu: XIELU;
}

/// The op of a name.
pub fn find(name: &str) -> Option<&'static Op> {
    ALL.iter().copied().find(|op| op.name == name)
}
