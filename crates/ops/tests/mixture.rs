//! Routers and experts against f64 twins.

use formwork_ops::experts::{ExpertActivation, ExpertKind, Experts, ExpertsConfig, Stacked};
use formwork_ops::route::{GroupLimit, Renormalise, RouterScore, Routing, route, route_biased};
use formwork_tensor::{Context, Ids, Layout, Matrix, Param, Simd, Tensor};

const E: usize = 8;
const ROWS: usize = 11;

fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    std::iter::repeat_with(next).take(count).collect()
}

fn softmax(x: &[f64]) -> Vec<f64> {
    let sum: f64 = x.iter().map(|x| x.exp()).sum();
    x.iter().map(|x| x.exp() / sum).collect()
}

/// The places of the largest numbers, best first.
fn best(x: &[f64], k: usize) -> Vec<usize> {
    let mut places: Vec<usize> = (0..x.len()).collect();
    places.sort_by(|a, b| x[*b].total_cmp(&x[*a]));
    places.truncate(k);
    places
}

/// One token's experts and weights, by sorting.
fn twin(routing: Routing, logits: &[f64], bias: &[f64]) -> (Vec<usize>, Vec<f64>) {
    let scores = match routing.score {
        RouterScore::Softmax => softmax(logits),
        RouterScore::Sigmoid => logits.iter().map(|x| 1.0 / (1.0 + (-x).exp())).collect(),
        RouterScore::ChosenSoftmax | RouterScore::SparseMixer(_) => logits.to_vec(),
    };
    let mut choice: Vec<f64> = scores.iter().zip(bias).map(|(s, b)| s + b).collect();
    if let GroupLimit::Max { groups, chosen } | GroupLimit::Top2Sum { groups, chosen } = routing.groups {
        let size = E / groups;
        let tops = if matches!(routing.groups, GroupLimit::Max { .. }) { 1 } else { 2 };
        let rank = |group: &[f64]| best(group, tops).iter().map(|at| group[*at]).sum::<f64>();
        let ranks: Vec<f64> = choice.chunks(size).map(rank).collect();
        let stay = best(&ranks, chosen);
        for (at, x) in choice.iter_mut().enumerate() {
            *x = if stay.contains(&(at / size)) { *x } else { f64::NEG_INFINITY };
        }
    }
    let chosen = best(&choice, routing.k);
    let mut weights: Vec<f64> = chosen.iter().map(|at| scores[*at]).collect();
    if routing.score == RouterScore::ChosenSoftmax {
        weights = softmax(&weights);
    }
    let sum: f64 = weights.iter().sum();
    let by = match routing.renormalise {
        Renormalise::No => 1.0,
        Renormalise::Sum(eps) => sum + f64::from(eps),
        Renormalise::ClampedSum(least) => sum.max(f64::from(least)),
    };
    (chosen, weights.iter().map(|w| w / by * f64::from(routing.factor)).collect())
}

#[test]
fn routes_match_the_twin() {
    let ctx = Context::with(2, Simd::PORTABLE);
    let logits = ctx.from_slice(&[1, ROWS, E], &numbers(ROWS * E, 3));
    let bias = ctx.from_slice(&[E], &numbers(E, 4));
    let groups =
        [GroupLimit::Off, GroupLimit::Max { groups: 4, chosen: 2 }, GroupLimit::Top2Sum { groups: 2, chosen: 1 }];
    let scores = [RouterScore::Softmax, RouterScore::ChosenSoftmax, RouterScore::Sigmoid];
    let sums = [Renormalise::No, Renormalise::Sum(0.25), Renormalise::ClampedSum(0.9)];
    let every =
        scores.into_iter().flat_map(|s| groups.into_iter().flat_map(move |g| sums.into_iter().map(move |r| (s, g, r))));
    for (score, groups, renormalise) in every {
        let routing = Routing { k: 3, score, groups, renormalise, factor: 1.5 };
        for biased in [false, true] {
            let (weights, chosen) =
                if biased { route_biased(&ctx, &logits, &bias, routing) } else { route(&ctx, &logits, routing) };
            for row in 0..ROWS {
                let wide = |x: &[f32]| x.iter().map(|x| f64::from(*x)).collect::<Vec<_>>();
                let added = if biased { wide(bias.data()) } else { vec![0.0; E] };
                let (experts, exact) = twin(routing, &wide(&logits.data()[row * E..][..E]), &added);
                let found: Vec<usize> = chosen.data()[row * 3..][..3].iter().map(|e| *e as usize).collect();
                assert_eq!(found, experts, "{routing:?} {biased}");
                for (x, y) in weights.data()[row * 3..][..3].iter().zip(exact) {
                    assert!((f64::from(*x) - y).abs() < 1e-6, "{routing:?} {biased}: {x} not {y}");
                }
            }
        }
    }
}

#[test]
fn a_sparse_mixer_weighs_among_those_that_come_near() {
    let ctx = Context::with(1, Simd::PORTABLE);
    let logits = ctx.from_slice(&[1, 1, 4], &[1.0, 0.9, -2.0, 0.5]);
    let routing = Routing {
        k: 2,
        score: RouterScore::SparseMixer(0.1),
        groups: GroupLimit::Off,
        renormalise: Renormalise::No,
        factor: 1.0,
    };
    let (weights, chosen) = route(&ctx, &logits, routing);
    assert_eq!(chosen.data(), [0, 1]);
    // 0.9 comes within 20 % of 1.0; nothing that is left comes near 0.9.
    let first = 1.0 / (1.0 + (-0.1_f32).exp());
    assert!((weights.data()[0] - first).abs() < 1e-6 && (weights.data()[1] - 1.0).abs() < 1e-6);
}

const D: usize = 5;
const F: usize = 7;

struct Case {
    ctx: Context,
    config: ExpertsConfig,
    /// Gate, up and down of every expert, `[out, in]`, and their biases.
    gate: [Vec<f32>; 2],
    up: [Vec<f32>; 2],
    down: [Vec<f32>; 2],
}

impl Case {
    fn new(kind: ExpertKind, bias: bool, limit: Option<f32>, up_shift: f32) -> Self {
        let config = ExpertsConfig {
            experts: E,
            d: D,
            d_ff: F,
            kind,
            act: ExpertActivation::Silu,
            bias,
            limit,
            up_shift,
            weigh_inputs: false,
        };
        let both = |rows: usize, columns: usize, seed| [numbers(E * rows * columns, seed), numbers(E * rows, seed + 1)];
        Self {
            ctx: Context::with(2, Simd::PORTABLE),
            config,
            gate: both(F, D, 1),
            up: both(F, D, 3),
            down: both(D, F, 5),
        }
    }

    /// Gate and up of each expert, row by row as the kind has them.
    fn rows(&self, of: usize, width: usize) -> Vec<f32> {
        let (gate, up) = (&self.gate[of], &self.up[of]);
        let expert = |e: usize, part: &[f32]| part[e * F * width..][..F * width].to_vec();
        (0..E)
            .flat_map(|e| {
                let (gate, up) = (expert(e, gate), expert(e, up));
                match self.config.kind {
                    ExpertKind::Interleaved => {
                        gate.chunks(width).zip(up.chunks(width)).flat_map(|(g, u)| [g, u].concat()).collect::<Vec<_>>()
                    }
                    _ => [gate, up].concat(),
                }
            })
            .collect()
    }

    fn experts(&self) -> Experts {
        let stacked = |weight: &[f32], bias: &[f32], d_out: usize, d_in: usize| {
            let all = Param::from_f32(&[E * d_out, d_in], weight);
            let one = |e: usize| Matrix::new(all.rows(e * d_out..(e + 1) * d_out), Layout::OutIn);
            Stacked::new((0..E).map(one).collect(), self.config.bias.then(|| bias.to_vec()))
        };
        let part = |[weight, bias]: &[Vec<f32>; 2]| stacked(weight, bias, F, D);
        let first = match self.config.kind {
            ExpertKind::Plain => vec![part(&self.up)],
            ExpertKind::Gated => vec![part(&self.gate), part(&self.up)],
            ExpertKind::Fused | ExpertKind::Interleaved => vec![stacked(&self.rows(0, D), &self.rows(1, 1), 2 * F, D)],
        };
        Experts::new(self.config, first, stacked(&self.down[0], &self.down[1], D, F))
    }

    fn product(&self, [weight, bias]: &[Vec<f32>; 2], e: usize, x: &[f64], d_out: usize) -> Vec<f64> {
        let d_in = x.len();
        let one = |row: usize| {
            let row = e * d_out + row;
            let sum: f64 = x.iter().zip(&weight[row * d_in..]).map(|(x, w)| x * f64::from(*w)).sum();
            sum + if self.config.bias { f64::from(bias[row]) } else { 0.0 }
        };
        (0..d_out).map(one).collect()
    }

    fn twin(&self, x: &[f64], weights: &[f32], chosen: &[u32]) -> Vec<f64> {
        let silu = |x: f64| x / (1.0 + (-x).exp());
        let limit = self.config.limit.map_or(f64::INFINITY, f64::from);
        let mut y = vec![0.0; D];
        for (weight, e) in weights.iter().zip(chosen) {
            let e = *e as usize;
            let weight = f64::from(*weight);
            let (before, after) = if self.config.weigh_inputs { (weight, 1.0) } else { (1.0, weight) };
            let x: Vec<f64> = x.iter().map(|x| before * x).collect();
            if e >= E {
                y.iter_mut().zip(&x).for_each(|(y, x)| *y += after * x);
                continue;
            }
            let x = &x[..];
            let (gate, up) = (self.product(&self.gate, e, x, F), self.product(&self.up, e, x, F));
            let gated =
                |(g, u): (&f64, &f64)| silu(g.min(limit)) * (u.clamp(-limit, limit) + f64::from(self.config.up_shift));
            let hidden: Vec<f64> = match self.config.kind {
                ExpertKind::Plain => up.iter().map(|u| silu(*u)).collect(),
                _ => gate.iter().zip(&up).map(gated).collect(),
            };
            let output = self.product(&self.down, e, &hidden, D);
            y.iter_mut().zip(output).for_each(|(y, x)| *y += after * x);
        }
        y
    }
}

#[test]
fn experts_match_the_twin_and_do_not_depend_on_other_tokens() {
    let plain = [
        (ExpertKind::Plain, false, None, 0.0),
        (ExpertKind::Gated, false, None, 0.0),
        (ExpertKind::Gated, true, Some(0.4), 0.0),
    ];
    let packed = [(ExpertKind::Fused, true, None, 0.0), (ExpertKind::Interleaved, true, Some(0.3), 1.0)];
    for (kind, bias, limit, shift) in plain.into_iter().chain(packed) {
        let case = Case::new(kind, bias, limit, shift);
        let (experts, ctx) = (case.experts(), &case.ctx);
        let x = ctx.from_slice(&[1, ROWS, D], &numbers(ROWS * D, 9));
        let weights = ctx.from_slice(&[1, ROWS, 2], &numbers(ROWS * 2, 10));
        // Expert 7 is never chosen.
        let chosen: Vec<u32> = (0..ROWS as u32).flat_map(|row| [row * 5 % 7, (row * 5 + 1) % 7]).collect();
        let run = |x: &Tensor, weights: &Tensor, chosen: &[u32]| {
            experts.forward(ctx, x, weights, &Ids::new(chosen.to_vec(), 1).unwrap()).data().to_vec()
        };
        let found = run(&x, &weights, &chosen);
        for row in 0..ROWS {
            let (x, weights) = (&x.data()[row * D..][..D], &weights.data()[row * 2..][..2]);
            let chosen = &chosen[row * 2..][..2];
            let wide: Vec<f64> = x.iter().map(|x| f64::from(*x)).collect();
            for (x, y) in found[row * D..].iter().zip(case.twin(&wide, weights, chosen)) {
                assert!((f64::from(*x) - y).abs() < 2e-6, "{kind:?}: {x} not {y}");
            }
            let alone = run(&ctx.from_slice(&[1, 1, D], x), &ctx.from_slice(&[1, 1, 2], weights), chosen);
            assert!(alone == found[row * D..][..D], "{kind:?}: a token alone gives the same bits");
        }
    }
}

#[test]
fn weights_may_scale_inputs_and_choices_beyond_the_experts_are_the_token() {
    for weigh_inputs in [false, true] {
        let mut case = Case::new(ExpertKind::Gated, false, None, 0.0);
        case.config.weigh_inputs = weigh_inputs;
        let (experts, ctx) = (case.experts(), &case.ctx);
        let x = ctx.from_slice(&[1, ROWS, D], &numbers(ROWS * D, 9));
        let weights = ctx.from_slice(&[1, ROWS, 2], &numbers(ROWS * 2, 10));
        let chosen: Vec<u32> = (0..ROWS as u32).flat_map(|row| [row % 8, 8 + row % 3]).collect();
        let y = experts.forward(ctx, &x, &weights, &Ids::new(chosen.clone(), 1).unwrap());
        for row in 0..ROWS {
            let wide: Vec<f64> = x.data()[row * D..][..D].iter().map(|x| f64::from(*x)).collect();
            let twin = case.twin(&wide, &weights.data()[row * 2..][..2], &chosen[row * 2..][..2]);
            for (x, y) in y.data()[row * D..].iter().zip(twin) {
                assert!((f64::from(*x) - y).abs() < 2e-6, "{weigh_inputs}: {x} not {y}");
            }
        }
    }
}
