//! An encoder-decoder: encoder results kept in slots, cross attention, padding of the source.

use std::path::Path;

use formwork_runtime::weights::SafeTensors;
use formwork_runtime::weights::writer::{Numbers, Output, write};
use formwork_runtime::{
    Attention, Context, Embedding, Info, Inputs, Keeps, KvCache, Linear, Mapping, Mask, Model, Once, RelativeBias,
    Result, Room, Tensor, Weights, runner,
};

const VOCAB: usize = 13;
const D_MODEL: usize = 8;
const N_HEADS: usize = 2;

struct Translator {
    shared: Embedding,
    relative_attention_bias: RelativeBias,
    v_proj: Linear,
}

struct Kept {
    memory: Once,
    decoder: KvCache,
}

impl Keeps for Kept {
    fn each(&mut self, visit: &mut dyn FnMut(&mut dyn formwork_runtime::Kept)) {
        self.memory.each(visit);
        self.decoder.each(visit);
    }
}

impl Model for Translator {
    const INFO: Info = Info {
        name: "translator",
        task: "seq2seq_lm",
        output: "logits",
        inputs: &["input_ids", "decoder_input_ids"],
        generates: true,
        packs: false,
        vocab_size: VOCAB,
        max_positions: None,
        parameters: 184,
        mapping: Mapping { prefixes: &[], rules: &[], ignore: &[], gguf: None },
    };
    type Cache = Kept;

    fn load(w: &Weights) -> Self {
        Self {
            shared: w.embedding("shared", VOCAB, D_MODEL),
            relative_attention_bias: w.relative_bias("bias", 8, N_HEADS, false, 16),
            v_proj: w.linear("v_proj", D_MODEL, D_MODEL),
        }
    }

    fn cache(batch: usize, room: Room) -> Kept {
        let d = D_MODEL / N_HEADS;
        Kept { memory: Once::new(), decoder: KvCache::new(batch, N_HEADS, d, d, room) }
    }

    fn forward(&self, ctx: &Context, inputs: &Inputs, cache: &mut Kept) -> Tensor {
        let (source, tokens) = (inputs.tokens("input_ids"), inputs.tokens("decoder_input_ids"));
        let memory = cache.memory.get(|| {
            let x = self.shared.forward(ctx, &source.ids).split_heads(N_HEADS);
            let y = Attention::new(Mask::Full, 0.5).run(ctx, &x, &x, &x, source).merge_heads();
            ctx.probe("encoder_hidden_states", 0, &y);
            y.split_heads(N_HEADS)
        });
        let x = self.shared.forward(ctx, &tokens.ids);
        let v = self.v_proj.forward(ctx, &x).split_heads(N_HEADS);
        let x = x.split_heads(N_HEADS);
        let bias = self.relative_attention_bias.forward(ctx, tokens, tokens);
        let attention = Attention::new(Mask::Causal, 0.5).bias(&bias).cached(&mut cache.decoder);
        let y = &x + attention.run(ctx, &x, &x, &v, tokens);
        let y = &y + Attention::new(Mask::Full, 0.5).run(ctx, &y, memory, memory, source);
        self.shared.as_linear().forward(ctx, &y.merge_heads())
    }
}

fn integers(name: &str, dims: &[usize], data: &[i64]) -> Output {
    Output { name: name.to_string(), dims: dims.to_vec(), numbers: Numbers::Integers(data.to_vec()) }
}

fn weights(path: &Path) {
    let mut state = 7_u32;
    let mut tensor = |name: &str, dims: &[usize]| {
        let number = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        let data = std::iter::repeat_with(number).take(dims.iter().product()).collect();
        Output { name: name.to_string(), dims: dims.to_vec(), numbers: Numbers::Floats(data) }
    };
    let tensors = [
        tensor("shared.weight", &[VOCAB, D_MODEL]),
        tensor("bias.weight", &[8, N_HEADS]),
        tensor("v_proj.weight", &[D_MODEL, D_MODEL]),
    ];
    write(path, &tensors).unwrap();
}

/// Runs `forward --hidden --greedy 6` on inputs.
fn forward(inputs: &[Output]) -> Result<SafeTensors> {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    weights(&path("model.safetensors"));
    write(&path("in"), inputs)?;
    let words = ["forward", "--hidden", "--greedy", "6", "--weights"].map(Into::into);
    let files = [path("").into(), "--input".into(), path("in").into(), "--output".into()];
    runner::run::<Translator>([&words[..], &files, &[path("out").into()]].concat())?;
    SafeTensors::open(&path("out"))
}

fn floats(file: &SafeTensors, name: &str) -> Vec<f32> {
    file.param(name).unwrap().to_f32().into_owned()
}

#[test]
fn the_decoder_continues_what_the_encoder_read() {
    let source = integers("input_ids", &[1, 5], &[3, 1, 4, 1, 5]);
    let out = forward(&[source.clone(), integers("decoder_input_ids", &[1, 3], &[2, 7, 1])]).unwrap();
    assert_eq!(out.describe("logits").unwrap().1, [1, 3, VOCAB]);
    assert_eq!(out.describe("encoder_hidden_states.0").unwrap().1, [1, 5, D_MODEL]);
    let ids = out.integers("greedy.ids").unwrap();
    // What was generated step by step, decoded in one pass.
    let decoded = [&[2], &ids[..5]].concat();
    let again = forward(&[source, integers("decoder_input_ids", &[1, 6], &decoded)]).unwrap();
    assert_eq!(floats(&again, "logits"), floats(&out, "greedy.logits"));
}

#[test]
fn padding_of_the_source_is_not_seen() {
    let decoder = integers("decoder_input_ids", &[1, 2], &[2, 7]);
    let short = forward(&[integers("input_ids", &[1, 3], &[3, 1, 4]), decoder.clone()]).unwrap();
    let padded = integers("input_ids", &[1, 5], &[3, 1, 4, 9, 9]);
    let mask = integers("attention_mask", &[1, 5], &[1, 1, 1, 0, 0]);
    let long = forward(&[padded, mask, decoder]).unwrap();
    for (x, y) in floats(&short, "logits").iter().zip(floats(&long, "logits")) {
        assert!((x - y).abs() < 1e-5);
    }
    assert_eq!(short.integers("greedy.ids"), long.integers("greedy.ids"));
}

#[test]
fn both_streams_are_needed_and_fit() {
    let source = integers("input_ids", &[1, 3], &[3, 1, 4]);
    let code = |inputs: &[Output]| forward(inputs).err().unwrap().code;
    assert_eq!(code(std::slice::from_ref(&source)), "missing-input");
    assert_eq!(code(&[source.clone(), integers("decoder_input_ids", &[2, 1], &[1, 2])]), "input-shape");
    assert_eq!(code(&[source, integers("decoder_input_ids", &[1, 1], &[13])]), "token-out-of-range");
}
