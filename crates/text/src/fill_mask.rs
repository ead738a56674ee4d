//! The likeliest fillers of masks.

use formwork_runtime::{Chosen, Output, Texts};
use formwork_tokenizer::Tokenizer;
use serde_json::Value;

use crate::batches;
use crate::embed::check_length;
use crate::engine::{Engine, Facts};
use crate::error::{Error, Result, told};
use crate::folder::Folder;

/// How tokenizers that name no mask write it.
const USUAL: [&str; 2] = ["[MASK]", "<mask>"];

/// A token in a mask's place.
#[derive(Clone, Debug, PartialEq)]
pub struct Filler {
    /// Its id.
    pub id: u32,
    /// Its text.
    pub token: String,
    /// Its probability.
    pub score: f64,
}

/// How a checkpoint's folder fills masks.
#[derive(Debug)]
pub struct FillMask {
    tokenizer: Tokenizer,
    limit: Option<usize>,
    mask: (String, u32),
    count: usize,
}

impl FillMask {
    /// As the folder says; `count` fillers for each mask.
    ///
    /// # Errors
    /// `no-masked-lm`; `no-mask` if the tokenizer has no mask; what is wrong with the folder's files.
    pub fn new(folder: &Folder, facts: &Facts, count: usize) -> Result<Self> {
        if facts.output != "logits" || facts.generates {
            let message = format!("`{}` is compiled for the task `{}`, which fills no masks", facts.name, facts.task);
            let help = "choose a masked language model, with `--task masked_lm` where the family has one";
            return Err(Error::new("no-masked-lm", message).help(help));
        }
        if count == 0 {
            return Err(Error::usage("usage", "a mask has at least one filler"));
        }
        let mut tokenizer = folder.tokenizer()?;
        let limit = [tokenizer.limit(), facts.max_positions].into_iter().flatten().min();
        tokenizer.truncate(None).map_err(told)?;
        let mask = mask(folder, &tokenizer)?;
        Ok(Self { tokenizer, limit, mask, count })
    }

    /// How a text writes the mask.
    pub fn mask(&self) -> &str {
        &self.mask.0
    }

    /// The fillers of each mask of each text, the likeliest first.
    ///
    /// # Errors
    /// `no-mask`, `text-too-long` with the number of the text; as [`Engine::read`].
    pub fn fill(&self, engine: &mut impl Engine, texts: &[impl AsRef<str>]) -> Result<Vec<Vec<Vec<Filler>>>> {
        let mut read = Texts::default();
        for (at, text) in texts.iter().enumerate() {
            let ids = self.tokenizer.encode(text.as_ref()).map_err(told)?;
            check_length(at, &ids, self.limit)?;
            let places: Vec<usize> = (0..ids.len()).filter(|place| ids[*place] == self.mask.1).collect();
            if places.is_empty() {
                let error = Error::new("no-mask", format!("text {} has no mask to fill", at + 1));
                return Err(error.help(format!("write `{}` where a token is missing", self.mask.0)));
            }
            read.ids.push(ids);
            read.places.push(places);
        }
        let mut all = vec![Vec::new(); texts.len()];
        batches::read(engine, &read, 1, |at, output| {
            all[at] = self.fillers(&output)?;
            Ok(())
        })?;
        Ok(all)
    }

    fn fillers(&self, output: &Output) -> Result<Vec<Vec<Filler>>> {
        let filler = |(id, logprob): (u32, f64)| {
            let token = self.tokenizer.decode_all(&[id]).or_else(|_| self.raw(id)).map_err(told)?;
            Ok(Filler { id, token, score: logprob.exp() })
        };
        let rows = output.data.chunks_exact(output.width);
        rows.map(|logits| Chosen::of(logits, 0, self.count).likeliest.into_iter().map(filler).collect()).collect()
    }

    /// A token that stands for no text, as the vocabulary writes it; an id without one has none.
    fn raw(&self, id: u32) -> Result<String, formwork_tokenizer::Error> {
        Ok(self.tokenizer.token(id).unwrap_or_default())
    }
}

/// The mask and its id.
fn mask(folder: &Folder, tokenizer: &Tokenizer) -> Result<(String, u32)> {
    for file in ["tokenizer_config.json", "special_tokens_map.json"] {
        let settings = folder.json(file)?;
        let token = settings.get("mask_token").filter(|token| !token.is_null());
        let Some(token) = token.map(|token| token.get("content").unwrap_or(token)).and_then(Value::as_str) else {
            continue;
        };
        let wrong =
            || Error::new("no-mask", format!("`{file}` says that `{token}` is the mask; the vocabulary lacks it"));
        return tokenizer.id(token).map(|id| (token.to_string(), id)).ok_or_else(wrong);
    }
    let found = USUAL.iter().find_map(|token| Some(((*token).to_string(), tokenizer.id(token)?)));
    found.ok_or_else(|| Error::new("no-mask", "the checkpoint's tokenizer names no mask"))
}
