//! What a checkpoint asks for in vain.

use serde_json::Value;

use crate::error::Result;
use crate::folder::Folder;

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

impl Folder {
    /// Settings of the generation config that change what is generated and are not applied, with their values.
    ///
    /// # Errors
    /// As [`Folder::json`].
    pub fn unapplied(&self) -> Result<Vec<(&'static str, Value)>> {
        let mut found = Vec::new();
        for (key, neutral) in UNAPPLIED {
            let value = self.generation(key)?;
            let changes = match &value {
                Value::Null => false,
                Value::Array(items) => !items.is_empty(),
                other => other.as_f64() != Some(*neutral),
            };
            if changes {
                found.push((*key, value));
            }
        }
        Ok(found)
    }
}
