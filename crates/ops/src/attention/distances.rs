//! Which row of a table stands for a distance.

/// Which row of a table stands for a distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Distances {
    /// Distances from here on are alike.
    pub max_distance: usize,
    /// Rows for either direction; every distance has its own where 0.
    pub buckets: usize,
}

impl Distances {
    /// The rows of keys as seen from queries of texts up to this length: number `j - i + longest - 1` is that of query `i` and key `j`.
    /// They fall.
    pub(crate) fn rows(self, longest: usize) -> Vec<u32> {
        let row = |at: usize| self.row((longest - 1).saturating_sub(at), at.saturating_sub(longest - 1)) as u32;
        (0..2 * longest - 1).map(row).collect()
    }

    /// The row of query `i` and key `j`, of twice as many as there are in a direction.
    fn row(self, i: usize, j: usize) -> usize {
        let (half, distance) = match self.buckets {
            0 => (self.max_distance, i.abs_diff(j)),
            buckets => (buckets, self.bucket(i.abs_diff(j))),
        };
        if i < j { half.saturating_sub(distance) } else { (half + distance).min(2 * half - 1) }
    }

    /// Near distances by themselves, far ones by their logarithm, in single precision as the published code has it.
    fn bucket(self, distance: usize) -> usize {
        let middle = self.buckets / 2;
        if distance <= middle {
            return distance;
        }
        let span = ((self.max_distance - 1) as f64 / middle as f64) as f32;
        let share = (distance as f32 / middle as f32).ln() / span.ln();
        (share * (middle - 1) as f32).ceil() as usize + middle
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the published formula with 256 buckets and distances up to 512.
    #[test]
    fn near_distances_are_exact_and_far_ones_logarithmic() {
        let distances = Distances { max_distance: 512, buckets: 256 };
        let known = [(0, 0), (1, 1), (128, 128), (129, 129), (130, 130), (200, 169), (300, 207), (511, 255), (600, 270)];
        for (distance, bucket) in known {
            let bucket: usize = bucket;
            assert_eq!(distances.row(distance, 0), (256 + bucket).min(511), "{distance} behind");
            assert_eq!(distances.row(0, distance), 256_usize.saturating_sub(bucket), "{distance} ahead");
        }
        let plain = Distances { max_distance: 4, buckets: 0 };
        assert_eq!([0, 3, 4, 9].map(|i| plain.row(i, 0)), [4, 7, 7, 7]);
        assert_eq!([3, 4, 9].map(|j| plain.row(0, j)), [1, 0, 0]);
    }

    #[test]
    fn rows_fall_from_the_last_query_to_the_last_key() {
        assert_eq!(Distances { max_distance: 2, buckets: 0 }.rows(4), [3, 3, 3, 2, 1, 0, 0]);
        for distances in [Distances { max_distance: 90, buckets: 16 }, Distances { max_distance: 11, buckets: 4 }] {
            let rows = distances.rows(200);
            assert!(rows.is_sorted_by(|a, b| a >= b), "{rows:?}");
            for (i, j) in [(0, 199), (199, 0), (17, 20), (80, 11)] {
                assert_eq!(rows[j + 199 - i] as usize, distances.row(i, j));
            }
        }
    }
}
