//! A model with its context and cache: continuing one sequence.

use formwork_ops::Room;
use formwork_tensor::{Asked, Context, Error, Ids, Result, Tensor};

use crate::inputs::{Request, Source, check_room};
use crate::model::Model;
use crate::sampling::{Sampler, Sampling};

/// One sequence of a model and what the model keeps of it.
pub struct Session<'m, M: Model> {
    model: &'m M,
    ctx: &'m Context,
    cache: M::Cache,
    room: Room,
    past: usize,
    source: Option<Source>,
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
        let cache = M::cache(1, room);
        Ok(Self { model, ctx, cache, room, past: 0, source: None, features: None })
    }

    /// Sets what the encoder reads.
    pub fn with_source(mut self, ids: &[u32]) -> Result<Self> {
        self.source = Some((Ids::new(ids.to_vec(), 1)?, None));
        Ok(self)
    }

    /// Sets the numbers `[1, P, width]` that the model reads beside ids.
    pub fn with_features(mut self, features: Tensor) -> Self {
        self.features = Some(features);
        self
    }

    /// The number of tokens so far.
    pub fn len(&self) -> usize {
        self.past
    }

    /// Whether there is no token yet.
    pub fn is_empty(&self) -> bool {
        self.past == 0
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
        let room = self.room.tokens - self.past;
        if ids.len() > room {
            let message = format!("{} tokens do not fit; there is room for {room}", ids.len());
            return Err(Error::new("context-too-long", message));
        }
        let ids = Ids::new(ids.to_vec(), 1)?;
        let len = ids.len();
        let mut request = Request::new(ids, self.past);
        request.source = self.source.clone();
        request.features = self.features.clone();
        request.asked = asked;
        let inputs = request.inputs::<M>()?;
        let output = self.model.forward(self.ctx, &inputs, &mut self.cache);
        self.past += len;
        self.ctx.take_failure()?;
        Ok(output)
    }

    /// Forgets everything but the source and the features.
    pub fn reset(&mut self) {
        self.cache = M::cache(1, self.room);
        self.past = 0;
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
        let sampler = Sampler::new(sampling)?;
        Ok(Generation { session: self, sampler, seen: prompt.to_vec(), fresh: 0, left: count, stop: Vec::new() })
    }
}

/// New ids, one after the other.
pub struct Generation<'s, 'm, M: Model> {
    session: &'s mut Session<'m, M>,
    sampler: Sampler,
    /// The prompt and all new ids.
    seen: Vec<u32>,
    /// How many of them the model has read.
    fresh: usize,
    left: usize,
    stop: Vec<u32>,
}

impl<M: Model> Generation<'_, '_, M> {
    /// Ends before an id of these.
    pub fn stop_at(mut self, ids: &[u32]) -> Self {
        self.stop = ids.to_vec();
        self
    }

    /// The next id and the logits that it was chosen from; `None` at the end.
    pub fn next_with_logits(&mut self) -> Option<Result<(u32, Vec<f32>)>> {
        self.left = self.left.checked_sub(1)?;
        let result = self.choose();
        let ends = result.as_ref().map_or(true, |(id, _)| self.stop.contains(id));
        if ends {
            self.left = 0;
        }
        (result.is_err() || !ends).then_some(result)
    }

    fn choose(&mut self) -> Result<(u32, Vec<f32>)> {
        let output = self.session.step_to_last(&self.seen[self.fresh..])?;
        self.fresh = self.seen.len();
        let width = output.dims().width();
        let logits = output.data()[output.data().len() - width..].to_vec();
        let id = self.sampler.sample(&logits, &self.seen)?;
        self.seen.push(id);
        Ok((id, logits))
    }
}

impl<M: Model> Iterator for Generation<'_, '_, M> {
    type Item = Result<u32>;

    fn next(&mut self) -> Option<Result<u32>> {
        Some(self.next_with_logits()?.map(|(id, _)| id))
    }
}
