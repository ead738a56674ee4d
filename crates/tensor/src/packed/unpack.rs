//! Panels as tiles of weights: bf16 numbers, two inputs of each of sixteen outputs in a row.
#![allow(unsafe_code, reason = "CPU intrinsics, called where their features were detected")]

use std::arch::x86_64::*;
use std::marker::PhantomData;

use half::{bf16, f16};

use crate::param::DType;
use crate::sixteen::{Sixteen as _, Zmm};

use super::format::by_format;
use super::group::{Codes, Eight, Four, FourZero, QUADS, Six, UNIT, ZERO_STEPS};
use super::lanes::{Lanes as _, Wide};
use super::parts::{STEP, split};
use super::tiles::{LINE, TILE};
use super::{Format, PANEL};

/// How the numbers of a panel become tiles.
pub(crate) trait Unpack {
    /// Parts of a weight; the sum of all is the weight, but for those that are rounded to bf16.
    const WEIGHTS: usize;
    /// Parts of an input.
    const INPUTS: usize;
    /// The products that are added: of which part of a weight with which of an input. The others are below the rounding of the
    /// sum. From one to the next one side stays, and need not be loaded again.
    const TERMS: &'static [[usize; 2]];

    /// Writes the tiles of 32 inputs of a panel of `d_in`, one for each part.
    ///
    /// # Safety
    /// The CPU has AVX-512 with BF16.
    unsafe fn tiles(panel: &[u8], d_in: usize, step: usize, out: &mut [u8]);
}

/// Parts of an input for weights of a format.
pub(crate) fn inputs(format: Format) -> usize {
    by_format!(format, C => Coded::<C>::INPUTS, dtype => match dtype {
        DType::F32 => Floats::<f32>::INPUTS,
        DType::Bf16 => Floats::<bf16>::INPUTS,
        DType::F16 => Floats::<f16>::INPUTS,
    })
}

/// Panels of floats.
pub(crate) struct Floats<E>(PhantomData<E>);

/// Panels of floats that are rounded to bf16.
pub(crate) struct Rounded<E>(PhantomData<E>);

/// Panels of codes.
pub(crate) struct Coded<C>(PhantomData<C>);

/// Numbers that are widened to f32 before they are split.
trait Wider {
    /// Bytes of a number.
    const BYTES: usize;

    /// Sixteen of them. `#[inline(always)]`, and called where its instructions are there.
    ///
    /// # Safety
    /// The CPU has AVX-512, and the numbers are there.
    unsafe fn load(from: *const u8) -> __m512;
}

impl Wider for f32 {
    const BYTES: usize = 4;

    #[inline(always)]
    unsafe fn load(from: *const u8) -> __m512 {
        // SAFETY: by the contract.
        unsafe { _mm512_loadu_ps(from.cast()) }
    }
}

impl Wider for f16 {
    const BYTES: usize = 2;

    #[inline(always)]
    unsafe fn load(from: *const u8) -> __m512 {
        // SAFETY: by the contract.
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(from.cast())) }
    }
}

impl Unpack for Floats<f32> {
    const WEIGHTS: usize = 3;
    const INPUTS: usize = 3;
    const TERMS: &'static [[usize; 2]] = &[[2, 0], [1, 0], [1, 1], [0, 1], [0, 2], [0, 0]];

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
    unsafe fn tiles(panel: &[u8], d_in: usize, step: usize, out: &mut [u8]) {
        pairs::<f32, 3>(panel, d_in, step, out);
    }
}

impl Unpack for Floats<f16> {
    const WEIGHTS: usize = 2;
    const INPUTS: usize = 2;
    const TERMS: &'static [[usize; 2]] = &[[1, 0], [0, 0], [0, 1]];

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
    unsafe fn tiles(panel: &[u8], d_in: usize, step: usize, out: &mut [u8]) {
        pairs::<f16, 2>(panel, d_in, step, out);
    }
}

impl<E: Wider> Unpack for Rounded<E> {
    const WEIGHTS: usize = 1;
    const INPUTS: usize = 1;
    const TERMS: &'static [[usize; 2]] = &[[0, 0]];

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
    unsafe fn tiles(panel: &[u8], d_in: usize, step: usize, out: &mut [u8]) {
        pairs::<E, 1>(panel, d_in, step, out);
    }
}

impl Unpack for Floats<bf16> {
    const WEIGHTS: usize = 1;
    const INPUTS: usize = 2;
    const TERMS: &'static [[usize; 2]] = &[[0, 1], [0, 0]];

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
    unsafe fn tiles(panel: &[u8], _d_in: usize, step: usize, out: &mut [u8]) {
        let rows = &panel[(step * TILE).min(panel.len())..];
        for pair in 0..STEP / 2 {
            let rows = &rows[(pair * LINE).min(rows.len())..];
            let numbers = rows.len().min(LINE) / 2;
            // SAFETY: the mask has one bit for each number.
            let rows = unsafe { _mm512_maskz_loadu_epi16(((1_u64 << numbers) - 1) as __mmask32, rows.as_ptr().cast()) };
            put([rows], pair, out);
        }
    }
}

impl<C: Codes> Unpack for Coded<C> {
    const WEIGHTS: usize = 1;
    const INPUTS: usize = 1;
    const TERMS: &'static [[usize; 2]] = &[[0, 0]];

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,f16c,fma")]
    unsafe fn tiles(panel: &[u8], _d_in: usize, step: usize, out: &mut [u8]) {
        let (block, half) = (&panel[step / 2 * C::BYTES..][..C::BYTES], step % 2);
        // SAFETY: the grids lie in the slice that they are taken from.
        let [scale, less] = unsafe {
            let grids = block[half * 2 * PANEL..][..2 * PANEL].as_ptr();
            match C::HAS_ZERO {
                true => [Zmm::times(Wide::scales_beside_zeros(grids), UNIT), _mm512_cvtepi32_ps(Wide::zeros(grids))],
                false => [Zmm::scales(grids.cast()), _mm512_set1_ps((ZERO_STEPS * C::OFFSET) as f32)],
            }
        };
        let less = _mm512_mul_ps(scale, _mm512_mul_ps(less, _mm512_set1_ps(-1.0 / ZERO_STEPS as f32)));
        let low = _mm512_set1_epi32(0xff);
        for quad in 0..QUADS {
            // SAFETY: so do the codes.
            let codes = unsafe { Wide::weights::<C>(block.as_ptr(), half, quad) };
            let codes = if C::BITS == 4 && half == 1 { _mm512_srli_epi32::<4>(codes) } else { codes };
            let number = |code: __m512i| _mm512_fmadd_ps(_mm512_cvtepi32_ps(_mm512_and_si512(code, low)), scale, less);
            let [a, b] = [number(codes), number(_mm512_srli_epi32::<8>(codes))];
            let [c, d] = [number(_mm512_srli_epi32::<16>(codes)), number(_mm512_srli_epi32::<24>(codes))];
            put(split::<1>(a, b), 2 * quad, out);
            put(split::<1>(c, d), 2 * quad + 1, out);
        }
    }
}

/// The tiles of 32 inputs.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
#[inline]
fn pairs<E: Wider, const PARTS: usize>(panel: &[u8], d_in: usize, step: usize, out: &mut [u8]) {
    let bytes = PANEL * E::BYTES;
    let row = |input: usize| match panel.get(input * bytes..(input + 1) * bytes) {
        // SAFETY: a row has sixteen numbers.
        Some(row) if input < d_in => unsafe { E::load(row.as_ptr()) },
        _ => _mm512_setzero_ps(),
    };
    for pair in 0..STEP / 2 {
        let input = step * STEP + 2 * pair;
        put(split::<PARTS>(row(input), row(input + 1)), pair, out);
    }
}

/// Writes a row of each tile: numbers of one input and then of the next become pairs.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
pub(crate) fn put<const PARTS: usize>(parts: [__m512i; PARTS], pair: usize, out: &mut [u8]) {
    let order = std::array::from_fn::<u16, 32, _>(|at| (at / 2 + at % 2 * PANEL) as u16);
    for (part, numbers) in parts.into_iter().enumerate() {
        let line = &mut out[part * TILE + pair * LINE..][..LINE];
        // SAFETY: sixteen pairs fill a register, and so do the places.
        unsafe {
            let pairs = _mm512_permutexvar_epi16(_mm512_loadu_si512(order.as_ptr().cast()), numbers);
            _mm512_storeu_si512(line.as_mut_ptr().cast(), pairs);
        }
    }
}
