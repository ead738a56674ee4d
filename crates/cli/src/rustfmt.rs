//! Generated files through rustfmt, one way for everybody: the folder that they go to has no say.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::problem::Problem;

/// Every Rust file of a crate, formatted.
pub(crate) fn crate_files(files: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, Problem> {
    let format = |(path, text): (String, String)| {
        let text = if path.ends_with(".rs") { rust(&path, &text)? } else { text };
        Ok((path, text))
    };
    files.into_iter().map(format).collect()
}

fn rust(path: &str, text: &str) -> Result<String, Problem> {
    let missing = |error: std::io::Error| {
        Problem::tool("rustfmt", format!("rustfmt cannot be run: {error}"))
            .help("install it with `rustup component add rustfmt`")
    };
    let mut child = Command::new("rustfmt")
        .args(["--edition", "2024", "--quiet", "--emit", "stdout", "--config", "use_field_init_shorthand=true"])
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(missing)?;
    if let Some(mut stdin) = child.stdin.take() {
        // rustfmt reads everything before it writes; if it ends early, its status says so.
        let _ = stdin.write_all(text.as_bytes());
    }
    let output = child.wait_with_output().map_err(missing)?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr).trim().to_string();
        return Err(Problem::bug(format!("rustfmt refuses the generated `{path}`")).note(why));
    }
    String::from_utf8(output.stdout).map_err(|_| Problem::bug(format!("the generated `{path}` is not UTF-8")))
}
