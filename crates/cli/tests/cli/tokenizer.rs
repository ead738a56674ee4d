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
