//! A model's own way to write a conversation: a Jinja template of its folder.
//!
//! It is a stranger's program: what it may compute and build up is bounded, and it sees nothing but the conversation, the special
//! tokens and the time.

use jiff::ZonedDateTime;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value as Datum;
use minijinja::{Environment, ErrorKind, Output, State, context};
use serde_json::Value;

use crate::dumps::to_json;
use crate::error::{Error, Result};
use crate::folder::Folder;

/// The file that holds a template by itself.
const FILE: &str = "chat_template.jinja";

/// Special tokens that templates ask for by name.
const TOKENS: [&str; 7] = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/// What a rendering may do: about as many steps, or 64 bytes each that are built up.
const FUEL: u64 = 500_000;

/// The stack of a rendering, in bytes: values may nest as deep as the steps allow.
const STACK: usize = 1 << 28;

/// The longest format of a time.
const FORMAT: usize = 256;

/// A turn of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who speaks: `system`, `user`, `assistant`.
    pub role: String,
    /// What is said.
    pub content: String,
}

/// How a folder writes conversations.
#[derive(Clone, Debug)]
pub struct Template {
    source: String,
    tokens: Vec<(&'static str, String)>,
}

impl Template {
    /// The template of a folder: `chat_template.jinja`, else the one (of several the `default`) under `chat_template` in
    /// `tokenizer_config.json`.
    ///
    /// # Errors
    /// `no-chat-template`; `bad-chat-template` with the line; what is wrong with the files.
    pub fn of(folder: &Folder) -> Result<Self> {
        let settings = folder.json("tokenizer_config.json")?;
        let source = match folder.text(FILE)? {
            Some(source) => source,
            None => chosen(&settings["chat_template"])?,
        };
        let text = |name| settings.get(name).map(|token| token.get("content").unwrap_or(token)).and_then(Value::as_str);
        let tokens = TOKENS.iter().filter_map(|name| Some((*name, text(*name)?.to_string()))).collect();
        let template = Self { source: without_marks_of_training(&source), tokens };
        template.parse().map_err(|error| told(&error))?;
        Ok(template)
    }

    fn parse(&self) -> Result<(), minijinja::Error> {
        self.environment(ZonedDateTime::now)?.template_from_str(&self.source).map(|_| ())
    }

    /// A conversation as the model reads it, up to where its next answer begins.
    ///
    /// # Errors
    /// `bad-chat-template` with what the template refuses, or where it goes wrong or asks for too much.
    pub fn render(&self, messages: &[Message]) -> Result<String> {
        self.render_at(messages, ZonedDateTime::now)
    }

    fn render_at(&self, messages: &[Message], now: fn() -> ZonedDateTime) -> Result<String> {
        let render = || -> Result<String, minijinja::Error> {
            let message = |it: &Message| Datum::from_pairs([("role", &it.role), ("content", &it.content)]);
            let messages: Vec<Datum> = messages.iter().map(message).collect();
            let given = context! { messages, add_generation_prompt => true, tools => (), documents => () };
            self.environment(now)?.template_from_str(&self.source)?.render(given)
        };
        let failed = |what: &str| Error::new("bad-chat-template", format!("the checkpoint's chat template {what}"));
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, render);
            let thread = thread.map_err(|_| failed("has no thread to run in"))?;
            thread.join().map_err(|_| failed("cannot be rendered"))?.map_err(|error| told(&error))
        })
    }

    /// Jinja as transformers sets it up.
    fn environment(&self, now: fn() -> ZonedDateTime) -> Result<Environment<'_>, minijinja::Error> {
        let mut environment = Environment::new();
        environment.set_fuel(Some(FUEL));
        environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.set_formatter(pythonic);
        environment.add_filter("tojson", to_json);
        environment.add_function("raise_exception", |message: String| -> Result<Datum, minijinja::Error> {
            Err(minijinja::Error::new(ErrorKind::InvalidOperation, message))
        });
        environment.add_function("strftime_now", move |format: String| {
            let wrong = |message: String| minijinja::Error::new(ErrorKind::InvalidOperation, message);
            match format.len() > FORMAT {
                true => Err(wrong(format!("a format of a time has {} bytes", format.len()))),
                false => jiff::fmt::strtime::format(&format, &now()).map_err(|error| wrong(error.to_string())),
            }
        });
        for (name, token) in &self.tokens {
            environment.add_global(*name, token.as_str());
        }
        Ok(environment)
    }
}

/// The one template, or the one that is called `default`.
fn chosen(given: &Value) -> Result<String> {
    let none = |message: String| {
        Error::new("no-chat-template", message).help("use a checkpoint that was made for conversations, or `run`")
    };
    let name = |entry: &Value| entry["name"].as_str().unwrap_or_default().to_string();
    match given {
        Value::Null => Err(none(format!("the checkpoint has neither `{FILE}` nor `chat_template`"))),
        Value::String(source) => Ok(source.clone()),
        Value::Array(several) => {
            let default = several.iter().find(|entry| name(entry) == "default");
            default.and_then(|entry| entry["template"].as_str()).map(String::from).ok_or_else(|| {
                let names: Vec<String> = several.iter().map(name).collect();
                none(format!("none of the checkpoint's chat templates is called `default`: {}", names.join(", ")))
            })
        }
        _ => Err(Error::new("bad-chat-template", "`chat_template` is neither a text nor a list of texts")),
    }
}

/// A template without `generation`, the tag that marks answers for training: as much as a condition that holds.
fn without_marks_of_training(source: &str) -> String {
    let mut out = String::new();
    let mut rest = source;
    while let Some(at) = rest.find("{%") {
        let (before, tag) = rest.split_at(at);
        let end = tag.find("%}").map_or(tag.len(), |end| end + 2);
        let (tag, after) = tag.split_at(end);
        let word = tag.trim_matches(['{', '%', '}', '-', '+']).trim();
        out += before;
        match word {
            "generation" => out += &tag.replace(word, "if true"),
            "endgeneration" => out += &tag.replace(word, "endif"),
            _ => out += tag,
        }
        rest = after;
    }
    out + rest
}

/// Values as Python writes them.
fn pythonic(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Datum) -> Result<(), minijinja::Error> {
    let name = match (value.is_none(), bool::try_from(value.clone())) {
        (true, _) => "None",
        (_, Ok(true)) => "True",
        (_, Ok(false)) => "False",
        _ => return minijinja::escape_formatter(out, state, value),
    };
    out.write_str(name).map_err(minijinja::Error::from)
}

fn told(error: &minijinja::Error) -> Error {
    let line = error.line().map(|line| format!(", line {line}")).unwrap_or_default();
    let message = match (error.kind(), error.detail()) {
        (ErrorKind::OutOfFuel, _) => "it asks for too much work".to_string(),
        (ErrorKind::InvalidOperation, Some(detail)) => detail.to_string(),
        (kind, Some(detail)) => format!("{kind}: {detail}"),
        (kind, None) => kind.to_string(),
    };
    Error::new("bad-chat-template", format!("the checkpoint's chat template{line}: {message}"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::Map;

    use super::*;

    fn template(source: &str) -> Template {
        let tokens = vec![("bos_token", "<s>".to_string()), ("eos_token", "</s>".to_string())];
        Template { source: without_marks_of_training(source), tokens }
    }

    fn leap_day() -> ZonedDateTime {
        "2024-02-29T09:05:07[UTC]".parse().unwrap()
    }

    fn messages(value: &Value) -> Vec<Message> {
        let text = |message: &Value, key: &str| message[key].as_str().unwrap().to_string();
        let message = |it: &Value| Message { role: text(it, "role"), content: text(it, "content") };
        value.as_array().unwrap().iter().map(message).collect()
    }

    #[test]
    fn conversations_are_written_as_transformers_does() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/chat");
        let read = |name: &str| -> Map<String, Value> {
            serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap()
        };
        let conversations = read("conversations.json");
        let mut seen = 0;
        for (name, expected) in read("expected.json") {
            let template = template(&std::fs::read_to_string(folder.join(format!("{name}.jinja"))).unwrap());
            for (conversation, given) in &conversations {
                let due = &expected[conversation];
                match template.render_at(&messages(given), leap_day) {
                    Ok(text) => assert_eq!(Some(text.as_str()), due["text"].as_str(), "{name}, {conversation}"),
                    Err(error) => {
                        let due = due["error"].as_str().unwrap_or("a text");
                        assert!(error.message.ends_with(due), "{name}, {conversation}: {} is not {due}", error.message);
                    }
                }
                seen += 1;
            }
        }
        assert_eq!(seen, 30);
    }

    #[test]
    fn a_strangers_template_is_bounded() {
        let endless = [
            "{% for i in range(100000) %}{% for j in range(100000) %}x{% endfor %}{% endfor %}",
            "{% set ns = namespace(s='x') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
            "{% set ns = namespace(s='x') %}{% for i in range(60) %}{% set ns.s = ns.s.replace('x', 'xxxx') %}{% endfor %}",
            "{{ 'x' * 1000000000000 }}",
            "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
            "{{ strftime_now('%255d' * 10000) }}",
            "{{ [1] | tojson(indent=1000000000) }}",
            "{% set ns = namespace(x=[]) %}{% for i in range(90000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x | tojson }}",
            "{% set ns = namespace(x=[]) %}{% for j in range(9) %}{% for i in range(90000) %}{% set ns.x = [ns.x] %}{% endfor %}{% endfor %}",
        ];
        for source in endless {
            let begin = std::time::Instant::now();
            let error = template(source).render(&messages(&serde_json::json!([]))).unwrap_err();
            assert_eq!((error.code, error.exit), ("bad-chat-template", 1), "{source}");
            assert!(begin.elapsed().as_secs() < 20, "{source}");
        }
    }

    #[test]
    fn what_a_template_does_wrong_is_said_with_its_line() {
        for (source, line, what) in [
            ("a\n{{ nothing.at.all }}", 2, "undefined"),
            ("{% include 'other' %}", 1, "include"),
            ("\n\n{{ strftime_now('%&') }}", 3, "&"),
            ("{% if %}", 1, "syntax"),
        ] {
            let error = template(source).render(&[]).unwrap_err();
            assert!(error.message.contains(&format!("line {line}")), "{source}: {}", error.message);
            assert!(error.message.contains(what), "{source}: {}", error.message);
        }
    }

    #[test]
    fn a_folder_has_one_template_or_a_default() {
        let several = serde_json::json!([{"name": "tool_use", "template": "a"}, {"name": "default", "template": "b"}]);
        assert_eq!(chosen(&several).unwrap(), "b");
        assert_eq!(chosen(&Value::from("c")).unwrap(), "c");
        assert_eq!(chosen(&Value::Null).unwrap_err().code, "no-chat-template");
        assert!(chosen(&serde_json::json!([{"name": "rag"}])).unwrap_err().message.ends_with("rag"));
        assert_eq!(chosen(&Value::from(3)).unwrap_err().code, "bad-chat-template");
    }
}
