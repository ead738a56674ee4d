//! Bytes that are kept from step to step: keys and values of each sequence, and what is computed once per source.

use std::collections::BTreeMap;

use formwork_ir::{Model, Module, ModuleId, Node, NodeKind, ValueId};
use formwork_ops::{CacheFormat, Kind, RowCount, State};

use crate::run::{Run, fixed};
use crate::visit::{Census, Use};
use crate::{AnalysisError, DType, exact};

/// What a model keeps from step to step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KvCache {
    /// Bytes in each format, for every sequence together.
    pub bytes: Vec<(DType, u128)>,
    /// Numbers kept.
    pub elements: u128,
    /// Of these, what depends on the source alone and is kept once (cross-attention's keys and values).
    pub cross_elements: u128,
    /// Numbers that one more token of one sequence adds, while no window is full.
    pub elements_per_token: u128,
}

/// A number of rows and their width.
type Rows = (u128, u128);

const FIGURE: &str = "the KV cache";

/// The cache once a run's new tokens are in it.
pub(crate) fn cache(census: &Census<'_>, run: &Run) -> Result<KvCache, AnalysisError> {
    let tokens = exact::add(FIGURE, run.tokens, run.past)?;
    let mut rows: Vec<Rows> = Vec::new();
    let mut per_token = 0;
    for used in &census.uses {
        rows.extend(state(used, run, run.batch, tokens)?);
        // What is there before the first token does not grow.
        let grows = numbers(&state(used, run, 1, 1)?)? - numbers(&state(used, run, 1, 0)?)?;
        per_token = exact::add(FIGURE, per_token, grows)?;
    }
    let cross = cross(census.model, run)?;
    rows.extend(&cross);
    let mut bytes = Vec::new();
    for dtype in DType::ALL {
        let all = rows.iter().try_fold(0, |sum, (n, width)| exact::add(FIGURE, sum, stored(dtype, *n, *width)?))?;
        bytes.push((dtype, all));
    }
    Ok(KvCache { bytes, elements: numbers(&rows)?, cross_elements: numbers(&cross)?, elements_per_token: per_token })
}

impl KvCache {
    /// Bytes in a format.
    pub fn bytes_in(&self, dtype: DType) -> u128 {
        self.bytes.iter().find(|(d, _)| *d == dtype).map_or(0, |(_, bytes)| *bytes)
    }
}

/// Bytes of `n` rows of `width` numbers: in the formats of caches as the ops hold them.
fn stored(dtype: DType, n: u128, width: u128) -> Result<u128, AnalysisError> {
    match CacheFormat::named(dtype.name()) {
        Some(format) => exact::mul(FIGURE, n, format.row_bytes(width)),
        None => dtype.bytes(n, width),
    }
}

fn numbers(rows: &[Rows]) -> Result<u128, AnalysisError> {
    rows.iter().try_fold(0, |sum, (n, width)| exact::add(FIGURE, sum, exact::mul(FIGURE, *n, *width)?))
}

/// What a use keeps in all its layers, as numbers of rows and their widths.
fn state(used: &Use<'_>, run: &Run, batch: u128, tokens: u128) -> Result<Vec<Rows>, AnalysisError> {
    let mut out = Vec::new();
    for rows in used.op.facts.state.iter().flat_map(State::rows) {
        let kept = match &rows.count {
            RowCount::Every => tokens,
            RowCount::Last(window) => tokens.min(run.value(window, FIGURE)?),
            RowCount::One => 1,
        };
        let count = exact::mul(FIGURE, exact::mul(FIGURE, batch, kept)?, run.value(&rows.heads, FIGURE)?)?;
        let count = exact::mul(FIGURE, count, exact::mul(FIGURE, used.layers()?, fixed(&used.turns, FIGURE)?)?)?;
        out.push((count, run.value(&rows.width, FIGURE)?));
    }
    Ok(out)
}

/// Values that are computed once and read at every step, as rows and widths.
fn cross(model: &Model, run: &Run) -> Result<Vec<Rows>, AnalysisError> {
    let mut walk = Cross { model, run, reads: BTreeMap::new(), rows: Vec::new() };
    walk.module(model.root, 1)?;
    Ok(walk.rows)
}

struct Cross<'m> {
    model: &'m Model,
    run: &'m Run,
    /// For each module, which of its inputs a step of decoding reads.
    reads: BTreeMap<ModuleId, Vec<bool>>,
    rows: Vec<Rows>,
}

impl Cross<'_> {
    fn module(&mut self, id: ModuleId, layers: u128) -> Result<(), AnalysisError> {
        let model = self.model;
        let module = model.module(id);
        for node in &module.nodes {
            match &node.kind {
                NodeKind::Call(child) => self.module(*child, layers)?,
                NodeKind::Repeat(repeat) => {
                    for (kind, layer) in repeat.kinds.iter().enumerate() {
                        let each = exact::mul(FIGURE, layers, exact::count(repeat.layers_of(kind)))?;
                        self.module(layer.module, each)?;
                    }
                }
                NodeKind::Once(_) => {
                    for value in &node.outputs {
                        if self.is_read(module, *value) {
                            self.keep(module, *value, layers)?;
                        }
                    }
                }
                NodeKind::Op(_) | NodeKind::Together(_) | NodeKind::Probe(..) => {}
            }
        }
        Ok(())
    }

    fn keep(&mut self, module: &Module, value: ValueId, layers: u128) -> Result<(), AnalysisError> {
        let ty = &module.value(value).ty;
        if ty.kind == Kind::F32 {
            let rows = exact::mul(FIGURE, self.run.value(&ty.rows(), FIGURE)?, layers)?;
            self.rows.push((rows, self.run.value(&ty.last(), FIGURE)?));
        }
        Ok(())
    }

    /// Whether a step of decoding reads a value of a module, here or in a part.
    fn is_read(&mut self, module: &Module, value: ValueId) -> bool {
        module.outputs.contains(&value) || module.nodes.iter().any(|node| self.node_reads(node, value))
    }

    fn node_reads(&mut self, node: &Node, value: ValueId) -> bool {
        match &node.kind {
            NodeKind::Op(_) | NodeKind::Together(_) => node.inputs.contains(&value),
            NodeKind::Call(child) => {
                let reads = self.inputs_read(*child);
                node.inputs.iter().zip(reads).any(|(id, read)| read && *id == value)
            }
            NodeKind::Repeat(repeat) => repeat.kinds.iter().any(|layer| {
                let reads = self.inputs_read(layer.module);
                let given = node.inputs.iter().chain(&layer.captures);
                given.zip(reads).any(|(id, read)| read && *id == value)
            }),
            NodeKind::Once(_) | NodeKind::Probe(..) => false,
        }
    }

    fn inputs_read(&mut self, id: ModuleId) -> Vec<bool> {
        if let Some(reads) = self.reads.get(&id) {
            return reads.clone();
        }
        let module = self.model.module(id);
        let reads: Vec<bool> = module.inputs.iter().map(|input| self.is_read(module, *input)).collect();
        self.reads.insert(id, reads.clone());
        reads
    }
}
