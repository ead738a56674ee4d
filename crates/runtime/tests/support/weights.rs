//! Random weights for the decoder, and its forward pass in plain f64.

use std::collections::BTreeMap;
use std::path::Path;

use formwork_runtime::weights::writer::{Numbers, Output, write};

use super::{D_FF, D_HEAD, D_MODEL, EPS, N_HEADS, N_KV_HEADS, N_LAYERS, ROPE, VOCAB};

pub(crate) type Store = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// Weights of every parameter.
pub(crate) fn random() -> Store {
    let mut shapes = vec![
        ("model.embed_tokens.weight".to_string(), vec![VOCAB, D_MODEL]),
        ("model.norm.weight".to_string(), vec![D_MODEL]),
        ("lm_head.weight".to_string(), vec![VOCAB, D_MODEL]),
    ];
    for i in 0..N_LAYERS {
        let mut add = |name: &str, dims: &[usize]| {
            shapes.push((format!("model.layers.{i}.{name}.weight"), dims.to_vec()));
        };
        add("input_layernorm", &[D_MODEL]);
        add("post_attention_layernorm", &[D_MODEL]);
        add("self_attn.q_proj", &[N_HEADS * D_HEAD, D_MODEL]);
        add("self_attn.k_proj", &[N_KV_HEADS * D_HEAD, D_MODEL]);
        add("self_attn.v_proj", &[N_KV_HEADS * D_HEAD, D_MODEL]);
        add("self_attn.o_proj", &[D_MODEL, N_HEADS * D_HEAD]);
        add("mlp.gate_proj", &[D_FF, D_MODEL]);
        add("mlp.up_proj", &[D_FF, D_MODEL]);
        add("mlp.down_proj", &[D_MODEL, D_FF]);
    }
    let mut state = 12_345_u32;
    let mut number = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((state >> 8) as f32 / (1 << 23) as f32 - 1.0) * 0.4
    };
    let fill = |(name, dims): (String, Vec<usize>)| {
        let data = (0..dims.iter().product()).map(|_| number()).collect();
        (name, (dims, data))
    };
    shapes.into_iter().map(fill).collect()
}

/// Writes weights to a file.
pub(crate) fn save(path: &Path, store: &Store) {
    let output = |(name, (dims, data)): (&String, &(Vec<usize>, Vec<f32>))| Output {
        name: name.clone(),
        dims: dims.clone(),
        numbers: Numbers::Floats(data.clone()),
    };
    write(path, &store.iter().map(output).collect::<Vec<_>>()).unwrap();
}

/// The logits of every token of one sequence.
pub(crate) fn twin(store: &Store, ids: &[u32]) -> Vec<Vec<f64>> {
    let weight = |name: &str| &store[&format!("{name}.weight")].1;
    let table = weight("model.embed_tokens");
    let row = |id: &u32| wide(&table[*id as usize * D_MODEL..][..D_MODEL]);
    let mut xs: Vec<Vec<f64>> = ids.iter().map(row).collect();
    for i in 0..N_LAYERS {
        let layer = |name: &str| weight(&format!("model.layers.{i}.{name}"));
        let h: Vec<_> = xs.iter().map(|x| rms(x, layer("input_layernorm"))).collect();
        let project = |name: &str| -> Vec<Vec<f64>> {
            h.iter().map(|h| linear(h, layer(&format!("self_attn.{name}")))).collect()
        };
        let (mut q, mut k, v) = (project("q_proj"), project("k_proj"), project("v_proj"));
        for (position, (q, k)) in q.iter_mut().zip(&mut k).enumerate() {
            rotate(q, position);
            rotate(k, position);
        }
        for (s, x) in xs.iter_mut().enumerate() {
            let y: Vec<f64> = (0..N_HEADS).flat_map(|h| attend(&q[s], &k[..=s], &v[..=s], h)).collect();
            add(x, &linear(&y, layer("self_attn.o_proj")));
            let h = rms(x, layer("post_attention_layernorm"));
            let gate = linear(&h, layer("mlp.gate_proj"));
            let up = linear(&h, layer("mlp.up_proj"));
            let y: Vec<f64> = gate.iter().zip(&up).map(|(g, u)| g / (1.0 + (-g).exp()) * u).collect();
            add(x, &linear(&y, layer("mlp.down_proj")));
        }
    }
    xs.iter().map(|x| linear(&rms(x, weight("model.norm")), weight("lm_head"))).collect()
}

fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().map(|x| f64::from(*x)).collect()
}

fn add(x: &mut [f64], y: &[f64]) {
    x.iter_mut().zip(y).for_each(|(x, y)| *x += y);
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

fn linear(x: &[f64], w: &[f32]) -> Vec<f64> {
    w.chunks_exact(x.len()).map(|row| dot(x, &wide(row))).collect()
}

fn rms(x: &[f64], w: &[f32]) -> Vec<f64> {
    let scale = (dot(x, x) / x.len() as f64 + f64::from(EPS)).sqrt();
    x.iter().zip(w).map(|(x, w)| x / scale * f64::from(*w)).collect()
}

fn rotate(x: &mut [f64], position: usize) {
    for head in x.chunks_exact_mut(D_HEAD) {
        for i in 0..D_HEAD / 2 {
            let angle = position as f64 * ROPE.theta.powf(-2.0 * i as f64 / D_HEAD as f64);
            let (a, b) = (head[i], head[i + D_HEAD / 2]);
            head[i] = a * angle.cos() - b * angle.sin();
            head[i + D_HEAD / 2] = b * angle.cos() + a * angle.sin();
        }
    }
}

fn attend(q: &[f64], k: &[Vec<f64>], v: &[Vec<f64>], head: usize) -> Vec<f64> {
    let q = &q[head * D_HEAD..][..D_HEAD];
    let at = head / (N_HEADS / N_KV_HEADS) * D_HEAD;
    let weights: Vec<f64> = k.iter().map(|k| (dot(q, &k[at..at + D_HEAD]) / (D_HEAD as f64).sqrt()).exp()).collect();
    let total: f64 = weights.iter().sum();
    let value = |i: usize| weights.iter().zip(v).map(|(p, v)| p * v[at + i]).sum::<f64>() / total;
    (0..D_HEAD).map(value).collect()
}
