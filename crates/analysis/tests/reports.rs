//! What a report says in each of its forms, and what it refuses.

mod common;

use common::{ask, ask_with, instance, model};
use formwork_analysis::{AnalysisError, Assertion, AttentionCount, DType, Figure, Machine, Questions, diff, report};

#[test]
fn table() {
    let text = ask(&model("llama-3.2-3b"), 512).table();
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn table_of_an_encoder_decoder() {
    let text = ask(&model("t5-small"), 512).table();
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn json() {
    insta::assert_snapshot!(ask(&model("gpt2"), 1024).json());
}

#[test]
fn cost_grows_with_kinds_not_with_layers() {
    let text = |layers: u32| format!("name = \"deep\"\nvocab_size = 64\nd_model = 64\nn_layers = {layers}\n");
    let (shallow, deep) = (ask(&instance(&text(1)), 8), ask(&instance(&text(10_000)), 8));
    let fixed = 2 * 64 * 64 + 64;
    assert_eq!(deep.params.total - fixed, 10_000 * (shallow.params.total - fixed));
    assert_eq!(deep.json().lines().count(), shallow.json().lines().count());
}

#[test]
fn a_step_of_an_encoder_decoder_leaves_the_source_out() {
    let report = ask(&model("t5-base"), 512);
    let matrices = 12 * 2 * (4 * 768 * 768 + 2 * 768 * 768 + 2 * 768 * 3072) + 2 * 768 * 32128;
    let attention = 12 * 2 * 12 * 128 * (513 + 512);
    assert_eq!(report.flops.decode, Some(matrices + attention));
}

#[test]
fn batches_caches_and_conventions() {
    let model = model("llama-3.2-3b");
    let one = ask(&model, 256);
    let base = Questions { seq: 256, ..Questions::default() };
    let eight = ask_with(&model, &Questions { batch: 8, ..base.clone() });
    assert_eq!(eight.flops.forward, 8 * one.flops.forward);
    assert_eq!(eight.kv_cache.elements, 8 * one.kv_cache.elements);
    assert_eq!(eight.params, one.params);

    let later = ask_with(&model, &Questions { context: 1024, ..base.clone() });
    assert_eq!(later.flops.parts.attention, 5 * one.flops.parts.attention);
    assert_eq!(later.flops.parts.linear, one.flops.parts.linear);
    assert_eq!(later.kv_cache.elements, 5 * one.kv_cache.elements);
    assert_eq!(later.flops.decode_keys, 1025);

    let masked = ask_with(&model, &Questions { attention: AttentionCount::Masked, ..base.clone() });
    assert_eq!(masked.flops.forward, one.flops.forward);
    assert_eq!(masked.tree.cost, one.tree.cost);
    assert_eq!(masked.forward.flops, one.flops.forward_masked);
    assert_eq!(masked.flops.train_step, 3 * one.flops.forward_masked);

    let full = ask_with(&model, &Questions { elementwise: true, ..base });
    assert_eq!(full.flops.forward, one.flops.forward + one.flops.parts.elementwise + one.flops.parts.special);
    assert_eq!(full.questions.convention(), "mac2-dense-elementwise");
}

#[test]
fn elementwise_work_by_hand() {
    let model = instance(
        "name = \"tiny\"\nvocab_size = 32\nd_model = 8\nn_layers = 1\n[attention]\nkind = \"mha\"\nn_heads = 2\n[ffn]\nkind = \"swiglu\"\nd_ff = 16\n",
    );
    let parts = ask(&model, 4).flops.parts;
    let norms = 3 * (4 * 4 * 8 + 4);
    let (rope, softmax, gate, residuals) = (2 * 3 * 4 * 8, 5 * 2 * 10, 2 * 4 * 16, 2 * 4 * 8);
    assert_eq!(parts.elementwise, norms + rope + softmax + gate + residuals);
    assert_eq!(parts.special, 3 * 4 + 4 * 16);
}

#[test]
fn working_memory_by_hand() {
    let text = "name = \"tiny\"\nvocab_size = 8\nd_model = 8\nn_layers = 2\n[attention]\nkind = \"mha\"\nn_heads = 2\n[ffn]\nkind = \"swiglu\"\nd_ff = 64\n";
    let peak = ask(&instance(text), 4).memory.activations;
    // The residual stream, its norm, and the two halves of the gated feed-forward.
    assert_eq!(peak.bytes, 4 * (4 * 8 + 4 * 8 + 2 * 4 * 64));
    let wide = ask(&instance(text), 256).memory.activations;
    // The residual stream, queries, keys, values, the result and 2·256·256 scores; the norm is gone.
    assert_eq!(wide.unfused_bytes, 4 * (5 * 256 * 8 + 2 * 256 * 256));
}

#[test]
fn weights_of_each_format() {
    let memory = ask(&model("llama-3.2-3b"), 16).memory;
    let (params, vectors) = (3_212_749_824_u128, 57 * 3072);
    let expected = [4 * params, 2 * params, 2 * params]
        .into_iter()
        .chain([34, 26, 18].map(|block| (params - vectors) / 32 * block + 4 * vectors));
    assert!(memory.weights.iter().map(|(_, bytes)| *bytes).eq(expected), "{:?}", memory.weights);
}

#[test]
fn the_roofline_is_a_bound() {
    let model = model("llama-3.2-3b");
    for machine in Machine::names().filter_map(Machine::named).chain([Machine::custom(1e15, 1e12)]) {
        let report = ask_with(&model, &Questions { seq: 2048, machine: machine.clone(), ..Questions::default() });
        let decode = report.decode.expect("it generates");
        assert!(decode.memory_bound && decode.intensity < machine.ridge(), "{}", machine.name);
        assert!(!report.forward.memory_bound, "{}", machine.name);
        for bound in [&report.forward, &decode] {
            assert!(bound.seconds_overlapped <= bound.seconds_sequential * (1.0 + 1e-9), "{}", machine.name);
        }
        // A step reads every weight once; the head's matrix is the embedding's.
        assert!(decode.bytes > report.memory.weights_in(formwork_analysis::DType::Bf16));
    }
}

#[test]
fn comparison() {
    let (a, b) = (ask(&model("llama-3.2-3b"), 512), ask(&model("qwen2.5-3b"), 512));
    let comparison = diff(&a, &b).expect("the same questions");
    insta::assert_snapshot!(comparison.text());
    let total = comparison.figures();
    let Figure::Map(entries) = total.get("figures").expect("figures") else { panic!("a map") };
    let row = entries.iter().find(|(key, _)| key == "params.total").map(|(_, row)| row.get("difference"));
    assert_eq!(row, Some(Some(&Figure::Difference(3_085_938_688 - 3_212_749_824))));
    let other = ask(&model("qwen2.5-3b"), 256);
    assert!(matches!(diff(&a, &other), Err(AnalysisError::BadQuestion(_))));
}

#[test]
fn assertions() {
    let figures = ask(&model("llama-3.2-3b"), 512).figures();
    let check = |text: &str| Assertion::parse(text).and_then(|a| a.check(&figures)).map_err(|e| e.to_string());
    for holds in [
        "params.total == 3_212_749_824",
        "params.total < 8e9",
        "params.total<=3.212749824B",
        "params.total > 3.2B",
        "params.total != 3B",
        "flops.decode >= 6e9",
        "kv_cache.bytes < 100M",
        "memory.weights.q4 < 2B",
        "intensity.decode < 1.5",
        "schema == 1",
    ] {
        assert_eq!(check(holds), Ok(()), "{holds}");
    }
    let messages: Vec<String> = [
        "params.total < 3B",
        "params.totl < 3B",
        "parameters < 3B",
        "name < 3",
        "params.total ~ 3",
        "params.total < lots",
        "params.total < -1",
    ]
    .map(|text| check(text).expect_err(text))
    .to_vec();
    insta::assert_snapshot!(messages.join("\n"));
    let bert = ask(&model("bert-base-uncased"), 16).figures();
    let error = Assertion::parse("flops.decode < 1").and_then(|a| a.check(&bert)).map_err(|e| e.to_string());
    assert_eq!(error, Err("`flops.decode` has no value for this model".into()));
}

#[test]
fn refusals() {
    let model = model("gpt2");
    let ask = |questions: Questions| report(&model, &questions).map(|_| ()).map_err(|e| e.to_string());
    let messages = [
        Questions { batch: 0, ..Questions::default() },
        Questions { seq: 0, ..Questions::default() },
        Questions { machine: Machine::custom(0.0, 1.0), ..Questions::default() },
        Questions { batch: 1 << 100, seq: 1 << 30, ..Questions::default() },
        Questions { batch: u128::MAX, ..Questions::default() },
        Questions { context: u128::MAX, ..Questions::default() },
    ]
    .map(|questions| ask(questions).expect_err("no answer"));
    insta::assert_snapshot!(messages.join("\n"));
}

#[test]
fn from_the_balanced_batch_on_sequences_take_longer_than_weights() {
    let model = instance("vocab_size = 64\nd_model = 64\nn_layers = 3\n");
    let at = |batch| ask_with(&model, &Questions { batch, seq: 4, ..Questions::default() });
    let one = at(1);
    let weights = one.memory.weights_in(DType::Bf16) - 2 * one.params.token_embedding;
    let (machine, batch) = (Machine::default(), one.balance_batch.unwrap());
    let longer = |batch: u128| {
        let step = at(batch).decode.unwrap();
        let own = (step.flops as f64 / machine.flops).max((step.bytes - weights) as f64 / machine.bandwidth);
        own >= weights as f64 / machine.bandwidth
    };
    assert!(batch > 1 && longer(batch) && !longer(batch - 1), "{batch}");
}
