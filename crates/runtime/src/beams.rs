//! Beam search: the likeliest whole continuations that are found by keeping several at every step.

use formwork_ops::{CacheFormat, Room};
use formwork_tensor::{Context, Error, Ids, Result};

use crate::likelihood::LogSoftmax;
use crate::model::Model;
use crate::rows::Rows;

/// How beams are searched. The words are those of Hugging Face's generation configs, and so are the meanings.
#[derive(Clone, Debug, PartialEq)]
pub struct BeamSearch {
    /// Continuations that are kept at every step.
    pub beams: usize,
    /// The most ids that are added.
    pub count: usize,
    /// Sums of log-probabilities are divided by the length to this power.
    pub length_penalty: f64,
    /// Whether the search ends as soon as as many answers as beams have ended.
    pub early_stopping: bool,
    /// Ids that end an answer; they count for its score and are not part of it.
    pub stop: Vec<u32>,
    /// Last ids of the prompt that were forced on the model, and count for the length of every answer all the same.
    pub forced: usize,
    /// The format that keys and values are kept in.
    pub cache: CacheFormat,
}

/// A continuation with its score.
#[derive(Clone, Debug, PartialEq)]
pub struct Hypothesis {
    /// The new ids.
    pub ids: Vec<u32>,
    /// The sum of their log-probabilities, divided by their number to the power of the length penalty.
    pub score: f64,
    /// Whether an id of `stop` ended it.
    pub ended: bool,
}

/// A continuation that may go on.
struct Beam {
    ids: Vec<u32>,
    sum: f64,
}

/// One step more: which beam, which id, the sum with it.
struct Candidate {
    beam: usize,
    id: u32,
    sum: f64,
}

/// Continues a prompt; the best continuations, the best first. With a `source` the model is an encoder-decoder that reads it.
///
/// A step considers the likeliest extensions of all beams, some more than there are beams: the best that do not end become the
/// next beams, and those among the first that end become answers. The search ends when no beam can beat the worst answer kept.
///
/// # Errors
/// `not-generative`; `usage` for no beam, or more than half the vocabulary; as [`Rows::read`] for prompt and source.
pub fn beam_search<M: Model>(
    model: &M,
    ctx: &Context,
    prompt: &[u32],
    source: Option<&[u32]>,
    search: &BeamSearch,
) -> Result<Vec<Hypothesis>> {
    if !M::INFO.generates {
        return Err(Error::new("not-generative", format!("`{}` does not continue sequences", M::INFO.name)));
    }
    let width = search.beams.saturating_mul(search.stop.len().max(1) + 1);
    if search.beams == 0 || width > M::INFO.vocab_size {
        let message = format!("{} beams for a vocabulary of {} ids", search.beams, M::INFO.vocab_size);
        return Err(Error::usage("usage", message).help("there is at least one beam, and far fewer than ids"));
    }
    let room = Room { tokens: prompt.len().saturating_add(search.count), format: search.cache };
    let mut rows = Rows::new(model, ctx, 1, room)?;
    if let Some(source) = source {
        rows = rows.with_sources(&[source])?;
    }
    let mut logits = rows.read(&[prompt])?;
    let mut beams = vec![Beam { ids: Vec::new(), sum: 0.0 }];
    let mut best = Vec::new();
    for length in 1..=search.count {
        let step = candidates(&beams, logits.data(), width);
        best.extend(search.ended(&beams, &step, length));
        best.sort_by(|a: &Hypothesis, b: &Hypothesis| b.score.total_cmp(&a.score));
        best.truncate(search.beams);
        let next: Vec<Candidate> = step.into_iter().filter(|c| !search.ends(c.id)).take(search.beams).collect();
        let origins: Vec<usize> = next.iter().map(|candidate| candidate.beam).collect();
        beams = next.iter().map(|candidate| candidate.beam_after(&beams)).collect();
        if length == search.count || search.is_settled(&best, &beams, length) {
            break;
        }
        rows.select(&origins);
        let last = beams.iter().filter_map(|beam| beam.ids.last().copied()).collect();
        logits = rows.step(Ids::new(last, beams.len())?)?;
    }
    Ok(best)
}

/// The likeliest extensions of all beams, the likeliest first.
fn candidates(beams: &[Beam], logits: &[f32], width: usize) -> Vec<Candidate> {
    let rows = logits.chunks_exact(logits.len() / beams.len());
    let extend = |(at, (beam, row)): (usize, (&Beam, &[f32]))| {
        let (beam, sum) = (at, beam.sum);
        let likeliest = LogSoftmax::of(row).likeliest(width);
        likeliest.into_iter().map(move |(id, logprob)| Candidate { beam, id, sum: sum + logprob })
    };
    let mut all: Vec<Candidate> = beams.iter().zip(rows).enumerate().flat_map(extend).collect();
    all.sort_by(|a, b| b.sum.total_cmp(&a.sum));
    all.truncate(width);
    all
}

impl Candidate {
    fn beam_after(&self, beams: &[Beam]) -> Beam {
        let ids = beams[self.beam].ids.iter().copied().chain([self.id]).collect();
        Beam { ids, sum: self.sum }
    }
}

impl BeamSearch {
    fn ends(&self, id: u32) -> bool {
        self.stop.contains(&id)
    }

    fn score(&self, sum: f64, length: usize) -> f64 {
        sum / ((length + self.forced) as f64).powf(self.length_penalty)
    }

    /// The answers among the first candidates: those that an id ends, and all when there is no room for more.
    fn ended<'a>(
        &'a self,
        beams: &'a [Beam],
        step: &'a [Candidate],
        length: usize,
    ) -> impl Iterator<Item = Hypothesis> + 'a {
        let ended = step.iter().take(self.beams).filter(move |c| self.ends(c.id) || length == self.count);
        ended.map(move |candidate| {
            let ended = self.ends(candidate.id);
            let mut ids = candidate.beam_after(beams).ids;
            ids.truncate(length - usize::from(ended));
            Hypothesis { ids, score: self.score(candidate.sum, length), ended }
        })
    }

    /// Whether no beam can become one of the best any more; its score now stands for what it can reach.
    fn is_settled(&self, best: &[Hypothesis], beams: &[Beam], length: usize) -> bool {
        let (Some(worst), Some(likeliest)) = (best.get(self.beams - 1), beams.first()) else {
            return beams.is_empty();
        };
        self.early_stopping || self.score(likeliest.sum, length) <= worst.score
    }
}
