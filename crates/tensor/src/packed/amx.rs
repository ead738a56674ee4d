//! The grouped products with AMX: sixteen rows by sixteen outputs by a group of inputs in one instruction.
#![allow(unsafe_code, reason = "CPU intrinsics, called where their features were detected")]

use std::arch::x86_64::*;

use super::group::{Codes, QUAD, QUADS};
use super::grouped::Groups;
use super::quantise::Group;
use super::tiles::{LINE, TILE, Tiles};
use super::vnni::Vnni;
use super::{GROUP, PANEL, ROWS};

/// Bytes of the codes of a group of a panel.
const CODES: usize = QUADS * QUAD;

pub(crate) fn run<C: Codes>(task: Groups<'_, C>) {
    // SAFETY: a device has `Simd::Amx` only where these features were detected.
    unsafe { compiled(task) }
}

/// Whole blocks of rows in tiles, the others as without them: all kernels give the same sums.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn compiled<C: Codes>(mut task: Groups<'_, C>) {
    let blocks = task.product.rows / ROWS;
    if blocks == 0 {
        return task.walk::<Vnni>(0);
    }
    let device = task.x.device();
    let bytes = task.x.groups() * (CODES + LINE) + 2 * TILE;
    let mut scratch = device.pool.take(bytes.div_ceil(4));
    // SAFETY: the level says that the instructions are there.
    let tiles = unsafe { Tiles::new(GROUP as u8) };
    for at in task.block.range.clone() {
        let panel = Panel::new::<C>(task.panel(at), task.x.groups(), scratch.bytes_mut());
        for block in 0..blocks {
            let sums = panel.multiply(&tiles, &task, block);
            for (row, sums) in sums.iter().enumerate() {
                task.put(block * ROWS + row, at, sums);
            }
        }
    }
    drop(tiles);
    device.pool.give(scratch);
    task.walk::<Vnni>(blocks * ROWS);
}

/// A panel with signed codes, a byte each, and scales in 32 bits.
struct Panel<'a> {
    codes: &'a [u8],
    scales: &'a [u8],
    /// Room for two tiles.
    tiles: *mut u8,
}

impl<'a> Panel<'a> {
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,f16c")]
    fn new<C: Codes>(panel: &[u8], groups: usize, scratch: &'a mut [u8]) -> Self {
        let (codes, rest) = scratch.split_at_mut(groups * CODES);
        let (scales, rest) = rest.split_at_mut(groups * LINE);
        for (group, (codes, scales)) in codes.chunks_exact_mut(CODES).zip(scales.chunks_exact_mut(LINE)).enumerate() {
            let (block, half) = (&panel[group / 2 * C::BYTES..][..C::BYTES], group % 2);
            // SAFETY: reads and writes lie in the slices they are taken from.
            unsafe {
                let place = block[half * 2 * PANEL..][..2 * PANEL].as_ptr();
                _mm512_storeu_ps(scales.as_mut_ptr().cast(), _mm512_cvtph_ps(_mm256_loadu_si256(place.cast())));
                for (quad, out) in codes.chunks_exact_mut(QUAD).enumerate() {
                    let bytes = _mm512_loadu_si512(block[C::quad(half, quad)..][..QUAD].as_ptr().cast());
                    let signed = match (C::BITS, half) {
                        (4, 0) => _mm512_sub_epi8(_mm512_and_si512(bytes, _mm512_set1_epi8(15)), _mm512_set1_epi8(8)),
                        (4, _) => {
                            let high = _mm512_and_si512(_mm512_srli_epi16::<4>(bytes), _mm512_set1_epi8(15));
                            _mm512_sub_epi8(high, _mm512_set1_epi8(8))
                        }
                        _ => _mm512_xor_si512(bytes, _mm512_set1_epi8(-128)),
                    };
                    _mm512_storeu_si512(out.as_mut_ptr().cast(), signed);
                }
            }
        }
        Self { codes, scales, tiles: rest[..2 * TILE].as_mut_ptr() }
    }

    /// A block of sixteen rows. The tile of a group is stored while the one before is scaled and added.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,fma")]
    fn multiply<C: Codes>(&self, tiles: &Tiles, task: &Groups<'_, C>, block: usize) -> [[f32; PANEL]; ROWS] {
        let x = task.x.row(block * ROWS);
        let (groups, _) = x.groups();
        let (stride, count) = (x.codes.len(), task.x.groups());
        let mut sums = [[0.0; PANEL]; ROWS];
        // SAFETY: the block has sixteen rows of `count` groups, and so has the panel; there is room for two tiles.
        unsafe {
            let (codes, second) = (x.codes.as_ptr(), self.tiles.add(TILE));
            let mut lanes = [_mm512_setzero_ps(); ROWS];
            self.group::<0, 4, 6>(tiles, codes, stride, 0, self.tiles);
            for group in (0..count).step_by(2) {
                self.group::<1, 5, 7>(tiles, codes, stride, group + 1, second);
                self.add(groups, group, self.tiles, &mut lanes);
                if group + 2 < count {
                    self.group::<0, 4, 6>(tiles, codes, stride, group + 2, self.tiles);
                }
                self.add(groups, group + 1, second, &mut lanes);
            }
            for (sums, lanes) in sums.iter_mut().zip(lanes) {
                _mm512_storeu_ps(sums.as_mut_ptr(), lanes);
            }
        }
        sums
    }

    /// The products of a group, stored as integers.
    ///
    /// # Safety
    /// Sixteen rows of inputs and the panel have the group; a tile fits at `to`.
    #[inline(always)]
    unsafe fn group<const SUMS: usize, const X: usize, const W: usize>(
        &self,
        tiles: &Tiles,
        codes: *const u8,
        stride: usize,
        group: usize,
        to: *mut u8,
    ) {
        // SAFETY: by the contract.
        unsafe {
            tiles.zero::<SUMS>();
            tiles.load::<X>(codes.add(group * GROUP), stride);
            tiles.load::<W>(self.codes.as_ptr().add(group * CODES), QUAD);
            tiles.multiply_bytes::<SUMS, X, W>();
            tiles.store::<SUMS>(to, LINE);
        }
    }

    /// Adds the scaled products of a group.
    ///
    /// # Safety
    /// As for [`group`](Self::group), whose result is at `from`; the CPU has AVX-512.
    #[inline(always)]
    unsafe fn add(&self, groups: *const Group, group: usize, from: *const u8, sums: &mut [__m512; ROWS]) {
        // SAFETY: by the contract; blocks of sixteen rows have their groups side by side.
        unsafe {
            let w = _mm512_loadu_ps(self.scales.as_ptr().add(group * LINE).cast());
            for (row, sum) in sums.iter_mut().enumerate() {
                let scale = (&raw const (*groups.add(group * ROWS + row)).scale).read_unaligned();
                let whole = _mm512_cvtepi32_ps(_mm512_loadu_si512(from.add(row * LINE).cast()));
                *sum = _mm512_fmadd_ps(whole, _mm512_mul_ps(w, _mm512_set1_ps(scale)), *sum);
            }
        }
    }
}
