//! The plan IR: the model as one target runs it. Passes rewrite dataflow; no pass renames a module or changes a result beyond rounding.

mod fuse_gated_activation;
mod join_products;
mod last_logits;

use crate::model::Model;

/// A model ready for code generation, and what the passes did to it.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The rewritten model.
    pub model: Model,
    /// What changed, in order.
    pub changes: Vec<Change>,
}

/// One rewrite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The pass.
    pub pass: &'static str,
    /// The block it changed.
    pub module: String,
    /// What stood there.
    pub before: String,
    /// What stands there now.
    pub after: String,
}

/// Every pass, in order.
const PASSES: &[fn(&mut Model) -> Vec<Change>] = &[fuse_gated_activation::run, last_logits::run, join_products::run];

/// Plans a model for the CPU.
pub fn plan(model: &Model) -> Plan {
    let mut model = model.clone();
    let changes = PASSES.iter().flat_map(|pass| pass(&mut model)).collect();
    Plan { model, changes }
}
