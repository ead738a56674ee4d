//! Errors: the runtime's, with the codes of what goes wrong with texts.

pub use formwork_runtime::{Error, Result};

/// The codes that only texts have, sorted, with what each means.
pub const CODES: &[(&str, &str)] = &[
    (
        "bad-chat-template",
        "A checkpoint's chat template writes its conversations, and this one does not parse, asks for what templates do not have \
         here, refuses the conversation (many know no system turn, or want turns to alternate), or asks for more work than a \
         conversation needs. The message gives its line.",
    ),
    (
        "bad-labels",
        "The checkpoint's `config.json` names some labels and not others, or says a `problem_type` that is none of \
         `single_label_classification`, `multi_label_classification` and `regression`.",
    ),
    (
        "bad-text",
        "A file of texts is not UTF-8, or a line of a `.jsonl` file is not an object with a text under `text` and, where there \
         are pairs, under `pair`.",
    ),
    (
        "no-chat-template",
        "`chat` writes a conversation as the model was trained to read it, by `chat_template.jinja` or by `chat_template` in \
         `tokenizer_config.json`; of several templates the one called `default` counts. Models that only continue texts have none.",
    ),
    (
        "no-mask",
        "`fill-mask` fills the places of a text where its mask token stands, e.g. `[MASK]` or `<mask>`, as the checkpoint's \
         `tokenizer_config.json` writes it. The text has none, or the tokenizer has no such token.\n\n    right:  --text 'Paris is \
         the [MASK] of France.'",
    ),
    (
        "no-masked-lm",
        "`fill-mask` needs logits for every token of the text as it stands, and this entry point gives something else, or \
         continues texts. Choose the family's masked language model with `--task`.",
    ),
    (
        "not-a-classifier",
        "`classify` needs an entry point named `classifier`, which gives one row of logits for a text. Choose it with \
         `--task classifier` where the family has one; the checkpoint must have its weights.",
    ),
    (
        "not-an-encoder",
        "`embed` pools the last hidden states of a text's tokens, and this entry point gives something else, e.g. logits. \
         Choose the family's bare model with `--task`.",
    ),
    (
        "text-too-long",
        "A text has more tokens than the model reads: fewer positions, or a smaller limit in the checkpoint's settings. \
         Nothing is cut without being asked to: shorten the text, split it, or say `--truncate`.",
    ),
    (
        "unknown-prompt",
        "A sentence-transformers folder lists prompts by name in `config_sentence_transformers.json`, and the name that was \
         asked for, or that the folder itself takes, is none of them.",
    ),
    (
        "unsupported-pooling",
        "A sentence-transformers folder asks for a step after the model that `embed` does not have. Poolings are the mean, the \
         first or last token and the maximum, with or without normalisation.",
    ),
];

/// A tokenizer's error as one of ours.
pub(crate) fn told(error: formwork_tokenizer::Error) -> Error {
    Error { code: error.code, message: error.message, help: None, exit: error.exit }
}

#[cfg(test)]
mod tests {
    #[test]
    fn codes_are_sorted() {
        assert!(super::CODES.is_sorted_by(|a, b| a.0 < b.0));
    }
}
