//! What a program needs to know of a model: the trait that the runtime runs, and the weights' names.

use formwork_ir::{GgufMap, Mapping, Model, Source};
use formwork_ops::Kind;
use proc_macro2::{Literal, TokenStream};
use quote::quote;

use crate::cache::Caches;
use crate::constants::f32_literal;
use crate::docs;
use crate::names::ident;

/// `impl Model for ..`
pub(crate) fn implementation(model: &Model, caches: &Caches<'_>) -> TokenStream {
    let ty = ident(&caches.types.name(model.root));
    let (name, task) = (&model.name, &model.task);
    let cache = caches.ty(model.root);
    let new_cache = if caches.layouts.is_stateful(model.root) { caches.fresh(model.root) } else { TokenStream::new() };
    let output = if is_logits(model) { "logits" } else { "last_hidden_state" };
    let mut inputs: Vec<&str> = model.inputs.iter().map(|i| i.external).collect();
    inputs.dedup();
    let generates = model.generates() && output == "logits";
    let packs = model.packs();
    let vocabulary = vocabulary(model).map_or(quote!(0), |p| caches.constants.size(&p));
    let positions = max_positions(model).map_or(quote!(None), |p| {
        let size = caches.constants.size(&p);
        quote!(Some(#size))
    });
    let arguments = model.inputs.iter().map(|i| {
        let external = i.external;
        match i.kind {
            Kind::Tokens => quote!(inputs.tokens(#external)),
            Kind::Ids => quote!(inputs.ids(#external)),
            Kind::F32 | Kind::Normed => quote!(inputs.features(#external)),
        }
    });
    let features = features(model, caches);
    let stateful = caches.layouts.is_stateful(model.root);
    let (batch, room) = crate::cache::sizes(&new_cache);
    let slot = if stateful { quote!(, cache) } else { quote!() };
    let kept = if stateful { quote!(cache) } else { quote!(_cache) };
    quote! {
        impl Model for #ty {
            const INFO: Info = Info {
                name: #name,
                task: #task,
                output: #output,
                inputs: &[#(#inputs),*],
                generates: #generates,
                packs: #packs,
                vocab_size: #vocabulary,
                max_positions: #positions,
                parameters: PARAMETERS,
                mapping: MAPPING,
            };
            type Cache = #cache;

            #features

            fn load(w: &Weights) -> Self {
                Self::load(w)
            }

            fn cache(#batch: usize, #room: Room) -> Self::Cache {
                #new_cache
            }

            fn forward(&self, ctx: &Context, inputs: &Inputs, #kept: &mut Self::Cache) -> Tensor {
                self.forward(ctx, #(#arguments),* #slot)
            }
        }
    }
}

/// The width of the numbers that the model reads, where it does.
fn features(model: &Model, caches: &Caches<'_>) -> TokenStream {
    let root = model.root();
    let numbers = model.inputs.iter().zip(&root.inputs).find(|(input, _)| input.kind == Kind::F32);
    numbers.map_or_else(TokenStream::new, |(_, id)| {
        let width = caches.constants.size(&root.value(*id).ty.last());
        quote! {
            fn features() -> Option<usize> {
                Some(#width)
            }
        }
    })
}

/// Whether the result ranges over the vocabulary.
fn is_logits(model: &Model) -> bool {
    let root = model.root();
    let last = root.outputs.first().map(|id| root.value(*id).ty.last());
    match (last, vocabulary(model)) {
        (Some(last), Some(vocabulary)) => last.same(&vocabulary),
        _ => false,
    }
}

/// The rows of the first table that the first stream indexes.
fn vocabulary(model: &Model) -> Option<formwork_ops::Poly> {
    model.first_table(Kind::Tokens).map(|(rows, _)| rows)
}

/// The rows of the first table that positions index, else the family's `max_seq_len`.
fn max_positions(model: &Model) -> Option<formwork_ops::Poly> {
    let declared = model.arguments.iter().find(|a| a.name == "max_seq_len");
    let declared =
        declared.and_then(|a| if let formwork_ops::AttrValue::Int(p) = &a.value { Some(p.clone()) } else { None });
    declared.or_else(|| model.first_table(Kind::Ids).map(|(rows, _)| rows))
}

/// The constant that says where parameters are found in a checkpoint.
pub(crate) fn mapping(model: &Model) -> TokenStream {
    let map = &model.weights;
    let (prefixes, ignore) = (&map.prefixes, map.ignore.iter().map(|p| glob(p)));
    let rules = map.rules.iter().map(rule);
    let doc = docs("Where parameters are found in a checkpoint.");
    let (gguf, table) = match &model.gguf {
        Some(map) => (quote!(Some(&GGUF)), gguf(map)),
        None => (quote!(None), TokenStream::new()),
    };
    quote! {
        #doc
        pub const MAPPING: Mapping = Mapping {
            prefixes: &[#(#prefixes),*],
            rules: &[#(#rules),*],
            ignore: &[#(#ignore),*],
            gguf: #gguf,
        };
        #table
    }
}

/// The constant that says the same for GGUF files.
fn gguf(map: &GgufMap) -> TokenStream {
    let doc = docs("The same for GGUF files.");
    let architectures = map.architectures.iter().map(|(name, own)| {
        let own = own.iter().map(rule);
        quote!((#name, &[#(#own),*]))
    });
    let (rules, ignore) = (map.rules.iter().map(rule), map.ignore.iter().map(|p| glob(p)));
    let facts = map.facts.iter().map(|(key, value)| {
        let value = Literal::f64_unsuffixed(*value);
        quote!(Fact { key: #key, value: #value })
    });
    quote! {
        #doc
        const GGUF: Gguf = Gguf {
            architectures: &[#(#architectures),*],
            rules: &[#(#rules),*],
            ignore: &[#(#ignore),*],
            facts: &[#(#facts),*],
        };
    }
}

/// The runtime's patterns of ignored tensors are globs.
fn glob(pattern: &str) -> String {
    let mut out = String::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        out.push('*');
        rest = after.split_once('}').map_or("", |(_, tail)| tail);
    }
    out.push_str(rest);
    out
}

fn rule(rule: &Mapping) -> TokenStream {
    let (target, source) = (&rule.target, source(&rule.source));
    quote!(Rule { target: #target, source: #source })
}

fn source(it: &Source) -> TokenStream {
    let size = |n: &usize| {
        let literal = Literal::usize_unsuffixed(*n);
        quote!(#literal)
    };
    match it {
        Source::Name(name) => quote!(Source::Name(#name)),
        Source::Transpose(inner) => {
            let inner = source(inner);
            quote!(Source::Transpose(&#inner))
        }
        Source::Rows(inner, start, len) => {
            let (inner, start, len) = (source(inner), size(start), size(len));
            quote!(Source::Rows { source: &#inner, start: #start, len: #len })
        }
        Source::Columns(inner, start, len) => {
            let (inner, start, len) = (source(inner), size(start), size(len));
            quote!(Source::Columns { source: &#inner, start: #start, len: #len })
        }
        Source::Concat(items) => {
            let items = items.iter().map(source);
            quote!(Source::Concat(&[#(#items),*]))
        }
        Source::Stack(inner, var, count) => {
            let (inner, count) = (source(inner), size(count));
            quote!(Source::Stack { source: &#inner, var: #var, count: #count })
        }
        Source::Reshape(inner, shape) => {
            let (inner, shape) = (source(inner), shape.iter().map(size));
            quote!(Source::Reshape(&#inner, &[#(#shape),*]))
        }
        Source::PermuteRope(inner, heads) => {
            let (inner, heads) = (source(inner), size(heads));
            quote!(Source::PermuteRope { source: &#inner, heads: #heads })
        }
        Source::Add(inner, value) => {
            let (inner, value) = (source(inner), f32_literal(*value));
            quote!(Source::Add(&#inner, #value))
        }
        Source::NegExp(inner) => {
            let inner = source(inner);
            quote!(Source::NegExp(&#inner))
        }
        Source::Zeros(shape) => {
            let shape = shape.iter().map(size);
            quote!(Source::Zeros(&[#(#shape),*]))
        }
        Source::Sinusoids(rows, d) => {
            let (rows, d) = (size(rows), size(d));
            quote!(Source::Sinusoids { rows: #rows, d: #d })
        }
        Source::FirstOf(items) => {
            let items = items.iter().map(source);
            quote!(Source::FirstOf(&[#(#items),*]))
        }
    }
}
