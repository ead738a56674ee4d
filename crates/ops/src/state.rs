//! Which keys a query sees, and what an op keeps from step to step.

use crate::{Lit, Pattern, Poly};

/// Which keys a query sees; one value for the kernel, the cache and the FLOP count alike.
#[derive(Clone, Debug, PartialEq)]
pub enum Visibility {
    /// Every key.
    Full,
    /// Keys at or before the query.
    Causal,
    /// The last `W` keys at or before the query: `i - j < W`.
    Window(Poly),
    /// Keys within `w` of the query on both sides.
    Symmetric(Poly),
    /// Keys at or before the query in the same chunk.
    Chunked(Poly),
    /// Keys at or before the query, and the first ones.
    Prefix(Poly),
    /// Keys of a sparse pattern.
    Sparse(Pattern),
    /// This many of the keys at or before the query, chosen by the input.
    Chosen(Poly),
    /// Groups of heads, as many in each, that see differently; the work for a pair is then that of one group.
    Groups(Vec<Visibility>),
}

/// What an op keeps from step to step.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// Keys and values of every position seen, or of the last `window`.
    KeyValue {
        /// Key/value heads.
        heads: Poly,
        /// Width of a key.
        d_k: Poly,
        /// Width of a value.
        d_v: Poly,
        /// Rows kept, if bounded.
        window: Option<Poly>,
    },
    /// One row of every position seen, which all heads share.
    Rows {
        /// Its width.
        width: Poly,
    },
    /// Groups of heads: keys and values of every position seen, or of the group's last window.
    Groups {
        /// Key/value heads of a group.
        heads: Poly,
        /// Width of a key.
        d_k: Poly,
        /// Width of a value.
        d_v: Poly,
        /// For each group, the rows kept, if bounded.
        windows: Vec<Option<Poly>>,
    },
    /// Numbers that do not grow with the sequence.
    Recurrent {
        /// Heads.
        heads: Poly,
        /// Numbers of a head.
        size: Poly,
    },
}

/// Rows of numbers that a state holds for one sequence.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// How many rows.
    pub count: RowCount,
    /// Rows of this width stand side by side, one for each head.
    pub heads: Poly,
    /// Numbers in a row.
    pub width: Poly,
}

/// How many rows a state holds.
#[derive(Clone, Debug, PartialEq)]
pub enum RowCount {
    /// One for every position seen.
    Every,
    /// One for each of the last positions.
    Last(Poly),
    /// One, however long the sequence is.
    One,
}

/// How generated code makes a state.
#[derive(Clone, Debug)]
pub struct NewState {
    /// The runtime's type.
    pub ty: &'static str,
    /// Its constructor; the first argument is the batch.
    pub method: &'static str,
    /// What follows the batch.
    pub args: Vec<Lit>,
    /// Whether the capacity comes last.
    pub grows: bool,
}

impl State {
    /// What it holds for one sequence.
    pub fn rows(&self) -> Vec<Rows> {
        let row =
            |count: RowCount, heads: &Poly, width: &Poly| Rows { count, heads: heads.clone(), width: width.clone() };
        match self {
            Self::KeyValue { heads, d_k, d_v, window } => {
                let count = RowCount::within(window.as_ref());
                vec![row(count.clone(), heads, d_k), row(count, heads, d_v)]
            }
            Self::Rows { width } => vec![row(RowCount::Every, &Poly::int(1), width)],
            Self::Groups { heads, d_k, d_v, windows } => {
                let counts = windows.iter().map(|w| RowCount::within(w.as_ref()));
                counts.flat_map(|count| [row(count.clone(), heads, d_k), row(count, heads, d_v)]).collect()
            }
            Self::Recurrent { heads, size } => vec![row(RowCount::One, heads, size)],
        }
    }

    /// How generated code makes it.
    pub fn new_state(&self) -> NewState {
        let size = |p: &Poly| Lit::Size(p.clone());
        match self {
            Self::KeyValue { heads, d_k, d_v, window } => {
                let args = [heads, d_k, d_v].into_iter().chain(window).map(size).collect();
                NewState { ty: "KvCache", method: if window.is_some() { "ring" } else { "new" }, args, grows: true }
            }
            Self::Rows { width } => NewState { ty: "RowCache", method: "new", args: vec![size(width)], grows: true },
            Self::Groups { heads, d_k, d_v, windows } => {
                let windows = windows.iter().map(|w| size(&w.clone().unwrap_or_default())).collect();
                let args = [heads, d_k, d_v].map(size).into_iter().chain([Lit::Slice(windows)]).collect();
                NewState { ty: "GroupCache", method: "new", args, grows: true }
            }
            Self::Recurrent { heads, size: numbers } => {
                NewState { ty: "RecurrentState", method: "new", args: vec![size(heads), size(numbers)], grows: false }
            }
        }
    }
}

impl RowCount {
    fn within(window: Option<&Poly>) -> Self {
        window.map_or(Self::Every, |w| Self::Last(w.clone()))
    }
}
