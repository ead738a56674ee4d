//! Formwork's three surfaces, each parsed to a tree that knows its places.
//!
//! - [`parse_file`]: `.fw` text to an [`ast::File`]; errors are collected and a tree always comes back;
//! - [`read_toml`], [`read_json`]: a file of values to a [`data::Data`] tree;
//! - [`format_source`]: the one layout of `.fw` text.
//!
//! Nothing here knows an op, a shape or a family.

pub mod ast;
mod build;
pub mod data;
mod depth;
mod format;
mod json;
mod parse;
mod split;
mod toml_file;

pub use format::format_source;
pub use json::read_json;
pub use parse::{MAX_FILE_BYTES, parse_expr, parse_file};
pub use toml_file::read_toml;
