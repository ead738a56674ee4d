//! The syntax tree of a `.fw` file. Every node knows its place.

use formwork_diag::Span;

/// A name and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Name {
    /// The text.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

/// A file: items in source order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct File {
    /// Its items.
    pub items: Vec<Item>,
    /// What the parts that do not parse would have declared, so that their absence is not reported as well.
    pub broken: Vec<String>,
}

/// A top-level item.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// `family name { .. }`
    Family(Family),
    /// `part name { .. }`: members that families include.
    Part(Family),
    /// A declaration that every family may use.
    Shared(Shared),
}

/// A declaration that may stand at the top or inside a family.
#[derive(Clone, Debug, PartialEq)]
pub enum Shared {
    /// `block name(..) -> .. { .. }`
    Block(Block),
    /// `fn name(..) = ..`
    Function(Function),
    /// `record name { .. }`
    Record(Record),
    /// `enum name { .. }`
    Enum(Enum),
    /// `ignore name { .. }`
    Ignore(IgnoreSet),
    /// `keys name { .. }`
    Keys(KeySet),
}

impl Shared {
    /// The declared name.
    pub fn name(&self) -> &Name {
        match self {
            Self::Block(it) => &it.name,
            Self::Function(it) => &it.name,
            Self::Record(it) => &it.name,
            Self::Enum(it) => &it.name,
            Self::Ignore(it) => &it.name,
            Self::Keys(it) => &it.name,
        }
    }
}

/// An architecture family, or a part of one.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// Its doc comment.
    pub doc: String,
    /// Its name.
    pub name: Name,
    /// `include part`: the parts whose members it takes, each with the number of parameters that stand before it.
    pub includes: Vec<(usize, Name)>,
    /// Parameters, in order.
    pub params: Vec<Field>,
    /// Derived values.
    pub lets: Vec<Let>,
    /// Conditions on the parameters.
    pub requires: Vec<Require>,
    /// Entry points.
    pub models: Vec<Block>,
    /// Blocks, functions and types of its own.
    pub shared: Vec<Shared>,
    /// How Hugging Face configs are read.
    pub hf: Vec<Hf>,
    /// How parameter names find tensors in a checkpoint.
    pub weights: Vec<WeightRule>,
    /// The same for GGUF files.
    pub gguf: Vec<Gguf>,
}

/// A parameter of a family or a field of a record or variant.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its doc comment.
    pub doc: String,
    /// Its name.
    pub name: Name,
    /// Its type.
    pub ty: Type,
    /// What it is when not given.
    pub default: Option<Expr>,
}

/// `let name = value`
#[derive(Clone, Debug, PartialEq)]
pub struct Let {
    /// Its doc comment.
    pub doc: String,
    /// The name.
    pub name: Name,
    /// The value.
    pub value: Expr,
}

/// `require condition, "message"`
#[derive(Clone, Debug, PartialEq)]
pub struct Require {
    /// What must hold.
    pub condition: Expr,
    /// What to say when it does not.
    pub message: Name,
}

/// A type.
#[derive(Clone, Debug, PartialEq)]
pub struct Type {
    /// What it is.
    pub kind: TypeKind,
    /// Where it stands.
    pub span: Span,
}

/// The kinds of types.
#[derive(Clone, Debug, PartialEq)]
pub enum TypeKind {
    /// `int`, `float`, `bool`, `string`, `block`, or a declared record or enum; with `?` it may be null.
    Named {
        /// The type's name.
        name: String,
        /// Whether null is allowed.
        optional: bool,
    },
    /// `list<T>`
    List {
        /// The type of each item.
        item: Box<Type>,
        /// Whether `null` is allowed.
        optional: bool,
    },
    /// `[B, S, d]`
    Tensor(Vec<Expr>),
    /// `ids[B, S]`
    Ids(Vec<Expr>),
}

/// A block, or a family's entry point.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// Its doc comment.
    pub doc: String,
    /// Its name.
    pub name: Name,
    /// Its parameters.
    pub params: Vec<BlockParam>,
    /// What it returns.
    pub returns: Vec<Type>,
    /// What it does.
    pub body: Body,
}

/// A parameter of a block or function.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockParam {
    /// Its name.
    pub name: Name,
    /// Its type, if stated.
    pub ty: Option<Type>,
    /// What it is when not given.
    pub default: Option<Expr>,
}

/// A function of the static stage.
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// Its doc comment.
    pub doc: String,
    /// Its name.
    pub name: Name,
    /// Its parameters.
    pub params: Vec<BlockParam>,
    /// Its value.
    pub body: Body,
}

/// A record type.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its doc comment.
    pub doc: String,
    /// Its name.
    pub name: Name,
    /// Its fields.
    pub fields: Vec<Field>,
}

/// An enum whose variants may have fields.
#[derive(Clone, Debug, PartialEq)]
pub struct Enum {
    /// Its doc comment.
    pub doc: String,
    /// Its name.
    pub name: Name,
    /// Fields of every variant.
    pub shared: Vec<Field>,
    /// The variants.
    pub variants: Vec<Record>,
}

/// A named set of config keys without effect on inference.
#[derive(Clone, Debug, PartialEq)]
pub struct IgnoreSet {
    /// Its name.
    pub name: Name,
    /// The keys and the reasons.
    pub keys: Vec<IgnoreKeys>,
}

/// Rules that several `hf` sections include.
#[derive(Clone, Debug, PartialEq)]
pub struct KeySet {
    /// Its name.
    pub name: Name,
    /// The rules; a section's own rule for a parameter replaces the set's.
    pub rules: Vec<HfRule>,
}

/// Keys with one reason.
#[derive(Clone, Debug, PartialEq)]
pub struct IgnoreKeys {
    /// The keys; a dot reaches into an object.
    pub keys: Vec<Name>,
    /// Why they may be ignored.
    pub reason: String,
}

/// How a family reads a Hugging Face config.
#[derive(Clone, Debug, PartialEq)]
pub struct Hf {
    /// The `model_type`s it claims.
    pub model_types: Vec<Name>,
    /// Its rules.
    pub rules: Vec<HfRule>,
}

/// A rule of an `hf` section.
#[derive(Clone, Debug, PartialEq)]
pub enum HfRule {
    /// `task "Class" -> model`
    Task {
        /// Class names of `architectures`.
        classes: Vec<Name>,
        /// The family's entry point.
        model: Name,
    },
    /// `expr -> param`
    Map {
        /// An expression over config keys.
        value: Expr,
        /// The parameter; a dot reaches into a record.
        param: Name,
    },
    /// `require condition, "message"`
    Require(Require),
    /// `ignore keys because "reason"`
    Ignore(IgnoreKeys),
    /// `include set`
    Include(Name),
}

/// How a family's parameters find tensors in GGUF files.
#[derive(Clone, Debug, PartialEq)]
pub struct Gguf {
    /// The architectures that the rules are for; without one, for all that the family reads.
    pub architectures: Vec<Name>,
    /// Its rules.
    pub rules: Vec<GgufRule>,
}

/// A rule of a `gguf` section.
#[derive(Clone, Debug, PartialEq)]
pub enum GgufRule {
    /// A rule as a `weights` section has it.
    Weight(WeightRule),
    /// `"key" == expr`: what a key of the architecture has to say; nothing where the expression is null.
    Fact {
        /// The key, without the architecture's name in front.
        key: Name,
        /// What the family says.
        value: Expr,
    },
}

/// A rule of a `weights` section.
#[derive(Clone, Debug, PartialEq)]
pub enum WeightRule {
    /// `prefix "x."`: names in a checkpoint may carry or lack it.
    Prefix(Name),
    /// `ignore "pattern" because "reason"`
    Ignore {
        /// Patterns of tensors that may be present and unused.
        patterns: Vec<Name>,
        /// Why.
        reason: String,
    },
    /// `"target" <- source if condition`
    Map {
        /// Pattern of a parameter's path.
        target: Name,
        /// Where its value comes from.
        source: Expr,
        /// When the rule applies.
        condition: Option<Expr>,
    },
}

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands.
    pub span: Span,
}

/// The kinds of expressions.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// `42`
    Int(i128),
    /// `1e-5`
    Float(f64),
    /// `"text"`
    Str(String),
    /// `true`
    Bool(bool),
    /// `null`
    Null,
    /// A name.
    Name(String),
    /// `[a, b]`
    List(Vec<Expr>),
    /// `(a, b)`
    Tuple(Vec<Expr>),
    /// `{ a: 1 }`
    Record(Vec<(Name, Expr)>),
    /// `-x`
    Negate(Box<Expr>),
    /// `!x`
    Not(Box<Expr>),
    /// `a + b`
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// `f(a, name: b)`
    Call(Box<Expr>, Vec<Argument>),
    /// `a.b`
    Field(Box<Expr>, Name),
    /// `a[i]`
    Index(Box<Expr>, Box<Expr>),
    /// `call @ "name"`
    Scope(Box<Expr>, Name),
    /// `if c { .. } else { .. }`
    If(Box<Expr>, Box<Body>, Option<Box<Body>>),
    /// `match x { .. }`
    Match(Box<Expr>, Vec<Arm>),
    /// `|x| ..`
    Lambda(Vec<Name>, Box<Body>),
}

/// An argument of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Argument {
    /// Its name, if given by name.
    pub name: Option<Name>,
    /// Its value.
    pub value: Expr,
}

/// An arm of a `match`.
#[derive(Clone, Debug, PartialEq)]
pub struct Arm {
    /// Any of these.
    pub patterns: Vec<Pattern>,
    /// What it gives.
    pub body: Body,
}

/// A pattern of a `match`.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    /// What it accepts.
    pub kind: PatternKind,
    /// Where it stands.
    pub span: Span,
}

/// The kinds of patterns.
#[derive(Clone, Debug, PartialEq)]
pub enum PatternKind {
    /// `_`
    Wildcard,
    /// A literal.
    Literal(Box<Expr>),
    /// A variant and the fields it binds.
    Variant(String, Vec<Name>),
}

/// Binary operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum BinaryOp {
    Coalesce,
    Or,
    And,
    Equal,
    NotEqual,
    LessEqual,
    GreaterEqual,
    Less,
    Greater,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

impl BinaryOp {
    /// As written.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Coalesce => "??",
            Self::Or => "||",
            Self::And => "&&",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::LessEqual => "<=",
            Self::GreaterEqual => ">=",
            Self::Less => "<",
            Self::Greater => ">",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
        }
    }
}

/// Statements and a result.
#[derive(Clone, Debug, PartialEq)]
pub struct Body {
    /// In order.
    pub statements: Vec<Statement>,
    /// What the body gives.
    pub result: Option<Box<Expr>>,
    /// Where it stands.
    pub span: Span,
}

/// A statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Statement {
    /// `a = ..` or `(a, b) = ..`
    Bind(Vec<Name>, Expr),
    /// `repeat i in 0..n @ "path" { .. }`
    Repeat(Box<Repeat>),
    /// `require condition, "message"`
    Require(Require),
    /// `probe x as "name"`
    Probe(Name, Name),
}

/// A loop over layers.
#[derive(Clone, Debug, PartialEq)]
pub struct Repeat {
    /// The index.
    pub index: Name,
    /// First index.
    pub start: Expr,
    /// One past the last index.
    pub end: Expr,
    /// Values that differ from layer to layer.
    pub values: Vec<Let>,
    /// Whether one layer's weights serve every turn.
    pub shared: bool,
    /// The layers' path, with `{i}` unless they share their weights.
    pub path: Name,
    /// One layer.
    pub body: Body,
    /// Where it stands.
    pub span: Span,
}
