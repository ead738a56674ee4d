//! The sixteen lanes of a panel in the vectors of an instruction set.
#![allow(unsafe_code, reason = "CPU intrinsics, called where their features were detected")]

use std::arch::x86_64::*;

use super::group::{Codes, ZERO_BITS};
use crate::sixteen::{Sixteen, Ymms, Zmm};

/// The bits of a grid that hold its zero point.
const ZEROS: i32 = (1 << ZERO_BITS) - 1;

/// Sixteen lanes. Everything is `#[inline(always)]`, and called where its instructions are there.
pub(crate) trait Lanes {
    /// The most rows of a tile with codes of so many bits: as many as registers hold sums of a group for.
    fn tallest(bits: usize) -> usize;
    /// The most rows of a tile of `STREAMS` panels.
    const TALLEST_OF_STREAMS: usize;
    /// The most sums of all groups that registers hold beside those of one.
    const KEPT: usize;

    /// Whether steps add the products of any codes without sign. Where they do not, codes of eight bits are weights with their
    /// sign, and those of four are never raised.
    const ROOM: bool;

    /// The vectors.
    type V: Sixteen;
    /// Four codes of an input, repeated.
    type Codes: Copy;

    /// Four codes of an input.
    unsafe fn codes(from: *const i32) -> Self::Codes;

    /// A quad of codes of each output from a half of a block; those of four bits in the second half are raised by four where there is
    /// room.
    unsafe fn weights<C: Codes>(block: *const u8, half: usize, quad: usize) -> Ints<Self>;

    /// Adds the four products of every output; without room, those of four bits in two sums of sixteen bits, which hold a group.
    unsafe fn dot(sums: Ints<Self>, weights: Ints<Self>, codes: Self::Codes, bits: usize) -> Ints<Self>;

    /// Such sums, and what they start at.
    unsafe fn widened(sums: Ints<Self>, start: i32) -> Ints<Self>;

    /// The scales of sixteen grids with zero points, in units.
    unsafe fn scales_beside_zeros(from: *const u8) -> <Self::V as Sixteen>::Floats;

    /// The zero points of sixteen grids, as they are stored, each the first of a pair with 0.
    unsafe fn zeros(from: *const u8) -> <Self::V as Sixteen>::Pairs;

    /// Eight times the sums.
    unsafe fn eightfold(sums: Ints<Self>) -> Ints<Self>;
}

/// Sixteen sums of products, or four codes for each of sixteen outputs.
pub(crate) type Ints<L> = <<L as Lanes>::V as Sixteen>::Ints;

/// AVX-512 with VNNI: one register.
pub(crate) struct Wide;

/// AVX2 with AVX-VNNI or without it: two registers.
pub(crate) struct Narrow<const VNNI: bool>;

/// The bits of a byte that hold codes of a half of a block.
#[inline(always)]
fn mask(bits: usize, half: usize) -> i8 {
    match (bits, half) {
        (4 | 6, 0) => 0x0f,
        (4 | 6, _) => -16,
        _ => -1,
    }
}

/// The scales of sixteen grids with zero points, as numbers of sixteen bits.
///
/// # Safety
/// There are so many, and the CPU has AVX2.
#[inline(always)]
unsafe fn halves(grids: *const u8) -> __m256i {
    const BITS: i32 = ZERO_BITS as i32;
    // SAFETY: by the contract.
    unsafe { _mm256_slli_epi16::<{ BITS - 1 }>(_mm256_srli_epi16::<BITS>(_mm256_loadu_si256(grids.cast()))) }
}

impl Lanes for Wide {
    const TALLEST_OF_STREAMS: usize = 3;
    const KEPT: usize = 12;
    const ROOM: bool = true;

    type V = Zmm;
    type Codes = __m512i;

    #[inline(always)]
    fn tallest(_: usize) -> usize {
        12
    }

    #[inline(always)]
    unsafe fn codes(from: *const i32) -> __m512i {
        // SAFETY: by the contract, here and below.
        unsafe { _mm512_set1_epi32(from.read_unaligned()) }
    }

    #[inline(always)]
    unsafe fn weights<C: Codes>(block: *const u8, half: usize, quad: usize) -> __m512i {
        unsafe {
            let low = _mm512_loadu_si512(block.add(C::quad(half, quad)).cast());
            if C::BITS != 6 {
                return _mm512_and_si512(low, _mm512_set1_epi8(mask(C::BITS, half)));
            }
            let (line, shift) = C::high(half, quad);
            // Both bits come to places 4 and 5 of their byte.
            let turns = _mm512_set1_epi32(shift as i32 - 4);
            let high = _mm512_rorv_epi32(_mm512_loadu_si512(block.add(line).cast()), turns);
            let low = if half == 1 { _mm512_srli_epi32::<4>(low) } else { low };
            let [low_bits, high_bits] = [_mm512_set1_epi8(0x0f), _mm512_set1_epi8(0x30)];
            _mm512_or_si512(_mm512_and_si512(low, low_bits), _mm512_and_si512(high, high_bits))
        }
    }

    #[inline(always)]
    unsafe fn dot(sums: __m512i, weights: __m512i, codes: __m512i, _: usize) -> __m512i {
        unsafe { _mm512_dpbusd_epi32(sums, weights, codes) }
    }

    #[inline(always)]
    unsafe fn widened(sums: __m512i, _: i32) -> __m512i {
        sums
    }

    #[inline(always)]
    unsafe fn scales_beside_zeros(from: *const u8) -> __m512 {
        unsafe { _mm512_cvtph_ps(halves(from)) }
    }

    #[inline(always)]
    unsafe fn zeros(from: *const u8) -> __m512i {
        unsafe {
            let grids = _mm512_cvtepu16_epi32(_mm256_loadu_si256(from.cast()));
            _mm512_and_si512(grids, _mm512_set1_epi32(ZEROS))
        }
    }

    #[inline(always)]
    unsafe fn eightfold(sums: __m512i) -> __m512i {
        unsafe { _mm512_slli_epi32::<3>(sums) }
    }
}

impl<const VNNI: bool> Lanes for Narrow<VNNI> {
    const TALLEST_OF_STREAMS: usize = 1;
    const KEPT: usize = 3;
    const ROOM: bool = VNNI;

    type V = Ymms;
    type Codes = __m256i;

    #[inline(always)]
    fn tallest(bits: usize) -> usize {
        if bits == 4 && !VNNI { 6 } else { 3 }
    }

    #[inline(always)]
    unsafe fn codes(from: *const i32) -> __m256i {
        unsafe { _mm256_set1_epi32(from.read_unaligned()) }
    }

    #[inline(always)]
    unsafe fn weights<C: Codes>(block: *const u8, half: usize, quad: usize) -> [__m256i; 2] {
        unsafe {
            let from = block.add(C::quad(half, quad));
            let both = [_mm256_loadu_si256(from.cast()), _mm256_loadu_si256(from.add(32).cast())];
            let masked = both.map(|codes| _mm256_and_si256(codes, _mm256_set1_epi8(mask(C::BITS, half))));
            match (C::BITS, half) {
                (8, _) if !VNNI => masked.map(|codes| _mm256_xor_si256(codes, _mm256_set1_epi8(-128))),
                (4, 1) if !VNNI => masked.map(|codes| _mm256_srli_epi16::<4>(codes)),
                (6, _) => {
                    let low = if half == 1 { masked.map(|codes| _mm256_srli_epi16::<4>(codes)) } else { masked };
                    let (line, shift) = C::high(half, quad);
                    let (from, shift) = (block.add(line), _mm_cvtsi32_si128(shift as i32));
                    [(low[0], from), (low[1], from.add(32))].map(|(low, from)| {
                        let high = _mm256_srl_epi16(_mm256_loadu_si256(from.cast()), shift);
                        let high = _mm256_and_si256(high, _mm256_set1_epi8(3));
                        _mm256_or_si256(low, _mm256_slli_epi16::<4>(high))
                    })
                }
                _ => masked,
            }
        }
    }

    #[inline(always)]
    unsafe fn dot([s0, s1]: [__m256i; 2], [w0, w1]: [__m256i; 2], x: __m256i, bits: usize) -> [__m256i; 2] {
        unsafe {
            match bits {
                _ if VNNI => [_mm256_dpbusd_avx_epi32(s0, w0, x), _mm256_dpbusd_avx_epi32(s1, w1, x)],
                8 => [
                    add_pairs(s0, _mm256_abs_epi8(w0), _mm256_sign_epi8(x, w0)),
                    add_pairs(s1, _mm256_abs_epi8(w1), _mm256_sign_epi8(x, w1)),
                ],
                6 => [add_pairs(s0, w0, x), add_pairs(s1, w1, x)],
                _ => [
                    _mm256_add_epi16(s0, _mm256_maddubs_epi16(w0, x)),
                    _mm256_add_epi16(s1, _mm256_maddubs_epi16(w1, x)),
                ],
            }
        }
    }

    #[inline(always)]
    unsafe fn widened(sums: [__m256i; 2], start: i32) -> [__m256i; 2] {
        unsafe {
            sums.map(|sums| _mm256_add_epi32(_mm256_set1_epi32(start), _mm256_madd_epi16(sums, _mm256_set1_epi16(1))))
        }
    }

    #[inline(always)]
    unsafe fn scales_beside_zeros(from: *const u8) -> [__m256; 2] {
        unsafe {
            let scales = halves(from);
            let low = _mm256_cvtph_ps(_mm256_castsi256_si128(scales));
            [low, _mm256_cvtph_ps(_mm256_extracti128_si256::<1>(scales))]
        }
    }

    #[inline(always)]
    unsafe fn zeros(from: *const u8) -> [__m256i; 2] {
        unsafe {
            [from, from.add(16)].map(|from| {
                let grids = _mm256_cvtepu16_epi32(_mm_loadu_si128(from.cast()));
                _mm256_and_si256(grids, _mm256_set1_epi32(ZEROS))
            })
        }
    }

    #[inline(always)]
    unsafe fn eightfold([low, high]: [__m256i; 2]) -> [__m256i; 2] {
        unsafe { [_mm256_slli_epi32::<3>(low), _mm256_slli_epi32::<3>(high)] }
    }
}

/// Adds four products of bytes in each lane; the sum of any two fits into sixteen bits.
#[inline(always)]
unsafe fn add_pairs(sums: __m256i, weights: __m256i, codes: __m256i) -> __m256i {
    // SAFETY: called where the instructions are there.
    unsafe {
        let pairs = _mm256_maddubs_epi16(weights, codes);
        _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
    }
}
