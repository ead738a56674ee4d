//! Attention of prompts in tiles of bf16 against attention in f32: what rounding explains, and no more.
//!
//! The tests of tiles do nothing where the CPU has no instructions for bf16.

mod support;

use formwork_ops::attention::{Attention, KvCache, Mask};
use formwork_ops::kept::Kept as _;
use formwork_ops::{CacheFormat, Room};
use formwork_tensor::{Context, Level, Precision, Simd, Tensor, Tokens};
use support::{in_pieces, numbers, piece, tensor, tokens};

/// The largest relative error of rounding to bf16.
const ROUNDING: f64 = 1.0 / 256.0;

/// A context that rounds; none where the CPU has nothing to do it with.
fn rounding(threads: usize) -> Option<Context> {
    let ctx = Context::open(Some(threads), Precision::Bf16).unwrap();
    ctx.device().simd().has_bf16().then_some(ctx)
}

/// Numbers between -1 and 1 that bf16 holds, in 16 bits of any kind.
fn round(x: &mut Tensor) {
    x.data_mut().iter_mut().for_each(|x| *x = (*x * 128.0).round() / 128.0);
}

/// The largest sum of squares of a row, as a length.
fn longest(x: &Tensor) -> f64 {
    let width = *x.shape().last().unwrap();
    let squares = x.data().chunks_exact(width).map(|row| row.iter().map(|x| f64::from(x * x)).sum::<f64>());
    squares.fold(0.0, f64::max).sqrt()
}

/// What is drawn from a seed.
struct Case {
    past: usize,
    len: usize,
    format: CacheFormat,
    mask: Mask,
    scale: f32,
    softcap: Option<f32>,
    alibi: Option<f32>,
    bias: Option<Tensor>,
    sinks: Option<Tensor>,
    valid: Option<Vec<bool>>,
    /// Of all tokens, those in the cache before too.
    q: Tensor,
    k: Tensor,
    v: Tensor,
}

/// Sequences of a case.
const BATCH: usize = 2;

impl Case {
    fn new(ctx: &Context, seed: u32) -> Self {
        let draws = numbers(16, 1000 + seed);
        let pick = |at: usize, count: usize| ((draws[at] + 1.0) / 2.0 * count as f32) as usize % count;
        const WIDTHS: [usize; 6] = [9, 40, 64, 80, 128, 192];
        let (e, d) = (WIDTHS[pick(0, 6)], WIDTHS[pick(1, 6)]);
        let (group, kv_heads) = ([1, 2, 3, 7][pick(2, 4)], 1 + pick(3, 2));
        let (past, len) = ([0, 37, 300][pick(4, 3)], 65 + pick(5, 120));
        let (heads, all) = (group * kv_heads, past + len);
        let masks = [Mask::Full, Mask::Causal, Mask::SlidingWindow(50), Mask::SymmetricWindow(33), Mask::Chunked(70)];
        let made = |heads, width, seed| {
            let mut x = tensor(ctx, &[BATCH, all, heads, width], seed);
            round(&mut x);
            x
        };
        let some = |at: usize| draws[at] > 0.0;
        Self {
            past,
            len,
            format: CacheFormat::ALL[pick(6, 3)],
            mask: [&masks[..], &[Mask::Prefix(40)]].concat()[pick(7, 6)],
            scale: 1.0 / (e as f32).sqrt(),
            softcap: some(8).then_some(2.0),
            alibi: some(9).then_some(0.5),
            bias: some(10).then(|| tensor(ctx, &[heads, len + all - 1], seed + 4)),
            sinks: some(11).then(|| tensor(ctx, &[heads], seed + 5)),
            // Two tokens of padding before the first sequence, and three behind the second.
            valid: some(12).then(|| (0..BATCH * all).map(|at| at >= 2 && at < BATCH * all - 3).collect()),
            q: made(heads, e, seed + 1),
            k: made(kv_heads, e, seed + 2),
            v: made(kv_heads, d, seed + 3),
        }
    }

    fn tokens(&self, from: usize, to: usize) -> Tokens {
        tokens(BATCH, from, to, self.valid.as_deref())
    }

    /// The new tokens behind those of the cache, with these values.
    fn run(&self, ctx: &Context, v: &Tensor) -> Tensor {
        let (past, all) = (self.past, self.past + self.len);
        let of = |from, to| [&self.q, &self.k, v].map(|x| piece(ctx, x, from, to));
        let room = Room { tokens: all, format: self.format };
        let mut cache = KvCache::new(BATCH, v.shape()[2], self.k.dims().width(), v.dims().width(), room);
        if past > 0 {
            let [q, k, v] = of(0, past);
            Attention::new(Mask::SlidingWindow(1), 1.0).cached(&mut cache).run(ctx, &q, &k, &v, &self.tokens(0, past));
        }
        let mut attention = Attention::new(self.mask, self.scale).cached(&mut cache);
        if let Some(c) = self.softcap {
            attention = attention.softcap(c);
        }
        if let Some(factor) = self.alibi {
            attention = attention.alibi(factor);
        }
        if let Some(bias) = &self.bias {
            attention = attention.bias(bias);
        }
        if let Some(sinks) = &self.sinks {
            attention = attention.sinks(sinks);
        }
        let [q, k, v] = of(past, all);
        attention.run(ctx, &q, &k, &v, &self.tokens(past, all))
    }

    /// How far a result may be from that in f32, as a share of the weighted mean of the values' sizes. Weights are rounded; keys
    /// and values are what bf16 holds, but for those of 8 bits.
    fn share(&self) -> f64 {
        let (e, all) = (self.q.dims().width() as f64, (self.past + self.len) as f64);
        // A number of 8 bits is off by half a step, of which the largest has 127.
        let scores = f64::from(self.scale) * longest(&self.q) * (longest(&self.k) + e.sqrt() / 254.0);
        let [of_keys, of_values] = if self.format == CacheFormat::Q8 { [ROUNDING; 2] } else { [0.0; 2] };
        // Sums in f32 of e products, and what is added to scores: a slope of at most one times a distance, and a bias.
        let in_f32 = f64::from(f32::EPSILON) * ((e + 8.0) * scores + 2.0 * (all + 1.0)) + 4e-6;
        // Every weight, and their sum.
        let weights = (2.0 * (of_keys * scores + in_f32)).exp();
        weights * (1.0 + ROUNDING) * (1.0 + of_values) * (1.0 + 2.0 * all * f64::from(f32::EPSILON)) - 1.0
    }
}

#[test]
fn results_are_those_of_f32_but_for_rounding() {
    let Some(rounding) = rounding(2) else { return };
    let full = Context::with(2, Simd::supported()[0]);
    for seed in 0..40 {
        let case = Case::new(&full, seed);
        let mut sizes = case.v.clone();
        sizes.data_mut().iter_mut().for_each(|x| *x = x.abs());
        let (found, exact, sizes) = (case.run(&rounding, &case.v), case.run(&full, &case.v), case.run(&full, &sizes));
        assert_ne!(found.data(), exact.data(), "{seed}: nothing was rounded");
        let share = case.share();
        assert!(share < 0.1, "{seed}: {share} would hide mistakes");
        for (at, ((x, y), size)) in found.data().iter().zip(exact.data()).zip(sizes.data()).enumerate() {
            let most = share * f64::from(*size) + 1e-30;
            assert!(f64::from((x - y).abs()) <= most, "{seed}: {x} not {y} within {most} at {at}, {:?}", case.mask);
        }
    }
}

/// Queries `[2, 200, 6, 40]`, and keys and values of two heads.
fn prompt(ctx: &Context) -> [Tensor; 3] {
    [(6, 1), (2, 2), (2, 3)].map(|(heads, seed)| tensor(ctx, &[2, 200, heads, 40], seed))
}

fn attend(ctx: &Context, [q, k, v]: &[Tensor; 3], mask: Mask) -> Tensor {
    Attention::new(mask, 0.3).run(ctx, q, k, v, &tokens(2, 0, q.shape()[1], None))
}

#[test]
fn queries_keys_and_values_are_rounded_to_bf16() {
    let Some(ctx) = rounding(1) else { return };
    let inputs = prompt(&ctx);
    let rounded = inputs.each_ref().map(|x| {
        // To the upper half of the bits, the even one of two that are as near.
        let near = |bits: u32| (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff_0000;
        let numbers = x.data().iter().map(|x| f32::from_bits(near(x.to_bits())));
        ctx.from_slice(x.shape(), &numbers.collect::<Vec<_>>())
    });
    assert_ne!(inputs[0].data(), rounded[0].data());
    for mask in [Mask::Causal, Mask::Full] {
        assert_eq!(attend(&ctx, &inputs, mask).data(), attend(&ctx, &rounded, mask).data(), "{mask:?}");
    }
}

#[test]
fn neither_threads_nor_the_cut_of_a_prompt_change_a_bit() {
    let Some(ctx) = rounding(1) else { return };
    let inputs = prompt(&ctx);
    for (mask, kept) in [(Mask::Causal, 200), (Mask::SlidingWindow(40), 40)] {
        let whole = attend(&ctx, &inputs, mask);
        for threads in [2, 3] {
            let other = rounding(threads).unwrap();
            assert_eq!(attend(&other, &inputs, mask).data(), whole.data(), "{mask:?}, {threads} threads");
        }
        // The ring holds what a window sees, and is extended for longer pieces.
        for mut cache in [KvCache::new(2, 2, 40, 40, 200), KvCache::ring(2, 2, 40, 40, kept, 200)] {
            let pieces = in_pieces(200, &[70, 23, 40], |from, to| {
                let [q, k, v] = inputs.each_ref().map(|x| piece(&ctx, x, from, to));
                Attention::new(mask, 0.3).cached(&mut cache).run(&ctx, &q, &k, &v, &tokens(2, from, to, None))
            });
            assert_eq!(pieces.concat(), whole.data(), "{mask:?}");
        }
    }
}

#[test]
fn full_precision_knows_no_tiles() {
    let levels = Simd::supported();
    let Some(other) = levels.iter().find(|simd| simd.level() == Level::Avx512) else { return };
    let contexts = [levels[0], *other].map(|simd| Context::with(2, simd));
    let [best, lanes] = contexts.each_ref().map(|ctx| attend(ctx, &prompt(ctx), Mask::Causal));
    assert_eq!(best.data(), lanes.data());
}

#[test]
fn what_is_not_a_number_goes_where_it_goes_in_f32() {
    let Some(rounding) = rounding(2) else { return };
    let full = Context::with(2, Simd::supported()[0]);
    let mut inputs = prompt(&full);
    let at = |slot: usize| (slot * 2 + 1) * 40 + 3;
    inputs[1].data_mut()[at(150)] = f32::NAN;
    inputs[2].data_mut()[at(60)] = f32::INFINITY;
    let [found, exact] = [&rounding, &full].map(|ctx| attend(ctx, &inputs, Mask::Causal));
    for (at, (x, y)) in found.data().iter().zip(exact.data()).enumerate() {
        let token = at / (6 * 40) % 200;
        // Those that share a task see it with a weight of zero, and tasks differ.
        if token >= 60 || at % 40 != 3 {
            assert!(x.is_nan() == y.is_nan() && x.is_infinite() == y.is_infinite(), "{x} not {y} at {at}");
        }
    }
    assert!(found.data().iter().any(|x| x.is_nan()) && found.data().iter().any(|x| x.is_infinite()));
}

#[test]
fn what_a_cache_held_before_does_not_count() {
    let Some(ctx) = rounding(1) else { return };
    let inputs = prompt(&ctx);
    for format in CacheFormat::ALL {
        let mut cache = KvCache::new(2, 2, 40, 40, Room { tokens: 200, format });
        let mut run = |[q, k, v]: &[Tensor; 3]| {
            cache.truncate(0);
            let tokens = tokens(2, 0, q.shape()[1], None);
            Attention::new(Mask::Causal, 0.3).cached(&mut cache).run(&ctx, q, k, v, &tokens)
        };
        let some = inputs.each_ref().map(|x| piece(&ctx, x, 0, 75));
        let expected = run(&some);
        let nothing = inputs.each_ref().map(|x| ctx.from_slice(x.shape(), &vec![f32::NAN; x.data().len()]));
        assert!(run(&nothing).data().iter().all(|x| x.is_nan()));
        assert_eq!(run(&some).data(), expected.data(), "{format:?}");
    }
}
