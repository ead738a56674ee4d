//! Speed of matrix products in every format, beside a plain read of as much memory in the same run.

use std::time::Instant;

use formwork_tensor::{Context, DType, Format, Layout, Matrix, Param, probe};

/// The feed-forward of a half-billion-parameter decoder, 24 layers deep: larger than any cache.
const LAYERS: usize = 24;
const D_IN: usize = 896;
const D_OUT: usize = 4864;

fn median(mut run: impl FnMut()) -> f64 {
    run();
    let time = |()| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64()
    };
    let mut times: Vec<f64> = std::iter::repeat_n((), 7).map(time).collect();
    times.sort_by(f64::total_cmp);
    times[3]
}

fn main() {
    let ctx = Context::new().unwrap();
    let memory = vec![1.0; LAYERS * D_IN * D_OUT];
    let mut limit = 0.0;
    median(|| limit = probe::read_bandwidth(ctx.device(), &memory).max(limit));
    println!("{} threads, plain read {:.1} GB/s", ctx.device().threads().count(), limit / 1e9);
    let floats: Vec<f32> = (0..D_IN * D_OUT).map(|i| ((i * 2_654_435_761) % 1000) as f32 / 1000.0 - 0.5).collect();
    let stored = Matrix::new(Param::from_f32(&[D_OUT, D_IN], &floats), Layout::OutIn);
    let formats =
        [Format::Float(DType::F32), Format::Float(DType::Bf16), Format::Float(DType::F16), Format::Q8, Format::Q4];
    for format in formats {
        let matrices: Vec<Matrix> = (0..LAYERS).map(|_| stored.pack(format)).collect();
        let bytes = matrices.iter().map(Matrix::size).sum::<usize>() as f64;
        for rows in [1, 4, 512] {
            let x = ctx.from_slice(&[1, rows, D_IN], &floats[..rows * D_IN]);
            let mut y = ctx.tensor(&[1, rows, D_OUT]);
            let seconds = median(|| matrices.iter().for_each(|m| m.multiply(&x, None, &mut y)));
            let operations = 2.0 * (LAYERS * rows * D_IN * D_OUT) as f64;
            let (rate, share) = (bytes / seconds / 1e9, bytes / seconds / limit);
            println!(
                "{format:?} rows {rows}: {rate:.1} GB/s ({share:.2} of a read), {:.0} Gop/s",
                operations / seconds / 1e9
            );
        }
    }
}
