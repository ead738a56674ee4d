//! The tokenizer that a spec names: the parameter `tokenizer` of every family, held against the model's embedding.

use formwork_diag::{Diagnostic, Span};
use formwork_ops::{AttrValue, Kind};

use crate::elaborate::Elaborator;
use crate::model::Model;

/// The parameter of every family that names its tokenizer.
pub(crate) const PARAMETER: &str = "tokenizer";

/// What a spec says of its tokenizer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokenizer {
    /// The algorithm, e.g. `byte_bpe`.
    pub algorithm: String,
    /// Ids that it gives, special tokens included; the embedding's rows where the spec does not say.
    pub vocab_size: u64,
    /// Its file, beside the weights.
    pub file: String,
    /// Steps that rewrite text; `None` for the algorithm's usual ones.
    pub normalizer: Option<Vec<String>>,
    /// Steps that cut text into words; `None` for the algorithm's usual ones.
    pub pre_tokenizer: Option<Vec<String>>,
    /// Tokens that are never cut, in the order of their ids.
    pub special_tokens: Vec<String>,
}

impl Elaborator<'_> {
    /// The tokenizer that the family's arguments name for a model.
    pub(crate) fn tokenizer(&mut self, model: &Model) -> Option<Tokenizer> {
        let place = self.family.as_ref()?.name.span;
        let value = self.family_value(PARAMETER, place).and_then(|v| v.to_attr())?;
        let AttrValue::Variant(algorithm, _) = &value else { return None };
        let place = self.origins.get(PARAMETER).copied().unwrap_or(place);
        let vocab_size = self.vocab_size(model, &value, place)?;
        Some(Tokenizer {
            algorithm: algorithm.clone(),
            vocab_size,
            file: value.field("file").and_then(word).unwrap_or_default(),
            normalizer: words(&value, "normalizer"),
            pre_tokenizer: words(&value, "pre_tokenizer"),
            special_tokens: words(&value, "special_tokens").unwrap_or_default(),
        })
    }

    /// How many ids it gives; an id without a row in the embedding is an error.
    fn vocab_size(&mut self, model: &Model, value: &AttrValue, place: Span) -> Option<u64> {
        let Some((rows, table)) = model.first_table(Kind::Tokens) else {
            let what = "the spec names a tokenizer, but no embedding of the model reads its ids";
            self.fail(Diagnostic::new("vocabulary-mismatch", place, what));
            return None;
        };
        let rows_number = rows.constant()?;
        let given = match value.field("vocab_size") {
            Some(AttrValue::Int(size)) => size.constant()?,
            _ => return u64::try_from(rows_number).ok(),
        };
        let place = self.origins.get("tokenizer.vocab_size").copied().unwrap_or(place);
        if !(1..=rows_number).contains(&given) {
            let what = format!("the tokenizer gives {given} ids, but the embedding has {rows_number} rows");
            let error = Diagnostic::new("vocabulary-mismatch", place, what)
                .because(table, "the embedding that reads its ids")
                .help(format!("a tokenizer has from 1 to {rows_number} ids here; rows without an id are padding"));
            let error = self.explain(error, &[&rows]);
            self.fail(error);
            return None;
        }
        u64::try_from(given).ok()
    }
}

fn word(value: &AttrValue) -> Option<String> {
    match value {
        AttrValue::Str(word) | AttrValue::Variant(word, _) => Some(word.clone()),
        _ => None,
    }
}

fn words(value: &AttrValue, field: &str) -> Option<Vec<String>> {
    match value.field(field) {
        Some(AttrValue::List(items)) => Some(items.iter().filter_map(word).collect()),
        _ => None,
    }
}
