//! Several texts at once: each as if it were alone, to the last bit, where a model packs them.

use std::path::Path;

use formwork_runtime::{CacheFormat, Context, Model, Texts, load, read_texts};

/// Lengths that differ, the longest longer than a tile of attention where the model's positions allow.
const LENGTHS: [usize; 4] = [5, 1, 70, 12];

pub(crate) fn check<M: Model>(folder: &Path) {
    if !M::INFO.packs {
        return;
    }
    let model: M = load(folder).unwrap();
    let longest = M::INFO.max_positions.map_or(usize::MAX, |max| max / 2);
    let id = |text: usize, at: usize| ((7 * text + 3 * at + 5) % M::INFO.vocab_size) as u32;
    let of_text = |(text, length): (usize, usize)| (0..length.min(longest)).map(|at| id(text, at)).collect();
    let ids: Vec<Vec<u32>> = LENGTHS.into_iter().enumerate().map(of_text).collect();
    for threads in [1, 2] {
        let ctx = Context::with_threads(threads).unwrap();
        let read = |ids: Vec<Vec<u32>>| {
            let texts = Texts { ids, ..Texts::default() };
            read_texts(&model, &ctx, &texts, CacheFormat::F32).unwrap()
        };
        let alone: Vec<_> = ids.iter().flat_map(|ids| read(vec![ids.clone()])).collect();
        assert!(read(ids.clone()) == alone, "{}: packed texts differ, {threads} threads", folder.display());
    }
}
