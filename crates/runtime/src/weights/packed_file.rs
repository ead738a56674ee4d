//! The project's own form of a checkpoint: what a model holds, parameter by parameter.
//!
//! It is a safetensors file whose metadata says `format: formwork` and `version: 1`. Names are the model's own, after its
//! weights' section. A tensor of floats is a parameter as it is. `NAME.codes` and `NAME.scales` are a parameter `[.., d_out,
//! d_in]` in groups of 32 inputs: `codes` is I8 `[.., d_out, groups, 32]` for 8 bits, and U8 `[.., d_out, groups, 16]` for 4
//! bits, where byte `i` holds input `i` in its low half and input `i + 16` in its high half, each with 8 added. For 6 bits it is U8
//! `[.., d_out, groups, 24]`: codes with 32 added, their low four bits as those of 4 bits, then in byte `16 + i` the high two of
//! inputs `i`, `i + 8`, `i + 16` and `i + 24` from low to high. `scales` is F16 `[.., d_out, groups]`, or U16 for 4 bits with a zero
//! point, as a grid of the format holds both. Inputs beyond `d_in` are zero.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use formwork_tensor::{Coded, CodedRows, Error, Format, GROUP, Owner, Result};

use super::file::{SafeTensors, TensorFile};
use super::piece::Piece;

/// What the metadata of such a file says.
pub(crate) const METADATA: [(&str, &str); 2] = [("format", "formwork"), ("version", "1")];

/// How a format of codes is written.
pub(crate) struct Form {
    format: Format,
    /// The type of a parameter in it.
    name: &'static str,
    /// The type of its codes, and how many of them a group has.
    pub(crate) codes: (&'static str, usize),
    /// The type of its scales.
    pub(crate) scales: &'static str,
}

/// Bytes of a group of 6 bits.
const SIX: usize = GROUP * 6 / 8;

/// Every format of codes.
const FORMS: [Form; 4] = [
    Form { format: Format::Q8, name: "Q8", codes: ("I8", GROUP), scales: "F16" },
    Form { format: Format::Q6, name: "Q6", codes: ("U8", SIX), scales: "F16" },
    Form { format: Format::Q4, name: "Q4", codes: ("U8", GROUP / 2), scales: "F16" },
    Form { format: Format::Q4Zero, name: "Q4Z", codes: ("U8", GROUP / 2), scales: "U16" },
];

impl Form {
    /// None for floats.
    pub(crate) fn of(format: Format) -> Option<&'static Self> {
        FORMS.iter().find(|form| form.format == format)
    }
}

/// A file in that form.
pub(crate) struct PackedFile {
    file: SafeTensors,
    coded: BTreeMap<String, Entry>,
}

/// A parameter in codes.
struct Entry {
    form: &'static Form,
    /// With the last axis filled up to whole groups.
    dims: Vec<usize>,
    codes: String,
    scales: String,
}

impl PackedFile {
    /// Whether a file is in this form.
    ///
    /// # Errors
    /// `packed-version` for another version of it.
    pub(crate) fn is_packed(file: &SafeTensors) -> Result<bool> {
        if file.metadata("format") != Some("formwork") {
            return Ok(false);
        }
        match file.metadata("version") {
            Some("1") => Ok(true),
            other => {
                let message = format!("{} has version {}", file.path().display(), other.unwrap_or("none"));
                Err(Error::new("packed-version", message).help("quantise the original weights again"))
            }
        }
    }

    /// Pairs codes with their scales.
    ///
    /// # Errors
    /// `packed-pair` for codes without scales that fit, or the reverse.
    pub(crate) fn new(file: SafeTensors) -> Result<Self> {
        let mut coded = BTreeMap::new();
        for name in file.names() {
            if let Some(name) = name.strip_suffix(".codes") {
                coded.insert(name.to_string(), entry(&file, name)?);
            }
        }
        let lonely = |name: &&str| name.strip_suffix(".scales").is_some_and(|name| !coded.contains_key(name));
        if let Some(lonely) = file.names().find(lonely) {
            return Err(wrong(&file, lonely, "there are no codes for these scales"));
        }
        Ok(Self { file, coded })
    }
}

fn wrong(file: &SafeTensors, name: &str, what: &str) -> Error {
    Error::new("packed-pair", format!("{}: `{name}`: {what}", file.path().display()))
        .help("quantise the original weights again")
}

fn entry(file: &SafeTensors, name: &str) -> Result<Entry> {
    let [codes, scales] = ["codes", "scales"].map(|part| format!("{name}.{part}"));
    let (code_type, code_dims) = file.describe(&codes).unwrap_or_default();
    let Some((scale_type, scale_dims)) = file.describe(&scales) else {
        return Err(wrong(file, &codes, "there are no scales for these codes"));
    };
    let found = code_dims.last().map(|width| ((code_type, *width), scale_type));
    let Some(form) = FORMS.iter().find(|form| Some((form.codes, form.scales)) == found) else {
        let what =
            "these are neither I8 [.., 32] nor U8 [.., 24] with F16 scales, nor U8 [.., 16] with F16 or U16 scales";
        return Err(wrong(file, &codes, what));
    };
    if code_dims[..code_dims.len() - 1] != *scale_dims || scale_dims.len() < 2 {
        return Err(wrong(file, &codes, "codes and scales differ in shape"));
    }
    let mut dims = scale_dims.to_vec();
    if let Some(groups) = dims.last_mut() {
        *groups *= GROUP;
    }
    Ok(Entry { form, dims, codes, scales })
}

impl TensorFile for PackedFile {
    fn path(&self) -> &Path {
        self.file.path()
    }

    fn names(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        let part = |name: &&str| name.ends_with(".codes") || name.ends_with(".scales");
        Box::new(self.file.names().filter(move |name| !part(name)).chain(self.coded.keys().map(String::as_str)))
    }

    fn describe(&self, name: &str) -> Option<(&str, &[usize])> {
        match self.coded.get(name) {
            Some(Entry { form, dims, .. }) => Some((form.name, dims)),
            None => self.file.describe(name),
        }
    }

    fn piece(&self, name: &str) -> Option<Piece> {
        let Some(Entry { form, dims, codes, scales }) = self.coded.get(name) else {
            return self.file.param(name).map(Piece::from);
        };
        let groups = dims.last()? / GROUP;
        let (owner, codes, scales) = (self.file.owner(), self.file.range(codes)?, self.file.range(scales)?);
        let rows = Rows { owner, codes, scales, groups, format: form.format };
        Some(Coded::new(dims, Arc::new(rows)).into())
    }
}

struct Rows {
    owner: Arc<dyn Owner>,
    codes: Range<usize>,
    scales: Range<usize>,
    groups: usize,
    format: Format,
}

impl CodedRows for Rows {
    fn row(&self, row: usize, out: &mut [f32]) {
        for (group, out) in out.chunks_mut(GROUP).enumerate() {
            let mut codes = [0; GROUP];
            let grid = self.group(row, group, &mut codes);
            let number = |code| self.format.number(grid, code).expect("codes have a format of such");
            out.iter_mut().zip(codes).for_each(|(x, code)| *x = number(code));
        }
    }

    fn format(&self) -> Option<Format> {
        Some(self.format)
    }

    fn group(&self, row: usize, group: usize, codes: &mut [i8; GROUP]) -> u16 {
        let at = row * self.groups + group;
        let bytes = self.owner.bytes();
        let grid = &bytes[self.scales.start + 2 * at..][..2];
        let stored = |width: usize| &bytes[self.codes.start + width * at..][..width];
        match self.format {
            Format::Q8 => codes.iter_mut().zip(stored(GROUP)).for_each(|(code, byte)| *code = byte.cast_signed()),
            Format::Q6 => unpack_six(stored(SIX), codes),
            _ => unpack(stored(GROUP / 2), codes),
        }
        u16::from_le_bytes([grid[0], grid[1]])
    }
}

/// Codes of 4 bits, the first half of a group in the low halves of the bytes.
pub(crate) fn unpack(bytes: &[u8], codes: &mut [i8; GROUP]) {
    let (low, high) = codes.split_at_mut(GROUP / 2);
    for ((low, high), byte) in low.iter_mut().zip(high).zip(bytes) {
        *low = (byte & 15).cast_signed() - 8;
        *high = (byte >> 4).cast_signed() - 8;
    }
}

/// Codes of 6 bits.
fn unpack_six(bytes: &[u8], codes: &mut [i8; GROUP]) {
    let (low, high) = bytes.split_at(GROUP / 2);
    for (input, code) in codes.iter_mut().enumerate() {
        let low = low[input % (GROUP / 2)] >> (input / (GROUP / 2) * 4) & 15;
        let high = high[input % (GROUP / 4)] >> (input / (GROUP / 4) * 2) & 3;
        *code = (high << 4 | low).cast_signed() - 32;
    }
}

/// The reverse of [`unpack_six`].
pub(crate) fn pack_six(codes: &[i8; GROUP]) -> [u8; SIX] {
    let mut bytes = [0; SIX];
    let (low, high) = bytes.split_at_mut(GROUP / 2);
    for (input, code) in codes.iter().enumerate() {
        let code = (code + 32).cast_unsigned();
        low[input % (GROUP / 2)] |= (code & 15) << (input / (GROUP / 2) * 4);
        high[input % (GROUP / 4)] |= code >> 4 << (input / (GROUP / 4) * 2);
    }
    bytes
}

/// The reverse of [`unpack`].
pub(crate) fn pack(codes: &[i8; GROUP]) -> [u8; GROUP / 2] {
    std::array::from_fn(|at| (codes[at] + 8).cast_unsigned() | (codes[at + GROUP / 2] + 8).cast_unsigned() << 4)
}
