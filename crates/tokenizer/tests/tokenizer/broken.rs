//! Files that are wrong: an error that names the place, never a panic.

use formwork_tokenizer::Tokenizer;
use serde_json::{Value, json};

use crate::support::{load, tiny};

/// The message for the tiny tokenizer with a change.
fn message(change: &dyn Fn(&mut Value)) -> String {
    let mut json = tiny();
    change(&mut json);
    load(&json).unwrap_err().message
}

#[track_caller]
fn says(words: &[&str], change: &dyn Fn(&mut Value)) {
    let message = message(change);
    assert!(words.iter().all(|word| message.contains(word)), "{message}");
}

#[test]
fn models_are_checked() {
    says(&["`model`"], &|j| j["model"] = json!(3));
    says(&["`model.type`", "Nonsense", "Unigram"], &|j| j["model"]["type"] = json!("Nonsense"));
    says(&["`model.dropout`"], &|j| j["model"]["dropout"] = json!(0.1));
    says(&["`model.vocab`"], &|j| j["model"]["vocab"] = json!(null));
    says(&["model.vocab[\"a\"]", "-1 is no id"], &|j| j["model"]["vocab"]["a"] = json!(-1));
    says(&["model.vocab[\"a\"]", "4294967296 is no id"], &|j| j["model"]["vocab"]["a"] = json!(1_u64 << 32));
    says(&["model.vocab[\"b\"]", "also that of `a`"], &|j| j["model"]["vocab"]["b"] = j["model"]["vocab"]["a"].clone());
    says(&["`model.merges[0]`", "`zzzzzzzz`"], &|j| j["model"]["merges"] = json!([["ab", "zzzzzzzz"]]));
    says(&["`model.merges[1]`", "needs `ba`"], &|j| j["model"]["merges"] = json!(["a b", "b a"]));
    says(&["`model.merges[0]`", "no pair"], &|j| j["model"]["merges"] = json!(["a"]));
    says(&["`model.merges[0]`", "no pair"], &|j| j["model"]["merges"] = json!(["a b ab"]));
    says(&["`model.merges[0]`", "lacks the prefix `##`"], &|j| j["model"]["continuing_subword_prefix"] = json!("##"));
    let unigram = |unk: u32, pieces: Value| json!({"type": "Unigram", "unk_id": unk, "vocab": pieces});
    says(&["`model.unk_id`", "beyond the 1"], &|j| j["model"] = unigram(1, json!([["a", 0.0]])));
    says(&["`model.vocab[1]`"], &|j| j["model"] = unigram(0, json!([["a", 0.0], ["b"]])));
}

#[test]
fn components_are_checked_where_they_stand() {
    says(&["`extra`", "no such key"], &|j| j["extra"] = json!(1));
    says(&["`normalizer.normalizers[2].type`", "`Rot13`", "Lowercase"], &|j| {
        j["normalizer"]["normalizers"].as_array_mut().unwrap().push(json!({"type": "Rot13"}));
    });
    says(&["`decoder.decoders[0]`", "Replace"], &|j| j["decoder"]["decoders"][0] = json!({"type": "Replace"}));
    says(&["`pre_tokenizer`", "no `type`"], &|j| j["pre_tokenizer"] = json!({}));
    says(&["`pre_tokenizer.length`"], &|j| j["pre_tokenizer"] = json!({"type": "FixedLength", "length": 0}));
    says(&["`pre_tokenizer`", "Split"], &|j| {
        j["pre_tokenizer"] =
            json!({"type": "Split", "pattern": {"Regex": "(["}, "behavior": "Isolated", "invert": false});
    });
    says(&["`normalizer`", "Precompiled"], &|j| {
        j["normalizer"] = json!({"type": "Precompiled", "precompiled_charsmap": "!"});
    });
    says(&["`post_processor.single[0]`", "`<s>`"], &|j| j["post_processor"]["special_tokens"] = json!({}));
    says(&["`added_tokens[1].id`", "leads to 1"], &|j| j["added_tokens"][1]["id"] = json!(7));
    says(&["`added_tokens[1]`", "no content"], &|j| j["added_tokens"][1]["content"] = json!(""));
    let cut = |stride: u32, length: u32| json!({"direction": "Right", "max_length": length, "strategy": "LongestFirst", "stride": stride});
    says(&["`truncation.stride`"], &|j| j["truncation"] = cut(4, 4));
    says(&["`truncation.max_length`"], &|j| j["truncation"] = cut(0, 0));
}

#[test]
fn files_are_checked() {
    assert!(Tokenizer::from_bytes(b"{").unwrap_err().message.contains("not JSON"));
    let twice = tiny().to_string().replace("\"a\":3", "\"a\":3,\"a\":4");
    assert!(Tokenizer::from_bytes(twice.as_bytes()).unwrap_err().message.contains("the key `a` stands twice"));
    assert_eq!(Tokenizer::open("no/such/file".as_ref()).unwrap_err().exit, 4);
    let folder = tempfile::tempdir().unwrap();
    let error = Tokenizer::open(folder.path()).unwrap_err();
    assert!(error.exit == 4 && error.message.contains("vocab.txt"), "{error}");
}

#[test]
fn characters_without_a_token_are_named() {
    let mut json = tiny();
    let mut vocab = json["model"]["vocab"].as_object().unwrap().clone();
    vocab.retain(|token, _| !token.starts_with("<0x"));
    json["model"]["vocab"] = vocab.into();
    let encoding = load(&json).unwrap().tokens("a é東 b", true).unwrap();
    assert!(encoding.unknown.iter().eq([&(2..7)]), "unknown characters side by side are one token");
    json["model"]["unk_token"] = json!(null);
    let tokenizer = load(&json).unwrap();
    assert!(tokenizer.encode("ab <s> b").is_ok());
    let error = tokenizer.encode("ab é").unwrap_err();
    assert!(error.code == "no-token" && error.message.contains("`é` (U+00E9)"), "{error}");
}
