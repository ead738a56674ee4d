//! Which tests are run, under the names that are usual for them: `pp512`, `tg128`, `pp512 @ d512`.

use std::fmt;

use formwork_tensor::{Error, Result};

/// Tokens of a sequence that a model with a cache reads at once.
pub(super) const PIECE: usize = 512;

/// What a test measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Many tokens at once: prompts, or the inputs of an encoder.
    Prompt,
    /// Tokens one after the other.
    Generate,
}

/// One test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Test {
    /// What it measures.
    pub kind: Kind,
    /// New tokens of each sequence.
    pub tokens: usize,
    /// Tokens of each sequence that are in the cache before.
    pub depth: usize,
    /// Sequences side by side.
    pub batch: usize,
    /// Whether their lengths are spread evenly up to `tokens`.
    pub mixed: bool,
}

impl Test {
    /// How many passes through the model it takes. A model that `continues` reads prompts in pieces of up to 512 tokens.
    pub fn passes(&self, continues: bool) -> usize {
        self.tokens.div_ceil(self.piece(continues))
    }

    /// The most new tokens of a sequence in a pass.
    pub(super) fn piece(&self, continues: bool) -> usize {
        match self.kind {
            Kind::Prompt if continues => PIECE,
            Kind::Prompt => self.tokens.max(1),
            Kind::Generate => 1,
        }
    }

    /// The new tokens of each sequence.
    pub fn lengths(&self) -> impl Iterator<Item = usize> {
        let Self { tokens, batch, mixed, .. } = *self;
        (1..=batch).map(move |at| if mixed { (tokens * at).div_ceil(batch) } else { tokens })
    }
}

/// `pp512`, `tg128 @ d4096`, `tg128 x8`.
impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let kind = match self.kind {
            Kind::Prompt => "pp",
            Kind::Generate => "tg",
        };
        write!(f, "{kind}{}", self.tokens)?;
        if self.depth > 0 {
            write!(f, " @ d{}", self.depth)?;
        }
        if self.batch > 1 {
            write!(f, " x{}", self.batch)?;
        }
        if self.mixed {
            write!(f, " mixed")?;
        }
        Ok(())
    }
}

/// The sizes that are combined to tests; a list that is empty stands for the usual size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Lengths of prompts.
    pub pp: Vec<usize>,
    /// Numbers of generated tokens.
    pub tg: Vec<usize>,
    /// Tokens in the cache before.
    pub depth: Vec<usize>,
    /// Sequences.
    pub batch: Vec<usize>,
    /// Whether their lengths are spread evenly up to those of `pp`.
    pub mixed: bool,
}

/// The largest size of anything that is listed.
const MOST: usize = 1 << 20;

impl Plan {
    /// Every combination, once; a model that does not continue one sequence token by token has prompts without a past only.
    /// Sizes of 0 leave their kind of test out.
    ///
    /// # Errors
    /// `usage` for a size that nobody measures, for a past that the model does not have, and where no test is left.
    pub fn tests(&self, continues: bool) -> Result<Vec<Test>> {
        let Self { pp, tg, depth, batch, mixed } = self;
        if continues && *mixed {
            return Err(wrong("--mixed is for models that read texts whole"));
        }
        if !continues && tg.iter().chain(depth).any(|n| *n > 0) {
            return Err(wrong("--tg and --depth are for models that continue a sequence token by token"));
        }
        let usual_tg = if continues { 128 } else { 0 };
        let [pp, tg] = [sizes("pp", pp, 512, 0)?, sizes("tg", tg, usual_tg, 0)?];
        let [depth, batch] = [sizes("depth", depth, 0, 0)?, sizes("batch", batch, 1, 1)?];
        let mut tests = Vec::new();
        for &batch in &batch {
            for &depth in &depth {
                let prompts = pp.iter().map(|tokens| (Kind::Prompt, *tokens));
                let generated = tg.iter().map(|tokens| (Kind::Generate, *tokens));
                let asked = prompts.chain(generated).filter(|(_, tokens)| *tokens > 0);
                tests.extend(asked.map(|(kind, tokens)| Test { kind, tokens, depth, batch, mixed: *mixed }));
            }
        }
        match tests.is_empty() {
            true => Err(wrong("no test is left: every size of --pp and --tg is 0")),
            false => Ok(tests),
        }
    }
}

fn wrong(message: impl Into<String>) -> Error {
    Error::usage("usage", message).help("sizes are lists with commas, e.g. `--pp 128,512 --batch 1,8`")
}

/// What was listed for an option, or what is usual; each size once.
fn sizes(name: &str, listed: &[usize], usual: usize, least: usize) -> Result<Vec<usize>> {
    match listed.iter().find(|n| !(least..=MOST).contains(*n)) {
        Some(n) => Err(wrong(format!("--{name} takes numbers from {least} to {MOST}, not {n}"))),
        None if listed.is_empty() => Ok(vec![usual]),
        None => Ok(once(listed)),
    }
}

/// Each number of a list, in order.
pub(super) fn once(listed: &[usize]) -> Vec<usize> {
    let is_new = |(at, n): &(usize, &usize)| !listed[..*at].contains(n);
    listed.iter().enumerate().filter(is_new).map(|(_, n)| *n).collect()
}

#[cfg(test)]
mod tests {
    use super::Plan;

    #[test]
    fn tests_have_the_usual_names() {
        let names = |plan: &Plan, continues| -> Vec<String> {
            plan.tests(continues).unwrap().iter().map(ToString::to_string).collect()
        };
        let plan = Plan { depth: vec![0, 512], batch: vec![1, 8, 1], ..Plan::default() };
        assert_eq!(
            names(&plan, true),
            [
                "pp512",
                "tg128",
                "pp512 @ d512",
                "tg128 @ d512",
                "pp512 x8",
                "tg128 x8",
                "pp512 @ d512 x8",
                "tg128 @ d512 x8"
            ]
        );
        let plan = Plan { pp: vec![4, 4, 2], tg: vec![0], batch: vec![1, 8], ..Plan::default() };
        assert_eq!(names(&plan, false), ["pp4", "pp2", "pp4 x8", "pp2 x8"]);
        let mixed = Plan { pp: vec![10], batch: vec![4], mixed: true, ..Plan::default() };
        assert_eq!(names(&mixed, false), ["pp10 x4 mixed"]);
        assert_eq!(mixed.tests(false).unwrap()[0].lengths().collect::<Vec<_>>(), [3, 5, 8, 10]);
    }

    #[test]
    fn what_cannot_be_measured_is_wrong_usage() {
        let none = Plan::default();
        for (continues, word, plan) in [
            (true, "no test is left", Plan { pp: vec![0], tg: vec![0], ..none.clone() }),
            (false, "no test is left", Plan { pp: vec![0], ..none.clone() }),
            (false, "--tg and --depth", Plan { tg: vec![8], ..none.clone() }),
            (false, "--tg and --depth", Plan { depth: vec![0, 8], ..none.clone() }),
            (true, "--mixed", Plan { mixed: true, ..none.clone() }),
            (true, "--batch takes", Plan { batch: vec![0], ..none.clone() }),
            (true, "--pp takes", Plan { pp: vec![usize::MAX], ..none }),
        ] {
            let error = plan.tests(continues).unwrap_err();
            assert!((error.code, error.exit) == ("usage", 2) && error.message.contains(word), "{error}");
        }
    }
}
