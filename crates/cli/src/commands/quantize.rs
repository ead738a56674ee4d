//! `quantize`: a checkpoint in a smaller format, with what lies beside it, and how far it is from the original.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::forward::{built, status_of};
use crate::args::{Global, Quantize};
use crate::problem::{Outcome, Problem};
use crate::program::{command, feed};
use crate::staged::Staged;
use formwork_text::{Folder, Start};

/// What belongs to a checkpoint besides its weights.
const KINDS: [&str; 4] = ["json", "txt", "jinja", "model"];

/// The file with the weights.
const WEIGHTS: &str = "model.safetensors";

pub(super) fn run(options: &Quantize, global: &Global) -> Outcome {
    let folder = Folder::of(&options.weights);
    refuse_in_place(folder.path(), &options.output)?;
    let ids = ids(options)?;
    let executable = built(&options.spec, options.runtime.as_deref(), global)?;
    let mut files = beside(folder.path())?;
    let staged = Staged::new(&options.output)?;
    staged.check(&files)?;
    staged.check(&[WEIGHTS.into()])?;
    let status = quantise(command(&executable, "quantize", global), options, &staged.path().join(WEIGHTS), ids)?;
    if status == 0 {
        copy(&files, folder.path(), staged.path())?;
        // Weights come last, so that whoever finds them finds a whole checkpoint.
        files.push(WEIGHTS.into());
        staged.publish(&files)?;
    }
    Ok(status)
}

/// A checkpoint is read while the new one is made, and shards of the old one would be hidden by the new one.
fn refuse_in_place(from: &Path, to: &Path) -> Result<(), Problem> {
    match (from.canonicalize(), to.canonicalize()) {
        (Ok(from), Ok(same)) if from == same => {
            let message = format!("`{}` is the folder of the checkpoint that is read", to.display());
            Err(Problem::usage("output-is-input", message).help("give another folder with `-o DIR`"))
        }
        _ => Ok(()),
    }
}

/// Runs the model's program, which writes the weights and prints what they have become.
fn quantise(mut child: Command, options: &Quantize, output: &Path, ids: Vec<u32>) -> Outcome {
    child.arg("--weights").arg(&options.weights).arg("--dtype").arg(&options.dtype).arg("--output").arg(output);
    if let Some(threads) = options.threads {
        child.arg("--threads").arg(threads.to_string());
    }
    if options.json {
        child.arg("--json");
    }
    let io = |error: std::io::Error| Problem::io("the model's program".as_ref(), &error);
    let mut child = child.stdin(Stdio::piped()).spawn().map_err(io)?;
    feed(&mut child, &[ids]);
    status_of(child.wait().map_err(io)?.code())
}

/// The ids to compare answers with; none stand for those that are built in.
fn ids(options: &Quantize) -> Result<Vec<u32>, Problem> {
    let Some(path) = &options.calibrate else { return Ok(Vec::new()) };
    let text = crate::texts::text(path)?;
    if text.trim().is_empty() {
        let message = format!("`{}` holds no text to compare answers on", path.display());
        let help = "give a text, or leave out --calibrate: ids from all over the vocabulary stand in";
        return Err(Problem::wrong("empty-input", message).help(help));
    }
    let folder = Folder::of(&options.weights);
    let tokenizer = folder.tokenizer()?;
    Ok(Start::of(&folder, &tokenizer)?.ids(&text, &tokenizer)?)
}

/// What makes the new folder a checkpoint like the old one: configs, the tokenizer, the steps of a sentence encoder.
fn beside(folder: &Path) -> Result<Vec<PathBuf>, Problem> {
    let entries = fs::read_dir(folder).and_then(|entries| entries.collect::<Result<Vec<_>, _>>());
    let mut files = Vec::new();
    for entry in entries.map_err(|e| Problem::io(folder, &e))? {
        let (path, name) = (entry.path(), PathBuf::from(entry.file_name()));
        if path.is_file() && belongs(&path) {
            files.push(name);
        } else if path.is_dir() && path.join("config.json").is_file() && folder.join("modules.json").is_file() {
            files.push(name.join("config.json"));
        }
    }
    Ok(files)
}

fn copy(files: &[PathBuf], from: &Path, to: &Path) -> Result<(), Problem> {
    for file in files {
        let (path, place) = (from.join(file), to.join(file));
        let folder = place.parent().unwrap_or(to);
        fs::create_dir_all(folder).map_err(|e| Problem::io(folder, &e))?;
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
