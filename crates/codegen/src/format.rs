//! Token streams to text that a person reads.

use proc_macro2::TokenStream;

/// Items as text, one blank line between two; empty where the tokens are no Rust, which would be a bug here.
pub(crate) fn items(tokens: &TokenStream) -> String {
    let Ok(file) = syn::parse2::<syn::File>(tokens.clone()) else { return String::new() };
    let printed = file.items.into_iter().map(|item| {
        let single = syn::File { shebang: None, frontmatter: None, attrs: Vec::new(), items: vec![item] };
        prettyplease::unparse(&single)
    });
    printed.collect::<Vec<_>>().join("\n")
}

/// Methods of an `impl` are set apart by a blank line, and so are a loop and what surrounds it.
pub(crate) fn breathe(text: &str) -> String {
    let mut out: Vec<String> = Vec::new();
    for line in text.lines() {
        let trimmed = line.trim_start();
        let previous = out.last().map(|l| l.trim().to_string()).unwrap_or_default();
        let indent = line.len() - trimmed.len();
        let begins_method = indent == 4 && (trimmed.starts_with("///") || trimmed.starts_with("fn "));
        if begins_method && (previous == "}" || previous.ends_with(';')) {
            out.push(String::new());
        }
        out.push(line.to_string());
    }
    out.join("\n") + "\n"
}
