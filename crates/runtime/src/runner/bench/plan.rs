//! Which tests are run, under the names that are usual for them: `pp512`, `tg128`, `pp512 @ d512`.

use std::fmt;

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

    /// The new tokens of all sequences.
    pub fn all_tokens(&self) -> usize {
        self.tokens * self.batch
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
        Ok(())
    }
}

/// The sizes that are combined to tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Lengths of prompts.
    pub pp: Vec<usize>,
    /// Numbers of generated tokens.
    pub tg: Vec<usize>,
    /// Tokens in the cache before.
    pub depth: Vec<usize>,
    /// Sequences.
    pub batch: Vec<usize>,
}

impl Default for Plan {
    fn default() -> Self {
        Self { pp: vec![512], tg: vec![128], depth: vec![0], batch: vec![1] }
    }
}

impl Plan {
    /// Every combination; a model that does not continue one sequence token by token has prompts without a past only. Sizes
    /// of 0 leave their kind of test out.
    pub fn tests(&self, continues: bool) -> Vec<Test> {
        let mut tests = Vec::new();
        for &batch in &self.batch {
            for &depth in self.depth.iter().filter(|depth| continues || **depth == 0) {
                let prompts = self.pp.iter().map(|tokens| (Kind::Prompt, *tokens));
                let generated = self.tg.iter().map(|tokens| (Kind::Generate, *tokens)).filter(|_| continues);
                let sizes = prompts.chain(generated).filter(|(_, tokens)| *tokens > 0);
                tests.extend(sizes.map(|(kind, tokens)| Test { kind, tokens, depth, batch }));
            }
        }
        tests
    }
}

#[cfg(test)]
mod tests {
    use super::Plan;

    #[test]
    fn tests_have_the_usual_names() {
        let plan = Plan { depth: vec![0, 512], batch: vec![1, 8], ..Plan::default() };
        let names = |continues| plan.tests(continues).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            names(true),
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
        assert_eq!(names(false), ["pp512", "pp512 x8"]);
        assert!(Plan { pp: vec![0], tg: vec![0], ..Plan::default() }.tests(true).is_empty());
    }
}
