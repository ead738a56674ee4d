//! Operators that look things up: embeddings, relative and sinusoidal positions.

use formwork_ops::embedding::Embedding;
use formwork_ops::once::Once;
use formwork_ops::positions::{SinusoidalLayout, sinusoidal};
use formwork_ops::relative_bias::RelativeBias;
use formwork_tensor::{Context, Ids, Param, Simd, Tokens};

#[test]
fn an_id_beyond_the_table_fails_the_step() {
    let ctx = Context::with(1, Simd::PORTABLE);
    let table = Embedding::new(Param::from_f32(&[2, 2], &[1.0, 2.0, 3.0, 4.0]));
    let y = table.forward(&ctx, &Ids::new(vec![1, 0, 1], 1).unwrap());
    assert_eq!(y.data(), [3.0, 4.0, 1.0, 2.0, 3.0, 4.0]);
    assert!(ctx.take_failure().is_ok());
    let y = table.forward(&ctx, &Ids::new(vec![2], 1).unwrap());
    assert_eq!(y.data(), [0.0, 0.0]);
    assert_eq!(ctx.take_failure().unwrap_err().code, "token-out-of-range");
    assert!(ctx.take_failure().is_ok(), "a failure is told once");
    let logits = table.as_linear().forward(&ctx, &ctx.from_slice(&[1, 2], &[1.0, 1.0]));
    assert_eq!(logits.data(), [3.0, 7.0]);
}

#[test]
fn buckets_are_exact_then_logarithmic() {
    let ctx = Context::with(1, Simd::PORTABLE);
    let numbers: Vec<f32> = (0..32).map(|x| x as f32).collect();
    let weight = Param::from_f32(&[32, 1], &numbers);
    let keys = Tokens::new(Ids::zeros(1, 300), 0, None).unwrap();
    let both = RelativeBias::new(&weight, true, 128).forward(&ctx, &keys, &keys);
    let bucket = |i: usize, j: usize| both.data()[j + 299 - i] as usize;
    // Of the published formula with 32 buckets and a distance of 128.
    let known = [(0, 0), (1, 1), (7, 7), (8, 8), (11, 8), (12, 9), (16, 10), (32, 12), (64, 14), (127, 15), (299, 15)];
    for (distance, expected) in known {
        assert_eq!(bucket(distance, 0), expected, "{distance} behind");
        let ahead = if distance == 0 { 0 } else { 16 + expected };
        assert_eq!(bucket(0, distance), ahead, "{distance} ahead");
    }
    let step = Tokens::new(Ids::zeros(1, 2), 20, None).unwrap();
    let causal = RelativeBias::new(&weight, false, 128).forward(&ctx, &step, &step);
    assert_eq!(causal.shape(), [1, 23]);
    assert_eq!(causal.data()[21..], [0.0, 0.0], "keys ahead count as distance 0");
    assert_eq!(causal.data()[1], 17.0, "20 behind of 16 exact buckets");
}

#[test]
fn sines_and_cosines_by_layout() {
    let ctx = Context::with(1, Simd::PORTABLE);
    let ids = Ids::new(vec![3], 1).unwrap();
    let halves = sinusoidal(&ctx, &ids, 4, 10_000.0, SinusoidalLayout::Halves);
    let expected = [3f32.sin(), 0.03f32.sin(), 3f32.cos(), 0.03f32.cos()];
    halves.data().iter().zip(expected).for_each(|(x, y)| assert!((x - y).abs() < 1e-6));
    let closed = sinusoidal(&ctx, &ids, 4, 10_000.0, SinusoidalLayout::ClosedHalves);
    assert!((closed.data()[1] - (f64::from(ids.data()[0]) / 10_000.0).sin() as f32).abs() < 1e-7);
    let pairs = sinusoidal(&ctx, &ids, 4, 10_000.0, SinusoidalLayout::Interleaved);
    assert_eq!(pairs.data()[1], halves.data()[2]);
}

#[test]
fn a_slot_is_computed_once_until_cleared() {
    let ctx = Context::with(1, Simd::PORTABLE);
    let mut slot = Once::new();
    let one = |x: f32| ctx.from_slice(&[1], &[x]);
    assert_eq!(slot.get(|| one(1.0)).data(), [1.0]);
    assert_eq!(slot.get(|| one(2.0)).data(), [1.0]);
    slot.clear();
    assert_eq!(slot.get(|| one(2.0)).data(), [2.0]);
}
