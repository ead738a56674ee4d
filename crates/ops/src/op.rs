//! What an op says about itself.
//!
//! Everything the compiler knows about an op comes from its [`Facts`]: shapes, parameters, FLOPs, state and the form of its
//! call in generated code. [`Facts`] has no default: an op says each thing or does not compile.

use crate::{Form, Poly, State, Visibility};

/// An entry of the catalogue.
#[derive(Debug)]
pub struct Op {
    /// The name that a spec calls.
    pub name: &'static str,
    /// The formula, one line.
    pub summary: &'static str,
    /// The paper or reference of the formula.
    pub source: &'static str,
    /// Tensor operands, in positional order; optional ones are given by name.
    pub inputs: &'static [Input],
    /// Static arguments, in positional order after the operands.
    pub attrs: &'static [Attr],
    /// The operand whose sequence decides which token stream (positions, padding) the op reads.
    pub stream_of: Option<usize>,
    /// Whether the op computes the same where several texts are packed into one row, one after the other.
    pub packs: bool,
    /// The rules.
    pub facts: fn(&Call<'_>) -> Result<Facts, OpError>,
}

/// A tensor operand.
#[derive(Debug)]
pub struct Input {
    /// Its name in error messages and named arguments.
    pub name: &'static str,
    /// What may be given.
    pub kind: InputKind,
    /// Whether it may be left out.
    pub optional: bool,
}

/// What an operand may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputKind {
    /// A float tensor.
    Tensor,
    /// Integers: ids or a whole token stream.
    Ids,
    /// A token stream: ids, positions and padding together.
    Tokens,
}

impl Input {
    pub(crate) const fn tensor(name: &'static str) -> Self {
        Self { name, kind: InputKind::Tensor, optional: false }
    }

    pub(crate) const fn optional(name: &'static str) -> Self {
        Self { name, kind: InputKind::Tensor, optional: true }
    }

    pub(crate) const fn ids(name: &'static str) -> Self {
        Self { name, kind: InputKind::Ids, optional: false }
    }

    pub(crate) const fn tokens(name: &'static str) -> Self {
        Self { name, kind: InputKind::Tokens, optional: false }
    }
}

/// A static argument.
#[derive(Debug)]
pub struct Attr {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub ty: AttrType,
    /// What it is when not given; `None` makes it required.
    pub default: Option<AttrDefault>,
}

/// The type of a static argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttrType {
    /// A size: at least 1.
    Int,
    /// A whole number from 0: an id, an offset.
    Natural,
    /// A number.
    Float,
    /// A flag.
    Bool,
    /// Sizes.
    IntList,
    /// A type that the standard library declares under this name.
    Declared(&'static str),
}

/// A default of a static argument.
#[derive(Clone, Copy, Debug)]
pub enum AttrDefault {
    /// Absent.
    Null,
    /// A size.
    Int(i128),
    /// A number.
    Float(f64),
    /// A flag.
    Bool(bool),
}

impl Attr {
    pub(crate) const fn required(name: &'static str, ty: AttrType) -> Self {
        Self { name, ty, default: None }
    }

    pub(crate) const fn with(name: &'static str, ty: AttrType, default: AttrDefault) -> Self {
        Self { name, ty, default: Some(default) }
    }
}

/// A number of the static stage, with the constant it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Float {
    /// The value.
    pub value: f64,
    /// The spec's name for it, if it is a parameter taken as it is.
    pub name: Option<String>,
}

/// A static argument's value.
#[derive(Clone, Debug, PartialEq)]
pub enum AttrValue {
    /// Absent.
    Null,
    /// A size.
    Int(Poly),
    /// A number.
    Float(Float),
    /// A flag.
    Bool(bool),
    /// A word.
    Str(String),
    /// Several values.
    List(Vec<AttrValue>),
    /// Named values.
    Record(Vec<(String, AttrValue)>),
    /// An enum's variant and its fields.
    Variant(String, Vec<(String, AttrValue)>),
}

impl AttrValue {
    /// A field of a record or variant.
    pub fn field(&self, name: &str) -> Option<&AttrValue> {
        match self {
            Self::Record(fields) | Self::Variant(_, fields) => fields.iter().find(|(n, _)| n == name).map(|(_, v)| v),
            _ => None,
        }
    }

    /// The number, for floats and sizes.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Float(f) => Some(f.value),
            #[expect(clippy::cast_precision_loss, reason = "sizes of models are far below 2^53")]
            Self::Int(p) => p.constant().map(|v| v as f64),
            _ => None,
        }
    }
}

/// The type of a value in the dataflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Type {
    /// What it holds.
    pub kind: Kind,
    /// Its dimensions.
    pub shape: Vec<Poly>,
}

/// What a value holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Floats.
    F32,
    /// Floats that whoever reads them normalises: a plan has such, no spec.
    Normed,
    /// Integers.
    Ids,
    /// A token stream: ids, positions and padding.
    Tokens,
}

impl Type {
    /// A float tensor.
    pub fn f32(shape: Vec<Poly>) -> Self {
        Self { kind: Kind::F32, shape }
    }

    /// Whether two types are equal for every value of the symbols.
    pub fn same(&self, other: &Self) -> bool {
        self.kind == other.kind
            && self.shape.len() == other.shape.len()
            && self.shape.iter().zip(&other.shape).all(|(a, b)| a.same(b))
    }

    /// The number of elements.
    pub fn numel(&self) -> Poly {
        self.shape.iter().cloned().product()
    }

    /// The last dimension (1 for a scalar).
    pub fn last(&self) -> Poly {
        self.shape.last().cloned().unwrap_or_else(|| Poly::int(1))
    }

    /// The product of all dimensions but the last.
    pub fn rows(&self) -> Poly {
        let n = self.shape.len().saturating_sub(1);
        self.shape[..n].iter().cloned().product()
    }

    /// The same with another last dimension.
    #[must_use]
    pub fn with_last(&self, last: Poly) -> Self {
        let mut shape = self.shape.clone();
        if let Some(end) = shape.last_mut() {
            *end = last;
        }
        Self { kind: self.kind, shape }
    }
}

impl std::fmt::Display for Type {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let dims: Vec<String> = self.shape.iter().map(ToString::to_string).collect();
        let kind = match self.kind {
            Kind::F32 | Kind::Normed => "",
            Kind::Ids => "ids",
            Kind::Tokens => "tokens",
        };
        write!(f, "{kind}[{}]", dims.join(", "))
    }
}

/// A checked use of an op: operands and arguments are present and of the declared kinds.
#[derive(Debug)]
pub struct Call<'a> {
    /// The op's declaration.
    pub op: &'a Op,
    /// One entry per declared operand.
    pub inputs: &'a [Option<Type>],
    /// One entry per declared argument.
    pub attrs: &'a [AttrValue],
}

impl Call<'_> {
    /// The operand `name`, which the op declares as required.
    ///
    /// # Errors
    /// When the op asks for an operand that it does not declare or that was not given.
    pub fn input(&self, name: &str) -> Result<&Type, OpError> {
        self.optional_input(name).ok_or_else(|| OpError::new(format!("operand `{name}` is missing")))
    }

    /// The operand `name`, if it was given.
    pub fn optional_input(&self, name: &str) -> Option<&Type> {
        let at = self.op.inputs.iter().position(|i| i.name == name)?;
        self.inputs.get(at)?.as_ref()
    }

    /// The argument `name`; an argument that the op does not declare reads as absent.
    pub fn attr(&self, name: &str) -> &AttrValue {
        let at = self.op.attrs.iter().position(|a| a.name == name);
        at.and_then(|at| self.attrs.get(at)).unwrap_or(&AttrValue::Null)
    }

    /// A size.
    ///
    /// # Errors
    /// When the argument is not a size.
    pub fn int(&self, name: &str) -> Result<Poly, OpError> {
        match self.attr(name) {
            AttrValue::Int(value) => Ok(value.clone()),
            _ => Err(OpError::new(format!("`{name}` is not a size"))),
        }
    }

    /// A number with its name.
    ///
    /// # Errors
    /// When the argument is not a number.
    pub fn float(&self, name: &str) -> Result<Float, OpError> {
        match self.attr(name) {
            AttrValue::Float(value) => Ok(value.clone()),
            other => match other.number() {
                Some(value) => Ok(Float { value, name: None }),
                None => Err(OpError::new(format!("`{name}` is not a number"))),
            },
        }
    }

    /// A flag; absent reads as false.
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.attr(name), AttrValue::Bool(true))
    }
}

/// A use of an op that its rules refuse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpError {
    /// The kind of mistake, in kebab-case words.
    pub code: &'static str,
    /// What is wrong, lowercase, without a period.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// The operand it is about.
    pub input: Option<&'static str>,
    /// The two dimensions that disagree, for tracing where each came from.
    pub dims: Option<Box<(Poly, Poly)>>,
}

impl OpError {
    /// A refusal.
    pub fn new(message: impl Into<String>) -> Self {
        Self { code: "bad-operand", message: message.into(), help: None, input: None, dims: None }
    }

    /// Adds advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Says which operand is meant.
    #[must_use]
    pub fn at(mut self, input: &'static str) -> Self {
        self.input = Some(input);
        self
    }

    /// Two dimensions that should be equal.
    pub fn unequal(what: impl Into<String>, a: &Poly, b: &Poly) -> Self {
        let mut it = Self::new(what);
        it.code = "shape-mismatch";
        it.dims = Some(Box::new((a.clone(), b.clone())));
        it
    }

    /// A size that another does not divide.
    pub fn indivisible(what: impl Into<String>, a: &Poly, b: &Poly) -> Self {
        let mut it = Self::unequal(what, a, b);
        it.code = "not-divisible";
        if let Some(n) = a.constant().filter(|n| (1..=1 << 20).contains(n)) {
            let divisors: Vec<String> = (1..=n).filter(|d| n % d == 0).map(|d| d.to_string()).collect();
            it.help = Some(format!("divisors of {n}: {}", divisors.join(", ")));
        }
        it
    }

    /// A size that the op cannot work with.
    pub fn size(what: impl Into<String>, size: &Poly) -> Self {
        let mut it = Self::unequal(what, size, size);
        it.code = "bad-size";
        it
    }
}

/// Everything that is to be known about one use of an op.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The results' types.
    pub outputs: Vec<Type>,
    /// What a checkpoint must hold.
    pub params: Vec<Param>,
    /// Work.
    pub flops: Flops,
    /// What is kept from step to step.
    pub state: Option<State>,
    /// How generated code calls it.
    pub form: Form,
}

/// A tensor that a checkpoint holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param {
    /// The last component of its path, e.g. `weight`; empty when the op's path is the whole name.
    pub name: &'static str,
    /// Its shape as stored.
    pub shape: Vec<Poly>,
    /// Whether it counts as a parameter.
    pub role: Role,
    /// How many of its first axis one token meets, where that is not all of them.
    pub met: Option<Poly>,
}

impl Param {
    pub(crate) fn new(name: &'static str, shape: impl Into<Vec<Poly>>) -> Self {
        Self { name, shape: shape.into(), role: Role::Param, met: None }
    }

    pub(crate) fn buffer(name: &'static str, shape: impl Into<Vec<Poly>>) -> Self {
        Self { name, shape: shape.into(), role: Role::Buffer, met: None }
    }

    /// `n` tensors of one shape under one name, of which a token meets `k`.
    pub(crate) fn chosen(name: &'static str, n: &Poly, k: &Poly, each: Vec<Poly>) -> Self {
        let shape: Vec<Poly> = std::iter::once(n.clone()).chain(each).collect();
        Self { name, shape, role: Role::Param, met: Some(k.clone()) }
    }

    /// The number of elements.
    pub fn numel(&self) -> Poly {
        self.shape.iter().cloned().product()
    }

    /// The number of elements that one token meets.
    pub fn active(&self) -> Poly {
        match &self.met {
            Some(met) => met * &self.shape.iter().skip(1).cloned().product(),
            None => self.numel(),
        }
    }
}

/// Whether a tensor counts as a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Trained; counted.
    Param,
    /// Loaded, not trained, not counted (running statistics).
    Buffer,
}

/// Floating-point operations of one use; a multiply-add counts two.
#[derive(Clone, Debug, Default)]
pub struct Flops {
    /// Matrix products other than attention's.
    pub matmul: Poly,
    /// Attention's two products.
    pub attention: Option<AttentionFlops>,
    /// Additions, multiplications, comparisons outside matrix products.
    pub elementwise: Poly,
    /// Exponentials, roots and other special functions.
    pub special: Poly,
    /// The work of a step of one token, where that is another computation.
    pub decode: Option<Box<Flops>>,
}

impl Flops {
    /// The work of a step of several tokens, or of one.
    pub fn at(&self, is_one: bool) -> &Self {
        self.decode.as_deref().filter(|_| is_one).unwrap_or(self)
    }

    /// An op that only moves data.
    pub fn none() -> Self {
        Self::default()
    }

    /// Work outside matrix products.
    pub fn pointwise(elementwise: Poly, special: Poly) -> Self {
        Self { elementwise, special, ..Self::default() }
    }

    /// A matrix product and the work around it.
    pub fn product(matmul: Poly, elementwise: Poly) -> Self {
        Self { matmul, elementwise, ..Self::default() }
    }
}

/// Attention's work, as a factor for each (query, key) pair that is looked at.
#[derive(Clone, Debug)]
pub struct AttentionFlops {
    /// FLOPs for each pair: `2·B·H·(d_k + d_v)`.
    pub per_pair: Poly,
    /// Elementwise work for each pair (softmax, scale).
    pub elementwise_per_pair: Poly,
    /// Queries of one sequence.
    pub queries: Poly,
    /// Keys of one sequence.
    pub keys: Poly,
    /// Which pairs are visible.
    pub visibility: Visibility,
    /// Whether earlier steps' keys are read from a cache.
    pub cached: bool,
}
