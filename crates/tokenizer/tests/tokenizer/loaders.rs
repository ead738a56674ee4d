//! Formats of files other than `tokenizer.json`.

use std::path::Path;

use formwork_tokenizer::{Kind, Tokenizer};
use serde_json::json;
use tempfile::TempDir;

/// A folder with files.
fn folder(files: &[(&str, String)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

fn words() -> String {
    ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "##s", "cat", "Cat", ",", "東"].join("\r\n")
}

#[test]
fn a_list_of_words_is_read_with_its_settings() {
    let plain = folder(&[("vocab.txt", words())]);
    let tokenizer = Tokenizer::open(plain.path()).unwrap();
    assert_eq!((tokenizer.kind(), tokenizer.vocab_size()), (Kind::WordPiece, 10));
    let encoding = tokenizer.tokens("The CÀTS,東東 dog", true).unwrap();
    assert_eq!(encoding.ids, [2, 4, 6, 5, 8, 9, 9, 1, 3]);
    assert_eq!(encoding.offsets[2], 4..8);
    assert!(encoding.unknown.iter().eq([&(17..20)]));
    assert_eq!(tokenizer.decode(&encoding.ids).unwrap(), "the cats, 東 東 [UNK]");

    let settings = json!({"do_lower_case": false, "unk_token": {"content": "[UNK]"}, "tokenize_chinese_chars": false});
    let cased = folder(&[("vocab.txt", words()), ("tokenizer_config.json", settings.to_string())]);
    let tokenizer = Tokenizer::open(&cased.path().join("vocab.txt")).unwrap();
    assert_eq!(tokenizer.tokens("Cats cat 東東", false).unwrap().ids, [7, 5, 6, 1]);
}

#[test]
fn lists_that_are_wrong_are_refused() {
    let says = |files: &[(&str, String)], words: &str| {
        let message = Tokenizer::open(folder(files).path()).unwrap_err().message;
        assert!(message.contains(words), "{message}");
    };
    says(&[("vocab.txt", words() + "\nthe")], "line 11 says `the` again, after line 5");
    says(&[("vocab.txt", words().replace("cat", ""))], "line 7 is empty");
    says(&[("vocab.txt", "a\nb".to_string())], "there is no `[CLS]`");
    let never = json!({"never_split": ["a"]}).to_string();
    says(&[("vocab.txt", words()), ("tokenizer_config.json", never)], "`never_split`");
    says(&[("vocab.json", "[]".into()), ("merges.txt", String::new())], "not an object");
    says(&[("vocab.json", "{}".into()), ("merges.txt", "a b c\n".into())], "line 1: \"a b c\" is no pair");
    says(&[("vocab.json", "{\"a\": 0}".into()), ("merges.txt", "#version: 0.2\na b\n".into())], "merges[0]");
    says(&[("vocab.json", "{}".into())], "merges.txt");
}

/// Byte-level BPE over a few letters.
fn pairs() -> [(&'static str, String); 2] {
    let vocab = json!({"a": 0, "b": 1, "ab": 2, "Ġ": 3, "Ġab": 4, "<|end|>": 5, "Ã": 6, "©": 7});
    [("vocab.json", vocab.to_string()), ("merges.txt", "#version: 0.2\na b\nĠ ab\n".to_string())]
}

#[test]
fn words_and_merges_are_read() {
    let files = folder(&pairs());
    let tokenizer = Tokenizer::open(files.path()).unwrap();
    assert_eq!((tokenizer.kind(), tokenizer.merges()), (Kind::ByteLevelBpe, Some(2)));
    let ids = tokenizer.encode("ab abé").unwrap();
    assert_eq!((ids.as_slice(), tokenizer.decode(&ids).unwrap().as_str()), (&[2, 4, 6, 7][..], "ab abé"));
    let error = tokenizer.encode("ab c").unwrap_err();
    assert!(error.code == "no-token" && error.message.contains("`c`"), "{error}");
}

#[test]
fn settings_put_tokens_around_a_text() {
    let [vocab, merges] = pairs();
    let settings = json!({"bos_token": "<|end|>", "add_bos_token": true, "add_prefix_space": true});
    let files = folder(&[vocab, merges, ("tokenizer_config.json", settings.to_string())]);
    let mut tokenizer = Tokenizer::open(Path::new(&files.path().join("merges.txt"))).unwrap();
    assert_eq!(tokenizer.encode("ab<|end|>").unwrap(), [5, 4, 5]);
    assert!(tokenizer.added()[0].special);
    tokenizer.treat_special_as_text();
    assert!(tokenizer.encode("ab<|end|>").unwrap_err().message.contains("`<`"));

    let [vocab, merges] = pairs();
    let settings = json!({"cls_token": "<|end|>", "sep_token": "©"});
    let files = folder(&[vocab, merges, ("tokenizer_config.json", settings.to_string())]);
    let classifier = Tokenizer::open(files.path()).unwrap();
    assert_eq!(classifier.pair("a", Some("ab")).unwrap().0, [5, 0, 7, 7, 2, 7]);
}
