//! The codes of what goes wrong on the command line, with the texts that `explain` prints.

/// Every code of the compiler, of the runtime, of texts and of this tool, sorted.
pub(crate) fn all() -> Vec<(&'static str, &'static str)> {
    let compiler = formwork_diag::CODES.iter().map(|code| (code.name, code.text));
    let runtime = formwork_runtime::error::CODES.iter().copied();
    let text = formwork_text::CODES.iter().copied();
    let mut all: Vec<_> = compiler.chain(runtime).chain(text).chain(CODES.iter().copied()).collect();
    all.sort_by_key(|(name, _)| *name);
    all.dedup_by_key(|(name, _)| *name);
    all
}

/// The codes that only the command line has, sorted.
const CODES: &[(&str, &str)] = &[
    (
        "assertion",
        "`analyze --assert` found a figure that does not compare as said, or a key that no figure has. `analyze --json` \
         shows every key with its value.",
    ),
    (
        "bad-assertion",
        "An assertion is a figure's key, one of == != <= >= < >, and a number.\n\n    wrong:  --assert 'params.total 8e9'\n    \
         right:  --assert 'params.total < 8e9'",
    ),
    (
        "bad-corpus",
        "These texts or files of ids are no corpus: a text is not UTF-8 or larger than a document may be, a set has fewer ids \
         than a row, the tokenizer has no token to put between documents, or a file of rows is not what its header says.\n\n    \
         mend:   give more text or shorter rows (`--length`), or name a token with `--separator`",
    ),
    ("bad-question", "A run has at least one sequence and one token, and a machine does something in a second."),
    (
        "bad-tokenizer",
        "A tokenizer's file is damaged or inconsistent (a merge that its vocabulary lacks, a template that names an unknown \
         special token, a truncation without room), or asks for a component that Formwork does not have. The message gives \
         the path inside the file. Download it again, or save it anew with the library that made it.",
    ),
    (
        "bad-training",
        "Nothing can be learnt from these texts with these options: a text is not UTF-8 or has no words, a stage is unknown, \
         or the vocabulary has no room for what it must hold.\n\n    mend:   ask for more tokens (`--vocab-size`), or give a \
         token to fewer characters (`--alphabet`)",
    ),
    (
        "build-failed",
        "cargo could not build the model's crate although its code is not to blame: a dependency cannot be had, the disk is \
         full, or the lock file is damaged. The note holds cargo's own words.",
    ),
    (
        "foreign-folder",
        "`compile` replaces a crate only if Formwork made it, which its `Cargo.toml` says. The folder holds something else, \
         and nothing was written. A link is not followed either.",
    ),
    ("layout", "`fmt --check` found files that `fmt` would change. The diff shows how."),
    (
        "no-cache",
        "Models are compiled in a cache folder: `$FORMWORK_CACHE`, else `$XDG_CACHE_HOME/formwork`, else `~/.cache/formwork`. \
         None of these can be found; set one.",
    ),
    (
        "no-cargo",
        "`forward`, `verify`, `run`, `embed` and their like run the compiled crate of a model, so they need cargo. Install Rust, or set \
         `CARGO` to the path of cargo.",
    ),
    ("no-figure", "A count left the range of 128-bit integers, or depends on a size that the run does not have."),
    (
        "no-memory",
        "`bench` would need more memory for caches and for what a pass works with than the system has left, or than the limit of \
         the process (`ulimit -v`) allows. Weights come on top.",
    ),
    ("no-runtime", "`--runtime` is the folder of the runtime's own crate, the one with its `Cargo.toml`."),
    (
        "no-start-token",
        "An encoder-decoder begins its answer with a start token, which `generation_config.json` or `config.json` gives as \
         `decoder_start_token_id`. The checkpoint's folder has neither.",
    ),
    (
        "no-token",
        "The text has a character that the vocabulary cannot write, and the vocabulary has no unknown token to put in its \
         place. It is not left out without a word: change the text, or take a tokenizer that covers it, e.g. a byte-level one.",
    ),
    (
        "no-tokenizer",
        "A spec was to say which tokenizer to use or to learn, and it names none.\n\n    right:  [tokenizer]  kind = \"byte_bpe\"  \
         vocab_size = 8000",
    ),
    (
        "option-conflict",
        "An option and the spec say different things of the same tokenizer. Leave the option out, or change the spec.",
    ),
    (
        "output-is-input",
        "The file to write is the file that is read, which would be lost; or the folder to write is that of the checkpoint that is \
         read, whose weights would be replaced or hidden.\n\n    wrong:  formwork import config.json -o config.json\n    \
         right:  formwork import config.json -o spec.toml",
    ),
    (
        "rustfmt",
        "Generated crates are formatted with rustfmt, which cannot be run. It comes with Rust: `rustup component add rustfmt`.",
    ),
    ("same-crate", "Two specs of one `compile` have the same name, so their crates would share a folder."),
    (
        "stale-crate",
        "`compile --check` found crates that differ from what their specs give today. The diff shows how; `compile` writes them \
         anew.",
    ),
    ("unknown-code", "`explain` was asked for a code that no error has. Without a code it lists all of them."),
    (
        "unknown-id",
        "Ids are numbers below the size of the vocabulary, and each has a token; `tokenizer inspect` says how many there are. \
         Ids of another tokenizer mean something else, or nothing.",
    ),
    (
        "unknown-machine",
        "A machine of the roofline is a name from the table, or two numbers: FLOP/s and bytes/s.\n\n    right:  --machine h100-sxm\n    \
         right:  --machine 1e12,90e9",
    ),
];

#[cfg(test)]
mod tests {
    #[test]
    fn codes_are_sorted_and_new() {
        assert!(super::CODES.is_sorted_by(|a, b| a.0 < b.0));
        for (name, _) in super::CODES {
            assert!(formwork_diag::code(name).is_none(), "{name}");
        }
    }
}
