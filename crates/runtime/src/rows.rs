//! A model with its context and cache: continuing several sequences side by side.

use formwork_ops::Room;
use formwork_ops::kept::Keeps as _;
use formwork_tensor::{Asked, Context, Error, Ids, Result, Tensor};

use crate::inputs::{Request, Source, check_room};
use crate::model::Model;

/// Logits that are computed at once while prompts are read; they bound the memory for it.
const LOGITS: usize = 1 << 26;

/// Sequences of a model and what the model keeps of them. Shorter prompts are padded on the left, shorter sources on the right.
pub struct Rows<'m, M: Model> {
    model: &'m M,
    ctx: &'m Context,
    cache: M::Cache,
    /// How many slots of each row are padding.
    padding: Vec<usize>,
    past: usize,
    source: Option<Source>,
}

impl<'m, M: Model> Rows<'m, M> {
    /// As many sequences as `rows` says, each with this room.
    ///
    /// # Errors
    /// `context-too-long` if the model has fewer positions, `empty-input` for no row.
    pub fn new(model: &'m M, ctx: &'m Context, rows: usize, room: impl Into<Room>) -> Result<Self> {
        let room = room.into();
        check_room(&M::INFO, room.tokens)?;
        if rows == 0 {
            return Err(Error::new("empty-input", "there is no sequence"));
        }
        let cache = M::cache(rows, room);
        Ok(Self { model, ctx, cache, padding: vec![0; rows], past: 0, source: None })
    }

    /// Sets what the encoder reads for each row.
    ///
    /// # Errors
    /// `empty-input` for a source without ids, `input-shape` for another number of sources than of rows.
    pub fn with_sources(mut self, sources: &[&[u32]]) -> Result<Self> {
        self.check_rows(sources.len())?;
        let longest = longest(sources)?;
        let padded = |ids: &&[u32]| {
            let padding = longest - ids.len();
            ids.iter().copied().chain(std::iter::repeat_n(0, padding)).collect::<Vec<u32>>()
        };
        let mask = sources.iter().flat_map(|ids| (0..longest).map(|slot| slot < ids.len())).collect();
        self.source = Some((Ids::new(sources.iter().flat_map(padded).collect(), sources.len())?, Some(mask)));
        Ok(self)
    }

    /// Reads the prompts, one for each row, before anything else; gives the logits `[B, V]` after their last tokens.
    ///
    /// # Errors
    /// As [`step`](Self::step); `empty-input` for a prompt without ids.
    pub fn read(&mut self, prompts: &[&[u32]]) -> Result<Tensor> {
        self.check_rows(prompts.len())?;
        let longest = longest(prompts)?;
        self.padding = prompts.iter().map(|ids| longest - ids.len()).collect();
        let rows = prompts.len();
        let piece = (LOGITS / (rows * M::INFO.vocab_size).max(1)).max(1);
        let mut logits = self.ctx.tensor(&[rows, 0]);
        for start in (0..longest).step_by(piece) {
            let end = (start + piece).min(longest);
            let id = |row: usize, slot: usize| slot.checked_sub(self.padding[row]).map_or(0, |at| prompts[row][at]);
            let ids = (0..rows).flat_map(|row| (start..end).map(move |slot| (row, slot)));
            logits = self.step(Ids::new(ids.map(|(row, slot)| id(row, slot)).collect(), rows)?)?;
        }
        Ok(logits)
    }

    /// Appends ids `[B, S]`; gives the logits `[B, V]` after the last of each row.
    ///
    /// # Errors
    /// If an id is out of range or a sequence becomes too long.
    pub fn step(&mut self, ids: Ids) -> Result<Tensor> {
        self.check_rows(ids.batch())?;
        let (rows, len) = (ids.batch(), ids.len());
        let slots = self.past + len;
        let mut request = Request::new(ids, self.past);
        if self.padding.iter().any(|padding| *padding > 0) {
            request.mask = Some(self.padding.iter().flat_map(|padding| (0..slots).map(|s| s >= *padding)).collect());
        }
        request.source.clone_from(&self.source);
        request.asked = Asked::Last;
        let inputs = request.inputs::<M>()?;
        let output = self.model.forward(self.ctx, &inputs, &mut self.cache);
        self.past += len;
        self.ctx.take_failure()?;
        let width = output.dims().width();
        Ok(output.last_slot().reshape(&[rows, width]))
    }

    /// Row `i` becomes what row `rows[i]` was; there may be more or fewer rows than before.
    ///
    /// # Panics
    /// If a row is named that is not there, or none.
    pub fn select(&mut self, rows: &[usize]) {
        if rows.iter().copied().eq(0..self.padding.len()) {
            return;
        }
        self.cache.each(&mut |state| state.select(rows));
        self.padding = rows.iter().map(|row| self.padding[*row]).collect();
        if let Some((ids, mask)) = self.source.take() {
            let data = rows.iter().flat_map(|row| ids.row(*row)).copied().collect();
            let slots = ids.len();
            let mask = mask.map(|mask| rows.iter().flat_map(|row| &mask[row * slots..][..slots]).copied().collect());
            self.source = Some((Ids::rows_of(data, rows.len()), mask));
        }
    }

    fn check_rows(&self, rows: usize) -> Result<()> {
        if rows == self.padding.len() {
            return Ok(());
        }
        let message = format!("{rows} rows of input for {} sequences", self.padding.len());
        Err(Error::new("input-shape", message))
    }
}

/// The length of the longest row; every row has ids.
fn longest(rows: &[&[u32]]) -> Result<usize> {
    if let Some(at) = rows.iter().position(|row| row.is_empty()) {
        return Err(Error::new("empty-input", format!("sequence {} has no ids", at + 1)));
    }
    Ok(rows.iter().map(|row| row.len()).max().unwrap_or_default())
}
