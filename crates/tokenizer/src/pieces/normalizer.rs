//! What SentencePiece does to a text before it splits it.
//!
//! After `Normalizer::Normalize` of <https://github.com/google/sentencepiece>: characters are rewritten by the longest rule
//! that fits, spaces are collapsed, marked and added. Symbols of the user are left as they are.

use super::charsmap::Charsmap;
use super::model_file::Spacing;
use super::prefixes::Prefixes;

/// The mark of a space.
pub(crate) const SPACE: &str = "\u{2581}";

/// A normalised text that knows where each of its bytes came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Normalized {
    pub(crate) text: String,
    /// For each byte of the text, and for its end, the byte of the original that it came from.
    pub(crate) origin: Vec<usize>,
}

#[derive(Clone, Debug)]
pub(super) struct Normalizer {
    pub(super) charsmap: Charsmap,
    pub(super) spacing: Spacing,
    /// Symbols of the user.
    pub(super) symbols: Prefixes,
}

impl Normalizer {
    /// The first rewriting of a text: the bytes that it takes, and what they become.
    fn first<'a>(&'a self, text: &'a str) -> (usize, &'a str) {
        if let Some((length, _)) = self.symbols.longest(text.as_bytes()) {
            return (length, &text[..length]);
        }
        self.charsmap.longest(text).unwrap_or_else(|| {
            let length = text.chars().next().map_or(0, char::len_utf8);
            (length, &text[..length])
        })
    }

    pub(super) fn run(&self, text: &str) -> Normalized {
        let Spacing { dummy_prefix, collapse, escape, suffix } = self.spacing;
        let space = if escape { SPACE } else { " " };
        let mut out = Normalized::default();
        let mut at = 0;
        while collapse && at < text.len() {
            let (length, becomes) = self.first(&text[at..]);
            if becomes != " " {
                break;
            }
            at += length;
        }
        if at == text.len() {
            out.origin.push(at);
            return out;
        }
        if dummy_prefix && !suffix {
            out.push(space, at);
        }
        let mut after_space = collapse;
        while at < text.len() {
            let (length, becomes) = self.first(&text[at..]);
            let kept = if after_space { becomes.trim_start_matches(' ') } else { becomes };
            for part in kept.split_inclusive(' ') {
                match part.strip_suffix(' ') {
                    Some(word) => {
                        out.push(word, at);
                        out.push(space, at);
                    }
                    None => out.push(part, at),
                }
            }
            if !kept.is_empty() {
                after_space = kept.ends_with(' ');
            }
            after_space &= collapse;
            at += length;
        }
        let mut end = text.len();
        while collapse && out.text.ends_with(space) {
            out.text.truncate(out.text.len() - space.len());
            end = out.origin[out.text.len()];
            out.origin.truncate(out.text.len());
        }
        if dummy_prefix && suffix {
            out.push(space, end);
        }
        out.origin.push(end);
        out
    }
}

impl Normalized {
    fn push(&mut self, text: &str, from: usize) {
        self.text.push_str(text);
        self.origin.extend(std::iter::repeat_n(from, text.len()));
    }
}
