//! Diagnostics as text (the look of rustc) and as JSON.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::{Diagnostic, Label, SourceMap};

/// One diagnostic as text, without a trailing newline; `color` adds terminal colours.
pub fn render(diagnostic: &Diagnostic, sources: &SourceMap, color: bool) -> String {
    let title = Level::ERROR.primary_title(diagnostic.message.as_str()).id(diagnostic.code);
    let mut group = Group::with_title(title);
    let mut labels: Vec<(bool, &Label)> = diagnostic.primary.iter().map(|l| (true, l)).collect();
    labels.extend(diagnostic.secondary.iter().map(|l| (false, l)));

    let mut files = Vec::new();
    for (_, label) in &labels {
        if !files.contains(&label.span.file) {
            files.push(label.span.file);
        }
    }
    for id in files {
        let file = sources.file(id);
        let mut snippet = Snippet::source(&*file.text).path(file.name.as_str()).fold(true);
        for (primary, label) in labels.iter().filter(|(_, l)| l.span.file == id) {
            let kind = if *primary { AnnotationKind::Primary } else { AnnotationKind::Context };
            let annotation = kind.span(clamp(&file.text, label));
            snippet = snippet.annotation(if label.text.is_empty() {
                annotation
            } else {
                annotation.label(label.text.as_str())
            });
        }
        group = group.element(snippet);
    }
    for note in &diagnostic.notes {
        group = group.element(Level::NOTE.message(note.as_str()));
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    renderer.render(&[group]).trim_end().to_string()
}

/// All diagnostics as text, one blank line between two.
pub fn render_all(diagnostics: &[Diagnostic], sources: &SourceMap, color: bool) -> String {
    let parts: Vec<String> = diagnostics.iter().map(|d| render(d, sources, color)).collect();
    parts.join("\n\n")
}

/// One diagnostic as JSON: `schema`, `code`, `message`, `labels` (file, byte range, line, column, text, primary), `notes`, `help`.
pub fn to_json(diagnostic: &Diagnostic, sources: &SourceMap) -> serde_json::Value {
    let label = |l: &Label, primary: bool| {
        let (line, column) = sources.line_column(l.span);
        serde_json::json!({
            "file": sources.file(l.span.file).name,
            "start": l.span.start, "end": l.span.end,
            "line": line, "column": column,
            "text": l.text, "primary": primary,
        })
    };
    let mut labels: Vec<_> = diagnostic.primary.iter().map(|l| label(l, true)).collect();
    labels.extend(diagnostic.secondary.iter().map(|l| label(l, false)));
    serde_json::json!({
        "schema": 1,
        "level": "error",
        "code": diagnostic.code,
        "message": diagnostic.message,
        "labels": labels,
        "notes": diagnostic.notes,
        "help": diagnostic.help,
    })
}

/// A label's range, moved onto character boundaries of `text`.
fn clamp(text: &str, label: &Label) -> std::ops::Range<usize> {
    let mut start = (label.span.start as usize).min(text.len());
    let mut end = (label.span.end as usize).clamp(start, text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    while !text.is_char_boundary(end) {
        end += 1;
    }
    start..end
}
