//! What one step asks of a machine that holds weights and cache in given formats: what a benchmark divides by its time.

use formwork_ir::Model;
use formwork_ops::{CacheFormat, Mix, State};

use crate::memory::stored;
use crate::params::is_table;
use crate::run::{Run, check, fixed};
use crate::traffic::kept;
use crate::visit::{Census, Use};
use crate::{AnalysisError, AttentionCount, Cost, DType, Questions, exact};

/// FLOPs and bytes of one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// FLOPs of products, attention over the visible pairs only.
    pub flops: u128,
    /// Bytes of weights read: each matrix once, of experts those that the step's tokens can meet, of tables nothing.
    pub weights: u128,
    /// Bytes of the cache read: the visible keys and values of earlier tokens, states whole.
    pub cache: u128,
}

impl Work {
    /// A pass over `q.seq` new tokens of each of `q.batch` sequences after `q.context` earlier ones. Where a pass lets the model
    /// leave results out, the last token's alone are counted.
    ///
    /// # Errors
    /// As [`report`](crate::report).
    pub fn forward(model: &Model, q: &Questions, weights: Mix, cache: CacheFormat) -> Result<Self, AnalysisError> {
        check(q)?;
        Self::of(model, &Run::prompt(model, q), weights, cache)
    }

    /// One new token of each sequence after `max(q.context, q.seq)` earlier ones; `None` for a model that does not generate.
    ///
    /// # Errors
    /// As [`report`](crate::report).
    pub fn decode(
        model: &Model,
        q: &Questions,
        weights: Mix,
        cache: CacheFormat,
    ) -> Result<Option<Self>, AnalysisError> {
        check(q)?;
        Run::decode(model, q).map(|run| Self::of(model, &run, weights, cache)).transpose()
    }

    fn of(model: &Model, run: &Run, weights: Mix, cache: CacheFormat) -> Result<Self, AnalysisError> {
        let census = Census::of(model);
        let masked = Questions { attention: AttentionCount::Masked, ..Questions::default() };
        let mut work = Self::default();
        for used in &census.uses {
            let add = |sum: u128, one: u128| exact::add(&used.path, sum, exact::mul(&used.path, one, used.layers()?)?);
            work.flops = add(work.flops, Cost::of(&census, used, run)?.flops(&masked)?)?;
            if !(used.once && run.step) {
                work.weights = add(work.weights, read(used, run, weights)?)?;
                let recurrent = matches!(used.op.facts.state, Some(State::Recurrent { .. }));
                let format = if recurrent { CacheFormat::F32 } else { cache };
                let kept = kept(used, run, |width| format.row_bytes(width))?;
                work.cache = add(work.cache, exact::mul(&used.path, kept, fixed(&used.turns, &used.path)?)?)?;
            }
        }
        Ok(work)
    }
}

/// Bytes of one layer's weights that a step's tokens meet.
fn read(used: &Use<'_>, run: &Run, mix: Mix) -> Result<u128, AnalysisError> {
    if is_table(used) {
        return Ok(0);
    }
    let dtype = DType::of(mix, used.op.grade);
    let tokens = exact::mul(&used.path, run.batch, run.tokens)?;
    let mut bytes = 0;
    for param in &used.op.facts.params {
        let (numel, active) = (fixed(&param.numel(), param.name)?, fixed(&param.active(), param.name)?);
        let met = exact::mul(param.name, active, tokens)?.min(numel);
        let whole = exact::mul(param.name, stored(param, dtype)?, met)?;
        bytes = exact::add(param.name, bytes, whole / numel.max(1))?;
    }
    exact::mul(&used.path, bytes, fixed(&used.turns, &used.path)?)
}
