//! Modules as structs: fields, loading and the forward pass. Like modules share a struct.

use std::collections::{BTreeMap, BTreeSet};

use formwork_ir::{Model, Module, ModuleId, NodeKind, Repeat, Table};
use formwork_ops::{Kind, Type};
use proc_macro2::TokenStream;
use quote::quote;

use crate::body::{BodyWriter, union_of_captures};
use crate::cache::Caches;
use crate::constants::Constants;
use crate::docs;
use crate::layout::{Field, FieldKind, Layouts};
use crate::names::{camel, ident, snake, words_of};

/// The type name of every module.
#[derive(Debug, Default)]
pub(crate) struct Types {
    names: BTreeMap<ModuleId, String>,
    taken: BTreeMap<String, String>,
    enums: BTreeMap<Vec<ModuleId>, String>,
    /// The layers of loops.
    kinds: BTreeSet<ModuleId>,
    /// The first kind of the loop that a layer belongs to.
    first_kinds: BTreeMap<ModuleId, ModuleId>,
    /// Layers that keep what the first kind of their loop keeps, and so share its cache's type.
    caches_as: BTreeMap<ModuleId, ModuleId>,
}

impl Types {
    pub(crate) fn name(&self, id: ModuleId) -> String {
        self.names.get(&id).cloned().unwrap_or_default()
    }

    pub(crate) fn cache_name(&self, id: ModuleId) -> String {
        format!("{}Cache", self.name(self.caches_as.get(&id).copied().unwrap_or(id)))
    }

    /// Whether a layer's cache has the type of another kind's.
    pub(crate) fn borrows_cache(&self, id: ModuleId) -> bool {
        self.caches_as.contains_key(&id)
    }

    /// The enum of a loop's layers, if they are of several kinds.
    pub(crate) fn layers_name(&self, kinds: &[ModuleId]) -> Option<&String> {
        self.enums.get(kinds)
    }

    /// Layers of several kinds in order, as an array of kind numbers.
    pub(crate) fn schedule(&self, schedule: &[usize]) -> TokenStream {
        let kinds = schedule.iter().map(|k| crate::body::integer(*k as u128));
        quote!([#(#kinds),*])
    }

    /// Gives a module a name; `text` is its code without names, so that like modules share one. False: it is already printed.
    fn give(&mut self, id: ModuleId, candidates: &[String], text: &str) -> bool {
        for name in candidates {
            match self.taken.get(name) {
                Some(same) if same == text => {
                    self.names.insert(id, name.clone());
                    return false;
                }
                Some(_) => {}
                None => {
                    self.taken.insert(name.clone(), text.to_string());
                    self.names.insert(id, name.clone());
                    return true;
                }
            }
        }
        true
    }
}

/// A printed struct.
pub(crate) struct Item {
    /// Whether it is the entry point's own.
    pub(crate) is_root: bool,
    pub(crate) tokens: TokenStream,
}

/// Prints every struct that the model needs, parts before wholes.
pub(crate) struct Structs<'a> {
    pub(crate) model: &'a Model,
    pub(crate) layouts: &'a Layouts,
    pub(crate) constants: &'a Constants<'a>,
    pub(crate) types: Types,
    pub(crate) items: Vec<Item>,
}

impl Structs<'_> {
    pub(crate) fn run(&mut self) {
        self.visit(self.model.root, &[]);
    }

    fn visit(&mut self, id: ModuleId, ancestors: &[String]) {
        if self.types.names.contains_key(&id) {
            return;
        }
        let module = self.model.module(id);
        let layouts = self.layouts;
        let is_root = id == self.model.root;
        let mut below = ancestors.to_vec();
        below.extend((!is_root).then(|| self.surname(id)));
        for field in &layouts.get(id).fields {
            match &field.kind {
                FieldKind::Module { module: child, .. } => self.visit(*child, &below),
                FieldKind::Layers { kinds, .. } => {
                    self.types.kinds.extend(kinds);
                    for kind in kinds {
                        self.types.first_kinds.extend((*kind != kinds[0]).then_some((*kind, kinds[0])));
                        self.visit(*kind, &below);
                    }
                    self.layer_enum(id, kinds);
                }
                FieldKind::Layer { .. } | FieldKind::Helper { .. } => {}
            }
        }
        let name = if is_root { &self.model.task } else { &module.name };
        let mut candidates = vec![camel(name)];
        candidates.extend(ancestors.iter().map(|a| camel(&format!("{a}_{name}"))));
        candidates.extend((2..100).map(|n| format!("{}{n}", camel(name))));
        self.types.names.insert(id, "__Self".into());
        let text = self.print(id, false).to_string();
        if self.types.give(id, &candidates, &text) {
            if let Some(first) = self.types.first_kinds.get(&id).copied().filter(|first| self.caches().same(*first, id))
            {
                self.types.caches_as.insert(id, first);
            }
            let tokens = self.print(id, true);
            self.items.push(Item { is_root, tokens });
        }
    }

    /// What the parts of a module are called after it where two have one name: `windowed` for those of a `windowed_layer`.
    fn surname(&self, id: ModuleId) -> String {
        let name = &self.model.module(id).name;
        let traits = name.rsplit_once('_').filter(|_| self.types.kinds.contains(&id));
        traits.map_or(name.as_str(), |(traits, _)| traits).to_string()
    }

    fn caches(&self) -> Caches<'_> {
        Caches { layouts: self.layouts, constants: self.constants, types: &self.types }
    }

    fn print(&self, id: ModuleId, with_shapes: bool) -> TokenStream {
        let module = self.model.module(id);
        let layout = self.layouts.get(id);
        let name = ident(&self.types.name(id));
        let doc = docs(&self.doc(module));
        let fields = layout.fields.iter().map(|f| {
            let (field, ty) = (ident(&f.name), self.field_ty(f));
            quote!(#field: #ty)
        });
        let numbers: Vec<_> = layout.numbers.iter().map(|n| ident(&snake(n))).collect();
        let fields = fields.chain(numbers.iter().map(|n| quote!(#n: f32)));
        let given: Vec<_> = layout.all_numbers.iter().map(|n| ident(&snake(n))).collect();
        let loads = layout.fields.iter().map(|f| self.load(f)).chain(numbers.iter().map(|n| quote!(#n)));
        let loads: Vec<TokenStream> = loads.collect();
        let w = if layout.fields.iter().all(|f| matches!(f.kind, FieldKind::Helper { .. })) {
            quote!(_w)
        } else {
            quote!(w)
        };
        let load_doc = docs("Takes its weights; what is missing or misshapen is reported by `Weights::finish`.");
        let forward = self.forward(id, with_shapes);
        let cache = self.caches().item(id);
        quote! {
            #doc
            pub struct #name { #(#fields),* }

            impl #name {
                #load_doc
                pub fn load(#w: &Weights #(, #given: f32)*) -> Self {
                    Self { #(#loads),* }
                }

                #forward
            }

            #cache
        }
    }

    fn doc(&self, module: &Module) -> String {
        if !module.doc.is_empty() {
            return module.doc.clone();
        }
        if std::ptr::eq(module, self.model.root()) && !self.model.doc.is_empty() {
            return self.model.doc.clone();
        }
        if module.path.is_empty() { "One layer.".to_string() } else { format!("`{}`.", module.path) }
    }

    fn field_ty(&self, field: &Field) -> TokenStream {
        match &field.kind {
            FieldKind::Layer { ty, .. } | FieldKind::Helper { ty, .. } => {
                let ty = ident(ty);
                quote!(#ty)
            }
            FieldKind::Module { module, .. } => {
                let ty = ident(&self.types.name(*module));
                quote!(#ty)
            }
            FieldKind::Layers { kinds, .. } => {
                let ty = ident(&self.layers_ty(kinds));
                quote!(Vec<#ty>)
            }
        }
    }

    fn layers_ty(&self, kinds: &[ModuleId]) -> String {
        match self.distinct(kinds).as_slice() {
            [only] => self.types.name(*only),
            _ => self.types.enums.get(kinds).cloned().unwrap_or_default(),
        }
    }

    /// The kinds with a struct of their own.
    fn distinct(&self, kinds: &[ModuleId]) -> Vec<ModuleId> {
        let mut out: Vec<ModuleId> = Vec::new();
        for kind in kinds {
            if !out.iter().any(|o| self.types.name(*o) == self.types.name(*kind)) {
                out.push(*kind);
            }
        }
        out
    }

    fn load(&self, field: &Field) -> TokenStream {
        let name = ident(&field.name);
        match &field.kind {
            FieldKind::Layer { load, args, path, grade, .. } => {
                let grade = grade.name().map(ident).map(|grade| quote!(.#grade()));
                let load = ident(load);
                let args = args.iter().map(|a| self.constants.lit_in_load(a, "n"));
                quote!(#name: w #grade.#load(#path #(, #args)*))
            }
            FieldKind::Helper { ty, config } => {
                let (ty, config) = (ident(ty), self.constants.lit_in_load(config, "config"));
                quote!(#name: #ty::new(#config))
            }
            FieldKind::Module { module, path } => {
                let ty = ident(&self.types.name(*module));
                let numbers = self.layouts.get(*module).all_numbers.iter().map(|n| ident(&snake(n)));
                quote!(#name: #ty::load(&w.at(#path) #(, #numbers)*))
            }
            FieldKind::Layers { kinds, schedule, count, path, index, tables } => {
                let path = path.replace(&format!("{{{index}}}"), "{i}");
                let at = quote!(&w.at(&format!(#path)));
                if let [only] = self.distinct(kinds).as_slice() {
                    let numbers = self.numbers(*only, tables, count);
                    let (ty, count) = (ident(&self.types.name(*only)), self.constants.size(count));
                    return quote!(#name: (0..#count).map(|i| #ty::load(#at #(, #numbers)*)).collect());
                }
                let schedule = self.types.schedule(schedule);
                let ty = ident(&self.layers_ty(kinds));
                let arms = kinds.iter().enumerate().map(|(k, kind)| {
                    let inner = ident(&self.types.name(*kind));
                    let pattern = if k + 1 == kinds.len() { quote!(_) } else { crate::body::integer(k as u128) };
                    let numbers = self.numbers(*kind, tables, count);
                    quote!(#pattern => #ty::#inner(#inner::load(#at #(, #numbers)*)))
                });
                quote!(#name: #schedule.into_iter().enumerate().map(|(i, kind)| match kind { #(#arms),* }).collect())
            }
        }
    }

    /// A layer's own numbers: from the loop's tables, else from the layer around the loop.
    fn numbers(&self, kind: ModuleId, tables: &[Table], count: &formwork_ops::Poly) -> Vec<TokenStream> {
        let number = |name: &String| match tables.iter().find(|t| t.name == *name) {
            Some(table) => {
                let table = self.constants.table(table, count);
                quote!(#table[i])
            }
            None => {
                let name = ident(&snake(name));
                quote!(#name)
            }
        };
        self.layouts.get(kind).all_numbers.iter().map(number).collect()
    }

    fn forward(&self, id: ModuleId, with_shapes: bool) -> TokenStream {
        let module = self.model.module(id);
        let names = BodyWriter::parameter_names(module);
        let parameters = module.inputs.iter().zip(&names).map(|(value, name)| {
            let (name, ty) = (ident(name), parameter_ty(&module.value(*value).ty));
            quote!(#name: #ty)
        });
        let stateful = self.layouts.is_stateful(id);
        let cache = stateful.then(|| self.caches().parameter(id)).map(|ty| quote!(, cache: #ty));
        let result = results(module);
        let doc = if with_shapes { docs(&self.shapes(module)) } else { TokenStream::new() };
        let body = BodyWriter::new(self.model, self.layouts, self.constants, id).write();
        let ctx = if words_of(&body).contains("ctx") { quote!(ctx) } else { quote!(_ctx) };
        quote! {
            #doc
            pub fn forward(&self, #ctx: &Context, #(#parameters),* #cache) -> #result {
                #body
            }
        }
    }

    /// `` `[B, S, D_MODEL]` to `[B, S, D_MODEL]`. ``
    fn shapes(&self, module: &Module) -> String {
        let show = |ids: &[formwork_ir::ValueId]| {
            let tensors =
                ids.iter().map(|id| &module.value(*id).ty).filter(|ty| matches!(ty.kind, Kind::F32 | Kind::Normed));
            let tensors = tensors.map(|ty| {
                let dims: Vec<String> = ty.shape.iter().map(|d| self.dim(d)).collect();
                format!("`[{}]`", dims.join(", "))
            });
            tensors.collect::<Vec<_>>().join(" and ")
        };
        let (inputs, outputs) = (show(&module.inputs), show(&module.outputs));
        if inputs.is_empty() { format!("Gives {outputs}.") } else { format!("{inputs} to {outputs}.") }
    }

    fn dim(&self, dim: &formwork_ops::Poly) -> String {
        let text = dim.rename(&|name| name.rsplit('.').next().unwrap_or(name).to_ascii_uppercase());
        text.to_string().replace('·', "*")
    }

    /// Layers of several kinds: an enum with one variant for each struct.
    fn layer_enum(&mut self, parent: ModuleId, kinds: &[ModuleId]) {
        let distinct = self.distinct(kinds);
        if distinct.len() < 2 {
            return;
        }
        let own = &self.model.module(distinct[0]).name;
        let short = format!("Any{}", camel(own.rsplit('_').next().unwrap_or(own)));
        let is_taken = self.types.enums.values().any(|name| *name == short);
        let name = if is_taken { format!("Any{}", self.types.name(distinct[0])) } else { short };
        self.types.enums.insert(kinds.to_vec(), name.clone());
        let Some((repeat, carried)) = self.loop_of(parent, kinds) else { return };
        let ty = ident(&name);
        let variants: Vec<_> = distinct.iter().map(|k| ident(&self.types.name(*k))).collect();
        let union = union_of_captures(repeat);
        let around = self.model.module(parent);
        let mut names: Vec<String> = (0..carried)
            .map(|at| snake(&self.model.module(kinds[0]).value(self.model.module(kinds[0]).inputs[at]).name))
            .collect();
        names.extend(union.iter().map(|id| snake(&around.value(*id).name)));
        let names = distinct_names(names);
        let first = self.model.module(kinds[0]);
        let types = first.inputs[..carried].iter().map(|id| parameter_ty(&first.value(*id).ty));
        let types: Vec<_> = types.chain(union.iter().map(|id| parameter_ty(&around.value(*id).ty))).collect();
        let idents: Vec<_> = names.iter().map(|n| ident(n)).collect();
        let stateful = kinds.iter().any(|k| self.layouts.is_stateful(*k));
        let several = self.caches().several(kinds);
        let cache = stateful.then(|| match &several {
            Some(several) => {
                let ty = ident(&several.name);
                quote!(, cache: &mut #ty)
            }
            None => {
                let with = kinds.iter().find(|k| self.layouts.is_stateful(**k)).copied().unwrap_or(kinds[0]);
                let ty = self.caches().parameter(with);
                quote!(, cache: #ty)
            }
        });
        let arms = distinct.iter().map(|kind| {
            let variant = ident(&self.types.name(*kind));
            let captures =
                repeat.kinds.iter().find(|k| k.module == *kind).map(|k| k.captures.clone()).unwrap_or_default();
            let place = |id: &formwork_ir::ValueId| union.iter().position(|u| u == id).map(|at| &idents[carried + at]);
            let given = idents[..carried].iter().chain(captures.iter().filter_map(place));
            let cache = self.layouts.is_stateful(*kind).then(|| quote!(, cache));
            let call = quote!(layer.forward(ctx #(, #given)* #cache));
            match &several {
                Some(several) => {
                    let pattern = several.pattern(&self.caches(), *kind);
                    quote!((Self::#variant(layer), #pattern) => #call)
                }
                None => quote!(Self::#variant(layer) => #call),
            }
        });
        let arms: Vec<TokenStream> = arms.collect();
        let body = match &several {
            Some(_) => {
                quote!(match (self, cache) { #(#arms,)* _ => unreachable!("every layer is given the cache of its own kind") })
            }
            None => quote!(match self { #(#arms),* }),
        };
        let cache_item = several.as_ref().map(crate::several::Several::item);
        let doc = docs("A layer of either kind.");
        let forward_doc = docs("The layer's own forward pass.");
        let results = vec![quote!(Tensor); carried];
        let result = if carried == 1 { quote!(Tensor) } else { quote!((#(#results),*)) };
        let labels = distinct.iter().map(|kind| {
            let label = repeat.kinds.iter().find(|k| k.module == *kind).map(|k| k.label.clone()).unwrap_or_default();
            docs(&format!("Where {label}."))
        });
        let tokens = quote! {
            #doc
            pub enum #ty { #(#labels #variants(#variants)),* }

            impl #ty {
                #forward_doc
                pub fn forward(&self, ctx: &Context #(, #idents: #types)* #cache) -> #result {
                    #body
                }
            }

            #cache_item
        };
        self.items.push(Item { is_root: false, tokens });
    }

    fn loop_of(&self, parent: ModuleId, kinds: &[ModuleId]) -> Option<(&Repeat, usize)> {
        self.model.module(parent).nodes.iter().find_map(|node| match &node.kind {
            NodeKind::Repeat(repeat) if repeat.kinds.iter().map(|k| k.module).eq(kinds.iter().copied()) => {
                Some((repeat, node.inputs.len()))
            }
            _ => None,
        })
    }
}

/// Names of one parameter list: the second of a name gets a number.
pub(crate) fn distinct_names(stems: Vec<String>) -> Vec<String> {
    let mut taken: Vec<String> = Vec::new();
    for stem in stems {
        let mut name = stem.clone();
        let mut n = 2;
        while taken.contains(&name) {
            name = format!("{stem}_{n}");
            n += 1;
        }
        taken.push(name);
    }
    taken
}

/// What a module's forward pass gives.
fn results(module: &Module) -> TokenStream {
    let owned = module.outputs.iter().map(|id| match module.value(*id).ty.kind {
        Kind::F32 | Kind::Normed => quote!(Tensor),
        Kind::Ids => quote!(Ids),
        Kind::Tokens => quote!(Tokens),
    });
    let owned: Vec<TokenStream> = owned.collect();
    if let [one] = owned.as_slice() { one.clone() } else { quote!((#(#owned),*)) }
}

fn parameter_ty(ty: &Type) -> TokenStream {
    match ty.kind {
        Kind::F32 => quote!(&Tensor),
        Kind::Normed => quote!(&Normed<'_>),
        Kind::Ids => quote!(&Ids),
        Kind::Tokens => quote!(&Tokens),
    }
}
