//! How parameters find their tensors in a checkpoint: constant data of a generated crate.

/// The whole mapping of a model.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mapping {
    /// Prefixes that the names of a checkpoint may carry or lack.
    pub prefixes: &'static [&'static str],
    /// The first rule whose target matches a parameter says where it comes from; without one, it
    /// comes from the tensor of its own name.
    pub rules: &'static [Rule],
    /// Glob patterns (`*`: any characters) of tensors that may be present and unused.
    pub ignore: &'static [&'static str],
    /// The same for GGUF files, where they are read.
    pub gguf: Option<&'static Gguf>,
}

/// Where parameters are found in a GGUF file.
#[derive(Clone, Copy, Debug)]
pub struct Gguf {
    /// The architectures that are read, each with rules that come before those for all.
    pub architectures: &'static [(&'static str, &'static [Rule])],
    /// Rules for all of them.
    pub rules: &'static [Rule],
    /// Glob patterns of tensors and of the architecture's keys that may be present and unused.
    pub ignore: &'static [&'static str],
    /// What the architecture's keys have to say where they are present.
    pub facts: &'static [Fact],
}

/// A number that a file has to agree with.
#[derive(Clone, Copy, Debug)]
pub struct Fact {
    /// The key, without the architecture's name in front.
    pub key: &'static str,
    /// The model's number.
    pub value: f64,
}

/// Where the parameters that match a pattern come from.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// A name with captures: `{i}` matches one or more characters except `.`, `{p*}` also dots.
    pub target: &'static str,
    /// The tensor; names in it use the captures.
    pub source: Source,
}

/// A tensor made of tensors of a checkpoint.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    /// The tensor of this name.
    Name(&'static str),
    /// The last two axes exchanged.
    Transpose(&'static Source),
    /// A range of the first axis.
    Rows {
        /// Of what.
        source: &'static Source,
        /// From where.
        start: usize,
        /// How many.
        len: usize,
    },
    /// A range of the last axis.
    Columns {
        /// Of what.
        source: &'static Source,
        /// From where.
        start: usize,
        /// How many.
        len: usize,
    },
    /// Joined along the first axis.
    Concat(&'static [Source]),
    /// Joined along a new first axis, over `var` from 0 to `count`.
    Stack {
        /// Of what; it uses `{var}`.
        source: &'static Source,
        /// The name that counts.
        var: &'static str,
        /// How many.
        count: usize,
    },
    /// The same elements under another shape.
    Reshape(&'static Source, &'static [usize]),
    /// Rows stored with interleaved rotary pairs, in half-split order, for each of `heads`.
    PermuteRope {
        /// Of what.
        source: &'static Source,
        /// How many heads the rows form.
        heads: usize,
    },
    /// A number added to every element.
    Add(&'static Source, f32),
    /// `-exp(x)` of every element.
    NegExp(&'static Source),
    /// Zeros of a shape.
    Zeros(&'static [usize]),
    /// Sines, then cosines, of each row's number at frequencies `10000^(-2i/d)`.
    Sinusoids {
        /// How many rows.
        rows: usize,
        /// Their width.
        d: usize,
    },
    /// The first of these whose tensors are all present.
    FirstOf(&'static [Source]),
}
