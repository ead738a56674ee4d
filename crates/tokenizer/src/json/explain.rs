//! The steps of the models of the `tokenizers` crate, done again by their definitions.

use std::collections::HashMap;

use serde_json::Value;
use tokenizers::models::bpe::BPE;
use tokenizers::models::unigram::Unigram;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::{Model as _, ModelWrapper, NormalizedString, Normalizer as _};

use super::{Json, gaps};
use crate::{Error, Explanation, Step, Word, guard};

pub(super) fn explain(json: &Json, text: &str) -> Result<Explanation, Error> {
    if json.drops {
        gaps::none(json, text)?;
    }
    let normalized = guard::run("normalising", || {
        let mut normalized = NormalizedString::from(text);
        if let Some(normalizer) = json.inner.get_normalizer() {
            normalizer.normalize(&mut normalized)?;
        }
        Ok(normalized.get().to_string())
    })?;
    let steps = Steps::of(json.inner.get_model());
    let mut words = Vec::new();
    for split in json.splits(text)? {
        let (tokens, steps) = match split.added {
            Some(id) => (vec![(json.inner.id_to_token(id).unwrap_or_default(), id)], Vec::new()),
            None => {
                let tokens = guard::run("encoding", || json.inner.get_model().tokenize(&split.text))?;
                let tokens: Vec<_> = tokens.into_iter().map(|token| (token.value, token.id)).collect();
                let steps = steps.of_word(&split.text, &tokens);
                (tokens, steps)
            }
        };
        words.push(Word { text: split.text, place: split.place, added: split.added.is_some(), steps, tokens });
    }
    Ok(Explanation { normalized, words })
}

/// What is needed to follow a model.
enum Steps<'m> {
    Merges { model: &'m BPE, ranks: HashMap<(String, String), usize> },
    Longest(&'m WordPiece),
    Scores(HashMap<&'m str, f64>),
    Whole,
}

impl<'m> Steps<'m> {
    fn of(model: &'m ModelWrapper) -> Self {
        match model {
            ModelWrapper::BPE(model) => Self::Merges { model, ranks: ranks(model) },
            ModelWrapper::WordPiece(model) => Self::Longest(model),
            ModelWrapper::Unigram(model) => Self::Scores(scores(model)),
            ModelWrapper::WordLevel(_) => Self::Whole,
        }
    }

    fn of_word(&self, word: &str, tokens: &[(String, u32)]) -> Vec<Step> {
        match self {
            Self::Merges { model, ranks } => merge(model, ranks, word),
            Self::Longest(model) => longest(model, word),
            Self::Scores(scores) => likeliest(scores, tokens),
            Self::Whole => Vec::new(),
        }
    }
}

/// The merges of a model, the first to be done with the least number.
fn ranks(model: &BPE) -> HashMap<(String, String), usize> {
    let json = serde_json::to_value(model).unwrap_or_default();
    let pair = |pair: &Value| Some((pair[0].as_str()?.to_string(), pair[1].as_str()?.to_string()));
    json["merges"].as_array().into_iter().flatten().filter_map(pair).zip(0..).collect()
}

fn scores(model: &Unigram) -> HashMap<&str, f64> {
    model.iter().map(|(token, score)| (token.as_str(), *score)).collect()
}

/// Characters, and after each merge what they have become: the first merge of the list that fits, at its leftmost place.
fn merge(model: &BPE, ranks: &HashMap<(String, String), usize>, word: &str) -> Vec<Step> {
    if model.ignore_merges && model.token_to_id(word).is_some() {
        return vec![Step::new(vec![word.to_string()], "the whole word is a token")];
    }
    let prefix = model.continuing_subword_prefix.as_deref().unwrap_or_default();
    let suffix = model.end_of_word_suffix.as_deref().unwrap_or_default();
    let last = word.chars().count().saturating_sub(1);
    let mut parts = Vec::new();
    for (at, c) in word.chars().enumerate() {
        let part = format!("{}{c}{}", if at > 0 { prefix } else { "" }, if at == last { suffix } else { "" });
        let bytes = model.byte_fallback && model.token_to_id(&part).is_none();
        match bytes {
            true => parts.extend(part.bytes().map(|byte| format!("<0x{byte:02X}>"))),
            false => parts.push(part),
        }
    }
    let mut steps = vec![Step::new(parts.clone(), "")];
    loop {
        let pairs = parts.windows(2).enumerate();
        let ranked = pairs.filter_map(|(at, pair)| Some((*ranks.get(&(pair[0].clone(), pair[1].clone()))?, at)));
        let Some((rank, at)) = ranked.min() else { return steps };
        let right = parts.remove(at + 1);
        let done = format!("{} + {right}, merge {}", parts[at], rank + 1);
        parts[at].push_str(right.strip_prefix(prefix).unwrap_or(&right));
        steps.push(Step::new(parts.clone(), done));
    }
}

/// The word, and after each step the longest token that its rest begins with cut off.
fn longest(model: &WordPiece, word: &str) -> Vec<Step> {
    let mut steps = vec![Step::new(vec![word.to_string()], "")];
    let length = word.chars().count();
    if length > model.max_input_chars_per_word {
        let limit = model.max_input_chars_per_word;
        steps.push(Step::new(vec![model.unk_token.clone()], format!("{length} characters are more than {limit}")));
        return steps;
    }
    let (mut done, mut rest) = (Vec::new(), word);
    while !rest.is_empty() {
        let prefix = if done.is_empty() { "" } else { &model.continuing_subword_prefix };
        let ends = rest.char_indices().map(|(at, c)| at + c.len_utf8()).rev();
        let tokens = ends.map(|end| (end, format!("{prefix}{}", &rest[..end])));
        let Some((end, token)) = tokens.into_iter().find(|(_, token)| model.token_to_id(token).is_some()) else {
            let message = format!("no token begins `{prefix}{rest}`, so the whole word is unknown");
            steps.push(Step::new(vec![model.unk_token.clone()], message));
            return steps;
        };
        rest = &rest[end..];
        done.push(token.clone());
        let rest = (!rest.is_empty()).then(|| format!("{}{rest}", model.continuing_subword_prefix));
        let parts = done.iter().cloned().chain(rest).collect();
        steps.push(Step::new(parts, format!("`{token}` is the longest token there")));
    }
    steps
}

/// The best path alone, with the logarithm of each token's probability.
fn likeliest(scores: &HashMap<&str, f64>, tokens: &[(String, u32)]) -> Vec<Step> {
    let parts: Vec<String> = tokens.iter().map(|(token, _)| token.clone()).collect();
    let of_token = |(token, _): &(String, u32)| scores.get(token.as_str()).copied();
    let terms: Vec<_> = tokens.iter().map(|it| of_token(it).map_or("unknown".into(), |s| format!("{s:.2}"))).collect();
    let total: f64 = tokens.iter().filter_map(of_token).sum();
    vec![Step::new(parts, format!("log-probability {} = {total:.2}, the best of all splittings", terms.join(" + ")))]
}
