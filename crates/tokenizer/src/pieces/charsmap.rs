//! The rewritings of a SentencePiece normaliser: a double array of byte strings, and the texts that they become.
//!
//! The file holds the array's size in bytes as a 32-bit number, the array, and the texts, each ended by a zero byte. A unit
//! of the array holds a label, an offset to its children and whether it ends a string:
//! <https://github.com/s-yata/darts-clone>.

use crate::Error;

/// Rewritings, the longest beginning of a text deciding.
#[derive(Clone, Debug, Default)]
pub(super) struct Charsmap {
    units: Vec<u32>,
    texts: String,
}

const PATH: &str = "normalizer_spec.precompiled_charsmap";

impl Charsmap {
    pub(super) fn new(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let fault = |what: &str| Error::at(PATH, what);
        let (size, rest) = bytes.split_first_chunk::<4>().ok_or_else(|| fault("it is cut off"))?;
        let size = u32::from_le_bytes(*size) as usize;
        if size > rest.len() || !size.is_multiple_of(4) || size == 0 {
            return Err(fault("the size of its array is wrong"));
        }
        let (units, texts) = rest.split_at(size);
        let units = units.chunks_exact(4).map(|it| u32::from_le_bytes([it[0], it[1], it[2], it[3]])).collect();
        let texts = String::from_utf8(texts.to_vec()).map_err(|_| fault("its texts are not UTF-8"))?;
        Ok(Self { units, texts })
    }

    /// The longest beginning of `text` that is rewritten: its bytes, and what it becomes.
    pub(super) fn longest(&self, text: &str) -> Option<(usize, &str)> {
        let mut found = None;
        let mut at = offset(*self.units.first()?);
        for (read, byte) in text.bytes().enumerate() {
            at ^= usize::from(byte);
            let unit = *self.units.get(at)?;
            if unit & 0x8000_00FF != u32::from(byte) {
                break;
            }
            at ^= offset(unit);
            if unit >> 8 & 1 == 1 {
                found = self.units.get(at).map(|leaf| (read + 1, (leaf & 0x7FFF_FFFF) as usize));
            }
        }
        let (length, target) = found?;
        let becomes = self.texts.get(target..)?;
        text.is_char_boundary(length).then(|| (length, becomes.split('\0').next().unwrap_or_default()))
    }
}

fn offset(unit: u32) -> usize {
    ((unit >> 10) << ((unit & 1 << 9) >> 6)) as usize
}
