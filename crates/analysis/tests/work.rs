//! The work of one step against counts by hand.

mod common;

use common::{instance, model};
use formwork_analysis::{Questions, Work};
use formwork_ops::{CacheFormat, Mix};

/// A Llama of d 896 with 24 layers, 14/2 heads of 64, d_ff 4864 and 32000 ids, untied.
const LAYERS: u128 = 24;
const MATRICES: u128 = LAYERS * (2 * 896 * 896 + 2 * 896 * 128 + 3 * 896 * 4864) + 896 * 32000;
const NORMS: u128 = (2 * LAYERS + 1) * 896;

fn small() -> formwork_ir::Model {
    instance(
        "name = \"s\"\nfamily = \"llama\"\nvocab_size = 32000\nd_model = 896\nn_layers = 24\nn_heads = 14\nn_kv_heads = 2\nd_ff = 4864\n",
    )
}

fn mix(name: &str) -> Mix {
    Mix::named(name).unwrap()
}

fn at(batch: u128, seq: u128, context: u128) -> Questions {
    Questions { batch, seq, context, ..Questions::default() }
}

#[test]
fn a_step_of_decoding_reads_every_matrix_and_the_cache_once() {
    let work = Work::decode(&small(), &at(1, 1, 512), mix("q8"), CacheFormat::F32).unwrap().unwrap();
    assert_eq!(work.weights, MATRICES / 32 * 34 + NORMS * 4);
    assert_eq!(work.cache, LAYERS * 2 * 128 * 512 * 4);
    assert_eq!(work.flops, 2 * MATRICES + LAYERS * 4 * 896 * 513);
    let eight = Work::decode(&small(), &at(8, 1, 512), mix("q8"), CacheFormat::F32).unwrap().unwrap();
    let narrow = |cache| Work::decode(&small(), &at(1, 1, 512), mix("q8"), cache).unwrap().unwrap().cache;
    assert_eq!(narrow(CacheFormat::F16), work.cache / 2);
    assert_eq!(narrow(CacheFormat::Q8), work.cache / 4 / 32 * 34);
    assert_eq!((eight.weights, eight.cache, eight.flops), (work.weights, 8 * work.cache, 8 * work.flops));
}

#[test]
fn matrices_are_counted_in_the_formats_of_their_grades() {
    let planned = formwork_ir::plan::plan(&small()).model;
    let bytes = |name| Work::decode(&planned, &at(1, 1, 512), mix(name), CacheFormat::F32).unwrap().unwrap().weights;
    let (head, fine) = (896 * 32000, LAYERS * (896 * 128 + 896 * 896));
    assert_eq!(bytes("q8"), MATRICES / 32 * 34 + NORMS * 4);
    assert_eq!(bytes("q4"), (MATRICES - head) / 32 * 18 + head / 32 * 34 + NORMS * 4);
    assert_eq!(bytes("q4m"), (MATRICES - head - fine) / 32 * 18 + (head + fine) / 32 * 26 + NORMS * 4);
    let mixture = instance(include_str!("../../../specs/models/olmoe-1b-7b.toml"));
    let planned = formwork_ir::plan::plan(&mixture).model;
    let read = |model, name| {
        let work = Work::decode(model, &at(1, 1, 1), mix(name), CacheFormat::F32).unwrap().unwrap();
        i128::try_from(work.weights).unwrap()
    };
    let (routers, head) = (16 * 64 * 2048, 2048 * 50304);
    let more = routers * 4 - routers / 32 * 18 + head / 32 * (34 - 18);
    assert_eq!(read(&planned, "q4") - read(&mixture, "q4"), more, "routers stay as they are");
}

#[test]
fn a_prompt_counts_the_pairs_that_it_sees() {
    let work = Work::forward(&small(), &at(1, 512, 0), mix("f32"), CacheFormat::F32).unwrap();
    assert_eq!(work.weights, (MATRICES + NORMS) * 4);
    assert_eq!(work.cache, 0);
    assert_eq!(work.flops, 512 * 2 * MATRICES + LAYERS * 4 * 896 * (512 * 513 / 2));
    let later = Work::forward(&small(), &at(1, 512, 256), mix("f32"), CacheFormat::F16).unwrap();
    assert_eq!(later.cache, LAYERS * 2 * 128 * 256 * 2);
    assert_eq!(later.flops - work.flops, LAYERS * 4 * 896 * 512 * 256);
}

#[test]
fn a_prompt_reads_no_further_back_than_its_first_token_sees() {
    let windowed = instance(include_str!("../../../specs/models/gemma-3-270m.toml"));
    let cache = |context| Work::forward(&windowed, &at(1, 128, context), mix("f32"), CacheFormat::F16).unwrap().cache;
    let layers = |count: u128, tokens: u128| count * 2 * 256 * tokens * 2;
    assert_eq!(cache(100), layers(18, 100));
    assert_eq!(cache(4096), layers(15, 511) + layers(3, 4096), "15 of 18 layers see 512 tokens, their own among them");
}

#[test]
fn of_experts_only_those_that_can_be_met_are_read() {
    let mixture = instance(include_str!("../../../specs/models/olmoe-1b-7b.toml"));
    let bytes =
        |batch| Work::decode(&mixture, &at(batch, 1, 1), mix("bf16"), CacheFormat::F16).unwrap().unwrap().weights;
    let expert = 16 * 3 * 2048 * 1024 * 2;
    assert_eq!(bytes(2) - bytes(1), 8 * expert, "one more token meets eight more experts in each layer");
    assert_eq!(bytes(8), bytes(64), "then all 64 have been met");
}

#[test]
fn an_encoder_does_not_decode() {
    let encoder = model("bert-base-uncased");
    assert_eq!(Work::decode(&encoder, &at(1, 8, 0), mix("f32"), CacheFormat::F32).unwrap(), None);
    assert!(Work::forward(&encoder, &at(0, 8, 0), mix("f32"), CacheFormat::F32).is_err());
}
