//! The command line of a crate: forward, verify, and what they refuse.

mod support;

use std::ffi::OsString;
use std::path::Path;

use formwork_runtime::weights::SafeTensors;
use formwork_runtime::weights::writer::{Numbers, Output, write};
use formwork_runtime::{Result, runner};
use support::Decoder;
use support::weights::{random, save};

fn run(arguments: &[&str], folder: &Path) -> Result<()> {
    let place = |word: &&str| -> OsString {
        match word.strip_prefix('@') {
            Some(name) => folder.join(name).into(),
            None => word.into(),
        }
    };
    runner::run::<Decoder>(arguments.iter().map(place).collect())
}

fn integers(name: &str, dims: &[usize], data: &[i64]) -> Output {
    Output { name: name.to_string(), dims: dims.to_vec(), numbers: Numbers::Integers(data.to_vec()) }
}

/// A folder with weights and inputs: two rows, and a sub-case that pads the second.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    save(&folder.path().join("model.safetensors"), &random());
    let ids = integers("input_ids", &[2, 4], &[1, 2, 3, 4, 5, 6, 7, 8]);
    let masked = integers("masked.attention_mask", &[2, 4], &[1, 1, 1, 1, 1, 1, 0, 0]);
    write(&folder.path().join("in"), &[ids, masked]).unwrap();
    folder
}

/// The answers together with the inputs: a case that verifies.
fn case(folder: &Path, change: impl Fn(&str, &mut Vec<f32>)) {
    let open = |name: &str| SafeTensors::open(&folder.join(name)).unwrap();
    let mut outputs = Vec::new();
    for file in [open("in"), open("out")] {
        for name in file.names() {
            let dims = file.describe(name).unwrap().1.to_vec();
            let numbers = match (file.integers(name), file.param(name)) {
                (Some(integers), _) => Numbers::Integers(integers),
                (None, param) => {
                    let mut floats = param.unwrap().to_f32().into_owned();
                    change(name, &mut floats);
                    Numbers::Floats(floats)
                }
            };
            outputs.push(Output { name: name.to_string(), dims, numbers });
        }
    }
    write(&folder.join("case"), &outputs).unwrap();
}

const FORWARD: [&str; 9] = ["forward", "--weights", "@", "--input", "@in", "--output", "@out", "--greedy", "5"];
const VERIFY: [&str; 5] = ["verify", "--weights", "@", "--input", "@case"];

#[test]
fn forward_writes_what_verify_accepts() {
    let folder = folder();
    run(&[&FORWARD[..], &["--hidden"]].concat(), folder.path()).unwrap();
    let out = SafeTensors::open(&folder.path().join("out")).unwrap();
    assert_eq!(out.describe("logits").unwrap(), ("F32", &[2, 4, 112][..]));
    assert_eq!(out.describe("masked.logits").unwrap().1, [2, 4, 112]);
    assert_eq!(out.describe("hidden_states.2").unwrap().1, [2, 4, 32]);
    assert_eq!(out.describe("greedy.ids").unwrap(), ("I64", &[5][..]));
    assert_eq!(out.describe("greedy.logits").unwrap().1, [5, 112]);
    case(folder.path(), |_, _| {});
    run(&VERIFY, folder.path()).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 4, "no temporary file is left");
}

#[test]
fn hidden_states_need_their_flag() {
    let folder = folder();
    run(&FORWARD[..7], folder.path()).unwrap();
    let out = SafeTensors::open(&folder.path().join("out")).unwrap();
    let mut names: Vec<_> = out.names().collect();
    names.sort();
    assert_eq!(names, ["logits", "masked.logits"]);
}

#[test]
fn verify_names_the_first_layer_that_diverges() {
    let folder = folder();
    run(&[&FORWARD[..], &["--hidden"]].concat(), folder.path()).unwrap();
    case(folder.path(), |name, floats| {
        if ["logits", "hidden_states.1", "hidden_states.2"].contains(&name) {
            floats[7] += 0.1;
        }
    });
    let error = run(&VERIFY, folder.path()).unwrap_err();
    assert_eq!((error.code, error.exit), ("diverges", 3));
    assert!(error.message.contains("first `hidden_states.1`"), "{error}");
    run(&[&VERIFY[..], &["--tolerance", "0.2"]].concat(), folder.path()).unwrap();
}

#[test]
fn masked_positions_do_not_count_and_nan_does() {
    let folder = folder();
    run(&FORWARD, folder.path()).unwrap();
    let last = 7 * 112;
    case(folder.path(), |name, floats| {
        if name == "masked.logits" {
            floats[last] = 99.0;
        }
    });
    run(&VERIFY, folder.path()).unwrap();
    case(folder.path(), |name, floats| {
        if name == "masked.logits" {
            floats[0] = f32::NAN;
        }
    });
    assert_eq!(run(&VERIFY, folder.path()).unwrap_err().code, "diverges");
}

#[test]
fn packed_weights_give_the_same_and_smaller_ones_nearly() {
    let folder = folder();
    run(&FORWARD, folder.path()).unwrap();
    case(folder.path(), |_, _| {});
    for (options, tolerance) in [
        (&["--hold", "packed"][..], "1e-5"),
        (&["--dtype", "f32"], "1e-5"),
        (&["--dtype", "f16"], "2e-3"),
        (&["--dtype", "bf16", "--hold", "packed"], "2e-2"),
    ] {
        run(&[&VERIFY, options, &["--tolerance", tolerance]].concat(), folder.path()).unwrap();
    }
    for dtype in ["q8", "q4", "q4z"] {
        let error =
            run(&[&VERIFY, &["--dtype", dtype, "--tolerance", "1e-6"][..]].concat(), folder.path()).unwrap_err();
        assert_eq!(error.code, "diverges", "{dtype} is another number");
    }
    let both = ["--dtype", "q8", "--hold", "mapped"];
    assert_eq!(run(&[&VERIFY, &both[..]].concat(), folder.path()).unwrap_err().code, "usage");
}

#[test]
fn wrong_command_lines_are_usage_errors() {
    let folder = folder();
    let table: [&[&str]; 11] = [
        &[],
        &["dance"],
        &["forward"],
        &["forward", "--wieghts", "x"],
        &["verify", "--greedy", "3"],
        &["forward", "--weights"],
        &["forward", "--weights", "@", "--input", "@in", "--output", "@out", "--threads", "0"],
        &["verify", "--weights", "@", "--input", "@in", "--tolerance", "nan"],
        &["generate", "--weights", "@", "--top-k", "-1"],
        &["verify", "--weights", "@", "--input", "@in", "--dtype", "q5"],
        &["verify", "--weights", "@", "--input", "@in", "--hold", "near"],
    ];
    for arguments in table {
        let error = run(arguments, folder.path()).unwrap_err();
        assert_eq!((error.code, error.exit), ("usage", 2), "{arguments:?}: {error}");
    }
    run(&["info"], folder.path()).unwrap();
    run(&["--help"], folder.path()).unwrap();
}

#[test]
fn wrong_inputs_have_their_codes() {
    let folder = folder();
    let code = |inputs: &[Output]| {
        write(&folder.path().join("in"), inputs).unwrap();
        run(&FORWARD[..7], folder.path()).unwrap_err().code
    };
    let ids = |data: &[i64]| integers("input_ids", &[1, data.len()], data);
    assert_eq!(code(&[ids(&[1, 112])]), "token-out-of-range");
    assert_eq!(code(&[ids(&[1, -1])]), "token-out-of-range");
    assert_eq!(code(&[ids(&[1; 65])]), "context-too-long");
    assert_eq!(code(&[integers("other", &[1], &[1])]), "missing-input");
    assert_eq!(code(&[ids(&[1, 2]), integers("attention_mask", &[1, 3], &[1; 3])]), "mask-shape");
    assert_eq!(code(&[ids(&[1, 2]), integers("attention_mask", &[1, 2], &[1, 2])]), "mask-value");
    assert_eq!(code(&[integers("input_ids", &[1, 1, 1], &[1])]), "input-shape");
    let floats = Numbers::Floats(vec![1.0]);
    let floats = Output { name: "input_ids".to_string(), dims: vec![1, 1], numbers: floats };
    assert_eq!(code(&[floats]), "input-dtype");
    assert!(!folder.path().join("out").exists());
}

#[test]
fn bench_measures_with_and_without_weights() {
    let folder = folder();
    let sizes = ["--pp", "4", "--tg", "2", "--depth", "0,3", "--batch", "1,2", "--threads", "1,2", "--repeat", "1"];
    run(&[&["bench"], &sizes[..]].concat(), folder.path()).unwrap();
    run(&[&["bench", "--json", "--weights", "@"], &sizes[..]].concat(), folder.path()).unwrap();
    run(&[&["bench", "--json", "--dtype", "q8", "--weights", "@"], &sizes[..]].concat(), folder.path()).unwrap();
    let work = r#"{"pp4": {"flops": 5, "cache": 0, "weights": {"f32": 7}}}"#;
    run(&["bench", "--pp", "4", "--tg", "0", "--repeat", "1", "--work", work], folder.path()).unwrap();
}

#[test]
fn bench_refuses_what_it_cannot_measure() {
    let folder = folder();
    for wrong in [
        &["--pp", "0", "--tg", "0"][..],
        &["--batch", "0"],
        &["--pp", "4,x"],
        &["--pp", "9999999999"],
        &["--threads", "1000000"],
        &["--threads", "0"],
        &["--repeat", "0"],
        &["--work", "{\"pp4\": 5}"],
        &["--greedy", "3"],
    ] {
        let error = run(&[&["bench"], wrong].concat(), folder.path()).unwrap_err();
        assert_eq!((error.code, error.exit), ("usage", 2), "{wrong:?}");
    }
    let long = run(&["bench", "--pp", "60", "--depth", "60", "--repeat", "1"], folder.path()).unwrap_err();
    assert_eq!(long.code, "context-too-long");
    assert!(long.help.iter().any(|help| help.contains("--pp")), "{long}");
}

#[test]
fn weights_that_no_error_can_be_measured_of_are_not_quantised() {
    let quantize = |name: &str, number: f32, dtype: &str| {
        let folder = folder();
        let mut weights = random();
        weights.get_mut(name).unwrap().1[3] = number;
        save(&folder.path().join("model.safetensors"), &weights);
        let arguments = ["quantize", "--weights", "@", "--dtype", dtype, "--output", "@small"];
        let error = run(&arguments, folder.path()).unwrap_err();
        assert!(error.message.contains(name) && !folder.path().join("small").exists(), "{error}");
        (error.code, error.exit)
    };
    let up = "model.layers.1.mlp.up_proj.weight";
    for dtype in ["q8", "q4", "q4z", "f32"] {
        for number in [f32::NAN, f32::INFINITY] {
            assert_eq!(quantize(up, number, dtype), ("weight-not-finite", 1), "{dtype}");
            assert_eq!(quantize("model.norm.weight", number, dtype), ("weight-not-finite", 1), "{dtype}");
        }
    }
    for dtype in ["q8", "q4", "f16"] {
        assert_eq!(quantize(up, 1e9, dtype), ("weight-overflow", 1), "{dtype}");
    }
}

#[test]
fn weights_that_are_read_are_neither_replaced_nor_hidden() {
    let folder = folder();
    let place = |name: &str| folder.path().join(name);
    let refuses = |weights: &str, output: &str| {
        let before = std::fs::read(place(output.trim_start_matches('@'))).ok();
        let arguments = ["quantize", "--weights", weights, "--dtype", "q4", "--output", output];
        let error = run(&arguments, folder.path()).unwrap_err();
        assert_eq!((error.code, error.exit), ("usage", 2), "{weights} {output}: {error}");
        assert_eq!(std::fs::read(place(output.trim_start_matches('@'))).ok(), before);
    };
    refuses("@", "@model.safetensors");
    refuses("@model.safetensors", "@model.safetensors");
    std::fs::rename(place("model.safetensors"), place("model-00001-of-00001.safetensors")).unwrap();
    let shard = |name: &String| (name.clone(), "model-00001-of-00001.safetensors".into());
    let index = serde_json::json!({"weight_map": random().keys().map(shard).collect::<serde_json::Map<_, _>>()});
    std::fs::write(place("model.safetensors.index.json"), index.to_string()).unwrap();
    for weights in ["@", "@model.safetensors.index.json"] {
        refuses(weights, "@model.safetensors");
        refuses(weights, "@model-00001-of-00001.safetensors");
    }
    run(&FORWARD, folder.path()).unwrap();
}
