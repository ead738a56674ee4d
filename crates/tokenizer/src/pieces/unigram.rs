//! The likeliest splitting of a text.
//!
//! After `Model::EncodeOptimized` of SentencePiece (0.2.3), in its precision and order, so that equal scores are decided alike.

use std::ops::Range;

use super::model_file::{Piece, Role};
use super::prefixes::Prefixes;

/// How much less likely than the least likely piece an unknown character is.
const UNKNOWN_PENALTY: f32 = 10.0;

/// The score of a symbol of the user, which is chosen before all else. SentencePiece makes it of the best score of all
/// pieces, but never below the least positive number, so that for scores that are logarithms only this is left of it.
const SYMBOL: f32 = -0.1;

/// Pieces and their scores.
#[derive(Clone, Debug)]
pub(super) struct Unigram {
    scores: Vec<f32>,
    symbols: Vec<bool>,
    prefixes: Prefixes,
    /// The least and the best score of an ordinary piece.
    bounds: (f32, f32),
}

/// The best way to the end of a stretch.
#[derive(Clone, Copy, Default)]
struct Best {
    score: f32,
    from: Option<usize>,
    id: Option<u32>,
}

impl Unigram {
    pub(super) fn new(pieces: &[Piece]) -> Self {
        let written = pieces.iter().zip(0..).filter(|(it, _)| matches!(it.role, Role::Normal | Role::UserDefined));
        let normal = || pieces.iter().filter(|it| it.role == Role::Normal).map(|it| it.score);
        Self {
            scores: pieces.iter().map(|it| it.score).collect(),
            symbols: pieces.iter().map(|it| it.role == Role::UserDefined).collect(),
            prefixes: Prefixes::new(written.map(|(it, id)| (it.text.clone(), id))),
            bounds: (normal().fold(f32::MAX, f32::min), normal().fold(f32::MIN_POSITIVE, f32::max)),
        }
    }

    /// A piece's score.
    fn score(&self, id: u32, length: usize) -> f32 {
        match self.symbols[id as usize] {
            true => length as f32 * self.bounds.1 + SYMBOL,
            false => self.scores[id as usize],
        }
    }

    /// Stretches of the text with their ids; without one where no piece fits.
    pub(super) fn split(&self, text: &str) -> Vec<(Range<usize>, Option<u32>)> {
        let mut best = vec![Best::default(); text.len() + 1];
        let unknown = self.bounds.0 - UNKNOWN_PENALTY;
        let mut at = 0;
        while let Some(first) = text[at..].chars().next() {
            let here = best[at].score;
            let mut offer = |length: usize, score: f32, id: Option<u32>| {
                let end = &mut best[at + length];
                if end.from.is_none() || score > end.score {
                    *end = Best { score, from: Some(at), id };
                }
            };
            let mut single = false;
            for (length, id) in self.prefixes.of(&text.as_bytes()[at..]) {
                offer(length, self.score(id, length) + here, Some(id));
                single |= length == first.len_utf8();
            }
            if !single {
                offer(first.len_utf8(), unknown + here, None);
            }
            at += first.len_utf8();
        }
        let mut parts = Vec::new();
        let mut end = text.len();
        while let Some(from) = best[end].from {
            parts.push((from..end, best[end].id));
            end = from;
        }
        parts.reverse();
        parts
    }
}
