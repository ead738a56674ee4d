//! Weights written in the project's own form: they load to the same numbers, and damaged files are refused.

mod support;

use formwork_runtime::weights::SafeTensors;
use formwork_runtime::{Context, Holding, Model, Session, Simd, Weights, load_held};
use formwork_tensor::{DType, Format};
use support::weights::{random, save};
use support::{D_FF, D_HEAD, D_MODEL, Decoder, N_HEADS, N_LAYERS, VOCAB};

const PROMPT: [u32; 7] = [5, 17, 3, 111, 0, 42, 42];

fn logits(model: &Decoder) -> Vec<f32> {
    let ctx = Context::with(1, Simd::supported()[0]);
    Session::new(model, &ctx, PROMPT.len()).unwrap().step(&PROMPT).unwrap().data().to_vec()
}

/// The decoder's random weights in a format, written to `quantised` in the folder.
fn quantised(folder: &std::path::Path, dtype: &str) -> Weights {
    save(&folder.join("model.safetensors"), &random());
    let holding = Holding::named(None, Some(dtype)).unwrap();
    let weights = Weights::open(folder, &Decoder::INFO.mapping).unwrap().hold(holding).recording();
    Decoder::load(&weights);
    weights.finish().unwrap();
    weights.save(&folder.join("quantised")).unwrap();
    weights
}

#[test]
fn what_was_written_loads_to_the_same_bits() {
    for (dtype, worst) in
        [("q8", 0.005), ("q6", 0.03), ("q4m", 0.09), ("q4z", 0.09), ("q4", 0.1), ("bf16", 0.003), ("f16", 0.0004)]
    {
        let folder = tempfile::tempdir().unwrap();
        let weights = quantised(folder.path(), dtype);
        let holding = Holding::named(None, Some(dtype)).unwrap();
        let direct = logits(&load_held(folder.path(), holding).unwrap());
        let written = folder.path().join("quantised");
        assert_eq!(logits(&load_held(&written, Holding::Packed).unwrap()), direct, "{dtype}");
        if dtype.starts_with('q') {
            assert_eq!(logits(&load_held(&written, Holding::Mapped).unwrap()), direct, "{dtype}");
            let most = if dtype == "q4m" { "q4z" } else { dtype };
            assert_eq!(Weights::open(&written, &Decoder::INFO.mapping).unwrap().format(), most);
        }
        let again = Weights::open(&written, &Decoder::INFO.mapping).unwrap();
        assert_eq!([weights.are_codes(), again.are_codes()], [false, dtype.starts_with('q')], "{dtype}");
        let lines = weights.taken();
        assert_eq!(lines.iter().filter(|line| line.format.is_some()).count(), 7 * N_LAYERS + 1);
        for line in lines {
            let error = line.error.relative_rms();
            let expected = if line.format.is_some() { 1e-5..worst } else { 0.0..f64::MIN_POSITIVE };
            assert!(expected.contains(&error), "{dtype} {}: {error}", line.name);
        }
    }
}

#[test]
fn the_form_is_as_documented() {
    let folder = tempfile::tempdir().unwrap();
    quantised(folder.path(), "q4");
    let file = SafeTensors::open(&folder.path().join("quantised")).unwrap();
    assert_eq!((file.metadata("format"), file.metadata("version")), (Some("formwork"), Some("1")));
    let name = "model.layers.1.mlp.down_proj.weight";
    // 56 inputs are two groups, the second filled up.
    assert_eq!(file.describe(&format!("{name}.codes")), Some(("U8", &[D_MODEL, D_FF.div_ceil(32), 16][..])));
    assert_eq!(file.describe(&format!("{name}.scales")), Some(("F16", &[D_MODEL, D_FF.div_ceil(32)][..])));
    // What reaches the logits at once keeps 8 bits.
    assert_eq!(file.describe("lm_head.weight.codes"), Some(("I8", &[VOCAB, 1, 32][..])));
    let scales = file.param(&format!("{name}.scales")).unwrap().to_f32().into_owned();
    let codes = file.bytes(&format!("{name}.codes")).unwrap();
    let held = Weights::open(folder.path().join("quantised"), &Decoder::INFO.mapping).unwrap();
    let numbers = held.param(name, &[D_MODEL, D_FF]).to_f32().into_owned();
    for (row, group, input) in [(0, 0, 0), (3, 0, 31), (31, 1, 23), (7, 1, 5)] {
        let byte = codes[(row * 2 + group) * 16 + input % 16];
        let code = if input < 16 { byte & 15 } else { byte >> 4 };
        let number = scales[row * 2 + group] * (f32::from(code) - 8.0);
        assert_eq!(numbers[row * D_FF + group * 32 + input], number, "{row} {group} {input}");
    }
}

#[test]
fn zero_points_are_as_documented() {
    let folder = tempfile::tempdir().unwrap();
    quantised(folder.path(), "q4z");
    let file = SafeTensors::open(&folder.path().join("quantised")).unwrap();
    let name = "model.layers.1.mlp.down_proj.weight";
    assert_eq!(file.describe(&format!("{name}.scales")), Some(("U16", &[D_MODEL, D_FF.div_ceil(32)][..])));
    assert_eq!(file.describe("lm_head.weight.codes"), Some(("I8", &[VOCAB, 1, 32][..])));
    let [codes, scales] = ["codes", "scales"].map(|part| file.bytes(&format!("{name}.{part}")).unwrap());
    let held = Weights::open(folder.path().join("quantised"), &Decoder::INFO.mapping).unwrap();
    let numbers = held.param(name, &[D_MODEL, D_FF]).to_f32().into_owned();
    for (row, group, input) in [(0, 0, 0), (3, 0, 31), (31, 1, 23), (7, 1, 5)] {
        let byte = codes[(row * 2 + group) * 16 + input % 16];
        let code = if input < 16 { byte & 15 } else { byte >> 4 };
        let at = 2 * (row * 2 + group);
        let grid = u16::from_le_bytes([scales[at], scales[at + 1]]);
        let (zero, mantissa, exponent) = (f32::from(grid & 127) / 8.0, grid >> 7 & 15, i32::from(grid >> 11));
        let scale = (1.0 + f32::from(mantissa) / 16.0) * f32::powi(2.0, exponent - 21);
        assert_eq!(numbers[row * D_FF + group * 32 + input], scale * (f32::from(code) - zero), "{row} {group} {input}");
    }
}

#[test]
fn grades_decide_formats_and_six_bits_are_as_documented() {
    let folder = tempfile::tempdir().unwrap();
    let weights = quantised(folder.path(), "q4m");
    let formats: Vec<_> = weights.taken().into_iter().filter_map(|line| Some((line.name, line.format?))).collect();
    for (name, format) in &formats {
        let is_fine = ["v_proj", "o_proj", "lm_head"].iter().any(|fine| name.contains(fine));
        assert_eq!(*format, if is_fine { Format::Q6 } else { Format::Q4Zero }, "{name}");
    }
    let file = SafeTensors::open(&folder.path().join("quantised")).unwrap();
    let name = "model.layers.1.self_attn.o_proj.weight";
    let width = N_HEADS * D_HEAD;
    assert_eq!(file.describe(&format!("{name}.codes")), Some(("U8", &[D_MODEL, width / 32, 24][..])));
    let scales = file.param(&format!("{name}.scales")).unwrap().to_f32().into_owned();
    let codes = file.bytes(&format!("{name}.codes")).unwrap();
    let held = Weights::open(folder.path().join("quantised"), &Decoder::INFO.mapping).unwrap();
    let numbers = held.param(name, &[D_MODEL, width]).to_f32().into_owned();
    for (at, number) in numbers.iter().enumerate() {
        let (group, input) = (at / 32, at % 32);
        let bytes = &codes[group * 24..][..24];
        let low = if input < 16 { bytes[input] & 15 } else { bytes[input - 16] >> 4 };
        let high = bytes[16 + input % 8] >> (2 * (input / 8)) & 3;
        assert_eq!(*number, scales[group] * (f32::from(16 * high + low) - 32.0), "{at}");
    }
}

#[test]
fn a_matrix_that_is_exact_stays_as_it_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    save(&folder.path().join("model.safetensors"), &random());
    let holding = Holding::named(None, Some("q4")).unwrap();
    let weights = Weights::open(folder.path(), &Decoder::INFO.mapping).unwrap().hold(holding).recording();
    weights.exact().linear("lm_head", D_MODEL, VOCAB);
    let taken = weights.taken();
    assert!(
        taken.iter().all(|line| line.error.relative_rms() == 0.0 && line.format == Some(Format::Float(DType::F32))),
        "{taken:?}"
    );
}

#[test]
fn matrices_are_where_they_are_said_to_be() {
    let folder = tempfile::tempdir().unwrap();
    quantised(folder.path(), "q8");
    let places = |path: &std::path::Path, holding: Holding| {
        let weights = Weights::open(path, &Decoder::INFO.mapping).unwrap().hold(holding).threads(1);
        Decoder::load(&weights);
        let held = weights.places();
        [held.mapped, held.copied, held.packed].map(|bytes| bytes > 0)
    };
    assert_eq!(places(folder.path(), Holding::Mapped), [true, false, false]);
    assert_eq!(places(folder.path(), Holding::Packed), [false, false, true]);
    // Nothing multiplies codes where the file has them.
    assert_eq!(places(&folder.path().join("quantised"), Holding::Mapped), [false, false, true]);
    let random = Weights::synthetic(0, &Decoder::INFO.mapping);
    Decoder::load(&random);
    assert!(random.places().copied > 0 && random.places().mapped == 0);
}

fn file(metadata: &str, tensors: &[(&str, &str, &str, usize)]) -> Vec<u8> {
    let (mut header, mut at) = (format!(r#"{{"__metadata__":{{{metadata}}}"#), 0);
    for (name, dtype, shape, bytes) in tensors {
        header += &format!(r#","{name}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{at},{}]}}"#, at + bytes);
        at += bytes;
    }
    header.push('}');
    let mut out = (header.len() as u64).to_le_bytes().to_vec();
    out.extend(header.as_bytes());
    out.resize(out.len() + at, 0);
    out
}

#[test]
fn damaged_files_are_refused() {
    let ours = r#""format":"formwork","version":"1""#;
    let (codes, scales) = (("a.codes", "I8", "[2,1,32]", 64), ("a.scales", "F16", "[2,1]", 4));
    let table = [
        ("another version", "packed-version", file(r#""format":"formwork","version":"2""#, &[codes, scales])),
        ("no version", "packed-version", file(r#""format":"formwork""#, &[codes, scales])),
        ("codes alone", "packed-pair", file(ours, &[codes])),
        ("scales alone", "packed-pair", file(ours, &[scales])),
        ("wide scales", "packed-pair", file(ours, &[codes, ("a.scales", "F32", "[2,1]", 8)])),
        ("groups of 31", "packed-pair", file(ours, &[("a.codes", "I8", "[2,1,31]", 62), scales])),
        ("wide codes", "packed-pair", file(ours, &[("a.codes", "I16", "[2,1,32]", 128), scales])),
        ("zero points of 8 bits", "packed-pair", file(ours, &[codes, ("a.scales", "U16", "[2,1]", 4)])),
        ("other rows", "packed-pair", file(ours, &[codes, ("a.scales", "F16", "[1,2]", 4)])),
        ("one axis", "packed-pair", file(ours, &[("a.codes", "I8", "[2,32]", 64), ("a.scales", "F16", "[2]", 4)])),
        ("the name of both", "duplicate-tensor", file(ours, &[codes, scales, ("a", "F32", "[2]", 8)])),
    ];
    for (what, code, bytes) in table {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, bytes).unwrap();
        let error = Weights::open(&path, &Decoder::INFO.mapping).err().unwrap_or_else(|| panic!("{what} was accepted"));
        assert_eq!((error.code, error.exit), (code, 1), "{what}: {error}");
    }
}
