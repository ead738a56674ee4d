//! `forward`: the generated crate on inputs from a file.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use formwork_text::Folder;

use super::tokenizer::spec::Named;
use crate::args::{Forward, Global, Target};
use crate::cache::{self, Source};
use crate::problem::{Outcome, Problem};
use crate::{program, specs};

pub(super) fn run(options: &Forward, global: &Global) -> Outcome {
    let mut arguments =
        vec!["--input".into(), options.input.clone().into(), "--output".into(), options.output.clone().into()];
    if let Some(count) = options.greedy {
        arguments.extend(["--greedy".into(), count.to_string().into()]);
    }
    if options.hidden {
        arguments.push("--hidden".into());
    }
    pass("forward", &options.target, arguments, global)
}

/// Runs a command of the generated crate; its output and its exit status are ours.
pub(super) fn pass(name: &str, target: &Target, arguments: Vec<OsString>, global: &Global) -> Outcome {
    let executable = built(&target.spec, target.runtime.as_deref(), global)?;
    let status = command(&executable, name, target, global)
        .args(arguments)
        .status()
        .map_err(|e| Problem::io(&executable, &e))?;
    status_of(status.code())
}

/// The executable of a spec.
pub(super) fn built(spec: &Path, runtime: Option<&Path>, global: &Global) -> Result<PathBuf, Problem> {
    let compiled = specs::load(spec, global)?;
    let runtime = Source::find(runtime)?;
    cache::executable(&compiled.model, &runtime, global.verbose)
}

/// As [`built`], for a checkpoint whose texts are read: its tokenizer is held against the one that the spec names.
pub(super) fn built_for_texts(target: &Target, global: &Global) -> Result<PathBuf, Problem> {
    let model = specs::load(&target.spec, global)?.model;
    if let Some(named) = Named::of_model(&target.spec, &model)? {
        let folder = Folder::of(&target.weights);
        named.check(folder.path(), &folder.tokenizer()?)?;
    }
    cache::executable(&model, &Source::find(target.runtime.as_deref())?, global.verbose)
}

/// A command of the executable with the options that all share.
pub(super) fn command(executable: &Path, name: &str, target: &Target, global: &Global) -> Command {
    let mut command = program::command(executable, name, global);
    command.arg("--weights").arg(&target.weights);
    if let Some(threads) = target.threads {
        command.arg("--threads").arg(threads.to_string());
    }
    target.holding.pass(&mut command);
    command
}

/// The exit status of the generated crate; a crash is a bug.
pub(super) fn status_of(code: Option<i32>) -> Outcome {
    match code.map(u8::try_from) {
        Some(Ok(101)) | Some(Err(_)) | None => Err(Problem::bug("the model's program has crashed")),
        Some(Ok(code)) => Ok(code),
    }
}
