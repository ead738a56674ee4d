//! Rows as codes, for kernels that multiply them as they are.

use std::ops::Range;

use formwork_tensor::pairs::Panel;
use formwork_tensor::widen;

use super::layout::PANEL;
use super::widen::Coded;
use crate::room::GROUP;

const _: () = assert!(GROUP == formwork_tensor::pairs::GROUP && PANEL == formwork_tensor::pairs::LANES);

/// The rows of one sequence and head in pairs or panels, by slot: a slot stands in the row that is its remainder.
#[derive(Clone, Copy)]
pub(crate) struct Codes<'a> {
    pub(super) coded: Coded<'a>,
    pub(super) count: usize,
}

impl<'a> Codes<'a> {
    /// The panel of the slot `first`, a multiple of sixteen.
    pub(crate) fn panel(self, first: usize) -> Panel<'a> {
        let (row, Coded { width, .. }) = (first % self.count, self.coded);
        let [codes, scales] = [width, width.div_ceil(GROUP)];
        Panel {
            codes: &self.coded.codes[row * codes..][..PANEL * codes],
            scales: &self.coded.scales[row * scales..][..PANEL * scales],
        }
    }

    /// The pairs of slots from `first` to `last`, both even and at most as many as there are rows, where they stand:
    /// `[slots / 2, width, 2]` in one piece, and in another where the rows begin anew.
    pub(crate) fn pairs(self, first: usize, last: usize) -> [&'a [i8]; 2] {
        let (row, slots, Coded { width, codes, .. }) = (first % self.count, last - first, self.coded);
        let piece = slots.min(self.count - row);
        [&codes[row * width..][..piece * width], &codes[..(slots - piece) * width]]
    }

    /// Writes the scales of some slots of the block from `first` on to `out`, `[groups, BLOCK]`, in kernels of `N` lanes. Those of other
    /// slots are zeros from one multiple of sixteen to the next: what stands there may be anything.
    #[inline(always)]
    pub(crate) fn scales<const BLOCK: usize, const N: usize>(
        self,
        first: usize,
        slots: &Range<usize>,
        out: &mut [f32],
    ) {
        for slot in (slots.start / PANEL * PANEL..slots.end).step_by(PANEL) {
            let scales = self.panel(slot).scales.as_chunks::<PANEL>().0;
            for (scales, out) in scales.iter().zip(out.as_chunks_mut::<BLOCK>().0) {
                let out = &mut out[slot - first..][..PANEL];
                widen::halves::<N>(scales, out);
                out[..slots.start.saturating_sub(slot)].fill(0.0);
                out[PANEL.min(slots.end - slot)..].fill(0.0);
            }
        }
    }
}
