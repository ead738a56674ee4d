//! A config that no family claims: which families come nearest by the keys they read, and which keys none of them knows.

use std::collections::{BTreeMap, BTreeSet};

use formwork_diag::{Diagnostic, did_you_mean};
use formwork_syntax::ast::{Family, HfRule, IgnoreSet, Shared};
use formwork_syntax::data::Data;

use crate::hf::keys_of;
use crate::library::{Decl, Library};

/// Families that an error names.
const NAMED: usize = 3;
/// Keys that a family must read to be near: fewer say nothing.
const ENOUGH: usize = 3;
/// Keys that every config has, whatever it describes.
const ANYWHERE: [&str; 2] = ["model_type", "architectures"];

/// What one `hf` section knows.
struct Section<'l> {
    family: &'l str,
    model_type: &'l str,
    /// Keys that its rules read.
    reads: BTreeSet<String>,
    /// Keys that it lists as without effect.
    ignores: BTreeSet<String>,
}

/// Adds to the error of an unclaimed config what its keys say.
pub(crate) fn explain(mut error: Diagnostic, library: &Library, config: &Data, model_type: Option<&str>) -> Diagnostic {
    let sections = sections(library);
    let keys: Vec<&str> = config.entries().iter().map(|e| e.key.as_str()).filter(|k| !ANYWHERE.contains(k)).collect();
    for near in nearest(&sections, &keys) {
        let (mut read, mut open) = (0, Vec::new());
        for key in &keys {
            read += usize::from(near.reads.contains(*key));
            if !near.reads.contains(*key) && !near.ignores.contains(*key) {
                open.push(*key);
            }
        }
        let rest = if open.is_empty() { "knows the others".into() } else { format!("does not know {}", quoted(&open)) };
        error =
            error.note(format!("`{}` (family `{}`) reads {read} of its keys and {rest}", near.model_type, near.family));
    }
    let known = |key: &&&str| sections.iter().any(|s| s.reads.contains(**key) || s.ignores.contains(**key));
    let strange: Vec<&str> = keys.iter().filter(|key| !known(key)).copied().collect();
    if !strange.is_empty() {
        error = error.note(format!("no family knows {}", quoted(&strange)));
    }
    error = error.note("`formwork families` lists what is known");
    let types = library.model_types();
    error.maybe_help(
        model_type
            .and_then(|name| did_you_mean(name, types))
            .or_else(|| Some("write a family for it: see the guide on adding an architecture".into())),
    )
}

/// The sections that share most with a config; a key counts the more, the fewer sections read it.
fn nearest<'s, 'l>(sections: &'s [Section<'l>], keys: &[&str]) -> Vec<&'s Section<'l>> {
    let mut readers: BTreeMap<&str, usize> = BTreeMap::new();
    for key in sections.iter().flat_map(|s| &s.reads) {
        *readers.entry(key).or_default() += 1;
    }
    // Thousandths, so that the order is exact; a key that a section knows nothing of counts against it.
    let weight = |key: &str| 1000 / readers.get(key).copied().unwrap_or(1);
    let score = |s: &Section<'_>| -> (usize, usize) {
        let shared = keys.iter().filter(|k| s.reads.contains(**k));
        let known = keys.iter().filter(|k| s.reads.contains(**k) || s.ignores.contains(**k));
        (known.count(), shared.map(|k| weight(k)).sum())
    };
    let mut ranked: Vec<((usize, usize), &Section<'_>)> = sections.iter().map(|s| (score(s), s)).collect();
    ranked.retain(|(_, s)| keys.iter().filter(|k| s.reads.contains(**k)).count() >= ENOUGH);
    ranked.sort_by(|(a, s), (b, t)| {
        b.cmp(a).then(s.reads.len().cmp(&t.reads.len())).then(s.model_type.cmp(t.model_type))
    });
    let mut out: Vec<&Section<'_>> = Vec::new();
    for (_, section) in ranked {
        if out.len() < NAMED && !out.iter().any(|s| s.family == section.family) {
            out.push(section);
        }
    }
    out
}

fn sections(library: &Library) -> Vec<Section<'_>> {
    let mut out = Vec::new();
    for family in library.families() {
        for hf in &family.hf {
            let (mut reads, mut ignores) = (BTreeSet::new(), BTreeSet::new());
            collect((library, family), &hf.rules, &mut Vec::new(), &mut reads, &mut ignores);
            if let Some(name) = hf.model_types.first() {
                out.push(Section { family: &family.name.text, model_type: &name.text, reads, ignores });
            }
        }
    }
    out
}

/// The keys of rules and of the sets that they include, each set once.
fn collect(
    within: (&Library, &Family),
    rules: &[HfRule],
    seen: &mut Vec<String>,
    reads: &mut BTreeSet<String>,
    ignores: &mut BTreeSet<String>,
) {
    for rule in rules {
        match rule {
            HfRule::Ignore(keys) => ignores.extend(keys.keys.iter().map(|k| k.text.clone())),
            HfRule::Include(name) if !seen.contains(&name.text) => {
                seen.push(name.text.clone());
                let (library, family) = within;
                let own = family.shared.iter().find(|s| s.name().text == name.text);
                match (own, library.decl(&name.text)) {
                    (Some(Shared::Keys(set)), _) => collect(within, &set.rules, seen, reads, ignores),
                    (None, Some(Decl::Keys(set))) => collect(within, &set.rules, seen, reads, ignores),
                    (Some(Shared::Ignore(set)), _) => ignores.extend(keys_in(set)),
                    (None, Some(Decl::Ignore(set))) => ignores.extend(keys_in(set)),
                    _ => {}
                }
            }
            rule => reads.extend(keys_of(rule)),
        }
    }
}

fn keys_in(set: &IgnoreSet) -> impl Iterator<Item = String> + '_ {
    set.keys.iter().flat_map(|keys| &keys.keys).map(|key| key.text.clone())
}

fn quoted(keys: &[&str]) -> String {
    keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")
}
