//! Where the weights of stories-260k are found.

use formwork_runtime::{Fact, Gguf, Mapping, Rule, Source};

/// Where parameters are found in a checkpoint.
pub const MAPPING: Mapping = Mapping {
    prefixes: &["model."],
    rules: &[Rule {
        target: "lm_head.weight",
        source: Source::Name("model.embed_tokens.weight"),
    }],
    ignore: &["model.layers.*.self_attn.rotary_emb.inv_freq"],
    gguf: Some(&GGUF),
};

/// The same for GGUF files.
const GGUF: Gguf = Gguf {
    architectures: &[
        (
            "llama",
            &[
                Rule {
                    target: "model.layers.{i}.self_attn.q_proj.{part}",
                    source: Source::PermuteRope {
                        source: &Source::Name("blk.{i}.attn_q.{part}"),
                        heads: 8,
                    },
                },
                Rule {
                    target: "model.layers.{i}.self_attn.k_proj.{part}",
                    source: Source::PermuteRope {
                        source: &Source::Name("blk.{i}.attn_k.{part}"),
                        heads: 4,
                    },
                },
            ],
        ),
        ("qwen2", &[]),
        ("qwen3", &[]),
    ],
    rules: &[
        Rule {
            target: "model.embed_tokens.weight",
            source: Source::Name("token_embd.weight"),
        },
        Rule {
            target: "model.norm.weight",
            source: Source::Name("output_norm.weight"),
        },
        Rule {
            target: "lm_head.weight",
            source: Source::FirstOf(&[
                Source::Name("output.weight"),
                Source::Name("token_embd.weight"),
            ]),
        },
        Rule {
            target: "model.layers.{i}.input_layernorm.weight",
            source: Source::Name("blk.{i}.attn_norm.weight"),
        },
        Rule {
            target: "model.layers.{i}.self_attn.q_proj.{part}",
            source: Source::Name("blk.{i}.attn_q.{part}"),
        },
        Rule {
            target: "model.layers.{i}.self_attn.k_proj.{part}",
            source: Source::Name("blk.{i}.attn_k.{part}"),
        },
        Rule {
            target: "model.layers.{i}.self_attn.v_proj.{part}",
            source: Source::Name("blk.{i}.attn_v.{part}"),
        },
        Rule {
            target: "model.layers.{i}.self_attn.o_proj.{part}",
            source: Source::Name("blk.{i}.attn_output.{part}"),
        },
        Rule {
            target: "model.layers.{i}.post_attention_layernorm.weight",
            source: Source::Name("blk.{i}.ffn_norm.weight"),
        },
        Rule {
            target: "model.layers.{i}.mlp.gate_proj.{part}",
            source: Source::Name("blk.{i}.ffn_gate.{part}"),
        },
        Rule {
            target: "model.layers.{i}.mlp.up_proj.{part}",
            source: Source::Name("blk.{i}.ffn_up.{part}"),
        },
        Rule {
            target: "model.layers.{i}.mlp.down_proj.{part}",
            source: Source::Name("blk.{i}.ffn_down.{part}"),
        },
    ],
    ignore: &["context_length", "rope.scaling.*", "rope_freqs.weight"],
    facts: &[
        Fact {
            key: "vocab_size",
            value: 512.0,
        },
        Fact {
            key: "block_count",
            value: 5.0,
        },
        Fact {
            key: "embedding_length",
            value: 64.0,
        },
        Fact {
            key: "feed_forward_length",
            value: 172.0,
        },
        Fact {
            key: "attention.head_count",
            value: 8.0,
        },
        Fact {
            key: "attention.head_count_kv",
            value: 4.0,
        },
        Fact {
            key: "attention.key_length",
            value: 8.0,
        },
        Fact {
            key: "attention.value_length",
            value: 8.0,
        },
        Fact {
            key: "attention.layer_norm_rms_epsilon",
            value: 0.00001,
        },
        Fact {
            key: "rope.freq_base",
            value: 10000.0,
        },
        Fact {
            key: "rope.dimension_count",
            value: 8.0,
        },
    ],
};
