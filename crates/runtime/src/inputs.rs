//! The named inputs of one step.

use formwork_tensor::{Ids, Tokens};

/// Streams of tokens and plain ids, by name.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    tokens: Vec<(&'static str, Tokens)>,
    ids: Vec<(&'static str, Ids)>,
}

impl Inputs {
    /// No inputs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a stream of tokens.
    pub fn with_tokens(mut self, name: &'static str, tokens: Tokens) -> Self {
        self.tokens.push((name, tokens));
        self
    }

    /// Adds plain ids.
    pub fn with_ids(mut self, name: &'static str, ids: Ids) -> Self {
        self.ids.push((name, ids));
        self
    }

    /// The stream of this name.
    ///
    /// # Panics
    /// If there is none: the caller gives every input that the model's `INFO` lists.
    pub fn tokens(&self, name: &str) -> &Tokens {
        let found = self.tokens.iter().find(|entry| entry.0 == name);
        &found.unwrap_or_else(|| panic!("no input `{name}`")).1
    }

    /// The ids of this name.
    ///
    /// # Panics
    /// As [`tokens`](Self::tokens).
    pub fn ids(&self, name: &str) -> &Ids {
        let found = self.ids.iter().find(|entry| entry.0 == name);
        &found.unwrap_or_else(|| panic!("no input `{name}`")).1
    }
}
