//! "Did you mean": names close to a misspelt one.

/// Up to three candidates within edit distance 1 (names shorter than 4) or 2 (longer), or sharing a long prefix.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let limit = if name.chars().count() < 4 { 1 } else { 2 };
    let mut scored: Vec<(usize, &str)> = candidates
        .into_iter()
        .filter(|c| *c != name)
        .filter_map(|c| {
            let distance = distance(name, c);
            let contained = name.len() >= 4 && (c.contains(name) || (c.len() >= 4 && name.contains(c)));
            (distance <= limit || contained).then_some((distance, c))
        })
        .collect();
    scored.sort();
    scored.dedup();
    scored.into_iter().take(3).map(|(_, c)| c).collect()
}

/// The help line for a misspelt name, if something is near.
pub fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let found = nearest(name, candidates);
    if found.is_empty() {
        return None;
    }
    let quoted: Vec<String> = found.iter().map(|c| format!("`{c}`")).collect();
    Some(format!("did you mean {}?", quoted.join(" or ")))
}

/// Damerau-Levenshtein distance (adjacent transpositions count one).
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(64).collect();
    let b: Vec<char> = b.chars().take(64).collect();
    let mut rows = vec![vec![0usize; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let cost = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + cost);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_typos_and_swaps_only() {
        assert_eq!(nearest("rmsnorm", ["rms_norm", "layer_norm"]), ["rms_norm"]);
        assert_eq!(nearest("swilgu", ["swiglu", "geglu"]), ["swiglu"]);
        assert!(nearest("ab", ["xy"]).is_empty());
    }
}
