//! Parameters found through rules, prefixes and ties; problems reported together.

use formwork_runtime::weights::writer::{Numbers, Output, write};
use formwork_runtime::{Context, Mapping, Rule, Simd, Source, Weights};

fn tensor(name: &str, dims: &[usize], start: f32) -> Output {
    let count = dims.iter().product::<usize>();
    let numbers = Numbers::Floats((0..count).map(|i| start + i as f32).collect());
    Output { name: name.to_string(), dims: dims.to_vec(), numbers }
}

fn open(tensors: &[Output], mapping: &Mapping) -> Weights {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    write(&path, tensors).unwrap();
    Weights::open(&path, mapping).unwrap()
}

fn rules(rules: &'static [Rule]) -> Mapping {
    Mapping { prefixes: &[], rules, ignore: &[], gguf: None }
}

fn values(w: &Weights, name: &str, dims: &[usize]) -> Vec<f32> {
    w.param(name, dims).to_f32().into_owned()
}

#[test]
fn sources_compute_what_they_say() {
    const X: Source = Source::Name("x.{i}");
    let w = open(
        &[tensor("x.0", &[2, 3], 0.0), tensor("x.1", &[2, 3], 10.0), tensor("r.0", &[4, 1], 0.0)],
        &rules(&[
            Rule { target: "t.{i}", source: Source::Transpose(&X) },
            Rule { target: "rows.{i}", source: Source::Rows { source: &X, start: 1, len: 1 } },
            Rule { target: "columns.{i}", source: Source::Columns { source: &X, start: 1, len: 2 } },
            Rule { target: "concat", source: Source::Concat(&[Source::Name("x.1"), Source::Name("x.0")]) },
            Rule { target: "stack", source: Source::Stack { source: &X, var: "i", count: 2 } },
            Rule { target: "reshape.{i}", source: Source::Reshape(&X, &[3, 2]) },
            Rule { target: "rope", source: Source::PermuteRope { source: &Source::Name("r.0"), heads: 1 } },
            Rule { target: "add.{i}", source: Source::Add(&X, 0.5) },
            Rule { target: "decay.{i}", source: Source::NegExp(&X) },
            Rule { target: "zeros", source: Source::FirstOf(&[Source::Name("nope"), Source::Zeros(&[2, 2])]) },
            Rule { target: "sinusoids", source: Source::Sinusoids { rows: 3, d: 4 } },
            Rule { target: "first", source: Source::FirstOf(&[Source::Name("nope"), Source::Name("x.0")]) },
        ]),
    );
    assert_eq!(values(&w, "t.0", &[3, 2]), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
    assert_eq!(values(&w, "rows.1", &[1, 3]), [13.0, 14.0, 15.0]);
    assert_eq!(values(&w, "columns.0", &[2, 2]), [1.0, 2.0, 4.0, 5.0]);
    assert_eq!(values(&w, "concat", &[4, 3])[..4], [10.0, 11.0, 12.0, 13.0]);
    assert_eq!(values(&w, "stack", &[2, 2, 3])[5..8], [5.0, 10.0, 11.0]);
    assert_eq!(values(&w, "reshape.0", &[3, 2])[2..4], [2.0, 3.0]);
    assert_eq!(values(&w, "rope", &[4, 1]), [0.0, 2.0, 1.0, 3.0]);
    assert_eq!(values(&w, "add.0", &[2, 3])[0], 0.5);
    assert_eq!(values(&w, "decay.0", &[2, 3])[0], -1.0);
    assert_eq!(values(&w, "zeros", &[2, 2]), [0.0; 4]);
    let angles = [2.0_f64, 0.02];
    let row = [angles[0].sin(), angles[1].sin(), angles[0].cos(), angles[1].cos()];
    assert_eq!(values(&w, "sinusoids", &[3, 4])[8..], row.map(|x| x as f32));
    assert_eq!(values(&w, "first", &[2, 3])[1], 1.0);
    w.finish().unwrap();
}

#[test]
fn a_transposed_linear_multiplies_in_place() {
    const MAP: Mapping = Mapping {
        prefixes: &[],
        rules: &[Rule { target: "{p*}.weight", source: Source::Transpose(&Source::Name("{p}.weight")) }],
        ignore: &[],
        gguf: None,
    };
    let w = open(&[tensor("a.fc.weight", &[2, 3], 0.0)], &MAP);
    let ctx = Context::with(1, Simd::PORTABLE);
    let linear = w.at("a").linear("fc", 2, 3);
    w.finish().unwrap();
    let y = linear.forward(&ctx, &ctx.from_slice(&[1, 2], &[1.0, 10.0]));
    assert_eq!(y.data(), [30.0, 41.0, 52.0]);
}

#[test]
fn prefixes_may_be_there_or_not() {
    const MAP: Mapping = Mapping { prefixes: &["bare."], rules: &[], ignore: &["*.extra"], gguf: None };
    let tensors = [tensor("bare.x", &[1], 1.0), tensor("y", &[1], 2.0), tensor("bare.z.extra", &[1], 0.0)];
    let w = open(&tensors, &MAP);
    assert_eq!(values(&w, "x", &[1]), [1.0]);
    assert_eq!(values(&w, "bare.y", &[1]), [2.0]);
    w.finish().unwrap();
}

#[test]
fn ties_share_memory_and_may_be_stored_twice() {
    const MAP: Mapping = Mapping {
        prefixes: &[],
        rules: &[Rule { target: "head.weight", source: Source::Name("embed.weight") }],
        ignore: &[],
        gguf: None,
    };
    let tensors = [tensor("embed.weight", &[2, 2], 0.0), tensor("head.weight", &[2, 2], 9.0)];
    let w = open(&tensors, &MAP);
    let (a, b) = (w.param("embed.weight", &[2, 2]), w.param("head.weight", &[2, 2]));
    assert_eq!(a.bytes().as_ptr(), b.bytes().as_ptr());
    w.finish().unwrap();
}

#[test]
fn all_problems_are_reported_at_once() {
    let integers = Output { name: "i".to_string(), dims: vec![1], numbers: Numbers::Integers(vec![1]) };
    let tensors = [
        tensor("layer.0.q_proj.weight", &[3, 2], 0.0),
        tensor("layer.0.norm.weight", &[4], 0.0),
        tensor("spare", &[1], 0.0),
        integers,
    ];
    let w = open(&tensors, &Mapping { prefixes: &[], rules: &[], ignore: &[], gguf: None });
    let layer = w.at("layer.0");
    layer.linear("q_proj", 3, 2);
    layer.linear("qproj", 3, 2);
    layer.rms_norm("norm", 5, 1e-5);
    w.param("i", &[1]);
    let error = w.finish().unwrap_err();
    assert_eq!((error.code, error.exit), ("missing-weight", 1));
    for part in [
        "missing `layer.0.qproj.weight`; the checkpoint has `layer.0.q_proj.weight`",
        "`layer.0.q_proj.weight` has shape [3, 2], not [2, 3] (transposed)",
        "`layer.0.norm.weight` has shape [4], not [5]",
        "`i` is I64 [1]",
        "`spare` is not part of this model",
    ] {
        assert!(error.message.contains(part), "{part} in {error}");
    }
}
