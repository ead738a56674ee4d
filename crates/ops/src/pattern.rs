//! Sparse patterns of attention: which keys a query sees, as ranges, so that nothing else is ever looked at.

use std::ops::Range;

/// A sparse pattern; positions count from the sequence's first token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// The last `stride` keys, and every key whose distance is a multiple of `stride`.
    Strided {
        /// The distance of the columns, and the width of the local part.
        stride: usize,
        /// Whether keys after the query stay unseen.
        causal: bool,
    },
    /// Whole blocks of keys: those around the query's own, the first ones, and a few that a seed picks.
    Blocks {
        /// Keys in a block.
        size: usize,
        /// Blocks seen before the query's own (and as many after it where that is allowed).
        local: usize,
        /// Leading blocks that every query sees; where the future may be seen, their queries see everything.
        global: usize,
        /// Further blocks that each block of queries sees.
        random: usize,
        /// Picks them.
        seed: usize,
        /// Whether keys after the query stay unseen.
        causal: bool,
    },
    /// Whole blocks of keys: those next to the query's own, the first and the last one, whose queries see everything. The first one
    /// stands in for each block that chance would pick. Sequences of up to `5 + 2 stand_ins` blocks are seen whole.
    Bordered {
        /// Keys in a block.
        size: usize,
        /// How many times more than once the first block is seen.
        stand_ins: usize,
    },
}

impl Pattern {
    /// Calls `see` with the ranges of keys that query `i` of a sequence of `len` tokens sees, in order; disjoint but for stand-ins, which
    /// come first.
    pub fn for_each(self, i: usize, len: usize, see: &mut dyn FnMut(Range<usize>)) {
        match self {
            Self::Strided { stride, causal } => {
                let first = (i + 1).saturating_sub(stride);
                let end = if causal { i + 1 } else { (i + stride).min(len) };
                (i % stride..first).step_by(stride).for_each(|j| see(j..j + 1));
                see(first..end);
                if !causal {
                    (i + stride..len).step_by(stride).for_each(|j| see(j..j + 1));
                }
            }
            Self::Blocks { size, causal, .. } => {
                let end = if causal { i + 1 } else { len };
                let last = (end - 1) / size;
                let mut open: Option<Range<usize>> = None;
                for block in (0..=last).filter(|b| self.sees_block(i / size, *b, last)) {
                    let keys = block * size..((block + 1) * size).min(end);
                    open = Some(match open.take() {
                        Some(before) if before.end == keys.start => before.start..keys.end,
                        before => {
                            before.into_iter().for_each(&mut *see);
                            keys
                        }
                    });
                }
                open.into_iter().for_each(see);
            }
            Self::Bordered { size, stand_ins } => {
                let (own, last) = (i / size, (len - 1) / size);
                let short = stand_ins.saturating_mul(2).saturating_add(5).saturating_mul(size);
                if len <= short || own == 0 || own == last {
                    return see(0..len);
                }
                (0..stand_ins).for_each(|_| see(0..size));
                let (from, to) = ((own - 1) * size, ((own + 2) * size).min(len));
                if from > 0 {
                    see(0..size);
                }
                see(from..to);
                if own + 1 < last {
                    see(last * size..len);
                }
            }
        }
    }

    /// The number of keys that query `i` sees.
    pub fn count(self, i: usize, len: usize) -> usize {
        let mut count = 0;
        self.for_each(i, len, &mut |keys| count += keys.len());
        count
    }

    fn sees_block(self, own: usize, block: usize, last: usize) -> bool {
        let Self::Blocks { global, random, causal, .. } = self else { return false };
        if self.is_fixed(own, block) || (!causal && own < global) {
            return true;
        }
        // Of the blocks that would stay unseen, those with the smallest numbers.
        let mine = (self.number(own, block), block);
        let before = (0..=last).filter(|b| !self.is_fixed(own, *b) && (self.number(own, *b), *b) < mine);
        before.take(random).count() < random
    }

    /// Whether a block is seen by its place alone.
    fn is_fixed(self, own: usize, block: usize) -> bool {
        let Self::Blocks { local, global, .. } = self else { return false };
        block < global || own.abs_diff(block) <= local
    }

    /// SplitMix64 (Steele et al. 2014) of the seed and a pair of blocks.
    fn number(self, own: usize, block: usize) -> u64 {
        let Self::Blocks { seed, .. } = self else { return 0 };
        let pair = ((own as u64) << 32) | block as u64;
        let mut x = (seed as u64 ^ pair).wrapping_add(0x9e37_79b9_7f4a_7c15);
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    fn seen(pattern: Pattern, i: usize, len: usize) -> Vec<usize> {
        let mut keys = Vec::new();
        pattern.for_each(i, len, &mut |range| keys.extend(range));
        assert_eq!(keys.len(), pattern.count(i, len));
        assert!(keys.is_sorted_by(|a, b| a < b), "{pattern:?} {i}: {keys:?}");
        keys
    }

    #[test]
    fn strided_sees_its_neighbours_and_its_column() {
        let pattern = Pattern::Strided { stride: 4, causal: true };
        assert_eq!(seen(pattern, 9, 20), [1, 5, 6, 7, 8, 9]);
        let both = Pattern::Strided { stride: 4, causal: false };
        assert_eq!(seen(both, 9, 20), [1, 5, 6, 7, 8, 9, 10, 11, 12, 13, 17]);
        for i in 0..20 {
            let expected: Vec<usize> = (0..=i).filter(|j| i - j < 4 || (i - j) % 4 == 0).collect();
            assert_eq!(seen(pattern, i, 20), expected);
            let expected: Vec<usize> = (0..20).filter(|j| i.abs_diff(*j) < 4 || i.abs_diff(*j) % 4 == 0).collect();
            assert_eq!(seen(both, i, 20), expected);
        }
    }

    #[test]
    fn borders_and_stand_ins_are_seen_from_everywhere() {
        let pattern = Pattern::Bordered { size: 2, stand_ins: 1 };
        let seen = |i, len| {
            let mut keys = Vec::new();
            pattern.for_each(i, len, &mut |range| keys.extend(range));
            assert_eq!(keys.len(), pattern.count(i, len));
            keys
        };
        assert_eq!(seen(5, 14), (0..14).collect::<Vec<_>>(), "a short text is seen whole");
        assert_eq!(seen(1, 17), (0..17).collect::<Vec<_>>(), "the first block sees everything");
        assert_eq!(seen(16, 17), (0..17).collect::<Vec<_>>(), "so does the last one");
        assert_eq!(seen(2, 17), [0, 1, 0, 1, 2, 3, 4, 5, 16]);
        assert_eq!(seen(9, 17), [0, 1, 0, 1, 6, 7, 8, 9, 10, 11, 16]);
        assert_eq!(seen(14, 17), [0, 1, 0, 1, 12, 13, 14, 15, 16]);
    }

    #[test]
    fn blocks_see_neighbours_globals_and_as_many_random_ones_as_there_are() {
        for causal in [true, false] {
            let pattern = Pattern::Blocks { size: 3, local: 1, global: 1, random: 2, seed: 7, causal };
            for i in 0..40 {
                let keys = seen(pattern, i, 40);
                let (own, last) = (i / 3, if causal { i / 3 } else { 13 });
                let blocks: Vec<usize> = (0..=last).filter(|b| keys.contains(&(b * 3))).collect();
                let fixed = (0..=last).filter(|b| *b < 1 || own.abs_diff(*b) <= 1).count();
                let expected = if !causal && own == 0 { 14 } else { (fixed + 2).min(last + 1) };
                assert_eq!(blocks.len(), expected, "{causal} {i}");
                assert!(!causal || keys.last() == Some(&i));
            }
        }
    }
}
