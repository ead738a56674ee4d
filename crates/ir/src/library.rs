//! Declarations by name: the standard library, a family's own, and the families.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use formwork_diag::{Diagnostic, Diagnostics};
use formwork_syntax::ast::{Block, Enum, Family, File, Function, IgnoreSet, Item, KeySet, Name, Record, Shared};

/// A declaration that every family may use.
#[derive(Clone, Debug)]
pub(crate) enum Decl {
    Block(Rc<Block>),
    Function(Rc<Function>),
    Record(Rc<Record>),
    Enum(Rc<Enum>),
    Ignore(Rc<IgnoreSet>),
    Keys(Rc<KeySet>),
}

/// What a compilation knows by name.
#[derive(Clone, Debug, Default)]
pub struct Library {
    shared: BTreeMap<String, Decl>,
    families: BTreeMap<String, Rc<Family>>,
    parts: BTreeMap<String, Rc<Family>>,
    /// The families of a user's files by the model types that they claim: they come before shipped ones.
    preferred: BTreeMap<String, Name>,
}

impl Library {
    /// Adds a file's items; a name that is taken is reported, unless `shadow` lets a user's file replace a shipped one.
    pub fn add(&mut self, file: File, shadow: bool, errors: &mut Diagnostics) {
        let mut own: BTreeSet<String> = BTreeSet::new();
        for item in file.items {
            match item {
                Item::Family(family) => {
                    check_members(&family, errors);
                    let name = family.name.clone();
                    if shadow {
                        self.prefer(&family, errors);
                    }
                    let old = self.families.insert(name.text.clone(), Rc::new(family));
                    let first = own.insert(format!("family {}", name.text));
                    if let (Some(old), false) = (old, shadow && first) {
                        errors.push(duplicate("family", &name.text, name.span, old.name.span));
                    }
                }
                Item::Part(part) => {
                    check_members(&part, errors);
                    errors.extend(part.hf.iter().flat_map(|hf| hf.model_types.first()).map(|name| {
                        Diagnostic::new("unsupported", name.span, "a part reads no configs")
                            .help("put rules that several families share into a set: `keys name { .. }`")
                    }));
                    let name = part.name.clone();
                    let old = self.parts.insert(name.text.clone(), Rc::new(part));
                    let first = own.insert(format!("part {}", name.text));
                    if let (Some(old), false) = (old, shadow && first) {
                        errors.push(duplicate("part", &name.text, name.span, old.name.span));
                    }
                }
                Item::Shared(shared) => {
                    let name = shared.name().clone();
                    let old = self.shared.insert(name.text.clone(), declare(shared));
                    let first = own.insert(name.text.clone());
                    if let (Some(old), false) = (old, shadow && first) {
                        errors.push(duplicate("declaration", &name.text, name.span, old.span()));
                    }
                }
            }
        }
    }

    /// Puts a user's family before others that claim its model types.
    fn prefer(&mut self, family: &Family, errors: &mut Diagnostics) {
        for ty in family.hf.iter().flat_map(|hf| &hf.model_types) {
            let old = self.preferred.insert(ty.text.clone(), family.name.clone());
            if let Some(old) = old.filter(|old| old.text != family.name.text) {
                errors.push(duplicate("model type", &ty.text, ty.span, old.span));
            }
        }
    }

    /// Gives every family the members of the parts that it includes, and of the part that all have; to be called when all files are
    /// added.
    pub fn link(&mut self, errors: &mut Diagnostics) {
        for family in self.families.values_mut() {
            *family = Rc::new(crate::parts::whole(family, &self.parts, errors));
        }
    }

    /// A family.
    pub fn family(&self, name: &str) -> Option<&Rc<Family>> {
        self.families.get(name)
    }

    /// Every family, by name.
    pub fn families(&self) -> impl Iterator<Item = &Rc<Family>> {
        self.families.values()
    }

    /// The family whose `hf` section claims a `model_type`: a user's before a shipped one.
    pub fn family_of_model_type(&self, model_type: &str) -> Option<&Rc<Family>> {
        let claims = |f: &&Rc<Family>| f.hf.iter().flat_map(|hf| &hf.model_types).any(|t| t.text == model_type);
        let preferred = self.preferred.get(model_type).and_then(|name| self.family(&name.text));
        preferred.filter(claims).or_else(|| self.families().find(claims))
    }

    /// Every claimed `model_type`.
    pub fn model_types(&self) -> Vec<&str> {
        let types = self.families().flat_map(|f| &f.hf).flat_map(|hf| &hf.model_types);
        types.map(|t| t.text.as_str()).collect()
    }

    pub(crate) fn decl(&self, name: &str) -> Option<&Decl> {
        self.shared.get(name)
    }

    pub(crate) fn decls(&self) -> impl Iterator<Item = &Decl> {
        self.shared.values()
    }

    pub(crate) fn decl_names(&self) -> impl Iterator<Item = &str> {
        self.shared.keys().map(String::as_str)
    }
}

impl Decl {
    pub(crate) fn span(&self) -> formwork_diag::Span {
        match self {
            Self::Block(it) => it.name.span,
            Self::Function(it) => it.name.span,
            Self::Record(it) => it.name.span,
            Self::Enum(it) => it.name.span,
            Self::Ignore(it) => it.name.span,
            Self::Keys(it) => it.name.span,
        }
    }
}

pub(crate) fn declare(shared: Shared) -> Decl {
    match shared {
        Shared::Block(it) => Decl::Block(Rc::new(it)),
        Shared::Function(it) => Decl::Function(Rc::new(it)),
        Shared::Record(it) => Decl::Record(Rc::new(it)),
        Shared::Enum(it) => Decl::Enum(Rc::new(it)),
        Shared::Ignore(it) => Decl::Ignore(Rc::new(it)),
        Shared::Keys(it) => Decl::Keys(Rc::new(it)),
    }
}

fn duplicate(what: &str, name: &str, here: formwork_diag::Span, first: formwork_diag::Span) -> Diagnostic {
    Diagnostic::new("duplicate-name", here, format!("{what} `{name}` is declared twice")).because(first, "first here")
}

fn check_members(family: &Family, errors: &mut Diagnostics) {
    let params = family.params.iter().map(|p| &p.name);
    let lets = family.lets.iter().map(|l| &l.name);
    let models = family.models.iter().map(|m| &m.name);
    let shared = family.shared.iter().map(Shared::name);
    let mut seen: BTreeMap<&str, formwork_diag::Span> = BTreeMap::new();
    for name in params.chain(lets).chain(models).chain(shared) {
        if let Some(first) = seen.insert(&name.text, name.span) {
            errors.push(duplicate("member", &name.text, name.span, first));
        }
    }
}
