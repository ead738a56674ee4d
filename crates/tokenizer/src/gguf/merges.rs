//! Byte-level BPE.

use serde_json::{Map, Value, json};

use super::keys::{Keys, fault, needed};
use super::{Tokens, around, known};
use crate::Error;
use crate::open::settings::template;

/// The vocabulary as a `tokenizer.json`.
pub(super) fn json(keys: &Keys, tokens: &Tokens) -> Result<Value, Error> {
    let pre = known::pre_tokenizer(needed("pre", keys.text("pre")?)?)?;
    let merges = merges(&needed("merges", keys.texts("merges")?)?, tokens)?;
    if keys.flag("add_space_prefix")? == Some(true) {
        return Err(fault("add_space_prefix", "a space before the text is not supported with byte-level merges"));
    }
    let [before, after] = around(keys, tokens, [pre.add_bos, false])?;
    let split = |pattern: &String| json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false});
    let bytes = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false});
    let mut cuts: Vec<Value> = pre.patterns.iter().map(split).collect();
    cuts.push(bytes.clone());
    let vocab: Map<String, Value> = tokens.ids.iter().map(|(token, id)| (token.to_string(), json!(id))).collect();
    Ok(json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": tokens.added(&[]),
        "normalizer": null,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": cuts},
        "post_processor": template(before.as_ref(), after.as_ref()),
        "decoder": bytes,
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": pre.whole_words,
            "vocab": vocab, "merges": merges},
    }))
}

/// Two tokens a text, with a space between, that make a third.
fn merges<'a>(texts: &[&'a str], tokens: &Tokens) -> Result<Vec<[&'a str; 2]>, Error> {
    let merge = |(text, at): (&&'a str, usize)| {
        let fault = |message: String| fault(&format!("merges[{at}]"), message);
        let (left, right) = text.split_once(' ').ok_or_else(|| fault(format!("{text:?} is no pair of tokens")))?;
        for token in [left, right, &format!("{left}{right}")] {
            if !tokens.ids.contains_key(token) {
                return Err(fault(format!("{text:?} needs `{token}`, which is none of the tokens")));
            }
        }
        Ok([left, right])
    };
    texts.iter().zip(0..).map(merge).collect()
}
