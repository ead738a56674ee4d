//! Bytes of weights, and the working memory of a forward pass.

use formwork_ir::Model;
use formwork_ops::{CacheFormat, Param, Role};

use crate::liveness::{Peak, peak};
use crate::run::{Run, check, fixed};
use crate::visit::Census;
use crate::{AnalysisError, DType, Questions, exact};

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

/// Bytes that a pass needs beside the weights: what is kept in a format once its tokens are in, and the largest sum of values
/// alive at once, of which the last token's results are wanted alone.
///
/// # Errors
/// As [`report`](crate::report).
pub fn working_memory(model: &Model, q: &Questions, cache: CacheFormat) -> Result<u128, AnalysisError> {
    check(q)?;
    let run = Run::prompt(model, q);
    let kept = crate::cache::cache(&Census::of(model), &run)?;
    let format = DType::ALL.into_iter().find(|dtype| dtype.name() == cache.name()).unwrap_or(DType::F32);
    exact::add("the working memory", kept.bytes_in(format), peak(model, &run)?.bytes)
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
