//! WordPiece as a `tokenizer.json`.

use serde_json::{Map, Value, json};

use super::settings::segment_template;

/// What one vocabulary has otherwise than another.
pub(crate) struct WordPieces<'a> {
    /// The ids of words, and of what goes on inside them under `##`.
    pub(crate) vocab: Map<String, Value>,
    pub(crate) added: Vec<Value>,
    pub(crate) unknown: &'a str,
    /// The tokens before and after a text.
    pub(crate) around: [(String, u32); 2],
    pub(crate) lowercase: bool,
    /// `None`: as `lowercase`.
    pub(crate) strip_accents: Option<bool>,
    /// Whether there is a space around each CJK character.
    pub(crate) space_cjk: bool,
}

impl WordPieces<'_> {
    pub(crate) fn json(self) -> Value {
        let [before, after] = &self.around;
        json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": self.added,
            "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": self.space_cjk,
                "strip_accents": self.strip_accents, "lowercase": self.lowercase},
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "post_processor": segment_template(before, after),
            "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
            "model": {"type": "WordPiece", "unk_token": self.unknown, "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 100, "vocab": self.vocab},
        })
    }
}
