//! The pieces of SentencePiece: BPE by scores, and unigram.

use super::keys::{Keys, fault, needed};
use super::{Tokens, around};
use crate::pieces::{Algorithm, ModelFile, Piece, Pieces, Role, Spacing};
use crate::{Error, Kind};

/// What the same vocabulary's `.model` file would say.
pub(super) fn pieces(keys: &Keys, tokens: &Tokens, kind: Kind) -> Result<Pieces, Error> {
    let scores = needed("scores", keys.numbers("scores")?)?;
    if scores.len() != tokens.texts.len() {
        return Err(fault("scores", format!("{} scores for {} tokens", scores.len(), tokens.texts.len())));
    }
    if let Some(at) = scores.iter().position(|score| score.is_nan()) {
        return Err(fault(&format!("scores[{at}]"), "it is no number"));
    }
    if !tokens.roles.contains(&Role::Unknown) {
        return Err(fault("token_type", "none of the tokens is the unknown one, type 2"));
    }
    let piece = |((text, score), role): ((&&str, f64), &Role)| Piece {
        text: text.to_string(),
        score: score as f32,
        role: *role,
    };
    let merges = kind == Kind::Bpe;
    let around = around(keys, tokens, [merges, !merges])?;
    let file = ModelFile {
        pieces: tokens.texts.iter().zip(scores).zip(&tokens.roles).map(piece).collect(),
        algorithm: if merges { Algorithm::Bpe } else { Algorithm::Unigram },
        byte_fallback: tokens.roles.contains(&Role::Byte),
        spacing: Spacing {
            dummy_prefix: keys.flag("add_space_prefix")?.unwrap_or(merges),
            collapse: keys.flag("remove_extra_whitespaces")?.unwrap_or(false),
            escape: true,
            suffix: false,
        },
        charsmap: keys.bytes("precompiled_charsmap")?.unwrap_or_default().to_vec(),
        unknown_surface: ModelFile::UNKNOWN_SURFACE.to_string(),
        ends: around.map(|token| token.map(|(_, id)| id)),
    };
    Pieces::new(file, Vec::new(), [true, true])
}
