//! A model of this process with the files of its checkpoint.

use std::path::Path;

use formwork_runtime::{CacheFormat, Context, Model, Score, Windows, Worker};

use crate::chat::Chat;
use crate::classify::{Classifier, Classify, Label};
use crate::embed::{Embed, Embedder};
use crate::engine::Facts;
use crate::error::Result;
use crate::fill_mask::{FillMask, Filler};
use crate::folder::Folder;
use crate::generate::{Generate, Generation, Generator};
use crate::sources::Input;
use crate::vectors::Vectors;

/// A model that reads and writes text: its weights, its tokenizer, and what its folder says of both.
///
/// A method that the model's entry point has nothing for is an error that says so. Where other settings are wanted than a method's,
/// an [`Embedder`], a [`Classifier`] or a [`FillMask`] is built from [`folder`](Self::folder) and [`facts`](Self::facts) and asks
/// [`engine`](Self::engine).
pub struct TextModel<M: Model> {
    worker: Worker<M>,
    folder: Folder,
    facts: Facts,
    generator: Option<Generator>,
    embedder: Option<Embedder>,
}

impl<M: Model> TextModel<M> {
    /// Loads a checkpoint: a folder, or a file of weights that lies in one.
    ///
    /// # Errors
    /// Names every weight that is missing, misshapen or unused.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let model = formwork_runtime::load(path.as_ref())?;
        Ok(Self::new(Worker::new(model, Context::new()?, CacheFormat::default()), Folder::of(path.as_ref())))
    }

    /// A model that is loaded, e.g. with packed weights, a number of threads or a small cache, and its folder.
    pub fn new(worker: Worker<M>, folder: Folder) -> Self {
        Self { worker, folder, facts: Facts::of(&M::INFO), generator: None, embedder: None }
    }

    /// Continues a text. Pieces come as they are made; the iterator ends at an end token of the folder's
    /// `generation_config.json` (else `config.json`), at a stop text, or after as many tokens as the options say.
    /// What the prompt shares with the text before it is not read again.
    ///
    /// # Errors
    /// `not-generative`; `context-too-long` for a prompt that leaves no room; `sampling-option`; what is wrong with the
    /// tokenizer.
    pub fn generate(&mut self, prompt: &str, options: &Generate) -> Result<Generation<'_, Worker<M>>> {
        let generator = kept(&mut self.generator, || Generator::new(&self.folder, &self.facts))?;
        generator.generate(&mut self.worker, &generator.ids(prompt)?, options)
    }

    /// A conversation in the way of the model, perhaps with something that the system is told first.
    ///
    /// # Errors
    /// `no-chat-template`; `bad-chat-template`.
    pub fn chat(&self, system: Option<&str>) -> Result<Chat> {
        Chat::new(&self.folder, system)
    }

    /// The model's answer to what the user says next. Tell [`Chat::answered`] of it; the next answer reads only what is new.
    ///
    /// # Errors
    /// As [`generate`](Self::generate); `bad-chat-template`.
    pub fn answer(&mut self, chat: &mut Chat, text: &str, options: &Generate) -> Result<Generation<'_, Worker<M>>> {
        let generator = kept(&mut self.generator, || Generator::new(&self.folder, &self.facts))?;
        generator.answer(&mut self.worker, chat, text, options)
    }

    /// A vector for each text, pooled and scaled as the folder's sentence-transformers files say.
    ///
    /// # Errors
    /// `not-an-encoder`; `text-too-long`; `unsupported-pooling`; what is wrong with the tokenizer.
    pub fn embed(&mut self, texts: &[impl AsRef<str>]) -> Result<Vectors> {
        let embedder = kept(&mut self.embedder, || Embedder::new(&self.folder, &self.facts, Embed::default()))?;
        embedder.embed(&mut self.worker, texts)
    }

    /// How likely the model finds a text, each token predicted from those before it within a window of `window` tokens;
    /// `stride` tokens lie between the starts of two windows. By default a window is what the model reads, at most 2048 tokens,
    /// and windows do not overlap.
    ///
    /// # Errors
    /// `not-generative`; `usage` for windows that do not go; `empty-input` for fewer than two tokens.
    pub fn score(&mut self, text: &str, window: Option<usize>, stride: Option<usize>) -> Result<Score> {
        let generator = kept(&mut self.generator, || Generator::new(&self.folder, &self.facts))?;
        generator.score(&mut self.worker, text, Windows::new(window, stride, self.facts.max_positions)?)
    }

    /// The labels of each text, or pair of texts, the likeliest first.
    ///
    /// # Errors
    /// `not-a-classifier`; as [`Classifier::classify`].
    pub fn classify(&mut self, inputs: &[Input]) -> Result<Vec<Vec<Label>>> {
        Classifier::new(&self.folder, &self.facts, Classify::default())?.classify(&mut self.worker, inputs)
    }

    /// The `count` likeliest tokens in the place of each mask of each text, the likeliest first.
    ///
    /// # Errors
    /// `no-masked-lm`; as [`FillMask::fill`].
    pub fn fill_masks(&mut self, texts: &[impl AsRef<str>], count: usize) -> Result<Vec<Vec<Vec<Filler>>>> {
        FillMask::new(&self.folder, &self.facts, count)?.fill(&mut self.worker, texts)
    }

    /// The checkpoint's folder.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// What the model is.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Who computes.
    pub fn engine(&mut self) -> &mut Worker<M> {
        &mut self.worker
    }
}

/// What was made before, else made now.
fn kept<T>(slot: &mut Option<T>, make: impl FnOnce() -> Result<T>) -> Result<&T> {
    match slot {
        Some(made) => Ok(made),
        None => Ok(slot.insert(make()?)),
    }
}
