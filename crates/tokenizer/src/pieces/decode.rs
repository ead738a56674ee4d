//! Pieces to text, after `SentencePieceProcessor::Decode`.

use super::Pieces;
use super::model_file::Role;
use super::normalizer::SPACE;

/// The text of ids; `special` writes control pieces as well. An id beyond the vocabulary has no text.
pub(super) fn text(pieces: &Pieces, ids: &[u32], special: bool) -> String {
    let spacing = &pieces.file.spacing;
    let strips = spacing.dummy_prefix || spacing.collapse;
    let mut out = String::new();
    let mut bytes: Vec<u8> = Vec::new();
    // Whether a space may still be that which was put before the text.
    let mut at_start = true;
    let mut dropped = false;
    for id in ids {
        let piece = pieces.file.pieces.get(*id as usize);
        let role = piece.map(|piece| piece.role);
        if let (Some(Role::Byte), Some(byte)) = (role, piece.and_then(|piece| byte(&piece.text))) {
            bytes.push(byte);
            continue;
        }
        flush(&mut bytes, &mut out);
        at_start &= !dropped && out.is_empty();
        dropped = false;
        if let Some(added) = pieces.added.get(id) {
            if special || !added.special {
                out.push_str(&added.content);
            }
            continue;
        }
        match (role, piece) {
            (Some(Role::Unknown), _) => out.push_str(&pieces.file.unknown_surface),
            (_, Some(piece)) => {
                let rest = piece.text.strip_prefix(SPACE).filter(|_| at_start && strips);
                dropped = rest.is_some() && !spacing.collapse;
                out.push_str(&rest.unwrap_or(&piece.text).replace(SPACE, " "));
            }
            (_, None) => {}
        }
    }
    flush(&mut bytes, &mut out);
    out
}

/// The byte that a byte piece stands for.
fn byte(text: &str) -> Option<u8> {
    u8::from_str_radix(text.strip_prefix("<0x")?.strip_suffix('>')?, 16).ok()
}

/// Writes bytes as characters; each byte that is none as a replacement character.
fn flush(bytes: &mut Vec<u8>, out: &mut String) {
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    bytes.clear();
}
