//! The command line: commands, options and their help.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use formwork_runtime::Mix;

use crate::text_args::{Chat, Classify, Embed, FillMask};

/// A compiler for Transformer architectures: a short spec in; exact figures and a readable Rust crate out.
#[derive(Debug, Parser)]
#[command(name = "formwork", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
pub(crate) struct Global {
    /// How findings are printed on standard error
    #[arg(long, global = true, value_enum, default_value = "human", hide_possible_values = false)]
    pub(crate) message_format: MessageFormat,
    /// When output is coloured; NO_COLOR is respected
    #[arg(long, global = true, value_enum, default_value = "auto")]
    pub(crate) color: When,
    /// A folder with families (.fw) of your own; may be given several times
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) spec_path: Vec<PathBuf>,
    /// The entry point, e.g. causal_lm; else as the spec says, else the family's first
    #[arg(long, global = true)]
    pub(crate) task: Option<String>,
    /// Say more on standard error
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum MessageFormat {
    /// Text for people
    Human,
    /// One JSON object a line
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    Auto,
    Always,
    Never,
}

/// SPEC is a .toml, a .fw, a config.json, or a folder that holds one.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check specs: names, shapes, sizes, weights
    Check {
        #[arg(required = true, value_name = "SPEC")]
        specs: Vec<PathBuf>,
    },
    /// Count parameters, FLOPs and memory
    Analyze(Analyze),
    /// Compile specs to Rust crates
    Compile(Compile),
    /// Show what a stage of the compiler makes of a spec
    Dump {
        #[arg(value_name = "SPEC")]
        spec: PathBuf,
        /// The stage
        #[arg(long, value_enum)]
        stage: Stage,
    },
    /// Lay .fw files out in the one style
    Fmt {
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Write nothing; fail with a diff where a file has another layout
        #[arg(long)]
        check: bool,
    },
    /// Print the JSON Schema of a family's specs, for editors
    Schema {
        #[arg(value_name = "FAMILY", default_value = formwork_ir::STANDARD_FAMILY)]
        family: String,
    },
    /// Explain an error code; without one, list them all
    Explain {
        #[arg(value_name = "CODE")]
        code: Option<String>,
    },
    /// Turn a Hugging Face config into a spec
    Import {
        #[arg(value_name = "CONFIG")]
        config: PathBuf,
        /// Where to write it, instead of standard output
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// List the families and the model types that they read
    Families {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Run a model on inputs from a file
    Forward(Forward),
    /// Compare a model with the reference outputs in a file
    Verify(Verify),
    /// Continue a text
    Run(Run),
    /// Answer the lines of standard input as a conversation
    Chat(Chat),
    /// Turn texts into vectors
    Embed(Embed),
    /// Label texts, or pairs of texts
    Classify(Classify),
    /// Name the likeliest tokens in the place of each mask
    FillMask(FillMask),
    /// Say how well a model predicts a text
    Perplexity(Perplexity),
    /// Write weights in a smaller format, and say how far they and the model's answers have moved
    Quantize(Quantize),
    /// Measure tokens per second beside the limits of this machine
    Bench(Bench),
    /// Work with tokenizers: encode, decode, inspect, explain, train, prepare
    #[command(subcommand)]
    Tokenizer(crate::tokenizer_args::Tokenizer),
    /// Print completions for a shell
    Completions {
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Analyze {
    #[arg(value_name = "SPEC")]
    pub(crate) spec: PathBuf,
    /// Sequences
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) batch: u128,
    /// New tokens of each sequence
    #[arg(long, default_value_t = 512, value_name = "N")]
    pub(crate) seq: u128,
    /// Earlier tokens in the cache
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) context: u128,
    /// Count attention over the whole rectangle, or over what its mask lets through
    #[arg(long, value_enum, default_value = "dense")]
    pub(crate) attention: Counted,
    /// Count work outside matrix products as well
    #[arg(long)]
    pub(crate) elementwise: bool,
    /// The machine of the roofline: a name, or FLOP/s and bytes/s as in 1e12,90e9
    #[arg(long, value_name = "NAME|FLOPS,BYTES")]
    pub(crate) machine: Option<String>,
    /// Print every figure as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Show how the parameters differ from the textbook's formula
    #[arg(long, conflicts_with = "diff")]
    pub(crate) explain: bool,
    /// Compare with another spec
    #[arg(long, value_name = "OTHER")]
    pub(crate) diff: Option<PathBuf>,
    /// Fail unless a figure compares as said, e.g. 'params.total < 8e9'; may be given several times
    #[arg(long = "assert", value_name = "EXPR")]
    pub(crate) assertions: Vec<String>,
}

/// How attention is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Counted {
    Dense,
    Masked,
}

#[derive(Debug, Args)]
pub(crate) struct Compile {
    #[arg(required = true, value_name = "SPEC")]
    pub(crate) specs: Vec<PathBuf>,
    /// The folder that the crates are written to
    #[arg(short, long, value_name = "DIR", default_value = "generated")]
    pub(crate) output: PathBuf,
    /// Write nothing; fail with a diff where a crate differs from its spec
    #[arg(long)]
    pub(crate) check: bool,
    /// The runtime's source folder
    #[arg(long, value_name = "PATH")]
    pub(crate) runtime: Option<PathBuf>,
    /// Make each crate a workspace of its own
    #[arg(long)]
    pub(crate) standalone: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Stage {
    /// The syntax tree
    Ast,
    /// The typed model: modules, shapes, weights
    Ir,
    /// What the passes change before code is generated
    Passes,
    /// The generated Rust
    Code,
}

/// What the commands that run a model share.
#[derive(Clone, Debug, Args)]
pub(crate) struct Target {
    #[arg(value_name = "SPEC")]
    pub(crate) spec: PathBuf,
    /// The checkpoint: a folder, a .safetensors file or a .gguf file
    #[arg(long, value_name = "PATH")]
    pub(crate) weights: PathBuf,
    /// Threads to compute with
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    #[command(flatten)]
    pub(crate) holding: Holding,
    /// The runtime's source folder
    #[arg(long, value_name = "PATH")]
    pub(crate) runtime: Option<PathBuf>,
}

/// How weights, keys and values are held, and multiplied.
#[derive(Clone, Debug, Args)]
pub(crate) struct Holding {
    /// The format that matrices are kept in [default: as stored]
    #[arg(long, value_parser = PossibleValuesParser::new(Mix::ALL.map(Mix::name)))]
    pub(crate) dtype: Option<String>,
    /// Where matrices are kept: in the mapped file, or packed for products in memory of their own
    #[arg(long, value_parser = ["mapped", "packed"])]
    pub(crate) hold: Option<String>,
    /// The format that keys and values are kept in from token to token [default: f32]
    #[arg(long, value_parser = ["f32", "f16", "q8"])]
    pub(crate) cache: Option<String>,
    /// How exactly products of many rows, and attention of prompts, see their operands, where the CPU multiplies tiles of bf16 [default: full]
    #[arg(long, value_parser = ["full", "bf16"])]
    pub(crate) precision: Option<String>,
}

impl Holding {
    /// The same options for the model's program.
    pub(crate) fn pass(&self, command: &mut std::process::Command) {
        let options = [
            ("--dtype", &self.dtype),
            ("--hold", &self.hold),
            ("--cache", &self.cache),
            ("--precision", &self.precision),
        ];
        for (name, value) in options {
            if let Some(value) = value {
                command.arg(name).arg(value);
            }
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Forward {
    #[command(flatten)]
    pub(crate) target: Target,
    /// input_ids and friends
    #[arg(long, value_name = "IN.safetensors")]
    pub(crate) input: PathBuf,
    /// Where outputs go
    #[arg(long, value_name = "OUT.safetensors")]
    pub(crate) output: PathBuf,
    /// Continue the first row by so many likeliest ids as well
    #[arg(long, value_name = "N")]
    pub(crate) greedy: Option<usize>,
    /// Write hidden states as well
    #[arg(long)]
    pub(crate) hidden: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    pub(crate) target: Target,
    /// Inputs and the outputs that are right for them
    #[arg(long, value_name = "CASE.safetensors")]
    pub(crate) input: PathBuf,
    /// The largest relative difference that passes
    #[arg(long, default_value_t = 1e-4)]
    pub(crate) tolerance: f32,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) target: Target,
    /// The text to continue; `-` reads it from standard input
    #[arg(long, allow_hyphen_values = true, required_unless_present = "prompts")]
    pub(crate) prompt: Option<String>,
    /// Numbers [1, P, width] that the model reads beside text: `features` of a file
    #[arg(long, value_name = "FILE.safetensors", conflicts_with_all = ["prompts", "beams"])]
    pub(crate) features: Option<PathBuf>,
    /// Texts to continue side by side, one a line, or in a .jsonl file objects with a `prompt`; answers come as JSON lines
    #[arg(long, value_name = "FILE", conflicts_with = "prompt")]
    pub(crate) prompts: Option<PathBuf>,
    /// Prompts that are continued side by side
    #[arg(long, value_name = "N", default_value_t = 8, requires = "prompts")]
    pub(crate) batch: usize,
    /// End before this text; may be given several times
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) stop: Vec<String>,
    /// Print each token as a JSON line with its log-probability, and with those of the N likeliest
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "0", conflicts_with = "stop")]
    pub(crate) logprobs: Option<usize>,
    /// Search for the likeliest whole answer, keeping N at every step
    #[arg(long, value_name = "N", conflicts_with_all = ["logprobs", "temperature", "seed", "top_k", "top_p", "min_p", "repetition_penalty"])]
    pub(crate) beams: Option<usize>,
    /// Divide the score of a beam by its length to this power [default: as the checkpoint says, or 1]
    #[arg(long, value_name = "P", requires = "beams", allow_hyphen_values = true)]
    pub(crate) length_penalty: Option<f64>,
    /// Print tokens per second and the time to the first token on standard error
    #[arg(long)]
    pub(crate) stats: bool,
    /// The most tokens to add [default: 64, or as many as the model has room for]
    #[arg(short = 'n', value_name = "N")]
    pub(crate) count: Option<usize>,
    #[command(flatten)]
    pub(crate) choice: Choice,
}

/// How tokens are chosen.
#[derive(Debug, Args)]
pub(crate) struct Choice {
    /// 0 takes the likeliest token each time
    #[arg(long, default_value_t = 0.0)]
    pub(crate) temperature: f32,
    /// Decides the random choices
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Choose among the K likeliest only
    #[arg(long, value_name = "K")]
    pub(crate) top_k: Option<usize>,
    /// Choose among the likeliest with this total probability
    #[arg(long, value_name = "P")]
    pub(crate) top_p: Option<f32>,
    /// Leave out what is less likely than this share of the likeliest
    #[arg(long, value_name = "P")]
    pub(crate) min_p: Option<f32>,
    /// Above 1, makes repeats less likely
    #[arg(long, value_name = "R")]
    pub(crate) repetition_penalty: Option<f32>,
}

#[derive(Debug, Args)]
pub(crate) struct Perplexity {
    #[command(flatten)]
    pub(crate) target: Target,
    /// The text
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Tokens that are read at once [default: as many as the model reads, at most 2048]
    #[arg(long, value_name = "N")]
    pub(crate) window: Option<usize>,
    /// Tokens from one window to the next; what they share is context alone [default: the window]
    #[arg(long, value_name = "N")]
    pub(crate) stride: Option<usize>,
    /// Print every figure as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Quantize {
    #[arg(value_name = "SPEC")]
    pub(crate) spec: PathBuf,
    /// The checkpoint: a folder, a .safetensors file or a .gguf file
    #[arg(long, value_name = "PATH")]
    pub(crate) weights: PathBuf,
    /// The format that matrices are written in
    #[arg(long, value_parser = PossibleValuesParser::new(Mix::ALL.map(Mix::name)))]
    pub(crate) dtype: String,
    /// The folder to write
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: PathBuf,
    /// A text to compare the model's answers on [default: 256 ids from all over the vocabulary]
    #[arg(long, value_name = "FILE")]
    pub(crate) calibrate: Option<PathBuf>,
    /// Threads to compute with
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Print every figure as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// The runtime's source folder
    #[arg(long, value_name = "PATH")]
    pub(crate) runtime: Option<PathBuf>,
}

/// Sizes are numbers with commas between; every combination is a test, under its usual name.
#[derive(Debug, Args)]
pub(crate) struct Bench {
    #[arg(value_name = "SPEC")]
    pub(crate) spec: PathBuf,
    /// The checkpoint: a folder, a .safetensors file or a .gguf file; random weights without one
    #[arg(long, value_name = "PATH")]
    pub(crate) weights: Option<PathBuf>,
    /// Tokens read at once; 0 leaves these tests out [default: 512]
    #[arg(long, value_name = "N,..", value_delimiter = ',')]
    pub(crate) pp: Vec<usize>,
    /// Tokens generated one after the other; 0 leaves these tests out [default: 128, by models that generate]
    #[arg(long, value_name = "N,..", value_delimiter = ',')]
    pub(crate) tg: Vec<usize>,
    /// Tokens in the cache before [default: 0]
    #[arg(long, value_name = "N,..", value_delimiter = ',')]
    pub(crate) depth: Vec<usize>,
    /// Sequences side by side [default: 1]
    #[arg(long, value_name = "N,..", value_delimiter = ',')]
    pub(crate) batch: Vec<usize>,
    /// Sequences of lengths that are spread evenly up to those of --pp, for models that read texts whole
    #[arg(long)]
    pub(crate) mixed: bool,
    /// Threads to compute with [default: all]
    #[arg(long, value_name = "N,..", value_delimiter = ',')]
    pub(crate) threads: Vec<usize>,
    #[command(flatten)]
    pub(crate) holding: Holding,
    /// Rounds; each runs every test once
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) repeat: usize,
    /// Print every figure as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// The runtime's source folder
    #[arg(long, value_name = "PATH")]
    pub(crate) runtime: Option<PathBuf>,
}
