//! Name patterns: captures in targets, their use in sources, and globs.

/// What the captures of a target matched.
#[derive(Clone, Debug, Default)]
pub(crate) struct Captures {
    values: Vec<(&'static str, String)>,
}

impl Captures {
    /// The same with one more name.
    pub(crate) fn with(&self, name: &'static str, value: String) -> Self {
        let mut more = self.clone();
        more.values.push((name, value));
        more
    }

    /// A name with its captures replaced.
    ///
    /// # Panics
    /// If a capture is unbound: the mapping is wrong, not the checkpoint.
    pub(crate) fn expand(&self, template: &str) -> String {
        let mut name = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let (capture, after) = after.split_once('}').expect("a capture ends with `}`");
            let found = self.values.iter().rev().find(|value| value.0 == capture);
            name += before;
            name += &found.unwrap_or_else(|| panic!("`{{{capture}}}` in `{template}` is unbound")).1;
            rest = after;
        }
        name + rest
    }
}

/// Matches a whole name with a target: `{i}` takes one or more characters except `.`, `{p*}` any.
pub(crate) fn matches(target: &'static str, name: &str) -> Option<Captures> {
    let mut captures = Captures::default();
    step(target, name, &mut captures).then_some(captures)
}

fn step(target: &'static str, name: &str, captures: &mut Captures) -> bool {
    let Some((before, after)) = target.split_once('{') else {
        return target == name;
    };
    let Some(name) = name.strip_prefix(before) else {
        return false;
    };
    let (capture, after) = after.split_once('}').expect("a capture ends with `}`");
    let (label, dots) = match capture.strip_suffix('*') {
        Some(label) => (label, true),
        None => (capture, false),
    };
    let depth = captures.values.len();
    let bound = captures.values.iter().find(|value| value.0 == label).map(|value| value.1.clone());
    for (at, c) in name.char_indices() {
        if c == '.' && !dots {
            break;
        }
        let (value, rest) = name.split_at(at + c.len_utf8());
        if bound.as_ref().is_some_and(|bound| bound != value) {
            continue;
        }
        captures.values.push((label, value.to_string()));
        if step(after, rest, captures) {
            return true;
        }
        captures.values.truncate(depth);
    }
    false
}

/// Matches a whole name with a glob, where `*` takes any characters.
pub(crate) fn glob(pattern: &str, name: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(rest) = name.strip_prefix(before) else {
        return false;
    };
    let mut starts = (0..=rest.len()).filter(|at| rest.is_char_boundary(*at));
    starts.any(|at| glob(after, &rest[at..]))
}

#[cfg(test)]
mod tests {
    use super::{glob, matches};

    #[test]
    fn captures_bind_and_expand() {
        let captures = matches("h.{i}.attn.{m}.weight", "h.12.attn.q.weight").unwrap();
        assert_eq!(captures.expand("layer.{i}.{m}"), "layer.12.q");
        assert!(matches("h.{i}.weight", "h.1.2.weight").is_none());
        assert!(matches("h.{i}.weight", "h..weight").is_none());
        let captures = matches("{p*}.LayerNorm.weight", "a.b.LayerNorm.weight").unwrap();
        assert_eq!(captures.expand("{p}.LayerNorm.gamma"), "a.b.LayerNorm.gamma");
        assert!(matches("{a}.{a}", "x.y").is_none() && matches("{a}.{a}", "x.x").is_some());
    }

    #[test]
    fn globs_match_whole_names() {
        assert!(glob("*.attn.bias", "h.0.attn.bias") && !glob("*.attn.bias", "h.0.attn.bias.x"));
        assert!(glob("a*b*c", "aXXbYYc") && glob("x", "x") && !glob("x", "xy"));
    }
}
