//! Norms that products apply to the rows that they read, against norms made beforehand: the same bits.

use formwork_ops::activation::Gate;
use formwork_ops::layer_norm::LayerNorm;
use formwork_ops::linear::Linear;
use formwork_ops::rms_norm::RmsNorm;
use formwork_tensor::{Context, Format, Input, Layout, Matrix, Param, Precision, Simd, Tensor};

const D_IN: usize = 600;
const D_OUT: usize = 70;
/// A step, a few sequences, and prompts of more than one block of any kernel.
const ROWS: [usize; 3] = [1, 5, 37];

fn numbers(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|at| ((at * 37 + seed * 101) % 257) as f32 / 64.0 - 2.0).collect()
}

/// As the checkpoint has it, in every format, and one of each: a pair for each.
fn pairs() -> Vec<[Linear; 2]> {
    let stored =
        [1, 2].map(|seed| Matrix::new(Param::from_f32(&[D_OUT, D_IN], &numbers(D_OUT * D_IN, seed)), Layout::OutIn));
    let [a, b] = &stored;
    let mut pairs = vec![stored.clone(), [a.pack(Format::Q8, 2), b.clone()]];
    pairs.extend(Format::NAMED.map(|(_, format)| [a.pack(format, 2), b.pack(format, 2)]));
    pairs.push([a.pack(Format::Q4, 2), b.pack_as_stored(2)]);
    pairs.into_iter().map(|pair| pair.map(|matrix| Linear::new(matrix, Some(numbers(D_OUT, 3))))).collect()
}

/// The bits of every kind of product.
fn products<'x>(ctx: &Context, [a, b]: &[Linear; 2], x: impl Into<Input<'x>>, onto: &Tensor) -> Vec<u32> {
    let x = x.into();
    let [first, second] = Linear::forward_all(ctx, [a, b], x);
    let gated = Linear::forward_gated(ctx, [a, b], x, Gate::Silu);
    let all = [first, second, gated, a.forward(ctx, x), b.forward_onto(ctx, x, onto)];
    all.iter().flat_map(|y| y.data().iter().map(|y| y.to_bits())).collect()
}

fn check(ctx: &Context) {
    let rms = RmsNorm::grouped(numbers(D_IN, 4), 3, 1e-5);
    let layer = LayerNorm::new(numbers(D_IN, 5), Some(numbers(D_IN, 6)), 1e-5);
    for (pair, rows) in pairs().iter().flat_map(|pair| ROWS.map(|rows| (pair, rows))) {
        let [x, onto] =
            [(D_IN, 7), (D_OUT, 8)].map(|(d, seed)| ctx.from_slice(&[1, rows, d], &numbers(rows * d, seed)));
        let made = products(ctx, pair, &rms.forward(ctx, &x), &onto);
        assert!(products(ctx, pair, &rms.deferred(&x), &onto) == made, "rms_norm, {rows} rows");
        let made = products(ctx, pair, &layer.forward(ctx, &x), &onto);
        assert!(products(ctx, pair, &layer.deferred(&x), &onto) == made, "layer_norm, {rows} rows");
    }
}

#[test]
fn products_of_deferred_norms_are_those_of_norms() {
    for (simd, threads) in Simd::supported().into_iter().flat_map(|simd| [(simd, 1), (simd, 2)]) {
        check(&Context::with(threads, simd));
    }
}

#[test]
fn so_they_are_with_rounded_inputs() {
    check(&Context::open(Some(2), Precision::Bf16).unwrap());
}
