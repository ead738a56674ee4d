//! Texts that are continued, as the new ones come.

use formwork_runtime::{Chosen, Continuation, Next, Sampling, Score, Windows};
use formwork_tokenizer::{Stream, Tokenizer};

use crate::chat::Chat;
use crate::engine::{Engine, Facts};
use crate::error::{Error, Result, told};
use crate::folder::Folder;
use crate::prompts::Prompts;
use crate::stops::Stops;

/// How many tokens are added unless told.
const COUNT: usize = 64;

/// How a text is continued.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Generate {
    /// The most tokens that are added; `None`: 64, or as many as there is room for.
    pub count: Option<usize>,
    /// How tokens are chosen; the same seed gives the same text.
    pub sampling: Sampling,
    /// Texts that end the new one and are not part of it.
    pub stop: Vec<String>,
    /// How many of the likeliest tokens are named beside each chosen one; `None`: not even its own probability is told.
    pub likeliest: Option<usize>,
}

/// What a generation adds in one step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Piece {
    /// Text that is certain to be part of the answer; empty while a character, or what may be a stop text, is incomplete.
    pub text: String,
    /// The token of this step; `None` for what is left at the end.
    pub token: Option<Token>,
}

/// A token that was chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    /// Its id.
    pub id: u32,
    /// The natural logarithm of its probability, where [`Generate::likeliest`] asks for it.
    pub logprob: Option<f64>,
    /// The likeliest tokens in its place, the likeliest first.
    pub likeliest: Vec<Likely>,
}

/// A token that may have been chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Likely {
    /// Its text by itself.
    pub text: String,
    /// Its id.
    pub id: u32,
    /// The natural logarithm of its probability.
    pub logprob: f64,
}

/// How a checkpoint's folder continues texts.
#[derive(Debug)]
pub struct Generator {
    tokenizer: Tokenizer,
    prompts: Prompts,
    /// Ids that end a text.
    ends: Vec<u32>,
}

impl Generator {
    /// As the folder says.
    ///
    /// # Errors
    /// `not-generative`; `no-start-token`; what is wrong with the folder's files.
    pub fn new(folder: &Folder, facts: &Facts) -> Result<Self> {
        if !facts.generates {
            return Err(Error::new("not-generative", format!("`{}` does not continue sequences", facts.name)));
        }
        let tokenizer = folder.tokenizer()?;
        let prompts = Prompts::new(folder, facts, &tokenizer)?;
        Ok(Self { tokenizer, prompts, ends: folder.stop_ids()? })
    }

    /// The ids of a text, with the start token that the folder asks for.
    ///
    /// # Errors
    /// `empty-input` for a text without ids; as [`Tokenizer::encode`].
    pub fn ids(&self, text: &str) -> Result<Vec<u32>> {
        self.prompts.start.ids(text, &self.tokenizer)
    }

    /// Ids that end a text.
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// What an encoder-decoder's answers begin with; `None` for a model that continues the prompt itself.
    pub fn decoder_start(&self) -> Option<&[u32]> {
        self.prompts.decoder.as_deref()
    }

    /// The most new tokens after prompts of at most so many: as asked, else 64 or as many as there is room for.
    ///
    /// # Errors
    /// `context-too-long` for a prompt that leaves no room.
    pub fn count(&self, asked: Option<usize>, prompt: usize) -> Result<usize> {
        let most = self.at_most(COUNT, prompt)?;
        Ok(asked.unwrap_or(most))
    }

    /// So many new tokens after a prompt, or as many as there is room for.
    ///
    /// # Errors
    /// `context-too-long` for a prompt that leaves none.
    pub fn at_most(&self, count: usize, prompt: usize) -> Result<usize> {
        Ok(self.prompts.room(prompt)?.map_or(count, |room| room.min(count)))
    }

    /// Its tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Continues the text of `ids`: pieces come as they are made.
    ///
    /// # Errors
    /// `context-too-long` for a prompt that leaves no room; `sampling-option`; as [`Engine::begin`].
    pub fn generate<'a, E: Engine>(
        &'a self,
        engine: &'a mut E,
        ids: &[u32],
        options: &Generate,
    ) -> Result<Generation<'a, E>> {
        let count = self.count(options.count, ids.len())?;
        let (prompt, source) = match &self.prompts.decoder {
            Some(start) => (start.clone(), Some(ids.to_vec())),
            None => (ids.to_vec(), None),
        };
        let stream = self.tokenizer.stream(&prompt).map_err(told)?;
        let (sampling, alternatives) = (options.sampling, options.likeliest);
        let asked = Continuation { prompt, source, count, sampling, stop: self.ends.clone(), alternatives };
        let reused = engine.begin(&asked)?;
        let read = asked.prompt.len() - reused;
        let stops = Stops::new(&options.stop);
        Ok(Generation { engine, tokenizer: &self.tokenizer, stream: Some(stream), stops, reused, read })
    }

    /// Continues a conversation with the model's answer to what the user says. [`Chat::answered`] is told of it afterwards.
    ///
    /// # Errors
    /// As [`Chat::ask`] and [`Generator::generate`].
    pub fn answer<'a, E: Engine>(
        &'a self,
        engine: &'a mut E,
        chat: &mut Chat,
        text: &str,
        options: &Generate,
    ) -> Result<Generation<'a, E>> {
        let ids = self.asked(chat, text)?;
        self.generate(engine, &ids, options)
    }

    /// Adds what the user says to a conversation; gives the ids that the model continues with its answer.
    ///
    /// # Errors
    /// As [`Chat::ask`].
    pub fn asked(&self, chat: &mut Chat, text: &str) -> Result<Vec<u32>> {
        // The template has written every special token itself.
        Ok(self.tokenizer.tokens(&chat.ask(text)?, false).map_err(told)?.ids)
    }

    /// How likely the model finds a text; `window` tokens are read at once, `stride` lie between the starts of two windows.
    ///
    /// # Errors
    /// As [`Windows::new`], [`Generator::ids`] and [`Engine::score`].
    pub fn score(&self, engine: &mut impl Engine, text: &str, windows: Windows) -> Result<Score> {
        engine.score(&self.ids(text)?, windows)
    }
}

/// A text that is being continued: its pieces, one a token.
pub struct Generation<'a, E> {
    engine: &'a mut E,
    tokenizer: &'a Tokenizer,
    /// `None` at the end.
    stream: Option<Stream<'a>>,
    stops: Stops,
    reused: usize,
    read: usize,
}

impl<E: Engine> Generation<'_, E> {
    /// Tokens of the prompt that the engine had read before.
    pub fn reused(&self) -> usize {
        self.reused
    }

    /// Tokens of the prompt that the engine reads now.
    pub fn read(&self) -> usize {
        self.read
    }

    /// The text that is still to come, whole.
    ///
    /// # Errors
    /// As the pieces.
    pub fn text(self) -> Result<String> {
        self.map(|piece| Ok(piece?.text)).collect()
    }

    fn step(&mut self) -> Result<Option<Piece>> {
        let Some(mut stream) = self.stream.take() else { return Ok(None) };
        let Some(next) = self.engine.next_id()? else {
            let (text, found) = self.stops.push(&stream.finish().map_err(told)?);
            let rest = if found { String::new() } else { self.stops.finish() };
            return Ok(Some(Piece { text: text + &rest, token: None }));
        };
        let (text, found) = self.stops.push(&stream.push(next.id).map_err(told)?);
        self.stream = Some(stream).filter(|_| !found);
        Ok(Some(Piece { text, token: Some(self.token(next)?) }))
    }

    fn token(&self, next: Next) -> Result<Token> {
        let Next { id, likelihood } = next;
        let Some(Chosen { logprob, likeliest, .. }) = likelihood else {
            return Ok(Token { id, logprob: None, likeliest: Vec::new() });
        };
        let named = |(id, logprob)| Ok(Likely { text: self.tokenizer.decode_all(&[id]).map_err(told)?, id, logprob });
        Ok(Token { id, logprob: Some(logprob), likeliest: likeliest.into_iter().map(named).collect::<Result<_>>()? })
    }
}

impl<E: Engine> Iterator for Generation<'_, E> {
    type Item = Result<Piece>;

    fn next(&mut self) -> Option<Result<Piece>> {
        self.step().transpose()
    }
}
