//! Fixed-size lane arrays: the plain Rust that kernels are written in.
//!
//! Everything is `#[inline(always)]`, so that it is compiled for the SIMD level of the kernel that
//! calls it (see [`Kernel`](crate::Kernel)).

use half::{bf16, f16};

pub use crate::matmul::dots;
pub use crate::reads::{Ahead, Next, Prefetch};
use crate::widen;

/// A stored number that widens to `f32` without a branch.
pub trait Element: Copy + Send + Sync + 'static {
    /// Its value, exactly.
    fn widen(self) -> f32;

    /// The values of numbers side by side, in a kernel of `N` lanes.
    #[inline(always)]
    fn widen_all<const N: usize, const COUNT: usize>(from: &[Self; COUNT]) -> [f32; COUNT] {
        from.map(Self::widen)
    }
}

impl Element for f32 {
    #[inline(always)]
    fn widen(self) -> f32 {
        self
    }
}

impl Element for bf16 {
    #[inline(always)]
    fn widen(self) -> f32 {
        f32::from_bits(u32::from(self.to_bits()) << 16)
    }
}

impl Element for f16 {
    #[inline(always)]
    fn widen(self) -> f32 {
        const REBIAS: f32 = f32::from_bits((254 - 15) << 23); // 2^112
        let bits = u32::from(self.to_bits());
        let sign = (bits & 0x8000) << 16;
        let magnitude = bits & 0x7fff;
        // Exact for subnormals too: the product normalises them.
        let finite = (f32::from_bits(magnitude << 13) * REBIAS).to_bits();
        let special = magnitude << 13 | 0x7f80_0000;
        let bits = if magnitude >= 0x7c00 { special } else { finite };
        f32::from_bits(sign | bits)
    }

    #[inline(always)]
    fn widen_all<const N: usize, const COUNT: usize>(from: &[Self; COUNT]) -> [f32; COUNT] {
        let mut to = [0.0; COUNT];
        widen::halves::<N>(from, &mut to);
        to
    }
}

impl Element for i8 {
    #[inline(always)]
    fn widen(self) -> f32 {
        f32::from(self)
    }
}

/// `a · b + c`, fused where that is one instruction.
#[inline(always)]
pub fn mul_add<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// The first `N` elements, widened.
#[inline(always)]
pub fn load<const N: usize, E: Element>(from: &[E]) -> [f32; N] {
    E::widen_all::<N, N>(from[..N].try_into().expect("N elements"))
}

/// Up to `N` elements, widened; the missing ones are 0.
#[inline(always)]
pub fn load_tail<const N: usize, E: Element>(from: &[E]) -> [f32; N] {
    let mut lanes = [0.0; N];
    lanes.iter_mut().zip(from).for_each(|(lane, x)| *lane = x.widen());
    lanes
}

/// `sum += a · b` in every lane.
#[inline(always)]
pub fn accumulate<const N: usize, const FMA: bool>(sum: &mut [f32; N], a: &[f32; N], b: &[f32; N]) {
    for lane in 0..N {
        sum[lane] = mul_add::<FMA>(a[lane], b[lane], sum[lane]);
    }
}

/// The sum of all lanes, pairwise.
#[inline(always)]
pub fn sum<const N: usize>(lanes: [f32; N]) -> f32 {
    pairwise(lanes, |a, b| a + b)
}

/// One number of all lanes, the lower half of them with the upper, and so on.
#[inline(always)]
pub fn pairwise<const N: usize>(mut lanes: [f32; N], join: impl Fn(f32, f32) -> f32) -> f32 {
    let mut width = N;
    while width > 1 {
        width /= 2;
        for lane in 0..width {
            lanes[lane] = join(lanes[lane], lanes[lane + width]);
        }
    }
    lanes[0]
}

/// `e^x` to about one unit in the last place; 0 below -87.3, at most `e^88.3`; NaN stays NaN.
#[inline(always)]
pub fn exp<const FMA: bool>(x: f32) -> f32 {
    const MAGIC: f32 = 12_582_912.0; // 1.5 · 2^23: adding it rounds to an integer
    let clamped = if x > 88.3 { 88.3 } else { x };
    let clamped = if clamped < -87.3 { -87.3 } else { clamped };
    let shifted = mul_add::<FMA>(clamped, std::f32::consts::LOG2_E, MAGIC);
    let power = shifted - MAGIC;
    let r = mul_add::<FMA>(power, -0.693_359_4, clamped);
    let r = mul_add::<FMA>(power, 2.121_944_4e-4, r);
    let mut p = 1.987_569_1e-4;
    for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = mul_add::<FMA>(p, r, c);
    }
    let fraction = mul_add::<FMA>(p, r * r, r) + 1.0;
    let scale = f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3f80_0000));
    let result = fraction * scale;
    if x < -87.3 { 0.0 } else { result }
}

/// `2^x` for `x` of at most 126, to about one unit in the last place; 0 below -126.5; NaN stays NaN.
#[inline(always)]
pub fn exp2<const FMA: bool>(x: f32) -> f32 {
    // As the magic number of `exp`, and the exponent of one: the lowest bits are those of the power.
    const MAGIC: f32 = 12_582_912.0 + 127.0;
    let clamped = if x < -127.0 { -127.0 } else { x };
    let shifted = clamped + MAGIC;
    let r = clamped - (shifted - MAGIC);
    // The polynomial of degree six whose largest relative error on [-0.5, 0.5] is least: 2e-9.
    let mut p = 1.535_336_2e-4;
    for c in [1.339_887_5e-3, 9.618_437e-3, 5.550_332_5e-2, 2.402_264_8e-1, 6.931_472e-1, 1.0] {
        p = mul_add::<FMA>(p, r, c);
    }
    p * f32::from_bits(shifted.to_bits() << 23)
}

/// `1 / (1 + e^-x)`.
#[inline(always)]
pub fn sigmoid<const FMA: bool>(x: f32) -> f32 {
    1.0 / (1.0 + exp::<FMA>(-x))
}

/// `ln(1 + e^x)` to about two units in the last place, whatever its size.
#[inline(always)]
pub fn softplus<const FMA: bool>(x: f32) -> f32 {
    // ln(1 + t) = 2·atanh(t / (2 + t)), a series in z² that is at most 1/9.
    let t = exp::<FMA>(-x.abs());
    let z = t / (2.0 + t);
    let s = z * z;
    let mut p = 1.0 / 15.0;
    for c in [1.0 / 13.0, 1.0 / 11.0, 1.0 / 9.0, 1.0 / 7.0, 1.0 / 5.0, 1.0 / 3.0, 1.0] {
        p = mul_add::<FMA>(p, s, c);
    }
    let above = if x > 0.0 { x } else { 0.0 };
    mul_add::<FMA>(2.0 * z, p, above)
}

/// Hyperbolic tangent, to 1e-6 of one.
#[inline(always)]
pub fn tanh<const FMA: bool>(x: f32) -> f32 {
    let e = exp::<FMA>(2.0 * x);
    let large = 1.0 - 2.0 / (e + 1.0);
    // Near zero the difference above cancels; the series does not.
    let s = x * x;
    let small = x * (1.0 + s * (-1.0 / 3.0 + s * (2.0 / 15.0 + s * (-17.0 / 315.0 + s * (62.0 / 2835.0)))));
    if x.abs() < 0.25 { small } else { large }
}

/// The error function, to 1e-6 of one: a rational approximation on [-4, 4].
#[inline(always)]
pub fn erf<const FMA: bool>(x: f32) -> f32 {
    let x = if x > 4.0 { 4.0 } else { x };
    let x = if x < -4.0 { -4.0 } else { x };
    let s = x * x;
    let mut p = -2.726_142_3e-10;
    for c in [2.770_681_4e-8, -2.101_024e-6, -5.692_506_5e-5, -7.349_906_3e-4, -2.954_6e-3, -1.609_603_3e-2] {
        p = mul_add::<FMA>(p, s, c);
    }
    let mut q = -1.456_607_2e-5;
    for c in [-2.133_740_6e-4, -1.682_827e-3, -7.373_329_2e-3, -1.426_474e-2] {
        q = mul_add::<FMA>(q, s, c);
    }
    x * p / q
}
