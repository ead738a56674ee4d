//! The instructions of AMX: products of tiles in registers of their own.
//!
//! A tile has sixteen rows of 64 bytes: sums are sixteen outputs in 32 bits, inputs 32 of them in bf16, weights two inputs of
//! each of sixteen outputs. The compiler uses none of the registers, so they keep what they hold between two calls.
#![allow(unsafe_code, reason = "instructions that the compiler has no names for")]

use std::arch::asm;
use std::arch::x86_64::__cpuid_count;
use std::sync::OnceLock;

/// Bytes of a whole tile.
pub(crate) const TILE: usize = 1024;
/// Bytes of its rows.
pub(crate) const LINE: usize = 64;

/// Whether the CPU has the instructions for bf16, and the system lets this process use them.
pub(crate) fn is_supported() -> bool {
    static SUPPORTED: OnceLock<bool> = OnceLock::new();
    *SUPPORTED.get_or_init(|| {
        const FEATURES: u32 = 1 << 22 | 1 << 24; // amx-bf16, amx-tile
        __cpuid_count(7, 0).edx & FEATURES == FEATURES && is_permitted()
    })
}

/// Asks Linux for the registers: it keeps no room for them unasked.
#[cfg(target_os = "linux")]
fn is_permitted() -> bool {
    const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
    const XFEATURE_XTILEDATA: libc::c_long = 18;
    // SAFETY: the call changes what this process may use and nothing else.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0 }
}

#[cfg(not(target_os = "linux"))]
fn is_permitted() -> bool {
    false
}

/// The registers of this thread, laid out until dropped.
pub(crate) struct Tiles(());

#[repr(C, align(64))]
struct Layout([u8; 64]);

impl Tiles {
    /// # Safety
    /// [`is_supported`].
    pub(crate) unsafe fn new() -> Self {
        let mut layout = Layout([0; 64]);
        layout.0[0] = 1;
        for register in 0..8 {
            layout.0[16 + 2 * register] = LINE as u8;
            layout.0[48 + register] = (TILE / LINE) as u8;
        }
        // SAFETY: the layout is valid, and the instructions are there by the contract.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const layout.0) };
        Self(())
    }

    #[inline(always)]
    fn zero<const T: usize>(&self) {
        // SAFETY: `self` says that the registers are laid out.
        unsafe { asm!("tilezero tmm{t}", t = const T, options(nostack, preserves_flags)) };
    }

    /// Zeros in registers 0 to 3, the sums of [`multiply_pairs`](Self::multiply_pairs).
    #[inline(always)]
    pub(crate) fn zero_pairs(&self) {
        self.zero::<0>();
        self.zero::<1>();
        self.zero::<2>();
        self.zero::<3>();
    }

    /// Adds the products of two tiles of inputs, in registers 4 and 5, with two of weights: those with register 6 in 0 and 1, those
    /// with 7 in 2 and 3.
    #[inline(always)]
    pub(crate) fn multiply_pairs(&self) {
        self.multiply::<0, 4, 6>();
        self.multiply::<1, 5, 6>();
        self.multiply::<2, 4, 7>();
        self.multiply::<3, 5, 7>();
    }

    /// Loads a tile whose rows lie one after the other.
    ///
    /// # Safety
    /// The rows are there to be read.
    #[inline(always)]
    pub(crate) unsafe fn load<const T: usize>(&self, from: *const u8) {
        // SAFETY: by the contract.
        unsafe {
            asm!("tileloadd tmm{t}, [{from} + {stride}]", t = const T, from = in(reg) from, stride = in(reg) LINE, options(nostack, preserves_flags, readonly));
        }
    }

    /// Stores a tile, so many bytes from one row to the next.
    ///
    /// # Safety
    /// The rows are there to be written.
    #[inline(always)]
    pub(crate) unsafe fn store<const T: usize>(&self, to: *mut u8, stride: usize) {
        // SAFETY: by the contract.
        unsafe {
            asm!("tilestored [{to} + {stride}], tmm{t}", t = const T, to = in(reg) to, stride = in(reg) stride, options(nostack, preserves_flags));
        }
    }

    /// Adds products of bf16 in f32.
    #[inline(always)]
    fn multiply<const SUMS: usize, const X: usize, const W: usize>(&self) {
        // SAFETY: `self` says that the registers are laid out.
        unsafe {
            asm!("tdpbf16ps tmm{s}, tmm{x}, tmm{w}", s = const SUMS, x = const X, w = const W, options(nostack, preserves_flags));
        }
    }
}

impl Drop for Tiles {
    fn drop(&mut self) {
        // SAFETY: `self` says that the instructions are there.
        unsafe { asm!("tilerelease", options(nostack, preserves_flags)) };
    }
}
