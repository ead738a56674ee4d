//! Continuing: many prompts as each alone, whatever the threads, with probabilities that are right.

mod support;

use formwork_runtime::{
    Answer, BeamSearch, CacheFormat, Chosen, Context, Continue, Sampling, Session, Simd, beam_search, continue_all,
    load,
};
use support::weights::{random, save};
use support::{Decoder, VOCAB};

const COUNT: usize = 12;
const WARM: Sampling =
    Sampling { temperature: 1.0, top_k: 50, top_p: 0.95, min_p: 0.0, repetition_penalty: 1.1, seed: 3 };

fn decoder() -> Decoder {
    let folder = tempfile::tempdir().unwrap();
    save(&folder.path().join("model.safetensors"), &random());
    load(folder.path()).unwrap()
}

fn context(threads: usize) -> Context {
    Context::with(threads, Simd::supported()[0])
}

fn prompts() -> Vec<Vec<u32>> {
    vec![vec![5, 17, 3, 111, 0, 42], vec![8], vec![77, 60, 31], vec![8, 1, 1, 1, 1, 1, 1, 9]]
}

fn options(sampling: Sampling, stop: &[u32]) -> Continue {
    Continue { count: COUNT, sampling, stop: stop.to_vec(), start: None, alternatives: None, cache: CacheFormat::F32 }
}

fn alone(model: &Decoder, ctx: &Context, prompt: &[u32], options: &Continue) -> Vec<u32> {
    let mut session = Session::new(model, ctx, prompt.len() + COUNT).unwrap();
    let generation = session.generate(prompt, COUNT, options.sampling).unwrap();
    generation.stop_at(&options.stop).map(Result::unwrap).collect()
}

#[test]
fn prompts_side_by_side_are_continued_as_alone() {
    let (model, ctx) = (decoder(), context(2));
    let free = alone(&model, &ctx, &prompts()[0], &options(Sampling::default(), &[]));
    for sampling in [Sampling::default(), WARM] {
        for stop in [&[][..], &free[4..5], &free[1..4]] {
            let options = options(sampling, stop);
            let answers = continue_all(&model, &ctx, &prompts(), &options).unwrap();
            for (prompt, answer) in prompts().iter().zip(&answers) {
                assert_eq!(answer.ids, alone(&model, &ctx, prompt, &options), "{prompt:?} {options:?}");
                assert_eq!(answer.ended, answer.ids.len() < COUNT);
            }
        }
    }
}

#[test]
fn threads_do_not_change_what_a_seed_gives() {
    let model = decoder();
    let run = |threads: usize, seed: u64| -> Vec<Answer> {
        let options = Continue { alternatives: Some(3), ..options(Sampling { seed, ..WARM }, &[]) };
        continue_all(&model, &context(threads), &prompts(), &options).unwrap()
    };
    let streamed = |threads: usize| alone(&model, &context(threads), &prompts()[0], &options(WARM, &[]));
    for threads in [2, 3, 5, 8] {
        assert_eq!(run(threads, 3), run(1, 3), "{threads} threads");
        assert_eq!(streamed(threads), streamed(1), "{threads} threads");
    }
    assert_ne!(run(1, 3), run(1, 4));
}

#[test]
fn probabilities_add_up_and_the_likeliest_come_first() {
    let (model, ctx) = (decoder(), context(1));
    let options = Continue { alternatives: Some(VOCAB), ..options(Sampling::default(), &[]) };
    for answer in continue_all(&model, &ctx, &prompts(), &options).unwrap() {
        assert_eq!(answer.likelihoods.len(), COUNT);
        for (chosen, id) in answer.likelihoods.iter().zip(answer.ids) {
            let Chosen { id: told, logprob, likeliest } = chosen;
            assert_eq!((*told, likeliest[0]), (id, (id, *logprob)), "greedy takes the likeliest");
            assert!(likeliest.is_sorted_by(|a, b| a.1 >= b.1));
            let sum: f64 = likeliest.iter().map(|(_, logprob)| logprob.exp()).sum();
            assert!((sum - 1.0).abs() < 1e-6, "{sum}");
        }
    }
}

#[test]
fn one_beam_is_greedy_and_more_find_no_less_likely_answer() {
    let (model, ctx) = (decoder(), context(2));
    let prompt = &prompts()[0];
    let search = |beams| BeamSearch {
        beams,
        count: COUNT,
        length_penalty: 0.0,
        early_stopping: false,
        stop: Vec::new(),
        forced: 0,
        cache: CacheFormat::F32,
    };
    let found = |beams| beam_search(&model, &ctx, prompt, None, &search(beams)).unwrap();
    assert_eq!(found(1)[0].ids, alone(&model, &ctx, prompt, &options(Sampling::default(), &[])));
    let five = found(5);
    assert!(five.len() == 5 && five.is_sorted_by(|a, b| a.score >= b.score) && five[0].score >= found(1)[0].score);
    // The score is what the model says of the whole answer.
    let told = Continue { alternatives: Some(0), ..options(Sampling::default(), &[]) };
    let greedy: f64 =
        continue_all(&model, &ctx, &prompts()[..1], &told).unwrap()[0].likelihoods.iter().map(|c| c.logprob).sum();
    assert!((found(1)[0].score - greedy).abs() < 1e-5);
}

#[test]
fn what_cannot_be_continued_is_refused() {
    let (model, ctx) = (decoder(), context(1));
    let code = |prompts: &[Vec<u32>], options: &Continue| {
        continue_all(&model, &ctx, prompts, options).err().map(|error| error.code)
    };
    let plain = options(Sampling::default(), &[]);
    assert_eq!(code(&[], &plain), Some("empty-input"));
    assert_eq!(code(&[vec![1], vec![]], &plain), Some("empty-input"));
    assert_eq!(code(&[vec![1; 60]], &plain), Some("context-too-long"));
    assert_eq!(code(&[vec![112]], &plain), Some("token-out-of-range"));
    let search = |beams| BeamSearch {
        beams,
        count: 2,
        length_penalty: 1.0,
        early_stopping: false,
        stop: Vec::new(),
        forced: 0,
        cache: CacheFormat::F32,
    };
    for beams in [0, VOCAB] {
        assert_eq!(beam_search(&model, &ctx, &[1], None, &search(beams)).unwrap_err().code, "usage");
    }
}
