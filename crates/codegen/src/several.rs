//! Layers of one loop that keep different things: an enum of their caches.

use formwork_ir::ModuleId;
use proc_macro2::TokenStream;
use quote::quote;

use crate::cache::Caches;
use crate::docs;
use crate::names::ident;

/// The caches of layers of several kinds.
pub(crate) struct Several {
    /// The enum's name.
    pub(crate) name: String,
    /// For each distinct cache, its type and the variant's name.
    variants: Vec<(TokenStream, String)>,
}

impl Caches<'_> {
    /// The enum that a loop's caches need, if not all kinds of layers keep the same.
    pub(crate) fn several(&self, kinds: &[ModuleId]) -> Option<Several> {
        let mut variants: Vec<(TokenStream, String)> = Vec::new();
        for kind in kinds {
            let ty = self.ty(*kind);
            if !variants.iter().any(|(other, _)| other.to_string() == ty.to_string()) {
                variants.push((ty, self.types.name(*kind)));
            }
        }
        let name = format!("{}Cache", self.types.layers_name(kinds)?);
        (variants.len() > 1).then_some(Several { name, variants })
    }
}

impl Several {
    fn variant(&self, caches: &Caches<'_>, kind: ModuleId) -> TokenStream {
        let ty = caches.ty(kind).to_string();
        let found = self.variants.iter().find(|(other, _)| other.to_string() == ty);
        let (name, variant) = (ident(&self.name), ident(found.map_or("", |(_, name)| name)));
        quote!(#name::#variant)
    }

    /// A fresh cache of a kind.
    pub(crate) fn make(&self, caches: &Caches<'_>, kind: ModuleId) -> TokenStream {
        let variant = self.variant(caches, kind);
        if !caches.layouts.is_stateful(kind) {
            return variant;
        }
        let new = caches.fresh(kind);
        quote!(#variant(#new))
    }

    /// The pattern that binds `cache` for a kind of layer.
    pub(crate) fn pattern(&self, caches: &Caches<'_>, kind: ModuleId) -> TokenStream {
        let variant = self.variant(caches, kind);
        if caches.layouts.is_stateful(kind) { quote!(#variant(cache)) } else { variant }
    }

    /// The enum.
    pub(crate) fn item(&self) -> TokenStream {
        let doc = docs("What a layer of either kind keeps from step to step.");
        let name = ident(&self.name);
        let variants = self.variants.iter().map(|(ty, name)| {
            let variant = ident(name);
            if ty.to_string() == "()" {
                let doc = docs(&format!("[`{name}`] keeps nothing."));
                return quote!(#doc #variant);
            }
            let doc = docs(&format!("Of [`{name}`]."));
            quote!(#doc #variant(#ty))
        });
        let arms = self.variants.iter().map(|(ty, name)| {
            let variant = ident(name);
            if ty.to_string() == "()" {
                quote!(Self::#variant => {})
            } else {
                quote!(Self::#variant(cache) => cache.each(visit))
            }
        });
        quote! {
            #doc
            pub enum #name { #(#variants),* }

            impl Keeps for #name {
                fn each(&mut self, visit: &mut dyn FnMut(&mut dyn Kept)) {
                    match self {
                        #(#arms),*
                    }
                }
            }
        }
    }
}
