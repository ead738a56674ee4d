//! Every published size under `specs/models`: it compiles, and its parameters are the published integer.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use formwork_compiler::{Options, load};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Parameters of a spec, shared ones once.
fn total(path: &Path) -> u128 {
    let model = match load(path, &Options::default()) {
        Ok(compiled) => compiled.model,
        Err(f) => panic!("{}", formwork_diag::render_all(&f.diagnostics, &f.sources, false)),
    };
    formwork_ir::parameter_count(&model).unwrap()
}

#[test]
fn published_sizes_have_the_published_totals() {
    let mut seen = BTreeSet::new();
    for list in std::fs::read_dir(root().join("tests/golden")).unwrap() {
        let text = std::fs::read_to_string(list.unwrap().path()).unwrap();
        for line in text.lines().filter(|l| !l.starts_with('#')) {
            let Some((name, expected)) = line.split_once(' ') else { continue };
            let found = total(&root().join(format!("specs/models/{name}.toml")));
            assert_eq!(found, expected.trim().parse::<u128>().unwrap(), "{name}");
            seen.insert(name.to_string());
        }
    }
    assert!(seen.len() >= 100, "{}", seen.len());
}

#[test]
fn every_published_size_compiles() {
    for entry in std::fs::read_dir(root().join("specs/models")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "toml") {
            assert!(total(&path) > 0, "{}", path.display());
        }
    }
}

/// The matrices of a published model that are to be kept nearer to their originals, by block and path.
fn grades(name: &str) -> BTreeSet<String> {
    let compiled = load(&root().join(format!("specs/models/{name}.toml")), &Options::default()).unwrap();
    let plan = formwork_ir::plan::plan(&compiled.model);
    let grades = plan.changes.iter().filter(|change| change.pass == "grade_matrices");
    grades.map(|change| format!("{}: {}", change.module, change.after)).collect()
}

#[test]
fn values_outputs_routers_and_answers_are_kept_nearer() {
    let expected: [(&str, &[&str]); 5] = [
        (
            "olmoe-1b-7b",
            &[
                "causal_lm: lm_head {weight: finest}",
                "self_attention: o_proj {weight: fine}",
                "self_attention: v_proj {weight: fine}",
                "mixture: gate {weight: exact}",
            ],
        ),
        (
            "t5-small",
            &[
                "cross_attention: o {weight: fine}",
                "cross_attention: v {weight: fine}",
                "self_attention: o {weight: fine}",
                "self_attention: v {weight: fine}",
                "seq2seq: lm_head {weight: finest}",
            ],
        ),
        (
            "bert-base-uncased",
            &[
                "encoder_attention: value {weight: fine}",
                "layer: attention.output.dense {weight: fine}",
                "masked_lm_head: decoder {weight: finest}",
            ],
        ),
        (
            "deepseek-v3",
            &[
                "causal_lm: lm_head {weight: finest}",
                "latent_attention: o_proj {weight: fine}",
                "mixture_of: gate {weight: exact}",
            ],
        ),
        ("mamba-130m", &["causal_lm: lm_head {weight: finest}"]),
    ];
    for (name, expected) in expected {
        assert_eq!(grades(name), expected.iter().map(ToString::to_string).collect(), "{name}");
    }
}
