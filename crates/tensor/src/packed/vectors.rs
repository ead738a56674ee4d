//! Products of tiles of bf16 in vectors: one instruction multiplies two inputs of sixteen outputs.
#![allow(unsafe_code, reason = "CPU intrinsics, called where their features were detected")]

use std::arch::x86_64::*;

use super::PANEL;
use super::parts::{ROWS, STEP};
use super::tiles::{LINE, TILE};

/// Rows whose sums stay in registers, for two panels.
const TALLEST: usize = 8;

/// Writes the sums of sixteen rows by `P` panels to the places of each panel's first row, `stride` floats from one to the next.
///
/// # Safety
/// The CPU has AVX-512 with BF16; rows and panels have `steps` tiles one after the other, and the places sixteen rows of sixteen.
#[target_feature(enable = "avx512f,avx512bf16")]
pub(crate) unsafe fn multiply<const P: usize>(
    rows: *const u8,
    panels: [*const u8; P],
    steps: usize,
    out: [*mut f32; P],
    stride: usize,
) {
    for first in (0..ROWS).step_by(TALLEST) {
        // SAFETY: by the contract.
        unsafe { strip(rows.add(first * LINE), panels, steps, out.map(|out| out.add(first * stride)), stride) };
    }
}

/// The same for the first rows of tiles.
///
/// # Safety
/// As above.
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn strip<const P: usize>(
    rows: *const u8,
    panels: [*const u8; P],
    steps: usize,
    out: [*mut f32; P],
    stride: usize,
) {
    const { assert!(LINE == PANEL * 4 && TILE == STEP / 2 * LINE) };
    let mut sums = [[_mm512_setzero_ps(); P]; TALLEST];
    // SAFETY: reads lie in tiles and writes in their places, by the contract; all types have 512 bits.
    unsafe {
        for step in 0..steps {
            for pair in 0..STEP / 2 {
                let line = step * TILE + pair * LINE;
                let weights = panels
                    .map(|panel| std::mem::transmute::<__m512i, __m512bh>(_mm512_loadu_si512(panel.add(line).cast())));
                for (row, sums) in sums.iter_mut().enumerate() {
                    let inputs = rows.add(step * TILE + row * LINE + 4 * pair).cast::<i32>().read_unaligned();
                    let inputs = std::mem::transmute::<__m512i, __m512bh>(_mm512_set1_epi32(inputs));
                    for (sum, weights) in sums.iter_mut().zip(weights) {
                        *sum = _mm512_dpbf16_ps(*sum, inputs, weights);
                    }
                }
            }
        }
        for (row, sums) in sums.into_iter().enumerate() {
            for (sum, out) in sums.into_iter().zip(out) {
                _mm512_storeu_ps(out.add(row * stride), sum);
            }
        }
    }
}
