//! `quantize`: a checkpoint in a smaller format, with what lies beside it, and how far it is from the original.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::forward::{built, status_of};
use crate::args::{Global, Quantize};
use crate::problem::{Outcome, Problem};
use crate::program::feed;
use formwork_text::{Folder, Start};

/// What belongs to a checkpoint besides its weights.
const KINDS: [&str; 4] = ["json", "txt", "jinja", "model"];

pub(super) fn run(options: &Quantize, global: &Global) -> Outcome {
    let ids = ids(options)?;
    let executable = built(&options.spec, options.runtime.as_deref(), global)?;
    fs::create_dir_all(&options.output).map_err(|e| Problem::io(&options.output, &e))?;
    let file = options.output.join("model.safetensors");
    let mut child = std::process::Command::new(&executable);
    child.arg("quantize").arg("--weights").arg(&options.weights);
    child.arg("--dtype").arg(&options.dtype).arg("--output").arg(&file);
    if let Some(threads) = options.threads {
        child.arg("--threads").arg(threads.to_string());
    }
    if options.json {
        child.arg("--json");
    }
    let io = |error: std::io::Error| Problem::io(&executable, &error);
    let mut child = child.stdin(Stdio::piped()).spawn().map_err(io)?;
    feed(&mut child, &[ids]);
    let status = status_of(child.wait().map_err(io)?.code())?;
    if status == 0 {
        copy_beside(Folder::of(&options.weights).path(), &options.output)?;
    }
    Ok(status)
}

/// The ids to compare answers with; none stand for those that are built in.
fn ids(options: &Quantize) -> Result<Vec<u32>, Problem> {
    let Some(path) = &options.calibrate else { return Ok(Vec::new()) };
    let text = crate::texts::text(path)?;
    let folder = Folder::of(&options.weights);
    let tokenizer = folder.tokenizer()?;
    Ok(Start::of(&folder, &tokenizer)?.ids(&text, &tokenizer)?)
}

/// Copies configs, the tokenizer and the steps of a sentence encoder, so that the new folder is a checkpoint like the old one.
fn copy_beside(from: &Path, to: &Path) -> Result<(), Problem> {
    let files = |folder: &Path| -> Result<Vec<PathBuf>, Problem> {
        let entries = fs::read_dir(folder).and_then(|entries| entries.collect::<Result<Vec<_>, _>>());
        Ok(entries.map_err(|e| Problem::io(folder, &e))?.iter().map(fs::DirEntry::path).collect())
    };
    let mut wanted = Vec::new();
    for path in files(from)? {
        if path.is_file() && belongs(&path) {
            wanted.push(path);
        } else if path.is_dir() && path.join("config.json").is_file() && from.join("modules.json").is_file() {
            wanted.push(path.join("config.json"));
        }
    }
    for path in wanted {
        let Ok(inner) = path.strip_prefix(from) else { continue };
        let place = to.join(inner);
        if matches!((path.canonicalize(), place.canonicalize()), (Ok(a), Ok(b)) if a == b) {
            continue;
        }
        if let Some(folder) = place.parent() {
            fs::create_dir_all(folder).map_err(|e| Problem::io(folder, &e))?;
        }
        fs::copy(&path, &place).map_err(|e| Problem::io(&path, &e))?;
    }
    Ok(())
}

/// Whether a file goes with the weights: an index of shards does not, for there are none any more.
fn belongs(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let kind = path.extension().unwrap_or_default().to_string_lossy();
    KINDS.contains(&kind.as_ref()) && !name.ends_with(".index.json")
}
