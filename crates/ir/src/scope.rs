//! Names that are visible at a place.

use std::cell::RefCell;
use std::rc::Rc;

use crate::value::Value;

/// A chain of name tables; the innermost wins.
#[derive(Clone, Debug)]
pub(crate) struct Scope(Rc<Table>);

#[derive(Debug)]
struct Table {
    names: RefCell<Vec<(String, Value)>>,
    parent: Option<Scope>,
}

impl Scope {
    pub(crate) fn root() -> Self {
        Self(Rc::new(Table { names: RefCell::default(), parent: None }))
    }

    pub(crate) fn child(&self) -> Self {
        Self(Rc::new(Table { names: RefCell::default(), parent: Some(self.clone()) }))
    }

    pub(crate) fn get(&self, name: &str) -> Option<Value> {
        if let Some(value) = self.own(name) {
            return Some(value);
        }
        self.0.parent.as_ref()?.get(name)
    }

    fn own(&self, name: &str) -> Option<Value> {
        self.0.names.borrow().iter().rev().find(|(n, _)| n == name).map(|(_, v)| v.clone())
    }

    pub(crate) fn set(&self, name: &str, value: Value) {
        let mut names = self.0.names.borrow_mut();
        match names.iter_mut().find(|(n, _)| n == name) {
            Some(entry) => entry.1 = value,
            None => names.push((name.to_string(), value)),
        }
    }

    /// Every visible name, for "did you mean".
    pub(crate) fn names(&self) -> Vec<String> {
        let mut out: Vec<String> = self.0.names.borrow().iter().map(|(n, _)| n.clone()).collect();
        if let Some(parent) = &self.0.parent {
            out.extend(parent.names());
        }
        out
    }
}
