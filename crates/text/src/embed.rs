//! A vector for each text.

use formwork_runtime::Texts;
use formwork_tokenizer::Tokenizer;
use serde_json::Value;

use crate::batches;
use crate::engine::{Engine, Facts};
use crate::error::{Error, Result, told};
use crate::folder::Folder;
use crate::pooling::Pooling;
use crate::vectors::Vectors;

/// What a model must produce to be pooled.
const STATES: &str = "last_hidden_state";

/// How texts are embedded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Embed {
    /// Texts that are read side by side.
    pub batch: usize,
    /// Whether a text that is too long is cut; else it is an error.
    pub truncate: bool,
    /// The name of the prompt to put before every text; else the one that the folder takes by itself.
    pub prompt: Option<String>,
}

impl Default for Embed {
    fn default() -> Self {
        Self { batch: 32, truncate: false, prompt: None }
    }
}

/// How a checkpoint's folder turns texts into vectors.
#[derive(Debug)]
pub struct Embedder {
    pooling: Pooling,
    tokenizer: Tokenizer,
    limit: Option<usize>,
    /// What stands before every text.
    prompt: String,
    lower_case: bool,
    options: Embed,
}

impl Embedder {
    /// As the folder says and the options ask.
    ///
    /// # Errors
    /// `unsupported-pooling`; `unknown-prompt`; what is wrong with the folder's files.
    pub fn new(folder: &Folder, facts: &Facts, options: Embed) -> Result<Self> {
        let pooled = facts.task.contains("classifier");
        if facts.output != STATES || facts.decodes() || pooled {
            let gives = if pooled { "labels" } else { &facts.output };
            let message = format!("`{}` gives {gives}, not a vector for each token", facts.name);
            return Err(Error::new("not-an-encoder", message).help("choose the bare model, e.g. with `--task base`"));
        }
        let pooling = Pooling::of(folder)?;
        let prompt = prompt(folder, options.prompt.as_deref())?;
        if !prompt.is_empty() && !pooling.include_prompt {
            return Err(Error::new("unsupported-pooling", "the pooling leaves the tokens of the prompt out"));
        }
        let settings = folder.json("sentence_bert_config.json")?;
        let own = settings.get("max_seq_length").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
        let mut tokenizer = folder.tokenizer()?;
        let limit = [own.or(tokenizer.limit()), facts.max_positions].into_iter().flatten().min();
        tokenizer.truncate(if options.truncate { limit } else { None }).map_err(told)?;
        let lower_case = settings.get("do_lower_case") == Some(&Value::Bool(true));
        Ok(Self { pooling, tokenizer, limit, prompt, lower_case, options })
    }

    /// The vectors of texts, in their order.
    ///
    /// # Errors
    /// `text-too-long` and `empty-input` with the number of the text; as [`Engine::read`].
    pub fn embed(&self, engine: &mut impl Engine, texts: &[impl AsRef<str>]) -> Result<Vectors> {
        let rows = texts.iter().enumerate().map(|(at, text)| self.ids(at, text.as_ref()));
        let texts = Texts { ids: rows.collect::<Result<_>>()?, ..Texts::default() };
        let mut vectors: Vec<Vec<f32>> = vec![Vec::new(); texts.ids.len()];
        batches::read(engine, &texts, self.options.batch, |at, output| {
            vectors[at] = match output.by_token {
                true => self.pooling.apply(&output.data, output.width),
                false => self.pooling.normalized(output.data),
            };
            Ok(())
        })?;
        let width = vectors.first().map_or(0, Vec::len);
        Ok(Vectors { width, data: vectors.concat() })
    }

    fn ids(&self, at: usize, text: &str) -> Result<Vec<u32>> {
        let text = format!("{}{text}", self.prompt);
        let text = if self.lower_case { text.to_lowercase() } else { text };
        let ids = self.tokenizer.encode(&text).map_err(told)?;
        check_length(at, &ids, self.limit)?;
        Ok(ids)
    }
}

/// A text has tokens, and no more than are read.
pub(crate) fn check_length(at: usize, ids: &[u32], limit: Option<usize>) -> Result<()> {
    match limit {
        _ if ids.is_empty() => Err(Error::new("empty-input", format!("text {} has no tokens", at + 1))),
        Some(limit) if ids.len() > limit => {
            let message = format!("text {} has {} tokens; the model reads at most {limit}", at + 1, ids.len());
            Err(Error::new("text-too-long", message).help("shorten it, or cut such texts with `--truncate`"))
        }
        _ => Ok(()),
    }
}

/// What stands before every text.
fn prompt(folder: &Folder, asked: Option<&str>) -> Result<String> {
    let settings = folder.json("config_sentence_transformers.json")?;
    let own = settings.get("default_prompt_name").and_then(Value::as_str);
    let Some(name) = asked.or(own) else { return Ok(String::new()) };
    let prompts = settings.get("prompts").and_then(Value::as_object);
    match prompts.and_then(|prompts| prompts.get(name)).and_then(Value::as_str) {
        Some(prompt) => Ok(prompt.to_string()),
        None => {
            let names: Vec<&str> = prompts.into_iter().flat_map(|prompts| prompts.keys().map(String::as_str)).collect();
            let known = if names.is_empty() { "none".to_string() } else { names.join(", ") };
            let error = Error::new("unknown-prompt", format!("the checkpoint has no prompt `{name}`"));
            Err(error.help(format!("its prompts: {known}")))
        }
    }
}
