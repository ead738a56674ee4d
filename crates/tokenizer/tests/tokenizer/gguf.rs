//! Vocabularies of GGUF files. `tools/make_gguf_vocabularies.py` made the fixtures.

use std::path::Path;

use formwork_tokenizer::{Ends, Kind, Tokenizer};
use serde_json::Value;

use crate::keys::{self, List, Text, Word};
use crate::reference::{compare, fixture, hash, read};

fn open(name: &str) -> Tokenizer {
    Tokenizer::open(&fixture(&format!("gguf/{name}.gguf"))).unwrap()
}

#[test]
fn a_vocabulary_splits_as_its_original_does() {
    for (name, kind) in [
        ("bpe_bytes", Kind::Bpe),
        ("unigram_bytes", Kind::Unigram),
        ("byte_level", Kind::ByteLevelBpe),
        ("gguf/rules", Kind::Unigram),
        ("gguf/word_list", Kind::WordPiece),
    ] {
        let tokenizer = open(name.rsplit('/').next().unwrap());
        assert_eq!(tokenizer.kind(), kind);
        compare(name, tokenizer);
    }
}

#[test]
fn files_say_what_stands_around_a_text() {
    let around = |name: &str| {
        let tokenizer = open(name);
        let ids = tokenizer.encode("the cats").unwrap();
        let plain = tokenizer.tokens("the cats", false).unwrap().ids;
        let at = ids.windows(plain.len()).position(|part| part == plain).unwrap();
        let Ends { start, ends } = Ends::of_weights(&fixture(&format!("gguf/{name}.gguf"))).unwrap();
        (ids[..at].to_vec(), ids[at + plain.len()..].to_vec(), start, ends)
    };
    assert_eq!(around("bpe_bytes"), (vec![], vec![2], Some(1), vec![2]));
    assert_eq!(around("word_list"), (vec![2], vec![3], Some(2), vec![]));
    let end = open("byte_level").id("<|end|>").unwrap();
    assert_eq!(around("byte_level"), (vec![], vec![], Some(end), vec![end]));
    let (ids, segments) = open("word_list").pair("the cats", Some("of")).unwrap();
    assert_eq!((ids[0], ids.iter().filter(|id| **id == 3).count()), (2, 2));
    assert_eq!((segments.first(), segments.last()), (Some(&0), Some(&1)));
}

/// The ways of cutting words that the loader knows, under their first names.
#[test]
fn every_pattern_cuts_as_the_regex_package_does() {
    let corpus = read("corpus.txt");
    let lines: Vec<&str> = corpus.split('\n').collect();
    let known: Value = serde_json::from_str(include_str!("../../src/gguf/known.json")).unwrap();
    let reference = read("gguf/patterns.ref");
    assert_eq!(reference.lines().count(), known["pre_tokenizers"].as_array().unwrap().len());
    for expected in reference.lines() {
        let name = expected.split(' ').next().unwrap();
        let mut tokenizer = keys::open(&keys::with(&fixture("gguf/byte_level.gguf"), "pre", &Text(name))).unwrap();
        tokenizer.treat_special_as_text();
        let ids: Vec<u32> = lines.iter().flat_map(|line| tokenizer.tokens(line, false).unwrap().ids).collect();
        let mut ends = Vec::new();
        for lines in lines.windows(3).step_by(16) {
            let text = format!("{}\n{}!\r\n\n{}", lines[0], lines[1], lines[2]);
            if text.chars().count() < 200 && text.chars().all(|c| c < '\u{30000}') {
                let words = tokenizer.explain(&text).unwrap().words;
                ends.extend(words.iter().map(|word| u32::try_from(word.place.end).unwrap()));
            }
        }
        let counted = |all: &[u32]| format!("{} {}", all.len(), hash(all.iter().flat_map(|it| it.to_le_bytes())));
        assert_eq!(format!("{name} {} {}", counted(&ids), counted(&ends)), expected);
    }
}

/// What is said of a file with one key changed.
#[track_caller]
fn says(name: &str, key: &str, value: &dyn keys::Put, words: &[&str]) {
    let error = keys::open(&keys::with(&fixture(&format!("gguf/{name}.gguf")), key, value)).unwrap_err();
    let key = format!("tokenizer.ggml.{key}");
    assert!(error.code == "bad-tokenizer" && error.exit == 1, "{error}");
    assert!(error.message.contains(&key) && words.iter().all(|word| error.message.contains(word)), "{error}");
}

#[test]
fn keys_are_checked() {
    says("byte_level", "model", &Text("rot13"), &["`rot13` is not known", "gpt2"]);
    says("byte_level", "pre", &Text("rot13"), &["`rot13` is not known", "starcoder"]);
    says("byte_level", "model", &Word(3), &["it is not a text"]);
    says("byte_level", "tokens", &Text("a"), &["it is not a list of texts"]);
    says("byte_level", "tokens", &List(vec![Text("a"), Text("a")]), &["tokens[1]", "`a` again, after 0"]);
    says("byte_level", "tokens", &List(vec![Text("")]), &["tokens[0]", "empty"]);
    says("byte_level", "token_type", &List(vec![Word(1)]), &["1 types for 1501 tokens"]);
    says("byte_level", "token_type", &List(vec![Word(7); 1501]), &["token_type[0]", "no type 7"]);
    says("byte_level", "merges", &List(vec![Text("ab")]), &["merges[0]", "no pair"]);
    says("byte_level", "merges", &List(vec![Text("a qqqq")]), &["merges[0]", "`qqqq`"]);
    says("byte_level", "add_space_prefix", &true, &["not supported"]);
    says("byte_level", "add_eos_token", &Word(3), &["it is not true or false"]);
    says("byte_level", "eos_token_id", &Word(1501), &["one of the 1501 tokens"]);
    says("byte_level", "secret", &Word(1), &["no such key is known", "merges"]);
    says("bpe_bytes", "scores", &List(vec![Word(1)]), &["1 scores for 1200 tokens"]);
    says("bpe_bytes", "scores", &List(vec![f32::NAN; 1200]), &["scores[0]", "no number"]);
    says("bpe_bytes", "precompiled_charsmap", &Text("a"), &["a list of bytes"]);
    says("word_list", "seperator_token_id", &Text("[SEP]"), &["the id of one of the"]);
    let bytes = std::fs::read(fixture("gguf/byte_level.gguf")).unwrap();
    for key in ["model", "pre", "tokens", "merges"] {
        let error = keys::open(&keys::renamed(&bytes, key)).unwrap_err();
        assert!(error.message.ends_with(&format!("`tokenizer.ggml.{key}`: it is missing")), "{error}");
    }
}

#[test]
fn weights_that_are_not_there_are_named() {
    for path in ["nowhere", "nowhere/model.safetensors"] {
        let error = Tokenizer::of_weights(Path::new(path)).expect_err("an error");
        assert_eq!((error.code, error.exit), ("io", 4));
        assert!(error.message.contains(&format!("`{path}`")), "{}", error.message);
    }
}
