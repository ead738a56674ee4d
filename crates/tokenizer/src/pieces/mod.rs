//! Tokenizers of scored pieces, as SentencePiece makes them: BPE and unigram, with byte fallback.
//!
//! The `tokenizers` crate approximates these (its normaliser looks at grapheme clusters, its BPE needs a list of pairs, its
//! unigram finds control pieces in texts); here the published algorithms are followed to the letter.

mod bpe;
mod charsmap;
mod decode;
mod explain;
mod model_file;
mod normalizer;
mod prefixes;
mod unigram;
mod wire;

use std::collections::HashMap;
use std::ops::Range;

use crate::engine::{Added, Engine};
use crate::{Encoding, Error, Explanation, Kind};
use bpe::Bpe;
use charsmap::Charsmap;
pub(crate) use model_file::{Algorithm, ModelFile, Piece, Role, Spacing};
pub(crate) use normalizer::SPACE;
use normalizer::{Normalized, Normalizer};
use prefixes::Prefixes;
use unigram::Unigram;

#[derive(Debug)]
enum Model {
    Unigram(Unigram),
    Bpe(Bpe),
}

/// A vocabulary of scored pieces.
#[derive(Debug)]
pub(crate) struct Pieces {
    file: ModelFile,
    normalizer: Normalizer,
    model: Model,
    ids: HashMap<String, u32>,
    /// The piece of each byte, with byte fallback.
    bytes: Option<Vec<u32>>,
    unknown: u32,
    /// Control pieces, and tokens that were added to the vocabulary, by id.
    added: HashMap<u32, Added>,
    /// Finds them in a text.
    special: Prefixes,
    /// Put before and after a text.
    around: [Option<u32>; 2],
    limit: Option<usize>,
}

impl Pieces {
    /// Takes a file's content; `added` are tokens beyond it, `around` says whether a text is given its first and its last
    /// piece.
    pub(crate) fn new(file: ModelFile, added: Vec<Added>, around: [bool; 2]) -> Result<Self, Error> {
        let mut ids = HashMap::with_capacity(file.pieces.len());
        for (piece, id) in file.pieces.iter().zip(0..) {
            if let Some(first) = ids.insert(piece.text.clone(), id) {
                return Err(Error::at(&format!("pieces[{id}]"), format!("`{}` again, after {first}", piece.text)));
            }
        }
        let with_role = |role| file.pieces.iter().zip(0..).filter(move |(piece, _)| piece.role == role);
        let Some((_, unknown)) = with_role(Role::Unknown).next() else {
            return Err(Error::at("pieces", "none is the unknown piece"));
        };
        let byte = |byte: u8| {
            let text = format!("<0x{byte:02X}>");
            let missing = || Error::at("trainer_spec.byte_fallback", format!("there is no piece `{text}`"));
            ids.get(&text).copied().filter(|id| file.pieces[*id as usize].role == Role::Byte).ok_or_else(missing)
        };
        let bytes = file.byte_fallback.then(|| (0..=255).map(byte).collect()).transpose()?;
        let mut added: HashMap<u32, Added> = added.into_iter().map(|it| (it.id, it)).collect();
        for (piece, id) in with_role(Role::Control) {
            added.entry(id).or_insert_with(|| Added { id, content: piece.text.clone(), special: true });
        }
        let symbols = Prefixes::new(with_role(Role::UserDefined).map(|(piece, id)| (piece.text.clone(), id)));
        let model = match file.algorithm {
            Algorithm::Unigram => Model::Unigram(Unigram::new(&file.pieces)),
            Algorithm::Bpe => Model::Bpe(Bpe::new(&file.pieces, symbols.clone())),
        };
        let normalizer =
            Normalizer { charsmap: Charsmap::new(&file.charsmap)?, spacing: file.spacing.clone(), symbols };
        let around = [0, 1].map(|end| file.ends[end].filter(|_| around[end]));
        let special = Prefixes::new(added.values().map(|it| (it.content.clone(), it.id)));
        ids.extend(added.values().map(|it| (it.content.clone(), it.id)));
        Ok(Self { file, normalizer, model, ids, bytes, unknown, added, special, around, limit: None })
    }

    /// A text cut at tokens that stand outside the model, each with its id.
    fn segments(&self, text: &str) -> Vec<(Range<usize>, Option<u32>)> {
        let mut segments = Vec::new();
        let (mut from, mut at) = (0, 0);
        while let Some(first) = text[at..].chars().next() {
            match self.special.longest(&text.as_bytes()[at..]) {
                None => at += first.len_utf8(),
                Some((length, id)) => {
                    segments.push((from..at, None));
                    segments.push((at..at + length, Some(id)));
                    at += length;
                    from = at;
                }
            }
        }
        segments.push((from..at, None));
        segments.retain(|(range, _)| !range.is_empty());
        segments
    }

    /// The pieces of a text without special tokens in it, whose first byte is `from` in the text as a whole.
    fn split(&self, text: &str, from: usize, out: &mut Encoding) {
        let normalized = self.normalizer.run(text);
        let parts = match &self.model {
            Model::Unigram(model) => model.split(&normalized.text),
            Model::Bpe(model) => model.split(&normalized.text, None),
        };
        let mut after_unknown = false;
        for (range, id) in parts {
            let place = normalized.place(&range);
            let place = from + place.start..from + place.end;
            let piece = &normalized.text[range];
            let unknown = id.is_none() && self.bytes.is_none();
            match (id, &self.bytes) {
                (Some(id), _) => out.push(id, piece, place),
                (None, Some(bytes)) => {
                    for byte in piece.bytes() {
                        out.push(bytes[usize::from(byte)], format!("<0x{byte:02X}>"), place.clone());
                    }
                }
                (None, None) if after_unknown => out.lengthen_unknown(piece, place.end),
                (None, None) => {
                    out.push(self.unknown, piece, place.clone());
                    out.unknown.push(place);
                }
            }
            after_unknown = unknown;
        }
    }
}

impl Normalized {
    /// The bytes of the original that a stretch of the normalised text came from.
    fn place(&self, range: &Range<usize>) -> Range<usize> {
        let start = self.origin[range.start];
        let later = self.origin[range.end..].iter().find(|origin| **origin > start);
        start..later.copied().unwrap_or(start)
    }
}

impl Encoding {
    fn push(&mut self, id: u32, token: impl Into<String>, offsets: Range<usize>) {
        self.ids.push(id);
        self.tokens.push(token.into());
        self.offsets.push(offsets);
    }

    /// Unknown characters side by side are one token.
    fn lengthen_unknown(&mut self, more: &str, end: usize) {
        if let Some(token) = self.tokens.last_mut() {
            token.push_str(more);
        }
        for range in [self.offsets.last_mut(), self.unknown.last_mut()].into_iter().flatten() {
            range.end = end;
        }
    }
}

impl Engine for Pieces {
    fn kind(&self) -> Kind {
        match self.model {
            Model::Unigram(_) => Kind::Unigram,
            Model::Bpe(_) => Kind::Bpe,
        }
    }

    fn encode(&self, text: &str, special: bool) -> Result<Encoding, Error> {
        let mut out = Encoding::default();
        for (range, added) in self.segments(text) {
            match added {
                Some(id) => out.push(id, &text[range.clone()], range),
                None => self.split(&text[range.clone()], range.start, &mut out),
            }
        }
        let around = if special { self.around } else { [None, None] };
        let room = self.limit.map(|limit| limit - around.iter().flatten().count());
        let kept = room.unwrap_or(usize::MAX).min(out.ids.len());
        out.ids.truncate(kept);
        out.tokens.truncate(kept);
        out.offsets.truncate(kept);
        let token = |id: u32| self.token(id).unwrap_or_default();
        if let Some(id) = around[0] {
            out.ids.insert(0, id);
            out.tokens.insert(0, token(id));
            out.offsets.insert(0, 0..0);
        }
        if let Some(id) = around[1] {
            out.push(id, token(id), 0..0);
        }
        Ok(out)
    }

    fn explain(&self, text: &str) -> Result<Explanation, Error> {
        Ok(explain::explain(self, text))
    }

    fn decode(&self, ids: &[u32], special: bool) -> Result<String, Error> {
        Ok(decode::text(self, ids, special))
    }

    fn id(&self, token: &str) -> Option<u32> {
        self.ids.get(token).copied()
    }

    fn token(&self, id: u32) -> Option<String> {
        let added = || self.added.get(&id).map(|it| it.content.clone());
        self.file.pieces.get(id as usize).map(|piece| piece.text.clone()).or_else(added)
    }

    fn vocabulary(&self) -> Vec<(String, u32)> {
        self.ids.iter().map(|(token, id)| (token.clone(), *id)).collect()
    }

    fn added(&self) -> Vec<Added> {
        self.added.values().cloned().collect()
    }

    fn merges(&self) -> Option<usize> {
        None
    }

    fn truncate(&mut self, limit: Option<usize>) -> Result<(), Error> {
        let needed = self.around.iter().flatten().count();
        if let Some(limit) = limit.filter(|limit| *limit <= needed) {
            return Err(Error::bad(format!("a limit of {limit} ids leaves no room beside {needed} special tokens")));
        }
        self.limit = limit;
        Ok(())
    }

    fn limit(&self) -> Option<usize> {
        self.limit
    }

    fn treat_special_as_text(&mut self) {
        let plain = self.added.values().filter(|it| !it.special);
        self.special = Prefixes::new(plain.map(|it| (it.content.clone(), it.id)));
    }
}
