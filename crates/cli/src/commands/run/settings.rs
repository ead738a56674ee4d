//! What a checkpoint's generation config says of how to continue.

use std::process::Command;

use serde_json::Value;

use crate::output::note;
use crate::problem::Problem;
use formwork_text::Folder;

/// Settings that change what is generated and have no counterpart here. A number with its value changes nothing.
const UNAPPLIED: &[(&str, f64)] = &[
    ("no_repeat_ngram_size", 0.0),
    ("encoder_no_repeat_ngram_size", 0.0),
    ("encoder_repetition_penalty", 1.0),
    ("min_length", 0.0),
    ("min_new_tokens", 0.0),
    ("bad_words_ids", f64::NAN),
    ("suppress_tokens", f64::NAN),
    ("begin_suppress_tokens", f64::NAN),
    ("forced_eos_token_id", f64::NAN),
    ("exponential_decay_length_penalty", f64::NAN),
    ("sequence_bias", f64::NAN),
    ("guidance_scale", 1.0),
];

/// Says on standard error what the checkpoint asks for in vain.
pub(super) fn note_unapplied(folder: &Folder) -> Result<(), Problem> {
    for (key, neutral) in UNAPPLIED {
        let value = folder.generation(key)?;
        let changes = match &value {
            Value::Null => false,
            Value::Array(items) => !items.is_empty(),
            other => other.as_f64() != Some(*neutral),
        };
        if changes {
            note(&format!("note: the checkpoint asks for `{key}` = {value}, which is not applied"));
        }
    }
    Ok(())
}

/// The ids that an encoder-decoder begins with: its start token, and what has to follow it.
pub(super) fn start(folder: &Folder) -> Result<Vec<u32>, Problem> {
    let start = folder.number("decoder_start_token_id")?.ok_or_else(|| {
        Problem::wrong(
            "no-start-token",
            "no config gives the `decoder_start_token_id` that an encoder-decoder begins with",
        )
    })?;
    Ok([Some(start), folder.number("forced_bos_token_id")?].into_iter().flatten().collect())
}

/// Options of beam search; what the user leaves open is as the checkpoint says.
pub(super) fn beams(
    child: &mut Command,
    beams: usize,
    length_penalty: Option<f64>,
    folder: &Folder,
) -> Result<(), Problem> {
    child.arg("--beams").arg(beams.to_string());
    let penalty = match length_penalty {
        Some(penalty) => Some(penalty),
        None => folder.generation("length_penalty")?.as_f64(),
    };
    if let Some(penalty) = penalty {
        child.arg(format!("--length-penalty={penalty}"));
    }
    if folder.generation("early_stopping")? == Value::Bool(true) {
        child.arg("--early-stopping");
    }
    Ok(())
}
