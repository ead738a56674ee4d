//! The typed IR as Rust.
//!
//! [`generate`] gives the items once; [`Generated::tokens`] is what a macro expands to, [`Generated::files`] what the CLI writes.
//! Deterministic, without I/O, and the only crate that knows how generated code looks.

mod body;
mod cache;
mod constants;
mod entry;
mod files;
mod flow;
mod format;
mod layout;
mod names;
mod several;
mod structs;

use formwork_ir::Model;
use formwork_ir::plan::Plan;
use proc_macro2::TokenStream;
use quote::quote;

use cache::Caches;
use constants::Constants;
use layout::Layouts;
use structs::{Structs, Types};

pub use files::{CrateOptions, Runtime, crate_name};

/// The items of a generated crate, by file.
#[derive(Debug)]
pub struct Generated {
    /// `config.rs`: every number.
    config: TokenStream,
    /// `layers.rs`: the parts.
    layers: TokenStream,
    /// `model.rs`: the entry point.
    model: TokenStream,
    /// `weights.rs`: names in a checkpoint.
    weights: TokenStream,
    /// The entry point's type.
    entry: String,
    constants: Vec<String>,
    part_names: Vec<String>,
    model_name: String,
    family: String,
    doc: String,
    parameters: u128,
}

/// Generates the code of a model, as planned for the CPU.
pub fn generate(model: &Model) -> Generated {
    generate_plan(&formwork_ir::plan::plan(model))
}

/// Generates the code of a plan.
pub fn generate_plan(plan: &Plan) -> Generated {
    let model = &plan.model;
    let layouts = Layouts::of(model);
    let constants = Constants::new(model);
    let mut structs =
        Structs { model, layouts: &layouts, constants: &constants, types: Types::default(), items: Vec::new() };
    structs.run();
    let Structs { types, items, .. } = structs;
    let caches = Caches { layouts: &layouts, constants: &constants, types: &types };
    let implementation = entry::implementation(model, &caches);
    let (root, parts): (Vec<_>, Vec<_>) = items.into_iter().partition(|i| i.is_root);
    let (root, parts) = (root.iter().map(|i| &i.tokens), parts.iter().map(|i| &i.tokens));
    let layers = quote!(#(#parts)*);
    let model_items = quote!(#(#root)* #implementation);
    let config = constants.items();
    let parameters = formwork_ir::parameter_count(model).unwrap_or(0);
    let count: TokenStream = files::underscored(parameters).parse().unwrap_or_default();
    let count_doc = docs("Parameters of the model, shared ones counted once.");
    Generated {
        config: quote!(#(#config)* #count_doc pub const PARAMETERS: u64 = #count;),
        part_names: public_names(&layers),
        layers,
        model: model_items,
        weights: entry::mapping(model),
        entry: types.name(model.root),
        constants: constants.names().into_iter().chain(["PARAMETERS".to_string()]).collect(),
        model_name: model.name.clone(),
        family: model.family.clone(),
        doc: model.doc.clone(),
        parameters,
    }
}

/// Names of the types that a file declares.
fn public_names(tokens: &TokenStream) -> Vec<String> {
    let Ok(file) = syn::parse2::<syn::File>(tokens.clone()) else { return Vec::new() };
    let names = file.items.iter().filter_map(|item| match item {
        syn::Item::Struct(it) => Some(it.ident.to_string()),
        syn::Item::Enum(it) => Some(it.ident.to_string()),
        _ => None,
    });
    names.collect()
}

/// A doc comment, a line each.
fn docs(text: &str) -> TokenStream {
    let lines = text.lines().map(|line| format!(" {line}"));
    quote!(#(#[doc = #lines])*)
}
