//! Texts of the command line, of files and of standard input.

use std::path::Path;

use formwork_text::Input;

use crate::problem::Problem;
use crate::text_args::Texts;

/// What standard input is called.
pub(crate) const STANDARD_INPUT: &str = "standard input";

/// The texts that were given; without any, those of standard input.
pub(crate) fn of(options: &Texts) -> Result<Vec<Input>, Problem> {
    if !options.text.is_empty() {
        return Ok(options.text.iter().map(|text| Input::from(text.as_str())).collect());
    }
    let path = options.file.as_deref().unwrap_or(Path::new("-"));
    let objects = path.extension().is_some_and(|extension| extension == "jsonl");
    Ok(Input::all(&text(path)?, objects, path)?)
}

/// The text in a file; `-` is standard input.
pub(crate) fn text(path: &Path) -> Result<String, Problem> {
    let (bytes, name) = match path == Path::new("-") {
        true => (standard_input(), Path::new(STANDARD_INPUT)),
        false => (std::fs::read(path), path),
    };
    utf8(bytes, name)
}

/// Bytes that were read as text.
pub(crate) fn utf8(bytes: std::io::Result<Vec<u8>>, name: &Path) -> Result<String, Problem> {
    let bytes = bytes.map_err(|e| Problem::io(name, &e))?;
    String::from_utf8(bytes).map_err(|_| Problem::wrong("bad-text", format!("`{}` is not UTF-8 text", name.display())))
}

fn standard_input() -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut bytes)?;
    Ok(bytes)
}
