//! What one use of an op costs: parameters and floating-point operations.

use formwork_ops::{AttentionFlops, Role};

use crate::run::{Run, fixed};
use crate::visit::{Census, Use};
use crate::{AnalysisError, AttentionCount, Questions, exact, pairs};

/// Parameters and FLOPs of some part of a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Parameters with storage of their own.
    pub params: u128,
    /// Elements that are loaded and not trained.
    pub buffers: u128,
    /// Matrix products other than attention's.
    pub linear: u128,
    /// Attention's products over the whole rectangle of queries and keys.
    pub attention: u128,
    /// Attention's products over the visible pairs.
    pub attention_masked: u128,
    /// Additions, multiplications and comparisons outside matrix products.
    pub elementwise: u128,
    /// Exponentials, roots and other special functions.
    pub special: u128,
}

impl Cost {
    /// What a use costs in one layer.
    pub(crate) fn of(census: &Census<'_>, used: &Use<'_>, run: &Run) -> Result<Self, AnalysisError> {
        let figure = &used.figure();
        let mut cost = Self::default();
        for param in census.owned(used, Role::Param) {
            cost.params = exact::add(figure, cost.params, fixed(&param.numel(), figure)?)?;
        }
        for buffer in census.owned(used, Role::Buffer) {
            cost.buffers = exact::add(figure, cost.buffers, fixed(&buffer.numel(), figure)?)?;
        }
        if used.once && run.step {
            return Ok(cost);
        }
        let flops = used.op.facts.flops.at(run.step);
        cost.linear = run.value(&flops.matmul, figure)?;
        cost.elementwise = run.value(&flops.elementwise, figure)?;
        cost.special = run.value(&flops.special, figure)?;
        if let Some(attention) = &flops.attention {
            cost.attend(attention, used, run)?;
        }
        let turns = fixed(&used.turns, figure)?;
        for work in [
            &mut cost.linear,
            &mut cost.attention,
            &mut cost.attention_masked,
            &mut cost.elementwise,
            &mut cost.special,
        ] {
            *work = exact::mul(figure, *work, turns)?;
        }
        Ok(cost)
    }

    /// A step of decoding has the visible keys in its cache and no others, so there both counts are the visible one.
    fn attend(&mut self, it: &AttentionFlops, used: &Use<'_>, run: &Run) -> Result<(), AnalysisError> {
        let figure = &used.figure();
        let (queries, keys) = (run.value(&it.queries, figure)?, run.value(&it.keys, figure)?);
        let per_pair = run.value(&it.per_pair, figure)?;
        let visible = pairs::visible(&it.visibility, run, queries, keys)?;
        let rectangle = exact::mul(figure, exact::mul(figure, queries, keys)?, pairs::groups(&it.visibility))?;
        let dense = if run.step && it.cached { visible } else { rectangle };
        self.attention = exact::mul(figure, per_pair, dense)?;
        self.attention_masked = exact::mul(figure, per_pair, visible)?;
        let softmax = exact::mul(figure, run.value(&it.elementwise_per_pair, figure)?, visible)?;
        self.elementwise = exact::add(figure, self.elementwise, softmax)?;
        Ok(())
    }

    /// Matrix products as the questions count them, with work outside them where it is asked for.
    pub(crate) fn flops(&self, q: &Questions) -> Result<u128, AnalysisError> {
        self.counted(q, q.attention)
    }

    /// The same with attention counted in a given way.
    pub(crate) fn counted(&self, q: &Questions, attention: AttentionCount) -> Result<u128, AnalysisError> {
        let pairs = match attention {
            AttentionCount::Dense => self.attention,
            AttentionCount::Masked => self.attention_masked,
        };
        let products = exact::add("the FLOPs", self.linear, pairs)?;
        if !q.elementwise {
            return Ok(products);
        }
        exact::add("the FLOPs", products, self.outside()?)
    }

    /// Work outside matrix products.
    pub(crate) fn outside(&self) -> Result<u128, AnalysisError> {
        exact::add("the elementwise work", self.elementwise, self.special)
    }

    pub(crate) fn plus(&self, other: &Self, figure: &str) -> Result<Self, AnalysisError> {
        self.zip(other, |a, b| exact::add(figure, a, b))
    }

    pub(crate) fn times(&self, layers: u128, figure: &str) -> Result<Self, AnalysisError> {
        self.zip(self, |a, _| exact::mul(figure, a, layers))
    }

    fn zip(&self, other: &Self, op: impl Fn(u128, u128) -> Result<u128, AnalysisError>) -> Result<Self, AnalysisError> {
        Ok(Self {
            params: op(self.params, other.params)?,
            buffers: op(self.buffers, other.buffers)?,
            linear: op(self.linear, other.linear)?,
            attention: op(self.attention, other.attention)?,
            attention_masked: op(self.attention_masked, other.attention_masked)?,
            elementwise: op(self.elementwise, other.elementwise)?,
            special: op(self.special, other.special)?,
        })
    }
}

/// The sum over every use and layer.
pub(crate) fn total(census: &Census<'_>, run: &Run) -> Result<Cost, AnalysisError> {
    census.uses.iter().try_fold(Cost::default(), |sum, used| {
        let cost = Cost::of(census, used, run)?.times(used.layers()?, &used.path)?;
        sum.plus(&cost, "the model's total")
    })
}
