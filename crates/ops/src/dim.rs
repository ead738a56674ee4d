//! Exact symbolic integers: polynomials over named static sizes and the symbols of a run.
//!
//! A static size keeps both its name and its value (`n_heads` = 32), so a dimension can be shown as `n_heads·d_head`,
//! evaluated to 4096, and printed in a formula. Symbols (`B`, `S`, `past`) get values only when a question is asked.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Add, Mul, Sub};
use std::sync::Arc;

/// A factor of a monomial.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Atom {
    /// A size known at compile time, with the name the spec gives it.
    Static {
        /// The spec's own name, e.g. `d_model`.
        name: Arc<str>,
        /// Its value.
        value: i128,
    },
    /// A size of the run, e.g. `B` or `S`.
    Symbol(Arc<str>),
}

type Monomial = Vec<(Atom, u32)>;

/// A polynomial with integer coefficients. Overflow poisons it and shows when it is evaluated.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Poly {
    terms: BTreeMap<Monomial, i128>,
    overflow: bool,
}

impl Poly {
    /// Zero.
    pub fn zero() -> Self {
        Self::default()
    }

    /// A plain number.
    pub fn int(value: i128) -> Self {
        let mut terms = BTreeMap::new();
        if value != 0 {
            terms.insert(Vec::new(), value);
        }
        Self { terms, overflow: false }
    }

    /// A symbol of the run.
    pub fn symbol(name: &str) -> Self {
        Self::atom(Atom::Symbol(name.into()))
    }

    /// A named static size.
    pub fn named(name: &str, value: i128) -> Self {
        Self::atom(Atom::Static { name: name.into(), value })
    }

    fn atom(atom: Atom) -> Self {
        Self { terms: BTreeMap::from([(vec![(atom, 1)], 1)]), overflow: false }
    }

    /// Whether it is the number zero.
    pub fn is_zero(&self) -> bool {
        self.terms.is_empty() && !self.overflow
    }

    /// The same polynomial with every static size replaced by its value.
    #[must_use]
    pub fn numeric(&self) -> Self {
        self.substitute(|atom| match atom {
            Atom::Static { value, .. } => Some(*value),
            Atom::Symbol(_) => None,
        })
    }

    /// The value, if no symbol of the run is left.
    pub fn constant(&self) -> Option<i128> {
        let numeric = self.numeric();
        if numeric.overflow {
            return None;
        }
        match numeric.terms.len() {
            0 => Some(0),
            1 => numeric.terms.get(&Vec::new()).copied(),
            _ => None,
        }
    }

    /// The value under `symbols`; `None` on overflow or an unknown symbol.
    pub fn eval(&self, symbols: &dyn Fn(&str) -> Option<i128>) -> Option<i128> {
        let value = self.substitute(|atom| match atom {
            Atom::Static { value, .. } => Some(*value),
            Atom::Symbol(name) => symbols(name),
        });
        value.constant()
    }

    /// Whether two polynomials are equal for every value of the symbols.
    pub fn same(&self, other: &Self) -> bool {
        let (a, b) = (self.numeric(), other.numeric());
        !a.overflow && a == b
    }

    /// Whether a symbol of the run occurs.
    pub fn mentions(&self, symbol: &str) -> bool {
        self.atoms().any(|a| matches!(a, Atom::Symbol(name) if &**name == symbol))
    }

    /// Every factor that occurs, with repeats.
    pub fn atoms(&self) -> impl Iterator<Item = &Atom> {
        self.terms.keys().flatten().map(|(atom, _)| atom)
    }

    /// Coefficients and factors, for printing in another notation.
    pub fn terms(&self) -> impl Iterator<Item = (i128, &[(Atom, u32)])> {
        self.terms.iter().map(|(monomial, c)| (*c, monomial.as_slice()))
    }

    /// Renames static sizes, e.g. for a formula in short symbols.
    #[must_use]
    pub fn rename(&self, name: &dyn Fn(&str) -> String) -> Self {
        let mut out = Self { terms: BTreeMap::new(), overflow: self.overflow };
        for (monomial, c) in &self.terms {
            let mut renamed = Self::int(*c);
            for (atom, power) in monomial {
                let atom = match atom {
                    Atom::Static { name: old, value } => Atom::Static { name: name(old).into(), value: *value },
                    symbol @ Atom::Symbol(_) => symbol.clone(),
                };
                for _ in 0..*power {
                    renamed = &renamed * &Self::atom(atom.clone());
                }
            }
            out = &out + &renamed;
        }
        out
    }

    fn substitute(&self, value: impl Fn(&Atom) -> Option<i128>) -> Self {
        let mut out = Self { terms: BTreeMap::new(), overflow: self.overflow };
        for (monomial, coefficient) in &self.terms {
            let mut coefficient = *coefficient;
            let mut rest = Vec::new();
            for (atom, power) in monomial {
                match value(atom) {
                    Some(v) => match v.checked_pow(*power).and_then(|v| coefficient.checked_mul(v)) {
                        Some(product) => coefficient = product,
                        None => out.overflow = true,
                    },
                    None => rest.push((atom.clone(), *power)),
                }
            }
            out.insert(rest, coefficient);
        }
        out
    }

    fn insert(&mut self, monomial: Monomial, coefficient: i128) {
        let entry = self.terms.entry(monomial).or_insert(0);
        match entry.checked_add(coefficient) {
            Some(sum) => *entry = sum,
            None => self.overflow = true,
        }
        self.terms.retain(|_, c| *c != 0);
    }
}

fn multiply(a: &Monomial, b: &Monomial) -> Monomial {
    let mut powers: BTreeMap<Atom, u32> = BTreeMap::new();
    for (atom, power) in a.iter().chain(b) {
        *powers.entry(atom.clone()).or_insert(0) += power;
    }
    powers.into_iter().collect()
}

impl Add for &Poly {
    type Output = Poly;

    fn add(self, other: &Poly) -> Poly {
        let mut out = self.clone();
        out.overflow = out.overflow || other.overflow;
        for (monomial, c) in &other.terms {
            out.insert(monomial.clone(), *c);
        }
        out
    }
}

impl Sub for &Poly {
    type Output = Poly;

    fn sub(self, other: &Poly) -> Poly {
        self + &(other * &Poly::int(-1))
    }
}

impl Mul for &Poly {
    type Output = Poly;

    fn mul(self, other: &Poly) -> Poly {
        let mut out = Poly { terms: BTreeMap::new(), overflow: self.overflow || other.overflow };
        for (a, ca) in &self.terms {
            for (b, cb) in &other.terms {
                match ca.checked_mul(*cb) {
                    Some(c) => out.insert(multiply(a, b), c),
                    None => out.overflow = true,
                }
            }
        }
        out
    }
}

macro_rules! by_value {
    ($($trait:ident $method:ident),*) => {$(
        impl $trait for Poly {
            type Output = Poly;

            fn $method(self, other: Poly) -> Poly {
                $trait::$method(&self, &other)
            }
        }
    )*};
}

by_value!(Add add, Sub sub, Mul mul);

impl std::iter::Sum for Poly {
    fn sum<I: Iterator<Item = Poly>>(items: I) -> Poly {
        items.fold(Poly::zero(), |a, b| &a + &b)
    }
}

impl std::iter::Product for Poly {
    fn product<I: Iterator<Item = Poly>>(items: I) -> Poly {
        items.fold(Poly::int(1), |a, b| &a * &b)
    }
}

impl From<i128> for Poly {
    fn from(value: i128) -> Self {
        Self::int(value)
    }
}

impl fmt::Display for Atom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Static { name, .. } | Self::Symbol(name) => f.write_str(name),
        }
    }
}

/// Terms of the highest degree first: `2·d_model·d_ff + d_ff`.
impl fmt::Display for Poly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.overflow {
            return f.write_str("(overflow)");
        }
        if self.terms.is_empty() {
            return f.write_str("0");
        }
        let degree = |m: &Monomial| m.iter().map(|(_, p)| p).sum::<u32>();
        let mut terms: Vec<_> = self.terms.iter().collect();
        terms.sort_by_key(|(m, _)| std::cmp::Reverse(degree(m)));
        for (i, (monomial, c)) in terms.into_iter().enumerate() {
            let sign = match (i, *c < 0) {
                (0, false) => "",
                (0, true) => "-",
                (_, false) => " + ",
                (_, true) => " - ",
            };
            f.write_str(sign)?;
            let mut factors = Vec::new();
            if c.unsigned_abs() != 1 || monomial.is_empty() {
                factors.push(c.unsigned_abs().to_string());
            }
            for (atom, power) in monomial {
                factors.push(if *power == 1 { atom.to_string() } else { format!("{atom}^{power}") });
            }
            f.write_str(&factors.join("·"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_and_values_decide() {
        let heads = Poly::named("n_heads", 32);
        let product = &heads * &Poly::named("d_head", 128);
        assert_eq!(product.to_string(), "d_head·n_heads");
        assert!(product.same(&Poly::named("d_model", 4096)));
        assert_eq!((&product * &Poly::symbol("S")).eval(&|_| Some(2)), Some(8192));
        assert_eq!((&product * &Poly::symbol("S")).constant(), None);
    }

    #[test]
    fn overflow_is_never_a_number() {
        let big = Poly::int(i128::MAX);
        assert_eq!((&big + &big).constant(), None);
        assert_eq!((&Poly::named("a", i128::MAX) * &Poly::named("b", 2)).constant(), None);
    }
}
