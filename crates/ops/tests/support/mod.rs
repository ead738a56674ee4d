//! What tests of kernels share: numbers, pieces of tensors, comparisons.
#![allow(dead_code, reason = "each test file uses a part")]

use formwork_tensor::{Context, Ids, Simd, Tensor, Tokens};

/// Numbers between -1 and 1 from a seed.
pub(crate) fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    std::iter::repeat_with(next).take(count).collect()
}

/// A context for each SIMD level and one or two threads.
pub(crate) fn contexts() -> Vec<Context> {
    let levels = Simd::supported();
    levels.into_iter().flat_map(|level| [1, 2].map(|threads| Context::with(threads, level))).collect()
}

/// A tensor of numbers from a seed.
pub(crate) fn tensor(ctx: &Context, dims: &[usize], seed: u32) -> Tensor {
    ctx.from_slice(dims, &numbers(dims.iter().product(), seed))
}

/// New tokens `from..to` of sequences; `valid` are the slots `[B, len]` of whole sequences.
pub(crate) fn tokens(batch: usize, from: usize, to: usize, valid: Option<&[bool]>) -> Tokens {
    let mask = valid.map(|valid| {
        let len = valid.len() / batch;
        valid.chunks_exact(len).flat_map(|row| row[..to].to_vec()).collect()
    });
    Tokens::new(Ids::zeros(batch, to - from), from, mask).unwrap()
}

/// Tokens `from..to` of `[B, S, ..]`.
pub(crate) fn piece(ctx: &Context, x: &Tensor, from: usize, to: usize) -> Tensor {
    let (b, s) = (x.shape()[0], x.shape()[1]);
    let width: usize = x.shape()[2..].iter().product();
    let rows = x.data().chunks_exact(s * width);
    let data: Vec<f32> = rows.flat_map(|row| row[from * width..to * width].to_vec()).collect();
    let mut dims = x.shape().to_vec();
    (dims[0], dims[1]) = (b, to - from);
    ctx.from_slice(&dims, &data)
}

/// Runs `step(from, to)` over pieces of the sizes given and joins what they give along the tokens.
pub(crate) fn in_pieces(len: usize, sizes: &[usize], mut step: impl FnMut(usize, usize) -> Tensor) -> Vec<Vec<f32>> {
    let mut out: Vec<Vec<f32>> = Vec::new();
    let mut from = 0;
    for size in sizes.iter().cycle() {
        let to = (from + size).min(len);
        let y = step(from, to);
        let (b, s) = (y.shape()[0], to - from);
        out.resize(b, Vec::new());
        for (out, row) in out.iter_mut().zip(y.data().chunks_exact(y.data().len() / b)) {
            out.extend(row);
        }
        assert_eq!(s, to - from);
        from = to;
        if from == len {
            break;
        }
    }
    out
}

/// Attention by its definition, in double precision: `[B, S, H, d]`. `score` says the score of (sequence, head, query, key), given the
/// product of the query and the key; none where the key is not seen.
pub(crate) fn plain([q, k, v]: [&Tensor; 3], score: impl Fn(f64, [usize; 4]) -> Option<f64>) -> Vec<f64> {
    let ([b, s, heads, e], [_, t, kv_heads, d]) = (q.axes("plain"), v.axes("plain"));
    let mut out = Vec::with_capacity(b * s * heads * d);
    for (sequence, i, head) in (0..b * s * heads).map(|at| (at / heads / s, at / heads % s, at % heads)) {
        let query = &q.data()[((sequence * s + i) * heads + head) * e..][..e];
        let row = |j: usize| (sequence * t + j) * kv_heads + head / (heads / kv_heads);
        let of_key = |j: usize| {
            let score = score(dot(query, &k.data()[row(j) * e..][..e]), [sequence, head, i, j])?;
            Some((score.exp(), &v.data()[row(j) * d..][..d]))
        };
        let (mut total, mut sums) = (0.0, vec![0.0; d]);
        for (weight, value) in (0..t).filter_map(of_key) {
            total += weight;
            sums.iter_mut().zip(value).for_each(|(sum, value)| *sum += weight * f64::from(*value));
        }
        out.extend(sums.iter().map(|sum| sum / if total > 0.0 { total } else { 1.0 }));
    }
    out
}

/// A product in double precision.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

/// The most memory that this process has held, in KiB; none where the system does not tell.
pub(crate) fn peak() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// The largest difference, relative to the largest number.
pub(crate) fn close(actual: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(1e-6_f32, |a, x| a.max(x.abs()));
    for (at, (a, b)) in actual.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= tolerance * scale, "{what}: {a} and {b} at {at}");
    }
}

/// The same against a twin in double precision.
pub(crate) fn close_f64(actual: &[f32], expected: &[f64], tolerance: f32, what: &str) {
    let expected: Vec<f32> = expected.iter().map(|x| *x as f32).collect();
    close(actual, &expected, tolerance, what);
}
