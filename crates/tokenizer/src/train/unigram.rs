//! Learning a unigram model, with the trainer of the `tokenizers` crate.
//!
//! The trainer is run on one thread over words in order, so that its sums are always the same. Its last stage gives scores
//! to characters that got lost, in an order that changes from run to run; they are given out again in order.

use serde_json::{Value, json};
use tokenizers::AddedToken;
use tokenizers::models::unigram::{Unigram, UnigramTrainer};
use tokenizers::parallelism;

use super::{Progress, Training};
use crate::{Error, guard};

/// What the trainer adds from one lost character to the next.
const PENALTY: f64 = 0.0001;

pub(super) fn learn(
    training: &Training,
    special: &[String],
    words: &[(String, u64)],
    progress: &mut dyn FnMut(Progress),
) -> Result<Value, Error> {
    progress(Progress { stage: "likeliest pieces", done: 0, total: 1 });
    let tokens = special.iter().map(|token| AddedToken::from(token.clone(), true)).collect();
    let size = u32::try_from(training.vocab_size).map_err(|_| Error::training("the vocabulary is too large"))?;
    let trainer = UnigramTrainer::builder()
        .show_progress(false)
        .vocab_size(size)
        .special_tokens(tokens)
        .unk_token(Some("<unk>".to_string()))
        .build()
        .map_err(|error| Error::training(error.to_string()))?;
    let sentences =
        words.iter().map(|(word, count)| (word.clone(), u32::try_from(*count).unwrap_or(u32::MAX))).collect();
    let mut model = Unigram::default();
    parallelism::set_parallelism(false);
    let trained = guard::run("training", || trainer.do_train(sentences, &mut model));
    parallelism::set_parallelism(true);
    trained.map_err(|error| Error::training(error.message))?;
    // A text may hold what looks like a special token; that has its own id already.
    let pieces = model.iter().skip(special.len()).filter(|(piece, _)| !special.contains(piece));
    let mut pieces: Vec<(String, f64)> = pieces.cloned().collect();
    order(&mut pieces);
    let vocab: Vec<Value> =
        special.iter().map(|token| json!([token, 0.0])).chain(pieces.iter().map(|it| json!(it))).collect();
    progress(Progress { stage: "likeliest pieces", done: 1, total: 1 });
    Ok(json!({"type": "Unigram", "unk_id": 0, "vocab": vocab, "byte_fallback": false}))
}

/// Puts pieces in the order of their scores, and lost characters in their own order.
fn order(pieces: &mut [(String, f64)]) {
    let single = |piece: &(String, f64)| piece.0.chars().count() == 1;
    let least = pieces.iter().filter(|it| single(it)).map(|it| it.1).fold(f64::INFINITY, f64::min);
    let mut lost = Vec::new();
    let mut penalty = 0.0;
    while let Some(at) = pieces.iter().position(|it| single(it) && it.1 == least + penalty) {
        lost.push((at, least + penalty));
        penalty += PENALTY;
    }
    if lost.len() > 1 {
        let mut names: Vec<String> = lost.iter().map(|(at, _)| pieces[*at].0.clone()).collect();
        names.sort_unstable();
        for ((at, _), name) in lost.iter().zip(names) {
            pieces[*at].0 = name;
        }
    }
    pieces.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
}
