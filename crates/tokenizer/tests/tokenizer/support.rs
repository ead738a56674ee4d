//! A tiny tokenizer.

use formwork_tokenizer::Tokenizer;
use serde_json::{Value, json};

/// Words by byte-fallback BPE in the style of SentencePiece.
pub(crate) fn tiny() -> Value {
    let mut vocab = serde_json::Map::new();
    let words = ["<unk>", "<s>", "▁", "a", "b", "ab", "▁a"];
    let bytes = (0..=255).map(|b| format!("<0x{b:02X}>"));
    for (id, token) in words.iter().map(ToString::to_string).chain(bytes).enumerate() {
        vocab.insert(token, json!(id));
    }
    let special = |id: u32, content: &str| json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true});
    json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": [special(0, "<unk>"), special(1, "<s>")],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "▁"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
        "pre_tokenizer": null,
        "post_processor": {"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}},
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
            {"type": "ByteFallback"}, {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "model": {"type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": true, "ignore_merges": false,
            "vocab": vocab, "merges": [["a", "b"], ["▁", "a"]]}
    })
}

/// Loads a `tokenizer.json`.
pub(crate) fn load(json: &Value) -> Result<Tokenizer, formwork_tokenizer::Error> {
    Tokenizer::from_bytes(json.to_string().as_bytes())
}
