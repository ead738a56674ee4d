//! Bytes that move between memory and processor, and the roofline that follows.
//!
//! Each op with a matrix product reads its weights and operands once and writes its results once; work between such ops is
//! taken as fused into them, tables give only the rows that are read, and attention reads the keys and values it may see.
//! Weights, activations and cache are 16-bit. A bound, never a forecast.

use formwork_ops::{Kind, Type};

use crate::memory::stored;
use crate::run::{Run, fixed};
use crate::visit::{Census, Use};
use crate::{AnalysisError, Cost, DType, Machine, Questions, exact, pairs};

const FIGURE: &str = "the bytes moved";
const BYTES: u128 = 2;

/// A bound on one run's time.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    /// FLOPs of the run.
    pub flops: u128,
    /// Bytes moved.
    pub bytes: u128,
    /// FLOPs for each byte.
    pub intensity: f64,
    /// Seconds when traffic and arithmetic of the whole run overlap.
    pub seconds_overlapped: f64,
    /// Seconds when each op waits for the one before it.
    pub seconds_sequential: f64,
    /// Tokens per second, all sequences together, in the first case.
    pub tokens_per_second: f64,
    /// Whether memory is the limit, not arithmetic.
    pub memory_bound: bool,
}

/// The bound of a run on a machine.
pub(crate) fn bound(census: &Census<'_>, run: &Run, q: &Questions) -> Result<Bound, AnalysisError> {
    let (mut flops, mut bytes, mut sequential) = (0, 0, 0.0);
    for used in &census.uses {
        let layers = used.layers()?;
        let work = Cost::of(census, used, run)?.flops(q)?;
        let moved = if used.once && run.step { 0 } else { moved(used, run)? };
        sequential += seconds(&q.machine, work, moved) * exact::real(layers);
        flops = exact::add("the FLOPs", flops, exact::mul(&used.path, work, layers)?)?;
        bytes = exact::add(FIGURE, bytes, exact::mul(&used.path, moved, layers)?)?;
    }
    let overlapped = seconds(&q.machine, flops, bytes);
    let tokens = exact::real(exact::mul("the tokens", run.batch, run.tokens)?);
    let intensity = if bytes == 0 { 0.0 } else { exact::real(flops) / exact::real(bytes) };
    Ok(Bound {
        flops,
        bytes,
        intensity,
        seconds_overlapped: overlapped,
        seconds_sequential: sequential,
        tokens_per_second: if overlapped > 0.0 { tokens / overlapped } else { 0.0 },
        memory_bound: intensity < q.machine.ridge(),
    })
}

/// The fewest sequences whose own work in a step of decoding (arithmetic, cache and activations, whichever takes longer)
/// takes as long as reading the weights: below it, more sequences are nearly free. `None` for a model that does not generate.
pub(crate) fn balance_batch(census: &Census<'_>, q: &Questions) -> Result<Option<u128>, AnalysisError> {
    let bounds = |batch| {
        let q = Questions { batch, ..q.clone() };
        Run::decode(census.model, &q).map(|run| bound(census, &run, &q)).transpose()
    };
    let (Some(one), Some(two)) = (bounds(1)?, bounds(2)?) else { return Ok(None) };
    let own = seconds(&q.machine, two.flops.saturating_sub(one.flops), two.bytes.saturating_sub(one.bytes));
    let weights = exact::mul(FIGURE, one.bytes, 2)?.saturating_sub(two.bytes);
    let reading = exact::real(weights) / q.machine.bandwidth;
    // Float to int saturates, and a ratio of times is far below 2^53.
    Ok((own > 0.0).then(|| (reading / own).ceil().max(1.0) as u128))
}

fn seconds(machine: &Machine, flops: u128, bytes: u128) -> f64 {
    (exact::real(flops) / machine.flops).max(exact::real(bytes) / machine.bandwidth)
}

/// Bytes of one use in one layer. A shared matrix is read again where it is used again.
fn moved(used: &Use<'_>, run: &Run) -> Result<u128, AnalysisError> {
    let facts = &used.op.facts;
    let table = crate::params::is_table(used);
    let mut bytes = 0;
    if !table {
        for param in &facts.params {
            bytes = exact::add(FIGURE, bytes, stored(param, DType::Bf16)?)?;
        }
    }
    if facts.flops.attention.is_some() {
        bytes = exact::add(FIGURE, bytes, attention(used, run)?)?;
    } else if facts.state.is_some() {
        bytes = exact::add(FIGURE, bytes, recurrent(used, run)?)?;
    } else if !facts.flops.matmul.is_zero() || table {
        let operand = if table { None } else { used.operand(0) };
        for ty in operand.into_iter().chain(&facts.outputs) {
            bytes = exact::add(FIGURE, bytes, tensor(ty, run)?)?;
        }
    }
    exact::mul(FIGURE, bytes, fixed(&used.turns, FIGURE)?)
}

/// Operands, results, and a state that is read and written whole.
fn recurrent(used: &Use<'_>, run: &Run) -> Result<u128, AnalysisError> {
    let mut bytes = 0;
    for ty in (0..).map_while(|at| used.operand(at)).chain(&used.op.facts.outputs) {
        bytes = exact::add(FIGURE, bytes, tensor(ty, run)?)?;
    }
    exact::add(FIGURE, bytes, exact::mul(FIGURE, kept(used, run, |width| width)?, 2 * BYTES)?)
}

/// Queries, new keys and values, results, and the cached keys and values that are seen.
fn attention(used: &Use<'_>, run: &Run) -> Result<u128, AnalysisError> {
    let mut bytes = 0;
    for ty in (0..3).filter_map(|at| used.operand(at)).chain(&used.op.facts.outputs) {
        bytes = exact::add(FIGURE, bytes, tensor(ty, run)?)?;
    }
    exact::add(FIGURE, bytes, exact::mul(FIGURE, kept(used, run, |width| width)?, BYTES)?)
}

/// What a use reads of what earlier steps left: attention's visible keys and values, any other state whole. `size` is that of a
/// row of so many numbers.
pub(crate) fn kept(used: &Use<'_>, run: &Run, size: impl Fn(u128) -> u128) -> Result<u128, AnalysisError> {
    let Some(state) = &used.op.facts.state else {
        return Ok(0);
    };
    let mut width = 0;
    for rows in state.rows() {
        let row = exact::mul(FIGURE, run.value(&rows.heads, FIGURE)?, size(run.value(&rows.width, FIGURE)?))?;
        width = exact::add(FIGURE, width, row)?;
    }
    let Some(it) = &used.op.facts.flops.at(run.step).attention else {
        return exact::mul(FIGURE, run.batch, width);
    };
    let (queries, keys) = (run.value(&it.queries, FIGURE)?, run.value(&it.keys, FIGURE)?);
    // Groups of heads keep as many numbers each.
    let groups = pairs::groups(&it.visibility);
    // The first query sees as far back as any; each after it, one key more.
    let later = queries.saturating_sub(1);
    let first = pairs::last(&it.visibility, run, keys.saturating_sub(later))?;
    let seen = exact::add(FIGURE, first, exact::mul(FIGURE, later, groups)?)?.min(exact::mul(FIGURE, keys, groups)?);
    let old = seen.saturating_sub(exact::mul(FIGURE, queries, groups)?);
    exact::mul(FIGURE, exact::mul(FIGURE, run.batch, old)?, width / groups)
}

fn tensor(ty: &Type, run: &Run) -> Result<u128, AnalysisError> {
    if ty.kind != Kind::F32 {
        return Ok(0);
    }
    exact::mul(FIGURE, run.value(&ty.numel(), FIGURE)?, BYTES)
}
