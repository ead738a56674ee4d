//! What generated code keeps from step to step: the types, their constructors, and how code reaches them.

use formwork_ir::ModuleId;
use formwork_ops::State;
use proc_macro2::TokenStream;
use quote::quote;

use crate::constants::Constants;
use crate::layout::{CacheField, CacheKind, Layout, Layouts, NodeKey};
use crate::names::{ident, words_of};
use crate::structs::Types;

/// The expression that reaches a node's state: `cache` where it is the only one, else `cache.name`.
pub(crate) fn access(layout: &Layout, key: NodeKey, exclusive: bool) -> TokenStream {
    let Some(at) = layout.cache_of.get(&key) else { return quote!(cache) };
    if layout.cache.len() == 1 {
        return quote!(cache);
    }
    let name = ident(&layout.cache[*at].name);
    if exclusive { quote!(&mut cache.#name) } else { quote!(cache.#name) }
}

/// The parameters of a constructor: those that its body does not read are marked so.
pub(crate) fn sizes(body: &TokenStream) -> (TokenStream, TokenStream) {
    let words = words_of(body);
    let name = |name: &str, unread: TokenStream| {
        let name = ident(name);
        if words.contains(&name.to_string()) { quote!(#name) } else { unread }
    };
    (name("batch", quote!(_batch)), name("room", quote!(_room)))
}

/// Prints the cache of every module.
pub(crate) struct Caches<'a> {
    pub(crate) layouts: &'a Layouts,
    pub(crate) constants: &'a Constants<'a>,
    pub(crate) types: &'a Types,
}

impl Caches<'_> {
    /// The type of a module's cache; a module that keeps one thing has that thing's type.
    pub(crate) fn ty(&self, id: ModuleId) -> TokenStream {
        match self.layouts.get(id).cache.as_slice() {
            [] => quote!(()),
            [only] => self.field_ty(only),
            _ => {
                let name = ident(&self.types.cache_name(id));
                quote!(#name)
            }
        }
    }

    /// The type as a parameter: a slice instead of a vector.
    pub(crate) fn parameter(&self, id: ModuleId) -> TokenStream {
        match self.layouts.get(id).cache.as_slice() {
            [CacheField { kind: CacheKind::Layers(kinds, ..), .. }] => {
                let item = self.layer_ty(kinds);
                quote!(&mut [#item])
            }
            _ => {
                let ty = self.ty(id);
                quote!(&mut #ty)
            }
        }
    }

    fn field_ty(&self, field: &CacheField) -> TokenStream {
        match &field.kind {
            CacheKind::State(state) => {
                let ty = ident(state.new_state().ty);
                quote!(#ty)
            }
            CacheKind::Once => quote!(Once),
            CacheKind::Module(id) => self.ty(*id),
            CacheKind::Layers(kinds, ..) => {
                let item = self.layer_ty(kinds);
                quote!(Vec<#item>)
            }
        }
    }

    fn layer_ty(&self, kinds: &[ModuleId]) -> TokenStream {
        if let Some(several) = self.several(kinds) {
            let name = ident(&several.name);
            return quote!(#name);
        }
        kinds.iter().find(|k| self.layouts.is_stateful(**k)).map_or_else(|| quote!(()), |k| self.ty(*k))
    }

    /// A fresh cache of a module.
    pub(crate) fn fresh(&self, id: ModuleId) -> TokenStream {
        match self.layouts.get(id).cache.as_slice() {
            [] => quote!(()),
            [only] => self.new_field(only),
            _ if self.types.borrows_cache(id) => {
                let layer = ident(&self.types.name(id));
                quote!(#layer::cache(batch, room))
            }
            _ => {
                let name = ident(&self.types.cache_name(id));
                quote!(#name::new(batch, room))
            }
        }
    }

    fn new_field(&self, field: &CacheField) -> TokenStream {
        match &field.kind {
            CacheKind::State(state) => self.new_state(state),
            CacheKind::Once => quote!(Once::new()),
            CacheKind::Module(id) => self.fresh(*id),
            CacheKind::Layers(kinds, schedule, count) => {
                let count = self.constants.size(count);
                if let [kind] = kinds.as_slice() {
                    let item = self.fresh(*kind);
                    return quote!((0..#count).map(|_| #item).collect());
                }
                let schedule = self.types.schedule(schedule);
                let several = self.several(kinds);
                let arms = kinds.iter().enumerate().map(|(at, kind)| {
                    let item = several.as_ref().map_or_else(|| self.fresh(*kind), |s| s.make(self, *kind));
                    let at = crate::body::integer(at as u128);
                    let pattern = if at.to_string() == (kinds.len() - 1).to_string() { quote!(_) } else { at };
                    quote!(#pattern => #item)
                });
                quote!(#schedule.iter().map(|kind| match kind { #(#arms),* }).collect())
            }
        }
    }

    fn new_state(&self, state: &State) -> TokenStream {
        let new = state.new_state();
        let (ty, method) = (ident(new.ty), ident(new.method));
        let args = new.args.iter().map(|a| self.constants.lit(a, "state"));
        let room = new.grows.then(|| quote!(, room));
        quote!(#ty::#method(batch, #(#args),* #room))
    }

    /// Whether two modules keep several things of the same names and types.
    pub(crate) fn same(&self, a: ModuleId, b: ModuleId) -> bool {
        let fields = |id| -> Vec<(String, String)> {
            self.layouts.get(id).cache.iter().map(|f| (f.name.clone(), self.field_ty(f).to_string())).collect()
        };
        self.layouts.get(a).cache.len() > 1 && fields(a) == fields(b)
    }

    /// The struct of a module that keeps several things.
    pub(crate) fn item(&self, id: ModuleId) -> Option<TokenStream> {
        let layout = self.layouts.get(id);
        if layout.cache.len() < 2 {
            return None;
        }
        let name = ident(&self.types.cache_name(id));
        let fields = layout.cache.iter().map(|f| {
            let (field, ty) = (ident(&f.name), self.field_ty(f));
            quote!(#field: #ty)
        });
        let values = layout.cache.iter().map(|f| {
            let (field, value) = (ident(&f.name), self.new_field(f));
            quote!(#field: #value)
        });
        let values: Vec<TokenStream> = values.collect();
        let (batch, room) = sizes(&quote!(#(#values),*));
        let doc = crate::docs(&format!("What [`{}`] keeps from step to step.", self.types.name(id)));
        let new_doc = crate::docs("For `batch` sequences, each with this room.");
        if self.types.borrows_cache(id) {
            let layer = ident(&self.types.name(id));
            return Some(quote! {
                impl #layer {
                    #new_doc
                    pub fn cache(#batch: usize, #room: Room) -> #name {
                        #name { #(#values),* }
                    }
                }
            });
        }
        let names = layout.cache.iter().map(|f| ident(&f.name));
        Some(quote! {
            #doc
            pub struct #name { #(#fields),* }

            impl #name {
                #new_doc
                pub fn new(#batch: usize, #room: Room) -> Self {
                    Self { #(#values),* }
                }
            }

            impl Keeps for #name {
                fn each(&mut self, visit: &mut dyn FnMut(&mut dyn Kept)) {
                    #(self.#names.each(visit);)*
                }
            }
        })
    }
}
