//! The printed formulas, read back by an evaluator that knows nothing of the crate, give the same integers.

mod common;

use std::collections::BTreeMap;

use common::{ask, family, instance, model};
use formwork_analysis::Report;

/// `sum := product (("+" | "-") product)*`, `product := power (("·" | "/") power)*`, `power := atom ("^" digits)?`.
struct Reader<'a> {
    rest: &'a str,
    symbols: &'a BTreeMap<String, i128>,
}

impl Reader<'_> {
    fn take(&mut self, sign: &str) -> bool {
        self.rest = self.rest.trim_start();
        let found = self.rest.strip_prefix(sign);
        self.rest = found.unwrap_or(self.rest);
        found.is_some()
    }

    fn sum(&mut self) -> i128 {
        let mut value = self.product();
        loop {
            if self.take("+") {
                value += self.product();
            } else if self.take("-") {
                value -= self.product();
            } else {
                return value;
            }
        }
    }

    fn product(&mut self) -> i128 {
        let mut value = self.power();
        loop {
            if self.take("·") {
                value *= self.power();
            } else if self.take("/") {
                value /= self.power();
            } else {
                return value;
            }
        }
    }

    fn power(&mut self) -> i128 {
        let base = self.atom();
        if self.take("^") { base.pow(u32::try_from(self.atom()).expect("an exponent")) } else { base }
    }

    fn atom(&mut self) -> i128 {
        if self.take("(") {
            let value = self.sum();
            assert!(self.take(")"), "missing parenthesis before `{}`", self.rest);
            return value;
        }
        let end = self.rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.')).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word.parse()
            .unwrap_or_else(|_| *self.symbols.get(word).unwrap_or_else(|| panic!("no `{word}` before `{rest}`")))
    }
}

fn evaluate(text: &str, symbols: &[(String, u128)]) -> u128 {
    let signed = |(name, value): &(String, u128)| (name.clone(), i128::try_from(*value).expect("small"));
    let symbols = symbols.iter().map(signed).collect();
    let mut reader = Reader { rest: text, symbols: &symbols };
    let value = reader.sum();
    assert_eq!(reader.rest.trim(), "", "in `{text}`");
    u128::try_from(value).expect("a count")
}

fn check(report: &Report) {
    let formulas = &report.formulas;
    let (params, flops) = (formulas.params.to_string(), formulas.flops.to_string());
    assert_eq!(evaluate(&params, &formulas.symbols), report.params.total, "{}: {params}", report.name);
    assert_eq!(evaluate(&flops, &formulas.symbols), report.flops.forward, "{}: {flops}", report.name);
    assert_eq!(formulas.flops_value, report.flops.forward, "{}", report.name);
}

#[test]
fn printed_formulas_evaluate_to_the_counts() {
    for name in
        ["gpt2", "llama-3.2-3b", "mistral-7b-v0.1", "qwen2.5-7b", "qwen3-4b", "bert-base-uncased-mlm", "t5-base"]
    {
        check(&ask(&model(name), 384));
    }
}

const TWO_KINDS: &str = r#"
name = "two-kinds"
family = "llama"
vocab_size = 1000
d_model = 64
n_layers = 6
n_heads = 4
n_kv_heads = 2
d_ff = 160
windows = [16, 16, 128, 16, 16, 128]
"#;

#[test]
fn kinds_that_cost_the_same_share_a_term() {
    let report = ask(&instance(TWO_KINDS), 100);
    check(&report);
    let text = report.formulas.params.to_string();
    assert!(text.contains("n_layers·"), "{text}");
    // Four layers see 16 keys, two see all hundred.
    let pairs = 4 * (16 * 17 / 2 + 84 * 16) + 2 * (100 * 101 / 2);
    assert_eq!(report.flops.parts.attention_masked, 2 * 64 * 2 * pairs);
    assert_eq!(report.kv_cache.elements, 2 * 32 * (4 * 16 + 2 * 100));
    let labels: Vec<_> =
        report.tree.children[0].children.iter().map(|c| (c.name.as_str(), c.label.as_str(), c.layers)).collect();
    let expected = [
        ("embed_tokens", "", None),
        ("layers", "window: 16", Some(4)),
        ("layers", "window: 128", Some(2)),
        ("norm", "", None),
    ];
    assert_eq!(labels, expected);
}

#[test]
fn names_are_short_where_they_are_unambiguous() {
    let model = instance(
        "name = \"knobs\"\nvocab_size = 512\nd_model = 64\nn_layers = 3\n[attention]\nkind = \"gqa\"\nn_heads = 4\nn_kv_heads = 2\n[ffn]\nd_ff = 96\n",
    );
    let report = ask(&model, 64);
    check(&report);
    let text = report.formulas.params.to_string();
    assert!(!text.contains("attention."), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn a_loop_without_layers_costs_nothing() {
    let report = ask(
        &instance(&TWO_KINDS.replace("n_layers = 6", "n_layers = 0").replace("[16, 16, 128, 16, 16, 128]", "[]")),
        8,
    );
    assert_eq!(report.params.total, 2 * 1000 * 64 + 64);
    check(&report);
}

/// Widths that differ from layer to layer, loops in loops, an unnamed number and a batch norm's buffers.
const VARIED: &str = r#"
family varied {
    param vocab_size: int = 50
    param d_model: int = 8
    param n_layers: int = 4
    param n_inner: int = 3
    param widths: list<int> = [16, 24, 16, 40]

    model base(tokens: ids[B, S]) -> [B, S, d_model] {
        x = embedding(tokens, vocab_size, d_model) @ "embed"
        repeat i in 0..n_layers, width = widths[i] @ "layers.{i}" {
            x = x + mix(x, width) @ "mix"
            repeat j in 0..n_inner @ "inner.{j}" {
                x = x + linear(x, d_model, bias: true) @ "turn"
            }
        }
        batch_norm(x) @ "norm"
    }

    block mix(x: [B, S, d_model], width) -> [B, S, d_model] {
        linear(silu(linear(x, width) @ "up"), d_model) @ "down"
    }
}
"#;

#[test]
fn widths_that_differ_and_loops_in_loops() {
    let report = ask(&family(VARIED), 10);
    check(&report);
    assert_eq!(report.params.total, 50 * 8 + 2 * 8 * (16 + 24 + 16 + 40) + 4 * 3 * (64 + 8) + 16);
    assert_eq!(report.params.buffers, 16);
    assert_eq!(report.flops.forward, 2 * 10 * (2 * 8 * (16 + 24 + 16 + 40) + 4 * 3 * 64));
    insta::assert_snapshot!(format!("{}\n{}\n{}", report.formulas.params, report.formulas.flops, report.table()));
}
