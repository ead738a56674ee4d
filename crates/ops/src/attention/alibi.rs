//! Attention with linear biases: scores fall with the distance, at a slope of its own for each head.

/// The slope of a head: `2^(-8 (h + 1) / n)` for the `n` heads of a power of two, then every other slope of `2n` heads
/// (Press et al. 2021, arXiv:2108.12409, section 3).
pub(crate) fn slope(head: usize, heads: usize) -> f32 {
    let whole = 1_usize << heads.max(1).ilog2();
    let power = |step: usize, of: usize| (-8.0 * step as f64 / of as f64).exp2() as f32;
    match head < whole {
        true => power(head + 1, whole),
        false => power(2 * (head - whole) + 1, 2 * whole),
    }
}

/// The bias of one query of one head.
#[derive(Clone, Copy)]
pub(crate) struct Linear {
    pub(crate) slope: f32,
    /// The query's slot.
    pub(crate) query: usize,
}

impl Linear {
    /// Subtracts `slope · |i - j|` from the scores of the keys from slot `first` on.
    #[inline(always)]
    pub(crate) fn add(self, scores: &mut [f32], first: usize) {
        for (at, score) in scores.iter_mut().enumerate() {
            *score -= self.slope * self.query.abs_diff(first + at) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::slope;

    #[test]
    fn slopes_of_the_paper() {
        assert_eq!([0, 1, 7].map(|h| slope(h, 8)), [0.5, 0.25, 1.0 / 256.0]);
        assert_eq!(slope(15, 16), 1.0 / 256.0);
        // Twelve heads: the eight of eight heads, then the 1st, 3rd, 5th and 7th of sixteen.
        assert_eq!((slope(7, 12), slope(8, 12), slope(11, 12)), (slope(7, 8), slope(0, 16), slope(6, 16)));
        assert_eq!((slope(0, 1), slope(2, 3)), (1.0 / 256.0, slope(0, 4)));
    }
}
