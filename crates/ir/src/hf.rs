//! Reading a Hugging Face config through a family's `hf` section: every key is mapped, required, or ignored with a reason.

use std::cell::RefCell;
use std::rc::Rc;

use formwork_diag::{Diagnostic, FileId, Label, Span, did_you_mean, nearest};
use formwork_syntax::ast::{Expr, ExprKind, Family, Hf, HfRule, IgnoreKeys};
use formwork_syntax::data::{Data, DataKind};

use crate::elaborate::{Elaborator, Given};
use crate::library::Decl;
use crate::scope::Scope;
use crate::types::Ty;
use crate::value::{Object, Value};

/// Marks keys of a shared set, which hold for the configs inside a config too.
const ANY_DEPTH: &str = "*.";

type Read = Rc<RefCell<Vec<String>>>;

/// A config's value; objects remember what is read of them.
pub(crate) fn value_of(data: &Data, path: &str, read: &Read) -> Value {
    match &data.kind {
        DataKind::Table(_) => {
            Value::Object(Rc::new(Object { data: data.clone(), path: path.to_string(), read: read.clone() }))
        }
        DataKind::List(items) => Value::List(Rc::new(items.iter().map(|item| value_of(item, path, read)).collect())),
        _ => crate::data_in::plain(data),
    }
}

/// The entry point that `architectures` names, if the section knows it.
pub(crate) fn task_of(hf: &Hf, config: &Data) -> Option<String> {
    let classes: Vec<&str> = match config.get("architectures").map(|d| &d.kind) {
        Some(DataKind::List(items)) => items.iter().filter_map(Data::as_str).collect(),
        _ => Vec::new(),
    };
    hf.rules.iter().find_map(|rule| match rule {
        HfRule::Task { classes: known, model } if known.iter().any(|k| classes.contains(&k.text.as_str())) => {
            Some(model.text.clone())
        }
        _ => None,
    })
}

impl Elaborator<'_> {
    /// Runs the section that claims the config's `model_type`: its results become the family's arguments.
    pub(crate) fn read_config(&mut self, family: &Rc<Family>, config: &Data) {
        let model_type = config.get("model_type").and_then(Data::as_str).unwrap_or_default();
        let Some(hf) = family.hf.iter().find(|hf| hf.model_types.iter().any(|t| t.text == model_type)) else { return };
        let rules = self.expand(&hf.rules, &[]);
        let read: Read = Rc::default();
        let scope = Scope::root();
        for rule in &rules {
            for key in keys_of(rule) {
                let value = config.get(&key).map_or(Value::Null, |data| value_of(data, &key, &read));
                scope.set(&key, value);
                read.borrow_mut().push(key);
            }
        }
        self.config = Some(scope.clone());
        for rule in &rules {
            match rule {
                HfRule::Map { value, param } => self.map_key(family, config, value, &param.text, param.span, &scope),
                HfRule::Require(require) => self.require(require, &scope),
                HfRule::Task { .. } | HfRule::Ignore(_) | HfRule::Include(_) => {}
            }
        }
        self.config = None;
        let ignored = self.ignored(&rules);
        self.check_unread(config, "", &read.borrow(), &ignored, hf);
        self.check_missing(family, config);
    }

    fn map_key(&mut self, family: &Rc<Family>, config: &Data, value: &Expr, param: &str, span: Span, scope: &Scope) {
        let Some(field) = family.params.iter().find(|p| p.name.text == param) else {
            let names = family.params.iter().map(|p| p.name.text.as_str());
            self.fail(
                Diagnostic::new(
                    "unknown-param",
                    span,
                    format!("family `{}` has no parameter `{param}`", family.name.text),
                )
                .maybe_help(did_you_mean(param, names)),
            );
            return;
        };
        let ty = self.resolve(&field.ty);
        let before = self.errors.len();
        let result = self.eval(value, scope, &ty);
        let place = names_in(value).iter().rev().find_map(|name| config.get(name)).map_or(value.span, |data| data.span);
        for error in &mut self.errors[before..] {
            read_at(error, place);
        }
        match result {
            Value::Null if field.default.is_some() && !matches!(ty, Ty::Optional(_)) => {}
            Value::Null if !matches!(ty, Ty::Optional(_)) => {
                let keys: Vec<String> = names_in(value).iter().map(|name| format!("`{name}`")).collect();
                let keys = keys.join(" or ");
                let gives =
                    if keys == format!("`{param}`") { String::new() } else { format!(", which gives `{param}`") };
                let what = format!("the config has no {keys}{gives}");
                self.fail(
                    Diagnostic::new("missing-key", start_of(config.span.file), what).because(value.span, "read here"),
                );
                self.given.insert(param.to_string(), Given::Value(Value::Unknown, place));
            }
            result => {
                self.given.insert(param.to_string(), Given::Value(result, place));
            }
        }
    }

    /// Rules with every included key set in place of its name, less those for parameters that an outer rule maps.
    fn expand(&mut self, rules: &[HfRule], outer: &[String]) -> Vec<HfRule> {
        let mapped = rules
            .iter()
            .filter_map(|rule| if let HfRule::Map { param, .. } = rule { Some(param.text.clone()) } else { None });
        let taken: Vec<String> = outer.iter().cloned().chain(mapped).collect();
        let mut out = Vec::new();
        for rule in rules {
            match rule {
                HfRule::Map { param, .. } if outer.contains(&param.text) => {}
                HfRule::Include(name) => match self.decl(&name.text).cloned() {
                    Some(Decl::Keys(set)) if self.enter(&name.text, name.span) => {
                        out.extend(self.expand(&set.rules, &taken));
                        self.leave();
                    }
                    Some(Decl::Keys(_)) => {}
                    _ => out.push(rule.clone()),
                },
                rule => out.push(rule.clone()),
            }
        }
        out
    }

    fn ignored(&mut self, rules: &[HfRule]) -> Vec<String> {
        let mut out: Vec<String> = ["model_type", "architectures"].map(String::from).to_vec();
        let add = |out: &mut Vec<String>, keys: &IgnoreKeys| out.extend(keys.keys.iter().map(|k| k.text.clone()));
        for rule in rules {
            match rule {
                HfRule::Ignore(keys) => add(&mut out, keys),
                HfRule::Include(name) => match self.decl(&name.text).cloned() {
                    Some(Decl::Ignore(set)) => {
                        let keys = set.keys.iter().flat_map(|keys| &keys.keys);
                        out.extend(keys.flat_map(|k| [k.text.clone(), format!("{ANY_DEPTH}{}", k.text)]));
                    }
                    _ => {
                        self.fail(Diagnostic::new(
                            "unknown-name",
                            name.span,
                            format!("no set of keys is called `{}`", name.text),
                        ));
                    }
                },
                HfRule::Map { .. } | HfRule::Require(_) | HfRule::Task { .. } => {}
            }
        }
        out
    }

    /// A key that no rule reads and no list ignores may change the maths: it is an error.
    fn check_unread(&mut self, data: &Data, prefix: &str, read: &[String], ignored: &[String], hf: &Hf) {
        for entry in data.entries() {
            let path = if prefix.is_empty() { entry.key.clone() } else { format!("{prefix}.{}", entry.key) };
            let nested = !prefix.is_empty() && ignored.contains(&format!("{ANY_DEPTH}{}", entry.key));
            if nested || ignored.contains(&path) {
                continue;
            }
            let known = read.contains(&path);
            let opened = read.iter().any(|r| r.starts_with(&format!("{path}.")));
            if known && opened {
                self.check_unread(&entry.value, &path, read, ignored, hf);
            } else if !known {
                let near = nearest(&path, read.iter().map(String::as_str));
                let names: Vec<&str> = hf.model_types.iter().map(|t| t.text.as_str()).collect();
                let mut error = Diagnostic::new(
                    "unread-config-key",
                    entry.key_span,
                    format!("nothing reads the config key `{path}`"),
                )
                .label("it may change the maths")
                .note(format!("the `hf` section of {} neither maps it nor ignores it", names.join(", ")));
                if let Some(near) = near.iter().find(|near| !path.starts_with(**near)) {
                    error = error.help(format!("did you mean `{near}`?"));
                }
                self.fail(error);
            }
        }
    }

    fn check_missing(&mut self, family: &Rc<Family>, config: &Data) {
        for param in &family.params {
            if param.default.is_none() && !self.given.contains_key(&param.name.text) {
                let what = format!("the config does not give `{}`", param.name.text);
                self.fail(
                    Diagnostic::new("missing-key", start_of(config.span.file), what)
                        .because(param.name.span, "the family needs it"),
                );
            }
        }
    }
}

/// Moves an error of a rule to the config's value that it read; the rule's place becomes the second one.
fn read_at(error: &mut Diagnostic, place: Span) {
    let Some(rule) = error.primary.take() else { return };
    if rule.span.file == place.file {
        error.primary = Some(rule);
        return;
    }
    let label = if rule.text.is_empty() { "by this rule".to_string() } else { rule.text };
    error.secondary.insert(0, Label { span: rule.span, text: label });
    error.primary = Some(Label { span: place, text: "while reading this".into() });
}

/// Config keys that a rule mentions.
pub(crate) fn keys_of(rule: &HfRule) -> Vec<String> {
    match rule {
        HfRule::Map { value, .. } => names_in(value),
        HfRule::Require(require) => names_in(&require.condition),
        HfRule::Task { .. } | HfRule::Ignore(_) | HfRule::Include(_) => Vec::new(),
    }
}

/// Every name of an expression that is not called.
fn names_in(expr: &Expr) -> Vec<String> {
    let mut out = Vec::new();
    let mut stack = vec![expr];
    while let Some(expr) = stack.pop() {
        match &expr.kind {
            ExprKind::Name(name) => out.push(name.clone()),
            ExprKind::List(items) | ExprKind::Tuple(items) => stack.extend(items),
            ExprKind::Record(fields) => stack.extend(fields.iter().map(|(_, v)| v)),
            ExprKind::Negate(a) | ExprKind::Not(a) | ExprKind::Field(a, _) | ExprKind::Scope(a, _) => stack.push(a),
            ExprKind::Binary(_, a, b) | ExprKind::Index(a, b) => stack.extend([&**a, &**b]),
            ExprKind::Call(callee, arguments) => {
                if !matches!(callee.kind, ExprKind::Name(_)) {
                    stack.push(callee);
                }
                stack.extend(arguments.iter().map(|a| &a.value));
            }
            ExprKind::If(condition, then, otherwise) => {
                stack.push(condition);
                stack.extend(then.result.as_deref());
                stack.extend(otherwise.as_ref().and_then(|b| b.result.as_deref()));
            }
            ExprKind::Match(scrutinee, arms) => {
                stack.push(scrutinee);
                stack.extend(arms.iter().filter_map(|a| a.body.result.as_deref()));
            }
            ExprKind::Lambda(params, body) => {
                let inner = body.result.as_deref().map(names_in).unwrap_or_default();
                out.extend(inner.into_iter().filter(|n| !params.iter().any(|p| p.text == *n)));
            }
            ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Str(_) | ExprKind::Bool(_) | ExprKind::Null => {}
        }
    }
    out
}

/// A place in a file that has no better one.
pub(crate) fn start_of(file: FileId) -> Span {
    Span::new(file, 0, 1)
}
