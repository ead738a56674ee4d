//! What this machine can do at best: the limits that a benchmark holds its figures against.
//!
//! Each probe takes a fraction of a second on all threads of a context and returns a rate. One run is a sample; whoever wants
//! a trustworthy limit takes several, between the measurements that it is compared with.
#![allow(unsafe_code, reason = "dot products of bytes are instructions without a portable form")]

use std::hint::black_box;
use std::time::Instant;

use crate::device::Device;
use crate::simd::{Kernel, Level, Simd};

/// Floats of a piece: 16 MiB, about a feed-forward matrix.
const PIECE: usize = 4 << 20;

/// Sequential streams that a thread reads side by side.
const STREAMS: usize = 8;

/// Rounds of an arithmetic probe: a few milliseconds.
const ROUNDS: usize = 1 << 19;

/// Accumulators of an arithmetic probe: enough to hide the latency of two units.
const CHAINS: usize = 12;

/// Bytes per second of a plain read loop: pieces of the size of a matrix one after the other, each shared evenly among the
/// threads, each thread reading several streams.
pub fn read_bandwidth(device: &Device, data: &[f32]) -> f64 {
    let threads = device.threads().count();
    let start = Instant::now();
    for piece in data.chunks(PIECE) {
        let part = piece.len().div_ceil(threads).max(1);
        let parts: Vec<&[f32]> = piece.chunks(part).collect();
        device.threads().run(parts.len(), |at| {
            black_box(device.simd().run(Read(parts[at])));
        });
    }
    size_of_val(data) as f64 / start.elapsed().as_secs_f64()
}

/// Floating-point operations per second of independent chains of multiply-adds on f32; a multiply-add is two.
pub fn f32_peak(device: &Device) -> f64 {
    let simd = device.simd();
    rate(device, simd.lanes(), f32_chains(simd))
}

/// Operations per second of independent chains of dot products of bytes into i32 in vectors; a multiply-add is two. Products of
/// tiles go beyond. Without VNNI a step takes three instructions, which sums in 16 bits can save. `None` without any for them.
pub fn int8_peak(device: &Device) -> Option<f64> {
    int8_chains(device.simd()).map(|(lanes, chains)| rate(device, lanes, chains))
}

/// Floating-point operations per second of independent chains of products of pairs of bf16 in vectors; a multiply-add is two. Products
/// of tiles go beyond. `None` without instructions for them.
pub fn bf16_peak(device: &Device) -> Option<f64> {
    bf16_chains(device.simd()).map(|(lanes, chains)| rate(device, lanes, chains))
}

/// Operations per second when every thread runs chains that multiply so many lanes at a time.
fn rate(device: &Device, lanes: usize, chains: fn()) -> f64 {
    let threads = device.threads().count();
    let start = Instant::now();
    device.threads().run(threads, |_| chains());
    (2 * CHAINS * lanes * ROUNDS * threads) as f64 / start.elapsed().as_secs_f64()
}

/// Sums a slice in streams of equal length.
struct Read<'a>(&'a [f32]);

impl Kernel for Read<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<const N: usize, const FMA: bool>(self) -> f32 {
        let length = self.0.len() / STREAMS / N * N;
        let mut sums = [[0.0; N]; STREAMS];
        for at in (0..length).step_by(N) {
            for (stream, sum) in sums.iter_mut().enumerate() {
                let lanes: &[f32; N] = self.0[stream * length + at..][..N].try_into().expect("N elements");
                for lane in 0..N {
                    sum[lane] += lanes[lane];
                }
            }
        }
        let rest: f32 = self.0[STREAMS * length..].iter().sum();
        rest + sums.iter().flatten().sum::<f32>()
    }
}

/// A function that runs `ROUNDS` multiply-adds of a level in each chain.
fn f32_chains(simd: Simd) -> fn() {
    match simd.level() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level has the features.
        Level::Amx | Level::Avx512Bf16 | Level::Vnni | Level::Avx512 => || unsafe { x86::adds_avx512() },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Level::Avx2 | Level::AvxVnni => || unsafe { x86::adds_avx2() },
        _ => portable_adds,
    }
}

fn portable_adds() {
    let (a, b) = (black_box([0.999_f32; 4]), black_box([0.001_f32; 4]));
    let mut sums = [[1.0_f32; 4]; CHAINS];
    for _ in 0..ROUNDS {
        for sum in &mut sums {
            for lane in 0..4 {
                sum[lane] = sum[lane] * a[lane] + b[lane];
            }
        }
    }
    black_box(sums);
}

/// Numbers multiplied in one step, and a function that runs `ROUNDS` of them in each chain.
fn bf16_chains(simd: Simd) -> Option<(usize, fn())> {
    match simd.level() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level has the features.
        Level::Amx | Level::Avx512Bf16 => Some((32, || unsafe { x86::pairs_avx512() })),
        _ => None,
    }
}

/// Bytes multiplied in one step, and a function that runs `ROUNDS` of them in each chain.
fn int8_chains(simd: Simd) -> Option<(usize, fn())> {
    match simd.level() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level has the features.
        Level::Amx | Level::Avx512Bf16 | Level::Vnni => Some((64, || unsafe { x86::dots_avx512() })),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Level::AvxVnni => Some((32, || unsafe { x86::dots_avx2() })),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Level::Avx512 | Level::Avx2 => Some((32, || unsafe { x86::pairs_avx2() })),
        _ => None,
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m256i, __m512bh, _mm256_add_epi32, _mm256_dpbusd_avx_epi32, _mm256_fmadd_ps, _mm256_madd_epi16,
        _mm256_maddubs_epi16, _mm256_set1_epi8, _mm256_set1_epi16, _mm256_set1_ps, _mm256_setzero_si256,
        _mm512_dpbf16_ps, _mm512_dpbusd_epi32, _mm512_fmadd_ps, _mm512_set1_epi8, _mm512_set1_epi32, _mm512_set1_ps,
        _mm512_setzero_si512,
    };
    use std::hint::black_box;

    use super::{CHAINS, ROUNDS};

    /// A function that runs one instruction over and over in independent chains.
    macro_rules! chains {
        ($name:ident, $features:literal, $instruction:ident, $first:expr, $a:expr, $b:expr) => {
            #[target_feature(enable = $features)]
            pub(super) fn $name() {
                let (a, b) = (black_box($a), black_box($b));
                let mut chains = [$first; CHAINS];
                for _ in 0..ROUNDS {
                    for chain in &mut chains {
                        *chain = $instruction(*chain, a, b);
                    }
                }
                black_box(chains);
            }
        };
    }

    chains!(adds_avx512, "avx512f", _mm512_fmadd_ps, _mm512_set1_ps(1.0), _mm512_set1_ps(0.999), _mm512_set1_ps(0.001));
    chains!(adds_avx2, "avx2,fma", _mm256_fmadd_ps, _mm256_set1_ps(1.0), _mm256_set1_ps(0.999), _mm256_set1_ps(0.001));
    chains!(
        dots_avx512,
        "avx512f,avx512vnni",
        _mm512_dpbusd_epi32,
        _mm512_setzero_si512(),
        _mm512_set1_epi8(3),
        _mm512_set1_epi8(-5)
    );
    chains!(pairs_avx512, "avx512f,avx512bf16", _mm512_dpbf16_ps, _mm512_set1_ps(1.0), bf16s(0x3f7f), bf16s(0x3a83));
    chains!(
        dots_avx2,
        "avx2,avxvnni",
        _mm256_dpbusd_avx_epi32,
        _mm256_setzero_si256(),
        _mm256_set1_epi8(3),
        _mm256_set1_epi8(-5)
    );
    chains!(pairs_avx2, "avx2", add_pairs, _mm256_set1_epi8(3), _mm256_set1_epi8(-5), _mm256_set1_epi16(1));

    /// The same number in every place.
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn bf16s(bits: i16) -> __m512bh {
        // SAFETY: both are 64 bytes of any bits.
        unsafe { std::mem::transmute(_mm512_set1_epi32(i32::from(bits) << 16 | i32::from(bits))) }
    }

    /// A step without VNNI. The sum is its own factor, so that no product is the same in all rounds.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn add_pairs(sum: __m256i, a: __m256i, ones: __m256i) -> __m256i {
        _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(sum, a), ones))
    }
}

#[cfg(test)]
mod tests {
    use super::{bf16_peak, f32_peak, int8_peak, read_bandwidth};
    use crate::context::Context;
    use crate::simd::Simd;

    #[test]
    fn rates_are_positive_at_every_level() {
        let data = vec![1.0; (1 << 16) + 5];
        for simd in Simd::supported() {
            let context = Context::with(2, simd);
            let device = context.device();
            assert!(read_bandwidth(device, &data) > 0.0);
            assert!(f32_peak(device) > 0.0);
            assert_eq!(bf16_peak(device).is_some_and(|rate| rate > 0.0), simd.has_bf16());
            assert!(int8_peak(device).is_none_or(|rate| rate > 0.0));
            assert_eq!(int8_peak(device).is_none(), simd == Simd::PORTABLE, "instructions for products of bytes");
        }
    }
}
