//! The layout of `.fw` text: every shipped file is stable under it, and no white space changes what a file means.

use std::path::{Path, PathBuf};

use formwork_diag::FileId;
use formwork_syntax::{format_source, parse_file};

const FILE: FileId = FileId(0);

fn format(text: &str) -> String {
    format_source(FILE, text).unwrap_or_else(|e| panic!("{}\n{text}", e.message))
}

/// The tree as text without its spans.
fn tree(text: &str) -> String {
    let (tree, errors) = parse_file(FILE, text);
    assert!(errors.is_empty(), "{errors:?}\n{text}");
    let printed = format!("{tree:?}");
    let mut out = String::new();
    let mut rest = printed.as_str();
    while let Some((before, after)) = rest.split_once("Span {") {
        out.push_str(before);
        rest = after.split_once('}').map_or("", |(_, tail)| tail);
    }
    out + rest
}

fn shipped() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../specs");
    let mut folders = vec![root];
    let mut out = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "fw") {
                let text = std::fs::read_to_string(&path).unwrap();
                out.push((path, text));
            }
        }
    }
    assert!(!out.is_empty());
    out
}

#[test]
fn shipped_files_are_formatted() {
    let mut stale = Vec::new();
    for (path, text) in shipped() {
        let formatted = format(&text);
        assert_eq!(tree(&text), tree(&formatted), "{}", path.display());
        assert_eq!(format(&formatted), formatted, "{}", path.display());
        if formatted != text {
            if std::env::var_os("UPDATE").is_some() {
                std::fs::write(&path, formatted).unwrap();
            }
            stale.push(path);
        }
    }
    assert!(stale.is_empty(), "not formatted: {stale:?}; UPDATE=1 rewrites them");
}

/// Numbers from a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// Whether two tokens stay two without a space between them.
fn touches(before: &str, after: Option<&char>) -> bool {
    let is_symbol = |c: Option<char>| c.is_some_and(|c| "{}()[],:=<>@+-*|?".contains(c));
    is_symbol(before.chars().last()) != is_symbol(after.copied())
}

/// Drops, stretches, tabs and breaks white space that is there already; strings and comments stay as they are.
fn disturbed(text: &str, random: &mut Random) -> String {
    let mut out = String::new();
    let (mut in_string, mut in_comment) = (false, false);
    let mut chars = text.chars().peekable();
    let mut line_start = true;
    while let Some(c) = chars.next() {
        match c {
            '\n' => {
                in_comment = false;
                out.push_str(["\n", "  \n", "\n\n\n", "\r\n"][random.below(4) as usize]);
                line_start = true;
                continue;
            }
            _ if in_comment => {}
            '\\' if in_string => {
                out.push(c);
                out.extend(chars.next());
                continue;
            }
            '"' => in_string = !in_string,
            '/' if !in_string && chars.peek() == Some(&'/') => in_comment = true,
            ' ' if !in_string && !line_start && random.below(4) == 0 && touches(&out, chars.peek()) => continue,
            ' ' if !in_string => {
                let wide = if line_start { 4 } else { 5 };
                out.push_str(["", " ", "   ", "\t", "\n  "][1 + random.below(wide - 1) as usize]);
                continue;
            }
            ',' | ')' | ']' if !in_string && random.below(3) == 0 => out.push(' '),
            _ => {}
        }
        line_start = false;
        out.push(c);
        if !in_string && !in_comment && "([,".contains(c) && random.below(3) == 0 {
            out.push_str("  ");
        }
    }
    out
}

#[test]
fn white_space_changes_no_meaning() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    for (path, text) in shipped() {
        let expected = tree(&text);
        let mut tried = 0;
        for _ in 0..20 {
            let other = disturbed(&text, &mut random);
            // A break before a head word or a unary minus may change what is said; such a file is another file.
            let (_, errors) = parse_file(FILE, &other);
            if !errors.is_empty() || tree(&other) != expected {
                continue;
            }
            tried += 1;
            let formatted = format(&other);
            assert_eq!(tree(&formatted), expected, "{}:\n{other}\n---\n{formatted}", path.display());
            assert_eq!(format(&formatted), formatted, "{}", path.display());
        }
        assert!(tried > 2, "{}: {tried}", path.display());
    }
}

#[test]
fn spaces_follow_roles() {
    let untidy = "// about\nfamily   f{\n\n param a:int?=null // why\nparam l : list<int?>= each( 3,|i|-i )\n\n\n\nlet b=-a*!c ?? { x :1 }\n    model m (t:ids [B,S])->[B,S,a]{\nx=f( t )@\"a.{i}\"|>g\n|> h(1,\n2)\nmatch a{ p|q=>x ,_=>|y|y }\n\n}\n}\nfn g(x)=x <1||x>=2\n";
    let tidy = "// about\nfamily f {\n    param a: int? = null // why\n    param l: list<int?> = each(3, |i| -i)\n\n    let b = -a * !c ?? { x: 1 }\n    model m(t: ids[B, S]) -> [B, S, a] {\n        x = f(t) @ \"a.{i}\" |> g\n            |> h(1,\n                2)\n        match a { p | q => x, _ => |y| y }\n    }\n}\n\nfn g(x) = x < 1 || x >= 2\n";
    assert_eq!(format(untidy), tidy);
    assert_eq!(format(tidy), tidy);
}

#[test]
fn a_tuple_on_its_own_line_is_no_call() {
    let text = "block f(x) {\n    y = x\n    (y, x)\n}\n";
    assert_eq!(format(text), text);
    let spaced = "block f(x) {\n    y = x (y, x)\n}\n";
    assert_eq!(tree(&format(spaced)), tree(spaced));
}

#[test]
fn errors_are_returned() {
    assert!(format_source(FILE, "family f { param }").is_err());
    assert!(format_source(FILE, "+ +\nfn f(x) = x\n").is_err());
}
