//! Routers and experts, as their checkpoint has them and packed in every format, against f64 twins that are written out here, at
//! every SIMD level and number of threads.

mod support;

use formwork_ops::experts::{ExpertActivation, ExpertKind, Experts, ExpertsConfig, Stacked};
use formwork_ops::route::{GroupLimit, Renormalise, RouterScore, Routing, route, route_biased};
use formwork_tensor::{Context, Format, Ids, Layout, Level, Matrix, Param, Simd};
use support::{close_f64, contexts, numbers};

const E: usize = 8;
const ROWS: usize = 11;

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

/// Every way to choose three experts.
fn routings() -> impl Iterator<Item = Routing> {
    let groups =
        [GroupLimit::Off, GroupLimit::Max { groups: 4, chosen: 2 }, GroupLimit::Top2Sum { groups: 2, chosen: 1 }];
    let scores = [RouterScore::Softmax, RouterScore::ChosenSoftmax, RouterScore::Sigmoid];
    let sums = [Renormalise::No, Renormalise::Sum(0.25), Renormalise::ClampedSum(0.9)];
    let every = scores.into_iter().flat_map(move |s| groups.into_iter().flat_map(move |g| sums.map(|r| (s, g, r))));
    every.map(|(score, groups, renormalise)| Routing { k: 3, score, groups, renormalise, factor: 1.5 })
}

#[test]
fn routes_match_the_twin() {
    let wide = |x: &[f32]| x.iter().map(|x| f64::from(*x)).collect::<Vec<_>>();
    for (ctx, routing) in contexts().iter().flat_map(|ctx| routings().map(move |routing| (ctx, routing))) {
        let logits = ctx.from_slice(&[1, ROWS, E], &numbers(ROWS * E, 3));
        let bias = ctx.from_slice(&[E], &numbers(E, 4));
        for biased in [false, true] {
            let (weights, chosen) =
                if biased { route_biased(ctx, &logits, &bias, routing) } else { route(ctx, &logits, routing) };
            let added = if biased { wide(bias.data()) } else { vec![0.0; E] };
            for row in 0..ROWS {
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
    let routing = Routing {
        k: 2,
        score: RouterScore::SparseMixer(0.1),
        groups: GroupLimit::Off,
        renormalise: Renormalise::No,
        factor: 1.0,
    };
    for ctx in contexts() {
        let (weights, chosen) = route(&ctx, &ctx.from_slice(&[1, 1, 4], &[1.0, 0.9, -2.0, 0.5]), routing);
        assert_eq!(chosen.data(), [0, 1]);
        // 0.9 comes within 20 % of 1.0; nothing that is left comes near 0.9.
        let first = 1.0 / (1.0 + (-0.1_f32).exp());
        assert!((weights.data()[0] - first).abs() < 1e-6 && (weights.data()[1] - 1.0).abs() < 1e-6);
    }
}

/// Experts of a kind with sizes `[d, d_ff]`.
fn config(kind: ExpertKind, [d, d_ff]: [usize; 2]) -> ExpertsConfig {
    let act = ExpertActivation::Silu;
    let (bias, limit, up_shift, weigh_inputs) = (false, None, 0.0, false);
    ExpertsConfig { experts: E, d, d_ff, kind, act, bias, limit, up_shift, weigh_inputs }
}

/// One matrix of every expert, `[out, in]`.
struct Part {
    weight: Vec<f32>,
    /// The numbers that products see.
    held: Vec<f32>,
    bias: Vec<f32>,
}

impl Part {
    fn new([d_out, d_in]: [usize; 2], format: Option<Format>, seed: u32) -> Self {
        let weight = numbers(E * d_out * d_in, seed);
        let held = matrix(&weight, d_in, format).to_f32();
        Self { weight, held, bias: numbers(E * d_out, seed + 1) }
    }
}

fn matrix(weight: &[f32], d_in: usize, format: Option<Format>) -> Matrix {
    let stored = Matrix::new(Param::from_f32(&[weight.len() / d_in, d_in], weight), Layout::OutIn);
    format.map_or_else(|| stored.clone(), |format| stored.pack(format, 1))
}

struct Case {
    config: ExpertsConfig,
    format: Option<Format>,
    gate: Part,
    up: Part,
    down: Part,
}

/// Tokens `[rows, d]`, and the weights and numbers of two experts of each.
struct Tokens<'a> {
    x: &'a [f32],
    weights: &'a [f32],
    chosen: &'a [u32],
}

impl Case {
    fn new(config: ExpertsConfig, format: Option<Format>) -> Self {
        let (d, f) = (config.d, config.d_ff);
        let [gate, up, down] =
            [([f, d], 1), ([f, d], 3), ([d, f], 5)].map(|(dims, seed)| Part::new(dims, format, seed));
        Self { config, format, gate, up, down }
    }

    /// Gate and up of each expert, row by row as the kind has them.
    fn rows(&self, gate: &[f32], up: &[f32], width: usize) -> Vec<f32> {
        let size = self.config.d_ff * width;
        let pairs = gate.chunks(size).zip(up.chunks(size));
        let both = |(gate, up): (&[f32], &[f32])| match self.config.kind {
            ExpertKind::Interleaved => {
                gate.chunks(width).zip(up.chunks(width)).flat_map(|(g, u)| [g, u].concat()).collect()
            }
            _ => [gate, up].concat(),
        };
        pairs.flat_map(both).collect()
    }

    fn experts(&self) -> Experts {
        let ExpertsConfig { d, d_ff, .. } = self.config;
        let stacked = |weight: &[f32], bias: &[f32], d_in: usize| {
            let all = weight.chunks(weight.len() / E).map(|weight| matrix(weight, d_in, self.format));
            Stacked::new(all.collect(), self.config.bias.then(|| bias.to_vec()))
        };
        let part = |part: &Part, d_in: usize| stacked(&part.weight, &part.bias, d_in);
        let Self { gate, up, .. } = self;
        let first = match self.config.kind {
            ExpertKind::Plain => vec![part(up, d)],
            ExpertKind::Gated => vec![part(gate, d), part(up, d)],
            ExpertKind::Fused | ExpertKind::Interleaved => {
                vec![stacked(&self.rows(&gate.weight, &up.weight, d), &self.rows(&gate.bias, &up.bias, 1), d)]
            }
        };
        Experts::new(self.config, first, part(&self.down, d_ff))
    }

    fn run(&self, experts: &Experts, ctx: &Context, Tokens { x, weights, chosen }: Tokens<'_>) -> Vec<f32> {
        let rows = x.len() / self.config.d;
        let x = ctx.from_slice(&[1, rows, self.config.d], x);
        let weights = ctx.from_slice(&[1, rows, 2], weights);
        experts.forward(ctx, &x, &weights, &Ids::new(chosen.to_vec(), 1).unwrap()).data().to_vec()
    }

    fn product(&self, part: &Part, e: usize, x: &[f64], d_out: usize) -> Vec<f64> {
        let d_in = x.len();
        let one = |row: usize| {
            let row = e * d_out + row;
            let sum: f64 = x.iter().zip(&part.held[row * d_in..]).map(|(x, w)| x * f64::from(*w)).sum();
            sum + if self.config.bias { f64::from(part.bias[row]) } else { 0.0 }
        };
        (0..d_out).map(one).collect()
    }

    /// One expert's image of a token.
    fn expert(&self, e: usize, x: &[f64]) -> Vec<f64> {
        let ExpertsConfig { d, d_ff, act, limit, up_shift, .. } = self.config;
        let limit = limit.map_or(f64::INFINITY, f64::from);
        let (gate, up) = (self.product(&self.gate, e, x, d_ff), self.product(&self.up, e, x, d_ff));
        let gated =
            |(g, u): (&f64, &f64)| activation(act, g.min(limit)) * (u.clamp(-limit, limit) + f64::from(up_shift));
        let hidden: Vec<f64> = match self.config.kind {
            ExpertKind::Plain => up.iter().map(|u| activation(act, *u)).collect(),
            _ => gate.iter().zip(&up).map(gated).collect(),
        };
        self.product(&self.down, e, &hidden, d)
    }

    fn twin(&self, Tokens { x, weights, chosen }: Tokens<'_>) -> Vec<f64> {
        let token = |((x, weights), chosen): ((&[f32], &[f32]), &[u32])| {
            let mut y = vec![0.0; x.len()];
            for (weight, e) in weights.iter().zip(chosen) {
                let (weight, e) = (f64::from(*weight), *e as usize);
                let (before, after) = if self.config.weigh_inputs { (weight, 1.0) } else { (1.0, weight) };
                let x: Vec<f64> = x.iter().map(|x| before * f64::from(*x)).collect();
                let image = if e < E { self.expert(e, &x) } else { x };
                y.iter_mut().zip(image).for_each(|(y, x)| *y += after * x);
            }
            y
        };
        x.chunks(self.config.d).zip(weights.chunks(2)).zip(chosen.chunks(2)).flat_map(token).collect()
    }
}

fn activation(act: ExpertActivation, x: f64) -> f64 {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    match act {
        ExpertActivation::Relu => x.max(0.0),
        ExpertActivation::Relu2 => x.max(0.0).powi(2),
        ExpertActivation::Gelu => 0.5 * x * (1.0 + erf(x * std::f64::consts::FRAC_1_SQRT_2)),
        ExpertActivation::GeluTanh => {
            0.5 * x * (1.0 + (std::f64::consts::FRAC_2_PI.sqrt() * (x + 0.044_715 * x.powi(3))).tanh())
        }
        ExpertActivation::GeluQuick => x * sigmoid(1.702 * x),
        ExpertActivation::Silu => x * sigmoid(x),
        ExpertActivation::Sigmoid => sigmoid(x),
        ExpertActivation::Tanh => x.tanh(),
    }
}

/// By its series, which has come near enough for `x` below three.
fn erf(x: f64) -> f64 {
    let terms = (1..60).scan(x, |power, n| {
        *power *= -x * x / f64::from(n);
        Some(*power / f64::from(2 * n + 1))
    });
    std::f64::consts::FRAC_2_SQRT_PI * (x + terms.sum::<f64>())
}

/// Widths less than a vector, and more than a panel and a group.
const SIZES: [[usize; 2]; 2] = [[5, 7], [36, 52]];

/// Two experts for each of so many tokens; expert 7 is never chosen.
fn choices(rows: usize) -> Vec<u32> {
    (0..rows as u32).flat_map(|row| [row * 5 % 7, (row * 5 + 1) % 7]).collect()
}

/// Checks many tokens against the twin, and each alone: the same bits, but where many rows of packed matrices go in tiles.
fn check(case: &Case, rows: usize, chosen: &[u32], tolerance: f32) {
    let d = case.config.d;
    let (x, weights) = (numbers(rows * d, 9), numbers(rows * 2, 10));
    let tokens = |first: usize, count: usize| Tokens {
        x: &x[first * d..][..count * d],
        weights: &weights[first * 2..][..count * 2],
        chosen: &chosen[first * 2..][..count * 2],
    };
    let (experts, exact) = (case.experts(), case.twin(tokens(0, rows)));
    for ctx in contexts() {
        let what = format!("{:?} {:?} {:?}", ctx.device().simd(), case.config, case.format);
        let many = case.run(&experts, &ctx, tokens(0, rows));
        close_f64(&many, &exact, tolerance, &what);
        let alone: Vec<f32> = (0..rows).flat_map(|row| case.run(&experts, &ctx, tokens(row, 1))).collect();
        close_f64(&alone, &exact, tolerance, &what);
        if case.format.is_none() || ctx.device().simd().level() != Level::Amx {
            assert!(alone == many, "{what}: a token alone gives the same bits");
        }
    }
}

/// The kinds with and without biases, limits and shifts.
fn kinds(sizes: [usize; 2]) -> [ExpertsConfig; 5] {
    let [plain, gated, fused, interleaved] =
        [ExpertKind::Plain, ExpertKind::Gated, ExpertKind::Fused, ExpertKind::Interleaved].map(|k| config(k, sizes));
    [
        plain,
        gated,
        ExpertsConfig { bias: true, limit: Some(0.4), ..gated },
        ExpertsConfig { bias: true, ..fused },
        ExpertsConfig { bias: true, limit: Some(0.3), up_shift: 1.0, ..interleaved },
    ]
}

#[test]
fn experts_match_the_twin_and_do_not_depend_on_other_tokens() {
    for config in SIZES.into_iter().flat_map(kinds) {
        check(&Case::new(config, None), ROWS, &choices(ROWS), 1e-6);
    }
}

#[test]
fn so_they_do_where_a_token_chooses_an_expert_twice() {
    let chosen: Vec<u32> = (0..ROWS as u32).flat_map(|row| [row % 7, row % 7]).collect();
    check(&Case::new(config(ExpertKind::Gated, SIZES[0]), None), ROWS, &chosen, 1e-6);
}

#[test]
fn so_they_do_with_every_activation() {
    use ExpertActivation::{Gelu, GeluQuick, GeluTanh, Relu, Relu2, Sigmoid, Silu, Tanh};
    for act in [Relu, Relu2, Gelu, GeluTanh, GeluQuick, Silu, Sigmoid, Tanh] {
        for kind in [ExpertKind::Plain, ExpertKind::Gated, ExpertKind::Fused, ExpertKind::Interleaved] {
            check(&Case::new(ExpertsConfig { act, ..config(kind, SIZES[0]) }, None), ROWS, &choices(ROWS), 1e-6);
        }
    }
}

#[test]
fn weights_may_scale_inputs_and_choices_beyond_the_experts_are_the_token() {
    let chosen: Vec<u32> = (0..ROWS as u32).flat_map(|row| [row % 8, 8 + row % 3]).collect();
    for weigh_inputs in [false, true] {
        let config = ExpertsConfig { weigh_inputs, ..config(ExpertKind::Gated, SIZES[0]) };
        check(&Case::new(config, None), ROWS, &chosen, 1e-6);
    }
}

/// So many that an expert's are enough for tiles.
const MANY: usize = 70;

/// How near packed experts come to the numbers that they hold. Floats are summed as floats. Products of codes read their inputs in 8
/// bits, up to 1/254 of the largest of a group away: the tokens, which gate and up carry on alike, and then what is hidden, whose
/// largest are several times its mean.
fn tolerance(format: Format) -> f32 {
    if format.code_bits().is_some() { 2.0 / 127.0 } else { 1e-6 }
}

#[test]
fn packed_experts_match_the_twin_of_the_numbers_they_hold() {
    for (config, (_, format)) in kinds(SIZES[1]).into_iter().flat_map(|config| Format::NAMED.map(|it| (config, it))) {
        check(&Case::new(config, Some(format)), MANY, &choices(MANY), tolerance(format));
    }
}

/// Widths of which several threads get their shares, with one token too.
const WIDE: [usize; 2] = [96, 1500];

#[test]
fn threads_change_no_bit() {
    let kinds = [ExpertKind::Plain, ExpertKind::Gated, ExpertKind::Fused, ExpertKind::Interleaved];
    let formats = [None].into_iter().chain(Format::NAMED.map(|(_, format)| Some(format)));
    for (format, kind) in formats.zip(kinds.into_iter().cycle()) {
        let case = Case::new(config(kind, WIDE), format);
        let experts = case.experts();
        for (simd, rows) in Simd::supported().into_iter().flat_map(|simd| [(simd, 1), (simd, MANY)]) {
            let [one, two, three] = [1, 2, 3].map(|threads| {
                let ctx = Context::with(threads, simd);
                let logits = ctx.from_slice(&[1, rows, E], &numbers(rows * E, 11));
                let routing = Routing { k: 2, ..routings().next().unwrap() };
                let (weights, chosen) = route(&ctx, &logits, routing);
                let x = ctx.from_slice(&[1, rows, WIDE[0]], &numbers(rows * WIDE[0], 9));
                experts.forward(&ctx, &x, &weights, &chosen).data().to_vec()
            });
            assert!(one == two && one == three, "{simd:?} {kind:?} {format:?} {rows} tokens");
        }
    }
}

#[test]
fn threads_change_no_route() {
    // So many that several threads get some.
    let rows = 6000;
    let (logits, bias) = (numbers(rows * E, 11), numbers(E, 4));
    let by = |ctx: &Context, routing: Routing| {
        let logits = ctx.from_slice(&[1, rows, E], &logits);
        let (weights, chosen) = route_biased(ctx, &logits, &ctx.from_slice(&[E], &bias), routing);
        (weights.data().to_vec(), chosen.data().to_vec())
    };
    for (simd, routing) in Simd::supported().into_iter().flat_map(|simd| routings().map(move |it| (simd, it))) {
        let [one, two, three] = [1, 2, 3].map(|threads| by(&Context::with(threads, simd), routing));
        assert!(one == two && one == three, "{simd:?} {routing:?}");
    }
}
