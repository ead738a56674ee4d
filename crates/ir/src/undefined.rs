//! Names that nothing declares, in blocks and branches that an instance does not reach.
//!
//! Elaboration looks up what it evaluates. A block that no entry point calls, or a branch that this instance does not take, would
//! keep its mistakes until another instance meets them.

use std::collections::BTreeSet;

use formwork_diag::{Diagnostic, did_you_mean};
use formwork_syntax::ast::{
    Block, BlockParam, Body, Expr, ExprKind, Family, Name, PatternKind, Statement, Type, TypeKind,
};

use crate::library::{Decl, Library};

/// One error for each name in the family's own blocks and functions, and in those of its file, that nothing declares.
pub(crate) fn check(family: &Family, library: &Library) -> Vec<Diagnostic> {
    let mut it = Names { known: known(family, library), scopes: Vec::new(), found: Vec::new() };
    let file = family.name.span.file;
    for block in family.models.iter().filter(|block| block.name.span.file == file) {
        it.block(block);
    }
    for shared in family.shared.iter().filter(|shared| shared.name().span.file == file) {
        it.decl(&crate::library::declare(shared.clone()));
    }
    for decl in library.decls().filter(|decl| decl.span().file == file) {
        it.decl(decl);
    }
    it.found
}

/// What every body of the family may name without binding it.
fn known(family: &Family, library: &Library) -> BTreeSet<String> {
    let mut out = BTreeSet::from(["once".to_string()]);
    out.extend(family.params.iter().map(|p| p.name.text.clone()));
    out.extend(family.lets.iter().map(|l| l.name.text.clone()));
    out.extend(formwork_ops::ALL.iter().map(|op| op.name.to_string()));
    out.extend(crate::builtins::NAMES.iter().map(|name| (*name).to_string()));
    let own: Vec<Decl> = family.shared.iter().cloned().map(crate::library::declare).collect();
    out.extend(family.shared.iter().map(|shared| shared.name().text.clone()));
    out.extend(library.decl_names().map(String::from));
    for decl in own.iter().chain(library.decls()) {
        if let Decl::Enum(it) = decl {
            out.extend(it.variants.iter().map(|variant| variant.name.text.clone()));
        }
    }
    out
}

/// A walk over bodies with the names that are bound at each place.
struct Names {
    known: BTreeSet<String>,
    scopes: Vec<Vec<String>>,
    found: Vec<Diagnostic>,
}

impl Names {
    fn decl(&mut self, decl: &Decl) {
        match decl {
            Decl::Block(it) => self.block(it),
            Decl::Function(it) => self.within(&it.params, &it.body),
            Decl::Record(_) | Decl::Enum(_) | Decl::Ignore(_) | Decl::Keys(_) => {}
        }
    }

    fn block(&mut self, block: &Block) {
        self.within(&block.params, &block.body);
    }

    /// A body below its parameters, whose types bind the sizes that they name.
    fn within(&mut self, params: &[BlockParam], body: &Body) {
        let mut scope: Vec<String> = params.iter().map(|p| p.name.text.clone()).collect();
        for param in params {
            scope.extend(param.ty.iter().flat_map(sizes));
        }
        self.scopes.push(scope);
        for default in params.iter().filter_map(|p| p.default.as_ref()) {
            self.expr(default);
        }
        self.body(body);
        self.scopes.pop();
    }

    fn body(&mut self, body: &Body) {
        self.scopes.push(Vec::new());
        for statement in &body.statements {
            match statement {
                Statement::Bind(names, value) => {
                    self.expr(value);
                    self.bind(names);
                }
                Statement::Repeat(it) => {
                    self.expr(&it.start);
                    self.expr(&it.end);
                    self.scopes.push(vec![it.index.text.clone()]);
                    for value in &it.values {
                        self.expr(&value.value);
                        self.bind(std::slice::from_ref(&value.name));
                    }
                    self.body(&it.body);
                    self.scopes.pop();
                }
                Statement::Require(require) => self.expr(&require.condition),
                Statement::Probe(name, _) => self.name(&name.text, name.span),
            }
        }
        if let Some(result) = &body.result {
            self.expr(result);
        }
        self.scopes.pop();
    }

    fn bind(&mut self, names: &[Name]) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.extend(names.iter().map(|name| name.text.clone()));
        }
    }

    fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Name(name) => self.name(name, expr.span),
            ExprKind::List(items) | ExprKind::Tuple(items) => items.iter().for_each(|item| self.expr(item)),
            ExprKind::Record(fields) => fields.iter().for_each(|(_, value)| self.expr(value)),
            ExprKind::Negate(a) | ExprKind::Not(a) | ExprKind::Field(a, _) | ExprKind::Scope(a, _) => self.expr(a),
            ExprKind::Binary(_, a, b) | ExprKind::Index(a, b) => {
                self.expr(a);
                self.expr(b);
            }
            ExprKind::Call(callee, arguments) => {
                self.expr(callee);
                arguments.iter().for_each(|argument| self.expr(&argument.value));
            }
            ExprKind::If(condition, then, otherwise) => {
                self.expr(condition);
                self.body(then);
                if let Some(otherwise) = otherwise {
                    self.body(otherwise);
                }
            }
            ExprKind::Match(scrutinee, arms) => {
                self.expr(scrutinee);
                for arm in arms {
                    let bound = arm.patterns.iter().flat_map(|pattern| match &pattern.kind {
                        PatternKind::Variant(_, fields) => fields.as_slice(),
                        PatternKind::Wildcard | PatternKind::Literal(_) => &[],
                    });
                    self.scopes.push(bound.map(|name| name.text.clone()).collect());
                    self.body(&arm.body);
                    self.scopes.pop();
                }
            }
            ExprKind::Lambda(params, body) => {
                self.scopes.push(params.iter().map(|name| name.text.clone()).collect());
                self.body(body);
                self.scopes.pop();
            }
            ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Str(_) | ExprKind::Bool(_) | ExprKind::Null => {}
        }
    }

    fn name(&mut self, name: &str, span: formwork_diag::Span) {
        let symbol = name.starts_with(|c: char| c.is_ascii_uppercase());
        let bound = self.scopes.iter().flatten().any(|bound| bound == name);
        if symbol || bound || self.known.contains(name) {
            return;
        }
        let near = self.scopes.iter().flatten().chain(&self.known).map(String::as_str);
        let error = Diagnostic::new("unknown-name", span, format!("nothing here is called `{name}`"));
        let help = if name.len() > 1 { did_you_mean(name, near) } else { None };
        self.found.push(error.maybe_help(help));
    }
}

/// The sizes that a tensor's type names.
fn sizes(ty: &Type) -> Vec<String> {
    let (TypeKind::Tensor(dims) | TypeKind::Ids(dims)) = &ty.kind else { return Vec::new() };
    let name = |dim: &Expr| if let ExprKind::Name(name) = &dim.kind { Some(name.clone()) } else { None };
    dims.iter().filter_map(name).collect()
}
