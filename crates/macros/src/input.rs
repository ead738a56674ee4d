//! What the user wrote, as a request.

use proc_macro2::{TokenStream, TokenTree};
use syn::parse::ParseStream;
use syn::{Data, DeriveInput, Error, Fields, Ident, ItemStruct, LitStr, Result, Token};

/// Deepest nesting of brackets that is read.
const MAX_DEPTH: usize = 32;

/// A struct and the spec it stands for.
pub(crate) struct Request {
    /// The struct's name.
    pub(crate) name: Ident,
    /// The struct itself, where the macro declares it.
    pub(crate) item: Option<ItemStruct>,
    /// The spec, or what is wrong with the attribute.
    pub(crate) order: Result<Order>,
}

/// Which model of which spec.
pub(crate) struct Order {
    pub(crate) spec: Spec,
    pub(crate) task: Option<LitStr>,
    pub(crate) spec_path: Option<LitStr>,
}

/// Where a spec stands.
pub(crate) enum Spec {
    /// In a file.
    File(LitStr),
    /// Here, as an instance.
    Toml(LitStr),
    /// Here, as a family.
    Family(LitStr),
}

impl Spec {
    /// The literal that errors point at.
    pub(crate) fn literal(&self) -> &LitStr {
        match self {
            Self::File(it) | Self::Toml(it) | Self::Family(it) => it,
        }
    }
}

/// Bounds the nesting before anything recurses over it.
pub(crate) fn check_depth(input: &TokenStream) -> Result<()> {
    let mut left: Vec<(usize, TokenTree)> = input.clone().into_iter().map(|t| (0, t)).collect();
    while let Some((depth, token)) = left.pop() {
        if depth > MAX_DEPTH {
            return Err(Error::new(token.span(), format!("brackets nest deeper than {MAX_DEPTH}")));
        }
        if let TokenTree::Group(group) = token {
            left.extend(group.stream().into_iter().map(|t| (depth + 1, t)));
        }
    }
    Ok(())
}

/// The request of a derive.
pub(crate) fn derived(input: DeriveInput) -> Result<Request> {
    let refusal = |what: &str| Error::new(input.ident.span(), format!("a model is a plain struct, not {what}"));
    if !input.generics.params.is_empty() {
        return Err(refusal("a generic one"));
    }
    let order = match &input.data {
        Data::Enum(_) => Err(refusal("an enum")),
        Data::Union(_) => Err(refusal("a union")),
        Data::Struct(it) if matches!(it.fields, Fields::Unnamed(_)) => Err(refusal("a tuple struct")),
        Data::Struct(_) => attribute(&input),
    };
    Ok(Request { name: input.ident, item: None, order })
}

/// `#[spec("path", task = "..", spec_path = "..")]`
fn attribute(input: &DeriveInput) -> Result<Order> {
    let specs: Vec<_> = input.attrs.iter().filter(|a| a.path().is_ident("spec")).collect();
    let [spec] = specs.as_slice() else {
        return Err(Error::new(input.ident.span(), "name the model's spec once: `#[spec(\"path/to/spec.toml\")]`"));
    };
    spec.parse_args_with(|input: ParseStream<'_>| {
        let mut order = Order { spec: Spec::File(input.parse()?), task: None, spec_path: None };
        while !input.is_empty() {
            input.parse::<Token![,]>()?;
            if input.is_empty() {
                break;
            }
            let (key, value) = pair(input)?;
            let slot = match key.to_string().as_str() {
                "task" => &mut order.task,
                "spec_path" => &mut order.spec_path,
                other => {
                    return Err(Error::new(
                        key.span(),
                        format!("`spec` has no key `{other}`; it has `task` and `spec_path`"),
                    ));
                }
            };
            once(slot, &key, value)?;
        }
        Ok(order)
    })
}

/// The request of the inline macro.
pub(crate) fn inline(input: ParseStream<'_>) -> Result<Request> {
    let item: ItemStruct = input.parse()?;
    if !matches!(item.fields, Fields::Unit) || !item.generics.params.is_empty() {
        return Err(Error::new(item.ident.span(), "a model is a plain struct: `struct Name;`"));
    }
    let order = pairs(input, &item.ident);
    if order.is_err() {
        // What follows the mistake is of no interest.
        input.parse::<TokenStream>()?;
    }
    Ok(Request { name: item.ident.clone(), item: Some(item), order })
}

/// `toml = "..", task = ".."`
fn pairs(input: ParseStream<'_>, name: &Ident) -> Result<Order> {
    let (mut toml, mut family, mut task) = (None, None, None);
    while !input.is_empty() {
        let (key, value) = pair(input)?;
        let slot = match key.to_string().as_str() {
            "toml" => &mut toml,
            "fw" => &mut family,
            "task" => &mut task,
            other => {
                return Err(Error::new(
                    key.span(),
                    format!("`transformer!` has no key `{other}`; it has `toml`, `fw` and `task`"),
                ));
            }
        };
        once(slot, &key, value)?;
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
    }
    let spec = match (toml, family) {
        (Some(text), None) => Spec::Toml(text),
        (None, Some(text)) => Spec::Family(text),
        _ => return Err(Error::new(name.span(), "give one spec: `toml = \"..\"` or `fw = \"..\"`")),
    };
    Ok(Order { spec, task, spec_path: None })
}

/// `key = "text"`
fn pair(input: ParseStream<'_>) -> Result<(Ident, LitStr)> {
    let key = input.parse()?;
    input.parse::<Token![=]>()?;
    Ok((key, input.parse()?))
}

fn once(slot: &mut Option<LitStr>, key: &Ident, value: LitStr) -> Result<()> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(Error::new(key.span(), format!("`{key}` is given twice"))),
    }
}
