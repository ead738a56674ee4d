//! A model with its context and cache: continuing one sequence.

use formwork_ops::Room;
use formwork_ops::kept::Keeps as _;
use formwork_tensor::{Asked, Context, Error, Ids, Result, Tensor};

use crate::inputs::{Request, Source, check_room};
use crate::model::Model;
use crate::sampling::{Sampler, Sampling};

/// One sequence of a model and what the model keeps of it.
pub struct Session<'m, M: Model> {
    model: &'m M,
    ctx: &'m Context,
    past: Past<M::Cache>,
}

/// What a [`Session`] has read, apart from the model that read it: to be held while the model does something else.
pub struct Past<C> {
    cache: C,
    pub(crate) room: Room,
    ids: Vec<u32>,
    pub(crate) source: Option<Source>,
    features: Option<Tensor>,
}

impl<'m, M: Model> Session<'m, M> {
    /// Room for so many tokens, or for a [`Room`] in another format than 32 bits.
    ///
    /// # Errors
    /// `context-too-long` if the model has fewer positions.
    pub fn new(model: &'m M, ctx: &'m Context, room: impl Into<Room>) -> Result<Self> {
        let room = room.into();
        check_room(&M::INFO, room.tokens)?;
        let past = Past { cache: M::cache(1, room), room, ids: Vec::new(), source: None, features: None };
        Ok(Self::resume(model, ctx, past))
    }

    /// Goes on with a sequence of this model.
    pub fn resume(model: &'m M, ctx: &'m Context, past: Past<M::Cache>) -> Self {
        Self { model, ctx, past }
    }

    /// What has been read, to be resumed later.
    pub fn suspend(self) -> Past<M::Cache> {
        self.past
    }

    /// Sets what the encoder reads.
    pub fn with_source(mut self, ids: &[u32]) -> Result<Self> {
        self.past.source = Some((Ids::new(ids.to_vec(), 1)?, None));
        Ok(self)
    }

    /// Sets the numbers `[1, P, width]` that the model reads beside ids.
    pub fn with_features(mut self, features: Tensor) -> Self {
        self.past.features = Some(features);
        self
    }

    /// The number of tokens so far.
    pub fn len(&self) -> usize {
        self.past.ids.len()
    }

    /// Whether there is no token yet.
    pub fn is_empty(&self) -> bool {
        self.past.ids.is_empty()
    }

    /// Appends ids and returns the model's output `[1, S, ..]` for them.
    ///
    /// # Errors
    /// If there is no id, one is out of range, or there is no room left.
    pub fn step(&mut self, ids: &[u32]) -> Result<Tensor> {
        self.read(ids, Asked::All)
    }

    /// Appends ids and returns the model's output `[1, .., width]`, at least for the last of them: what the others
    /// would give is left out where the model can.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn step_to_last(&mut self, ids: &[u32]) -> Result<Tensor> {
        self.read(ids, Asked::Last)
    }

    fn read(&mut self, ids: &[u32], asked: Asked) -> Result<Tensor> {
        let past = &mut self.past;
        let room = past.room.tokens - past.ids.len();
        if ids.len() > room {
            let message = format!("{} tokens do not fit; there is room for {room}", ids.len());
            return Err(Error::new("context-too-long", message));
        }
        let mut request = Request::new(Ids::new(ids.to_vec(), 1)?, past.ids.len());
        request.source = past.source.clone();
        request.features = past.features.clone();
        request.asked = asked;
        let inputs = request.inputs::<M>()?;
        let output = self.model.forward(self.ctx, &inputs, &mut past.cache);
        past.ids.extend_from_slice(ids);
        self.ctx.take_failure()?;
        Ok(output)
    }

    /// Forgets everything but the source and the features.
    pub fn reset(&mut self) {
        self.past.cache = M::cache(1, self.past.room);
        self.past.ids.clear();
    }

    /// Goes back to the longest beginning of `ids` that was read, their last one left out: gives its length. What the model
    /// keeps may not allow it, e.g. a state that mixes all tokens; nothing is left then.
    pub fn go_back(&mut self, ids: &[u32]) -> usize {
        let read = self.past.ids.iter().zip(ids).take_while(|(a, b)| a == b).count().min(ids.len().saturating_sub(1));
        let mut whole = read > 0;
        if whole && read < self.len() {
            self.past.cache.each(&mut |state| whole &= state.truncate(read));
        }
        if !whole {
            self.reset();
            return 0;
        }
        self.past.ids.truncate(read);
        read
    }

    /// Continues `prompt` by up to `count` ids, or as many as there is room for.
    ///
    /// # Errors
    /// `not-generative` if the model does not generate; `sampling-option`.
    pub fn generate<'s>(
        &'s mut self,
        prompt: &[u32],
        count: usize,
        sampling: Sampling,
    ) -> Result<Generation<'s, 'm, M>> {
        if !M::INFO.generates {
            let message = format!("`{}` does not continue sequences", M::INFO.name);
            return Err(Error::new("not-generative", message));
        }
        Ok(Generation { session: self, choices: Choices::new(prompt, 0, count, sampling)? })
    }
}

/// New ids, one after the other.
pub struct Generation<'s, 'm, M: Model> {
    session: &'s mut Session<'m, M>,
    choices: Choices,
}

impl<M: Model> Generation<'_, '_, M> {
    /// Ends before an id of these.
    pub fn stop_at(mut self, ids: &[u32]) -> Self {
        self.choices.stop = ids.to_vec();
        self
    }

    /// The next id and the logits that it was chosen from; `None` at the end.
    pub fn next_with_logits(&mut self) -> Option<Result<(u32, Vec<f32>)>> {
        self.choices.next(self.session)
    }
}

impl<M: Model> Iterator for Generation<'_, '_, M> {
    type Item = Result<u32>;

    fn next(&mut self) -> Option<Result<u32>> {
        Some(self.next_with_logits()?.map(|(id, _)| id))
    }
}

/// What is chosen for a sequence, step by step.
pub(crate) struct Choices {
    sampler: Sampler,
    /// The prompt and all new ids.
    seen: Vec<u32>,
    /// How many of them the model has read.
    read: usize,
    left: usize,
    /// Ids that end it.
    pub(crate) stop: Vec<u32>,
}

impl Choices {
    /// Up to `count` ids after a prompt, of which the session has read the first `read`.
    pub(crate) fn new(prompt: &[u32], read: usize, count: usize, sampling: Sampling) -> Result<Self> {
        Ok(Self { sampler: Sampler::new(sampling)?, seen: prompt.to_vec(), read, left: count, stop: Vec::new() })
    }

    /// The next id and the logits that it was chosen from; `None` at the end.
    pub(crate) fn next<M: Model>(&mut self, session: &mut Session<'_, M>) -> Option<Result<(u32, Vec<f32>)>> {
        self.left = self.left.checked_sub(1)?;
        let result = self.choose(session);
        let ends = result.as_ref().map_or(true, |(id, _)| self.stop.contains(id));
        if ends {
            self.left = 0;
        }
        (result.is_err() || !ends).then_some(result)
    }

    fn choose<M: Model>(&mut self, session: &mut Session<'_, M>) -> Result<(u32, Vec<f32>)> {
        let output = session.step_to_last(&self.seen[self.read..])?;
        self.read = self.seen.len();
        let width = output.dims().width();
        let logits = output.data()[output.data().len() - width..].to_vec();
        let id = self.sampler.sample(&logits, &self.seen)?;
        self.seen.push(id);
        Ok((id, logits))
    }
}
