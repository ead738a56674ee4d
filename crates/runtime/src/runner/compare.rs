//! Comparison of outputs with their references, and its table.

/// The comparison of one output.
pub(super) struct Line {
    pub(super) name: String,
    pub(super) difference: f32,
    pub(super) limit: f32,
    pub(super) ok: bool,
}

/// The largest difference against `tolerance · max(1, largest reference)`, over the rows whose
/// mask is true. A NaN on either side fails.
pub(super) fn compare(
    name: &str,
    output: &[f32],
    reference: &[f32],
    mask: Option<&[bool]>,
    width: usize,
    tolerance: f32,
) -> Line {
    let (mut difference, mut largest) = (0.0_f32, 1.0_f32);
    let mut nan = false;
    for (at, (x, y)) in output.iter().zip(reference).enumerate() {
        if mask.is_some_and(|mask| !mask[at / width]) {
            continue;
        }
        nan |= x.is_nan() || y.is_nan();
        difference = difference.max(if x == y { 0.0 } else { (x - y).abs() });
        largest = largest.max(y.abs());
    }
    let limit = tolerance * largest;
    let difference = if nan { f32::NAN } else { difference };
    Line { name: name.to_string(), difference, limit, ok: difference <= limit }
}

/// The table of all lines.
pub(super) fn table(lines: &[Line]) -> String {
    let width = lines.iter().map(|line| line.name.len()).max().unwrap_or(0).max(4);
    let mut text = format!("{:width$}  {:>9}  {:>9}  ok", "name", "max|d|", "limit");
    for line in lines {
        let ok = if line.ok { "yes" } else { "NO" };
        let Line { name, difference, limit, .. } = line;
        text += &format!("\n{name:width$}  {difference:>9.2e}  {limit:>9.2e}  {ok}");
    }
    text
}

/// The first failing output in the order of computation: hidden states by layer, then the rest.
pub(super) fn first_divergence(lines: &[Line]) -> &str {
    let place = |line: &&Line| match line.name.rsplit_once('.') {
        Some((kind, layer)) if kind.ends_with("hidden_states") => {
            let layer = layer.parse().unwrap_or(usize::MAX);
            (kind.matches('.').count(), kind.starts_with("decoder"), layer)
        }
        _ => (usize::MAX, true, 0),
    };
    let failed = lines.iter().filter(|line| !line.ok);
    failed.min_by_key(place).map_or("none", |line| &line.name)
}

#[cfg(test)]
mod tests {
    use super::{Line, compare, first_divergence};

    #[test]
    fn nan_fails_and_masked_rows_do_not_count() {
        let ok = |x: &[f32], y: &[f32], mask| compare("x", x, y, mask, 2, 1e-4).ok;
        assert!(ok(&[1.0, 2.0], &[1.0, 2.0001], None));
        assert!(!ok(&[1.0, 2.0], &[1.0, 2.1], None));
        assert!(!ok(&[f32::NAN, 2.0], &[1.0, 2.0], None) && !ok(&[1.0, 2.0], &[f32::NAN, 2.0], None));
        assert!(ok(&[9.0, 9.0, 1.0, 2.0], &[0.0, 0.0, 1.0, 2.0], Some(&[false, true])));
    }

    #[test]
    fn layers_diverge_before_outputs() {
        let line = |name: &str, ok| Line { name: name.to_string(), difference: 0.0, limit: 0.0, ok };
        let lines = [
            line("logits", false),
            line("hidden_states.10", false),
            line("hidden_states.2", false),
            line("hidden_states.1", true),
        ];
        assert_eq!(first_divergence(&lines), "hidden_states.2");
    }
}
