//! `include part`: members of a shared part become a family's own; what the family declares itself replaces the part's.

use std::collections::BTreeMap;
use std::rc::Rc;

use formwork_diag::{Diagnostic, Diagnostics, did_you_mean};
use formwork_syntax::ast::{Family, Field, Name, Shared};

/// The part that every family has without including it.
const EVERY_FAMILY: &str = "every_family";

type Parts = BTreeMap<String, Rc<Family>>;

/// A family with the members of its parts. A part's parameters stand where it is included, its weight rules before the family's,
/// its other members (those of `gguf` sections too) after them.
pub(crate) fn whole(family: &Family, parts: &Parts, errors: &mut Diagnostics) -> Family {
    let mut out = family.clone();
    let mut params: Vec<(bool, Field)> = Vec::new();
    let mut weights = Vec::new();
    let mut own = family.params.iter().enumerate().peekable();
    let mut seen: Vec<&str> = Vec::new();
    let implicit = parts.get(EVERY_FAMILY).map(|part| (usize::MAX, part));
    for (place, part) in included(family, parts, &mut Vec::new(), errors).into_iter().chain(implicit) {
        while let Some((_, field)) = own.next_if(|(at, _)| *at < place) {
            params.push((true, field.clone()));
        }
        if seen.contains(&part.name.text.as_str()) {
            continue;
        }
        seen.push(&part.name.text);
        params.extend(part.params.iter().map(|field| (false, field.clone())));
        weights.extend(part.weights.iter().cloned());
        add_missing(&mut out, part);
    }
    params.extend(own.map(|(_, field)| (true, field.clone())));
    weights.append(&mut out.weights);
    out.params = merged(params);
    out.weights = weights;
    out.includes.clear();
    out
}

/// The parts of a family in order, those that a part includes before it; each with the place among the family's parameters.
fn included<'p>(
    family: &Family,
    parts: &'p Parts,
    chain: &mut Vec<String>,
    errors: &mut Diagnostics,
) -> Vec<(usize, &'p Rc<Family>)> {
    let mut out = Vec::new();
    for (place, name) in &family.includes {
        let Some(part) = parts.get(&name.text) else {
            errors.push(unknown(name, parts));
            continue;
        };
        if chain.contains(&name.text) {
            let what = format!("part `{}` includes itself", name.text);
            errors.push(Diagnostic::new("cyclic-definition", name.span, what));
            continue;
        }
        chain.push(name.text.clone());
        out.extend(included(part, parts, chain, errors).into_iter().map(|(_, inner)| (*place, inner)));
        chain.pop();
        out.push((*place, part));
    }
    out
}

fn unknown(name: &Name, parts: &Parts) -> Diagnostic {
    Diagnostic::new("unknown-name", name.span, format!("no part is called `{}`", name.text))
        .maybe_help(did_you_mean(&name.text, parts.keys().map(String::as_str)))
}

/// Of parameters with one name the family's own (else the last part's), in the place of the first; without words of its own it
/// takes the other's. The flag says whether a parameter is the family's own.
fn merged(params: Vec<(bool, Field)>) -> Vec<Field> {
    let mut out: Vec<(bool, Field)> = Vec::new();
    for (own, field) in params {
        match out.iter_mut().find(|(_, other)| other.name.text == field.name.text) {
            Some((true, kept)) if !own => kept.doc = first_words(&kept.doc, &field.doc),
            Some(kept) => {
                let doc = first_words(&field.doc, &kept.1.doc);
                *kept = (own, Field { doc, ..field });
            }
            None => out.push((own, field)),
        }
    }
    out.into_iter().map(|(_, field)| field).collect()
}

fn first_words(doc: &str, otherwise: &str) -> String {
    if doc.is_empty() { otherwise.to_string() } else { doc.to_string() }
}

/// The members of a part that a family does not declare itself.
fn add_missing(family: &mut Family, part: &Family) {
    let taken = |names: &[&Name], name: &Name| names.iter().any(|n| n.text == name.text);
    for model in &part.models {
        if !taken(&family.models.iter().map(|m| &m.name).collect::<Vec<_>>(), &model.name) {
            family.models.push(model.clone());
        }
    }
    for binding in &part.lets {
        if !taken(&family.lets.iter().map(|l| &l.name).collect::<Vec<_>>(), &binding.name) {
            family.lets.push(binding.clone());
        }
    }
    for shared in &part.shared {
        if !taken(&family.shared.iter().map(Shared::name).collect::<Vec<_>>(), shared.name()) {
            family.shared.push(shared.clone());
        }
    }
    family.requires.extend(part.requires.iter().cloned());
    family.gguf.extend(part.gguf.iter().cloned());
}
