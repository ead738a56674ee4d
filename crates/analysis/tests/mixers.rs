//! Figures of what mixes tokens besides plain attention: latents, sparse patterns, states that do not grow.

mod common;

use std::path::Path;

use common::instance;
use formwork_analysis::{Questions, Report, report};
use formwork_ops::Pattern;

/// A published model's instance.
fn published(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../specs/models").join(format!("{name}.toml"));
    std::fs::read_to_string(path).unwrap()
}

fn asked(spec: &str, seq: u128, context: u128) -> Report {
    report(&instance(spec), &Questions { seq, context, ..Questions::default() }).unwrap()
}

/// A model whose only work outside attention is known: what is left is attention's.
fn kind(attention: &str) -> String {
    format!(
        "name = \"it\"\nvocab_size = 100\nd_model = 32\nn_layers = 3\nmax_seq_len = 64\n[attention]\nn_heads = 4\n{attention}\n"
    )
}

#[test]
fn latents_expanded_and_absorbed() {
    let spec = published("deepseek-v3");
    let it = asked(&spec, 2048, 0);
    assert_eq!(it.params.total, 671_026_404_352);
    assert_eq!(it.params.active, 37_552_282_624);
    assert_eq!(it.flops.forward, 170_973_789_683_712);
    assert_eq!(it.flops.parts.linear, 150_014_349_279_232);
    assert_eq!(it.flops.parts.attention_masked, 10_484_837_253_120);
    assert_eq!(it.flops.decode, Some(108_062_130_176));
    assert_eq!(asked(&spec, 32_768, 0).flops.decode, Some(630_001_319_936));
    // The cache holds 512 + 64 numbers of each position and layer.
    let cache = it.kv_cache;
    assert_eq!((cache.elements, cache.elements_per_token), (71_958_528, 61 * 576));

    let expanded = spec.replace("d_v = 128,", "d_v = 128, decoding = \"expanded\",");
    assert_ne!(spec, expanded);
    let it = asked(&expanded, 2048, 0);
    assert_eq!(it.flops.forward, 170_973_789_683_712);
    assert_eq!(it.flops.decode, Some(4_275_376_373_760));
    assert_eq!(asked(&expanded, 32_768, 0).flops.decode, Some(67_307_209_113_600));
}

#[test]
fn a_window_hides_keys_from_the_masked_count() {
    let flops = asked(&published("phi-3-mini-4k"), 2048, 0).flops;
    assert_eq!((flops.forward, flops.parts.linear), (16_896_132_907_008, 15_246_865_465_344));
    // Of 2048 keys a window of 2047 hides one, from the last query of each head and layer; a causal count is so much more.
    assert_eq!(flops.parts.attention_masked + 32 * 32 * 2 * (96 + 96), 825_036_374_016);
}

#[test]
fn states_that_do_not_grow() {
    let it = asked(&published("qwen3-next-80b-a3b"), 2048, 0);
    assert_eq!(it.params.total, 79_674_391_296);
    let cache = it.kv_cache;
    // Twelve layers of keys and values; 36 of a matrix for each head and three columns of convolutions.
    assert_eq!(cache.elements, 12 * 2 * 2 * 256 * 2048 + 36 * (32 * 128 * 128 + 3 * 8192));
    assert_eq!(cache.elements_per_token, 12 * 2 * 2 * 256);

    let linear = |seq| asked(&kind("kind = \"linear\""), seq, 0);
    assert_eq!(linear(10).kv_cache.elements, linear(60).kv_cache.elements);
    assert_eq!(linear(10).kv_cache.elements, 3 * 4 * 8 * (8 + 1));
    assert_eq!(linear(10).flops.decode, linear(60).flops.decode);
}

#[test]
fn scans_are_counted_as_the_reference_counts_them() {
    let it = asked(&published("mamba-130m"), 512, 0);
    assert_eq!(it.params.total, 129_135_360);
    // The reference's convolutions run over three rows of padding more and drop their outputs.
    assert_eq!(it.flops.forward + 24 * 2 * 3 * 1536 * 4, 132_102_586_368);
    assert_eq!(it.kv_cache.elements, 24 * (1536 * 16 + 1536 * 3));
    assert_eq!(it.kv_cache.elements_per_token, 0);

    // Chunks of 64 tokens: two products of squares, two with a head's matrix.
    let it = asked(&published("mamba-codestral-7b"), 2048, 0);
    let (rows, linear) =
        (2048 * 128, 2048 * 2 * (4096 * (2 * 8192 + 2 * 1024 + 128) + 8192 * 4096 + (8192 + 2 * 1024) * 4));
    let scan = rows * (2 * 64 * (128 + 64) + 4 * 128 * 64);
    assert_eq!(it.flops.forward, 64 * (linear + scan) + 2048 * 2 * 4096 * 32_768);
    assert_eq!(it.kv_cache.elements, 64 * (128 * 128 * 64 + 3 * (8192 + 2 * 1024)));
}

#[test]
fn groups_of_heads_keep_their_windows() {
    let it = asked(&kind("kind = \"multi_scale\"\nwindows = [5, 0]"), 20, 0);
    // Two heads keep five rows of keys and values, two keep all.
    assert_eq!(it.kv_cache.elements, 3 * (2 * 2 * 8 * 5 + 2 * 2 * 8 * 20));
    let plain = asked(&kind("kind = \"mha\""), 20, 0);
    assert_eq!(it.flops.forward, plain.flops.forward);
    let pairs = |window: u128| -> u128 { (1..=20).map(|i: u128| i.min(window)).sum() };
    assert_eq!(it.flops.parts.attention_masked, 3 * 2 * 2 * 16 * (pairs(5) + pairs(20)));
}

#[test]
fn patterns_are_counted_pair_by_pair() {
    let it = asked(&kind("kind = \"sparse\"\npattern = { kind = \"blocks\", size = 4, random = 1, seed = 3 }"), 40, 0);
    let pattern = Pattern::Blocks { size: 4, local: 1, global: 1, random: 1, seed: 3, causal: true };
    let pairs: usize = (0..40).map(|i| pattern.count(i, 40)).sum();
    assert_eq!(it.flops.parts.attention_masked, 3 * 4 * 2 * 16 * pairs as u128);

    // Of 40 tokens each reads at most 7; the index of two heads of 4 looks at all.
    let it = asked(&kind("kind = \"dynamic_context\"\ntop_k = 7\nindex_heads = 2\nd_index = 4"), 40, 0);
    let (chosen, all): (u128, u128) = ((1..=40).map(|i: u128| i.min(7)).sum(), (1..=40).sum());
    assert_eq!(it.flops.parts.attention_masked, 3 * (4 * 2 * 16 * chosen + 2 * 2 * 4 * all));
    assert_eq!(it.kv_cache.elements, 3 * 40 * (2 * 32 + 4));
}
