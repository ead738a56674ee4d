//! Bounds what nests without a bracket, before the parser recurses over it: signs, lambda heads, list types, `else if`.

/// Most signs, lambda heads or `<` in a row.
const MAX_RUN: usize = 8;
/// Most `else` of one item.
const MAX_ELSES: usize = 64;

/// Checks `start..end` of a text, which holds one item; the error is the place that goes too far.
pub(crate) fn check_runs(text: &str, start: usize, end: usize) -> Result<(), usize> {
    let bytes = text.as_bytes();
    let (mut signs, mut bars, mut angles, mut elses) = (0usize, 0usize, 0usize, 0usize);
    let mut last = b' ';
    let mut at = start;
    while at < end {
        let byte = bytes[at];
        let next = match byte {
            b'/' if bytes.get(at + 1) == Some(&b'/') => line_end(bytes, at, end),
            b'"' => string_end(bytes, at, end),
            _ => at + 1,
        };
        if byte.is_ascii_whitespace() || next > at + 1 && byte == b'/' {
            at = next;
            continue;
        }
        signs = if matches!(byte, b'-' | b'!') { signs + 1 } else { 0 };
        angles = match byte {
            b'<' => angles + 1,
            _ if is_name(byte) => angles,
            _ => 0,
        };
        bars = match byte {
            b'|' if last == b'|' => bars + 1,
            b'|' | b',' => bars,
            _ if is_name(byte) => bars,
            _ => 0,
        };
        if byte == b'e' && !is_name(bytes[at.saturating_sub(1)]) && bytes[at..end].starts_with(b"else") {
            elses += 1;
        }
        if signs > MAX_RUN || bars > MAX_RUN || angles > MAX_RUN || elses > MAX_ELSES {
            return Err(at);
        }
        last = byte;
        at = next;
    }
    Ok(())
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn line_end(bytes: &[u8], at: usize, end: usize) -> usize {
    bytes[at..end].iter().position(|b| *b == b'\n').map_or(end, |n| at + n)
}

fn string_end(bytes: &[u8], at: usize, end: usize) -> usize {
    let mut i = at + 1;
    while i < end && bytes[i] != b'"' && bytes[i] != b'\n' {
        i += if bytes[i] == b'\\' { 2 } else { 1 };
    }
    (i + 1).min(end)
}
