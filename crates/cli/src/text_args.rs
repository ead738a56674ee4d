//! The options of the commands that read whole texts.

use std::path::PathBuf;

use clap::Args;

use crate::args::{Choice, Target};

/// Texts: given one by one, in a file, or on standard input.
#[derive(Debug, Args)]
pub(crate) struct Texts {
    /// A text; may be given several times, and several texts may follow
    #[arg(long, num_args = 1.., value_name = "TEXT")]
    pub(crate) text: Vec<String>,
    /// Texts, one a line, or in a .jsonl file objects with a `text`; `-` is standard input, which is read without texts as well
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    pub(crate) file: Option<PathBuf>,
}

/// How many texts are read at once, and what becomes of those that are too long.
#[derive(Debug, Args)]
pub(crate) struct Reading {
    /// Texts that are read side by side
    #[arg(long, value_name = "N", default_value_t = 32)]
    pub(crate) batch: usize,
    /// Cut texts that are longer than the model reads
    #[arg(long)]
    pub(crate) truncate: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Chat {
    #[command(flatten)]
    pub(crate) target: Target,
    /// What the model is told before the conversation
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) system: Option<String>,
    /// End an answer before this text; may be given several times
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) stop: Vec<String>,
    /// Print tokens read, tokens kept from earlier turns, and the speed of each answer on standard error
    #[arg(long)]
    pub(crate) stats: bool,
    /// The most tokens of an answer [default: 512, or as many as the model has room for]
    #[arg(short = 'n', value_name = "N")]
    pub(crate) count: Option<usize>,
    #[command(flatten)]
    pub(crate) choice: Choice,
}

#[derive(Debug, Args)]
pub(crate) struct Embed {
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(flatten)]
    pub(crate) texts: Texts,
    #[command(flatten)]
    pub(crate) reading: Reading,
    /// Put the checkpoint's prompt of this name before every text
    #[arg(long, value_name = "NAME")]
    pub(crate) prompt_name: Option<String>,
    /// Write a NumPy array of 32-bit floats, a row for each text
    #[arg(short, long, value_name = "VECTORS.npy")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Classify {
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(flatten)]
    pub(crate) texts: Texts,
    /// The second text of a pair, one for each --text; in a .jsonl file it stands under `pair`
    #[arg(long, num_args = 1.., value_name = "TEXT", requires = "text")]
    pub(crate) pair: Vec<String>,
    #[command(flatten)]
    pub(crate) reading: Reading,
}

#[derive(Debug, Args)]
pub(crate) struct FillMask {
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(flatten)]
    pub(crate) texts: Texts,
    /// Tokens that are named for each mask
    #[arg(long, value_name = "K", default_value_t = 5)]
    pub(crate) top_k: usize,
}
