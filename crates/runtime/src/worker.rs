//! A model that answers one request after the other: whole texts side by side, or one sequence that is continued.

use formwork_ops::kept::Keeps as _;
use formwork_ops::{CacheFormat, Room};
use formwork_tensor::{Context, Error, Ids, Result};

use crate::batch::Chosen;
use crate::inputs::{Request, check_room};
use crate::model::Model;
use crate::sampling::{Sampler, Sampling};

/// Logits that are computed at once while a prompt is read; they bound the memory for it.
const LOGITS: usize = 1 << 26;

/// Texts that are read side by side.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Texts {
    /// The ids of each.
    pub ids: Vec<Vec<u32>>,
    /// The segment of each id, for models that tell segments apart; empty: 0 everywhere.
    pub types: Vec<Vec<u32>>,
    /// The tokens of each text whose outputs are wanted; empty: all of them.
    pub places: Vec<Vec<usize>>,
}

/// What a model gives for one text: `width` numbers for each token that was asked for, or once for the whole text.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// Numbers of a row.
    pub width: usize,
    /// The rows, one after the other.
    pub data: Vec<f32>,
    /// Whether the rows are tokens; else there is one for the text.
    pub by_token: bool,
}

/// How a sequence is continued.
#[derive(Clone, Debug, PartialEq)]
pub struct Continuation {
    /// What the decoder begins with, or the text that is continued.
    pub prompt: Vec<u32>,
    /// What the encoder of an encoder-decoder reads.
    pub source: Option<Vec<u32>>,
    /// The most ids that are added.
    pub count: usize,
    /// How ids are chosen.
    pub sampling: Sampling,
    /// Ids that end the answer and are not part of it.
    pub stop: Vec<u32>,
    /// How many of the likeliest ids are told with each chosen one; `None`: not even its own probability.
    pub alternatives: Option<usize>,
    /// Tokens that a new cache has room for: the prompt's and those added, or more where the sequence will grow.
    pub room: usize,
}

/// A model, and what it keeps of the sequence that it read last.
pub struct Worker<M: Model> {
    model: M,
    ctx: Context,
    format: CacheFormat,
    held: Option<Held<M>>,
    going: Option<Going>,
}

/// A cache and the ids in it.
struct Held<M: Model> {
    cache: M::Cache,
    room: usize,
    ids: Vec<u32>,
    source: Option<Vec<u32>>,
}

/// A sequence that is being continued.
struct Going {
    sampler: Sampler,
    /// The prompt and all new ids.
    seen: Vec<u32>,
    left: usize,
    stop: Vec<u32>,
    alternatives: Option<usize>,
}

impl<M: Model> Worker<M> {
    /// A worker that keeps keys and values in `format`.
    pub fn new(model: M, ctx: Context, format: CacheFormat) -> Self {
        Self { model, ctx, format, held: None, going: None }
    }

    /// The model.
    pub fn model(&self) -> &M {
        &self.model
    }

    /// What it computes with.
    pub fn context(&self) -> &Context {
        &self.ctx
    }

    /// Reads texts side by side, shorter ones padded on the right; gives the output of each.
    ///
    /// # Errors
    /// `empty-input` for no text or one without ids; `input-shape` if segments or places do not belong to the texts;
    /// `context-too-long`; `token-out-of-range`.
    pub fn read(&mut self, texts: &Texts) -> Result<Vec<Output>> {
        let rows = texts.ids.len();
        let longest = texts.ids.iter().map(Vec::len).max().unwrap_or_default();
        if let Some(at) = texts.ids.iter().position(Vec::is_empty).or((rows == 0).then_some(0)) {
            return Err(Error::new("empty-input", format!("text {} has no ids", at + 1)));
        }
        check_room(&M::INFO, longest)?;
        texts.check()?;
        let mut request = Request::new(padded(&texts.ids, longest)?, 0);
        if texts.ids.iter().any(|ids| ids.len() < longest) {
            request.mask = Some(texts.ids.iter().flat_map(|ids| (0..longest).map(|slot| slot < ids.len())).collect());
        }
        if !texts.types.is_empty() {
            request.types = Some(padded(&texts.types, longest)?);
        }
        let inputs = request.inputs::<M>()?;
        let mut cache = M::cache(rows, Room { tokens: longest, format: self.format });
        let output = self.model.forward(&self.ctx, &inputs, &mut cache);
        self.ctx.take_failure()?;
        let (width, by_token) = (output.dims().width(), output.shape().len() == 3);
        let of = |(at, data): (usize, &[f32])| {
            let data = match texts.places.get(at) {
                Some(places) if by_token => places.iter().flat_map(|p| &data[p * width..][..width]).copied().collect(),
                _ if by_token => data[..texts.ids[at].len() * width].to_vec(),
                _ => data.to_vec(),
            };
            Output { width, data, by_token }
        };
        Ok(output.data().chunks_exact(output.data().len() / rows).enumerate().map(of).collect())
    }

    /// Starts a continuation; what the cache holds of its beginning is not read again. Gives the number of such tokens.
    ///
    /// # Errors
    /// `not-generative`; `empty-input`; `context-too-long` if the prompt and the new ids do not fit; `sampling-option`.
    pub fn begin(&mut self, asked: Continuation) -> Result<usize> {
        if !M::INFO.generates {
            return Err(Error::new("not-generative", format!("`{}` does not continue sequences", M::INFO.name)));
        }
        if asked.prompt.is_empty() {
            return Err(Error::new("empty-input", "the prompt holds no ids"));
        }
        let needed = asked.prompt.len().saturating_add(asked.count);
        check_room(&M::INFO, needed)?;
        let sampler = Sampler::new(asked.sampling)?;
        self.going = None;
        let kept = self.go_back(&asked.prompt, asked.source.as_deref(), needed);
        if kept == 0 {
            let room = M::INFO.max_positions.map_or(asked.room, |max| asked.room.min(max)).max(needed);
            check_room(&M::INFO, room)?;
            let cache = M::cache(1, Room { tokens: room, format: self.format });
            self.held = Some(Held { cache, room, ids: Vec::new(), source: asked.source });
        }
        let Continuation { prompt, count, stop, alternatives, .. } = asked;
        self.going = Some(Going { sampler, seen: prompt, left: count, stop, alternatives });
        Ok(kept)
    }

    /// Takes the cache back to what it shares with a prompt; gives the tokens that stay, 0 where a new cache is needed.
    fn go_back(&mut self, prompt: &[u32], source: Option<&[u32]>, needed: usize) -> usize {
        let Some(held) = &mut self.held else { return 0 };
        let shared = held.ids.iter().zip(prompt).take_while(|(a, b)| a == b).count().min(prompt.len() - 1);
        let mut whole = shared > 0 && held.room >= needed && held.source.as_deref() == source;
        if whole && shared < held.ids.len() {
            held.cache.each(&mut |state| whole &= state.truncate(shared));
        }
        if !whole {
            self.held = None;
            return 0;
        }
        held.ids.truncate(shared);
        shared
    }

    /// The next id of the continuation; `None` at its end.
    ///
    /// # Errors
    /// As a forward pass; `no-finite-logits`. The continuation ends with it.
    pub fn next_id(&mut self) -> Result<Option<Chosen>> {
        let Some(mut going) = self.going.take() else { return Ok(None) };
        if going.left == 0 {
            return Ok(None);
        }
        let logits = self.step(&going.seen)?;
        let id = going.sampler.sample(&logits, &going.seen)?;
        if going.stop.contains(&id) {
            return Ok(None);
        }
        going.seen.push(id);
        going.left -= 1;
        let chosen = match going.alternatives {
            Some(count) => Chosen::of(&logits, id, count),
            None => Chosen { id, logprob: f64::NAN, likeliest: Vec::new() },
        };
        self.going = Some(going);
        Ok(Some(chosen))
    }

    /// Reads what the cache lacks of `seen`; gives the logits after its last id.
    fn step(&mut self, seen: &[u32]) -> Result<Vec<f32>> {
        let Some(mut held) = self.held.take() else { return Err(Error::new("empty-input", "nothing was read")) };
        let piece = (LOGITS / M::INFO.vocab_size.max(1)).max(1);
        let mut logits = Vec::new();
        while held.ids.len() < seen.len() {
            let past = held.ids.len();
            let ids = seen[past..(past + piece).min(seen.len())].to_vec();
            let mut request = Request::new(Ids::new(ids.clone(), 1)?, past);
            if let Some(source) = &held.source {
                request.source = Some((Ids::new(source.clone(), 1)?, None));
            }
            let output = self.model.forward(&self.ctx, &request.inputs::<M>()?, &mut held.cache);
            self.ctx.take_failure()?;
            let width = output.dims().width();
            logits = output.data()[output.data().len() - width..].to_vec();
            held.ids.extend(ids);
        }
        self.held = Some(held);
        Ok(logits)
    }
}

impl Texts {
    /// Segments and places belong to the texts.
    fn check(&self) -> Result<()> {
        let lengths = || self.ids.iter().map(Vec::len);
        let types = self.types.is_empty() || self.types.iter().map(Vec::len).eq(lengths());
        let inside = || self.places.iter().zip(lengths()).all(|(places, len)| places.iter().all(|at| *at < len));
        let places = self.places.is_empty() || (self.places.len() == self.ids.len() && inside());
        match types && places {
            true => Ok(()),
            false => Err(Error::new("input-shape", "segments or places do not belong to the texts")),
        }
    }
}

/// Rows of equal length, filled up with 0.
fn padded(rows: &[Vec<u32>], longest: usize) -> Result<Ids> {
    let fill = |row: &Vec<u32>| row.iter().copied().chain(std::iter::repeat_n(0, longest - row.len())).collect();
    Ids::new(rows.iter().flat_map::<Vec<u32>, _>(fill).collect(), rows.len())
}
