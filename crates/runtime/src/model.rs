//! The trait that a generated crate implements, and loading.

use std::path::Path;

use formwork_ops::Room;
use formwork_ops::kept::Keeps;
use formwork_tensor::{Context, Result, Tensor};

use crate::inputs::Inputs;
use crate::weights::mapping::Mapping;
use crate::weights::{Holding, Weights};

/// What a program needs to know of a model besides its code.
#[derive(Clone, Copy, Debug)]
pub struct Info {
    /// The name of the spec.
    pub name: &'static str,
    /// The task: `causal_lm`, `masked_lm`, ...
    pub task: &'static str,
    /// What `forward` returns: `logits` or `last_hidden_state`.
    pub output: &'static str,
    /// The inputs that `forward` reads: `input_ids`, `decoder_input_ids`, `token_type_ids`, `features`.
    pub inputs: &'static [&'static str],
    /// Whether it continues a sequence token by token.
    pub generates: bool,
    /// Whether several texts may stand in one row, one after the other, so that none is padded.
    pub packs: bool,
    /// The number of ids.
    pub vocab_size: usize,
    /// The largest number of tokens of a sequence, where learned positions or training limit it.
    pub max_positions: Option<usize>,
    /// The number of parameters.
    pub parameters: u64,
    /// Where parameters are found in a checkpoint.
    pub mapping: Mapping,
}

/// A model with its weights.
pub trait Model: Sized {
    /// Facts about it.
    const INFO: Info;
    /// What it keeps from step to step.
    type Cache: Keeps;

    /// The width of the numbers that it reads beside ids, if it does.
    fn features() -> Option<usize> {
        None
    }

    /// Takes the weights. Problems are recorded; [`Weights::finish`] reports them.
    fn load(w: &Weights) -> Self;

    /// A cache for `batch` sequences, each with this room.
    fn cache(batch: usize, room: Room) -> Self::Cache;

    /// One step: the new tokens of every stream to the model's output.
    fn forward(&self, ctx: &Context, inputs: &Inputs, cache: &mut Self::Cache) -> Tensor;
}

/// Loads a model from a folder or a file, with every problem of its weights in one error.
pub fn load<M: Model>(path: impl AsRef<Path>) -> Result<M> {
    load_held(path, Holding::Mapped)
}

/// As [`load`], with the matrices kept as `holding` says.
pub fn load_held<M: Model>(path: impl AsRef<Path>, holding: Holding) -> Result<M> {
    load_from(&Weights::open(path, &M::INFO.mapping)?.hold(holding))
}

/// Loads a model from weights that are open.
pub(crate) fn load_from<M: Model>(weights: &Weights) -> Result<M> {
    let model = M::load(weights);
    weights.finish()?;
    Ok(model)
}
