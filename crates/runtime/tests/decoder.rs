//! A whole decoder: against f64, in pieces, padded, by threads, and without allocations.

mod support;

use formwork_runtime::{CacheFormat, Context, Ids, Inputs, Model, Room, Sampling, Session, Simd, Tokens, load};
use support::weights::{random, save, twin};
use support::{Decoder, VOCAB};

const PROMPT: [u32; 11] = [5, 17, 3, 111, 0, 42, 42, 8, 77, 60, 31];

fn decoder() -> Decoder {
    let folder = tempfile::tempdir().unwrap();
    save(&folder.path().join("model.safetensors"), &random());
    load(folder.path()).unwrap()
}

fn context(threads: usize) -> Context {
    Context::with(threads, Simd::supported()[0])
}

#[test]
fn logits_match_f64_at_every_level() {
    let (model, exact) = (decoder(), twin(&random(), &PROMPT));
    for simd in Simd::supported() {
        let ctx = Context::with(1, simd);
        let logits = Session::new(&model, &ctx, 11).unwrap().step(&PROMPT).unwrap();
        for (found, exact) in logits.data().iter().zip(exact.concat()) {
            assert!((f64::from(*found) - exact).abs() < 1e-4, "{simd:?}: {found} not {exact}");
        }
    }
}

#[test]
fn pieces_and_threads_do_not_change_a_bit() {
    let model = decoder();
    let ctx = context(1);
    let whole = Session::new(&model, &ctx, 11).unwrap().step(&PROMPT).unwrap();
    for size in [1, 2, 5, 10] {
        for threads in [1, 2] {
            let ctx = context(threads);
            let mut session = Session::new(&model, &ctx, 11).unwrap();
            let pieces: Vec<f32> =
                PROMPT.chunks(size).flat_map(|piece| session.step(piece).unwrap().data().to_vec()).collect();
            assert_eq!(pieces, whole.data(), "pieces of {size} on {threads} threads");
        }
    }
}

#[test]
fn padding_on_either_side_changes_nothing() {
    let (model, ctx) = (decoder(), context(2));
    let alone = Session::new(&model, &ctx, 11).unwrap().step(&PROMPT).unwrap();
    let pad = [9_u32; 3];
    let (left, right) = ([&pad[..], &PROMPT].concat(), [&PROMPT[..], &pad].concat());
    let mask: Vec<bool> = (0..14).map(|i| i >= 3).chain((0..14).map(|i| i < 11)).collect();
    let ids = Ids::new([left, right].concat(), 2).unwrap();
    let inputs = Inputs::new().with_tokens("input_ids", Tokens::new(ids, 0, Some(mask)).unwrap());
    let logits = model.forward(&ctx, &inputs, &mut Decoder::cache(2, 14.into()));
    let near = |found: &[f32]| {
        let pairs = found.iter().zip(alone.data());
        pairs.for_each(|(x, y)| assert!((x - y).abs() < 1e-5, "{x} not {y}"));
    };
    near(&logits.data()[3 * VOCAB..14 * VOCAB]);
    near(&logits.data()[14 * VOCAB..25 * VOCAB]);
}

#[test]
fn decoding_allocates_nothing_after_the_first_step() {
    let (model, ctx) = (decoder(), context(2));
    let mut session = Session::new(&model, &ctx, 60).unwrap();
    let mut generation = session.generate(&PROMPT, 40, Sampling::default()).unwrap();
    generation.next().unwrap().unwrap();
    generation.next().unwrap().unwrap();
    let before = ctx.allocations();
    assert_eq!(generation.count(), 38);
    assert_eq!(ctx.allocations(), before);
}

#[test]
fn narrow_caches_move_logits_little_and_choose_the_same_ids() {
    let (model, ctx) = (decoder(), context(2));
    let run = |format: CacheFormat| {
        let mut session = Session::new(&model, &ctx, Room { tokens: 40, format }).unwrap();
        let mut generation = session.generate(&PROMPT, 24, Sampling::default()).unwrap();
        let steps: Vec<(u32, Vec<f32>)> = (0..24).map(|_| generation.next_with_logits().unwrap().unwrap()).collect();
        steps.into_iter().unzip::<u32, Vec<f32>, Vec<_>, Vec<_>>()
    };
    let (ids, exact) = run(CacheFormat::F32);
    let largest = exact.concat().iter().fold(0.0_f32, |a, x| a.max(x.abs()));
    for (format, bound) in [(CacheFormat::F16, 1e-3), (CacheFormat::Q8, 2e-2)] {
        let (found, logits) = run(format);
        assert_eq!(found, ids, "{format:?}");
        let worst = logits.concat().iter().zip(exact.concat()).fold(0.0_f32, |a, (x, y)| a.max((x - y).abs()));
        assert!(worst > 0.0 && worst < bound * largest, "{format:?}: {worst} of {largest}");
    }
}

#[test]
fn generation_is_reproducible_and_stops() {
    let (model, ctx) = (decoder(), context(1));
    let run = |sampling| -> Vec<u32> {
        let mut session = Session::new(&model, &ctx, 60).unwrap();
        session.generate(&PROMPT, 20, sampling).unwrap().map(Result::unwrap).collect()
    };
    let warm = Sampling { temperature: 1.0, top_k: 50, seed: 3, ..Sampling::default() };
    assert_eq!(run(warm), run(warm));
    assert_ne!(run(warm), run(Sampling { seed: 4, ..warm }));
    let greedy = run(Sampling::default());
    let mut session = Session::new(&model, &ctx, 60).unwrap();
    let stopped = session.generate(&PROMPT, 20, Sampling::default()).unwrap().stop_at(&greedy[5..6]);
    let first = greedy.iter().position(|id| *id == greedy[5]).unwrap();
    assert_eq!(stopped.map(Result::unwrap).collect::<Vec<_>>(), greedy[..first]);
}

#[test]
fn wrong_data_are_errors() {
    let (model, ctx) = (decoder(), context(1));
    let code = |ids: &[u32]| Session::new(&model, &ctx, 8).unwrap().step(ids).unwrap_err().code;
    assert_eq!(code(&[]), "empty-input");
    assert_eq!(code(&[112]), "token-out-of-range");
    assert_eq!(code(&[1; 9]), "context-too-long");
    assert_eq!(Session::new(&model, &ctx, 65).err().unwrap().code, "context-too-long");
}
