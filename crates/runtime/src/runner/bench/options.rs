//! The options of `bench`.

use std::collections::BTreeMap;
use std::ffi::OsString;

use formwork_tensor::Result;

use super::super::args::{number, usage};
use super::plan::{Plan, once};
use super::work::{self, Work};

/// Rounds unless told.
const ROUNDS: usize = 5;

/// The options of `bench`, as given.
pub(in super::super) struct Bench {
    plan: Plan,
    pub(super) threads: Vec<usize>,
    pub(super) repeat: usize,
    pub(super) json: bool,
    pub(super) work: BTreeMap<String, Work>,
}

impl Default for Bench {
    fn default() -> Self {
        Self { plan: Plan::default(), threads: Vec::new(), repeat: ROUNDS, json: false, work: BTreeMap::new() }
    }
}

impl Bench {
    /// Options that `set` takes.
    pub(in super::super) const NAMES: [&'static str; 7] = ["pp", "tg", "depth", "batch", "threads", "repeat", "work"];

    /// Takes an option with a value.
    pub(in super::super) fn set(&mut self, name: &str, value: &OsString) -> Result<()> {
        match name {
            "pp" => self.plan.pp = numbers(name, value)?,
            "tg" => self.plan.tg = numbers(name, value)?,
            "depth" => self.plan.depth = numbers(name, value)?,
            "batch" => self.plan.batch = numbers(name, value)?,
            "threads" => self.threads = once(&numbers(name, value)?),
            "repeat" => self.repeat = rounds(number(name, value)?)?,
            _ => self.work = work::parse(&value.to_string_lossy())?,
        }
        Ok(())
    }

    /// Sequences of lengths that differ.
    pub(in super::super) fn mixed(&mut self) {
        self.plan.mixed = true;
    }

    /// Prints JSON.
    pub(in super::super) fn json(&mut self) {
        self.json = true;
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }
}

fn rounds(count: usize) -> Result<usize> {
    if count > 0 { Ok(count) } else { Err(usage("--repeat is 1 or more")) }
}

/// Numbers between commas.
fn numbers(name: &str, value: &OsString) -> Result<Vec<usize>> {
    let text = value.to_string_lossy();
    text.split(',').map(|word| number(name, &OsString::from(word.trim()))).collect()
}
