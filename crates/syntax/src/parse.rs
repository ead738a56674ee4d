//! `.fw` text to a tree. Errors are collected; a tree always comes back.

use formwork_diag::{Diagnostic, Diagnostics, FileId, Span};
use pest::Parser as _;
use pest::iterators::Pair;

use crate::ast::{Expr, Family, File, Item, Name};
use crate::build::Builder;
use crate::depth::check_runs;
use crate::split::{Piece, split};

#[derive(pest_derive::Parser)]
#[grammar = "grammar.pest"]
pub(crate) struct Grammar;

/// Largest file that is read.
pub const MAX_FILE_BYTES: usize = 1 << 20;
/// Most operators in one expression: later stages recurse over it.
const MAX_OPERATORS: usize = 256;

/// Parses a whole file.
pub fn parse_file(file: FileId, text: &str) -> (File, Diagnostics) {
    let mut out = File::default();
    let mut errors = Diagnostics::new();
    if text.len() > MAX_FILE_BYTES {
        errors.push(Diagnostic::plain(
            "too-large",
            format!("a spec may have {MAX_FILE_BYTES} bytes, this one has {}", text.len()),
        ));
        return (out, errors);
    }
    let pieces = match split(text, file, 0, text.len()) {
        Ok(pieces) => pieces,
        Err(error) => return (out, vec![error]),
    };
    for piece in pieces {
        let source = &text[piece.start..piece.end];
        let head = head_word(source);
        if matches!(head, Some("family" | "part")) {
            if let Some(family) = parse_family(file, text, piece, &mut errors, &mut out.broken) {
                out.items.push(if head == Some("part") { Item::Part(family) } else { Item::Family(family) });
            }
            continue;
        }
        let builder = Builder { file, offset: piece.start };
        match run(Rule::one_item, file, source, piece.start).and_then(|pair| builder.shared(inner(pair))) {
            Ok(item) => out.items.push(Item::Shared(item)),
            Err(error) => {
                out.broken.extend(declared(source));
                errors.push(error);
            }
        }
    }
    (out, errors)
}

/// Parses one expression, e.g. a string that stands for a number in TOML. `offset` is where it begins in the file.
///
/// # Errors
/// Returns the syntax error with its place.
pub fn parse_expr(file: FileId, text: &str, offset: usize) -> Result<Expr, Diagnostic> {
    if text.len() > 4096 {
        return Err(Diagnostic::new(
            "too-long",
            Span::new(file, offset, offset + 1),
            "an expression may have 4096 bytes",
        ));
    }
    split(text, file, text.len(), text.len())?;
    let depth = text.bytes().filter(|b| b"([{".contains(b)).count();
    if depth > 64 {
        return Err(Diagnostic::new("too-deep", Span::new(file, offset, offset + 1), "brackets nest deeper than 64"));
    }
    let pair = run(Rule::one_expr, file, text, offset)?;
    Builder { file, offset }.expr(inner(pair))
}

/// The word that an item begins with, after its comments.
fn head_word(source: &str) -> Option<&str> {
    let line = source.lines().map(str::trim).find(|l| !l.starts_with("//") && !l.is_empty())?;
    line.split_whitespace().next()
}

/// The first character that is neither space nor in a comment, and where it stands.
fn first_beyond_comments(text: &str) -> Option<(usize, char)> {
    let mut at = 0;
    loop {
        at += text[at..].len() - text[at..].trim_start().len();
        if !text[at..].starts_with("//") {
            return text[at..].chars().next().map(|c| (at, c));
        }
        at += text[at..].find('\n').unwrap_or(text.len() - at);
    }
}

/// The name that a declaration gives: the second word of `block attend(..)`.
fn declared(source: &str) -> Option<String> {
    let code = source.lines().map(str::trim).find(|line| !line.starts_with("//") && !line.is_empty())?;
    let name = code.split_whitespace().nth(1)?;
    let end = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
    (end > 0).then(|| name[..end].to_string())
}

fn parse_family(
    file: FileId,
    text: &str,
    piece: Piece,
    errors: &mut Diagnostics,
    broken: &mut Vec<String>,
) -> Option<Family> {
    let (Some(open), Some(close)) = (piece.open, piece.close) else {
        errors.push(Diagnostic::new("syntax", Span::new(file, piece.start, piece.end), "this needs a body `{ .. }`"));
        return None;
    };
    if let Some((at, c)) = first_beyond_comments(&text[close + 1..piece.end]) {
        let at = close + 1 + at;
        let stray = Span::new(file, at, at + c.len_utf8());
        errors.push(Diagnostic::new("syntax", stray, "this belongs to no item: the family ends before it"));
    }
    let head = match run(Rule::one_head, file, &text[piece.start..open], piece.start) {
        Ok(head) => inner(head),
        Err(error) => {
            errors.push(error);
            return None;
        }
    };
    let (doc, name) = Builder { file, offset: piece.start }.head(head);
    let mut family = Family::new(doc, name);
    match split(text, file, open + 1, close) {
        Err(error) => errors.push(error),
        Ok(members) => {
            for member in members {
                let source = &text[member.start..member.end];
                let parsed = run(Rule::one_member, file, source, member.start);
                let builder = Builder { file, offset: member.start };
                if let Err(error) = parsed.and_then(|pair| builder.member(inner(pair), &mut family)) {
                    broken.extend(declared(source));
                    errors.push(error);
                }
            }
        }
    }
    Some(family)
}

impl Family {
    fn new(doc: String, name: Name) -> Self {
        Self {
            doc,
            name,
            includes: Vec::new(),
            params: Vec::new(),
            lets: Vec::new(),
            requires: Vec::new(),
            models: Vec::new(),
            shared: Vec::new(),
            hf: Vec::new(),
            weights: Vec::new(),
            gguf: Vec::new(),
        }
    }
}

/// The only child of a `one_*` rule that is not the end of input.
fn inner(pair: Pair<'_, Rule>) -> Pair<'_, Rule> {
    let outer = pair.clone();
    pair.into_inner().next().unwrap_or(outer)
}

fn run<'t>(rule: Rule, file: FileId, text: &'t str, offset: usize) -> Result<Pair<'t, Rule>, Diagnostic> {
    check_runs(text, 0, text.len()).map_err(|at| too_deep(at, file, offset))?;
    let mut pairs = Grammar::parse(rule, text).map_err(|error| syntax_error(rule, text, &error, file, offset))?;
    let pair = pairs.next().ok_or_else(|| Diagnostic::plain("syntax", "nothing to parse"))?;
    check_operators(&pair, file, offset)?;
    Ok(pair)
}

fn check_operators(pair: &Pair<'_, Rule>, file: FileId, offset: usize) -> Result<(), Diagnostic> {
    let mut stack = vec![pair.clone()];
    while let Some(pair) = stack.pop() {
        let children = pair.clone().into_inner();
        if matches!(pair.as_rule(), Rule::expr | Rule::plain_expr | Rule::postfix) && children.len() > MAX_OPERATORS {
            let span = pair.as_span();
            let place = Span::new(file, offset + span.start(), offset + span.start() + 1);
            return Err(Diagnostic::new(
                "too-long",
                place,
                format!("an expression may have {MAX_OPERATORS} operators"),
            ));
        }
        stack.extend(children);
    }
    Ok(())
}

fn too_deep(at: usize, file: FileId, offset: usize) -> Diagnostic {
    Diagnostic::new(
        "too-deep",
        Span::new(file, offset + at, offset + at + 1),
        "this nests too deeply without a bracket",
    )
}

/// Parses again with every attempt recorded: the furthest place, and what could have stood there.
fn syntax_error(rule: Rule, text: &str, error: &pest::error::Error<Rule>, file: FileId, offset: usize) -> Diagnostic {
    pest::set_error_detail(true);
    let again = Grammar::parse(rule, text).err();
    pest::set_error_detail(false);
    let place = |error: &pest::error::Error<Rule>| match error.location {
        pest::error::InputLocation::Pos(at) | pest::error::InputLocation::Span((at, _)) => at,
    };
    let (mut at, mut expected) = (place(error), Vec::new());
    if let pest::error::ErrorVariant::ParsingError { positives, .. } = &error.variant {
        expected.extend(positives.iter().filter_map(|r| describe(*r)).map(String::from));
    }
    if let Some(attempts) = again.as_ref().and_then(|e| e.parse_attempts()) {
        let tokens = attempts.expected_tokens();
        let tokens = tokens.iter().map(ToString::to_string).filter(|t| !t.trim().is_empty() && t != "//" && t != "///");
        if attempts.max_position > at {
            at = attempts.max_position;
            expected.clear();
        }
        if expected.is_empty() {
            expected.extend(tokens.filter(|t| t.len() <= 12).map(|t| format!("`{t}`")));
        }
    }
    expected.sort_unstable();
    expected.dedup();
    let message = match expected.len() {
        0 => "this does not parse".to_string(),
        1..=5 => format!("expected {}", expected.join(" or ")),
        _ => "expected an expression or a statement".to_string(),
    };
    let width = text[at..].chars().next().map_or(0, char::len_utf8);
    Diagnostic::new("syntax", Span::new(file, offset + at, offset + at + width), message)
}

/// The human name of a rule in "expected ..".
fn describe(rule: Rule) -> Option<&'static str> {
    Some(match rule {
        Rule::name => "a name",
        Rule::string => "a string",
        Rule::expr | Rule::operand | Rule::postfix | Rule::primary => "an expression",
        Rule::operator => "an operator",
        Rule::body => "a body `{ .. }`",
        Rule::ty | Rule::name_type => "a type",
        Rule::scope => "a path `@ \"name\"`",
        Rule::parameters | Rule::arguments => "`( .. )`",
        Rule::EOI => "the end of the item",
        Rule::key => "a key",
        Rule::statement | Rule::bind => "a statement",
        Rule::because_word => "`because \"reason\"`",
        Rule::pattern => "a pattern",
        Rule::field_decl => "a field",
        Rule::range => "a range `a..b`",
        _ => return None,
    })
}
