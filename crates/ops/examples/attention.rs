//! Speed of attention behind a long context, for every format of the cache, beside what the machine reads and computes at best
//! in the same run.
//!
//! `attention [PRECISION] [DEPTH [TOKENS..]]`: `full` unless told, or `bf16`; tokens in the cache before, 3000 unless told, and new
//! ones, 1 and then 512.

use std::time::Instant;

use formwork_ops::attention::{Attention, KvCache, Mask};
use formwork_ops::kept::Kept as _;
use formwork_ops::{CacheFormat, Room};
use formwork_tensor::{Context, Ids, Precision, Tensor, Tokens, probe};

/// Layers of a half-billion-parameter decoder, its heads, those of keys, and their width.
const LAYERS: usize = 24;
const HEADS: usize = 14;
const KV_HEADS: usize = 2;
const WIDTH: usize = 64;

/// Tokens that fill a cache at once.
const PIECE: usize = 1000;

/// The median of five rates.
fn median(mut rate: impl FnMut() -> f64) -> f64 {
    let mut rates: [f64; 5] = std::array::from_fn(|_| rate());
    rates.sort_by(f64::total_cmp);
    rates[2]
}

/// The median seconds of a run after one that is not counted.
fn seconds(mut run: impl FnMut()) -> f64 {
    run();
    median(|| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64()
    })
}

/// Numbers of a few hundred different values.
fn numbers(ctx: &Context, tokens: usize, heads: usize) -> Tensor {
    let data: Vec<f32> =
        (0..tokens * heads * WIDTH).map(|i| ((i * 2_654_435_761) % 1000) as f32 / 250.0 - 2.0).collect();
    ctx.from_slice(&[1, tokens, heads, WIDTH], &data)
}

/// Attention of `count` new tokens behind the first `past` of the cache.
fn attend(ctx: &Context, mask: Mask, cache: &mut KvCache, [past, count]: [usize; 2], [q, k, v]: &[Tensor; 3]) {
    cache.truncate(past);
    let tokens = Tokens::new(Ids::zeros(1, count), past, None).unwrap();
    Attention::new(mask, 0.125).cached(cache).run(ctx, q, k, v, &tokens);
}

fn inputs(ctx: &Context, count: usize) -> [Tensor; 3] {
    [HEADS, KV_HEADS, KV_HEADS].map(|heads| numbers(ctx, count, heads))
}

/// A cache of `depth` tokens.
fn filled(ctx: &Context, depth: usize, room: Room) -> KvCache {
    let mut cache = KvCache::new(1, KV_HEADS, WIDTH, WIDTH, room);
    for past in (0..depth).step_by(PIECE) {
        let count = PIECE.min(depth - past);
        // Each sees itself alone: quickly filled.
        attend(ctx, Mask::SlidingWindow(1), &mut cache, [past, count], &inputs(ctx, count));
    }
    cache
}

fn main() {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let precision = words.first().and_then(|word| Precision::named(word));
    words.drain(..usize::from(precision.is_some()));
    let ctx = Context::open(None, precision.unwrap_or_default()).unwrap();
    let words: Vec<usize> = words.iter().map(|word| word.parse().expect("a number of tokens")).collect();
    let (depth, counts) = match words.as_slice() {
        [] => (3000, &[1, 512][..]),
        [depth] => (*depth, &[1, 512][..]),
        [depth, counts @ ..] => (*depth, counts),
    };
    let memory = vec![1.0; 100 << 20];
    for format in CacheFormat::ALL {
        let room = Room { tokens: depth + counts.iter().max().unwrap_or(&0), format };
        let mut caches: Vec<KvCache> = (0..LAYERS).map(|_| filled(&ctx, depth, room)).collect();
        for &count in counts {
            let new = inputs(&ctx, count);
            let seconds =
                seconds(|| caches.iter_mut().for_each(|c| attend(&ctx, Mask::Causal, c, [depth, count], &new)));
            let read = median(|| probe::read_bandwidth(ctx.device(), &memory));
            let peak = median(|| probe::f32_peak(ctx.device()));
            let rows = 2 * LAYERS * KV_HEADS * (depth + count);
            let bytes = rows as f64 * format.row_bytes(WIDTH as u128) as f64 / seconds;
            let pairs = count * depth + count * (count + 1) / 2;
            let work = (4 * LAYERS * HEADS * WIDTH * pairs) as f64 / seconds;
            println!(
                "{:>4}, {count:>3} @ {depth}: {:8.3} ms, {:5.1} GB/s ({:3.0}% of a read), {:4.0} GFLOP/s ({:3.0}% of f32)",
                format.name(),
                1e3 * seconds,
                bytes / 1e9,
                100.0 * bytes / read,
                work / 1e9,
                100.0 * work / peak
            );
        }
    }
}
