//! Types of static values, and fitting a value to one.

use std::rc::Rc;

use formwork_diag::{Diagnostic, Span, did_you_mean};
use formwork_ops::AttrType;
use formwork_syntax::ast::{Enum, Field, Record, Type, TypeKind};

use crate::elaborate::Elaborator;
use crate::library::Decl;
use crate::numbers::named;
use crate::scope::Scope;
use crate::value::{Fields, Value, Variant};

/// A resolved type.
#[derive(Clone, Debug)]
pub(crate) enum Ty {
    Any,
    Int,
    Float,
    Bool,
    Str,
    Block,
    Record(Rc<Record>),
    Enum(Rc<Enum>),
    List(Rc<Ty>),
    Optional(Rc<Ty>),
    Tensor,
}

impl Ty {
    /// The enum whose variants may be named plainly here.
    pub(crate) fn as_enum(&self) -> Option<&Rc<Enum>> {
        match self {
            Self::Enum(it) => Some(it),
            Self::Optional(inner) => inner.as_enum(),
            _ => None,
        }
    }

    pub(crate) fn as_record(&self) -> Option<&Rc<Record>> {
        match self {
            Self::Record(it) => Some(it),
            Self::Optional(inner) => inner.as_record(),
            _ => None,
        }
    }

    pub(crate) fn item(&self) -> Ty {
        match self {
            Self::List(inner) => (**inner).clone(),
            Self::Optional(inner) => inner.item(),
            _ => Self::Any,
        }
    }

    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Any => "a value".into(),
            Self::Int => "an integer".into(),
            Self::Float => "a number".into(),
            Self::Bool => "a boolean".into(),
            Self::Str => "a string".into(),
            Self::Block => "a block".into(),
            Self::Record(it) => format!("a `{}`", it.name.text),
            Self::Enum(it) => format!("a `{}`", it.name.text),
            Self::List(inner) => {
                format!("a list of {}", inner.describe().trim_start_matches("an ").trim_start_matches("a "))
            }
            Self::Optional(inner) => format!("{} or null", inner.describe()),
            Self::Tensor => "a tensor".into(),
        }
    }
}

impl Elaborator<'_> {
    pub(crate) fn resolve(&mut self, ty: &Type) -> Ty {
        match &ty.kind {
            TypeKind::Tensor(_) | TypeKind::Ids(_) => Ty::Tensor,
            TypeKind::List { item, optional } => {
                let list = Ty::List(Rc::new(self.resolve(item)));
                if *optional { Ty::Optional(Rc::new(list)) } else { list }
            }
            TypeKind::Named { name, optional } => {
                let base = self.resolve_name(name, ty.span);
                if *optional { Ty::Optional(Rc::new(base)) } else { base }
            }
        }
    }

    pub(crate) fn resolve_name(&mut self, name: &str, span: Span) -> Ty {
        match name {
            "int" => return Ty::Int,
            "float" => return Ty::Float,
            "bool" => return Ty::Bool,
            "string" => return Ty::Str,
            "block" => return Ty::Block,
            _ => {}
        }
        match self.decl(name) {
            Some(Decl::Record(it)) => return Ty::Record(it.clone()),
            Some(Decl::Enum(it)) => return Ty::Enum(it.clone()),
            _ => {}
        }
        let mut names: Vec<String> = ["int", "float", "bool", "string", "block"].map(String::from).to_vec();
        let types = |d: &&Decl| matches!(d, Decl::Record(_) | Decl::Enum(_));
        names.extend(self.own.iter().filter(|(_, d)| types(d)).map(|(n, _)| n.clone()));
        names.extend(
            self.library.decl_names().filter(|n| self.library.decl(n).as_ref().is_some_and(types)).map(String::from),
        );
        self.fail(
            Diagnostic::new("unknown-type", span, format!("no type is called `{name}`"))
                .maybe_help(did_you_mean(name, names.iter().map(String::as_str))),
        );
        Ty::Any
    }

    pub(crate) fn resolve_attr(&mut self, ty: AttrType, span: Span) -> Ty {
        match ty {
            AttrType::Int | AttrType::Natural => Ty::Int,
            AttrType::Float => Ty::Float,
            AttrType::Bool => Ty::Bool,
            AttrType::IntList => Ty::List(Rc::new(Ty::Int)),
            AttrType::Declared(name) => self.resolve_name(name, span),
        }
    }

    /// Fits a value to a type: a whole fraction to an int, an int to a float, a word to a variant, a record literal to its type.
    /// `name` is the parameter that will hold it.
    pub(crate) fn coerce(&mut self, value: Value, ty: &Ty, name: &str, span: Span) -> Value {
        match (value, ty) {
            (Value::Unknown, _) => Value::Unknown,
            (value, Ty::Any) => value,
            (Value::Null, Ty::Optional(_)) => Value::Null,
            (value, Ty::Optional(inner)) => self.coerce(value, inner, name, span),
            (value @ Value::Int(_), Ty::Int) => value,
            (Value::Ratio(n, d), Ty::Int) => self.fail(
                Diagnostic::new("not-divisible", span, format!("`{name}` must be whole, but {n} / {d} is not"))
                    .label(format!("this is {n}/{d}"))
                    .help("change one of the sizes, or round: `round_up(.., 1)`"),
            ),
            (value @ (Value::Float(_) | Value::Int(_) | Value::Ratio(..)), Ty::Float) => match value {
                Value::Float(_) => value,
                other => Value::float(other.as_f64().unwrap_or(f64::NAN)),
            },
            (value @ Value::Bool(_), Ty::Bool) | (value @ Value::Str(_), Ty::Str) => value,
            (value @ Value::Callable(_), Ty::Block) => value,
            (value @ Value::Tensor(_), Ty::Tensor) => value,
            (Value::List(items), Ty::List(inner)) => {
                let items = items.iter().map(|item| self.coerce(item.clone(), inner, name, span)).collect();
                Value::List(Rc::new(items))
            }
            (Value::Record(given), Ty::Record(decl)) => self.record(decl, (*given).clone(), name, span),
            (Value::Variant(v), Ty::Enum(decl)) if v.decl.name.text == decl.name.text => Value::Variant(v),
            (Value::Str(word), Ty::Enum(decl)) => self.variant(decl, &word, Vec::new(), name, span),
            (Value::Record(given), Ty::Enum(decl)) => self.tagged(decl, (*given).clone(), name, span),
            (other, ty) => {
                let what = format!("`{name}` must be {}, not {}", ty.describe(), other.describe());
                let choices = ty.as_enum().map(|decl| {
                    let words: Vec<String> = decl.variants.iter().map(|v| format!("\"{}\"", v.name.text)).collect();
                    format!("one of {}", words.join(", "))
                });
                self.fail(Diagnostic::new("type-mismatch", span, what).maybe_help(choices))
            }
        }
    }

    /// A record whose `kind` field names the variant.
    fn tagged(&mut self, decl: &Rc<Enum>, mut given: Fields, name: &str, span: Span) -> Value {
        let kind = given.iter().position(|(n, _)| n == "kind").map(|at| given.remove(at).1);
        match kind {
            Some(Value::Str(word)) => self.variant(decl, &word, given, name, span),
            Some(Value::Unknown) => Value::Unknown,
            _ => {
                let variants: Vec<String> = decl.variants.iter().map(|v| format!("\"{}\"", v.name.text)).collect();
                self.fail(
                    Diagnostic::new(
                        "missing-kind",
                        span,
                        format!("`{name}` does not say which `{}` it is", decl.name.text),
                    )
                    .help(format!("add `kind = ` one of {}", variants.join(", "))),
                )
            }
        }
    }

    /// A variant with its fields fitted and defaults filled in.
    pub(crate) fn variant(&mut self, decl: &Rc<Enum>, word: &str, given: Fields, name: &str, span: Span) -> Value {
        let Some(variant) = decl.variants.iter().find(|v| v.name.text == word) else {
            return self.unknown_variant(decl, word, span);
        };
        let what = format!("`{}` of `{}`", word, decl.name.text);
        let fields: Vec<Field> = decl.shared.iter().chain(&variant.fields).cloned().collect();
        match self.fields(&fields, given, &what, name, span) {
            Some(fields) => Value::Variant(Rc::new(Variant { decl: decl.clone(), name: word.to_string(), fields })),
            None => Value::Unknown,
        }
    }

    pub(crate) fn unknown_variant(&mut self, decl: &Enum, word: &str, span: Span) -> Value {
        let names: Vec<&str> = decl.variants.iter().map(|v| v.name.text.as_str()).collect();
        let all = names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
        let help = did_you_mean(word, names.iter().copied());
        self.fail(
            Diagnostic::new("unknown-variant", span, format!("no variant of `{}` is called `{word}`", decl.name.text))
                .label(format!("one of {all}"))
                .maybe_help(help),
        )
    }

    /// A record with its fields fitted and defaults filled in.
    pub(crate) fn record(&mut self, decl: &Rc<Record>, given: Fields, name: &str, span: Span) -> Value {
        let what = format!("`{}`", decl.name.text);
        match self.fields(&decl.fields, given, &what, name, span) {
            Some(fields) => Value::Record(Rc::new(fields)),
            None => Value::Unknown,
        }
    }

    fn fields(&mut self, decl: &[Field], given: Fields, what: &str, name: &str, span: Span) -> Option<Fields> {
        let mut ok = true;
        for (field, value) in &given {
            if !decl.iter().any(|f| f.name.text == *field) {
                let names: Vec<&str> = decl.iter().map(|f| f.name.text.as_str()).collect();
                let silent = matches!(value, Value::Unknown);
                if !silent {
                    self.fail(
                        Diagnostic::new("unknown-field", span, format!("{what} has no field `{field}`"))
                            .maybe_help(did_you_mean(field, names.iter().copied())),
                    );
                }
                ok = false;
            }
        }
        let scope = Scope::root();
        let mut out = Vec::new();
        for field in decl {
            let path = if name.is_empty() { field.name.text.clone() } else { format!("{name}.{}", field.name.text) };
            self.docs.insert(path.clone(), field.doc.clone());
            let ty = self.resolve(&field.ty);
            let value = match given.iter().find(|(n, _)| *n == field.name.text) {
                Some((_, value)) => {
                    let value = self.coerce(value.clone(), &ty, &path, span);
                    self.origins.entry(path.clone()).or_insert(span);
                    keep_or_name(value, &path)
                }
                None => match &field.default {
                    Some(default) => {
                        self.origins.entry(path.clone()).or_insert(default.span);
                        let value = self.eval(default, &scope, &ty);
                        let value = self.coerce(value, &ty, &path, default.span);
                        keep_or_name(value, &path)
                    }
                    None => {
                        self.fail(
                            Diagnostic::new("missing-field", span, format!("{what} needs `{}`", field.name.text))
                                .because(field.name.span, "declared here without a default"),
                        );
                        Value::Unknown
                    }
                },
            };
            ok &= !matches!(value, Value::Unknown);
            scope.set(&field.name.text, value.clone());
            out.push((field.name.text.clone(), value));
        }
        ok.then_some(out)
    }
}

/// Names a plain number after the field that holds it; a value that already has names keeps them.
fn keep_or_name(value: Value, path: &str) -> Value {
    match &value {
        Value::Int(p) if p.atoms().next().is_some() => value,
        Value::Float(f) if f.name.is_some() => value,
        _ => named(value, path),
    }
}
