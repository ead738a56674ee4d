//! The report: every figure of one model under one set of questions.

use formwork_ir::Model;

use crate::cache::{KvCache, cache};
use crate::cost::total;
use crate::formula::Formula;
use crate::memory::Memory;
use crate::params::{Params, params};
use crate::run::{Run, check};
use crate::traffic::{Bound, balance_batch, bound};
use crate::tree::{Branch, tree};
use crate::visit::Census;
use crate::{AnalysisError, AttentionCount, Cost, Questions, exact, formula};

/// Floating-point operations. A multiply-add is two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flops {
    /// Everything of a forward pass, by kind.
    pub parts: Cost,
    /// A forward pass with attention over the whole rectangle.
    pub forward: u128,
    /// A forward pass with attention over the visible pairs.
    pub forward_masked: u128,
    /// One new token for each sequence; `None` for a model that does not generate.
    pub decode: Option<u128>,
    /// Earlier tokens that such a token sees, itself included.
    pub decode_keys: u128,
    /// A forward and a backward pass, attention unfused: three times the products.
    pub train_step: u128,
    /// The same where attention's backward pass recomputes the scores: 3.5 times its products.
    pub train_step_fused_attention: u128,
}

/// Closed forms and their values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Formulas {
    /// The parameters.
    pub params: Formula,
    /// The FLOPs of a forward pass without a cache, attention over the whole rectangle, products only.
    pub flops: Formula,
    /// What the second gives in this run.
    pub flops_value: u128,
    /// Every name with its value.
    pub symbols: Vec<(String, u128)>,
}

/// Every figure of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The instance's name.
    pub name: String,
    /// The family's name.
    pub family: String,
    /// The entry point.
    pub task: String,
    /// What was asked.
    pub questions: Questions,
    /// Parameter totals.
    pub params: Params,
    /// The module tree of a forward pass.
    pub tree: Branch,
    /// FLOPs.
    pub flops: Flops,
    /// Weights and working memory.
    pub memory: Memory,
    /// What is kept from step to step, once the new tokens are in.
    pub kv_cache: KvCache,
    /// The bound of a forward pass on the machine.
    pub forward: Bound,
    /// The bound of a step of decoding.
    pub decode: Option<Bound>,
    /// The fewest sequences whose own work in a step of decoding takes as long as reading the weights.
    pub balance_batch: Option<u128>,
    /// Closed forms.
    pub formulas: Formulas,
}

/// Answers every question about a model.
///
/// # Errors
/// When a count leaves 128 bits, or a question makes no sense.
pub fn report(model: &Model, questions: &Questions) -> Result<Report, AnalysisError> {
    check(questions)?;
    let census = Census::of(model);
    let forward = Run::forward(model, questions);
    let decode = Run::decode(model, questions);
    Ok(Report {
        name: model.name.clone(),
        family: model.family.clone(),
        task: model.task.clone(),
        params: params(&census)?,
        tree: tree(&census, &forward)?,
        flops: flops(&census, &forward, decode.as_ref(), questions)?,
        memory: Memory::of(&census, &forward)?,
        kv_cache: cache(&census, &forward)?,
        forward: bound(&census, &forward, questions)?,
        decode: decode.as_ref().map(|run| bound(&census, run, questions)).transpose()?,
        balance_batch: balance_batch(&census, questions)?,
        formulas: formulas(&census, questions)?,
        questions: questions.clone(),
    })
}

fn flops(census: &Census<'_>, forward: &Run, decode: Option<&Run>, q: &Questions) -> Result<Flops, AnalysisError> {
    let parts = total(census, forward)?;
    let attention = match q.attention {
        AttentionCount::Dense => parts.attention,
        AttentionCount::Masked => parts.attention_masked,
    };
    let what = "a training step's FLOPs";
    let linear = exact::mul(what, parts.linear, 3)?;
    Ok(Flops {
        forward: parts.counted(q, AttentionCount::Dense)?,
        forward_masked: parts.counted(q, AttentionCount::Masked)?,
        decode: decode.map(|run| total(census, run)?.flops(q)).transpose()?,
        decode_keys: decode.map_or(0, |run| run.past + run.tokens),
        train_step: exact::add(what, linear, exact::mul(what, attention, 3)?)?,
        train_step_fused_attention: exact::add(what, linear, exact::mul(what, attention, 7)? / 2)?,
        parts,
    })
}

fn formulas(census: &Census<'_>, q: &Questions) -> Result<Formulas, AnalysisError> {
    let run = Run::forward(census.model, &Questions { context: 0, ..q.clone() });
    let (params, flops) = (formula::params(census), formula::flops(census));
    let mut symbols = params.symbols(&run);
    symbols.extend(flops.symbols(&run).into_iter().filter(|s| !params.symbols(&run).contains(s)));
    Ok(Formulas { flops_value: flops.eval(&run)?, params, flops, symbols })
}
