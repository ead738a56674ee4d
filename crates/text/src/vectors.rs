//! Vectors of texts, and the files that hold them.

use std::io::Write;
use std::path::Path;

use formwork_format::WholeFile;

use crate::error::{Error, Result};

/// What a NumPy file begins with: its name and the version of its header.
const MAGIC: &[u8] = b"\x93NUMPY\x01\x00";

/// The bytes that the numbers of a NumPy file are aligned to.
const ALIGN: usize = 64;

/// A vector for each text, all of one length.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vectors {
    /// Numbers of a vector.
    pub width: usize,
    /// The vectors, one after the other.
    pub data: Vec<f32>,
}

impl Vectors {
    /// The vectors, in the order of the texts.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.data.chunks_exact(self.width.max(1))
    }

    /// Writes them as an array `[texts, width]` of NumPy's format 1.0. The file appears whole or not at all.
    ///
    /// # Errors
    /// `io`.
    pub fn write_npy(&self, path: &Path) -> Result<()> {
        let write = || -> std::io::Result<()> {
            let mut out = WholeFile::create(path)?;
            self.npy(&mut out)?;
            out.publish()
        };
        write().map_err(|error| Error::io(path, &error))
    }

    fn npy(&self, out: &mut impl Write) -> std::io::Result<()> {
        let rows = self.rows().len();
        let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {}), }}", self.width);
        let before = MAGIC.len() + size_of::<u16>();
        let whole = (before + header.len() + 1).next_multiple_of(ALIGN);
        header += &" ".repeat(whole - before - header.len() - 1);
        header.push('\n');
        let length = u16::try_from(header.len()).map_err(|_| std::io::ErrorKind::InvalidInput)?;
        out.write_all(MAGIC)?;
        out.write_all(&length.to_le_bytes())?;
        out.write_all(header.as_bytes())?;
        self.data.iter().try_for_each(|x| out.write_all(&x.to_le_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::Vectors;

    #[test]
    fn an_array_has_its_shape_before_aligned_numbers() {
        let vectors = Vectors { width: 2, data: vec![1.0, -2.0, 0.5, 4.0] };
        let mut bytes = Vec::new();
        vectors.npy(&mut bytes).unwrap();
        assert_eq!(bytes.len(), 128 + 16);
        assert_eq!(&bytes[8..10], &118_u16.to_le_bytes());
        assert!(bytes[10..].starts_with(b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }"));
        assert_eq!(bytes[127], b'\n');
        assert_eq!(bytes[132..136], (-2.0_f32).to_le_bytes());
    }
}
