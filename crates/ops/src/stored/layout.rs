//! Where the numbers of a row stand in memory.

use crate::room::GROUP;

/// Rows of a panel of [`Layout::Panels`].
pub(crate) const PANEL: usize = 16;

/// How rows stand in memory. What is said of floats holds for the widened numbers of any format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// One after the other.
    Rows,
    /// The same, but codes stand in pairs of rows: number 0 of both, number 1 of both. Kernels multiply two rows in a lane.
    Pairs,
    /// Sixteen side by side: first number 0 of each, then number 1 of each. Kernels find sixteen rows in one vector. Of codes those of
    /// two numbers are neighbours: 0 and 1 of each, 2 and 3 of each, and the last of an odd width alone.
    Panels,
}

impl Layout {
    /// Rows that stand in one piece: scales of pairs stand as those of panels do.
    pub(super) fn together(self) -> usize {
        match self {
            Self::Rows => 1,
            Self::Pairs | Self::Panels => PANEL,
        }
    }

    /// Where the first float of a row of `width` stands, and how far apart its floats are.
    pub(super) fn floats(self, row: usize, width: usize) -> (usize, usize) {
        match self {
            Self::Rows | Self::Pairs => (row * width, 1),
            Self::Panels => in_panels(row, width),
        }
    }

    /// The same of the scales of a row of `width` codes.
    pub(super) fn scales(self, row: usize, width: usize) -> (usize, usize) {
        let groups = width.div_ceil(GROUP);
        match self {
            Self::Rows => (row * groups, 1),
            Self::Pairs | Self::Panels => in_panels(row, groups),
        }
    }

    /// Where the codes of a row of `width` stand.
    pub(super) fn codes(self, row: usize, width: usize) -> impl Iterator<Item = usize> {
        (0..width).map(move |at| match self {
            Self::Rows => row * width + at,
            Self::Pairs => (row / 2 * width + at) * 2 + row % 2,
            Self::Panels => {
                let (first, lane) = (row / PANEL * PANEL * width, row % PANEL);
                let (pair, one) = (at - at % 2, at % 2);
                first + pair * PANEL + if pair + 1 < width { 2 * lane + one } else { lane }
            }
        })
    }
}

fn in_panels(row: usize, width: usize) -> (usize, usize) {
    (row / PANEL * PANEL * width + row % PANEL, PANEL)
}
