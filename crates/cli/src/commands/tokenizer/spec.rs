//! The tokenizer that a spec names.

use std::path::{Path, PathBuf};

use formwork_text::Folder;
use formwork_tokenizer::{Kind, Tokenizer, Training};

use crate::args::Global;
use crate::problem::Problem;
use crate::specs;
use crate::tokenizer_args::Source;

/// The tokenizers of `paths`, or else the one beside the spec; each is held against the spec, if there is one.
pub(super) fn opened(
    paths: &[PathBuf],
    spec: Option<&Path>,
    global: &Global,
) -> Result<Vec<(PathBuf, Tokenizer)>, Problem> {
    let named = spec.map(|spec| Named::of(spec, global)).transpose()?;
    let beside = spec.filter(|_| paths.is_empty()).map(|spec| Folder::of(spec).path().to_path_buf());
    let open = |path: &PathBuf| {
        let tokenizer = Tokenizer::open(path)?;
        if let Some(named) = &named {
            named.check(path, &tokenizer)?;
        }
        Ok((path.clone(), tokenizer))
    };
    paths.iter().chain(&beside).map(open).collect()
}

/// The one tokenizer of a command.
pub(super) fn one(source: &Source, global: &Global) -> Result<(PathBuf, Tokenizer), Problem> {
    let mut opened = opened(source.tokenizer.as_slice(), source.spec.as_deref(), global)?;
    opened.pop().ok_or_else(|| Problem::bug("neither a tokenizer nor a spec"))
}

/// A spec's `tokenizer`, and where it stands.
pub(crate) struct Named {
    spec: PathBuf,
    kind: Kind,
    pub(super) tokenizer: formwork_ir::Tokenizer,
}

impl Named {
    /// Reads a spec that names its tokenizer.
    pub(crate) fn of(spec: &Path, global: &Global) -> Result<Self, Problem> {
        match Self::of_model(spec, &specs::load(spec, global)?.model)? {
            Some(named) => Ok(named),
            None => Err(Problem::wrong("no-tokenizer", format!("`{}` names no tokenizer", spec.display()))
                .help("add a table `tokenizer` with a `kind` to the spec")),
        }
    }

    /// What a model's spec names, if it does.
    pub(crate) fn of_model(spec: &Path, model: &formwork_ir::Model) -> Result<Option<Self>, Problem> {
        let Some(tokenizer) = model.tokenizer.clone() else { return Ok(None) };
        let kind = Kind::named(&tokenizer.algorithm.replace('_', "-"));
        let kind = kind.ok_or_else(|| Problem::bug(format!("no tokenizer is a `{}`", tokenizer.algorithm)))?;
        Ok(Some(Self { spec: spec.to_path_buf(), kind, tokenizer }))
    }

    /// Holds a tokenizer against what the spec says.
    pub(crate) fn check(&self, path: &Path, found: &Tokenizer) -> Result<(), Problem> {
        let (spec, path) = (self.spec.display(), path.display());
        if found.kind() != self.kind {
            let message = format!("`{path}` is a {} tokenizer, but `{spec}` names a {} one", found.kind(), self.kind);
            return Err(Problem::wrong("vocabulary-mismatch", message)
                .help("give the tokenizer that the model was trained with, or change the spec's `tokenizer`"));
        }
        if found.id_limit() as u64 > self.tokenizer.vocab_size {
            let (limit, size) = (found.id_limit(), self.tokenizer.vocab_size);
            let message =
                format!("`{path}` gives ids up to {}, but the tokenizer of `{spec}` has {size} ids", limit - 1);
            return Err(Problem::wrong("vocabulary-mismatch", message)
                .help("give the tokenizer that the model was trained with, or change the spec's `tokenizer`"));
        }
        Ok(())
    }

    /// What it takes to learn it.
    pub(super) fn training(&self) -> Result<Training, Problem> {
        let size = usize::try_from(self.tokenizer.vocab_size).unwrap_or(usize::MAX);
        let mut training = Training::new(self.kind, size);
        if let Some(steps) = &self.tokenizer.normalizer {
            training.normalizers = self.steps(steps, &Training::NORMALIZERS, "normalizer")?;
        }
        if let Some(steps) = &self.tokenizer.pre_tokenizer {
            training.pre_tokenizers = self.steps(steps, &Training::PRE_TOKENIZERS, "pre_tokenizer")?;
        }
        training.special.clone_from(&self.tokenizer.special_tokens);
        Ok(training)
    }

    fn steps(&self, steps: &[String], known: &[&str], field: &str) -> Result<Vec<String>, Problem> {
        let names = steps.iter().map(|step| step.replace('_', "-"));
        let known_name = |name: String| match known.contains(&name.as_str()) {
            true => Ok(name),
            false => {
                let message =
                    format!("no tokenizer is learnt with the `{field}` step `{name}` of `{}`", self.spec.display());
                Err(Problem::wrong("bad-training", message).help(format!("it may be one of {}", known.join(", "))))
            }
        };
        names.map(known_name).collect()
    }

    /// An option beside a spec that says the same thing otherwise.
    pub(super) fn agree(&self, option: &str, given: &str, own: &str) -> Result<(), Problem> {
        if given == own {
            return Ok(());
        }
        let message = format!("`{option} {given}` contradicts `{}`, which says {own}", self.spec.display());
        Err(Problem::usage("option-conflict", message).help(format!("leave `{option}` out, or change the spec")))
    }
}
