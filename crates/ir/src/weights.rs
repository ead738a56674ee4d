//! The weight section: how a parameter's path finds its tensor in a checkpoint.

use formwork_diag::{Diagnostic, Span, nearest};
use formwork_syntax::ast::{BinaryOp, Expr, ExprKind, Family, WeightRule};

use crate::elaborate::Elaborator;
use crate::model::Model;
use crate::params::{ParamEntry, parameters};
use crate::pattern::{captures, expand, matches};
use crate::scope::Scope;
use crate::types::Ty;
use crate::value::Value;

/// A family's weight section, evaluated.
#[derive(Clone, Debug, Default)]
pub struct WeightMap {
    /// Prefixes that names in a checkpoint may carry or lack.
    pub prefixes: Vec<String>,
    /// Rules; the first whose target matches a parameter's path decides.
    pub rules: Vec<Mapping>,
    /// Patterns of tensors that may be present and unused.
    pub ignore: Vec<String>,
}

/// One rule.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// Pattern of a parameter's path.
    pub target: String,
    /// Where its value comes from.
    pub source: Source,
    /// Where the rule stands.
    pub span: Span,
}

/// Where a parameter's value comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// A tensor of the checkpoint.
    Name(String),
    /// Rows and columns exchanged.
    Transpose(Box<Source>),
    /// Some rows.
    Rows(Box<Source>, usize, usize),
    /// Some columns.
    Columns(Box<Source>, usize, usize),
    /// Several, one below the other.
    Concat(Vec<Source>),
    /// One for each index, stacked on a new first axis.
    Stack(Box<Source>, String, usize),
    /// The same elements in another shape.
    Reshape(Box<Source>, Vec<usize>),
    /// Rows of rotary pairs in halves instead of interleaved, head by head.
    PermuteRope(Box<Source>, usize),
    /// Each element plus a number.
    Add(Box<Source>, f64),
    /// Each element's negated exponential.
    NegExp(Box<Source>),
    /// Zeros of a shape, which no checkpoint need hold.
    Zeros(Vec<usize>),
    /// Sines, then cosines, of each row's number at frequencies `10000^(-2i/d)`; no checkpoint need hold them.
    Sinusoids(usize, usize),
    /// The first that the checkpoint holds.
    FirstOf(Vec<Source>),
}

impl WeightMap {
    /// The rule that decides about a path.
    pub fn rule(&self, path: &str) -> Option<&Mapping> {
        self.rules.iter().find(|rule| matches(&rule.target, path))
    }

    /// The other parameter whose storage a path shares, if its rule names one (the last alternative counts).
    pub fn shared_with(&self, path: &str) -> Option<String> {
        let rule = self.rule(path)?;
        let bound = captures(&rule.target, path)?;
        let name = match &rule.source {
            Source::Name(name) => name,
            Source::FirstOf(alternatives) => match alternatives.last() {
                Some(Source::Name(name)) => name,
                _ => return None,
            },
            _ => return None,
        };
        let name = expand(name, &bound);
        (name != path).then_some(name)
    }
}

impl Elaborator<'_> {
    pub(crate) fn weight_map(&mut self, family: &Family) -> WeightMap {
        let mut map = WeightMap::default();
        let scope = Scope::root();
        for rule in &family.weights {
            self.weight_rule(rule, &scope, &mut map);
        }
        map
    }

    /// Adds a rule to a map.
    pub(crate) fn weight_rule(&mut self, rule: &WeightRule, scope: &Scope, map: &mut WeightMap) {
        match rule {
            WeightRule::Prefix(prefix) => map.prefixes.push(prefix.text.clone()),
            WeightRule::Ignore { patterns, .. } => map.ignore.extend(patterns.iter().map(|p| p.text.clone())),
            WeightRule::Map { target, source, condition } => {
                let applies = condition.as_ref().is_none_or(|condition| self.holds(condition, scope));
                if applies && let Some(source) = self.source(source, scope) {
                    map.rules.push(Mapping { target: target.text.clone(), source, span: target.span });
                }
            }
        }
    }

    fn holds(&mut self, condition: &Expr, scope: &Scope) -> bool {
        match self.eval(condition, scope, &Ty::Bool) {
            Value::Bool(flag) => flag,
            other => {
                self.operand_error("if", &other, condition.span);
                false
            }
        }
    }

    fn source(&mut self, expr: &Expr, scope: &Scope) -> Option<Source> {
        match &expr.kind {
            ExprKind::Str(name) => Some(Source::Name(name.clone())),
            ExprKind::Binary(BinaryOp::Coalesce, a, b) => {
                let (a, b) = (self.source(a, scope)?, self.source(b, scope)?);
                let list = |s| if let Source::FirstOf(list) = s { list } else { vec![s] };
                Some(Source::FirstOf(list(a).into_iter().chain(list(b)).collect()))
            }
            ExprKind::Call(callee, arguments) => {
                let ExprKind::Name(op) = &callee.kind else { return self.bad_source(expr) };
                let mut sources = Vec::new();
                let mut sizes = Vec::new();
                let mut numbers = Vec::new();
                for argument in arguments {
                    if is_source(&argument.value) {
                        sources.push(self.source(&argument.value, scope)?);
                        continue;
                    }
                    let value = self.eval(&argument.value, scope, &Ty::Any);
                    let items = if let Value::List(items) = &value { items.to_vec() } else { vec![value] };
                    for item in items {
                        if matches!(item, Value::Unknown) {
                            return None;
                        }
                        let Some(number) = item.as_f64() else { return self.bad_source(&argument.value) };
                        numbers.push(number);
                        if let Value::Int(p) = item {
                            let Some(size) = p.constant().and_then(|p| usize::try_from(p).ok()) else {
                                return self.bad_source(&argument.value);
                            };
                            sizes.push(size);
                        }
                    }
                }
                mapping_op(op, sources, &sizes, &numbers).or_else(|| self.bad_source(expr))
            }
            _ => self.bad_source(expr),
        }
    }

    fn bad_source(&mut self, expr: &Expr) -> Option<Source> {
        self.fail(
            Diagnostic::new("bad-weight-source", expr.span, "this is not a mapping of weights")
                .help("a name, `transpose(x)`, `rows(x, start, len)`, `columns(x, start, len)`, `concat(x, y)`, `stack(x, n)`, `reshape(x, [..])`, `permute_rope(x, heads)`, `add(x, 1.0)`, `neg_exp(x)`, `zeros([..])`, `sinusoids(rows, d)`, or `x ?? y`"),
        );
        None
    }

    /// No two parameters with one path, no rule without a target, no tie between different shapes.
    pub(crate) fn check_parameters(&mut self, model: &Model) {
        let params = parameters(model);
        for (at, param) in params.iter().enumerate() {
            if let Some(first) = params[..at].iter().find(|p| p.overlaps(param)) {
                self.fail(
                    Diagnostic::new(
                        "duplicate-weight",
                        param.span,
                        format!("two parameters are called `{}`", param.path),
                    )
                    .because(first.span, "the other one"),
                );
            }
            self.check_tie(param, &params, model);
        }
        for rule in &model.weights.rules {
            if !params.iter().any(|p| matches(&rule.target, &p.path)) {
                let literal: String = rule.target.clone();
                let near = nearest(&literal, params.iter().map(|p| p.path.as_str()));
                let help = near.first().map(|n| format!("did you mean \"{n}\"?"));
                let task = model.task.clone();
                let error = Diagnostic::new(
                    "unused-weight-rule",
                    rule.span,
                    format!("no parameter of `{task}` matches \"{}\"", rule.target),
                );
                if self.family.as_ref().is_none_or(|f| f.models.len() == 1) {
                    self.fail(error.maybe_help(help));
                }
            }
        }
    }

    fn check_tie(&mut self, param: &ParamEntry, params: &[ParamEntry], model: &Model) {
        let Some(other) = model.weights.shared_with(&param.path) else { return };
        let Some(other) = params.iter().find(|p| p.path == other) else { return };
        let same =
            other.shape.len() == param.shape.len() && other.shape.iter().zip(&param.shape).all(|(a, b)| a.same(b));
        if !same {
            let span = model.weights.rule(&param.path).map_or(param.span, |r| r.span);
            let error = Diagnostic::new(
                "tie-shape",
                span,
                format!("`{}` {} is tied to `{}` {}", param.path, param.shape_text(), other.path, other.shape_text()),
            )
            .because(param.span, "one parameter")
            .because(other.span, "the other");
            self.fail(error);
        }
    }
}

fn is_source(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Str(_) => true,
        ExprKind::Binary(BinaryOp::Coalesce, a, _) => is_source(a),
        ExprKind::Call(callee, _) => matches!(&callee.kind, ExprKind::Name(name) if OPS.contains(&name.as_str())),
        _ => false,
    }
}

const OPS: &[&str] = &[
    "transpose",
    "rows",
    "columns",
    "concat",
    "stack",
    "reshape",
    "permute_rope",
    "add",
    "neg_exp",
    "zeros",
    "sinusoids",
];

fn mapping_op(op: &str, mut sources: Vec<Source>, sizes: &[usize], numbers: &[f64]) -> Option<Source> {
    match (op, sizes) {
        ("concat", []) => return Some(Source::Concat(sources)),
        ("zeros", [_, ..]) if sources.is_empty() => return Some(Source::Zeros(sizes.to_vec())),
        ("sinusoids", [rows, d]) if sources.is_empty() && d % 2 == 0 => return Some(Source::Sinusoids(*rows, *d)),
        _ => {}
    }
    if sources.len() != 1 {
        return None;
    }
    let source = Box::new(sources.remove(0));
    Some(match (op, sizes) {
        ("transpose", []) => Source::Transpose(source),
        ("rows", [start, len]) => Source::Rows(source, *start, *len),
        ("columns", [start, len]) => Source::Columns(source, *start, *len),
        ("stack", [count]) => Source::Stack(source, "e".into(), *count),
        ("reshape", shape @ [_, ..]) => Source::Reshape(source, shape.to_vec()),
        ("permute_rope", [heads]) => Source::PermuteRope(source, *heads),
        ("neg_exp", []) => Source::NegExp(source),
        ("add", _) => Source::Add(source, *numbers.first()?),
        _ => return None,
    })
}
