//! The waterfall from the textbook's count: every term by hand, every sum exact.

mod common;

use common::{ask, instance, model};
use formwork_analysis::{Waterfall, explain};
use formwork_ir::Model;

fn waterfall(model: &Model) -> Waterfall {
    explain(model).unwrap_or_else(|error| panic!("{}: {error}", model.name))
}

/// Name, textbook, exact, then the differences: untied head, attention, feed-forward, biases, norms, tables, other.
#[rustfmt::skip]
const ROWS: &[(&str, u128, u128, [i128; 7])] = &[
    ("gpt2", 123_550_464, 124_439_808, [0, 0, 0, 82_944, 19_968, 786_432, 0]),
    ("llama-2-7b", 5_164_498_944, 6_738_415_616, [131_072_000, 0, 1_442_840_576, 0, 4_096, 0, 0]),
    ("mistral-7b-v0.1", 6_036_914_176, 7_241_732_096, [131_072_000, -805_306_368, 1_879_048_192, 0, 4_096, 0, 0]),
    ("qwen2.5-0.5b", 422_438_912, 494_032_768, [0, -33_030_144, 104_595_456, 27_648, 896, 0, 0]),
    ("qwen3-4b", 3_125_923_840, 4_022_468_096, [0, 0, 896_532_480, 0, 11_776, 0, 0]),
    ("bert-base-uncased-mlm", 108_393_984, 109_514_298, [0, 0, 0, 114_234, 21_504, 394_752, 589_824]),
    ("t5-base", 194_580_480, 222_903_552, [0, 28_311_552, 0, 0, 10_752, 768, 0]),
];

#[test]
fn terms_of_published_models() {
    for (name, textbook, exact, expected) in ROWS {
        let it = waterfall(&model(name));
        let of =
            |names: &[&str]| it.steps.iter().filter(|s| names.contains(&s.name)).map(|s| s.difference).sum::<i128>();
        let found = [
            of(&["untied head"]),
            of(&["head width", "grouped heads", "more attentions", "other projections"]),
            of(&["feed-forward"]),
            of(&["biases"]),
            of(&["norms"]),
            of(&["positions and other tables"]),
            of(&["other"]),
        ];
        assert_eq!(it.textbook, *textbook, "{name}");
        assert_eq!(it.total, *exact, "{name}");
        assert_eq!(found, *expected, "{name}");
    }
}

#[test]
fn every_wiring_sums_to_its_total() {
    for placement in ["pre", "post", "sandwich", "branch", "parallel"] {
        for attention in
            ["kind = \"mha\"", "kind = \"mqa\"", "kind = \"gqa\"\nn_kv_heads = 2\nqk_norm = true\nbias = true"]
        {
            let text = format!(
                "name = \"knobs\"\nvocab_size = 512\nd_model = 64\nn_layers = 3\n[attention]\n{attention}\nn_heads = 4\nd_head = 24\n[norm]\nplacement = \"{placement}\"\nkind = \"layer\"\n"
            );
            let model = instance(&text);
            let it = waterfall(&model);
            assert_eq!(it.total, ask(&model, 16).params.total, "{placement}, {attention}");
            let rest = it.steps.iter().find(|s| s.name == "other projections").map(|s| s.difference);
            assert_eq!(rest, Some(0), "{placement}, {attention}");
        }
    }
}

#[test]
fn text() {
    insta::assert_snapshot!(waterfall(&model("qwen3-4b")).text());
}
