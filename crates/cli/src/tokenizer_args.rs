//! The options of `formwork tokenizer`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// FILE is a tokenizer.json, a SentencePiece .model, a vocab.json beside its merges.txt, a vocab.txt, or a folder that holds one.
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
}

#[derive(Debug, Args)]
pub(crate) struct Encode {
    /// The tokenizer
    #[arg(long, value_name = "FILE")]
    pub(crate) tokenizer: PathBuf,
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
    /// The tokenizer
    #[arg(long, value_name = "FILE")]
    pub(crate) tokenizer: PathBuf,
    /// Ids; without them, those on standard input
    #[arg(value_name = "ID")]
    pub(crate) ids: Vec<u32>,
    /// Write special tokens as well
    #[arg(long)]
    pub(crate) special: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The tokenizers
    #[arg(required = true, value_name = "FILE")]
    pub(crate) tokenizers: Vec<PathBuf>,
    /// A text to count the tokens of
    #[arg(long, value_name = "TEXT FILE")]
    pub(crate) on: Option<PathBuf>,
    /// Print every figure as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The tokenizer; several are shown one after the other
    #[arg(long, required = true, value_name = "FILE")]
    pub(crate) tokenizer: Vec<PathBuf>,
    /// The text
    #[arg(allow_hyphen_values = true)]
    pub(crate) text: String,
    /// Print every step as JSON
    #[arg(long)]
    pub(crate) json: bool,
}
