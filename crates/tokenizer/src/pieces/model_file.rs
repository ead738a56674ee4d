//! A SentencePiece `.model` file: a Protocol Buffers message of pieces and settings.
//!
//! Field numbers and defaults: `sentencepiece_model.proto` of <https://github.com/google/sentencepiece>.

use super::wire::{Fields, Value};
use crate::Error;

/// What a piece is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Normal,
    Unknown,
    Control,
    /// Always a piece of its own.
    UserDefined,
    /// In the vocabulary, and never written.
    Unused,
    /// One byte of a character without a piece.
    Byte,
}

/// A piece of the vocabulary; its id is its place in the list.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Piece {
    pub(crate) text: String,
    pub(crate) score: f32,
    pub(crate) role: Role,
}

/// How texts are split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Unigram,
    Bpe,
}

/// What is done to a text first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spacing {
    /// A space before the text.
    pub(crate) dummy_prefix: bool,
    /// Spaces at the ends are dropped, those between are one.
    pub(crate) collapse: bool,
    /// Spaces are written as U+2581.
    pub(crate) escape: bool,
    /// The added space stands behind the text.
    pub(crate) suffix: bool,
}

impl Default for Spacing {
    fn default() -> Self {
        Self { dummy_prefix: true, collapse: true, escape: true, suffix: false }
    }
}

/// What a file says.
#[derive(Clone, Debug)]
pub(crate) struct ModelFile {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) algorithm: Algorithm,
    pub(crate) byte_fallback: bool,
    pub(crate) spacing: Spacing,
    /// Rewritings of characters, as a double array and its targets.
    pub(crate) charsmap: Vec<u8>,
    /// What an unknown piece is decoded to.
    pub(crate) unknown_surface: String,
    /// The ids of the pieces that begin and end a text.
    pub(crate) ends: [Option<u32>; 2],
}

impl ModelFile {
    /// What an unknown piece is decoded to unless a file says otherwise.
    pub(crate) const UNKNOWN_SURFACE: &str = " \u{2047} ";

    /// Reads a file's content.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let mut file = Self {
            pieces: Vec::new(),
            algorithm: Algorithm::Unigram,
            byte_fallback: false,
            spacing: Spacing::default(),
            charsmap: Vec::new(),
            unknown_surface: Self::UNKNOWN_SURFACE.to_string(),
            ends: [Some(1), Some(2)],
        };
        for field in Fields::new(bytes, "model") {
            match field? {
                (1, Value::Bytes(piece)) => {
                    let path = format!("pieces[{}]", file.pieces.len());
                    file.pieces.push(self::piece(piece, &path)?);
                }
                (2, Value::Bytes(spec)) => file.trainer(spec)?,
                (3, Value::Bytes(spec)) => file.normalizer(spec)?,
                (5, Value::Bytes(spec)) => denormalizer(spec)?,
                _ => {} // self tests and extensions do not bear on the splitting
            }
        }
        Ok(file)
    }

    fn trainer(&mut self, spec: &[u8]) -> Result<(), Error> {
        let name = "trainer_spec";
        for field in Fields::new(spec, name) {
            match field? {
                (3, Value::Varint(1)) => self.algorithm = Algorithm::Unigram,
                (3, Value::Varint(2)) => self.algorithm = Algorithm::Bpe,
                (3, Value::Varint(other)) => {
                    let known = "1 (unigram) and 2 (bpe) are known";
                    return Err(Error::at("trainer_spec.model_type", format!("{other} is not supported; {known}")));
                }
                (24, Value::Varint(flag)) => self.spacing.suffix = flag != 0,
                (35, Value::Varint(flag)) => self.byte_fallback = flag != 0,
                // Negative numbers, which say that there is none, are too large for an id.
                (41, Value::Varint(id)) => self.ends[0] = u32::try_from(id).ok(),
                (42, Value::Varint(id)) => self.ends[1] = u32::try_from(id).ok(),
                (44, Value::Bytes(text)) => self.unknown_surface = string(text, "trainer_spec.unk_surface")?,
                _ => {} // how the model was trained does not bear on the splitting
            }
        }
        Ok(())
    }

    fn normalizer(&mut self, spec: &[u8]) -> Result<(), Error> {
        for field in Fields::new(spec, "normalizer_spec") {
            match field? {
                (2, Value::Bytes(map)) => self.charsmap = map.to_vec(),
                (3, Value::Varint(flag)) => self.spacing.dummy_prefix = flag != 0,
                (4, Value::Varint(flag)) => self.spacing.collapse = flag != 0,
                (5, Value::Varint(flag)) => self.spacing.escape = flag != 0,
                _ => {} // names and rules are in the map already
            }
        }
        Ok(())
    }
}

/// A map for decoding is rare and not supported.
fn denormalizer(spec: &[u8]) -> Result<(), Error> {
    for field in Fields::new(spec, "denormalizer_spec") {
        if matches!(field?, (2, Value::Bytes(map)) if !map.is_empty()) {
            return Err(Error::at("denormalizer_spec.precompiled_charsmap", "rewriting decoded text is not supported"));
        }
    }
    Ok(())
}

fn piece(bytes: &[u8], path: &str) -> Result<Piece, Error> {
    let mut piece = Piece { text: String::new(), score: 0.0, role: Role::Normal };
    for field in Fields::new(bytes, path) {
        match field? {
            (1, Value::Bytes(text)) => piece.text = string(text, path)?,
            (2, Value::Fixed32(score)) => piece.score = f32::from_le_bytes(score),
            (3, Value::Varint(role)) => {
                piece.role =
                    Role::numbered(role).ok_or_else(|| Error::at(path, format!("there is no type {role} of piece")))?
            }
            _ => {} // extensions
        }
    }
    if piece.text.is_empty() {
        return Err(Error::at(path, "a piece has no text"));
    }
    if piece.score.is_nan() {
        return Err(Error::at(path, "the score is no number"));
    }
    Ok(piece)
}

impl Role {
    /// The role of a number, as files of both kinds have it.
    pub(crate) fn numbered(number: u64) -> Option<Self> {
        Some(match number {
            1 => Self::Normal,
            2 => Self::Unknown,
            3 => Self::Control,
            4 => Self::UserDefined,
            5 => Self::Unused,
            6 => Self::Byte,
            _ => return None,
        })
    }
}

fn string(bytes: &[u8], path: &str) -> Result<String, Error> {
    String::from_utf8(bytes.to_vec()).map_err(|_| Error::at(path, "not UTF-8"))
}
