//! Tests on the clock.

use std::time::Instant;

use formwork_ops::{CacheFormat, Room};
use formwork_tensor::{Asked, Context, Ids, Result};

use super::plan::{PIECE, Test};
use crate::inputs::Request;
use crate::model::Model;
use crate::runner::case::decodes;
use crate::texts::{Texts, read_texts};

/// The seconds that a test's new tokens take; what is in the cache before is not on the clock.
pub(super) fn seconds<M: Model>(model: &M, ctx: &Context, test: &Test, format: CacheFormat) -> Result<f64> {
    if test.mixed {
        let texts = Texts { ids: test.lengths().map(|length| ids::<M>(0, length)).collect(), ..Texts::default() };
        let start = Instant::now();
        read_texts(model, ctx, &texts, format)?;
        return Ok(start.elapsed().as_secs_f64());
    }
    let cache = M::cache(test.batch, Room { tokens: test.depth + test.tokens, format });
    let mut stream = Stream { model, ctx, cache, batch: test.batch, past: 0 };
    stream.read(test.depth, PIECE)?;
    let start = Instant::now();
    stream.read(test.tokens, test.piece(M::INFO.generates))?;
    Ok(start.elapsed().as_secs_f64())
}

/// Sequences side by side that grow.
struct Stream<'a, M: Model> {
    model: &'a M,
    ctx: &'a Context,
    cache: M::Cache,
    batch: usize,
    past: usize,
}

impl<M: Model> Stream<'_, M> {
    /// Reads so many more tokens of each sequence, up to `piece` at once.
    fn read(&mut self, tokens: usize, piece: usize) -> Result<()> {
        let end = self.past + tokens;
        while self.past < end {
            let count = piece.min(end - self.past);
            let mut request = Request::new(self.ids(count)?, self.past);
            request.asked = Asked::Last;
            if decodes::<M>() {
                request.source = Some((self.ids(count)?, None));
            }
            self.model.forward(self.ctx, &request.inputs::<M>()?, &mut self.cache);
            self.ctx.take_failure()?;
            self.past += count;
        }
        Ok(())
    }

    fn ids(&self, count: usize) -> Result<Ids> {
        Ids::new(ids::<M>(self.past * self.batch, count * self.batch), self.batch)
    }
}

/// Ids all over the vocabulary, the same in every run.
fn ids<M: Model>(first: usize, count: usize) -> Vec<u32> {
    let id =
        |at: usize| ((at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) as usize % M::INFO.vocab_size.max(1);
    (first..first + count).map(|at| id(at) as u32).collect()
}
