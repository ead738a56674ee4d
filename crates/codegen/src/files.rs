//! Generated items as the files of a crate, or as one token stream.

use std::collections::BTreeMap;

use formwork_diag::thousands;
use proc_macro2::TokenStream;
use quote::quote;

use crate::format::{breathe, items};
use crate::names::{ident, words_of};
use crate::{Generated, docs};

/// Names of the runtime that generated code may use.
const RUNTIME: &[&str] = &[
    "Attention",
    "BatchNorm",
    "ChosenMla",
    "BlockLinear",
    "Context",
    "Differential",
    "Distances",
    "Embedding",
    "ExpertActivation",
    "ExpertHeads",
    "ExpertKind",
    "Experts",
    "ExpertsConfig",
    "Fact",
    "FeatureMap",
    "Gate",
    "Gguf",
    "GroupCache",
    "GroupLimit",
    "Ids",
    "Info",
    "Inputs",
    "Keeps",
    "Kept",
    "KvCache",
    "LatentDecoding",
    "LayerNorm",
    "Linear",
    "LogDecay",
    "Mapping",
    "Mask",
    "MergedExpertHeads",
    "Mla",
    "Model",
    "Normed",
    "Once",
    "Parameter",
    "Pattern",
    "RecurrentState",
    "RelativeBias",
    "Renormalise",
    "RgLru",
    "RmsNorm",
    "Room",
    "Rope",
    "RopeConfig",
    "RopeLayout",
    "RopeScaling",
    "RouterScore",
    "Routing",
    "RowCache",
    "Rule",
    "SelectiveScan",
    "ShortConv",
    "SinusoidalLayout",
    "Source",
    "StateSpace",
    "Temperature",
    "TemperatureConfig",
    "Tensor",
    "Tokens",
    "Weights",
    "Wkv",
    "Xielu",
    "ops",
];

/// Where a generated crate finds the runtime.
#[derive(Clone, Debug)]
pub enum Runtime {
    /// A path on this machine.
    Path(String),
    /// A released version.
    Version(String),
}

/// What a crate offers beside its arithmetic.
const FEATURES: &str =
    "[features]\n# Tokenizers, and what is done with whole texts.\ntext = [\"dep:formwork-text\"]\n\n";

/// How a crate names its model with a tokenizer.
const TEXT: &str =
    "\n/// The model with the tokenizer of its checkpoint's folder: text in, text out.\n#[cfg(feature = \"text\")]\n";

/// How a crate is written.
#[derive(Clone, Debug)]
pub struct CrateOptions {
    /// The package's name.
    pub name: String,
    /// The spec it was made from, as its header names it.
    pub spec: String,
    /// Where it finds the runtime.
    pub runtime: Runtime,
    /// Where it finds what is done with texts, for its feature `text`; `None` leaves the feature out.
    pub text: Option<Runtime>,
    /// Whether it is a workspace of its own.
    pub standalone: bool,
    /// Whether Cargo may set package fields from the workspace's.
    pub member: bool,
}

/// A package name from a model's name.
pub fn crate_name(model: &str) -> String {
    crate::names::snake(model).replace('_', "-").trim_end_matches('-').to_string()
}

impl Generated {
    /// Parameters of the model, shared ones counted once.
    pub fn parameters(&self) -> u128 {
        self.parameters
    }

    /// The entry point's type.
    pub fn entry(&self) -> &str {
        &self.entry
    }

    /// Everything as one stream, in modules of their own; `runtime` is the path of the runtime's crate.
    pub fn tokens(&self, runtime: &TokenStream) -> TokenStream {
        let module = |name: &str, doc: &str, body: &TokenStream, uses: TokenStream| {
            let (name, doc) = (ident(name), docs(doc));
            quote! {
                #doc
                pub mod #name {
                    #uses
                    #body
                }
            }
        };
        let config = module("config", "The model's numbers.", &self.config, self.uses(&self.config, runtime, false));
        let weights =
            module("weights", "Names in a checkpoint.", &self.weights, self.uses(&self.weights, runtime, false));
        let layers = module("layers", "The parts of the model.", &self.layers, self.uses(&self.layers, runtime, true));
        let model = module("model", "The model.", &self.model, self.uses(&self.model, runtime, true));
        let layers = if self.layers.is_empty() { quote!() } else { layers };
        quote!(#config #layers #model #weights)
    }

    /// `use` lines for what a body mentions.
    fn uses(&self, body: &TokenStream, runtime: &TokenStream, whole: bool) -> TokenStream {
        let mentioned = words_of(body);
        let pick =
            |names: &[String]| names.iter().filter(|n| mentioned.contains(*n)).map(|n| ident(n)).collect::<Vec<_>>();
        let declared = crate::public_names(body);
        let own: Vec<String> = self.part_names.iter().filter(|n| !declared.contains(n)).cloned().collect();
        let runtime_names: Vec<String> =
            RUNTIME.iter().map(|n| (*n).to_string()).filter(|n| !declared.contains(n)).collect();
        let runtime_names = pick(&runtime_names);
        let mut out = match runtime_names.as_slice() {
            [] => quote!(),
            [one] => quote!(use #runtime::#one;),
            many => quote!(use #runtime::{#(#many),*};),
        };
        if whole {
            let mut constants = self.constants.clone();
            constants.sort();
            for (from, names) in
                [("config", pick(&constants)), ("layers", pick(&own)), ("weights", pick(&["MAPPING".to_string()]))]
            {
                let from = ident(from);
                out = match names.as_slice() {
                    [] => out,
                    [one] => quote!(#out use super::#from::#one;),
                    many => quote!(#out use super::#from::{#(#many),*};),
                };
            }
        }
        out
    }

    /// The crate's files by path, before rustfmt.
    pub fn files(&self, options: &CrateOptions) -> BTreeMap<String, String> {
        let runtime = quote!(formwork_runtime);
        let mut out = BTreeMap::new();
        let file = |title: &str, body: &TokenStream, whole: bool| {
            let uses = self.uses(body, &runtime, whole);
            let uses = items(&uses).replace(";\n\nuse", ";\nuse");
            let separator = if uses.is_empty() { "" } else { "\n" };
            format!("//! {title}\n\n{uses}{separator}{}", breathe(&items(body)))
        };
        out.insert("Cargo.toml".into(), self.manifest(options));
        out.insert("src/config.rs".into(), file(&format!("The numbers of {}.", self.model_name), &self.config, false));
        if !self.layers.is_empty() {
            out.insert("src/layers.rs".into(), file(&format!("The parts of {}.", self.model_name), &self.layers, true));
        }
        out.insert("src/model.rs".into(), file(&format!("{}, whole.", self.model_name), &self.model, true));
        out.insert(
            "src/weights.rs".into(),
            file(&format!("Where the weights of {} are found.", self.model_name), &self.weights, false),
        );
        out.insert("src/lib.rs".into(), self.lib(options));
        out.insert("src/main.rs".into(), self.main(options));
        out
    }

    fn manifest(&self, options: &CrateOptions) -> String {
        let runtime = match &options.runtime {
            Runtime::Path(path) => format!("{{ path = {path:?} }}"),
            Runtime::Version(version) => format!("{version:?}"),
        };
        let text = options.text.as_ref().map(|text| match text {
            Runtime::Path(path) => format!("formwork-text = {{ path = {path:?}, optional = true }}\n"),
            Runtime::Version(version) => format!("formwork-text = {{ version = {version:?}, optional = true }}\n"),
        });
        let features = if text.is_some() { FEATURES } else { "" };
        let text = text.unwrap_or_default();
        let workspace = if options.standalone { "\n[workspace]\n" } else { "" };
        let lints = if options.member { "\n[lints]\nworkspace = true\n" } else { "" };
        format!(
            "[package]\nname = {:?}\nversion = \"0.1.0\"\nedition = \"2024\"\nrust-version = \"1.89\"\ndescription = {:?}\npublish = false\n\n{features}[dependencies]\nformwork-runtime = {runtime}\n{text}{lints}{workspace}",
            options.name,
            format!("{}, compiled by Formwork", self.model_name),
        )
    }

    fn lib(&self, options: &CrateOptions) -> String {
        let mut out = String::new();
        let mut doc = |line: &str| {
            out.push_str(if line.is_empty() { "//!" } else { "//! " });
            out.push_str(line);
            out.push('\n');
        };
        doc(&format!("{}: the `{}` family, {} parameters.", self.model_name, self.family, thousands(self.parameters)));
        doc("");
        for line in self.doc.lines() {
            doc(line);
        }
        doc("");
        doc(&format!("Generated from `{}`; edit the spec and run `formwork compile {}`.", options.spec, options.spec));
        doc("");
        doc("| file | holds |");
        doc("|---|---|");
        doc("| `config.rs` | every number |");
        if !self.layers.is_empty() {
            doc("| `layers.rs` | the parts of the model |");
        }
        doc("| `model.rs` | the model and its entry point |");
        doc("| `weights.rs` | names in a checkpoint |");
        out.push_str("\npub mod config;\n");
        if !self.layers.is_empty() {
            out.push_str("pub mod layers;\n");
        }
        out.push_str("pub mod model;\npub mod weights;\n\n");
        out.push_str(&format!("pub use config::PARAMETERS;\npub use model::{};\n", self.entry));
        if options.text.is_some() {
            out.push_str(&format!("{TEXT}pub type Text = formwork_text::TextModel<{}>;\n", self.entry));
        }
        out
    }

    fn main(&self, options: &CrateOptions) -> String {
        let name = options.name.replace('-', "_");
        format!(
            "//! Runs {} from the command line.\n\nuse std::process::ExitCode;\n\nfn main() -> ExitCode {{\n    formwork_runtime::runner::main::<{name}::{}>()\n}}\n",
            self.model_name, self.entry
        )
    }
}

/// `8_030_261_248`
pub(crate) fn underscored(value: u128) -> String {
    formwork_diag::grouped(value, '_')
}
