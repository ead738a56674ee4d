//! The tensors of a GGUF file: where they lie, and whether they may lie there.

use std::collections::BTreeMap;
use std::ops::Range;

use formwork_format::gguf::{Header, Tensor};
use formwork_tensor::{Error, Result};

use super::blocks::Kind;

/// A tensor whose bytes are known to be in the file.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// How its numbers are stored; the type's number where it is not read.
    pub(crate) kind: std::result::Result<Kind, u32>,
    /// Outermost axis first, as in a checkpoint.
    pub(crate) dims: Vec<usize>,
    /// Where its bytes stand in the file; empty for a type that is not read.
    pub(crate) bytes: Range<usize>,
}

/// Tensors by name. They lie in the file, which has `len` bytes, aligned, and share no byte.
pub(crate) fn place(header: &Header, len: usize) -> Result<BTreeMap<String, Entry>> {
    let mut tensors = BTreeMap::new();
    let mut ranges = Vec::new();
    for tensor in &header.tensors {
        let (name, entry) = (&tensor.name, entry(tensor, header)?);
        if entry.bytes.end > len {
            let message = format!("`{name}` ends at byte {}, the file has {len}", entry.bytes.end);
            return Err(Error::new("truncated-gguf", message).help("download it again"));
        }
        ranges.push((entry.bytes.start, entry.bytes.end, name));
        tensors.insert(name.clone(), entry);
    }
    ranges.retain(|(start, end, _)| start < end);
    ranges.sort_unstable();
    match ranges.windows(2).find(|pair| pair[1].0 < pair[0].1).map(|pair| &pair[1]) {
        Some((_, _, name)) => Err(Error::new("overlapping-tensors", format!("`{name}` overlaps its neighbour"))),
        None => Ok(tensors),
    }
}

fn entry(tensor: &Tensor, header: &Header) -> Result<Entry> {
    let Tensor { name, kind, dims, offset } = tensor;
    let kind = Kind::of(*kind).ok_or(*kind);
    let count = dims.iter().try_fold(1_usize, |product, dim| product.checked_mul(*dim)).unwrap_or(0);
    let size = match kind {
        Ok(kind) => kind.size(count, dims.last().copied().unwrap_or(1)),
        Err(_) => Some(0),
    };
    let Some(size) = size.filter(|_| count > 0) else {
        let message = format!("`{name}`: a tensor of its type cannot have the shape {dims:?}");
        return Err(Error::new("tensor-shape", message));
    };
    let start = usize::try_from(*offset).ok().and_then(|offset| header.base.checked_add(offset));
    let range = start.and_then(|start| Some(start..start.checked_add(size)?));
    let Some(bytes) = range.filter(|_| offset % header.alignment as u64 == 0) else {
        let message =
            format!("`{name}`: its offset {offset} is no multiple of {}, or beyond any file", header.alignment);
        return Err(Error::new("bad-gguf", message));
    };
    Ok(Entry { kind, dims: dims.clone(), bytes })
}
