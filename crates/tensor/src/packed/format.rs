//! How numbers are stored.

use crate::param::DType;

use super::PANEL;
use super::group::{self, Codes, Eight, Four, FourZero, Six};

/// How the numbers of a packed matrix are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// As they are, in 32 or 16 bits.
    Float(DType),
    /// 8 bits, and a 16-bit scale for each 32 inputs of an output: 8.5 bits a weight.
    Q8,
    /// 6 bits, and a 16-bit scale for each 32 inputs of an output: 6.5 bits a weight.
    Q6,
    /// 4 bits, and a 16-bit scale for each 32 inputs of an output: 4.5 bits a weight.
    Q4,
    /// 4 bits, and for each 32 inputs of an output a scale of 9 bits and a zero point of 7: 4.5 bits a weight.
    Q4Zero,
}

/// `by_format!(format, C => coded, dtype => float)`: the first expression, where `C` are the [`Codes`] of the format, or the second.
macro_rules! by_format {
    ($format:expr, $codes:ident => $coded:expr, $dtype:pat => $float:expr) => {
        match $format {
            Format::Q8 => {
                type $codes = Eight;
                $coded
            }
            Format::Q6 => {
                type $codes = Six;
                $coded
            }
            Format::Q4 => {
                type $codes = Four;
                $coded
            }
            Format::Q4Zero => {
                type $codes = FourZero;
                $coded
            }
            Format::Float($dtype) => $float,
        }
    };
}

pub(crate) use by_format;

impl Format {
    /// Every format by its name.
    pub const NAMED: [(&'static str, Self); 7] = [
        ("f32", Self::Float(DType::F32)),
        ("bf16", Self::Float(DType::Bf16)),
        ("f16", Self::Float(DType::F16)),
        ("q8", Self::Q8),
        ("q6", Self::Q6),
        ("q4", Self::Q4),
        ("q4z", Self::Q4Zero),
    ];

    /// The format of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMED.iter().find(|(other, _)| *other == name).map(|(_, format)| *format)
    }

    /// Bits of a code; none of floats.
    pub fn code_bits(self) -> Option<usize> {
        by_format!(self, C => Some(C::BITS), _ => None)
    }

    /// The number that a code stands for in a group with such a grid; none of floats, which are no codes.
    pub fn number(self, grid: u16, code: i8) -> Option<f32> {
        by_format!(self, C => Some(C::grid(grid).number(code)), _ => None)
    }

    pub(crate) fn is_coded(self) -> bool {
        self.code_bits().is_some()
    }

    /// Bytes of one panel of `d_in` inputs.
    pub(crate) fn panel_bytes(self, d_in: usize) -> usize {
        by_format!(self, C => group::panel_bytes::<C>(d_in), dtype => PANEL * d_in * dtype.size())
    }
}
