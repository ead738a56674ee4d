//! Numbers and columns for people.

use formwork_diag::thousands;

use crate::exact;

/// `+1,024` or `-1,024`.
pub(crate) fn signed(difference: i128) -> String {
    let sign = if difference < 0 { '-' } else { '+' };
    format!("{sign}{}", thousands(difference.unsigned_abs()))
}

/// `13.48 GB`, in powers of ten.
pub(crate) fn bytes(count: u128) -> String {
    scaled(exact::real(count), &["B", "kB", "MB", "GB", "TB", "PB", "EB"])
}

/// A value with three or four digits and a unit of a thousand's power.
fn scaled(mut value: f64, units: &[&str]) -> String {
    let mut units = units.iter().peekable();
    while let Some(unit) = units.next() {
        if value < 1000.0 || units.peek().is_none() {
            let digits = if *unit == "B" { 0 } else { 2 };
            return format!("{value:.digits$} {unit}");
        }
        value /= 1000.0;
    }
    String::new()
}

/// `12.3 ms`.
pub(crate) fn seconds(value: f64) -> String {
    match value {
        v if v < 1e-3 => format!("{:.1} µs", v * 1e6),
        v if v < 1.0 => format!("{:.1} ms", v * 1e3),
        v => format!("{v:.2} s"),
    }
}

/// The share of a part.
pub(crate) fn percent(part: u128, whole: u128) -> String {
    if whole == 0 {
        return String::new();
    }
    format!("{:.2}%", 100.0 * exact::real(part) / exact::real(whole))
}

/// The width of a text in columns.
pub(crate) fn width(text: &str) -> usize {
    text.chars().count()
}

/// A text in a column, aligned left and cut if it must be.
pub(crate) fn left(text: &str, columns: usize) -> String {
    let kept: String = if width(text) <= columns {
        text.to_string()
    } else {
        text.chars().take(columns.saturating_sub(1)).chain(['…']).collect()
    };
    let gap = columns.saturating_sub(width(&kept));
    format!("{kept}{}", " ".repeat(gap))
}

/// A text in a column, aligned right.
pub(crate) fn right(text: &str, columns: usize) -> String {
    format!("{}{text}", " ".repeat(columns.saturating_sub(width(text))))
}

/// A sum broken before its plus signs, continuation lines indented.
pub(crate) fn wrapped(formula: &str, columns: usize, indent: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for (at, term) in formula.split(" + ").enumerate() {
        let piece = if at == 0 { term.to_string() } else { format!(" + {term}") };
        if !line.is_empty() && indent + width(&line) + width(&piece) > columns {
            lines.push(std::mem::take(&mut line));
            line.push_str(piece.trim_start());
        } else {
            line.push_str(&piece);
        }
    }
    lines.push(line);
    lines.join(&format!("\n{}", " ".repeat(indent)))
}
