//! What is learnt: the same as another trainer learns, always the same, and within limits.

use std::path::PathBuf;

use formwork_tokenizer::{Kind, Tokenizer, Trained, Training};
use serde_json::Value;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, TokenizerBuilder};

use crate::reference::{fixture, read};

fn corpus() -> Vec<PathBuf> {
    vec![fixture("corpus.txt")]
}

fn learn(training: &Training) -> Trained {
    training.run(&corpus(), &mut |_| {}).unwrap()
}

fn json(trained: &Trained) -> Value {
    serde_json::from_str(&trained.json).unwrap()
}

#[test]
fn merges_are_those_of_another_trainer() {
    let mut trainer = BpeTrainer::builder()
        .vocab_size(1200)
        .show_progress(false)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .special_tokens(vec![AddedToken::from("<|endoftext|>", true)])
        .build();
    let mut other = TokenizerBuilder::default()
        .with_model(BPE::default())
        .with_normalizer(None::<tokenizers::normalizers::NFC>)
        .with_pre_tokenizer(Some(ByteLevel::new(false, true, true)))
        .with_post_processor(None::<ByteLevel>)
        .with_decoder(None::<ByteLevel>)
        .build()
        .unwrap();
    other.train_from_files(&mut trainer, vec![fixture("corpus.txt").display().to_string()]).unwrap();
    let other: Value = serde_json::from_str(&other.to_string(false).unwrap()).unwrap();
    let own = json(&learn(&Training::new(Kind::ByteLevelBpe, 1200)));
    assert_eq!(own["model"]["merges"], other["model"]["merges"]);
    assert_eq!(own["model"]["vocab"], other["model"]["vocab"]);
}

#[test]
fn every_kind_is_learnt_and_always_the_same() {
    for kind in Training::KINDS {
        let mut training = Training::new(kind, 3600);
        training.special = vec!["<tool>".to_string()];
        let trained = learn(&training);
        assert_eq!(trained.json, learn(&training).json, "{kind}");
        let tokenizer = Tokenizer::from_bytes(trained.json.as_bytes()).unwrap();
        assert_eq!((tokenizer.kind(), trained.dropped), (kind, 0));
        assert!(tokenizer.vocab_size() <= 3600 && tokenizer.id("<tool>").is_some(), "{kind}");
        let ids = tokenizer.encode("the cats look at you").unwrap();
        assert_eq!(tokenizer.decode(&ids).unwrap(), "the cats look at you", "{kind}");
        if kind == Kind::ByteLevelBpe {
            for line in read("corpus.txt").split('\n').filter(|line| !line.contains("<|endoftext|>")).step_by(7) {
                assert_eq!(tokenizer.decode(&tokenizer.encode(line).unwrap()).unwrap(), line);
            }
        }
    }
}

#[test]
fn limits_are_kept() {
    let mut training = Training::new(Kind::Bpe, 100);
    let message = training.run(&corpus(), &mut |_| {}).unwrap_err().message;
    assert!(message.contains("100 tokens have no room for"), "{message}");
    training.alphabet = Some(40);
    training.max_words = 500;
    let trained = learn(&training);
    assert!(trained.dropped > 0 && trained.words <= 500);
    assert_eq!(json(&trained)["model"]["vocab"].as_object().unwrap().len(), 100);
    training.normalizers = vec!["rot13".to_string()];
    assert!(training.run(&corpus(), &mut |_| {}).unwrap_err().message.contains("`rot13` is no normaliser"));
    let missing = Training::new(Kind::Unigram, 300).run(&["no/such/file".into()], &mut |_| {}).unwrap_err();
    assert_eq!((missing.code, missing.exit), ("io", 4));
    let folder = tempfile::tempdir().unwrap();
    let bytes = folder.path().join("bytes");
    std::fs::write(&bytes, b"ab\ncd\xFF").unwrap();
    let error = Training::new(Kind::Bpe, 300).run(&[bytes], &mut |_| {}).unwrap_err();
    assert!(error.message.contains("byte 5 is not UTF-8"), "{error}");
}
