//! Which keys a query sees, and what an op keeps from step to step.

use crate::{Lit, Poly};

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
    /// One row of every position seen, which all heads share: a latent and a rotated part of the key.
    Latent {
        /// Width of the latent.
        latent: Poly,
        /// Width of the rotated part.
        rope: Poly,
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
    /// This many from the start.
    Fixed(Poly),
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
        match self {
            Self::KeyValue { heads, d_k, d_v, window } => {
                let count = window.as_ref().map_or(RowCount::Every, |w| RowCount::Last(w.clone()));
                let row = |width: &Poly| Rows { count: count.clone(), heads: heads.clone(), width: width.clone() };
                vec![row(d_k), row(d_v)]
            }
            Self::Latent { latent, rope } => {
                vec![Rows { count: RowCount::Every, heads: Poly::int(1), width: latent + rope }]
            }
        }
    }

    /// How generated code makes it.
    pub fn new_state(&self) -> NewState {
        let sizes = |of: &[&Poly]| of.iter().map(|p| Lit::Size((*p).clone())).collect();
        match self {
            Self::KeyValue { heads, d_k, d_v, window: None } => {
                NewState { ty: "KvCache", method: "new", args: sizes(&[heads, d_k, d_v]), grows: true }
            }
            Self::KeyValue { heads, d_k, d_v, window: Some(w) } => {
                NewState { ty: "KvCache", method: "ring", args: sizes(&[heads, d_k, d_v, w]), grows: true }
            }
            Self::Latent { latent, rope } => {
                NewState { ty: "LatentCache", method: "new", args: sizes(&[latent, rope]), grows: true }
            }
        }
    }
}
