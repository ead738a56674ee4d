//! Numbers for people.

/// A count with its digits in groups of three: `8,030,261,248` for the separator `,`.
pub fn grouped(count: u128, separator: char) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(separator);
        }
        out.push(digit);
    }
    out
}

/// `8,030,261,248`
pub fn thousands(count: u128) -> String {
    grouped(count, ',')
}

#[cfg(test)]
mod tests {
    use super::thousands;

    #[test]
    fn groups_of_three() {
        assert_eq!([0, 999, 1000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
    }
}
