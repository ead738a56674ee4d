//! Identifiers of generated code. Every identifier goes through here.

use std::collections::BTreeMap;

use proc_macro2::{Ident, Span};

/// Words that no generated identifier may be: Rust's keywords and what generated functions call their own.
const TAKEN: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn", "else",
    "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro", "match", "mod",
    "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static", "struct", "super", "trait", "true",
    "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "yield", "ctx", "cache", "ops",
];

/// An identifier; the text must have come from [`snake`], [`camel`] or [`screaming`].
pub(crate) fn ident(text: &str) -> Ident {
    Ident::new(text, Span::call_site())
}

/// The words of a name: letters and digits between anything else, and between a small and a capital letter.
fn words(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut small_before = false;
    for c in text.chars() {
        if !c.is_ascii_alphanumeric() {
            out.push(String::new());
            small_before = false;
            continue;
        }
        if out.is_empty() || (c.is_ascii_uppercase() && small_before) {
            out.push(String::new());
        }
        small_before = c.is_ascii_lowercase() || c.is_ascii_digit();
        if let Some(word) = out.last_mut() {
            word.push(c.to_ascii_lowercase());
        }
    }
    out.retain(|w| !w.is_empty());
    if out.first().is_none_or(|w| w.starts_with(|c: char| c.is_ascii_digit())) {
        out.insert(0, "n".to_string());
    }
    out
}

/// `self_attn`
pub(crate) fn snake(text: &str) -> String {
    let name = words(text).join("_");
    if TAKEN.contains(&name.as_str()) { format!("{name}_") } else { name }
}

/// `SelfAttn`
pub(crate) fn camel(text: &str) -> String {
    let capital = |word: String| {
        let mut chars = word.chars();
        chars.next().map(|c| c.to_ascii_uppercase().to_string() + chars.as_str()).unwrap_or_default()
    };
    words(text).into_iter().map(capital).collect()
}

/// `N_HEADS`
pub(crate) fn screaming(text: &str) -> String {
    words(text).join("_").to_ascii_uppercase()
}

/// Names of one scope, each given once.
#[derive(Debug, Default)]
pub(crate) struct Unique {
    taken: BTreeMap<String, ()>,
}

impl Unique {
    /// The first of the candidates that is free, else the last one with a number.
    pub(crate) fn pick(&mut self, candidates: &[String]) -> String {
        let free = candidates.iter().find(|c| !self.taken.contains_key(*c)).cloned();
        let name = free.unwrap_or_else(|| {
            let stem = candidates.last().cloned().unwrap_or_else(|| "n".into());
            let mut n = 2;
            while self.taken.contains_key(&format!("{stem}_{n}")) {
                n += 1;
            }
            format!("{stem}_{n}")
        });
        self.taken.insert(name.clone(), ());
        name
    }
}

/// Every identifier of a token stream that stands at the start of its path.
pub(crate) fn words_of(tokens: &proc_macro2::TokenStream) -> std::collections::BTreeSet<String> {
    use proc_macro2::TokenTree;
    let mut out = std::collections::BTreeSet::new();
    let mut stack = vec![tokens.clone()];
    while let Some(stream) = stack.pop() {
        let mut colons = 0;
        for tree in stream {
            match &tree {
                TokenTree::Ident(name) if colons < 2 => {
                    out.insert(name.to_string());
                }
                TokenTree::Group(group) => stack.push(group.stream()),
                TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
            colons = if matches!(&tree, TokenTree::Punct(p) if p.as_char() == ':') { colons + 1 } else { 0 };
        }
    }
    out
}

/// The last component of a path that is no loop index, and longer names for when that is taken.
pub(crate) fn path_names(path: &str) -> Vec<String> {
    let parts: Vec<&str> = path.split('.').filter(|p| !p.contains('{')).collect();
    let tails = (1..=parts.len()).map(|n| &parts[parts.len() - n..]);
    let tails = tails.filter(|tail| tail.first().is_some_and(|p| !p.starts_with(|c: char| c.is_ascii_digit())));
    let names: Vec<String> = tails.map(|tail| snake(&tail.join("_"))).collect();
    let free: Vec<String> = names.iter().filter(|n| !n.ends_with('_')).cloned().collect();
    if free.is_empty() { names } else { free }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_identifiers_whatever_the_text() {
        assert_eq!(snake("SelfAttention"), "self_attention");
        assert_eq!(snake("type"), "type_");
        assert_eq!(camel("causal_lm"), "CausalLm");
        assert_eq!(screaming("attention.n_heads"), "ATTENTION_N_HEADS");
        assert_eq!(snake("\u{202e}; fn evil(){}"), "fn_evil");
        assert_eq!(snake("9a"), "n_9a");
    }

    #[test]
    fn paths_give_short_names_first() {
        assert_eq!(path_names("model.layers.{i}"), ["layers", "model_layers"]);
    }
}
