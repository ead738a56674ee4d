//! Several prompts continued together.

use formwork_ops::{CacheFormat, Room};
use formwork_tensor::{Context, Error, Ids, Result};

use crate::likelihood::LogSoftmax;
use crate::model::Model;
use crate::rows::Rows;
use crate::sampling::{Sampler, Sampling};

/// How prompts are continued.
#[derive(Clone, Debug, PartialEq)]
pub struct Continue {
    /// The most ids that are added.
    pub count: usize,
    /// How ids are chosen; every prompt has a generator of its own with the same seed.
    pub sampling: Sampling,
    /// Ids that end an answer and are not part of it.
    pub stop: Vec<u32>,
    /// What an encoder-decoder's answers begin with; `None` for models that continue the prompt itself.
    pub start: Option<Vec<u32>>,
    /// How many of the likeliest ids are told with each chosen one; `None`: not even its own probability.
    pub alternatives: Option<usize>,
    /// The format that keys and values are kept in.
    pub cache: CacheFormat,
}

/// An id that was chosen and how likely the model found it, before sampling options changed anything.
#[derive(Clone, Debug, PartialEq)]
pub struct Chosen {
    /// The id.
    pub id: u32,
    /// The natural logarithm of its probability.
    pub logprob: f64,
    /// The likeliest ids with theirs, the likeliest first.
    pub likeliest: Vec<(u32, f64)>,
}

impl Chosen {
    /// The id with what its row of logits says.
    pub fn of(logits: &[f32], id: u32, alternatives: usize) -> Self {
        let row = LogSoftmax::of(logits);
        Self { id, logprob: row.at(id), likeliest: row.likeliest(alternatives) }
    }
}

/// The continuation of one prompt.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// The new ids.
    pub ids: Vec<u32>,
    /// How likely they were, where that was asked for.
    pub likelihoods: Vec<Chosen>,
    /// Whether an id of `stop` ended it.
    pub ended: bool,
}

/// Continues every prompt as if it were alone, side by side: each weight is read once for all of them.
///
/// # Errors
/// `not-generative`; `empty-input` for no prompt or one without ids; `context-too-long` if the longest prompt and the new ids do
/// not fit; `sampling-option`.
pub fn continue_all<M: Model>(
    model: &M,
    ctx: &Context,
    prompts: &[Vec<u32>],
    options: &Continue,
) -> Result<Vec<Answer>> {
    if !M::INFO.generates {
        return Err(Error::new("not-generative", format!("`{}` does not continue sequences", M::INFO.name)));
    }
    let sampler = Sampler::new(options.sampling)?;
    let texts: Vec<&[u32]> = prompts.iter().map(Vec::as_slice).collect();
    let prompts: Vec<&[u32]> = match &options.start {
        Some(start) => vec![start; texts.len()],
        None => texts.clone(),
    };
    let longest = prompts.iter().map(|ids| ids.len()).max().unwrap_or_default();
    let room = Room { tokens: longest.saturating_add(options.count), format: options.cache };
    let mut rows = Rows::new(model, ctx, prompts.len(), room)?;
    if options.start.is_some() {
        rows = rows.with_sources(&texts)?;
    }
    let mut logits = rows.read(&prompts)?;
    let begin = |at: usize| Row { at, sampler: sampler.clone(), seen: prompts[at].to_vec(), ended: false };
    let mut open: Vec<Row> = (0..prompts.len()).map(begin).collect();
    let mut answers = vec![Answer::default(); prompts.len()];
    for step in 0..options.count {
        let width = logits.dims().width();
        for (row, logits) in open.iter_mut().zip(logits.data().chunks_exact(width)) {
            row.choose(logits, options, &mut answers[row.at])?;
        }
        let going: Vec<usize> = (0..open.len()).filter(|at| !open[*at].ended).collect();
        if going.is_empty() || step + 1 == options.count {
            break;
        }
        rows.select(&going);
        open.retain(|row| !row.ended);
        let last = open.iter().filter_map(|row| row.seen.last().copied()).collect();
        logits = rows.step(Ids::new(last, open.len())?)?;
    }
    Ok(answers)
}

/// One sequence that goes on.
struct Row {
    /// Which prompt's.
    at: usize,
    sampler: Sampler,
    /// The prompt and all new ids.
    seen: Vec<u32>,
    ended: bool,
}

impl Row {
    /// Chooses the next id.
    fn choose(&mut self, logits: &[f32], options: &Continue, answer: &mut Answer) -> Result<()> {
        let id = self.sampler.sample(logits, &self.seen)?;
        self.ended = options.stop.contains(&id);
        if self.ended {
            answer.ended = true;
            return Ok(());
        }
        self.seen.push(id);
        answer.ids.push(id);
        if let Some(alternatives) = options.alternatives {
            answer.likelihoods.push(Chosen::of(logits, id, alternatives));
        }
        Ok(())
    }
}
