//! `tokenizer train`: a vocabulary from files.

use std::path::Path;

use formwork_tokenizer::{Kind, Progress, Training};
use indicatif::{ProgressBar, ProgressStyle};

use crate::output::{note, say};
use crate::problem::{Outcome, Problem};
use crate::tokenizer_args::Train;

pub(super) fn run(options: &Train) -> Outcome {
    if let Some(file) = options.files.iter().find(|file| same(file, &options.output)) {
        return Err(Problem::usage("output-is-input", format!("`{}` is read and written", file.display())));
    }
    let mut bar = Bar::default();
    let trained = training(options)?.run(&options.files, &mut |progress| bar.show(progress))?;
    bar.end();
    std::fs::write(&options.output, &trained.json).map_err(|error| Problem::io(&options.output, &error))?;
    if trained.dropped > 0 {
        note(&format!("warning: {} occurrences of rare words were dropped to bound the memory", trained.dropped));
    }
    let tokens = formwork_tokenizer::Tokenizer::open(&options.output)?.vocab_size();
    if tokens < options.vocab_size {
        note(&format!("warning: the texts hold only {tokens} tokens worth having"));
    }
    say(&format!("{}: {tokens} tokens from {} different words\n", options.output.display(), trained.words))?;
    Ok(0)
}

fn same(one: &Path, other: &Path) -> bool {
    let canonical = |path: &Path| std::fs::canonicalize(path).ok();
    canonical(one).is_some_and(|one| Some(one) == canonical(other))
}

fn training(options: &Train) -> Result<Training, Problem> {
    let kind = Kind::named(&options.algorithm);
    let kind = kind.ok_or_else(|| Problem::bug(format!("the algorithm `{}` is unknown", options.algorithm)))?;
    let mut training = Training::new(kind, options.vocab_size);
    let given = |names: &[String]| names.iter().filter(|name| *name != "none").cloned().collect();
    if !options.normalizer.is_empty() {
        training.normalizers = given(&options.normalizer);
    }
    if !options.pre_tokenizer.is_empty() {
        training.pre_tokenizers = given(&options.pre_tokenizer);
    }
    training.special.clone_from(&options.special);
    training.min_count = options.min_count;
    training.alphabet = options.alphabet;
    training.max_words = options.max_words;
    Ok(training)
}

/// A bar on standard error; none where nobody looks at it.
#[derive(Default)]
struct Bar(Option<(&'static str, ProgressBar)>);

impl Bar {
    fn show(&mut self, progress: Progress) {
        if self.0.as_ref().is_none_or(|(stage, _)| *stage != progress.stage) {
            self.end();
            let bar = ProgressBar::new(progress.total).with_message(progress.stage);
            if let Ok(style) = ProgressStyle::with_template("{msg:<18} {wide_bar} {percent:>3}% {elapsed}") {
                bar.set_style(style);
            }
            self.0 = Some((progress.stage, bar));
        }
        if let Some((_, bar)) = &self.0 {
            bar.set_length(progress.total);
            bar.set_position(progress.done);
        }
    }

    fn end(&mut self) {
        if let Some((_, bar)) = self.0.take() {
            bar.finish_and_clear();
        }
    }
}
