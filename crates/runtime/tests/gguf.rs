//! GGUF files: every type of blocks against llama.cpp's own reading, and what must be refused.

use std::path::Path;

use formwork_runtime::{Error, Fact, Gguf, Holding, Mapping, Rule, Source, Weights};

/// Made by `tools/make_gguf_fixtures.py`.
const BLOCKS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/gguf/blocks.gguf");

static GGUF: Gguf = Gguf {
    architectures: &[("blocks", &[]), ("other", &[Rule { target: "b", source: Source::Name("a") }])],
    rules: &[],
    ignore: &["unread.*"],
    facts: &[Fact { key: "eps", value: 1e-5 }],
};

const MAPPING: Mapping = Mapping { prefixes: &[], rules: &[], ignore: &[], gguf: Some(&GGUF) };

fn open(path: &Path) -> Result<Weights, Error> {
    Weights::open(path, &MAPPING)
}

#[test]
fn blocks_of_every_type_are_read_as_llama_cpp_reads_them() {
    let weights = open(BLOCKS.as_ref()).unwrap();
    for kind in ["q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "q4_k", "q5_k", "q6_k", "bf16"] {
        let found = weights.param(&format!("{kind}.weight"), &[3, 512]).to_f32().into_owned();
        let expected = weights.param(&format!("{kind}.f32"), &[3, 512]).to_f32().into_owned();
        for (at, (x, y)) in found.iter().zip(&expected).enumerate() {
            // The package multiplies in another order.
            assert!((x - y).abs() <= 1e-6 * y.abs().max(1.0), "{kind} at {at}: {x} not {y}");
        }
    }
    let [half, double, plain] =
        ["f16.weight", "f64.weight", "plain.f32"].map(|name| weights.param(name, &[3, 8]).to_f32().into_owned());
    assert_eq!(double, plain);
    assert!(half.iter().zip(&plain).all(|(x, y)| (x - y).abs() < 1e-3 * y.abs().max(0.1)));
    weights.finish().unwrap();
}

#[test]
fn codes_that_a_format_has_too_are_kept() {
    let same = [("q4_0", "q4"), ("q4_0", "q8"), ("q5_0", "q8"), ("q8_0", "q8"), ("q4_k", "f32")];
    for (kind, dtype) in same {
        let holding = Holding::named(None, Some(dtype)).unwrap();
        let weights = open(BLOCKS.as_ref()).unwrap().hold(holding).recording();
        weights.linear(kind, 512, 3);
        assert_eq!(weights.taken()[0].error.relative_rms(), 0.0, "{kind} as {dtype}");
    }
    let weights = open(BLOCKS.as_ref()).unwrap().hold(Holding::named(None, Some("q4")).unwrap()).recording();
    weights.linear("q8_0", 512, 3);
    assert!((0.01..0.1).contains(&weights.taken()[0].error.relative_rms()));
}

/// A file piece by piece.
#[derive(Clone, Default)]
struct File(Vec<u8>);

impl File {
    fn new(version: u32, tensors: u64, values: u64) -> Self {
        Self(b"GGUF".to_vec()).u32(version).u64(tensors).u64(values)
    }

    fn u32(mut self, x: u32) -> Self {
        self.0.extend(x.to_le_bytes());
        self
    }

    fn u64(mut self, x: u64) -> Self {
        self.0.extend(x.to_le_bytes());
        self
    }

    fn text(self, text: &str) -> Self {
        let mut out = self.u64(text.len() as u64);
        out.0.extend(text.as_bytes());
        out
    }

    fn architecture(self, name: &str) -> Self {
        self.text("general.architecture").u32(8).text(name)
    }

    /// A description; axes as the format has them, the innermost first.
    fn tensor(self, name: &str, dims: &[u64], kind: u32, offset: u64) -> Self {
        let described = self.text(name).u32(dims.len() as u32);
        dims.iter().fold(described, |file, dim| file.u64(*dim)).u32(kind).u64(offset)
    }

    fn data(mut self, count: usize) -> Self {
        self.0.resize(self.0.len().next_multiple_of(32) + count, 0);
        self
    }
}

fn opened(file: &[u8]) -> Result<Weights, Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.gguf");
    std::fs::write(&path, file).unwrap();
    open(&path)
}

/// One tensor `a` in a good file.
fn one(dims: &[u64], kind: u32, offset: u64, data: usize) -> File {
    File::new(3, 1, 1).architecture("blocks").tensor("a", dims, kind, offset).data(data)
}

fn two(second: &str, offset: u64) -> File {
    let file = File::new(3, 2, 1).architecture("blocks").tensor("a", &[8], 0, 0);
    file.tensor(second, &[8], 0, offset).data(64)
}

fn keyed(key: &str) -> File {
    File::new(3, 0, 1).text(key)
}

#[test]
fn bad_files_are_refused() {
    let (most, half) = (u64::MAX, 1 << 63);
    let table = [
        ("version 1", "bad-gguf", File::new(1, 0, 0)),
        ("version 4", "bad-gguf", File::new(4, 0, 0)),
        ("big-endian", "bad-gguf", File::new(3_u32.swap_bytes(), 0, 0)),
        ("many keys", "bad-gguf", File::new(3, 0, most)),
        ("many tensors", "bad-gguf", File::new(3, most, 0)),
        ("a tensor more than fits", "bad-gguf", File::new(3, 2, 0).tensor("a", &[8], 0, 0)),
        ("a key without end", "bad-gguf", File::new(3, 0, 1).u64(most).data(64)),
        ("a long key", "bad-gguf", File::new(3, 0, 1).text(&"x".repeat(70_000)).u32(4).u32(0)),
        ("a key that commands the terminal", "bad-gguf", keyed("a\u{1b}[2J").u32(4).u32(0)),
        ("an empty key", "bad-gguf", keyed("").u32(4).u32(0).data(8)),
        ("an unknown type", "bad-gguf", keyed("a").u32(13).u32(0)),
        ("a list of lists", "bad-gguf", keyed("a").u32(9).u32(9).u64(1).data(64)),
        ("a list of an unknown type", "bad-gguf", keyed("a").u32(9).u32(77).u64(1)),
        ("a list without end", "truncated-gguf", keyed("a").u32(9).u32(12).u64(half)),
        ("a list whose bytes overflow", "truncated-gguf", keyed("a").u32(9).u32(10).u64(most / 8 + 1)),
        ("texts without end", "truncated-gguf", keyed("a").u32(9).u32(8).u64(most)),
        ("a text without end", "truncated-gguf", keyed("a").u32(8).u64(half)),
        ("a key twice", "bad-gguf", File::new(3, 0, 2).architecture("blocks").architecture("blocks")),
        ("alignment 0", "bad-gguf", keyed("general.alignment").u32(4).u32(0)),
        ("alignment 24", "bad-gguf", keyed("general.alignment").u32(4).u32(24)),
        ("alignment of 2^31", "bad-gguf", keyed("general.alignment").u32(4).u32(1 << 31)),
        ("a text as alignment", "bad-gguf", keyed("general.alignment").u32(8).text("32")),
        ("no architecture", "gguf-architecture", File::new(3, 0, 0)),
        ("another architecture", "gguf-architecture", File::new(3, 0, 1).architecture("nobody")),
        ("five axes", "tensor-shape", one(&[1; 5], 0, 0, 4)),
        ("2^32 axes", "tensor-shape", File::new(3, 1, 0).text("a").u32(u32::MAX).data(64)),
        ("an axis of 0", "tensor-shape", one(&[8, 0], 0, 0, 32)),
        ("overflow", "tensor-shape", one(&[1 << 32, 1 << 32], 0, 0, 32)),
        ("bytes overflow", "tensor-shape", one(&[1 << 62], 0, 0, 32)),
        ("half a block", "tensor-shape", one(&[48], 8, 0, 64)),
        ("half a block of 256", "tensor-shape", one(&[128], 12, 0, 144)),
        ("an odd offset", "bad-gguf", one(&[8], 0, 4, 64)),
        ("an offset near the end of u64", "bad-gguf", one(&[8], 0, most - 31, 64)),
        ("beyond the file", "truncated-gguf", one(&[8], 0, 64, 64)),
        ("half in the file", "truncated-gguf", one(&[8], 0, 0, 31)),
        ("a name twice", "duplicate-tensor", two("a", 32)),
        ("overlap", "overlapping-tensors", two("b", 0)),
    ];
    for (what, code, file) in table {
        let error = opened(&file.0).err().unwrap_or_else(|| panic!("{what} was accepted"));
        assert_eq!((error.code, error.exit), (code, 1), "{what}: {error}");
    }
}

#[test]
fn damage_never_panics() {
    let good = two("b", 32).0;
    opened(&good).unwrap();
    for length in 4..good.len() {
        assert!(opened(&good[..length]).is_err(), "{length} bytes");
    }
    let mut state = 1_u64;
    for _ in 0..3000 {
        let mut file = good.clone();
        for _ in 0..2 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let at = 4 + (state >> 33) as usize % (file.len() - 100);
            file[at] = (state >> 24) as u8;
        }
        // Whatever was hit: an answer, and tensors that can be read.
        if let Ok(weights) = opened(&file) {
            weights.param("a", &[8]);
        }
    }
}

#[test]
fn a_file_has_to_agree_with_the_model() {
    let file = |key: &str, eps: f32| {
        let file = File::new(3, 1, 2).architecture("other").text(key).u32(6).u32(eps.to_bits());
        file.tensor("a", &[8], 0, 0).data(32).0
    };
    let code = |file: &[u8]| {
        let weights = opened(file).unwrap();
        // The architecture's own rule finds it.
        weights.param("b", &[8]);
        weights.finish().err().map(|error| error.code)
    };
    assert_eq!(code(&file("other.eps", 1e-5)), None);
    assert_eq!(code(&file("other.eps", 1e-6)), Some("gguf-differs"));
    assert_eq!(code(&file("other.unread.x", 1.0)), None);
    assert_eq!(code(&file("other.unknown", 1.0)), Some("gguf-key"));
    assert_eq!(code(&file("general.unknown", 1.0)), None);
}

#[test]
fn unread_types_are_named_and_parts_are_refused() {
    let weights = opened(&one(&[256], 19, 0, 66).0).unwrap();
    weights.param("a", &[256]);
    let error = weights.finish().unwrap_err();
    assert!(error.code == "weight-dtype" && error.message.contains("`a`"), "{error}");
    let part = File::new(3, 0, 2).architecture("blocks").text("split.count").u32(2);
    assert_eq!(opened(&[part.0, 3_u16.to_le_bytes().to_vec()].concat()).err().unwrap().code, "split-gguf");
}
