//! Hostile specs: whatever the bytes, a model or at least one diagnostic, soon, and never a panic.

mod support;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use formwork_compiler::{Options, Surface, load, load_text};
use support::{files, in_root};

/// Longest that any input may take. Unoptimised builds on busy machines are several times slower than a user's.
const LIMIT: Duration = Duration::from_secs(2);

/// Compiles a text; gives the codes of its diagnostics.
fn compile(text: &str, surface: Surface) -> Vec<&'static str> {
    let start = Instant::now();
    let result = load_text("hostile", text, surface, &Options::default());
    let codes = match result {
        Ok(_) => Vec::new(),
        Err(failure) => {
            let rendered = formwork_diag::render_all(&failure.diagnostics, &failure.sources, false);
            assert!(!failure.diagnostics.is_empty() && !rendered.is_empty(), "no diagnostic for {}", head(text));
            failure.diagnostics.iter().map(|d| d.code).collect()
        }
    };
    assert!(start.elapsed() < LIMIT, "{:?} for {}", start.elapsed(), head(text));
    assert!(!codes.contains(&"internal"), "internal: {}", text);
    codes
}

fn head(text: &str) -> String {
    text.chars().take(200).collect()
}

fn family(body: &str) -> String {
    format!(
        "family f {{\n param d: int = 8\n model m(t: ids[B, S]) {{\n x = embedding(t, 4, d) @ \"e\"\n {body}\n }}\n}}\n"
    )
}

#[test]
fn deep_and_long_inputs_are_refused() {
    let deep = |open: &str, close: &str, n: usize| format!("{}1{}", open.repeat(n), close.repeat(n));
    for n in [70, 5000, 100_000] {
        for (open, close) in [
            ("(", ")"),
            ("[", "]"),
            ("-", ""),
            ("!", ""),
            ("- ", ""),
            ("|a| ", ""),
            ("{ a: ", " }"),
            ("if true { ", " }"),
            ("f(", ")"),
        ] {
            let text = family("x").replace("= 8", &format!("= {}", deep(open, close, n)));
            assert!(!compile(&text, Surface::Family).is_empty(), "{open} {n}");
            assert!(
                !compile(&format!("d_model = \"{}\"", deep(open, close, n)), Surface::Instance).is_empty(),
                "{open} {n}"
            );
        }
        let text = family("x").replace(": int", &format!(": {}int{}", "list<".repeat(n), ">".repeat(n)));
        assert!(!compile(&text, Surface::Family).is_empty());
        let chain = format!("x = if true {{ x }} {} else {{ x }}\n x", "else if true { x }".repeat(n));
        assert!(!compile(&family(&chain), Surface::Family).is_empty());
        assert!(!compile(&format!("a = {}", deep("[", "]", n)), Surface::Instance).is_empty());
        assert!(!compile(&format!("a{} = 1", ".a".repeat(n)), Surface::Instance).is_empty());
        assert!(!compile(&deep("[", "]", n), Surface::Config).is_empty());
        assert!(!compile(&deep("{\"a\":", "}", n), Surface::Config).is_empty());
    }
    for (operator, n) in [(" + ", 100_000), (" ?? ", 1000), (" |> relu ", 1000), (".a", 5000), ("[0]", 5000)] {
        let text = family("x").replace("= 8", &format!("= 1{}", format!("{operator}1").repeat(n)));
        assert!(!compile(&text, Surface::Family).is_empty(), "{operator}");
    }
}

#[test]
fn large_numbers_and_loops_are_refused() {
    for text in [
        "n_layers = 9223372036854775807",
        "n_layers = 65536\nd_model = 1000000000000",
        "d_model = 170141183460469231731687303715884105727",
        "max_seq_len = 170141183460469231731687303715884105727\n[positions]\nkind = \"learned\"",
        "d_model = \"pow(10, 400)\"",
        "d_model = \"round_up(1, 170141183460469231731687303715884105727)\"",
        "d_model = \"floor(pow(10, 30))\"",
        "d_model = 9223372036854775808\n[attention]\nkind = \"mha\"\nn_heads = 1",
        "[norm]\neps = -inf",
        "d_model = -64",
    ] {
        assert!(!compile(text, Surface::Instance).is_empty(), "{text}");
    }
    let nested = "repeat i in 0..65536 @ \"a.{i}\" { repeat j in 0..65536 @ \"b.{j}\" { repeat k in 0..65536, w = k % 2 @ \"c.{k}\" { x = relu(x) } } }\n x";
    compile(&family(nested), Surface::Family);
    compile(&family("repeat i in 0..65536, w = i @ \"a.{i}\" { x = x * w }\n x"), Surface::Family);
    compile(
        &family("repeat i in 0..65536, w = i % 900 @ \"a.{i}\" { x = linear(x, d) @ \"w{w}\" }\n x"),
        Surface::Family,
    );
    compile(&family("x").replace("= 8", "= len(each(60000, |i| each(60000, |j| j)))"), Surface::Family);
}

#[test]
fn odd_files_are_refused_or_read() {
    in_root();
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, bytes: &[u8]| -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("a file");
        path
    };
    let code = |path: &Path| match load(path, &Options::default()) {
        Ok(_) => "",
        Err(failure) => failure.diagnostics[0].code,
    };
    assert_eq!(code(&write("bom.toml", b"\xef\xbb\xbfd_model = 512\n")), "");
    assert_eq!(code(&write("crlf.toml", b"d_model = 512\r\nn_layers = 2\r\n")), "");
    assert_eq!(code(&write("latin.toml", b"name = \"\xe9\"\n")), "not-utf8");
    assert_eq!(code(&write("large.toml", &vec![b'#'; 2 << 20])), "too-large");
    assert_eq!(code(&write("large.fw", &vec![b' '; 2 << 20])), "too-large");
    assert_eq!(code(&write("no-extension", b"d_model = 512")), "unknown-surface");
    assert_eq!(code(&folder.path().join("missing.toml")), "unreadable-file");
    assert_eq!(code(&folder.path().join("missing")), "unreadable-file");
    assert_eq!(code(Path::new("/dev/zero")), "unknown-surface");
    assert_eq!(code(folder.path()), "unknown-surface");
}

/// A small generator of pseudorandom numbers (xorshift64*), so that every run mutates alike.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let value = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(value).unwrap_or(0) % n.max(1)
    }
}

/// Bytes, words and numbers that specs are sensitive to.
const INSERTS: &[&str] = &[
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "\"",
    "@",
    "|>",
    "|",
    "=",
    "==",
    "..",
    "//",
    "///",
    ",",
    ":",
    "?",
    "-",
    "0",
    "-1",
    "4294967296",
    "170141183460469231731687303715884105728",
    "1e999",
    "null",
    "true",
    "repeat",
    "if",
    "else",
    "match",
    "family",
    "block",
    "let",
    "x",
    "é",
    "\0",
    "\r",
    "{i}",
    "<-",
    "->",
    "d_model / 0",
    "tokens",
];

/// Replaces, deletes or doubles some tokens of a text.
fn mutate(text: &str, random: &mut Random) -> String {
    let mut tokens = tokens(text);
    for _ in 0..=random.below(3) {
        let at = random.below(tokens.len());
        match random.below(5) {
            0 => drop(tokens.remove(at)),
            1 => tokens.insert(at, tokens[at]),
            2 => tokens[at] = INSERTS[random.below(INSERTS.len())],
            3 => tokens.insert(at, INSERTS[random.below(INSERTS.len())]),
            _ => {
                let other = random.below(tokens.len());
                tokens.swap(at, other);
            }
        }
    }
    tokens.concat()
}

/// A text as words, spaces and single other characters.
fn tokens(text: &str) -> Vec<&str> {
    let class = |c: char| {
        if c.is_alphanumeric() || c == '_' {
            0
        } else if c == ' ' {
            1
        } else {
            2
        }
    };
    let mut out = Vec::new();
    let mut start = 0;
    let mut last = None;
    for (at, c) in text.char_indices() {
        if last.is_some_and(|l| l != class(c) || l == 2) {
            out.push(&text[start..at]);
            start = at;
        }
        last = Some(class(c));
    }
    out.push(&text[start..]);
    out
}

#[test]
fn mutated_specs_never_panic() {
    in_root();
    let mut random = Random(0x5eed_f00d_cafe_0001);
    // So many mutants of all files of a folder together: the test takes as long when there are more families.
    let surfaces = [
        ("specs", "fw", Surface::Family, 900),
        ("tests/specs/ok", "fw", Surface::Family, 900),
        ("tests/fixtures", "toml", Surface::Instance, 900),
        ("tests/fixtures/families", "json", Surface::Config, 1500),
    ];
    for (folder, extension, surface, mutants) in surfaces {
        let texts = files(Path::new(folder), &[extension]).into_iter();
        let texts = texts.map(|file| std::fs::read_to_string(&file).expect("a spec")).filter(|text| !text.is_empty());
        let texts: Vec<String> = texts.collect();
        for at in 0..mutants {
            compile(&mutate(&texts[at % texts.len()], &mut random), surface);
        }
    }
}
