//! Standard output and standard error. A reader that has gone away ends the process quietly.

use std::any::Any;
use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::path::Path;

use crate::args::{Global, MessageFormat, When};
use crate::problem::Problem;

/// Writes text to standard output at once.
pub(crate) fn say(text: &str) -> Result<(), Problem> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => Err(Problem::io(Path::new("standard output"), &error)),
    }
}

/// A line for people on standard error; nobody waits for it, so it cannot fail.
pub(crate) fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Prints every finding: text, or one JSON object a line.
pub(crate) fn report(problem: &Problem, global: &Global) {
    let color = coloured(global.color);
    for (at, diagnostic) in problem.diagnostics.iter().enumerate() {
        match global.message_format {
            MessageFormat::Json => note(&formwork_diag::to_json(diagnostic, &problem.sources).to_string()),
            MessageFormat::Human => {
                let gap = if at > 0 { "\n" } else { "" };
                note(&format!("{gap}{}", formwork_diag::render(diagnostic, &problem.sources, color)));
            }
        }
    }
}

/// Asks for a report of a bug.
pub(crate) fn bug(panic: &(dyn Any + Send)) {
    let what = panic.downcast_ref::<&str>().copied();
    let what = what.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
    note(&format!(
        "error[internal]: formwork {} has a bug: {what}\nhelp: please report it with the command and the spec at {}/issues",
        env!("CARGO_PKG_VERSION"),
        env!("CARGO_PKG_REPOSITORY"),
    ));
}

fn coloured(when: When) -> bool {
    match when {
        When::Always => true,
        When::Never => false,
        When::Auto => std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()) && std::io::stderr().is_terminal(),
    }
}
