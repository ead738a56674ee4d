//! The typed IR: a family applied to arguments.
//!
//! Takes syntax trees ([`formwork_syntax`]) and the op catalogue ([`formwork_ops`]), gives a [`Model`]: a tree of modules with
//! dataflow, whose every value has a symbolic shape and every size a place in a file. Emits no code and reads no files.

mod builtins;
mod call;
mod data_in;
mod elaborate;
mod eval;
mod family;
mod frame;
mod gguf;
mod hf;
mod kind_names;
mod library;
mod model;
mod numbers;
mod op_call;
mod params;
mod parts;
pub mod pattern;
pub mod plan;
mod print;
mod repeat;
mod require;
mod schema;
mod scope;
mod sizes;
mod tables;
mod tokenizer;
mod types;
mod unclaimed;
mod undefined;
mod value;
mod weights;

pub use family::{Arguments, STANDARD_FAMILY, apply, family_of_config, family_of_instance, import_config};
pub use gguf::GgufMap;
pub use library::Library;
pub use model::{
    Argument, LayerKind, Model, ModelInput, Module, ModuleId, Node, NodeKind, OpNode, PER_LAYER, Repeat, Table, Value,
    ValueId,
};
pub use params::{ParamEntry, join, parameter_count, parameters};
pub use print::print;
pub use schema::json_schema;
pub use tokenizer::Tokenizer;
pub use weights::{Mapping, Source, WeightMap};
