//! Two products of one input, of which the one gates the other before either leaves the cache.

use crate::device::Device;
use crate::matmul::Product;
use crate::threads::Columns;

use super::blocks::Outputs;
use super::{PANEL, Packed, blocks, share_out};

/// `y = gate(x Wgᵀ + bg, x Wuᵀ + bu)`: every task gates what it multiplied. `gate(gates, values)` leaves its results in the place of
/// the gates.
pub(crate) fn multiply_gated(
    device: &Device,
    all: [(&Packed, Product<'_>); 2],
    gate: &(dyn Fn(&mut [f32], &[f32]) + Sync),
    y: &mut [f32],
) {
    let [(gates, product), (ups, up_product)] = &all;
    let bytes = [gates, ups].map(|packed| packed.format.panel_bytes(packed.d_in)).iter().sum();
    let blocks = blocks(device, &all, product, bytes);
    share_out(device, &all, &[blocks], &mut [y], |x, _, block, mut out| {
        let width = block.panels() * PANEL;
        let mut buffer = device.pool.lend(product.rows * width);
        let columns = Columns::new(buffer.floats_mut(), 1, width);
        let mut values = Outputs::of_block(&columns, product.d_out, &block);
        ups.task(device, up_product, x, block.clone(), values.again());
        gates.task(device, product, x, block.clone(), out.again());
        for row in 0..product.rows {
            for stream in 0..block.streams {
                gate(out.panels(row, block.stream(stream)), values.panels(row, block.stream(stream)));
            }
        }
    });
}
