//! Where `run` finds its prompts.

use std::path::Path;

use serde_json::Value;

use crate::args::Run;
use crate::problem::Problem;
use crate::texts;

/// The prompt, or those of a file.
pub(super) fn of(options: &Run) -> Result<Vec<String>, Problem> {
    if let Some(prompt) = &options.prompt {
        return if prompt == "-" { Ok(vec![texts::text(Path::new("-"))?]) } else { Ok(vec![prompt.clone()]) };
    }
    let path = options.prompts.as_deref().unwrap_or(Path::new("-"));
    let text = texts::text(path)?;
    let prompts = if path.extension().is_some_and(|e| e == "jsonl") { objects(&text, path)? } else { lines(&text) };
    if prompts.is_empty() {
        return Err(Problem::wrong("empty-input", format!("`{}` holds no prompt", path.display())));
    }
    Ok(prompts)
}

/// Lines with something on them.
fn lines(text: &str) -> Vec<String> {
    text.lines().filter(|line| !line.trim().is_empty()).map(String::from).collect()
}

/// The `prompt` of the object on each line.
fn objects(text: &str, path: &Path) -> Result<Vec<String>, Problem> {
    let prompt = |(at, line): (usize, &str)| {
        let wrong =
            |what: &str| Problem::wrong("bad-prompt", format!("line {} of `{}`: {what}", at + 1, path.display()));
        let value: Value = serde_json::from_str(line).map_err(|error| wrong(&error.to_string()))?;
        let prompt = value.get("prompt").and_then(Value::as_str);
        prompt.map(String::from).ok_or_else(|| wrong("there is no text under `prompt`"))
    };
    text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(prompt).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_objects_are_prompts() {
        assert_eq!(lines("one\n\n two \r\n"), ["one", " two "]);
        let path = Path::new("p.jsonl");
        let read = objects("{\"prompt\": \"a\\nb\", \"id\": 3}\n\n{\"prompt\": \"\"}", path);
        assert_eq!(read.ok().unwrap_or_default(), ["a\nb", ""]);
        for wrong in ["{\"prompt\": \"a\"}\n{\"text\": \"b\"}", "plain", "{\"prompt\": 3}"] {
            let problem = objects(wrong, path).err().unwrap();
            assert_eq!((problem.exit, problem.diagnostics[0].code), (1, "bad-prompt"), "{wrong}");
        }
    }
}
