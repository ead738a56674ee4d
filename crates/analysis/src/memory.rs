//! Bytes of weights, and the working memory of a forward pass.

use formwork_ops::{Param, Role};

use crate::liveness::{Peak, peak};
use crate::run::{Run, fixed};
use crate::visit::Census;
use crate::{AnalysisError, DType, exact};

/// Bytes that a model takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Memory {
    /// Weights, buffers included, in each format. Matrices are quantised; vectors stay in f32 beside quantised matrices.
    pub weights: Vec<(DType, u128)>,
    /// The largest sum of f32 values alive at once in a forward pass.
    pub activations: Peak,
}

impl Memory {
    pub(crate) fn of(census: &Census<'_>, run: &Run) -> Result<Self, AnalysisError> {
        let weights =
            DType::ALL.iter().map(|d| Ok((*d, weights(census, *d)?))).collect::<Result<_, AnalysisError>>()?;
        Ok(Self { weights, activations: peak(census.model, run)? })
    }

    /// Bytes of the weights in a format.
    pub fn weights_in(&self, dtype: DType) -> u128 {
        self.weights.iter().find(|(d, _)| *d == dtype).map_or(0, |(_, bytes)| *bytes)
    }
}

fn weights(census: &Census<'_>, dtype: DType) -> Result<u128, AnalysisError> {
    let mut sum = 0;
    for used in &census.uses {
        for role in [Role::Param, Role::Buffer] {
            for param in census.owned(used, role) {
                let bytes = exact::mul(&used.path, stored(param, dtype)?, used.layers()?)?;
                sum = exact::add("the weights", sum, bytes)?;
            }
        }
    }
    Ok(sum)
}

/// Bytes of one tensor.
pub(crate) fn stored(param: &Param, dtype: DType) -> Result<u128, AnalysisError> {
    let numel = fixed(&param.numel(), param.name)?;
    match param.shape.last() {
        Some(width) if param.shape.len() > 1 && numel > 0 => {
            let width = fixed(width, param.name)?.max(1);
            dtype.bytes(numel / width, width)
        }
        _ => dtype.precise().bytes(1, numel),
    }
}
