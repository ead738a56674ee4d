//! Tiny tokenizers: round trips, characters in pieces, and files that are wrong.

use formwork_tokenizer::{Kind, Tokenizer};
use serde_json::{Value, json};

/// Words by byte-fallback BPE in the style of SentencePiece.
fn tiny() -> Value {
    let mut vocab = serde_json::Map::new();
    let words = ["<unk>", "<s>", "▁", "a", "b", "ab", "▁a"];
    let bytes = (0..=255).map(|b| format!("<0x{b:02X}>"));
    for (id, token) in words.iter().map(ToString::to_string).chain(bytes).enumerate() {
        vocab.insert(token, json!(id));
    }
    let special = |id: u32, content: &str| json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true});
    json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": [special(0, "<unk>"), special(1, "<s>")],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "▁"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
        "pre_tokenizer": null,
        "post_processor": {"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}},
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
            {"type": "ByteFallback"}, {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "model": {"type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": true, "ignore_merges": false,
            "vocab": vocab, "merges": [["a", "b"], ["▁", "a"]]}
    })
}

fn load(json: &Value) -> Result<Tokenizer, formwork_tokenizer::Error> {
    Tokenizer::from_bytes(json.to_string().as_bytes())
}

#[test]
fn texts_come_back() {
    let tokenizer = load(&tiny()).unwrap();
    assert_eq!(tokenizer.encode("").unwrap()[0], 1, "an empty text is its start token");
    for text in ["ab a b", "é 東京", "🦀ab"] {
        let ids = tokenizer.encode(text).unwrap();
        assert_eq!(tokenizer.decode(&ids).unwrap(), text);
    }
}

#[test]
fn a_stream_says_the_same_and_splits_no_character() {
    let tokenizer = load(&tiny()).unwrap();
    let ids = tokenizer.encode("ab 東 🦀 a").unwrap();
    for prompt in 0..ids.len() {
        let mut stream = tokenizer.stream(&ids[..prompt]).unwrap();
        let mut text = String::new();
        for id in &ids[prompt..] {
            text += &stream.push(*id).unwrap();
        }
        text += &stream.finish().unwrap();
        if prompt <= 1 {
            assert_eq!(text, "ab 東 🦀 a");
        }
        assert!(!text.is_empty() && (prompt > 2 || !text.contains('\u{FFFD}')), "{prompt}: {text}");
    }
    let mut stream = tokenizer.stream(&[1]).unwrap();
    let crab = tokenizer.encode("🦀").unwrap();
    let pieces: Vec<String> = crab[1..].iter().map(|id| stream.push(*id).unwrap()).collect();
    assert_eq!(pieces.concat(), "🦀");
    assert_eq!(pieces.iter().filter(|p| !p.is_empty()).count(), 1);
}

#[test]
fn padding_is_ignored_and_truncation_is_kept() {
    let mut json = tiny();
    json["padding"] = json!({"strategy": {"Fixed": 64}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0, "pad_type_id": 0, "pad_token": "<unk>"});
    let mut tokenizer = load(&json).unwrap();
    assert!(tokenizer.encode("a b").unwrap().len() < 10);
    tokenizer.truncate(Some(3)).unwrap();
    assert_eq!((tokenizer.limit(), tokenizer.encode("a b a b a b").unwrap().len()), (Some(3), 3));
    assert!(tokenizer.truncate(Some(1)).unwrap_err().message.contains("no room"));
}

#[test]
fn broken_files_are_errors() {
    let broken = |change: &dyn Fn(&mut Value)| {
        let mut json = tiny();
        change(&mut json);
        load(&json).unwrap_err().message
    };
    assert!(broken(&|j| j["model"]["merges"] = json!([["ab", "zzzzzzzz"]])).contains("zzzzzzzz"));
    assert!(broken(&|j| j["model"]["merges"] = json!(["a"])).contains("no pair"));
    assert!(
        broken(&|j| j["truncation"] =
            json!({"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 4}))
        .contains("stride")
    );
    assert!(broken(&|j| j["post_processor"]["special_tokens"] = json!({})).contains("<s>"));
    assert!(broken(&|j| j["model"] = json!(3)).contains("model"));
    assert!(broken(&|j| j["model"]["vocab"]["a"] = json!(-1)).contains("no id"));
    assert!(broken(&|j| j["model"]["type"] = json!("Nonsense")).contains("failed"));
    assert!(Tokenizer::from_bytes(b"{").unwrap_err().message.contains("not JSON"));
    assert_eq!(Tokenizer::open("no/such/file".as_ref()).unwrap_err().exit, 4);
}

#[test]
fn a_tokenizer_says_its_kind_and_its_size() {
    let mut json = tiny();
    let tokenizer = load(&json).unwrap();
    assert_eq!((tokenizer.kind(), tokenizer.vocab_size(), tokenizer.id_limit()), (Kind::Bpe, 263, 263));
    json["pre_tokenizer"] = json!({"type": "Sequence", "pretokenizers": [
        {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}]});
    json["model"]["vocab"]["gap"] = json!(999);
    let tokenizer = load(&json).unwrap();
    assert_eq!((tokenizer.kind(), tokenizer.vocab_size(), tokenizer.id_limit()), (Kind::ByteLevelBpe, 264, 1000));
    for kind in [Kind::Bpe, Kind::ByteLevelBpe, Kind::WordPiece, Kind::Unigram, Kind::WordLevel] {
        assert_eq!(Kind::named(kind.name()), Some(kind));
    }
}
