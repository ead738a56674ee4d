//! Rounded products number by number.

use half::bf16;

use super::{LINE, Product, SIDE, STEP, TILE};

/// Writes a row of some tiles.
pub(super) fn set_row(numbers: &[f32], row: usize, tiles: &mut [u8]) {
    for (numbers, tile) in numbers.chunks(STEP).zip(tiles.chunks_exact_mut(TILE)) {
        let line = tile[row * LINE..][..LINE].as_chunks_mut::<2>().0;
        for (at, place) in line.iter_mut().enumerate() {
            *place = rounded(numbers, at);
        }
    }
}

/// Writes a tile: two inputs of sixteen columns, and the next two.
pub(super) fn set_columns(inputs: &[&[f32]; STEP], first: usize, tile: &mut [u8]) {
    for (at, place) in tile.as_chunks_mut::<2>().0.iter_mut().enumerate() {
        let (pair, column) = (at / STEP, at % STEP / 2);
        *place = rounded(inputs[2 * pair + at % 2], first + column);
    }
}

/// A number, or zero where there is none.
fn rounded(numbers: &[f32], at: usize) -> [u8; 2] {
    bf16::from_f32(numbers.get(at).copied().unwrap_or(0.0)).to_le_bytes()
}

pub(super) fn multiply(product: &Product<'_>, out: &mut [f32], stride: usize) {
    let columns = product.of_columns.start * SIDE..product.last_column();
    for (row, out) in product.of_rows.clone().zip(out.chunks_mut(stride)) {
        let x = product.rows.0.tiles(row / SIDE);
        for column in columns.clone() {
            let w = product.columns.0.tiles(column / SIDE);
            let inputs = product.of_inputs.start * STEP..product.of_inputs.end * STEP;
            let products = inputs.map(|input| {
                let (tile, input) = (input / STEP * TILE, input % STEP);
                let x = number(x, tile + row % SIDE * LINE + 2 * input);
                x * number(w, tile + input / 2 * LINE + column % SIDE * 4 + input % 2 * 2)
            });
            out[column] = products.sum();
        }
    }
}

fn number(tiles: &[u8], at: usize) -> f32 {
    bf16::from_le_bytes([tiles[at], tiles[at + 1]]).to_f32()
}
