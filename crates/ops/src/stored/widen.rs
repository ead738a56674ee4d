//! Codes to floats.

use formwork_tensor::lanes::Element;
use formwork_tensor::{f16, widen};

use super::layout::{Layout, PANEL};
use crate::room::GROUP;

/// Codes of rows in a layout, and their scales.
#[derive(Clone, Copy)]
pub(super) struct Coded<'a> {
    pub(super) codes: &'a [i8],
    pub(super) scales: &'a [f16],
    pub(super) width: usize,
    pub(super) layout: Layout,
}

impl Coded<'_> {
    /// Rows from `first` on, as many as `out` holds, as floats in the same layout, by kernels of `N` lanes; whole panels of them.
    #[inline(always)]
    pub(super) fn widen<const N: usize>(self, first: usize, out: &mut [f32]) {
        match self.layout {
            Layout::Rows => self.rows(first, out),
            Layout::Pairs => self.pairs(first, out),
            Layout::Panels => self.panels::<N>(first, out),
        }
    }

    #[inline(always)]
    fn rows(self, first: usize, out: &mut [f32]) {
        let groups = self.width.div_ceil(GROUP);
        let codes = self.codes[first * self.width..].chunks_exact(self.width);
        let rows = codes.zip(self.scales[first * groups..].chunks_exact(groups));
        for ((codes, scales), out) in rows.zip(out.chunks_exact_mut(self.width)) {
            for ((codes, scale), out) in codes.chunks(GROUP).zip(scales).zip(out.chunks_mut(GROUP)) {
                let scale = scale.widen();
                out.iter_mut().zip(codes).for_each(|(to, code)| *to = f32::from(*code) * scale);
            }
        }
    }

    #[inline(always)]
    fn pairs(self, first: usize, out: &mut [f32]) {
        for (row, out) in (first..).zip(out.chunks_exact_mut(self.width)) {
            let codes = &self.codes[row / 2 * 2 * self.width..][..2 * self.width];
            let (scale, step) = self.layout.scales(row, self.width);
            let scales = self.scales[scale..].iter().step_by(step);
            for ((codes, scale), out) in codes.chunks(2 * GROUP).zip(scales).zip(out.chunks_mut(GROUP)) {
                let scale = scale.widen();
                // The first code of a pair in the lower byte, the second above: the other is shifted out.
                let raise = if row % 2 == 0 { 8 } else { 0 };
                for (to, both) in out.iter_mut().zip(codes.as_chunks::<2>().0) {
                    *to = f32::from((i16::from_le_bytes(both.map(i8::cast_unsigned)) << raise) >> 8) * scale;
                }
            }
        }
    }

    #[inline(always)]
    fn panels<const N: usize>(self, first: usize, out: &mut [f32]) {
        let size = self.width * PANEL;
        let groups = self.width.div_ceil(GROUP);
        let codes = self.codes[first * self.width..].chunks_exact(size);
        let panels = codes.zip(self.scales[first * groups..].chunks_exact(groups * PANEL));
        for ((codes, scales), out) in panels.zip(out.chunks_exact_mut(size)) {
            let each =
                codes.chunks(GROUP * PANEL).zip(scales.as_chunks::<PANEL>().0).zip(out.chunks_mut(GROUP * PANEL));
            each.for_each(|((codes, scales), out)| widen::codes::<N>(codes, scales, out));
        }
    }
}
