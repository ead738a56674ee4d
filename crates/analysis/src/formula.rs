//! Closed forms in the spec's symbols: a sum over groups, each a product of layer counts and a polynomial.

use std::fmt;

use formwork_ops::{Atom, AttentionFlops, Poly, Role};

use crate::names::Names;
use crate::run::{PAST, Run};
use crate::visit::{Census, Loop, Use};
use crate::{AnalysisError, exact, pairs, run};

/// `a·(b + c) + d`: what [`Display`](fmt::Display) prints evaluates to the same integer as the sum over the modules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Formula {
    /// The groups, in the order of the dataflow.
    pub terms: Vec<Term>,
}

/// One group: what it takes in one layer, times the layers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// Counts of the loops around, outermost first.
    pub layers: Vec<Poly>,
    /// The sum of one layer.
    pub body: Poly,
}

/// A group while it is collected.
struct Group {
    loops: Vec<Loop>,
    body: Poly,
}

/// The parameters.
pub(crate) fn params(census: &Census<'_>) -> Formula {
    build(census, |used| census.owned(used, Role::Param).map(formwork_ops::Param::numel).sum())
}

/// The FLOPs of a forward pass without a cache: matrix products, attention over the whole rectangle.
pub(crate) fn flops(census: &Census<'_>) -> Formula {
    build(census, |used| {
        let flops = &used.op.facts.flops;
        let rectangle = |a: &AttentionFlops| {
            let groups = Poly::int(i128::try_from(pairs::groups(&a.visibility)).unwrap_or(1));
            &(&(&a.per_pair * &a.queries) * &without_past(&a.keys)) * &groups
        };
        let pairs = flops.attention.as_ref().map(rectangle);
        &(&flops.matmul + &pairs.unwrap_or_default()) * &used.turns
    })
}

fn build(census: &Census<'_>, amount: impl Fn(&Use<'_>) -> Poly) -> Formula {
    let mut groups: Vec<Group> = Vec::new();
    let key = |loops: &[Loop]| loops.iter().map(|l| (l.id, l.kind)).collect::<Vec<_>>();
    for used in &census.uses {
        let body = without_past(&amount(used));
        if body.is_zero() {
            continue;
        }
        let same = |g: &&mut Group| key(&g.loops) == key(&used.loops);
        let last = groups.last_mut().filter(|g| used.loops.is_empty() && g.loops.is_empty());
        let found = if used.loops.is_empty() { last } else { groups.iter_mut().find(same) };
        let body = without_quotients(&body);
        match found {
            Some(group) => group.body = &group.body + &body,
            None => groups.push(Group { loops: used.loops.clone(), body }),
        }
    }
    let names = Names::of(census);
    let terms = join_kinds(groups).into_iter().map(|g| Term {
        layers: g.loops.iter().map(|l| names.apply(&layers(l))).collect(),
        body: names.apply(&g.body),
    });
    Formula { terms: terms.collect() }
}

/// Kinds of one loop whose sums are equal are one group.
fn join_kinds(groups: Vec<Group>) -> Vec<Group> {
    let mut out: Vec<Group> = Vec::new();
    for group in groups {
        let twin = out.iter_mut().find(|o| match (o.loops.as_slice(), group.loops.as_slice()) {
            ([a], [b]) => a.id == b.id && o.body == group.body,
            _ => false,
        });
        match (twin.and_then(|t| t.loops.last_mut()), group.loops.last()) {
            (Some(into), Some(from)) => into.layers = into.layers.saturating_add(from.layers),
            _ => out.push(group),
        }
    }
    out
}

/// The number of layers by its name where it is all of them.
fn layers(it: &Loop) -> Poly {
    match i128::try_from(it.layers) {
        Ok(layers) if it.layers != it.all => Poly::int(layers),
        _ => it.count.clone(),
    }
}

fn without_past(poly: &Poly) -> Poly {
    let kept = poly.terms().filter(|(_, factors)| !factors.iter().any(|(a, _)| is_past(a)));
    kept.map(|(c, factors)| monomial(c, factors)).sum()
}

/// `(a/b)·b` is `a`.
fn without_quotients(poly: &Poly) -> Poly {
    poly.terms().map(|(c, factors)| monomial(c, &cancelled(factors.to_vec()))).sum()
}

fn cancelled(mut factors: Vec<(Atom, u32)>) -> Vec<(Atom, u32)> {
    let pair = factors.iter().enumerate().find_map(|(at, (atom, _))| {
        let Atom::Static { name, value } = atom else { return None };
        let (over, under) = name.rsplit_once('/')?;
        factors.iter().enumerate().find_map(|(other, (divisor, _))| match divisor {
            Atom::Static { name, value: by } if **name == *under => {
                Some((at, other, Atom::Static { name: over.into(), value: value.checked_mul(*by)? }))
            }
            _ => None,
        })
    });
    let Some((quotient, divisor, whole)) = pair else { return factors };
    factors[quotient].1 -= 1;
    factors[divisor].1 -= 1;
    factors.push((whole, 1));
    factors.retain(|(_, power)| *power > 0);
    cancelled(factors)
}

fn is_past(atom: &Atom) -> bool {
    matches!(atom, Atom::Symbol(name) if &**name == PAST)
}

pub(crate) fn monomial(coefficient: i128, factors: &[(Atom, u32)]) -> Poly {
    factors.iter().fold(Poly::int(coefficient), |product, (atom, power)| {
        let factor = match atom {
            Atom::Static { name, value } => Poly::named(name, *value),
            Atom::Symbol(name) => Poly::symbol(name),
        };
        (0..*power).fold(product, |product, _| &product * &factor)
    })
}

impl Formula {
    /// Its value in a run.
    pub(crate) fn eval(&self, run: &Run) -> Result<u128, AnalysisError> {
        let mut sum = 0;
        for term in &self.terms {
            let mut product = run.value(&term.body, "the formula")?;
            for layers in &term.layers {
                product = exact::mul("the formula", product, run::fixed(layers, "the layers")?)?;
            }
            sum = exact::add("the formula", sum, product)?;
        }
        Ok(sum)
    }

    /// Every name of the formula with its value.
    pub(crate) fn symbols(&self, run: &Run) -> Vec<(String, u128)> {
        let mut out: Vec<(String, u128)> = Vec::new();
        for atom in self.terms.iter().flat_map(|t| t.layers.iter().chain([&t.body])).flat_map(Poly::atoms) {
            let (name, value) = match atom {
                Atom::Static { name, value } => (name.to_string(), u128::try_from(*value).ok()),
                Atom::Symbol(name) => {
                    let found = run.symbols().iter().find(|(n, _)| **n == **name);
                    (name.to_string(), found.map(|(_, v)| *v))
                }
            };
            if let (false, Some(value)) = (out.iter().any(|(n, _)| *n == name), value) {
                out.push((name, value));
            }
        }
        out
    }
}

impl fmt::Display for Formula {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.terms.is_empty() {
            return f.write_str("0");
        }
        let terms: Vec<String> = self.terms.iter().map(ToString::to_string).collect();
        f.write_str(&terms.join(" + "))
    }
}

/// The common factor, the layers, and what is left in parentheses; a bare number of layers comes first.
impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.layers.is_empty() && self.body.atoms().all(|a| matches!(a, Atom::Static { .. })) {
            return write!(f, "{}", self.body);
        }
        let (common, rest) = factored(&self.body);
        let product = |p: &Poly| if p.terms().count() > 1 { format!("({p})") } else { p.to_string() };
        let one = Poly::int(1);
        let mut outer: Vec<&Poly> = [&common].into_iter().chain(&self.layers).collect();
        if self.layers.iter().any(|l| l.atoms().next().is_none()) {
            outer.rotate_left(1);
        }
        let factors: Vec<&Poly> = outer.into_iter().chain([&rest]).filter(|p| **p != one).collect();
        match factors.as_slice() {
            [] => f.write_str("1"),
            [only] => write!(f, "{only}"),
            several => f.write_str(&several.iter().map(|p| product(p)).collect::<Vec<_>>().join("·")),
        }
    }
}

/// A polynomial as its common factor and what is left.
fn factored(poly: &Poly) -> (Poly, Poly) {
    let mut terms = poly.terms();
    let Some((first, factors)) = terms.next() else { return (Poly::int(1), Poly::zero()) };
    let mut common: Vec<(Atom, u32)> = factors.to_vec();
    let mut coefficient = first;
    for (c, factors) in terms {
        coefficient = gcd(coefficient, c);
        common.retain_mut(|(atom, power)| {
            *power = factors.iter().find(|(a, _)| a == atom).map_or(0, |(_, p)| (*power).min(*p));
            *power > 0
        });
    }
    let rest = poly.terms().map(|(c, factors)| {
        let left = factors.iter().map(|(atom, power)| {
            let taken = common.iter().find(|(a, _)| a == atom).map_or(0, |(_, p)| *p);
            (atom.clone(), power - taken)
        });
        monomial(c / coefficient.max(1), &left.collect::<Vec<_>>())
    });
    (monomial(coefficient, &common), rest.sum())
}

fn gcd(a: i128, b: i128) -> i128 {
    let (mut a, mut b) = (a.unsigned_abs(), b.unsigned_abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    i128::try_from(a).unwrap_or(1)
}
