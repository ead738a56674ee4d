//! Round trips, characters in pieces, truncation.

use formwork_tokenizer::Kind;
use serde_json::json;

use crate::support::{load, tiny};

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
