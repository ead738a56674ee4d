//! Weights of a checkpoint, handed out by name; problems are collected and reported together.

mod checkpoint;
mod evaluate;
mod file;
mod foreign;
mod gguf;
mod header;
mod holding;
mod loaders;
pub mod mapping;
mod mixers;
mod packed_file;
mod pattern;
mod piece;
mod record;
mod report;
mod synthetic;
pub mod writer;

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::rc::Rc;

use formwork_ops::Grade;
use formwork_tensor::Result;
use formwork_tensor::threads::Threads;

pub(crate) use checkpoint::{Checkpoint, SINGLE};
pub use file::SafeTensors;
pub(crate) use holding::format_name;
pub use holding::{Held, Holding};
use mapping::{Mapping, Rule, Source};
use pattern::{Captures, glob, matches};
use piece::Piece;
use record::Taken;
pub use record::{Error as Difference, Line};
use report::Problem;
pub use synthetic::Request;
use synthetic::Synthetic;

/// The weights of a checkpoint below a name.
///
/// Loading never fails in the middle: a weight that is missing or does not fit is noted, an empty
/// one stands in for it, and [`finish`](Self::finish) reports all of them at once.
pub struct Weights {
    shared: Rc<Shared>,
    prefix: String,
    holding: Holding,
    /// How near the matrices taken here are kept to their originals.
    grade: Grade,
    /// Threads that matrices are packed on.
    threads: usize,
}

/// What all views of one checkpoint share.
pub(crate) struct Shared {
    checkpoint: Checkpoint,
    mapping: Mapping,
    /// Rules that come before the mapping's.
    first: &'static [Rule],
    /// What answers instead of the checkpoint.
    synthetic: Option<Synthetic>,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    /// Tensors that went into a parameter.
    used: HashSet<String>,
    /// Tensors that may stay unused since their parameter is tied to another.
    tied: HashSet<String>,
    /// Parameters already made, by what made them.
    made: HashMap<String, Piece>,
    problems: Vec<Problem>,
    /// What the model took, where that is to be written.
    taken: Option<Taken>,
    /// Where its matrices are.
    held: Held,
}

impl Weights {
    /// Opens a folder with `model.safetensors` or an index of shards, an index, or a single file, which may be a GGUF file.
    pub fn open(path: impl AsRef<Path>, mapping: &Mapping) -> Result<Self> {
        if formwork_format::gguf::is_at(path.as_ref()) {
            return Self::open_gguf(path.as_ref(), mapping);
        }
        let checkpoint = Checkpoint::open(path.as_ref())?;
        let mapping = if checkpoint.packed() { &Mapping::default() } else { mapping };
        Ok(Self::from_parts(checkpoint, None, mapping, &[]))
    }

    /// Weights out of nothing: every request is answered with numbers from `seed`, and noted.
    pub fn synthetic(seed: u64, mapping: &Mapping) -> Self {
        let source = Synthetic::new(seed);
        Self::from_parts(Checkpoint::default(), Some(source), mapping, &[])
    }

    /// What was asked of [`synthetic`](Self::synthetic) weights, each name once; of a checkpoint, nothing.
    pub fn requests(&self) -> Vec<Request> {
        let source = self.shared.synthetic.as_ref();
        source.map(Synthetic::requests).unwrap_or_default()
    }

    fn from_parts(
        checkpoint: Checkpoint,
        synthetic: Option<Synthetic>,
        mapping: &Mapping,
        first: &'static [Rule],
    ) -> Self {
        let shared = Shared { checkpoint, mapping: *mapping, first, synthetic, state: RefCell::default() };
        let (prefix, threads) = (String::new(), Threads::available());
        Self { shared: Rc::new(shared), prefix, holding: Holding::Mapped, grade: Grade::Plain, threads }
    }

    /// The weights below `name`.
    pub fn at(&self, name: &str) -> Self {
        Self { shared: Rc::clone(&self.shared), prefix: self.full(name), ..*self }
    }

    /// Every problem with the weights asked for, and every tensor that nothing asked for, in one
    /// error.
    pub fn finish(&self) -> Result<()> {
        let mut problems = self.shared.state.borrow().problems.clone();
        problems.extend(self.shared.unused().map(|name| Problem::Unused { name }));
        report::error(&problems).map_or(Ok(()), Err)
    }

    /// A name below this one.
    fn full(&self, name: &str) -> String {
        match (self.prefix.is_empty(), name.is_empty()) {
            (true, _) => name.to_string(),
            (_, true) => self.prefix.clone(),
            _ => format!("{}.{name}", self.prefix),
        }
    }

    /// The parameter of a full name if it is there and has this shape; else a note.
    fn piece(&self, name: &str, dims: &[usize]) -> Option<Piece> {
        let found = match &self.shared.synthetic {
            Some(source) => source.piece(name, dims, &self.shared.mapping),
            None => self.shared.find(name),
        };
        let problem = match found {
            Ok(piece) => match piece.fit(dims) {
                Ok(piece) => return Some(piece),
                Err(piece) => Problem::Shape { name: name.to_string(), expected: dims.to_vec(), found: piece.dims() },
            },
            Err(problem) => problem,
        };
        self.shared.state.borrow_mut().problems.push(problem);
        None
    }
}

impl Weights {
    /// The pieces of a parameter along its first axis, each without that axis; those of a stack stay where the checkpoint has them.
    fn pieces(&self, name: &str, dims: &[usize]) -> Vec<Piece> {
        let expected = &dims[1..];
        if self.shared.synthetic.is_some() {
            return self.piece(name, dims).map_or_else(Vec::new, Piece::cut);
        }
        let problem = match self.shared.find_pieces(name) {
            Ok(pieces) => match pieces.iter().find(|piece| piece.dims() != expected) {
                None if pieces.len() == dims[0] => return pieces,
                odd => Problem::Shape {
                    name: name.to_string(),
                    expected: dims.to_vec(),
                    found: [vec![pieces.len()], odd.map_or_else(|| expected.to_vec(), Piece::dims)].concat(),
                },
            },
            Err(problem) => problem,
        };
        self.shared.state.borrow_mut().problems.push(problem);
        Vec::new()
    }
}

impl Shared {
    /// The pieces of the parameter of this name, by the first rule that matches it.
    fn find_pieces(&self, name: &str) -> Result<Vec<Piece>, Problem> {
        match self.rule(name) {
            Some((source, captures)) => self.evaluate_pieces(source, &captures),
            None => self.tensor(name).map(Piece::cut),
        }
    }

    /// The rule for a parameter, with what its captures matched.
    fn rule(&self, name: &str) -> Option<(&'static Source, Captures)> {
        let mut rules = self.first.iter().chain(self.mapping.rules);
        rules.find_map(|rule| matches(rule.target, name).map(|captures| (&rule.source, captures)))
    }

    /// The parameter of this name, by the first rule that matches it.
    fn find(&self, name: &str) -> Result<Piece, Problem> {
        let Some((source, captures)) = self.rule(name) else {
            return self.tensor(name);
        };
        if let Source::Name(_) | Source::FirstOf(_) = source {
            let own = self.resolve(name);
            self.state.borrow_mut().tied.extend(own);
        }
        self.remember(source, &captures)
    }

    /// Evaluates a source once: equal sources share memory.
    fn remember(&self, source: &Source, captures: &Captures) -> Result<Piece, Problem> {
        let key = format!("{source:?} {captures:?}");
        if let Some(piece) = self.state.borrow().made.get(&key) {
            return Ok(piece.clone());
        }
        let piece = self.evaluate(source, captures)?;
        self.state.borrow_mut().made.insert(key, piece.clone());
        Ok(piece)
    }

    /// The tensor of this name, with or without an optional prefix.
    fn tensor(&self, name: &str) -> Result<Piece, Problem> {
        let Some(found) = self.resolve(name) else {
            let nearest = report::nearest(name, self.checkpoint.names());
            return Err(Problem::Missing { name: name.to_string(), nearest });
        };
        self.state.borrow_mut().used.insert(found.clone());
        self.checkpoint.piece(&found).ok_or_else(|| {
            let (dtype, dims) = self.checkpoint.describe(&found).unwrap_or_default();
            Problem::DType { name: found.clone(), found: format!("{dtype} {dims:?}") }
        })
    }

    /// The name under which the checkpoint holds a tensor: with a prefix, without, or with another one.
    fn resolve(&self, name: &str) -> Option<String> {
        let prefixes = self.mapping.prefixes;
        let shorter = prefixes.iter().filter_map(|prefix| name.strip_prefix(prefix));
        let bare: Vec<&str> = std::iter::once(name).chain(shorter).collect();
        let longer = bare.iter().flat_map(|name| prefixes.iter().map(move |prefix| format!("{prefix}{name}")));
        let mut names = bare.iter().map(|name| (*name).to_string()).chain(longer);
        names.find(|name| self.checkpoint.contains(name))
    }

    /// Tensors that nothing asked for and that may not stay unused.
    fn unused(&self) -> impl Iterator<Item = String> {
        let state = self.state.borrow();
        let ignored = |name: &str| {
            let stripped = self.mapping.prefixes.iter().filter_map(|prefix| name.strip_prefix(prefix));
            let mut names = std::iter::once(name).chain(stripped);
            names.any(|name| self.mapping.ignore.iter().any(|pattern| glob(pattern, name)))
        };
        let names = self.checkpoint.names();
        let unused = names.filter(|name| !state.used.contains(*name) && !state.tied.contains(*name) && !ignored(name));
        unused.map(str::to_string).collect::<Vec<_>>().into_iter()
    }
}
