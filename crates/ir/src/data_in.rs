//! Values of a TOML file, fitted to the types of a family's parameters; a string may stand for a number or a list.

use std::rc::Rc;

use formwork_diag::{Diagnostic, Span, did_you_mean};
use formwork_syntax::ast::{Enum, Expr, ExprKind, Field};
use formwork_syntax::data::{Data, DataKind};
use formwork_syntax::parse_expr;

use crate::elaborate::{Elaborator, Given};
use crate::numbers::named;
use crate::scope::Scope;
use crate::types::Ty;
use crate::value::{Fields, Value, Variant};

impl Elaborator<'_> {
    /// The value of a family's parameter: as given, or its default.
    pub(crate) fn param(&mut self, param: &Field) -> Value {
        let name = param.name.text.clone();
        let ty = self.resolve(&param.ty);
        match self.given.get(&name).cloned() {
            Some(Given::Data(data)) => {
                self.origins.insert(name.clone(), data.span);
                let value = self.read_or_default(&data, &ty, param.default.as_ref(), &name);
                named(value, &name)
            }
            Some(Given::Value(value, span)) => {
                self.origins.insert(name.clone(), span);
                let value = self.coerce(value, &ty, &name, span);
                named(value, &name)
            }
            None => match &param.default {
                Some(default) => {
                    self.origins.insert(name.clone(), default.span);
                    let value = self.sized(default, &Scope::root(), &ty, &name, default.span);
                    named(value, &name)
                }
                None => Value::Unknown,
            },
        }
    }

    /// Fits a file's value to a type; a table without `kind` gives fields to the default's variant, where that is a bare word.
    fn read_or_default(&mut self, data: &Data, ty: &Ty, default: Option<&Expr>, name: &str) -> Value {
        if let (DataKind::Table(entries), None, Some(decl), Some(ExprKind::Name(word))) =
            (&data.kind, data.get("kind"), ty.as_enum(), default.map(|d| &d.kind))
            && decl.variants.iter().any(|v| v.name.text == *word)
        {
            let decl = decl.clone();
            self.origins.insert(name.to_string(), data.span);
            return self.read_variant(&decl, word, data.span, entries, data.span, name);
        }
        self.read(data, ty, name)
    }

    /// Fits a file's value to a type.
    pub(crate) fn read(&mut self, data: &Data, ty: &Ty, name: &str) -> Value {
        self.origins.insert(name.to_string(), data.span);
        match (&data.kind, ty) {
            (DataKind::Float(value), _) if !value.is_finite() => self.fail(Diagnostic::new(
                "not-finite",
                data.span,
                format!("`{name}` must be a finite number, not {value}"),
            )),
            (DataKind::Null, _) => self.coerce(Value::Null, ty, name, data.span),
            // TOML has no null, so a word stands for it.
            (DataKind::Str(word), Ty::Optional(_)) if word == "null" => Value::Null,
            (_, Ty::Optional(inner)) => self.read(data, inner, name),
            (DataKind::Str(text), Ty::Int | Ty::Float | Ty::List(_)) => self.expression(data, text, ty, name),
            (DataKind::Str(word), Ty::Enum(decl)) => {
                let (decl, word) = (decl.clone(), word.clone());
                self.read_variant(&decl, &word, data.span, &[], data.span, name)
            }
            (DataKind::Table(_), Ty::Record(decl)) => {
                let fields = decl.fields.clone();
                let what = format!("`{name}`");
                match self.read_fields(data, &fields, &[], &what, name) {
                    Some(fields) => Value::Record(Rc::new(fields)),
                    None => Value::Unknown,
                }
            }
            (DataKind::Table(_), Ty::Enum(decl)) => {
                let decl = decl.clone();
                match data.get("kind") {
                    Some(Data { kind: DataKind::Str(word), span }) => {
                        let word = word.clone();
                        self.read_variant(&decl, &word, *span, data.entries(), data.span, name)
                    }
                    Some(other) => {
                        let what = format!("`{name}.kind` must be a string, not {}", other.describe());
                        self.fail(Diagnostic::new("type-mismatch", other.span, what))
                    }
                    None => self.no_variant(&decl, data, name),
                }
            }
            (DataKind::List(items), Ty::List(inner)) => {
                let items = items.iter().enumerate().map(|(i, item)| self.read(item, inner, &format!("{name}.{i}")));
                Value::List(Rc::new(items.collect()))
            }
            _ => {
                let value = plain(data);
                let value = self.coerce(value, ty, name, data.span);
                named(value, name)
            }
        }
    }

    /// A table that does not say which variant it is.
    fn no_variant(&mut self, decl: &Rc<Enum>, data: &Data, name: &str) -> Value {
        let variants: Vec<String> = decl.variants.iter().map(|v| format!("\"{}\"", v.name.text)).collect();
        self.fail(
            Diagnostic::new(
                "missing-kind",
                data.span,
                format!("`{name}` does not say which `{}` it is", decl.name.text),
            )
            .help(format!("add `kind = ` one of {}", variants.join(", "))),
        )
    }

    fn expression(&mut self, data: &Data, text: &str, ty: &Ty, name: &str) -> Value {
        match parse_expr(data.span.file, text, data.span.start as usize + 1) {
            Ok(expr) => {
                let value = self.sized(&expr, &Scope::root(), ty, name, data.span);
                named(value, name)
            }
            Err(error) => self.fail(error),
        }
    }

    /// An expression's value, fitted to a type; a size that is a fraction is explained by its division.
    fn sized(&mut self, expr: &formwork_syntax::ast::Expr, scope: &Scope, ty: &Ty, name: &str, span: Span) -> Value {
        match (self.eval(expr, scope, ty), ty) {
            (Value::Ratio(..), Ty::Int) => self.not_whole(name, expr, scope),
            (value, ty) => self.coerce(value, ty, name, span),
        }
    }

    fn read_variant(
        &mut self,
        decl: &Rc<Enum>,
        word: &str,
        word_span: Span,
        entries: &[formwork_syntax::data::Entry],
        span: Span,
        name: &str,
    ) -> Value {
        let Some(variant) = decl.variants.iter().find(|v| v.name.text == word) else {
            return self.unknown_variant(decl, word, word_span);
        };
        let fields: Vec<Field> = decl.shared.iter().chain(&variant.fields).cloned().collect();
        let table = Data { kind: DataKind::Table(entries.to_vec()), span };
        let what = format!("`{name}` of kind `{word}`");
        match self.read_fields(&table, &fields, &["kind"], &what, name) {
            Some(fields) => Value::Variant(Rc::new(Variant { decl: decl.clone(), name: word.to_string(), fields })),
            None => Value::Unknown,
        }
    }

    fn read_fields(
        &mut self,
        table: &Data,
        decl: &[Field],
        reserved: &[&str],
        what: &str,
        name: &str,
    ) -> Option<Fields> {
        let mut ok = true;
        for entry in table.entries() {
            let known = decl.iter().any(|f| f.name.text == entry.key) || reserved.contains(&entry.key.as_str());
            if !known {
                ok = false;
                let names: Vec<&str> = decl.iter().map(|f| f.name.text.as_str()).collect();
                self.fail(
                    Diagnostic::new("unknown-key", entry.key_span, format!("{what} has no key `{}`", entry.key))
                        .label(if names.is_empty() {
                            "it takes no keys".into()
                        } else {
                            format!("known: {}", names.join(", "))
                        })
                        .maybe_help(did_you_mean(&entry.key, names.iter().copied())),
                );
            }
        }
        let scope = Scope::root();
        let mut out = Vec::new();
        for field in decl {
            let path = format!("{name}.{}", field.name.text);
            self.docs.insert(path.clone(), field.doc.clone());
            let ty = self.resolve(&field.ty);
            let value = match (table.get(&field.name.text), &field.default) {
                (Some(data), _) => {
                    let value = self.read_or_default(data, &ty, field.default.as_ref(), &path);
                    named(value, &path)
                }
                (None, Some(default)) => {
                    self.origins.insert(path.clone(), default.span);
                    let value = self.sized(default, &scope, &ty, &path, default.span);
                    named(value, &path)
                }
                (None, None) => self.fail(
                    Diagnostic::new("missing-key", table.span, format!("{what} needs `{}`", field.name.text))
                        .because(field.name.span, "declared here without a default"),
                ),
            };
            ok &= !matches!(value, Value::Unknown);
            scope.set(&field.name.text, value.clone());
            out.push((field.name.text.clone(), value));
        }
        ok.then_some(out)
    }
}

/// A file's value without a type.
pub(crate) fn plain(data: &Data) -> Value {
    match &data.kind {
        DataKind::Null => Value::Null,
        DataKind::Bool(b) => Value::Bool(*b),
        DataKind::Int(i) => Value::int(*i),
        DataKind::Float(f) => Value::float(*f),
        DataKind::Str(s) => Value::Str(s.as_str().into()),
        DataKind::List(items) => Value::List(Rc::new(items.iter().map(plain).collect())),
        DataKind::Table(entries) => {
            Value::Record(Rc::new(entries.iter().map(|e| (e.key.clone(), plain(&e.value))).collect()))
        }
    }
}
