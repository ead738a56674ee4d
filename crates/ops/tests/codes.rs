//! Attention over caches of codes, whose products are of whole numbers where there are instructions for them, against an f64 twin that reads what the codes say.

mod support;

use formwork_ops::attention::{Attention, KvCache, Mask};
use formwork_ops::kept::Kept as _;
use formwork_ops::{CacheFormat, Room};
use formwork_tensor::{Context, Simd, Tensor};
use support::{in_pieces, piece, tensor, tokens};

const LEN: usize = 290;
/// Widths of keys and values: groups that are whole and less, odd and even.
const WIDTHS: [[usize; 2]; 4] = [[64, 64], [33, 70], [40, 47], [7, 16]];
/// Query heads that share a key head.
const SHARING: [usize; 6] = [1, 2, 4, 7, 8, 14];
const SCALE: f32 = 0.2;

/// Numbers that codes hold exactly: whole multiples of 1/64, the largest of each group 127 of them.
fn exact(ctx: &Context, dims: &[usize], seed: u32) -> Tensor {
    let mut x = tensor(ctx, dims, seed);
    let width = *dims.last().unwrap();
    for (at, x) in x.data_mut().iter_mut().enumerate() {
        let code = if (at % width).is_multiple_of(32) { 127.0 } else { (*x * 127.0).round() };
        *x = code / 64.0;
    }
    x
}

/// Queries of one token, and keys and values.
fn inputs(ctx: &Context, group: usize, [e, d]: [usize; 2]) -> [Tensor; 3] {
    [tensor(ctx, &[1, LEN, 2 * group, e], 1), exact(ctx, &[1, LEN, 2, e], 2), exact(ctx, &[1, LEN, 2, d], 3)]
}

fn attend(ctx: &Context, mask: Mask, cache: &mut KvCache, inputs: &[Tensor; 3], from: usize, to: usize) -> Tensor {
    let [q, k, v] = inputs.each_ref().map(|x| piece(ctx, x, from, to));
    Attention::new(mask, SCALE).cached(cache).run(ctx, &q, &k, &v, &tokens(1, from, to, None))
}

/// What the token at `slot` reads, of tokens from `first` on.
fn twin([q, k, v]: &[Tensor; 3], first: usize, slot: usize) -> Vec<f64> {
    let [_, _, heads, e] = q.axes("twin");
    let d = v.dims().width();
    let row = |x: &Tensor, at: usize, width: usize| -> Vec<f64> {
        x.data()[at * width..][..width].iter().map(|x| f64::from(*x)).collect()
    };
    let mut out = Vec::new();
    for head in 0..heads {
        let kv_head = head / (heads / 2);
        let query = row(q, slot * heads + head, e);
        let score = |at: usize| query.iter().zip(row(k, at * 2 + kv_head, e)).map(|(q, k)| q * k).sum::<f64>();
        let weights: Vec<f64> = (first..=slot).map(|at| (score(at) * f64::from(SCALE)).exp()).collect();
        let mut sums = vec![0.0; d];
        for (at, weight) in (first..).zip(&weights) {
            sums.iter_mut().zip(row(v, at * 2 + kv_head, d)).for_each(|(sum, x)| *sum += weight * x);
        }
        let total: f64 = weights.iter().sum();
        out.extend(sums.into_iter().map(|sum| sum / total));
    }
    out
}

/// Prompts, steps and both, through caches with room for all and rings that wrap within a block.
#[test]
fn any_pieces_of_any_width_and_group_match_the_twin() {
    const WINDOW: usize = 60;
    let room = Room { tokens: LEN, format: CacheFormat::Q8 };
    for (case, group) in SHARING.into_iter().enumerate() {
        let [e, d] = WIDTHS[case % WIDTHS.len()];
        for simd in Simd::supported() {
            let ctx = Context::with(2, simd);
            let inputs = inputs(&ctx, group, [e, d]);
            let caches = [KvCache::new(1, 2, e, d, room), KvCache::ring(1, 2, e, d, WINDOW, room)];
            for (mask, cache) in [Mask::Causal, Mask::SlidingWindow(WINDOW)].into_iter().zip(caches) {
                let whole = attend(&ctx, mask, &mut cache.clone(), &inputs, 0, LEN);
                for sizes in [&[270, 1][..], &[40, 1, 3]] {
                    let mut cache = cache.clone();
                    let pieces = in_pieces(LEN, sizes, |from, to| attend(&ctx, mask, &mut cache, &inputs, from, to));
                    assert!(pieces[0] == whole.data(), "{simd:?} {mask:?} {sizes:?}, {group} heads of {e} and {d}");
                }
                for slot in [0, 1, 100, LEN - 1] {
                    let first = if mask == Mask::Causal { 0 } else { (slot + 1).saturating_sub(WINDOW) };
                    let found = &whole.data()[slot * 2 * group * d..][..2 * group * d];
                    for (x, y) in found.iter().zip(twin(&inputs, first, slot)) {
                        // Values are below 2; queries and factors keep sixteen bits.
                        assert!((f64::from(*x) - y).abs() < 4e-4, "{simd:?} {mask:?} at {slot}: {x} not {y}");
                    }
                }
            }
        }
    }
}

#[test]
fn what_is_not_a_number_is_seen_and_what_is_gone_is_not() {
    let [e, d] = WIDTHS[1];
    for simd in Simd::supported() {
        let ctx = Context::with(2, simd);
        let inputs = inputs(&ctx, 7, [e, d]);
        let room = Room { tokens: LEN, format: CacheFormat::Q8 };
        for mut cache in [KvCache::new(1, 2, e, d, room), KvCache::ring(1, 2, e, d, LEN, room)] {
            let expected = attend(&ctx, Mask::Causal, &mut cache.clone(), &inputs, 0, 75);
            for (which, bad) in
                [(0, f32::NAN), (1, f32::NAN), (2, f32::NAN), (0, f32::INFINITY), (2, f32::NEG_INFINITY)]
            {
                let mut bad_inputs = inputs.clone();
                let width = bad_inputs[which].dims().width();
                let heads = bad_inputs[which].shape()[2];
                bad_inputs[which].data_mut()[20 * heads * width + 3] = bad;
                cache.truncate(0);
                attend(&ctx, Mask::Causal, &mut cache, &bad_inputs, 0, 20);
                let y = attend(&ctx, Mask::Causal, &mut cache, &bad_inputs, 20, 21);
                assert!(y.data()[3].is_nan(), "{simd:?}: {bad} in {which}");
                let other = &y.data()[7 * d..];
                assert!(other.iter().all(|x| x.is_finite()), "{simd:?}: {bad} in {which}, of another head");
            }
            let nothing = inputs.each_ref().map(|x| ctx.from_slice(x.shape(), &vec![f32::NAN; x.data().len()]));
            cache.truncate(0);
            attend(&ctx, Mask::Causal, &mut cache, &nothing, 0, LEN);
            cache.truncate(0);
            assert_eq!(attend(&ctx, Mask::Causal, &mut cache, &inputs, 0, 75).data(), expected.data(), "{simd:?}");
        }
    }
}
