//! The static stage's machine: names, frames, errors and fuel. The stages of elaboration are `impl` blocks in the files beside.

use std::collections::BTreeMap;
use std::rc::Rc;

use formwork_diag::{Diagnostic, Diagnostics, FileId, Span, did_you_mean};
use formwork_ops::{Atom, Poly};
use formwork_syntax::ast::Family;

use crate::frame::Frame;
use crate::library::{Decl, Library, declare};
use crate::model::{ModelInput, Module, ModuleId, ValueId};
use crate::scope::Scope;
use crate::types::Ty;
use crate::value::{Callable, Tensor, Value};

/// Steps that one compilation may take; the static stage is total.
const FUEL: u64 = 500_000;
/// Deepest nesting of calls.
const MAX_CALLS: usize = 64;
/// Errors after which the rest is noise.
const MAX_ERRORS: usize = 50;

/// A family's parameter or derived value, evaluated on first use.
#[derive(Debug)]
pub(crate) enum Slot {
    Waiting,
    Running,
    Done(Value),
}

/// The state of one application of a family.
pub(crate) struct Elaborator<'a> {
    pub(crate) library: &'a Library,
    pub(crate) family: Option<Rc<Family>>,
    pub(crate) own: BTreeMap<String, Decl>,
    pub(crate) slots: BTreeMap<String, Slot>,
    /// Arguments given for the family's parameters.
    pub(crate) given: BTreeMap<String, Given>,
    /// Where each named size was set.
    pub(crate) origins: BTreeMap<String, Span>,
    /// The doc comment of each parameter and field.
    pub(crate) docs: BTreeMap<String, String>,
    /// Keys of a config under their names, while an `hf` section runs.
    pub(crate) config: Option<Scope>,
    /// The instance's or config's own file.
    pub(crate) home: Option<FileId>,
    pub(crate) errors: Diagnostics,
    pub(crate) frames: Vec<Frame>,
    pub(crate) modules: Vec<Module>,
    pub(crate) streams: Vec<(String, Tensor)>,
    pub(crate) inputs: Vec<ModelInput>,
    pub(crate) calls: Vec<String>,
    next_frame: u64,
    fuel: u64,
}

/// An argument for a parameter: a value of a file, or one that an `hf` section computed.
#[derive(Clone, Debug)]
pub(crate) enum Given {
    Data(formwork_syntax::data::Data),
    Value(Value, Span),
}

impl<'a> Elaborator<'a> {
    pub(crate) fn new(library: &'a Library, family: Option<Rc<Family>>) -> Self {
        let own = family.iter().flat_map(|f| f.shared.iter().cloned()).map(|s| (s.name().text.clone(), declare(s)));
        let mut slots = BTreeMap::new();
        if let Some(family) = &family {
            let names = family.params.iter().map(|p| &p.name).chain(family.lets.iter().map(|l| &l.name));
            slots.extend(names.map(|n| (n.text.clone(), Slot::Waiting)));
        }
        Self {
            library,
            own: own.collect(),
            family,
            slots,
            given: BTreeMap::new(),
            origins: BTreeMap::new(),
            docs: BTreeMap::new(),
            config: None,
            home: None,
            errors: Vec::new(),
            frames: Vec::new(),
            modules: Vec::new(),
            streams: Vec::new(),
            inputs: Vec::new(),
            calls: Vec::new(),
            next_frame: 0,
            fuel: FUEL,
        }
    }

    /// Reports and gives the value that silences what follows.
    pub(crate) fn fail(&mut self, diagnostic: Diagnostic) -> Value {
        let (diagnostic, moved) = self.at_home(diagnostic);
        let again = |e: &Diagnostic| moved && e.code == diagnostic.code && e.primary == diagnostic.primary;
        if self.errors.iter().any(again) {
            return Value::Unknown;
        }
        if self.errors.len() < MAX_ERRORS && !self.errors.contains(&diagnostic) {
            self.errors.push(diagnostic);
        }
        Value::Unknown
    }

    /// Points at the user's own file where it is the origin of a mistake that shows inside a library.
    fn at_home(&self, mut diagnostic: Diagnostic) -> (Diagnostic, bool) {
        let Some(home) = self.home else { return (diagnostic, false) };
        let own = diagnostic.secondary.iter().rposition(|l| l.span.file == home);
        match (diagnostic.primary.take(), own) {
            (Some(mut library), Some(at)) if library.span.file != home => {
                diagnostic.primary = Some(diagnostic.secondary.remove(at));
                if library.text.is_empty() {
                    library.text = "used here".into();
                }
                diagnostic.secondary.push(library);
                (diagnostic, true)
            }
            (primary, _) => {
                diagnostic.primary = primary;
                (diagnostic, false)
            }
        }
    }

    /// Takes a step; false when the spec's static stage runs too long.
    pub(crate) fn step(&mut self, span: Span) -> bool {
        self.steps(1, span)
    }

    /// Takes as many steps as values are made: memory is bounded with time.
    pub(crate) fn steps(&mut self, count: usize, span: Span) -> bool {
        if self.fuel == 0 {
            return false;
        }
        self.fuel = self.fuel.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
        if self.fuel == 0 {
            self.fail(Diagnostic::new("out-of-fuel", span, "the static stage does not come to an end"));
        }
        self.fuel > 0
    }

    /// Whether steps are left.
    pub(crate) fn has_fuel(&self) -> bool {
        self.fuel > 0
    }

    /// Enters a call; false when calls nest too deeply.
    pub(crate) fn enter(&mut self, name: &str, span: Span) -> bool {
        if self.calls.len() >= MAX_CALLS {
            let chain: Vec<String> = self.calls.iter().rev().take(4).rev().map(|c| format!("`{c}`")).collect();
            self.fail(
                Diagnostic::new("recursion", span, format!("`{name}` calls itself without end"))
                    .note(format!("the last calls: {} -> `{name}`", chain.join(" -> "))),
            );
            return false;
        }
        self.calls.push(name.to_string());
        true
    }

    pub(crate) fn leave(&mut self) {
        self.calls.pop();
    }

    pub(crate) fn decl(&self, name: &str) -> Option<&Decl> {
        self.own.get(name).or_else(|| self.library.decl(name))
    }

    /// The value of a name: local, then the family's, then shared declarations, then ops.
    pub(crate) fn lookup(&mut self, name: &str, span: Span, scope: &Scope) -> Value {
        if let Some(value) = scope.get(name) {
            return value;
        }
        if let Some(value) = self.family_value(name, span) {
            return value;
        }
        if let Some(value) = self.callable(name) {
            return Value::Callable(value);
        }
        let mut names = scope.names();
        names.extend(self.slots.keys().cloned());
        names.extend(self.own.keys().cloned());
        names.extend(self.library.decl_names().map(String::from));
        names.extend(formwork_ops::ALL.iter().map(|op| op.name.to_string()));
        names.extend(crate::builtins::NAMES.iter().map(|n| (*n).to_string()));
        self.fail(
            Diagnostic::new("unknown-name", span, format!("nothing here is called `{name}`"))
                .maybe_help(did_you_mean(name, names.iter().map(String::as_str))),
        )
    }

    pub(crate) fn callable(&self, name: &str) -> Option<Callable> {
        match self.decl(name) {
            Some(Decl::Block(it)) => return Some(Callable::Block(it.clone())),
            Some(Decl::Function(it)) => return Some(Callable::Function(it.clone())),
            Some(Decl::Record(it)) => return Some(Callable::Record(it.clone())),
            Some(Decl::Enum(_) | Decl::Ignore(_) | Decl::Keys(_)) | None => {}
        }
        if let Some(op) = formwork_ops::find(name) {
            return Some(Callable::Op(op));
        }
        crate::builtins::NAMES.iter().find(|n| **n == name).map(|n| Callable::Builtin(n))
    }

    /// The value of a parameter or `let` of the family, evaluated on first use.
    pub(crate) fn family_value(&mut self, name: &str, span: Span) -> Option<Value> {
        match self.slots.get_mut(name)? {
            Slot::Done(value) => return Some(value.clone()),
            Slot::Running => {
                let mut chain: Vec<String> =
                    self.calls.iter().filter(|c| self.slots.contains_key(*c)).cloned().collect();
                if let Some(first) = chain.iter().position(|c| c == name) {
                    chain.drain(..first);
                }
                chain.push(name.to_string());
                let shown: Vec<String> = chain.iter().map(|c| format!("`{c}`")).collect();
                let error = Diagnostic::new("cyclic-definition", span, format!("`{name}` is defined by itself"))
                    .note(format!("the cycle: {}", shown.join(" -> ")));
                return Some(self.fail(error));
            }
            slot @ Slot::Waiting => *slot = Slot::Running,
        }
        let family = self.family.clone()?;
        if !self.enter(name, span) {
            return Some(Value::Unknown);
        }
        let value = if let Some(param) = family.params.iter().find(|p| p.name.text == name) {
            self.param(param)
        } else if let Some(binding) = family.lets.iter().find(|l| l.name.text == name) {
            let value = self.eval(&binding.value, &Scope::root(), &Ty::Any);
            self.origins.entry(name.to_string()).or_insert(binding.value.span);
            crate::numbers::rename_opaque(value, name)
        } else {
            Value::Unknown
        };
        self.leave();
        self.slots.insert(name.to_string(), Slot::Done(value.clone()));
        Some(value)
    }

    pub(crate) fn begin_frame(&mut self, name: &str, doc: &str, path: &str, span: Span) {
        self.next_frame += 1;
        self.frames.push(Frame::new(self.next_frame, name, doc, path, span));
    }

    /// The current frame's id of a tensor, captured through every frame between.
    pub(crate) fn local(&mut self, tensor: &Tensor) -> Option<ValueId> {
        let home = self.frames.iter().position(|f| f.uid == tensor.frame)?;
        let mut id = tensor.id;
        for at in home + 1..self.frames.len() {
            let value = self.frames[at - 1].module.value(id).clone();
            id = self.frames[at].import(id, &value);
        }
        Some(id)
    }

    pub(crate) fn frame(&mut self) -> Option<&mut Frame> {
        self.frames.last_mut()
    }

    /// A tensor value of the current frame.
    pub(crate) fn tensor(&self, id: ValueId, span: Span) -> Value {
        match self.frames.last() {
            Some(frame) => Value::Tensor(Tensor { frame: frame.uid, id, ty: frame.module.value(id).ty.clone(), span }),
            None => Value::Unknown,
        }
    }

    pub(crate) fn add_module(&mut self, module: Module) -> ModuleId {
        self.modules.push(module);
        ModuleId(self.modules.len() - 1)
    }

    /// Adds to a diagnostic where each named size of a dimension was set.
    pub(crate) fn explain(&self, mut diagnostic: Diagnostic, dims: &[&Poly]) -> Diagnostic {
        let mut seen = Vec::new();
        for dim in dims {
            for atom in dim.atoms() {
                let Atom::Static { name, value } = atom else { continue };
                if seen.contains(name) {
                    continue;
                }
                seen.push(name.clone());
                if let Some(span) = self.origins.get(&**name) {
                    diagnostic = diagnostic.because(*span, format!("`{name}` = {value}"));
                }
            }
            if let (Some(value), true) = (dim.constant(), dim.atoms().count() > 1) {
                diagnostic = diagnostic.note(format!("{dim} = {value}"));
            }
        }
        diagnostic
    }
}
