//! A run: values for the symbols of a model.

use formwork_ir::Model;
use formwork_ops::asked::SYMBOL;
use formwork_ops::{Atom, Poly};

use crate::{AnalysisError, Questions, exact};

/// The symbol of the tokens that a cache holds.
pub(crate) const PAST: &str = "past";
/// The symbol of the number of sequences.
pub(crate) const BATCH: &str = "B";

/// Values for the symbols of one run of a model.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    symbols: Vec<(String, u128)>,
    /// Whether what is computed once per source is already there.
    pub(crate) step: bool,
    /// Sequences.
    pub(crate) batch: u128,
    /// New tokens of the growing stream, for each sequence.
    pub(crate) tokens: u128,
    /// Tokens of the growing stream in the cache before the run.
    pub(crate) past: u128,
}

impl Run {
    /// A plain forward pass.
    pub(crate) fn forward(model: &Model, q: &Questions) -> Self {
        Self::new(model, q, q.seq, q.context, false)
    }

    /// A forward pass of which the last token's results are wanted alone.
    pub(crate) fn prompt(model: &Model, q: &Questions) -> Self {
        let mut run = Self::forward(model, q);
        run.symbols.iter_mut().filter(|(name, _)| name == SYMBOL).for_each(|(_, value)| *value = 1);
        run
    }

    /// One new token for each sequence, which sees `max(context, seq)` earlier ones and itself.
    pub(crate) fn decode(model: &Model, q: &Questions) -> Option<Self> {
        model.generates().then(|| Self::new(model, q, 1, q.context.max(q.seq), true))
    }

    fn new(model: &Model, q: &Questions, tokens: u128, past: u128, step: bool) -> Self {
        let growing = growing_symbol(model);
        let mut symbols = vec![(BATCH.to_string(), q.batch)];
        for input in &model.inputs {
            if !symbols.iter().any(|(name, _)| *name == input.symbol) {
                let length = if Some(input.symbol.as_str()) == growing { tokens } else { q.source.unwrap_or(q.seq) };
                symbols.push((input.symbol.clone(), length));
            }
        }
        symbols.push((PAST.to_string(), past));
        symbols.push((SYMBOL.to_string(), tokens));
        Self { symbols, step, batch: q.batch, tokens, past }
    }

    /// The symbols and their values.
    pub(crate) fn symbols(&self) -> &[(String, u128)] {
        &self.symbols
    }

    /// A size of the run.
    pub(crate) fn value(&self, poly: &Poly, figure: &str) -> Result<u128, AnalysisError> {
        let symbol = |name: &str| -> Option<i128> {
            let (_, value) = self.symbols.iter().find(|(n, _)| n == name)?;
            i128::try_from(*value).ok()
        };
        match poly.eval(&symbol) {
            Some(value) => u128::try_from(value)
                .map_err(|_| AnalysisError::Negative { figure: figure.to_string(), formula: poly.to_string() }),
            None => Err(self.no_value(poly, figure)),
        }
    }

    fn no_value(&self, poly: &Poly, figure: &str) -> AnalysisError {
        let figure = figure.to_string();
        let mut factors = Vec::new();
        for atom in poly.atoms() {
            let text = match atom {
                Atom::Static { name, value } => format!("{name} = {value}"),
                Atom::Symbol(name) => match self.symbols.iter().find(|(n, _)| **n == **name) {
                    Some((_, value)) => format!("{name} = {value}"),
                    None => return AnalysisError::UnknownSymbol { figure, symbol: name.to_string() },
                },
            };
            if !factors.contains(&text) {
                factors.push(text);
            }
        }
        AnalysisError::Overflow { figure, factors: format!("{poly} with {}", factors.join(", ")) }
    }
}

/// The length symbol of the stream that grows in decoding: the last token stream.
pub(crate) fn growing_symbol(model: &Model) -> Option<&str> {
    model.inputs.iter().rev().find(|i| i.is_token_stream()).map(|i| i.symbol.as_str())
}

/// A size that no run changes.
pub(crate) fn fixed(poly: &Poly, figure: &str) -> Result<u128, AnalysisError> {
    let run = Run { symbols: Vec::new(), step: false, batch: 0, tokens: 0, past: 0 };
    run.value(poly, figure)
}

/// Refuses questions without an answer.
pub(crate) fn check(q: &Questions) -> Result<(), AnalysisError> {
    for (name, value) in [("batch", q.batch), ("seq", q.seq), ("source", q.source.unwrap_or(q.seq))] {
        if value == 0 {
            return Err(AnalysisError::BadQuestion(format!("`{name}` must be at least 1")));
        }
    }
    if !(q.machine.flops > 0.0 && q.machine.bandwidth > 0.0) {
        return Err(AnalysisError::BadQuestion("a machine's FLOP/s and bytes/s are positive".into()));
    }
    exact::add("the context", q.context, q.seq).map(|_| ())
}
