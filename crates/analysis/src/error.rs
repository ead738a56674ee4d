//! Why a question has no answer.

use std::fmt;

/// A figure that cannot be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnalysisError {
    /// A count left the range of 128-bit integers.
    Overflow {
        /// The figure.
        figure: String,
        /// The factors that were multiplied, with their values.
        factors: String,
    },
    /// A size of the run that the questions give no value to.
    UnknownSymbol {
        /// The figure.
        figure: String,
        /// The symbol.
        symbol: String,
    },
    /// A size came out negative.
    Negative {
        /// The figure.
        figure: String,
        /// Its formula.
        formula: String,
    },
    /// A question that makes no sense.
    BadQuestion(String),
}

impl fmt::Display for AnalysisError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overflow { figure, factors } => write!(f, "{figure} exceeds 128 bits: {factors}"),
            Self::UnknownSymbol { figure, symbol } => write!(f, "{figure} depends on `{symbol}`, which has no value"),
            Self::Negative { figure, formula } => write!(f, "{figure} is negative: {formula}"),
            Self::BadQuestion(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for AnalysisError {}
