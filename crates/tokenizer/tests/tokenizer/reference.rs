//! A nasty corpus, tokenized as independent libraries tokenize it: SentencePiece's own for its models, tiktoken for
//! byte-level BPE, and for WordPiece its definition, written down in Python. `tools/make_tokenizer_fixtures.py` made the fixtures.

use std::path::{Path, PathBuf};

use formwork_tokenizer::Tokenizer;
use serde_json::{Value, json};

pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

pub(crate) fn read(name: &str) -> String {
    std::fs::read_to_string(fixture(name)).unwrap()
}

/// The upper half of 64-bit FNV-1a.
pub(crate) fn hash(bytes: impl Iterator<Item = u8>) -> String {
    let hash =
        bytes.fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3));
    format!("{:08x}", hash >> 32)
}

/// Lines that may differ: two splittings have the same score but for the rounding of sums of 32 bits, and a symbol of the
/// user, whose score no file holds, is part of the sum.
const TIES: [(&str, [usize; 2]); 1] = [("unigram", [513, 2213])];

/// Holds every line's ids, and the text that they become, to the reference.
#[track_caller]
pub(crate) fn compare(name: &str, mut tokenizer: Tokenizer) {
    tokenizer.treat_special_as_text();
    let (corpus, reference) = (read("corpus.txt"), read(&format!("{name}.ref")));
    let (mut lines, mut wrong) = (0, Vec::new());
    for (line, expected) in corpus.split('\n').zip(reference.lines()) {
        let encoding = tokenizer.tokens(line, false).unwrap();
        let ids = hash(encoding.ids.iter().flat_map(|id| id.to_le_bytes()));
        let text = tokenizer.decode(&encoding.ids).unwrap();
        let text_hash = if expected.ends_with('-') { "-".to_string() } else { hash(text.bytes()) };
        let found = format!("{} {ids} {text_hash}", encoding.ids.len());
        let tie = TIES.iter().any(|(file, ties)| *file == name && ties.contains(&lines));
        if found != expected && !(tie && found.split(' ').next() == expected.split(' ').next()) {
            wrong.push(format!("{lines}: {line:?}\n  {found}, not {expected}: {:?} {text:?}", encoding.tokens));
        }
        lines += 1;
    }
    assert!(lines >= 2000 && lines == reference.lines().count());
    assert!(wrong.is_empty(), "{} of {lines} lines differ:\n{}", wrong.len(), wrong[..wrong.len().min(8)].join("\n"));
}

#[test]
fn scored_pieces_are_split_as_sentencepiece_splits_them() {
    for name in ["bpe_bytes", "bpe_suffix", "unigram", "unigram_bytes"] {
        compare(name, Tokenizer::open(&fixture(&format!("{name}.model"))).unwrap());
    }
}

#[test]
fn words_are_split_by_the_definition_of_wordpiece() {
    compare("word_list", Tokenizer::open(&fixture("word_list")).unwrap());
}

#[test]
fn byte_level_merges_are_tiktokens() {
    compare("byte_level", Tokenizer::open(&fixture("byte_level")).unwrap());
}

/// The same merges behind a pattern of one's own, as a `tokenizer.json` says it.
#[test]
fn a_pattern_of_ones_own_splits_as_tiktoken_does() {
    let vocab: Value = serde_json::from_str(&read("byte_level/vocab.json")).unwrap();
    let merges = read("byte_level/merges.txt");
    let merges: Vec<&str> = merges.lines().skip(1).collect();
    let split = json!({"type": "Split", "pattern": {"Regex": read("byte_level_split.txt")}, "behavior": "Isolated",
        "invert": false});
    let bytes = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false});
    let json = json!({"version": "1.0", "added_tokens": [], "decoder": bytes,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, bytes]},
        "model": {"type": "BPE", "vocab": vocab, "merges": merges}});
    compare("byte_level_split", Tokenizer::from_bytes(json.to_string().as_bytes()).unwrap());
}
