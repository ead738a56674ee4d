//! `tokenizer train`: a vocabulary from files.

use std::path::Path;

use formwork_tokenizer::{Kind, Training};

use super::Bar;
use super::spec::Named;
use crate::args::Global;
use crate::output::{note, say};
use crate::problem::{Outcome, Problem};
use crate::replace;
use crate::tokenizer_args::Train;

pub(super) fn run(options: &Train, global: &Global) -> Outcome {
    if let Some(file) = options.files.iter().find(|file| same(file, &options.output)) {
        return Err(Problem::usage("output-is-input", format!("`{}` is read and written", file.display())));
    }
    let mut bar = Bar::default();
    let training = training(options, global)?;
    let trained = training.run(&options.files, &mut |progress| bar.show(progress))?;
    bar.end();
    replace::file(&options.output, &trained.json)?;
    if trained.dropped > 0 {
        note(&format!("warning: {} occurrences of rare words were dropped to bound the memory", trained.dropped));
    }
    let tokens = formwork_tokenizer::Tokenizer::open(&options.output)?.vocab_size();
    if tokens < training.vocab_size {
        note(&format!("warning: the texts hold only {tokens} tokens worth having"));
    }
    say(&format!("{}: {tokens} tokens from {} different words\n", options.output.display(), trained.words))?;
    Ok(0)
}

fn same(one: &Path, other: &Path) -> bool {
    let canonical = |path: &Path| std::fs::canonicalize(path).ok();
    canonical(one).is_some_and(|one| Some(one) == canonical(other))
}

/// What the options say, or a spec's tokenizer with what they add.
fn training(options: &Train, global: &Global) -> Result<Training, Problem> {
    let mut training = match (&options.spec, &options.algorithm, options.vocab_size) {
        (Some(spec), ..) => of_spec(spec, options, global)?,
        (None, Some(algorithm), Some(size)) => {
            let kind = Kind::named(algorithm);
            Training::new(kind.ok_or_else(|| Problem::bug(format!("the algorithm `{algorithm}` is unknown")))?, size)
        }
        (None, ..) => return Err(Problem::bug("neither a spec nor an algorithm and a size")),
    };
    let given = |names: &[String]| names.iter().filter(|name| *name != "none").cloned().collect();
    if !options.normalizer.is_empty() {
        training.normalizers = given(&options.normalizer);
    }
    if !options.pre_tokenizer.is_empty() {
        training.pre_tokenizers = given(&options.pre_tokenizer);
    }
    if !options.special.is_empty() {
        training.special.clone_from(&options.special);
    }
    training.min_count = options.min_count;
    training.alphabet = options.alphabet;
    training.max_words = options.max_words;
    Ok(training)
}

/// What a spec says; an option that says otherwise is an error.
fn of_spec(spec: &Path, options: &Train, global: &Global) -> Result<Training, Problem> {
    let named = Named::of(spec, global)?;
    let training = named.training()?;
    let given = |words: &[String]| (!words.is_empty()).then(|| words.join(","));
    let own = |says: bool, words: &[String]| says.then(|| words.join(","));
    let (normalizer, pre_tokenizer) = (&named.tokenizer.normalizer, &named.tokenizer.pre_tokenizer);
    let says = [
        ("--algorithm", options.algorithm.clone(), Some(training.kind.name().to_string())),
        ("--vocab-size", options.vocab_size.map(|size| size.to_string()), Some(training.vocab_size.to_string())),
        ("--normalizer", given(&options.normalizer), own(normalizer.is_some(), &training.normalizers)),
        ("--pre-tokenizer", given(&options.pre_tokenizer), own(pre_tokenizer.is_some(), &training.pre_tokenizers)),
        ("--special", given(&options.special), own(true, &training.special)),
    ];
    for (option, given, own) in says {
        if let (Some(given), Some(own)) = (given, own) {
            named.agree(option, &given, &own)?;
        }
    }
    Ok(training)
}
