//! Names of sizes in formulas: as short as they are unambiguous.

use std::collections::BTreeMap;

use formwork_ops::{Atom, Poly};

use crate::formula::monomial;
use crate::visit::Census;

/// How each size of a model is written in its formulas.
pub(crate) struct Names {
    /// `None` where one name stands for several values, so that only the number says what is meant.
    written: BTreeMap<String, Option<String>>,
}

impl Names {
    /// Every name that a count of the model can mention.
    pub(crate) fn of(census: &Census<'_>) -> Self {
        let mut values: BTreeMap<String, Vec<Option<i128>>> = BTreeMap::new();
        let mut note = |poly: &Poly| {
            for atom in poly.atoms() {
                let (name, value) = match atom {
                    Atom::Static { name, value } => (name.to_string(), Some(*value)),
                    Atom::Symbol(name) => (name.to_string(), None),
                };
                let values = values.entry(name).or_default();
                if !values.contains(&value) {
                    values.push(value);
                }
            }
        };
        for used in &census.uses {
            let facts = &used.op.facts;
            used.loops.iter().for_each(|l| note(&l.count));
            facts.params.iter().flat_map(|p| &p.shape).for_each(&mut note);
            note(&facts.flops.matmul);
            if let Some(attention) = &facts.flops.attention {
                [&attention.per_pair, &attention.queries, &attention.keys].into_iter().for_each(&mut note);
            }
        }
        let tail = |name: &str| name.rsplit('.').next().unwrap_or(name).to_string();
        let written = values.iter().map(|(name, its)| {
            let alone = values.keys().filter(|other| tail(other) == tail(name)).count() == 1;
            let text = match (name.contains('/'), alone) {
                (true, _) => format!("({name})"),
                (false, true) => tail(name),
                (false, false) => name.clone(),
            };
            (name.clone(), (its.len() == 1).then_some(text))
        });
        Self { written: written.collect() }
    }

    /// A count in these names.
    pub(crate) fn apply(&self, poly: &Poly) -> Poly {
        let factor = |atom: &Atom| match atom {
            Atom::Static { name, value } => match self.written.get(&**name) {
                Some(Some(text)) => Poly::named(text, *value),
                Some(None) => Poly::int(*value),
                None => Poly::named(name, *value),
            },
            Atom::Symbol(name) => Poly::symbol(name),
        };
        let terms = poly.terms().map(|(c, factors)| {
            let powers = factors.iter().flat_map(|(atom, power)| (0..*power).map(|_| factor(atom)));
            powers.fold(monomial(c, &[]), |product, p| &product * &p)
        });
        terms.sum()
    }
}
