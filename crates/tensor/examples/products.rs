//! Speed of matrix products in every format, beside what the machine does at best in the same run.
//!
//! `products [rounded] [FORMAT..]`: `f32`, `bf16`, `f16`, `q8`, `q6`, `q4`, `q4z`; all unless told. `rounded` is `--precision bf16`.

use std::time::Instant;

use formwork_tensor::{Context, Format, Layout, Matrix, Param, Precision, probe};

/// The matrices of a half-billion-parameter decoder, `[d_out, d_in]`, and how many of each are larger than any cache.
const SHAPES: [([usize; 2], usize); 3] = [([4864, 896], 24), ([896, 4864], 24), ([896, 896], 60)];

/// The median seconds of five runs after one that is not counted.
fn median(mut run: impl FnMut()) -> f64 {
    run();
    let time = |()| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64()
    };
    let mut times: Vec<f64> = std::iter::repeat_n((), 5).map(time).collect();
    times.sort_by(f64::total_cmp);
    times[2]
}

fn main() {
    let (rounded, chosen): (Vec<String>, Vec<String>) = std::env::args().skip(1).partition(|word| word == "rounded");
    let precision = if rounded.is_empty() { Precision::Full } else { Precision::Bf16 };
    let ctx = Context::open(None, precision).unwrap();
    let device = ctx.device();
    let memory = vec![1.0; 100 << 20];
    let (mut read, mut peak, mut bytes_peak) = (0.0_f64, 0.0_f64, 0.0_f64);
    for _ in 0..5 {
        read = read.max(probe::read_bandwidth(device, &memory));
        peak = peak.max(probe::f32_peak(device));
        bytes_peak = bytes_peak.max(probe::int8_peak(device).unwrap_or_default());
    }
    drop(memory);
    let [giga_read, giga_peak, giga_bytes] = [read, peak, bytes_peak].map(|rate| rate / 1e9);
    println!(
        "{} threads at best: {giga_read:.1} GB/s, {giga_peak:.0} GFLOP/s of f32, {giga_bytes:.0} GOP/s of int8",
        device.threads().count()
    );
    for (name, format) in
        Format::NAMED.into_iter().filter(|(name, _)| chosen.is_empty() || chosen.iter().any(|c| c == name))
    {
        let peak = if matches!(format, Format::Float(_)) { peak } else { bytes_peak.max(peak) };
        for ([d_out, d_in], count) in SHAPES {
            let floats: Vec<f32> =
                (0..d_in * d_out).map(|i| ((i * 2_654_435_761) % 1000) as f32 / 1000.0 - 0.5).collect();
            let stored = Matrix::new(Param::from_f32(&[d_out, d_in], &floats), Layout::OutIn);
            let matrices: Vec<Matrix> = (0..count).map(|_| stored.pack(format, 2)).collect();
            let bytes = matrices.iter().map(Matrix::size).sum::<usize>() as f64;
            print!("{name:>4} {d_out:>4} x {d_in:>4}:");
            for rows in [1, 512] {
                let x = ctx.from_slice(&[1, rows, d_in], &floats[..rows * d_in]);
                let mut y = ctx.tensor(&[1, rows, d_out]);
                let seconds = median(|| matrices.iter().for_each(|m| m.multiply(&x, None, &mut y)));
                let operations = 2.0 * (count * rows * d_in * d_out) as f64;
                let (rate, work) = (bytes / seconds, operations / seconds);
                match rows {
                    1 => print!(" one row {:5.1} GB/s, {:3.0}% of a read;", rate / 1e9, 100.0 * rate / read),
                    _ => print!(" {rows} rows {:5.0} Gop/s, {:3.0}% of peak", work / 1e9, 100.0 * work / peak),
                }
            }
            println!();
        }
    }
}
