//! The steps of scored pieces.

use std::ops::Range;

use super::{Model, Pieces};
use crate::engine::Engine as _;
use crate::{Encoding, Explanation, Step, Word};

pub(super) fn explain(pieces: &Pieces, text: &str) -> Explanation {
    let mut explanation = Explanation { normalized: String::new(), words: Vec::new() };
    for (range, added) in pieces.segments(text) {
        let word = match added {
            Some(id) => {
                let content = text[range.clone()].to_string();
                let tokens = vec![(content.clone(), id)];
                Word { text: content, place: range, added: true, steps: Vec::new(), tokens }
            }
            None => word(pieces, &text[range.clone()], range),
        };
        explanation.normalized.push_str(&word.text);
        explanation.words.push(word);
    }
    explanation
}

/// A stretch between added tokens: the model splits it as one word.
fn word(pieces: &Pieces, text: &str, place: Range<usize>) -> Word {
    let normalized = pieces.normalizer.run(text).text;
    let mut encoding = Encoding::default();
    pieces.split(text, place.start, &mut encoding);
    let steps = match &pieces.model {
        Model::Unigram(_) => vec![best(pieces, &encoding)],
        Model::Bpe(model) => {
            let mut ranges = Vec::new();
            model.split(&normalized, Some(&mut ranges));
            merges(&normalized, &ranges)
        }
    };
    let tokens = encoding.tokens.into_iter().zip(encoding.ids).collect();
    Word { text: normalized, place, added: false, steps, tokens }
}

/// What merged is what the step before has as two parts.
fn merges(text: &str, ranges: &[Vec<Range<usize>>]) -> Vec<Step> {
    let parts =
        |ranges: &[Range<usize>]| -> Vec<String> { ranges.iter().map(|it| text[it.clone()].to_string()).collect() };
    let mut steps: Vec<Step> = ranges.first().map(|start| Step::new(parts(start), "")).into_iter().collect();
    for pair in ranges.windows(2) {
        let at = pair[0].iter().zip(&pair[1]).position(|(before, after)| before != after).unwrap_or_default();
        let merged: Vec<&str> = pair[0].iter().skip(at).take(2).map(|it| &text[it.clone()]).collect();
        steps.push(Step::new(parts(&pair[1]), merged.join(" + ")));
    }
    steps
}

/// The best path alone, with the score of each piece.
fn best(pieces: &Pieces, encoding: &Encoding) -> Step {
    let score = |id: &u32| pieces.file.pieces.get(*id as usize).map_or(0.0, |piece| piece.score);
    let terms: Vec<_> = encoding.ids.iter().map(|id| format!("{:.2}", score(id))).collect();
    let total: f32 = encoding.ids.iter().map(score).sum();
    let parts = encoding.ids.iter().map(|id| pieces.token(*id).unwrap_or_default()).collect();
    Step::new(parts, format!("log-probability {} = {total:.2}, the best of all splittings", terms.join(" + ")))
}
