//! Tokenizers that a `tokenizer.json` describes, on the `tokenizers` crate.

mod explain;
mod gaps;

use serde_json::Value;
use tokenizers::{PostProcessor as _, TruncationParams};

use crate::engine::{Added, Engine};
use crate::{Encoding, Error, Explanation, Kind, check, guard};

/// Parses a text; says the line and the column of a fault.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value, Error> {
    formwork_format::json::parse(bytes).map_err(|error| Error::bad(format!("not JSON: {error}")))
}

/// A checked `tokenizer.json`, loaded.
#[derive(Debug)]
pub(crate) struct Json {
    inner: tokenizers::Tokenizer,
    kind: Kind,
    unknown: Option<u32>,
    /// Whether a character without a token would vanish.
    drops: bool,
}

impl Json {
    /// Checks and loads the content of a file.
    pub(crate) fn new(bytes: &[u8]) -> Result<Self, Error> {
        let json = parse(bytes)?;
        check::tokenizer(&json)?;
        let mut inner = guard::run("loading", || tokenizers::Tokenizer::from_bytes(bytes))?;
        inner.with_padding(None);
        ids_are_as_said(&json, &inner)?;
        let kind = Kind::of(&json);
        let drops = gaps::possible(&json["model"], kind, &inner);
        let unknown = match &json["model"]["unk_id"] {
            Value::Null => json["model"]["unk_token"].as_str().and_then(|token| inner.token_to_id(token)),
            id => id.as_u64().and_then(|id| u32::try_from(id).ok()),
        };
        Ok(Self { inner, kind, unknown, drops })
    }

    /// The splits that the model sees, each with its place in the text and the token that it is, if it was added.
    pub(crate) fn splits(&self, text: &str) -> Result<Vec<Split>, Error> {
        use tokenizers::{OffsetReferential, OffsetType};
        let splits = self.split(text)?;
        let splits = splits.get_splits(OffsetReferential::Original, OffsetType::Byte);
        let split = |(text, (start, end), tokens): (&str, _, &Option<Vec<tokenizers::Token>>)| Split {
            text: text.to_string(),
            place: start..end,
            added: tokens.as_ref().and_then(|tokens| tokens.first()).map(|token| token.id),
        };
        Ok(splits.into_iter().map(split).collect())
    }

    /// Only the texts of the splits.
    pub(crate) fn each_split(&self, text: &str, mut each: impl FnMut(&str)) -> Result<(), Error> {
        use tokenizers::{OffsetReferential, OffsetType};
        let splits = self.split(text)?;
        splits.get_splits(OffsetReferential::Normalized, OffsetType::None).iter().for_each(|(text, _, _)| each(text));
        Ok(())
    }

    fn split(&self, text: &str) -> Result<tokenizers::PreTokenizedString, Error> {
        use tokenizers::PreTokenizer as _;
        guard::run("splitting", || {
            let mut splits = self.inner.get_added_vocabulary().extract_and_normalize(self.inner.get_normalizer(), text);
            if let Some(pre_tokenizer) = self.inner.get_pre_tokenizer() {
                pre_tokenizer.pre_tokenize(&mut splits)?;
            }
            Ok(splits)
        })
    }

    fn reserved(&self) -> usize {
        self.inner.get_post_processor().map_or(0, |it| it.added_tokens(false))
    }
}

/// A piece of a text that the model splits on its own.
#[derive(Clone, Debug)]
pub(crate) struct Split {
    pub(crate) text: String,
    pub(crate) place: std::ops::Range<usize>,
    pub(crate) added: Option<u32>,
}

impl Engine for Json {
    fn kind(&self) -> Kind {
        self.kind
    }

    fn encode(&self, text: &str, special: bool) -> Result<Encoding, Error> {
        if self.drops {
            gaps::none(self, text)?;
        }
        let found = guard::run("encoding", || self.inner.encode(text, special))?;
        let offsets: Vec<_> = found.get_offsets().iter().map(|(start, end)| *start..*end).collect();
        let unknown =
            found.get_ids().iter().zip(&offsets).filter(|(id, place)| Some(**id) == self.unknown && !place.is_empty());
        let unknown = unknown.map(|(_, place)| place.clone()).collect();
        Ok(Encoding { ids: found.get_ids().to_vec(), tokens: found.get_tokens().to_vec(), offsets, unknown })
    }

    fn pair(&self, first: &str, second: &str) -> Result<(Vec<u32>, Vec<u32>), Error> {
        if self.drops {
            gaps::none(self, first)?;
            gaps::none(self, second)?;
        }
        let found = guard::run("encoding", || self.inner.encode((first, second), true))?;
        Ok((found.get_ids().to_vec(), found.get_type_ids().to_vec()))
    }

    fn explain(&self, text: &str) -> Result<Explanation, Error> {
        explain::explain(self, text)
    }

    fn decode(&self, ids: &[u32], special: bool) -> Result<String, Error> {
        guard::run("decoding", || self.inner.decode(ids, !special))
    }

    fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    fn token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    fn vocabulary(&self) -> Vec<(String, u32)> {
        self.inner.get_vocab(true).into_iter().collect()
    }

    fn added(&self) -> Vec<Added> {
        let added = self.inner.get_added_tokens_decoder();
        added.iter().map(|(id, it)| Added { id: *id, content: it.content.clone(), special: it.special }).collect()
    }

    fn merges(&self) -> Option<usize> {
        match self.inner.get_model() {
            tokenizers::ModelWrapper::BPE(model) => {
                serde_json::to_value(model).ok()?["merges"].as_array().map(Vec::len)
            }
            _ => None,
        }
    }

    fn truncate(&mut self, limit: Option<usize>) -> Result<(), Error> {
        let needed = self.reserved();
        if let Some(limit) = limit.filter(|limit| *limit <= needed) {
            return Err(Error::bad(format!("a limit of {limit} ids leaves no room beside {needed} special tokens")));
        }
        let params = limit.map(|max_length| TruncationParams { max_length, stride: 0, ..Default::default() });
        guard::run("setting the truncation", || self.inner.with_truncation(params).map(drop))
    }

    fn limit(&self) -> Option<usize> {
        self.inner.get_truncation().map(|params| params.max_length)
    }

    fn treat_special_as_text(&mut self) {
        self.inner.set_encode_special_tokens(true);
    }
}

/// The loader gives added tokens ids of its own choice; they must be those of the file.
fn ids_are_as_said(json: &Value, inner: &tokenizers::Tokenizer) -> Result<(), Error> {
    for (at, token) in json["added_tokens"].as_array().into_iter().flatten().enumerate() {
        let Some(content) = token["content"].as_str() else { continue };
        let id = inner.token_to_id(content);
        if id.map(u64::from) != token["id"].as_u64() {
            let given = id.map_or("none".to_string(), |id| id.to_string());
            let message = format!("`{content}` has the id {}, the vocabulary leads to {given}", token["id"]);
            return Err(Error::at(&format!("added_tokens[{at}].id"), message));
        }
    }
    Ok(())
}
