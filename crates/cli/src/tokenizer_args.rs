//! The options of `formwork tokenizer`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// FILE is a tokenizer.json, a GGUF file, a SentencePiece .model, a vocab.json beside its merges.txt, a vocab.txt, or a folder that holds one.
#[derive(Debug, Subcommand)]
pub(crate) enum Tokenizer {
    /// Print the ids of a text
    Encode(Encode),
    /// Print the text of ids
    Decode(Decode),
    /// Say what tokenizers hold, side by side, and how they do on a text
    Inspect(Inspect),
    /// Show normalisation, words and every step to the tokens of a text
    Explain(Explain),
    /// Learn a vocabulary from the lines of files
    Train(Train),
    /// Write texts as rows of ids, for pre-training
    Prepare(Prepare),
}

/// Which tokenizer.
#[derive(Debug, Args)]
pub(crate) struct Source {
    /// The tokenizer; without it, the one beside the spec
    #[arg(long, value_name = "FILE", required_unless_present = "spec")]
    pub(crate) tokenizer: Option<PathBuf>,
    /// A spec whose `tokenizer` it must be
    #[arg(long, value_name = "SPEC")]
    pub(crate) spec: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Encode {
    #[command(flatten)]
    pub(crate) source: Source,
    /// The text; without it, standard input
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) text: Option<String>,
    /// Put no special tokens around the text
    #[arg(long)]
    pub(crate) no_special: bool,
    /// Take what looks like a special token as the text that it is
    #[arg(long)]
    pub(crate) plain: bool,
    /// Print ids, tokens and their places as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Decode {
    #[command(flatten)]
    pub(crate) source: Source,
    /// Ids; without them, those on standard input
    #[arg(value_name = "ID")]
    pub(crate) ids: Vec<u32>,
    /// Write special tokens as well
    #[arg(long)]
    pub(crate) special: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The tokenizers; without any, the one beside the spec
    #[arg(value_name = "FILE", required_unless_present = "spec")]
    pub(crate) tokenizers: Vec<PathBuf>,
    /// A spec whose `tokenizer` each must be
    #[arg(long, value_name = "SPEC")]
    pub(crate) spec: Option<PathBuf>,
    /// A text to count the tokens of
    #[arg(long, value_name = "TEXT FILE")]
    pub(crate) on: Option<PathBuf>,
    /// Print every figure as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The tokenizer; several are shown one after the other; without any, the one beside the spec
    #[arg(long, value_name = "FILE", required_unless_present = "spec")]
    pub(crate) tokenizer: Vec<PathBuf>,
    /// A spec whose `tokenizer` each must be
    #[arg(long, value_name = "SPEC")]
    pub(crate) spec: Option<PathBuf>,
    /// The text
    #[arg(allow_hyphen_values = true)]
    pub(crate) text: String,
    /// Print every step as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Train {
    /// A spec whose `tokenizer` says what to learn
    #[arg(long, value_name = "SPEC")]
    pub(crate) spec: Option<PathBuf>,
    /// The kind of tokenizer
    #[arg(long, value_parser = ["bpe", "byte-bpe", "wordpiece", "unigram"], required_unless_present = "spec")]
    pub(crate) algorithm: Option<String>,
    /// Tokens in all, special ones and single characters included
    #[arg(long, value_name = "N", required_unless_present = "spec")]
    pub(crate) vocab_size: Option<usize>,
    /// What is done to a text first, in order: nfc, nfd, nfkc, nfkd, lowercase, strip-accents, strip, or none
    /// [default: the usual ones of the kind]
    #[arg(long, value_name = "NAME,..", value_delimiter = ',')]
    pub(crate) normalizer: Vec<String>,
    /// How a text is cut into words, in order: byte-level, metaspace, whitespace, words, digits, punctuation, or none
    /// [default: the usual one of the kind]
    #[arg(long, value_name = "NAME,..", value_delimiter = ',')]
    pub(crate) pre_tokenizer: Vec<String>,
    /// A special token beyond those of the kind; may be given several times
    #[arg(long, value_name = "TOKEN")]
    pub(crate) special: Vec<String>,
    /// Merge no pair that is rarer
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub(crate) min_count: u64,
    /// Give a token to so many characters only, the most frequent ones
    #[arg(long, value_name = "N")]
    pub(crate) alphabet: Option<usize>,
    /// Hold so many different words in memory; where there are more, rare ones are dropped
    #[arg(long, value_name = "N", default_value_t = 10_000_000)]
    pub(crate) max_words: usize,
    /// Texts, in UTF-8
    #[arg(required = true, value_name = "TEXT FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The tokenizer.json to write
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Prepare {
    #[command(flatten)]
    pub(crate) source: Source,
    /// Ids of a row
    #[arg(long, value_name = "N")]
    pub(crate) length: usize,
    /// The token after each document [default: the tokenizer's end of text]
    #[arg(long, value_name = "TOKEN")]
    pub(crate) separator: Option<String>,
    /// What a document is: a whole file, a line, or the `text` of a line in JSON
    #[arg(long, value_parser = ["files", "lines", "jsonl"], default_value = "files")]
    pub(crate) documents: String,
    /// The share of documents to hold out for validation
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub(crate) validation: f64,
    /// Decides which documents those are
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Print the figures as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Texts, in UTF-8
    #[arg(required = true, value_name = "TEXT FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The folder to write
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: PathBuf,
}
