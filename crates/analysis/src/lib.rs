//! Exact figures of a typed model: parameters, FLOPs, memory and bounds, as numbers and as closed forms.
//!
//! Everything is a pure function of the IR ([`formwork_ir::Model`]); every op's own facts are summed, no family is known.
//! Counts are exact 128-bit integers: an overflow is an error that names the figure. A multiply-add is two FLOPs; attention
//! is counted over the whole rectangle of queries and keys (what torch's `FlopCounterMode` counts) or over the pairs that
//! its mask lets through. Decoding is asked at `max(context, seq) + 1` visible keys: one new token after the longer of both.

mod assertion;
mod cache;
mod cost;
mod diff;
mod dtype;
mod error;
mod exact;
mod explain;
mod figures;
mod formula;
mod json;
mod liveness;
mod machine;
mod memory;
mod names;
mod pairs;
mod params;
mod question;
mod report;
mod roles;
mod run;
mod table;
mod text;
mod traffic;
mod tree;
mod visit;
mod waterfall;
mod work;

pub use assertion::{Assertion, AssertionError, Number, Relation};
pub use cache::KvCache;
pub use cost::Cost;
pub use diff::{Comparison, Difference, diff};
pub use dtype::DType;
pub use error::AnalysisError;
pub use explain::{Step, Waterfall, explain};
pub use figures::Figure;
pub use formula::{Formula, Term};
pub use liveness::Peak;
pub use machine::Machine;
pub use memory::{Memory, working_memory};
pub use params::Params;
pub use question::{AttentionCount, Questions};
pub use report::{Flops, Formulas, Report, report};
pub use traffic::Bound;
pub use tree::Branch;
pub use work::Work;
