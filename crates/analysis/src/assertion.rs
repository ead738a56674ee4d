//! Assertions on figures, e.g. `params.total < 8e9`: budgets that a build can check.

use std::cmp::Ordering;
use std::fmt;

use crate::{Figure, exact};
use formwork_diag::thousands;

/// A condition on one figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Assertion {
    /// The figure's key.
    pub key: String,
    /// The comparison.
    pub relation: Relation,
    /// The other side.
    pub bound: Number,
}

/// How a figure is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// `==`
    Equal,
    /// `!=`
    Unequal,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

/// A side of a comparison. Whole numbers compare exactly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// A whole number.
    Whole(u128),
    /// Any other.
    Real(f64),
}

/// An assertion that could not be read, or that does not hold.
#[derive(Clone, Debug, PartialEq)]
pub struct AssertionError(String);

/// Longer operators first, so that `<=` is not read as `<`.
const RELATIONS: &[(&str, Relation)] = &[
    ("==", Relation::Equal),
    ("!=", Relation::Unequal),
    ("<=", Relation::AtMost),
    (">=", Relation::AtLeast),
    ("<", Relation::Less),
    (">", Relation::Greater),
];

const SUFFIXES: &[(&str, u32)] = &[("K", 3), ("M", 6), ("B", 9), ("T", 12)];

impl Assertion {
    /// Reads `key operator number`; numbers may carry `_`, a fraction, an exponent, or one of `K`, `M`, `B`, `T`.
    ///
    /// # Errors
    /// When there is no operator or what follows is no number.
    pub fn parse(text: &str) -> Result<Self, AssertionError> {
        let found = RELATIONS.iter().filter_map(|(sign, relation)| Some((text.find(sign)?, *sign, *relation)));
        let Some((at, sign, relation)) = found.min_by_key(|(at, sign, _)| (*at, std::cmp::Reverse(sign.len()))) else {
            return Err(AssertionError(format!("`{text}` has no comparison: one of == != <= >= < >")));
        };
        let (key, number) = (text[..at].trim(), text[at + sign.len()..].trim());
        let Some(bound) = number_of(number) else {
            return Err(AssertionError(format!(
                "`{number}` is not a number: 8030261248, 8_030_261_248, 8.03e9 or 8.03B"
            )));
        };
        Ok(Self { key: key.to_string(), relation, bound })
    }

    /// Whether it holds for a report's figures.
    ///
    /// # Errors
    /// When there is no such figure, it is no number, or the condition fails; the message tells both values.
    pub fn check(&self, figures: &Figure) -> Result<(), AssertionError> {
        let value = match figures.get(&self.key) {
            Some(Figure::Count(count)) => Number::Whole(*count),
            Some(Figure::Real(value)) => Number::Real(*value),
            Some(Figure::Null) => return Err(AssertionError(format!("`{}` has no value for this model", self.key))),
            Some(_) => return Err(AssertionError(format!("`{}` is not a number", self.key))),
            None => return Err(self.unknown(figures)),
        };
        if self.relation.holds(value.compare(self.bound)) {
            return Ok(());
        }
        Err(AssertionError(format!("`{self}` fails: {} is {value}, not {} {}", self.key, self.relation, self.bound)))
    }

    fn unknown(&self, figures: &Figure) -> AssertionError {
        let group = self.key.split('.').next().unwrap_or("");
        let near: Vec<String> =
            figures.leaves().into_iter().map(|(key, _)| key).filter(|k| k.starts_with(group)).collect();
        let help = if near.is_empty() { String::new() } else { format!("; there are {}", near.join(", ")) };
        AssertionError(format!("there is no figure `{}`{help}", self.key))
    }
}

impl Relation {
    fn holds(self, order: Option<Ordering>) -> bool {
        match self {
            Self::Equal => order == Some(Ordering::Equal),
            Self::Unequal => order != Some(Ordering::Equal),
            Self::Less => order == Some(Ordering::Less),
            Self::AtMost => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            Self::Greater => order == Some(Ordering::Greater),
            Self::AtLeast => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        }
    }
}

impl Number {
    fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Whole(a), Self::Whole(b)) => Some(a.cmp(&b)),
            (a, b) => a.real().partial_cmp(&b.real()),
        }
    }

    fn real(self) -> f64 {
        match self {
            Self::Whole(count) => exact::real(count),
            Self::Real(value) => value,
        }
    }
}

/// Reads a number exactly where it is whole: `8.03e9` is 8030000000.
fn number_of(text: &str) -> Option<Number> {
    let text = text.replace('_', "");
    let suffix = SUFFIXES.iter().find_map(|(name, power)| Some((text.strip_suffix(name)?, *power)));
    let (digits, power) = suffix.unwrap_or((&text, 0));
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (digits, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction = fraction.trim_end_matches('0');
    let shift = i64::from(exponent) + i64::from(power) - i64::try_from(fraction.len()).ok()?;
    let all = format!("{whole}{fraction}");
    if all.is_empty() || !all.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let exact = u32::try_from(shift).ok().and_then(|s| all.parse::<u128>().ok()?.checked_mul(10_u128.checked_pow(s)?));
    match exact {
        Some(count) => Some(Number::Whole(count)),
        None => Some(Number::Real(format!("{all}e{shift}").parse().ok()?)),
    }
}

impl fmt::Display for Assertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.key, self.relation, self.bound)
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = RELATIONS.iter().find(|(_, r)| r == self).map_or("?", |(sign, _)| sign);
        f.write_str(sign)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(count) => f.write_str(&thousands(*count)),
            Self::Real(value) => write!(f, "{value}"),
        }
    }
}

impl fmt::Display for AssertionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for AssertionError {}
