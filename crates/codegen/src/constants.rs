//! Numbers of generated code: every one has a name in `config.rs`.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use formwork_ir::{Argument, Model, PER_LAYER, Table};
use formwork_ops::{Atom, AttrValue, Float, Lit, Poly};
use proc_macro2::{Literal, TokenStream};
use quote::quote;

use crate::names::{ident, screaming, snake};

/// The constants that the code asked for so far.
pub(crate) struct Constants<'a> {
    arguments: &'a [Argument],
    made: RefCell<Vec<Constant>>,
    /// Whether code is being written that has a layer's numbers as parameters instead of fields.
    in_load: Cell<bool>,
}

struct Constant {
    /// What it stands for: `path=value` of a parameter, `=value` of a literal.
    key: String,
    name: String,
    ty: TokenStream,
    value: TokenStream,
    doc: String,
}

impl<'a> Constants<'a> {
    pub(crate) fn new(model: &'a Model) -> Self {
        Self { arguments: &model.arguments, made: RefCell::default(), in_load: Cell::new(false) }
    }

    /// A literal as an expression.
    pub(crate) fn lit(&self, lit: &Lit, hint: &str) -> TokenStream {
        match lit {
            Lit::Size(poly) => self.size(poly),
            Lit::F32(float) => self.float(float, hint, &quote!(f32)),
            Lit::F64(float) => f64_literal(float.value),
            Lit::Bool(flag) => quote!(#flag),
            Lit::Path(path) => path_tokens(path),
            Lit::Apply(path, args) => {
                let path = path_tokens(path);
                let args = args.iter().map(|a| self.lit(a, hint));
                quote!(#path(#(#args),*))
            }
            Lit::Struct(path, fields) => {
                let path = path_tokens(path);
                let fields = fields.iter().map(|(name, value)| {
                    let (name, value) = (ident(name), self.lit(value, name));
                    quote!(#name: #value)
                });
                quote!(#path { #(#fields),* })
            }
            Lit::Array(items) => {
                let items = items.iter().map(|i| self.lit(i, hint));
                quote!([#(#items),*])
            }
            Lit::Slice(items) => {
                let items = items.iter().map(|i| self.lit(i, hint));
                quote!(&[#(#items),*])
            }
            Lit::Constant { name, ty, doc, value } => {
                let value = match &**value {
                    Lit::F32(float) => f32_literal(float.value),
                    other => self.lit(other, name),
                };
                let ty = path_tokens(ty);
                self.constant(&format!("={value}"), &[(*name).to_string()], &ty, value, doc)
            }
        }
    }

    /// A literal inside a `load` function.
    pub(crate) fn lit_in_load(&self, lit: &Lit, hint: &str) -> TokenStream {
        self.in_load.set(true);
        let tokens = self.lit(lit, hint);
        self.in_load.set(false);
        tokens
    }

    /// A number for each layer.
    pub(crate) fn table(&self, table: &Table, count: &Poly) -> TokenStream {
        let values = table.values.iter().map(|v| f32_literal(*v));
        let (count, value) = (self.size(count), quote!([#(#values),*]));
        let doc = format!("`{}` of each layer.", table.name);
        self.constant(&format!("={value}"), &[screaming(&table.name)], &quote!([f32; #count]), value, &doc)
    }

    /// A size in the spec's own names.
    pub(crate) fn size(&self, poly: &Poly) -> TokenStream {
        let mut sum: Option<TokenStream> = None;
        let mut terms: Vec<_> = poly.terms().collect();
        terms.sort_by_key(|(c, factors)| (*c < 0, std::cmp::Reverse(factors.len())));
        for (coefficient, factors) in terms {
            let product = self.product(coefficient, factors);
            sum = Some(match (sum, coefficient < 0) {
                (None, _) => product,
                (Some(sum), false) => quote!(#sum + #product),
                (Some(sum), true) => quote!(#sum - #product),
            });
        }
        sum.unwrap_or_else(|| quote!(0))
    }

    fn product(&self, coefficient: i128, factors: &[(Atom, u32)]) -> TokenStream {
        let mut parts = Vec::new();
        if coefficient.unsigned_abs() != 1 || factors.is_empty() {
            let literal = Literal::u128_unsuffixed(coefficient.unsigned_abs());
            parts.push(quote!(#literal));
        }
        let alone = parts.is_empty() && factors.len() == 1;
        for (atom, power) in factors {
            let text = match self.quotient(atom) {
                Some((a, b)) if alone && *power == 1 => quote!(#a / #b),
                Some((a, b)) => quote!((#a / #b)),
                None => self.atom(atom),
            };
            parts.extend((0..*power).map(|_| text.clone()));
        }
        let mut parts = parts.into_iter();
        let first = parts.next().unwrap_or_default();
        parts.fold(first, |product, part| quote!(#product * #part))
    }

    /// `a/b` of two parameters.
    fn quotient(&self, atom: &Atom) -> Option<(TokenStream, TokenStream)> {
        let Atom::Static { name, .. } = atom else { return None };
        let (a, b) = name.split_once('/')?;
        let value = |name: &str| {
            let argument = self.arguments.iter().find(|argument| argument.name == name)?;
            if let AttrValue::Int(p) = &argument.value { p.constant() } else { None }
        };
        let (x, y) = (value(a)?, value(b)?);
        let part = |name: &str, value| self.atom(&Atom::Static { name: name.into(), value });
        Some((part(a, x), part(b, y)))
    }

    fn atom(&self, atom: &Atom) -> TokenStream {
        match atom {
            Atom::Static { name, value } => {
                let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.');
                let literal = Literal::i128_unsuffixed(*value);
                if !is_name || name.split('.').any(|part| part.bytes().all(|b| b.is_ascii_digit())) {
                    return quote!(#literal);
                }
                let doc = self.doc(name);
                // A field of a value that is made more than once has a number for each.
                self.constant(&format!("{name}={literal}"), &candidates(name), &quote!(usize), quote!(#literal), &doc)
            }
            Atom::Symbol(name) => {
                let name = ident(&crate::names::snake(name));
                quote!(#name)
            }
        }
    }

    fn float(&self, float: &Float, hint: &str, ty: &TokenStream) -> TokenStream {
        let value = f32_literal(float.value);
        if let Some(name) = float.name.as_ref().and_then(|n| n.strip_prefix(PER_LAYER)) {
            let name = ident(&snake(name));
            return if self.in_load.get() { quote!(#name) } else { quote!(self.#name) };
        }
        if let Some(name) = &float.name {
            let doc = self.doc(name);
            return self.constant(&format!("{name}={value}"), &candidates(name), ty, value, &doc);
        }
        if float.value.to_bits() == 1.0_f64.to_bits() {
            return value;
        }
        self.constant(&format!("={value}"), &[screaming(hint)], ty, value, "")
    }

    fn doc(&self, name: &str) -> String {
        self.arguments.iter().find(|a| a.name == name).map(|a| a.doc.clone()).unwrap_or_default()
    }

    fn constant(
        &self,
        key: &str,
        candidates: &[String],
        ty: &TokenStream,
        value: TokenStream,
        doc: &str,
    ) -> TokenStream {
        let mut made = self.made.borrow_mut();
        let found = made.iter().find(|c| c.key == key).map(|c| c.name.clone());
        let name = found.unwrap_or_else(|| {
            let free = candidates.iter().find(|n| !made.iter().any(|c| c.name == **n)).cloned();
            let stem = candidates.last().cloned().unwrap_or_default();
            let name = free.unwrap_or_else(|| {
                let mut n = 2;
                while made.iter().any(|c| c.name == format!("{stem}_{n}")) {
                    n += 1;
                }
                format!("{stem}_{n}")
            });
            made.push(Constant {
                key: key.to_string(),
                name: name.clone(),
                ty: ty.clone(),
                value,
                doc: doc.to_string(),
            });
            name
        });
        let name = ident(&name);
        quote!(#name)
    }

    /// The names of every constant, for `use` lines.
    pub(crate) fn names(&self) -> Vec<String> {
        self.made.borrow().iter().map(|c| c.name.clone()).collect()
    }

    /// The items of `config.rs`: sizes in the order of the family's parameters, then the rest.
    pub(crate) fn items(&self) -> Vec<TokenStream> {
        let order: BTreeMap<&str, usize> =
            self.arguments.iter().enumerate().map(|(i, a)| (a.name.as_str(), i)).collect();
        let made = self.made.borrow();
        let mut sorted: Vec<&Constant> = made.iter().collect();
        sorted.sort_by_key(|c| {
            let key = c.key.split('=').next().unwrap_or("");
            (order.get(key).copied().unwrap_or(usize::MAX), c.name.clone())
        });
        sorted
            .iter()
            .map(|c| {
                let (name, ty, value) = (ident(&c.name), &c.ty, &c.value);
                let doc = if c.doc.is_empty() { fallback_doc(&c.key, &c.name) } else { c.doc.clone() };
                let docs = crate::docs(&doc);
                quote!(#docs pub const #name: #ty = #value;)
            })
            .collect()
    }
}

fn fallback_doc(key: &str, name: &str) -> String {
    let path = key.split('=').next().unwrap_or("");
    if path.is_empty() { format!("{}.", name.to_ascii_lowercase().replace('_', " ")) } else { format!("`{path}`.") }
}

/// The last component of a parameter's path, then the whole path.
fn candidates(name: &str) -> Vec<String> {
    let last = name.rsplit('.').next().unwrap_or(name);
    vec![screaming(last), screaming(name)]
}

/// `A::B` as tokens; the text comes from the op catalogue.
pub(crate) fn path_tokens(path: &str) -> TokenStream {
    let parts = path.split("::").map(ident);
    quote!(#(#parts)::*)
}

/// A single-precision literal with as few digits as it needs.
#[expect(clippy::cast_possible_truncation, reason = "the runtime computes in single precision")]
pub(crate) fn f32_literal(value: f64) -> TokenStream {
    number(&format!("{:?}", value as f32))
}

fn f64_literal(value: f64) -> TokenStream {
    number(&format!("{value:?}"))
}

fn number(text: &str) -> TokenStream {
    let (sign, digits) = text.strip_prefix('-').map_or((false, text), |d| (true, d));
    let literal: TokenStream = digits.parse::<Literal>().map(|l| quote!(#l)).unwrap_or_else(|_| quote!(0.0));
    if sign { quote!(-#literal) } else { literal }
}
