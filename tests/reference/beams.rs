//! Beam search against transformers' `generate`, where a fixture has a `beams.json`.

use std::path::Path;

use formwork_runtime::{BeamSearch, CacheFormat, Context, Model, beam_search, load};
use serde_json::Value;

/// The largest difference of scores.
const TOLERANCE: f64 = 1e-4;

pub(crate) fn check<M: Model>(folder: &Path) {
    let Ok(text) = std::fs::read_to_string(folder.join("beams.json")) else { return };
    let file: Value = serde_json::from_str(&text).unwrap();
    let (model, ctx) = (load::<M>(folder).unwrap(), Context::with_threads(2).unwrap());
    let start: Vec<u32> = file["decoder_start_token_id"].as_u64().iter().map(|id| *id as u32).collect();
    for case in file["searches"].as_array().unwrap() {
        let ids = |key: &str| -> Vec<u32> {
            case[key].as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
        };
        let number = |key: &str| case[key].as_u64().unwrap() as usize;
        let search = BeamSearch {
            beams: number("num_beams"),
            count: number("max_new_tokens"),
            length_penalty: case["length_penalty"].as_f64().unwrap(),
            early_stopping: case["early_stopping"].as_bool().unwrap(),
            stop: ids("eos_token_id"),
            forced: 0,
            cache: CacheFormat::F32,
        };
        let prompt = ids("prompt");
        let (prompt, source) = if start.is_empty() { (&prompt, None) } else { (&start, Some(&prompt[..])) };
        let best = beam_search(&model, &ctx, prompt, source, &search).unwrap().swap_remove(0);
        assert_eq!((&best.ids, Some(best.ended)), (&ids("ids"), case["ended"].as_bool()), "{case}");
        if let Some(score) = case["score"].as_f64() {
            assert!((best.score - score).abs() < TOLERANCE, "{} for {case}", best.score);
        }
    }
}
