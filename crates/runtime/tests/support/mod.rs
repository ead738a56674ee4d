//! A small decoder written as generated code is, for the tests.
#![allow(dead_code, reason = "each test file uses a part")]

pub(crate) mod weights;

use formwork_runtime::{
    Attention, Context, Embedding, Info, Inputs, KvCache, Linear, Mapping, Mask, Model, RmsNorm, Room, Rope,
    RopeConfig, RopeLayout, RopeScaling, Tensor, Tokens, Weights, ops,
};

pub(crate) const VOCAB: usize = 112;
pub(crate) const D_MODEL: usize = 32;
pub(crate) const N_LAYERS: usize = 2;
pub(crate) const N_HEADS: usize = 4;
pub(crate) const N_KV_HEADS: usize = 2;
pub(crate) const D_HEAD: usize = 8;
pub(crate) const D_FF: usize = 56;
pub(crate) const EPS: f32 = 0.02;
pub(crate) const SCALE: f32 = 0.353_553_4;
pub(crate) const ROPE: RopeConfig = RopeConfig {
    d_rot: D_HEAD,
    trailing: false,
    theta: 100.0,
    layout: RopeLayout::HalfSplit,
    scaling: RopeScaling::None,
};

pub(crate) struct Decoder {
    embed_tokens: Embedding,
    layers: Vec<Layer>,
    norm: RmsNorm,
    lm_head: Linear,
}

pub(crate) struct Layer {
    input_layernorm: RmsNorm,
    self_attn: SelfAttention,
    post_attention_layernorm: RmsNorm,
    mlp: Mlp,
}

pub(crate) struct SelfAttention {
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    o_proj: Linear,
    rope: Rope,
}

pub(crate) struct Mlp {
    gate_proj: Linear,
    up_proj: Linear,
    down_proj: Linear,
}

impl Model for Decoder {
    const INFO: Info = Info {
        name: "decoder",
        task: "causal_lm",
        output: "logits",
        inputs: &["input_ids"],
        generates: true,
        packs: false,
        vocab_size: VOCAB,
        max_positions: Some(64),
        parameters: 24_224,
        mapping: Mapping { prefixes: &[], rules: &[], ignore: &[], gguf: None },
    };
    type Cache = Vec<KvCache>;

    fn load(w: &Weights) -> Self {
        let model = w.at("model");
        Self {
            embed_tokens: model.embedding("embed_tokens", VOCAB, D_MODEL),
            layers: (0..N_LAYERS).map(|i| Layer::load(&model.at(&format!("layers.{i}")))).collect(),
            norm: model.rms_norm("norm", D_MODEL, EPS),
            lm_head: w.finest().linear("lm_head", D_MODEL, VOCAB),
        }
    }

    fn cache(batch: usize, room: Room) -> Vec<KvCache> {
        (0..N_LAYERS).map(|_| KvCache::new(batch, N_KV_HEADS, D_HEAD, D_HEAD, room)).collect()
    }

    fn forward(&self, ctx: &Context, inputs: &Inputs, cache: &mut Vec<KvCache>) -> Tensor {
        let tokens = inputs.tokens("input_ids");
        let mut x = self.embed_tokens.forward(ctx, &tokens.ids);
        for (i, layer) in self.layers.iter().enumerate() {
            ctx.probe("hidden_states", i, &x);
            x = layer.forward(ctx, x, tokens, &mut cache[i]);
        }
        let x = self.norm.forward(ctx, &x);
        ctx.probe("hidden_states", N_LAYERS, &x);
        self.lm_head.forward(ctx, &x)
    }
}

impl Layer {
    fn load(w: &Weights) -> Self {
        Self {
            input_layernorm: w.rms_norm("input_layernorm", D_MODEL, EPS),
            self_attn: SelfAttention::load(&w.at("self_attn")),
            post_attention_layernorm: w.rms_norm("post_attention_layernorm", D_MODEL, EPS),
            mlp: Mlp::load(&w.at("mlp")),
        }
    }

    fn forward(&self, ctx: &Context, x: Tensor, tokens: &Tokens, cache: &mut KvCache) -> Tensor {
        let h = self.input_layernorm.forward(ctx, &x);
        let x = x + self.self_attn.forward(ctx, h, tokens, cache);
        let h = self.post_attention_layernorm.forward(ctx, &x);
        x + self.mlp.forward(ctx, h)
    }
}

impl SelfAttention {
    fn load(w: &Weights) -> Self {
        Self {
            q_proj: w.linear("q_proj", D_MODEL, N_HEADS * D_HEAD),
            k_proj: w.linear("k_proj", D_MODEL, N_KV_HEADS * D_HEAD),
            v_proj: w.fine().linear("v_proj", D_MODEL, N_KV_HEADS * D_HEAD),
            o_proj: w.fine().linear("o_proj", N_HEADS * D_HEAD, D_MODEL),
            rope: Rope::new(ROPE),
        }
    }

    fn forward(&self, ctx: &Context, x: Tensor, tokens: &Tokens, cache: &mut KvCache) -> Tensor {
        let q = self.q_proj.forward(ctx, &x).split_heads(N_HEADS);
        let q = self.rope.apply(ctx, q, tokens);
        let k = self.k_proj.forward(ctx, &x).split_heads(N_KV_HEADS);
        let k = self.rope.apply(ctx, k, tokens);
        let v = self.v_proj.forward(ctx, &x).split_heads(N_KV_HEADS);
        let y = Attention::new(Mask::Causal, SCALE).cached(cache).run(ctx, &q, &k, &v, tokens);
        self.o_proj.forward(ctx, &y.merge_heads())
    }
}

impl Mlp {
    fn load(w: &Weights) -> Self {
        Self {
            gate_proj: w.linear("gate_proj", D_MODEL, D_FF),
            up_proj: w.linear("up_proj", D_MODEL, D_FF),
            down_proj: w.linear("down_proj", D_FF, D_MODEL),
        }
    }

    fn forward(&self, ctx: &Context, x: Tensor) -> Tensor {
        let gate = self.gate_proj.forward(ctx, &x);
        let up = self.up_proj.forward(ctx, &x);
        self.down_proj.forward(ctx, &ops::gated_silu(gate, up))
    }
}
