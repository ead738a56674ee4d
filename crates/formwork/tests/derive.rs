//! Models by macro, run on reference weights; the names of the standard prelude are shadowed around them.
#![expect(dead_code, reason = "shadows names that generated code uses")]

use std::path::{Path, PathBuf};

use formwork::rt::weights::SafeTensors;
use formwork::{Context, Ids, Inputs, Model as _, Tokens, Transformer};

struct Vec;
struct Option;
struct Result;
struct Tensor;

#[derive(Transformer)]
#[spec("../../tests/fixtures/knobs/gqa_window/spec.toml", task = "causal_lm")]
struct FromFile;

/// Not exported, and never loaded.
#[derive(Transformer)]
#[spec("../../tests/fixtures/knobs/post_batch/spec.toml")]
pub(crate) struct Unused;

formwork::transformer! {
    /// Two layers.
    pub struct Small;
    toml = r#"
        d_model = 32
        n_layers = 2
        vocab_size = 64
        attention = { kind = "mqa", n_heads = 4 }
    "#,
}

mod inner {
    formwork::transformer! {
        pub(super) struct Average;
        fw = r#"
            family average {
                param d: int = 8
                model base(tokens: ids[B, S]) -> [B, S, d] {
                    rms_norm(embedding(tokens, 16, d) @ "embed", 1e-6) @ "norm"
                }
            }
        "#,
        task = "base",
    }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/knobs").join(name)
}

#[test]
fn a_derived_model_gives_the_reference_logits() {
    let folder = fixture("gqa_window");
    let model = FromFile::load(&folder).unwrap();
    let case = SafeTensors::open(&folder.join("case.safetensors")).unwrap();
    let batch = case.describe("input_ids").unwrap().1[0];
    let ids = case.integers("input_ids").unwrap().into_iter().map(|id| u32::try_from(id).unwrap());
    let ids = Ids::new(ids.collect(), batch).unwrap();
    let mask =
        case.integers("attention_mask").map(|mask| mask.into_iter().map(|x| x != 0).collect::<std::vec::Vec<_>>());
    let length = ids.len();
    let inputs = Inputs::new().with_tokens("input_ids", Tokens::new(ids, 0, mask.clone()).unwrap());
    let mut cache = <FromFile as Transformer>::Instance::cache(batch, length.into());
    let context = Context::new().unwrap();
    let logits = formwork::Model::forward(&model, &context, &inputs, &mut cache);
    let expected = case.param("logits").unwrap();
    let width = FromFile::INFO.vocab_size;
    assert_eq!(logits.data().len(), batch * length * width);
    for (at, (x, y)) in logits.data().iter().zip(expected.to_f32().iter()).enumerate() {
        let is_token = mask.as_ref().is_none_or(|mask| mask[at / width]);
        assert!(!is_token || (x - y).abs() <= 1e-4 * y.abs().max(1.0), "element {at}: {x} is not {y}");
    }
}

#[test]
fn inline_specs_know_their_figures() {
    assert_eq!(inner::Average::PARAMETERS, 16 * 8 + 8);
    assert_eq!(inner::Average::INFO.task, "base");
    assert_eq!((Small::INFO.vocab_size, Small::INFO.name), (64, "small"));
    assert_eq!(Small::PARAMETERS, Small::INFO.parameters);
}
