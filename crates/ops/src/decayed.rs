//! What ops share that keep a matrix for each head, which decays by one number a token: `M ← e^g·M + w·k·vᵀ`, `y = Mᵀ·q`.
//!
//! Chunks of tokens go through products of matrices. With `G_i` the sum of `g` up to a chunk's token `i` and `M` the matrix before it,
//! `y_i = e^(G_i)·Mᵀq_i + Σ_(j≤i) e^(G_i - G_j)·w_j·(q_i·k_j)·v_j`; after it `M ← e^G·M + Σ e^(G - G_j)·w_j·k_j·v_jᵀ`.

use crate::{Flops, Poly};

#[cfg(feature = "kernels")]
mod kernel;
#[cfg(feature = "kernels")]
mod product;
#[cfg(feature = "kernels")]
pub(crate) use kernel::{Heads, Source};
#[cfg(feature = "kernels")]
pub(crate) use product::add_product;

/// The work in chunks for `rows` tokens of heads, whose keys have `e` features and whose values `d`.
pub(crate) fn flops(rows: &Poly, e: &Poly, d: &Poly, chunk: usize) -> Flops {
    let times = |factor: i128, x: &Poly| &Poly::int(factor) * x;
    let c = chunk as i128;
    let matrix = e * d;
    // q·kᵀ and the mixed values as whole squares; the matrix read and written. The matrix decays once a chunk.
    let products = &times(2 * c, &(e + d)) + &times(4, &matrix);
    let once = Poly::int(matrix.constant().map_or(0, |m| (m + c - 1) / c));
    let around = &(&times(2, e) + d) + &(&once + &Poly::int(2 * c + 1));
    Flops { matmul: rows * &products, elementwise: rows * &around, special: times(c + 2, rows), ..Flops::none() }
}
