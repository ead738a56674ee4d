//! Problems with weights, and the one error that reports them all.

use std::fmt;

use formwork_tensor::Error;

/// How many problems of a kind are spelled out.
const SHOWN: usize = 20;

/// How many pairs of letters a search for a near name compares.
const MAX_COMPARED: usize = 20_000_000;

/// One thing wrong with a weight.
#[derive(Clone, Debug)]
pub(crate) enum Problem {
    /// The checkpoint lacks it.
    Missing { name: String, nearest: Option<String> },
    /// It has another shape.
    Shape { name: String, expected: Vec<usize>, found: Vec<usize> },
    /// It does not hold floats that we read.
    DType { name: String, found: String },
    /// Nothing asked for it.
    Unused { name: String },
    /// The file says another number of the architecture than the model; none for what is no number.
    Differs { key: String, expected: f64, found: Option<f64> },
    /// The file says something of the architecture that nothing reads.
    Unread { key: String },
}

impl Problem {
    fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "missing-weight",
            Self::Shape { .. } => "weight-shape",
            Self::DType { .. } => "weight-dtype",
            Self::Unused { .. } => "unused-weight",
            Self::Differs { .. } => "gguf-differs",
            Self::Unread { .. } => "gguf-key",
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Missing { name, nearest: None } => write!(f, "missing `{name}`"),
            Self::Missing { name, nearest: Some(nearest) } => {
                write!(f, "missing `{name}`; the checkpoint has `{nearest}`")
            }
            Self::Shape { name, expected, found } => {
                let reversed = expected.iter().rev().eq(found);
                let note = if reversed && expected != found { " (transposed)" } else { "" };
                write!(f, "`{name}` has shape {found:?}, not {expected:?}{note}")
            }
            Self::DType { name, found } => {
                write!(f, "`{name}` is {found}, not F32, BF16, F16 or F64 of up to four axes")
            }
            Self::Unused { name } => write!(f, "`{name}` is not part of this model"),
            Self::Differs { key, expected, found: Some(found) } => {
                write!(f, "`{key}` is {found} in the file, {expected} in this model")
            }
            Self::Differs { key, expected, found: None } => {
                write!(f, "`{key}` is no number in the file, {expected} in this model")
            }
            Self::Unread { key } => write!(f, "`{key}` is read by nothing in this model"),
        }
    }
}

/// One error for all problems; its code is that of the gravest kind.
pub(crate) fn error(problems: &[Problem]) -> Option<Error> {
    let kinds = ["gguf-differs", "missing-weight", "weight-shape", "weight-dtype", "gguf-key", "unused-weight"];
    let code = kinds.into_iter().find(|code| problems.iter().any(|p| p.code() == *code))?;
    let count = problems.len();
    let noun = if count == 1 { "problem" } else { "problems" };
    let mut message = format!("the checkpoint does not fit this model: {count} {noun}");
    for kind in kinds {
        let of_kind: Vec<_> = problems.iter().filter(|problem| problem.code() == kind).collect();
        for problem in of_kind.iter().take(SHOWN) {
            message += &format!("\n  {problem}");
        }
        if of_kind.len() > SHOWN {
            message += &format!("\n  and {} more of `{kind}`", of_kind.len() - SHOWN);
        }
    }
    let help = match code {
        "unused-weight" => "list what may stay unused in the spec's weights section",
        "gguf-key" => "check or ignore the key in the family's gguf section",
        "gguf-differs" => "give the spec that the file was made for",
        _ => "check that the checkpoint belongs to this model and that its size is the same",
    };
    Some(Error::new(code, message).help(help))
}

/// The candidate with the fewest edits, if they are few for its length. Looks at so many letters only, whatever a
/// checkpoint holds: nobody waits for advice.
pub(crate) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    let limit = name.len().max(6) / 2;
    let mut left = MAX_COMPARED;
    let near = candidates.filter(|candidate| candidate.len().abs_diff(name.len()) <= limit).take_while(|candidate| {
        left = left.saturating_sub(candidate.len().saturating_mul(name.len()));
        left > 0
    });
    let best = near.map(|candidate| (distance(name, candidate), candidate)).min()?;
    (best.0 <= limit).then(|| best.1.to_string())
}

fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replace = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
