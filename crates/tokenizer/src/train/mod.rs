//! Learning a vocabulary from files.
//!
//! The same files and options give the same bytes, whatever the number of threads: words are counted in pieces of fixed size
//! and put in order before anything is learnt, and ties are decided by order.

mod merges;
mod pipeline;
mod unigram;
mod words;

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use crate::json::Json;
use crate::{Error, Kind, Tokenizer};

/// What to learn.
#[derive(Clone, Debug)]
pub struct Training {
    /// The kind of tokenizer.
    pub kind: Kind,
    /// Tokens in all, special ones and single characters included.
    pub vocab_size: usize,
    /// Names of normalisers, in order; see [`Training::NORMALIZERS`].
    pub normalizers: Vec<String>,
    /// Names of pre-tokenizers, in order; see [`Training::PRE_TOKENIZERS`].
    pub pre_tokenizers: Vec<String>,
    /// Special tokens beyond those that the kind needs.
    pub special: Vec<String>,
    /// Pairs that are rarer than this are not merged.
    pub min_count: u64,
    /// The most characters that get a token each, the most frequent first; all without a number.
    pub alphabet: Option<usize>,
    /// The most different words that are held in memory; rare ones are dropped where there are more.
    pub max_words: usize,
}

/// How far the training is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub stage: &'static str,
    /// How much of it is done.
    pub done: u64,
    /// How much there is.
    pub total: u64,
}

/// What was learnt.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The content of a `tokenizer.json`.
    pub json: String,
    /// Different words that it was learnt from.
    pub words: usize,
    /// Occurrences of words that were dropped because there were too many different ones.
    pub dropped: u64,
}

impl Training {
    /// The kinds that can be learnt.
    pub const KINDS: [Kind; 4] = [Kind::Bpe, Kind::ByteLevelBpe, Kind::WordPiece, Kind::Unigram];
    /// The names of normalisers.
    pub const NORMALIZERS: [&'static str; 7] = ["nfc", "nfd", "nfkc", "nfkd", "lowercase", "strip-accents", "strip"];
    /// The names of pre-tokenizers.
    pub const PRE_TOKENIZERS: [&'static str; 6] =
        ["byte-level", "metaspace", "whitespace", "words", "digits", "punctuation"];

    /// The usual choices for a kind.
    pub fn new(kind: Kind, vocab_size: usize) -> Self {
        let (normalizers, pre_tokenizer): (&[&str], _) = match kind {
            Kind::ByteLevelBpe => (&[], "byte-level"),
            Kind::WordPiece => (&["nfd", "lowercase", "strip-accents"], "words"),
            Kind::Unigram => (&["nfkc"], "metaspace"),
            Kind::Bpe | Kind::WordLevel => (&["nfc"], "metaspace"),
        };
        Self {
            kind,
            vocab_size,
            normalizers: normalizers.iter().map(ToString::to_string).collect(),
            pre_tokenizers: vec![pre_tokenizer.to_string()],
            special: Vec::new(),
            min_count: 1,
            alphabet: None,
            max_words: 10_000_000,
        }
    }

    /// Learns from the lines of files.
    ///
    /// # Errors
    /// If a file cannot be read or is not UTF-8, a name is unknown, or the vocabulary has no room for what it must hold.
    pub fn run(&self, files: &[PathBuf], progress: &mut dyn FnMut(Progress)) -> Result<Trained, Error> {
        let special = self.special_tokens();
        let stages = pipeline::Stages::of(self)?;
        let splitter = Json::new(
            stages.json(&special, &json!({"type": "WordLevel", "vocab": {}, "unk_token": "?"})).to_string().as_bytes(),
        )?;
        let counted = words::count(files, &splitter, self.max_words, progress)?;
        if counted.words.is_empty() {
            return Err(Error::training("the files hold no words"));
        }
        let model = match self.kind {
            Kind::Unigram => unigram::learn(self, &special, &counted.words, progress)?,
            Kind::Bpe | Kind::ByteLevelBpe | Kind::WordPiece => {
                let learnt = merges::learn(self, &special, &counted.words, progress)?;
                merged_model(self.kind, &learnt)
            }
            Kind::WordLevel => return Err(Error::training("there is no training of whole words")),
        };
        let json = format!("{:#}\n", stages.json(&special, &model));
        Tokenizer::from_bytes(json.as_bytes())?;
        Ok(Trained { json, words: counted.words.len(), dropped: counted.dropped })
    }

    /// The tokens that come first: those of the kind, then those of the user.
    fn special_tokens(&self) -> Vec<String> {
        let own: &[&str] = match self.kind {
            Kind::ByteLevelBpe => &["<|endoftext|>"],
            Kind::WordPiece => &["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
            _ => &["<unk>", "<s>", "</s>"],
        };
        let mut all: Vec<String> = own.iter().map(ToString::to_string).collect();
        for token in &self.special {
            if !all.contains(token) {
                all.push(token.clone());
            }
        }
        all
    }
}

/// The `model` of a `tokenizer.json`.
fn merged_model(kind: Kind, learnt: &merges::Learnt) -> Value {
    let vocab: Map<String, Value> = learnt.tokens.iter().cloned().zip((0..).map(|id: u32| json!(id))).collect();
    if kind == Kind::WordPiece {
        return json!({"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": vocab});
    }
    let token = |id: u32| &learnt.tokens[id as usize];
    let merges: Vec<Value> = learnt.merges.iter().map(|(left, right)| json!([token(*left), token(*right)])).collect();
    let unknown = (kind == Kind::Bpe).then_some("<unk>");
    json!({"type": "BPE", "dropout": null, "unk_token": unknown, "continuing_subword_prefix": null,
        "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
        "vocab": vocab, "merges": merges})
}
