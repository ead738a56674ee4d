//! `tokenizer`: ids and back, side by side, step by step.

use crate::support::{formwork, root};
use serde_json::Value;

fn fixture(name: &str) -> String {
    root().join("crates/tokenizer/tests/fixtures").join(name).display().to_string()
}

#[test]
fn ids_go_there_and_back() {
    for name in ["byte_level", "bpe_bytes.model", "unigram.model"] {
        let tokenizer = fixture(name);
        let ran = formwork(&["tokenizer", "encode", "--tokenizer", &tokenizer, "--text", "the cats, 42"]);
        let ids: Vec<&str> = ran.out.split_whitespace().collect();
        let back = formwork(&[&["tokenizer", "decode", "--tokenizer", &tokenizer], &ids[..]].concat());
        assert_eq!((ran.status, back.status, back.out.as_str()), (0, 0, "the cats, 42\n"), "{}{}", ran.err, back.err);
    }
    let ran = formwork(&["tokenizer", "decode", "--tokenizer", &fixture("byte_level"), "999999"]);
    assert!(ran.status == 1 && ran.err.contains("error[unknown-id]"), "{}", ran.err);
}

#[test]
fn what_is_lost_is_said() {
    let words = fixture("word_list");
    let ran = formwork(&["tokenizer", "encode", "--tokenizer", &words, "--text", "the ꙮ", "--json"]);
    let json: Value = serde_json::from_str(&ran.out).unwrap();
    assert!(ran.err.contains("\"ꙮ\"") && json["unknown"][0]["text"] == "ꙮ", "{}{}", ran.err, ran.out);
    assert_eq!(json["tokens"][0], "[CLS]");
}

#[test]
fn tokenizers_stand_side_by_side() {
    let (pairs, words, text) = (fixture("byte_level"), fixture("word_list"), fixture("corpus.txt"));
    let ran = formwork(&["tokenizer", "inspect", &pairs, &words, "--on", &text]);
    assert!(ran.status == 0 && ran.out.contains("byte-bpe") && ran.out.contains("wordpiece"), "{}{}", ran.out, ran.err);
    let ran = formwork(&["tokenizer", "inspect", &pairs, "--on", &text, "--json"]);
    let json: Value = serde_json::from_str(&ran.out).unwrap();
    let figures = &json["tokenizers"][0];
    assert_eq!((&figures["tokens"], &figures["merges"]), (&1500.into(), &1244.into()));
    assert!(figures["tokens_per_byte"].as_f64().unwrap() < 1.0);
}

#[test]
fn every_step_is_shown() {
    let (pairs, words) = (fixture("byte_level"), fixture("word_list"));
    let arguments = ["tokenizer", "explain", "--tokenizer", &pairs, "--tokenizer", &words, "the cats"];
    let ran = formwork(&arguments);
    assert_eq!(ran.status, 0, "{}", ran.err);
    assert!(
        ran.out.contains("normalized") && ran.out.contains("merge ") && ran.out.contains("longest token"),
        "{}",
        ran.out
    );
    let ran = formwork(&[&arguments[..], &["--json"]].concat());
    assert!(ran.out.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
}

#[test]
fn a_vocabulary_is_learnt_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let (text, out) = (fixture("corpus.txt"), folder.path().join("tokenizer.json"));
    let out = out.to_str().unwrap();
    let arguments = ["tokenizer", "train", "--algorithm", "byte-bpe", "--vocab-size", "600", &text, "-o", out];
    let ran = formwork(&arguments);
    assert!(ran.status == 0 && ran.out.contains(": 600 tokens from "), "{}{}", ran.out, ran.err);
    let ran = formwork(&["tokenizer", "encode", "--tokenizer", out, "--text", "the cats<|endoftext|>"]);
    assert!(ran.status == 0 && ran.out.trim_end().ends_with(" 0"), "{}{}", ran.out, ran.err);
    let mut small = arguments;
    small[5] = "10";
    let ran = formwork(&small);
    assert!(ran.status == 1 && ran.err.contains("error[bad-training]"), "{}", ran.err);
}

#[test]
fn a_corpus_becomes_rows_of_ids() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("rows");
    let (tokenizer, text) = (fixture("byte_level"), fixture("corpus.txt"));
    let out = out.to_str().unwrap();
    let arguments = ["tokenizer", "prepare", "--tokenizer", &tokenizer, "--length", "128", &text, "-o", out];
    let options = ["--documents", "lines", "--validation", "0.1", "--json", "--separator"];
    let prepare = |separator: &str| formwork(&[&arguments[..], &options, &[separator]].concat());
    let ran = prepare("the");
    assert_eq!(ran.status, 0, "{}", ran.err);
    let json: Value = serde_json::from_str(&ran.out).unwrap();
    let [train, validation] = [&json["sets"][0], &json["sets"][1]];
    assert!(train["rows"].as_u64() > validation["rows"].as_u64(), "{json}");
    let size = std::fs::metadata(train["file"].as_str().unwrap()).unwrap().len();
    assert_eq!(size, 64 + train["rows"].as_u64().unwrap() * 128 * 2);
    let ran = prepare("<no such token>");
    assert!(ran.status == 1 && ran.err.contains("error[bad-corpus]"), "{}", ran.err);
}

#[test]
fn a_spec_drives_training_and_is_held_against_the_result() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (spec, text, out) = (path("spec.toml"), fixture("corpus.txt"), path("tokenizer.json"));
    let tiny = std::fs::read_to_string(root().join("specs/tiny.toml")).unwrap();
    std::fs::write(&spec, format!("{tiny}\n[tokenizer]\nkind = \"byte_bpe\"\nvocab_size = 500\n")).unwrap();
    let ran = formwork(&["tokenizer", "train", "--spec", &spec, &text, "-o", &out]);
    assert!(ran.status == 0 && ran.out.contains(": 500 tokens from "), "{}{}", ran.out, ran.err);
    let ran = formwork(&["tokenizer", "train", "--spec", &spec, "--vocab-size", "600", &text, "-o", &out]);
    assert!(ran.status == 2 && ran.err.contains("which says 500"), "{}", ran.err);
    let prepare = |tokenizer: &str| {
        let rows = path("rows");
        formwork(&[
            "tokenizer",
            "prepare",
            "--spec",
            &spec,
            "--tokenizer",
            tokenizer,
            "--length",
            "64",
            &text,
            "-o",
            &rows,
        ])
    };
    assert_eq!(prepare(&out).status, 0);
    let ran = prepare(&fixture("word_list"));
    assert!(ran.status == 1 && ran.err.contains("error[vocabulary-mismatch]"), "{}", ran.err);

    // Without a tokenizer, the one beside the spec is meant.
    let words = fixture("word_list");
    for (command, rest, other) in [
        ("encode", &["--text", "the"][..], &["--tokenizer", &words][..]),
        ("decode", &["300"], &["--tokenizer", &words]),
        ("inspect", &[], &[&words]),
        ("explain", &["the"], &["--tokenizer", &words]),
    ] {
        let asked = [&["tokenizer", command, "--spec", &spec], rest].concat();
        let ran = formwork(&asked);
        assert!(ran.status == 0 && !ran.out.is_empty(), "{command}: {}", ran.err);
        let ran = formwork(&[&asked, other].concat());
        assert!(ran.status == 1 && ran.err.contains("error[vocabulary-mismatch]"), "{command}: {}", ran.err);
        let ran = formwork(&[&["tokenizer", command], rest].concat());
        assert!(ran.status == 2, "{command}: {}", ran.err);
    }
}

#[test]
fn a_gguf_file_is_a_tokenizer() {
    let (own, original) = (fixture("gguf/byte_level.gguf"), fixture("byte_level"));
    let encode = |path: &str| formwork(&["tokenizer", "encode", "--tokenizer", path, "--text", "the cats, 42"]);
    let (ran, expected) = (encode(&own), encode(&original));
    assert_eq!((ran.status, &ran.out), (0, &expected.out), "{}", ran.err);
    let ids: Vec<&str> = ran.out.split_whitespace().collect();
    let back = formwork(&[&["tokenizer", "decode", "--tokenizer", &own], &ids[..]].concat());
    assert_eq!(back.out, "the cats, 42\n", "{}", back.err);
    let ran = formwork(&["tokenizer", "inspect", &own, &fixture("gguf/word_list.gguf")]);
    assert!(ran.status == 0 && ran.out.contains("byte-bpe") && ran.out.contains("wordpiece"), "{}{}", ran.out, ran.err);
    let ran = formwork(&["tokenizer", "explain", "--tokenizer", &own, "the"]);
    assert!(ran.status == 0 && ran.out.contains("merge 1"), "{}{}", ran.out, ran.err);
    let ran = encode(&root().join("tests/fixtures/gguf/blocks.gguf").display().to_string());
    assert!(ran.status == 1 && ran.err.contains("`tokenizer.ggml.model`: it is missing"), "{}", ran.err);
}
