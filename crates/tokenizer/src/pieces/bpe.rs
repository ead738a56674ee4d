//! Merging neighbours, the pair with the best score first and the leftmost of equals.
//!
//! After `Model::SampleEncode` of SentencePiece's BPE. Pairs are not listed: two symbols merge if what they make is a piece.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};
use std::ops::Range;

use super::model_file::{Piece, Role};
use super::prefixes::Prefixes;

/// Pieces that merges make.
#[derive(Clone, Debug)]
pub(super) struct Bpe {
    ids: HashMap<String, u32>,
    scores: Vec<f32>,
    unused: Vec<bool>,
    symbols: Prefixes,
}

/// A stretch of the text; an empty one was merged into its left neighbour.
#[derive(Clone, Debug)]
struct Symbol {
    range: Range<usize>,
    before: Option<usize>,
    after: Option<usize>,
    /// A symbol of the user, which never merges.
    frozen: bool,
}

/// Two neighbours that may merge.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Pair {
    score: f32,
    left: usize,
    right: usize,
    /// Bytes of both, by which a pair that has changed since is known.
    length: usize,
}

impl Eq for Pair {}

impl Ord for Pair {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then(other.left.cmp(&self.left))
    }
}

impl PartialOrd for Pair {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What a text is in the middle of being merged.
struct State<'a> {
    text: &'a str,
    symbols: Vec<Symbol>,
    queue: BinaryHeap<Pair>,
    /// How a piece that is never written was made: the length of its left part.
    parts: HashMap<&'a str, usize>,
}

impl Bpe {
    pub(super) fn new(pieces: &[Piece], symbols: Prefixes) -> Self {
        let merged = |it: &Piece| matches!(it.role, Role::Normal | Role::UserDefined | Role::Unused);
        let ids = pieces.iter().zip(0..).filter(|(it, _)| merged(it)).map(|(it, id)| (it.text.clone(), id)).collect();
        let unused = pieces.iter().map(|it| it.role == Role::Unused).collect();
        Self { ids, scores: pieces.iter().map(|it| it.score).collect(), unused, symbols }
    }

    /// Stretches of the text with their ids. `steps` is given the stretches before the first merge and after each, which
    /// takes time for every stretch at every merge.
    pub(super) fn split(
        &self,
        text: &str,
        mut steps: Option<&mut Vec<Vec<Range<usize>>>>,
    ) -> Vec<(Range<usize>, Option<u32>)> {
        let symbols = self.start(text);
        let mut state = State { text, symbols, queue: BinaryHeap::new(), parts: HashMap::new() };
        for right in 1..state.symbols.len() {
            self.offer(&mut state, Some(right - 1), Some(right));
        }
        if let Some(steps) = &mut steps {
            steps.push(state.ranges());
        }
        while let Some(pair) = state.queue.pop() {
            let (left, right) = (state.symbols[pair.left].clone(), state.symbols[pair.right].clone());
            if left.range.is_empty() || right.range.is_empty() || left.range.len() + right.range.len() != pair.length {
                continue;
            }
            state.symbols[pair.left].range.end = right.range.end;
            state.symbols[pair.left].after = right.after;
            state.symbols[pair.right].range = right.range.end..right.range.end;
            if let Some(next) = right.after {
                state.symbols[next].before = Some(pair.left);
            }
            self.offer(&mut state, left.before, Some(pair.left));
            self.offer(&mut state, Some(pair.left), right.after);
            if let Some(steps) = &mut steps {
                steps.push(state.ranges());
            }
        }
        self.write(&state)
    }

    /// Symbols of the user, and single characters.
    fn start(&self, text: &str) -> Vec<Symbol> {
        let mut symbols: Vec<Symbol> = Vec::new();
        let mut at = 0;
        while let Some(first) = text[at..].chars().next() {
            let symbol = self.symbols.longest(&text.as_bytes()[at..]);
            let end = at + symbol.map_or(first.len_utf8(), |(length, _)| length);
            let before = symbols.len().checked_sub(1);
            let after = (end < text.len()).then_some(symbols.len() + 1);
            symbols.push(Symbol { range: at..end, before, after, frozen: symbol.is_some() });
            at = end;
        }
        symbols
    }

    /// Queues two neighbours if they make a piece.
    fn offer(&self, state: &mut State<'_>, left: Option<usize>, right: Option<usize>) {
        let (Some(left), Some(right)) = (left, right) else { return };
        let (first, second) = (&state.symbols[left], &state.symbols[right]);
        if first.frozen || second.frozen {
            return;
        }
        let text = state.text;
        let made = &text[first.range.start..second.range.end];
        if let Some(id) = self.ids.get(made).map(|id| *id as usize) {
            if self.unused[id] {
                state.parts.insert(made, first.range.len());
            }
            state.queue.push(Pair { score: self.scores[id], left, right, length: made.len() });
        }
    }

    /// The ids of the symbols; one that is never written is taken apart again.
    fn write(&self, state: &State<'_>) -> Vec<(Range<usize>, Option<u32>)> {
        let mut out = Vec::new();
        let mut rest = state.ranges();
        rest.reverse();
        while let Some(range) = rest.pop() {
            let text = &state.text[range.clone()];
            let id = self.ids.get(text).copied();
            match state.parts.get(text) {
                Some(left) if id.is_some_and(|id| self.unused[id as usize]) => {
                    let middle = range.start + left;
                    rest.extend([middle..range.end, range.start..middle]);
                }
                _ => out.push((range, id)),
            }
        }
        out
    }
}

impl State<'_> {
    /// The stretches as they are now.
    fn ranges(&self) -> Vec<Range<usize>> {
        self.symbols.iter().filter(|it| !it.range.is_empty()).map(|it| it.range.clone()).collect()
    }
}
