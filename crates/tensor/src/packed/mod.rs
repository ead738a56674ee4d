//! Weight matrices in panels of sixteen outputs, in memory of their own.
//!
//! A panel holds its sixteen outputs side by side for each input (or group of inputs), so that one load gives a vector of
//! weights and no product needs a sum across lanes. Every output is one sum over the inputs in order, whatever the number of
//! threads and, but for products of many rows in tiles, of rows.

mod blocks;
#[cfg(target_arch = "x86_64")]
mod dots;
mod encode;
mod float;
mod format;
mod gated;
mod group;
mod grouped;
#[cfg(target_arch = "x86_64")]
mod lanes;
mod memory;
#[cfg(target_arch = "x86_64")]
pub(crate) mod parts;
mod quantise;
mod strips;
#[cfg(target_arch = "x86_64")]
mod tiled;
#[cfg(target_arch = "x86_64")]
pub(crate) mod tiles;
#[cfg(target_arch = "x86_64")]
pub(crate) mod unpack;
#[cfg(target_arch = "x86_64")]
pub(crate) mod vectors;
mod zeros;

use half::{bf16, f16};

use crate::coded::Coded;
use crate::device::{Device, Precision};
use crate::lanes::Element;
use crate::matmul::Product;
use crate::normed::Rows;
use crate::param::{DType, Param, Values, view};
use crate::simd::{Level, Simd};
use blocks::{Block, Blocks, FEW, Outputs};
use float::FloatPanels;
pub use format::Format;
use format::by_format;
pub(crate) use gated::multiply_gated;
use group::{Eight, Four, FourZero, Six};
use grouped::Groups;
pub(crate) use memory::Memory;
#[cfg(target_arch = "x86_64")]
use parts::Parts;
use quantise::Quantised;
use strips::Strips;
#[cfg(target_arch = "x86_64")]
use tiled::Tiled;
#[cfg(target_arch = "x86_64")]
use unpack::{Floats, Rounded};

/// Outputs of a panel.
pub(crate) const PANEL: usize = 16;
/// Inputs that share a scale.
pub const GROUP: usize = 32;

/// A packed matrix `[d_out, d_in]`.
pub(crate) struct Packed {
    format: Format,
    d_in: usize,
    memory: Memory,
}

impl Packed {
    /// Packs a matrix on up to so many threads: `row(output, out)` writes the inputs of an output.
    pub(crate) fn new(
        format: Format,
        [d_in, d_out]: [usize; 2],
        threads: usize,
        row: impl Fn(usize, &mut [f32]) + Sync,
    ) -> Self {
        let bytes = format.panel_bytes(d_in);
        let simd = Simd::supported()[0];
        let mut memory = Memory::new(d_out.div_ceil(PANEL) * bytes);
        memory.fill(threads, bytes, |panel, out| {
            let mut rows = vec![0.0; PANEL * d_in];
            for (at, row_out) in rows.chunks_exact_mut(d_in.max(1)).enumerate() {
                if panel * PANEL + at < d_out {
                    row(panel * PANEL + at, row_out);
                }
            }
            by_format!(format, C => encode::pack::<C>(simd, &rows, d_in, out), dtype => match dtype {
                DType::F32 => float::pack(&rows, d_in, out, |x| x.to_le_bytes()),
                DType::Bf16 => float::pack(&rows, d_in, out, |x| bf16::from_f32(x).to_le_bytes()),
                DType::F16 => float::pack(&rows, d_in, out, |x| f16::from_f32(x).to_le_bytes()),
            });
        });
        Self { format, d_in, memory }
    }

    /// Packs rows `[d_out, d_in]` of codes; those whose codes the format has too keep them.
    pub(crate) fn from_coded(coded: &Coded, format: Format, threads: usize) -> Self {
        let &[d_out, d_in] = coded.shape() else { panic!("a matrix has two axes, not {:?}", coded.shape()) };
        let has_codes = match format {
            Format::Q8 => matches!(coded.format(), Some(Format::Q4 | Format::Q6 | Format::Q8)),
            Format::Q6 => matches!(coded.format(), Some(Format::Q4 | Format::Q6)),
            Format::Q4 | Format::Q4Zero => coded.format() == Some(format),
            Format::Float(_) => false,
        };
        if !has_codes {
            return Self::new(format, [d_in, d_out], threads, |row, out| coded.row(row, out));
        }
        let bytes = format.panel_bytes(d_in);
        let mut memory = Memory::new(d_out.div_ceil(PANEL) * bytes);
        memory.fill(threads, bytes, |panel, out| {
            let group = |output: usize, group: usize, codes: &mut [i8; GROUP]| match panel * PANEL + output {
                row if row < d_out => coded.group(row, group, codes),
                _ => 0,
            };
            by_format!(format, C => group::fill::<C>(out, d_in, group), _ => unreachable!("floats are no codes"));
        });
        Self { format, d_in, memory }
    }

    /// How the numbers are stored.
    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Writes the numbers of an output as they are multiplied, `[d_in]`.
    pub(crate) fn row(&self, row: usize, out: &mut [f32]) {
        let (panel, output) = (self.panel(row), row % PANEL);
        for (input, x) in out.iter_mut().enumerate() {
            *x = by_format!(self.format, C => group::at::<C>(panel, output, input), dtype => {
                float::at(panel, dtype, input * PANEL + output)
            });
        }
    }

    /// The codes of a group of an output, and their grid.
    pub(crate) fn group(&self, row: usize, group: usize, codes: &mut [i8; GROUP]) -> u16 {
        let (panel, output) = (self.panel(row), row % PANEL);
        by_format!(self.format, C => group::codes::<C>(panel, output, group, codes), _ => panic!("floats are no codes"))
    }

    fn panel(&self, row: usize) -> &[u8] {
        let bytes = self.format.panel_bytes(self.d_in);
        &self.memory.bytes()[row / PANEL * bytes..][..bytes]
    }

    /// Whether products lay so many rows out for their kernels, so that none reads them as they are.
    pub(crate) fn lays_out(&self, device: &Device, rows: usize) -> bool {
        self.format.is_coded() || in_tiles(device, rows, [self.format]) || rows > 1
    }

    /// Whether the system was asked for large pages.
    pub(crate) fn asks_large_pages(&self) -> bool {
        self.memory.asks_large_pages()
    }

    /// Bytes that the matrix takes.
    pub(crate) fn size(&self) -> usize {
        self.memory.bytes().len()
    }

    /// One task of a product.
    fn task(&self, device: &Device, product: &Product<'_>, x: &Prepared<'_>, block: Block, out: Outputs<'_>) {
        let (simd, bytes) = (device.simd(), self.memory.bytes());
        let (codes, strips) = match x {
            Prepared::Vectors { codes, strips } => (codes.as_ref(), strips.as_ref()),
            #[cfg(target_arch = "x86_64")]
            Prepared::Tiles(x) => return self.tiles(product, x, block, out),
        };
        let coded = || codes.expect("the input is prepared for matrices of codes");
        by_format!(self.format, C => Groups::<C>::new(product, bytes, coded(), block, out).run(simd), dtype => match dtype {
            DType::F32 => simd.run(FloatPanels { product, strips, panels: view::<f32>(bytes), block, out }),
            DType::Bf16 => simd.run(FloatPanels { product, strips, panels: view::<bf16>(bytes), block, out }),
            DType::F16 => simd.run(FloatPanels { product, strips, panels: view::<f16>(bytes), block, out }),
        });
    }

    /// The same in tiles.
    #[cfg(target_arch = "x86_64")]
    fn tiles(&self, product: &Product<'_>, x: &Parts<'_>, block: Block, out: Outputs<'_>) {
        let (panels, panel_bytes) = (self.memory.bytes(), self.format.panel_bytes(self.d_in));
        let task = Tiled { product, panels, panel_bytes, x, block, out };
        let is_rounded = x.count() == 1;
        by_format!(self.format, C => task.run::<unpack::Coded<C>>(), dtype => match dtype {
            DType::F32 if is_rounded => task.run::<Rounded<f32>>(),
            DType::F16 if is_rounded => task.run::<Rounded<f16>>(),
            DType::F32 => task.run::<Floats<f32>>(),
            DType::Bf16 => task.run::<Floats<bf16>>(),
            DType::F16 => task.run::<Floats<f16>>(),
        });
    }
}

/// Rows from which on tiles are faster than vectors of floats or codes.
const LEAST_ROWS: usize = 16;

/// Whether products of so many rows with matrices of these formats are made in tiles.
fn in_tiles(device: &Device, rows: usize, formats: impl IntoIterator<Item = Format>) -> bool {
    let is_faster = match device.simd().level() {
        Level::Amx => true,
        Level::Avx512Bf16 => {
            device.precision() == Precision::Bf16 && formats.into_iter().any(|format| !format.is_coded())
        }
        _ => false,
    };
    is_faster && rows >= LEAST_ROWS
}

/// The input of products, as their kernels read it.
enum Prepared<'a> {
    /// In 8 bits where there are matrices of codes, and in strips where there are several rows by floats.
    Vectors { codes: Option<Quantised<'a>>, strips: Option<Strips<'a>> },
    /// In tiles of bf16.
    #[cfg(target_arch = "x86_64")]
    Tiles(Parts<'a>),
}

impl<'a> Prepared<'a> {
    fn new(device: &'a Device, all: &[(&Packed, Product<'_>)]) -> Self {
        let Some((_, first)) = all.first() else { return Self::Vectors { codes: None, strips: None } };
        let Product { x, norm, rows, d_in: width, .. } = *first;
        let x = Rows { x, width, norm };
        #[cfg(target_arch = "x86_64")]
        if in_tiles(device, rows, all.iter().map(|(packed, _)| packed.format)) {
            let exact = all.iter().map(|(packed, _)| unpack::inputs(packed.format)).max().unwrap_or(1);
            let parts = if device.precision() == Precision::Full { exact } else { 1 };
            return Self::Tiles(Parts::new(device, x, rows, parts));
        }
        let of_codes = |(packed, _): &(&Packed, Product<'_>)| packed.format.is_coded();
        Self::Vectors {
            codes: all.iter().any(of_codes).then(|| Quantised::new(device, x, rows)),
            strips: (rows > 1 && !all.iter().all(of_codes)).then(|| Strips::new(device, x, rows)),
        }
    }
}

/// The products of one input with several matrices, shared out as `blocks` say: the threads meet once. `task(input, product, block,
/// outputs)` is one task. Each thread prepares few rows for itself, which is sooner done than handed over; more are prepared once.
fn share_out(
    device: &Device,
    all: &[(&Packed, Product<'_>)],
    blocks: &[Blocks],
    outputs: &mut [&mut [f32]],
    task: impl Fn(&Prepared<'_>, usize, Block, Outputs<'_>) + Sync,
) {
    let make = || Prepared::new(device, all);
    if all.iter().all(|(_, product)| product.rows <= FEW) {
        return Blocks::run(blocks, device, outputs, make, task);
    }
    let x = make();
    Blocks::run(blocks, device, outputs, || (), |(), at, block, out| task(&x, at, block, out));
}

/// How one of these products is shared out, whose panels have so many bytes.
fn blocks(device: &Device, all: &[(&Packed, Product<'_>)], product: &Product<'_>, panel_bytes: usize) -> Blocks {
    match in_tiles(device, product.rows, all.iter().map(|(packed, _)| packed.format)) {
        #[cfg(target_arch = "x86_64")]
        true => Blocks::of_panels(product, tiled::MOST_PANELS, device.threads().count()),
        _ => Blocks::new(product, panel_bytes, device),
    }
}

/// The products of one input with several matrices.
pub(crate) fn multiply_all(device: &Device, all: &[(&Packed, Product<'_>)], outputs: &mut [&mut [f32]]) {
    let each = all.iter().map(|(it, product)| blocks(device, all, product, it.format.panel_bytes(it.d_in)));
    share_out(device, all, &each.collect::<Vec<_>>(), outputs, |x, at, block, out| {
        let (packed, product) = &all[at];
        packed.task(device, product, x, block, out);
    });
}

/// Packs a stored matrix `[d_out, d_in]` on up to so many threads; `transposed` ones are stored `[d_in, d_out]`.
pub(crate) fn pack(param: &Param, transposed: bool, sizes: [usize; 2], format: Format, threads: usize) -> Packed {
    fn rows<E: Element>(w: &[E], transposed: bool, sizes: [usize; 2], format: Format, threads: usize) -> Packed {
        let [d_in, d_out] = sizes;
        Packed::new(format, sizes, threads, |row, out| {
            let place = |k: usize| if transposed { k * d_out + row } else { row * d_in + k };
            out.iter_mut().enumerate().for_each(|(k, x)| *x = w[place(k)].widen());
        })
    }
    match param.values() {
        Values::F32(w) => rows(w, transposed, sizes, format, threads),
        Values::Bf16(w) => rows(w, transposed, sizes, format, threads),
        Values::F16(w) => rows(w, transposed, sizes, format, threads),
    }
}
