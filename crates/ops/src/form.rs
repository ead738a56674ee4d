//! The form of an op's call in generated code, as data that the code generator prints.

use crate::{Float, Poly, rope};

/// How generated code calls an op.
#[derive(Clone, Debug)]
pub enum Form {
    /// A field loaded by `w.load(name, args..)` and called as `self.field.method(ctx, inputs.., stream, state)`.
    Layer {
        /// The field's type in the runtime.
        ty: &'static str,
        /// The loader's method.
        load: &'static str,
        /// Arguments of the loader after the name.
        args: Vec<Lit>,
        /// The method.
        method: &'static str,
    },
    /// A field made by `Type::new(constant)`, called as `self.field.method(ctx, x, stream)`; the first operand is taken by value.
    Helper {
        /// The field's name.
        field: &'static str,
        /// The field's type in the runtime.
        ty: &'static str,
        /// The constant it is made from.
        config: Lit,
        /// The method.
        method: &'static str,
    },
    /// `ops::name(operands.., args.., stream)`; operands are taken by value.
    Function {
        /// The function.
        name: &'static str,
        /// Arguments after the operands.
        args: Vec<Lit>,
    },
    /// `ops::name(ctx, inputs.., args.., stream, state)`; operands are borrowed.
    Source {
        /// The function.
        name: &'static str,
        /// Arguments after the operands.
        args: Vec<Lit>,
    },
    /// `x.name(args..)`; the operand is taken by value.
    Method {
        /// The method.
        name: &'static str,
        /// Arguments.
        args: Vec<Lit>,
    },
    /// `a + b`.
    Infix {
        /// The operator.
        symbol: &'static str,
        /// The right side, where it is a number.
        right: Option<Lit>,
    },
    /// A field of a token stream, e.g. `&tokens.positions`.
    StreamField {
        /// The field.
        name: &'static str,
    },
    /// `Attention::new(mask, scale)..run(ctx, &q, &k, &v, stream)`; with a rotation, `..rotated(&self.rope).run(ctx, q, k, &v, stream)`.
    Attention {
        /// The mask.
        mask: Lit,
        /// The factor on the scores.
        scale: Lit,
        /// The soft-cap on the scores.
        softcap: Option<Lit>,
        /// The factor on the slopes of linear position biases.
        alibi: Option<Lit>,
        /// The constant of the helper that rotates queries and keys.
        rope: Option<Lit>,
        /// Which rows of the tables by distance, its last two operands, stand for which distance.
        distances: Option<Lit>,
        /// Whether it reads and appends to a cache.
        cached: bool,
    },
}

impl Form {
    /// A field that is called as `self.field.forward(..)`.
    pub(crate) fn layer(ty: &'static str, load: &'static str, args: Vec<Lit>) -> Self {
        Self::Layer { ty, load, args, method: "forward" }
    }

    /// Every literal of the call.
    pub fn literals(&self) -> Vec<&Lit> {
        match self {
            Self::Layer { args, .. }
            | Self::Function { args, .. }
            | Self::Source { args, .. }
            | Self::Method { args, .. } => args.iter().collect(),
            Self::Helper { config, .. } => vec![config],
            Self::Infix { right, .. } => right.iter().collect(),
            Self::StreamField { .. } => Vec::new(),
            Self::Attention { mask, scale, softcap, alibi, rope, distances, .. } => {
                [mask, scale].into_iter().chain(softcap).chain(alibi).chain(rope).chain(distances).collect()
            }
        }
    }

    /// The field that is made from a constant, its type, and the constant.
    pub fn helper(&self) -> Option<(&'static str, &'static str, &Lit)> {
        match self {
            Self::Helper { field, ty, config, .. } => Some((field, ty, config)),
            Self::Attention { rope, .. } => rope.as_ref().map(|config| (rope::FIELD, rope::TYPE, config)),
            _ => None,
        }
    }
}

impl Lit {
    /// The names of the single-precision numbers in it.
    pub fn float_names(&self) -> Vec<&str> {
        match self {
            Self::F32(float) => float.name.as_deref().into_iter().collect(),
            Self::Apply(_, items) | Self::Array(items) | Self::Slice(items) => {
                items.iter().flat_map(Self::float_names).collect()
            }
            Self::Struct(_, fields) => fields.iter().flat_map(|(_, v)| v.float_names()).collect(),
            Self::Constant { value, .. } => value.float_names(),
            Self::Size(_) | Self::F64(_) | Self::Bool(_) | Self::Path(_) => Vec::new(),
        }
    }
}

/// A literal of generated code.
#[derive(Clone, Debug)]
pub enum Lit {
    /// A size, written with the spec's names.
    Size(Poly),
    /// A single-precision number.
    F32(Float),
    /// A double-precision number.
    F64(Float),
    /// A flag.
    Bool(bool),
    /// `Type::Name`.
    Path(String),
    /// `Type::Name(args..)`.
    Apply(String, Vec<Lit>),
    /// `Type { field: value, .. }`.
    Struct(String, Vec<(&'static str, Lit)>),
    /// `[a, b]`.
    Array(Vec<Lit>),
    /// `&[a, b]`.
    Slice(Vec<Lit>),
    /// A constant of its own in the crate's configuration.
    Constant {
        /// Its name, if free.
        name: &'static str,
        /// Its type.
        ty: &'static str,
        /// Its doc comment.
        doc: String,
        /// Its value.
        value: Box<Lit>,
    },
}

impl Lit {
    /// A single-precision number without a name.
    pub fn f32(value: f64) -> Self {
        Self::F32(Float { value, name: None })
    }
}
