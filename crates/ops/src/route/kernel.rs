//! The router of a mixture of experts: from logits to the chosen experts and their weights.

use formwork_tensor::{Context, Ids, Tensor, threads};

/// How logits become scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RouterScore {
    /// Softmax over all experts.
    Softmax,
    /// Softmax over the logits of the chosen experts.
    ChosenSoftmax,
    /// Sigmoid of each logit.
    Sigmoid,
    /// For each choice in turn, softmax over the experts left whose logits come within twice this number of the best, relatively.
    SparseMixer(f32),
}

/// Which groups of experts may be chosen from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupLimit {
    /// All.
    Off,
    /// The best by their best expert.
    Max {
        /// How many there are.
        groups: usize,
        /// How many stay.
        chosen: usize,
    },
    /// The best by the sum of their two best experts.
    Top2Sum {
        /// How many there are.
        groups: usize,
        /// How many stay.
        chosen: usize,
    },
}

/// What the scores of the chosen experts are divided by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Renormalise {
    /// Nothing.
    No,
    /// Their sum plus this number.
    Sum(f32),
    /// Their sum, at least this number.
    ClampedSum(f32),
}

/// How a router chooses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Routing {
    /// Experts of each token.
    pub k: usize,
    /// How logits become scores.
    pub score: RouterScore,
    /// Which groups may be chosen from.
    pub groups: GroupLimit,
    /// What the weights are divided by.
    pub renormalise: Renormalise,
    /// What they are multiplied by.
    pub factor: f32,
}

/// `[.., E]` logits to the weights `[.., k]` and the experts `[.., k]`, best first.
pub fn route(ctx: &Context, logits: &Tensor, routing: Routing) -> (Tensor, Ids) {
    choose(ctx, logits, None, routing)
}

/// As [`route`], where `bias` `[E]` is added to the scores for the choice alone.
pub fn route_biased(ctx: &Context, logits: &Tensor, bias: &Tensor, routing: Routing) -> (Tensor, Ids) {
    choose(ctx, logits, Some(bias.data()), routing)
}

fn choose(ctx: &Context, logits: &Tensor, bias: Option<&[f32]>, routing: Routing) -> (Tensor, Ids) {
    let (experts, k) = (logits.dims().width(), routing.k);
    assert!(bias.is_none_or(|bias| bias.len() == experts), "one bias per expert");
    // Weights and experts of a row side by side; the numbers of experts are small enough to be exact.
    let mut both = ctx.tensor(&logits.dims().with_width(2 * k));
    ctx.device().threads().rows(both.data_mut(), 2 * k, |first, rows| {
        for (row, out) in rows.chunks_exact_mut(2 * k).enumerate() {
            let logits = &logits.data()[(first + row) * experts..][..experts];
            let (weights, chosen) = out.split_at_mut(k);
            threads::scratch(3 * experts, |scratch| {
                let (scores, rest) = scratch.split_at_mut(experts);
                let (choice, ranks) = rest.split_at_mut(experts);
                routing.score(logits, bias, scores, choice);
                routing.groups.limit(choice, ranks);
                routing.take(logits, scores, choice, weights, chosen);
            });
        }
    });
    let [weights, chosen] = both.split([k, k]);
    let ids = chosen.data().iter().map(|id| *id as u32).collect();
    let ids = Ids::new(ids, logits.shape()[0]).unwrap_or_else(|_| Ids::zeros(1, 1));
    (weights, ids)
}

impl Routing {
    /// The scores of one token, and what its choice goes by.
    fn score(&self, logits: &[f32], bias: Option<&[f32]>, scores: &mut [f32], choice: &mut [f32]) {
        scores.copy_from_slice(logits);
        match self.score {
            RouterScore::Softmax => softmax(scores),
            RouterScore::Sigmoid => scores.iter_mut().for_each(|x| *x = 1.0 / (1.0 + (-*x).exp())),
            RouterScore::ChosenSoftmax | RouterScore::SparseMixer(_) => {}
        }
        choice.copy_from_slice(scores);
        if let Some(bias) = bias {
            choice.iter_mut().zip(bias).for_each(|(x, bias)| *x += bias);
        }
    }

    /// Takes the best experts, one after the other.
    fn take(&self, logits: &[f32], scores: &[f32], choice: &mut [f32], weights: &mut [f32], chosen: &mut [f32]) {
        for (weight, id) in weights.iter_mut().zip(chosen) {
            let best = argmax(choice);
            *weight = match self.score {
                RouterScore::SparseMixer(jitter) => share_of_near(choice, best, logits, jitter),
                _ => scores[best],
            };
            *id = best as f32;
            choice[best] = f32::NEG_INFINITY;
        }
        if self.score == RouterScore::ChosenSoftmax {
            softmax(weights);
        }
        let sum: f32 = weights.iter().sum();
        let by = match self.renormalise {
            Renormalise::No => 1.0,
            Renormalise::Sum(eps) => sum + eps,
            Renormalise::ClampedSum(least) => sum.max(least),
        };
        weights.iter_mut().for_each(|weight| *weight = *weight / by * self.factor);
    }
}

impl GroupLimit {
    /// Makes the experts of all but the best groups unavailable.
    fn limit(self, choice: &mut [f32], ranks: &mut [f32]) {
        let (groups, keep) = match self {
            Self::Off => return,
            Self::Max { groups, chosen } | Self::Top2Sum { groups, chosen } => (groups, chosen),
        };
        let size = choice.len() / groups;
        for (rank, experts) in ranks.iter_mut().zip(choice.chunks_exact(size)) {
            let best = argmax(experts);
            let others = experts.iter().enumerate().filter(|(at, _)| *at != best);
            let second = others.map(|(_, x)| *x).fold(f32::NEG_INFINITY, f32::max);
            *rank = match self {
                Self::Top2Sum { .. } if size > 1 => experts[best] + second,
                _ => experts[best],
            };
        }
        // A group stays if fewer than `keep` stand before it.
        for (group, experts) in choice.chunks_exact_mut(size).enumerate() {
            let own = ranks[group];
            let ahead = |other: &usize| ranks[*other] > own || (ranks[*other] >= own && *other < group);
            if (0..groups).filter(ahead).count() >= keep {
                experts.fill(f32::NEG_INFINITY);
            }
        }
    }
}

/// The first of the largest numbers.
fn argmax(x: &[f32]) -> usize {
    (1..x.len()).fold(0, |best, at| if x[at] > x[best] { at } else { best })
}

fn softmax(x: &mut [f32]) {
    let max = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    x.iter_mut().for_each(|x| *x = (*x - max).exp());
    let sum: f32 = x.iter().sum();
    x.iter_mut().for_each(|x| *x /= sum);
}

/// The softmax weight of the best expert among those left that come near it.
fn share_of_near(left: &[f32], best: usize, logits: &[f32], jitter: f32) -> f32 {
    let max = left[best];
    let near = |logit: f32| (max - logit) / logit.abs().max(max) <= 2.0 * jitter;
    let terms = left.iter().zip(logits).filter(|(left, logit)| left.is_finite() && near(**logit));
    1.0 / terms.map(|(left, _)| (left - max).exp()).sum::<f32>()
}
