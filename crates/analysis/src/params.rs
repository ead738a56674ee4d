//! Parameter totals.

use formwork_ops::{InputKind, Kind, Param, Poly, Role};

use crate::run::fixed;
use crate::visit::{Census, Use};
use crate::{AnalysisError, exact};

/// A model's parameters. Storage that several paths share counts once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    /// All of them.
    pub total: u128,
    /// Those that one token meets.
    pub active: u128,
    /// Every table whose rows are looked up: tokens, positions, token types, relative positions.
    pub embedding: u128,
    /// The tables that are indexed by the model's tokens.
    pub token_embedding: u128,
    /// Elements that are loaded and not trained.
    pub buffers: u128,
}

/// Sums over every use and layer.
pub(crate) fn params(census: &Census<'_>) -> Result<Params, AnalysisError> {
    Ok(Params {
        total: sum(census, Role::Param, Param::numel, |_| true)?,
        active: sum(census, Role::Param, Param::active, |_| true)?,
        embedding: sum(census, Role::Param, Param::numel, is_table)?,
        token_embedding: sum(census, Role::Param, Param::numel, reads_tokens)?,
        buffers: sum(census, Role::Buffer, Param::numel, |_| true)?,
    })
}

/// Whether an op only looks rows up: it has operands and parameters and does no arithmetic.
pub(crate) fn is_table(used: &Use<'_>) -> bool {
    let flops = &used.op.facts.flops;
    !used.op.facts.params.is_empty()
        && !used.op.op.inputs.is_empty()
        && flops.attention.is_none()
        && [&flops.matmul, &flops.elementwise, &flops.special].iter().all(|p| p.is_zero())
}

/// Whether a table's rows are chosen by the model's tokens.
pub(crate) fn reads_tokens(used: &Use<'_>) -> bool {
    let by_ids = used.op.op.inputs.first().is_some_and(|i| i.kind == InputKind::Ids);
    is_table(used) && by_ids && used.operand(0).is_some_and(|ty| ty.kind == Kind::Tokens)
}

fn sum(
    census: &Census<'_>,
    role: Role,
    size: fn(&Param) -> Poly,
    of: impl Fn(&Use<'_>) -> bool,
) -> Result<u128, AnalysisError> {
    let mut sum = 0;
    for used in census.uses.iter().filter(|u| of(u)) {
        for param in census.owned(used, role) {
            let all = exact::mul(&used.path, fixed(&size(param), &used.path)?, used.layers()?)?;
            sum = exact::add("the parameters", sum, all)?;
        }
    }
    Ok(sum)
}
