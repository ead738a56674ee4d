//! Attention against an f64 twin: masks, caches, padding, bias, sinks, pieces, threads.

use formwork_ops::attention::{Attention, KvCache, Mask};
use formwork_ops::kept::Kept as _;
use formwork_ops::{CacheFormat, Room};
use formwork_tensor::{Context, Ids, Simd, Tensor, Tokens};

const H: usize = 4;
/// Key heads: two or all four of the query heads share one, which are different kernels.
const SHARING: [usize; 2] = [2, 1];
const E: usize = 9;
const V: usize = 21;

fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    std::iter::repeat_with(next).take(count).collect()
}

struct Case {
    ctx: Context,
    kv_heads: usize,
    batch: usize,
    len: usize,
    q: Tensor,
    k: Tensor,
    v: Tensor,
}

impl Case {
    fn new(threads: usize, simd: Simd, kv_heads: usize, batch: usize, len: usize) -> Self {
        let ctx = Context::with(threads, simd);
        let make = |heads, d, seed| ctx.from_slice(&[batch, len, heads, d], &numbers(batch * len * heads * d, seed));
        let (q, k, v) = (make(H, E, 1), make(kv_heads, E, 2), make(kv_heads, V, 3));
        Self { ctx, kv_heads, batch, len, q, k, v }
    }

    fn tokens(&self, past: usize, len: usize, valid: Option<&[bool]>) -> Tokens {
        let slots = past + len;
        let mask = valid.map(|valid| valid.chunks_exact(self.len).flat_map(|row| row[..slots].to_vec()).collect());
        Tokens::new(Ids::zeros(self.batch, len), past, mask).unwrap()
    }

    /// Steps `from..to` of `[B, S, H, d]`.
    fn piece(&self, x: &Tensor, from: usize, to: usize) -> Tensor {
        let [_, _, heads, d] = x.axes("piece");
        let rows = x.data().chunks_exact(self.len * heads * d);
        let data: Vec<f32> = rows.flat_map(|row| row[from * heads * d..to * heads * d].to_vec()).collect();
        self.ctx.from_slice(&[self.batch, to - from, heads, d], &data)
    }

    fn whole(&self, mask: Mask, valid: Option<&[bool]>) -> Tensor {
        let tokens = self.tokens(0, self.len, valid);
        Attention::new(mask, 0.3).run(&self.ctx, &self.q, &self.k, &self.v, &tokens)
    }

    /// One pass through a cache.
    fn through(&self, mask: Mask, cache: &mut KvCache, valid: Option<&[bool]>) -> Tensor {
        let tokens = self.tokens(0, self.len, valid);
        Attention::new(mask, 0.3).cached(cache).run(&self.ctx, &self.q, &self.k, &self.v, &tokens)
    }

    /// Runs in pieces through a cache and compares bit by bit with one pass.
    fn check_pieces(&self, mask: Mask, mut cache: KvCache, sizes: &[usize], valid: Option<&[bool]>) {
        let whole = self.through(mask, &mut cache.clone(), valid);
        let mut from = 0;
        for size in sizes.iter().cycle() {
            let to = (from + size).min(self.len);
            let tokens = self.tokens(from, to - from, valid);
            let [q, k, v] = [&self.q, &self.k, &self.v].map(|x| self.piece(x, from, to));
            let y = Attention::new(mask, 0.3).cached(&mut cache).run(&self.ctx, &q, &k, &v, &tokens);
            let expected = self.piece(&whole, from, to);
            assert_eq!(y.data(), expected.data(), "{mask:?} {sizes:?} at {from}");
            from = to;
            if from == self.len {
                return;
            }
        }
    }

    fn sees(mask: Mask, i: usize, j: usize, padding: usize) -> bool {
        match mask {
            Mask::Full => true,
            Mask::Causal => j <= i,
            Mask::SlidingWindow(w) => j <= i && i - j < w,
            Mask::SymmetricWindow(half) => i.abs_diff(j) <= half,
            Mask::Prefix(n) => j <= i || j < padding + n,
            Mask::Chunked(c) => j <= i && i >= padding && j >= padding && (i - padding) / c == (j - padding) / c,
        }
    }

    /// The f64 twin; `adjust` maps a score of (head, query, key).
    fn twin(
        &self,
        mask: Mask,
        valid: Option<&[bool]>,
        adjust: impl Fn(f64, usize, usize, usize) -> f64,
        sink: impl Fn(usize) -> Option<f64>,
    ) -> Vec<f64> {
        let at = |x: &Tensor, b: usize, s: usize, h: usize, i: usize| {
            let [_, len, heads, d] = x.axes("twin");
            f64::from(x.data()[((b * len + s) * heads + h) * d + i])
        };
        let mut out = Vec::new();
        for b in 0..self.batch {
            let row = valid.map(|valid| &valid[b * self.len..][..self.len]);
            let padding = row.map_or(0, |row| row.iter().take_while(|v| !**v).count());
            for i in 0..self.len {
                for h in 0..H {
                    let keys: Vec<(usize, f64)> = (0..self.len)
                        .filter(|&j| Self::sees(mask, i, j, padding) && row.is_none_or(|row| row[j]))
                        .map(|j| {
                            let dot: f64 = (0..E)
                                .map(|e| at(&self.q, b, i, h, e) * at(&self.k, b, j, h / (H / self.kv_heads), e))
                                .sum();
                            (j, adjust(dot * f64::from(0.3_f32), h, i, j).exp())
                        })
                        .collect();
                    let extra = sink(h).map_or(0.0, f64::exp);
                    let total = keys.iter().map(|key| key.1).sum::<f64>() + extra;
                    out.extend((0..V).map(|d| {
                        let values = keys.iter().map(|(j, p)| p * at(&self.v, b, *j, h / (H / self.kv_heads), d));
                        if keys.is_empty() { 0.0 } else { values.sum::<f64>() / total }
                    }));
                }
            }
        }
        out
    }
}

fn kernels() -> impl Iterator<Item = (Simd, usize)> {
    Simd::supported().into_iter().flat_map(|simd| SHARING.map(|kv_heads| (simd, kv_heads)))
}

fn close(found: &[f32], exact: &[f64], what: &str) {
    assert_eq!(found.len(), exact.len());
    for (x, y) in found.iter().zip(exact) {
        assert!((f64::from(*x) - y).abs() < 3e-6, "{what}: {x} not {y}");
    }
}

const MASKS: [Mask; 6] =
    [Mask::Full, Mask::Causal, Mask::SlidingWindow(5), Mask::SymmetricWindow(3), Mask::Chunked(4), Mask::Prefix(6)];

/// Two sequences of 13: padded left and right.
fn padded() -> Vec<bool> {
    let left = (0..13).map(|i| i >= 3);
    left.chain((0..13).map(|i| i < 10)).collect()
}

#[test]
fn masks_match_the_twin() {
    for (simd, k) in kernels() {
        for len in [1, 2, 13, 37, 70] {
            let case = Case::new(2, simd, k, 2, len);
            for mask in MASKS {
                let exact = case.twin(mask, None, |score, _, _, _| score, |_| None);
                close(case.whole(mask, None).data(), &exact, &format!("{simd:?} {mask:?} {len}"));
            }
        }
        let case = Case::new(1, simd, k, 2, 13);
        for mask in MASKS {
            let valid = padded();
            let exact = case.twin(mask, Some(&valid), |score, _, _, _| score, |_| None);
            let found = case.whole(mask, Some(&valid));
            // A padded query of a chunk belongs to no chunk: nobody reads it.
            let skip = if matches!(mask, Mask::Chunked(_)) { 3 * H * V } else { 0 };
            close(&found.data()[skip..], &exact[skip..], &format!("padded {simd:?} {mask:?}"));
        }
    }
}

#[test]
fn scores_take_caps_biases_and_sinks() {
    for (simd, k) in kernels() {
        let case = Case::new(1, simd, k, 1, 19);
        let tokens = case.tokens(0, 19, None);
        let bias = case.ctx.from_slice(&[H, 37], &numbers(H * 37, 9));
        let sinks = case.ctx.from_slice(&[H], &[0.5, -1.0, 3.0, 0.0]);
        let attention = || Attention::new(Mask::Causal, 0.3);
        let run = |attention: Attention| attention.run(&case.ctx, &case.q, &case.k, &case.v, &tokens);
        let cap = |score: f64| 0.5 * (score / 0.5).tanh();
        let bias_at = |h, i, j| f64::from(bias.data()[h * 37 + j + 18 - i]);
        let exact = case.twin(Mask::Causal, None, |score, h, i, j| cap(score) + bias_at(h, i, j), |_| None);
        close(run(attention().softcap(0.5).bias(&bias)).data(), &exact, "softcap and bias");
        let sink = |h: usize| Some([0.5, -1.0, 3.0, 0.0][h]);
        let exact = case.twin(Mask::Causal, None, |score, _, _, _| score, sink);
        close(run(attention().sinks(&sinks)).data(), &exact, "sinks");
        // Slopes of four heads: 1/4, 1/16, 1/64, 1/256.
        let linear = |h: usize, i: usize, j: usize| 1.5 * (i.abs_diff(j) as f64) / 4_f64.powi(h as i32 + 1);
        for mask in [Mask::Causal, Mask::Full] {
            let exact = case.twin(mask, None, |score, h, i, j| score - linear(h, i, j), |_| None);
            close(run(Attention::new(mask, 0.3).alibi(1.5)).data(), &exact, "linear biases");
        }
    }
}

#[test]
fn pieces_equal_one_pass() {
    for (simd, k) in kernels() {
        let case = Case::new(2, simd, k, 2, 37);
        for format in CacheFormat::ALL {
            let room = Room { tokens: 40, format };
            let cache = |rows| KvCache::ring(2, k, E, V, rows, room);
            for sizes in [&[1][..], &[2, 5], &[7, 1, 1], &[20], &[37], &[36, 1]] {
                case.check_pieces(Mask::Causal, KvCache::new(2, k, E, V, room), sizes, None);
                case.check_pieces(Mask::SlidingWindow(5), KvCache::new(2, k, E, V, room), sizes, None);
                case.check_pieces(Mask::SlidingWindow(5), cache(5), sizes, None);
                case.check_pieces(Mask::SlidingWindow(5), cache(19), sizes, None);
                case.check_pieces(Mask::Chunked(4), cache(4), sizes, None);
            }
        }
        // The first piece holds the prefix.
        for sizes in [&[6, 1][..], &[20], &[36, 1]] {
            case.check_pieces(Mask::Prefix(6), KvCache::new(2, k, E, V, 40), sizes, None);
        }
        let cache = |rows| KvCache::ring(2, k, E, V, rows, 40);
        let (case, valid) = (Case::new(2, simd, k, 2, 13), padded());
        for sizes in [&[1][..], &[4], &[13], &[6, 1]] {
            case.check_pieces(Mask::Causal, KvCache::new(2, k, E, V, 13), sizes, Some(&valid));
            case.check_pieces(Mask::SlidingWindow(5), cache(5), sizes, Some(&valid));
        }
    }
}

/// Sequences of several blocks of keys, through caches that wrap inside a block.
#[test]
fn long_sequences_match_the_twin_in_any_pieces() {
    const LEN: usize = 601;
    let masks = [
        Mask::Causal,
        Mask::SlidingWindow(300),
        Mask::Chunked(270),
        Mask::Full,
        Mask::SymmetricWindow(280),
        Mask::Prefix(275),
    ];
    let valid: Vec<bool> = (0..LEN).map(|i| i >= 290).collect();
    for k in SHARING {
        let full = || KvCache::new(1, k, E, V, LEN);
        let ring = |rows| KvCache::ring(1, k, E, V, rows, LEN);
        let twin = Case::new(1, Simd::PORTABLE, k, 1, LEN);
        let exact = masks.map(|mask| twin.twin(mask, None, |score, _, _, _| score, |_| None));
        for simd in Simd::supported() {
            let case = Case::new(2, simd, k, 1, LEN);
            for (mask, exact) in masks.into_iter().zip(&exact) {
                close(case.whole(mask, None).data(), exact, &format!("{simd:?} {mask:?}"));
            }
            for sizes in [&[550, 1][..], &[300, 7], &[255, 1, 1]] {
                case.check_pieces(Mask::Causal, full(), sizes, None);
                case.check_pieces(Mask::Causal, full(), sizes, Some(&valid));
                case.check_pieces(Mask::SlidingWindow(300), ring(300), sizes, None);
                case.check_pieces(Mask::Chunked(270), ring(270), sizes, None);
            }
        }
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let run = |threads, k| {
        let case = Case::new(threads, Simd::supported()[0], k, 2, 300);
        let mut cache = KvCache::new(2, k, E, V, 300);
        case.check_pieces(Mask::Causal, cache.clone(), &[299, 1], None);
        let tokens = case.tokens(0, 300, None);
        let attention = Attention::new(Mask::Causal, 0.3).cached(&mut cache);
        attention.run(&case.ctx, &case.q, &case.k, &case.v, &tokens).data().to_vec()
    };
    for k in SHARING {
        assert!(run(1, k) == run(2, k) && run(2, k) == run(3, k));
    }
}

/// The first steps fill rings, later ones wrap around; single steps and steps of several tokens.
#[test]
fn narrow_formats_are_as_exact_as_their_codes() {
    const LEN: usize = 90;
    // Weights sum to one, so a value's error is the output's; a key's error moves scores by 0.3 · Σ|q| · error, and weights by
    // as much. Numbers are below 1: half a step of 16 bits is 2^-12, of 8 bits 1/254 and the rounding of its scale.
    let bounds = [(CacheFormat::F32, 3e-6), (CacheFormat::F16, 8.0 / 4096.0), (CacheFormat::Q8, 8.0 / 250.0)];
    for (simd, k) in kernels() {
        let case = Case::new(2, simd, k, 1, LEN);
        for (format, bound) in bounds {
            let room = Room { tokens: LEN, format };
            let caches = [
                (Mask::Causal, KvCache::new(1, k, E, V, room)),
                (Mask::SlidingWindow(20), KvCache::ring(1, k, E, V, 20, room)),
                (Mask::Chunked(17), KvCache::ring(1, k, E, V, 17, room)),
            ];
            for (mask, mut cache) in caches {
                let exact = case.twin(mask, None, |score, _, _, _| score, |_| None);
                let y = case.through(mask, &mut cache, None);
                let worst = y.data().iter().zip(&exact).map(|(x, y)| (f64::from(*x) - y).abs()).fold(0.0, f64::max);
                assert!(worst < bound, "{simd:?} {format:?} {mask:?}: {worst}");
                assert!(format == CacheFormat::F32 || worst > 1e-6, "{format:?} keeps every bit");
            }
        }
    }
}

#[test]
fn numbers_that_are_not_finite_stay_so_in_every_format() {
    for format in CacheFormat::ALL {
        for bad in [f32::NAN, f32::INFINITY] {
            let mut case = Case::new(1, Simd::PORTABLE, 2, 1, 8);
            case.v.data_mut()[0] = bad;
            let mut cache = KvCache::new(1, 2, E, V, Room { tokens: 8, format });
            let y = case.through(Mask::Causal, &mut cache, None);
            assert!(!y.data()[y.data().len() - H * V].is_finite(), "{format:?} {bad}");
        }
    }
}

#[test]
fn a_cache_says_its_bytes_and_truncates_where_nothing_was_lost() {
    let k = 2;
    let case = Case::new(1, Simd::PORTABLE, k, 1, 24);
    let mut full = KvCache::new(1, k, E, V, 30);
    let mut ring = KvCache::ring(1, k, E, V, 4, 30);
    for cache in [&mut full, &mut ring] {
        case.through(Mask::SlidingWindow(4), cache, None);
    }
    // Whole panels of sixteen rows.
    assert_eq!((full.len(), full.bytes(), ring.bytes()), (24, 32 * k * (E + V) * 4, 16 * k * (E + V) * 4));
    assert!(full.truncate(3) && full.len() == 3);
    assert!(!ring.truncate(3) && ring.len() == 24);
    ring.clear();
    assert!(ring.is_empty());
    let bytes = |format: CacheFormat| KvCache::new(3, k, E, V, Room { tokens: 32, format }).bytes() as u128;
    for format in CacheFormat::ALL {
        let row = format.row_bytes(E as u128) + format.row_bytes(V as u128);
        assert_eq!(bytes(format), 3 * 2 * 32 * row, "{format:?}");
    }
}
