//! The options of `bench`.

use std::collections::BTreeMap;
use std::ffi::OsString;

use formwork_tensor::Result;

use super::super::args::{number, usage};
use super::plan::Plan;
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
            "pp" => self.plan.pp = numbers(name, value, 0)?,
            "tg" => self.plan.tg = numbers(name, value, 0)?,
            "depth" => self.plan.depth = numbers(name, value, 0)?,
            "batch" => self.plan.batch = numbers(name, value, 1)?,
            "threads" => self.threads = numbers(name, value, 1)?,
            "repeat" => self.repeat = number::<usize>(name, value)?.max(1),
            _ => self.work = work::parse(&value.to_string_lossy())?,
        }
        Ok(())
    }

    /// Prints JSON.
    pub(in super::super) fn json(&mut self) {
        self.json = true;
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }
}

/// The largest size of anything that is listed.
const MOST: usize = 1 << 20;

/// Numbers between commas.
fn numbers(name: &str, value: &OsString, least: usize) -> Result<Vec<usize>> {
    let text = value.to_string_lossy();
    let one = |word: &str| number(name, &OsString::from(word.trim()));
    let list: Vec<usize> = text.split(',').map(one).collect::<Result<_>>()?;
    match list.iter().find(|n| !(least..=MOST).contains(*n)) {
        None => Ok(list),
        Some(n) => Err(usage(format!("--{name} takes numbers from {least} to {MOST}, not {n}"))),
    }
}
