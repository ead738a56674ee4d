//! Patterns of weight names: `{i}` stands for one component, `{p*}` for one or more, `*` (in ignore lists) for any text.

/// What each capture stands for.
pub type Captures = Vec<(String, String)>;

/// Whether a name fits a pattern.
pub fn matches(pattern: &str, name: &str) -> bool {
    captures(pattern, name).is_some()
}

/// What the captures of a pattern stand for in a name that fits it.
pub fn captures(pattern: &str, name: &str) -> Option<Captures> {
    let mut out = Captures::new();
    fit(pattern, name, &mut out).then_some(out)
}

/// A pattern with its captures replaced.
pub fn expand(pattern: &str, captures: &Captures) -> String {
    captures.iter().fold(pattern.to_string(), |text, (name, value)| {
        text.replace(&format!("{{{name}}}"), value).replace(&format!("{{{name}*}}"), value)
    })
}

fn fit(pattern: &str, name: &str, out: &mut Captures) -> bool {
    let Some(open) = pattern.find('{') else { return pattern == name };
    let Some(rest) = name.strip_prefix(&pattern[..open]) else { return false };
    let Some(close) = pattern[open..].find('}').map(|c| open + c) else { return false };
    let variable = &pattern[open + 1..close];
    let (variable, dots) = variable.strip_suffix('*').map_or((variable, false), |v| (v, true));
    let tail = &pattern[close + 1..];
    for (at, c) in rest.char_indices() {
        let end = at + c.len_utf8();
        if c == '.' && !dots {
            return false;
        }
        out.push((variable.to_string(), rest[..end].to_string()));
        if fit(tail, &rest[end..], out) {
            return true;
        }
        out.pop();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captures_one_component_or_many() {
        assert!(matches("h.{i}.attn.weight", "h.12.attn.weight"));
        assert!(!matches("h.{i}.weight", "h.1.attn.weight"));
        assert!(matches("{p*}.norm.weight", "a.b.norm.weight"));
        let found = captures("{p*}.gamma", "x.y.gamma").unwrap_or_default();
        assert_eq!(expand("{p}.weight", &found), "x.y.weight");
    }
}
