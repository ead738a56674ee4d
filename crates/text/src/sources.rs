//! Where texts come from.

use std::path::Path;

use serde_json::Value;

use crate::error::{Error, Result};

/// A text, or two that are read together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Input {
    /// The text.
    pub text: String,
    /// The second of a pair.
    pub pair: Option<String>,
}

impl From<&str> for Input {
    fn from(text: &str) -> Self {
        Self { text: text.into(), pair: None }
    }
}

impl Input {
    /// Every line of a text, or with `objects` the `text` and `pair` of the JSON object on each line.
    ///
    /// # Errors
    /// `bad-text` with the line, `empty-input` if there is none.
    pub fn all(text: &str, objects: bool, path: &Path) -> Result<Vec<Self>> {
        let all = match objects {
            false => lines(text).into_iter().map(|text| Self { text, pair: None }).collect(),
            true => text.lines().enumerate().map(|(at, line)| object(line, at, path)).collect::<Result<Vec<_>>>()?,
        };
        match all.is_empty() {
            true => Err(Error::new("empty-input", format!("`{}` holds no text", path.display()))),
            false => Ok(all),
        }
    }
}

/// Every line of a text, empty ones too, so that the third result is that of the third line.
fn lines(text: &str) -> Vec<String> {
    text.lines().map(String::from).collect()
}

fn object(line: &str, at: usize, path: &Path) -> Result<Input> {
    let wrong = |what: &str| Error::new("bad-text", format!("line {} of `{}`: {what}", at + 1, path.display()));
    let value: Value = serde_json::from_str(line).map_err(|error| wrong(&error.to_string()))?;
    let fields = value.as_object().ok_or_else(|| wrong("there is no object"))?;
    let mut input = Input::default();
    let mut found = false;
    for (key, value) in fields {
        let text = value.as_str().map(String::from);
        match (key.as_str(), text) {
            ("text", Some(text)) => (input.text, found) = (text, true),
            ("pair", Some(text)) => input.pair = Some(text),
            ("text" | "pair", None) => return Err(wrong(&format!("`{key}` is no text"))),
            _ => return Err(wrong(&format!("`{key}` is neither `text` nor `pair`"))),
        }
    }
    if found { Ok(input) } else { Err(wrong("there is no `text`")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_counts() {
        assert_eq!(lines("one\n\n two \r\n"), ["one", "", " two "]);
        let path = Path::new("t.jsonl");
        let read = Input::all("{\"text\": \"a\\nb\", \"pair\": \"c\"}\n{\"text\": \"\"}", true, path).unwrap();
        assert_eq!(read, [Input { text: "a\nb".into(), pair: Some("c".into()) }, Input::from("")]);
        for wrong in ["{\"text\": 3}", "plain", "{\"pair\": \"a\"}", "{\"text\": \"a\", \"b\": 1}", "[]", "\n"] {
            assert_eq!(Input::all(wrong, true, path).unwrap_err().code, "bad-text", "{wrong}");
        }
        assert_eq!(Input::all("", false, path).unwrap_err().code, "empty-input");
    }
}
