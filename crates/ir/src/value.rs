//! Values of the static stage, and handles of tensors.

use std::cell::RefCell;
use std::rc::Rc;

use formwork_diag::Span;
use formwork_ops::{AttrValue, Float, Op, Poly, Type};
use formwork_syntax::ast::{Block, Body, Enum, Function, Name, Record};
use formwork_syntax::data::Data;

use crate::model::ValueId;
use crate::scope::Scope;

/// A value while a family is being applied.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// The result of something that was already reported; it silences what follows from it.
    Unknown,
    Null,
    Bool(bool),
    /// A whole number with the names it was made from.
    Int(Poly),
    /// An exact fraction that is not whole.
    Ratio(i128, i128),
    Float(Float),
    Str(Rc<str>),
    List(Rc<Vec<Value>>),
    Tuple(Rc<Vec<Value>>),
    Record(Rc<Fields>),
    Variant(Rc<Variant>),
    /// An object of a JSON file; it remembers which keys were read.
    Object(Rc<Object>),
    Callable(Callable),
    Tensor(Tensor),
}

pub(crate) type Fields = Vec<(String, Value)>;

#[derive(Debug)]
pub(crate) struct Variant {
    pub(crate) decl: Rc<Enum>,
    pub(crate) name: String,
    pub(crate) fields: Fields,
}

#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) data: Data,
    pub(crate) path: String,
    pub(crate) read: Rc<RefCell<Vec<String>>>,
}

#[derive(Clone, Debug)]
pub(crate) enum Callable {
    Block(Rc<Block>),
    Function(Rc<Function>),
    Record(Rc<Record>),
    Lambda(Rc<Lambda>),
    Op(&'static Op),
    Builtin(&'static str),
}

#[derive(Debug)]
pub(crate) struct Lambda {
    pub(crate) params: Vec<Name>,
    pub(crate) body: Body,
    pub(crate) scope: Scope,
}

/// A handle of a value of some frame's dataflow.
#[derive(Clone, Debug)]
pub(crate) struct Tensor {
    pub(crate) frame: u64,
    pub(crate) id: ValueId,
    pub(crate) ty: Type,
    pub(crate) span: Span,
}

impl Value {
    pub(crate) fn int(value: i128) -> Self {
        Self::Int(Poly::int(value))
    }

    pub(crate) fn float(value: f64) -> Self {
        Self::Float(Float { value, name: None })
    }

    /// A noun for messages.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Unknown => "an unknown value".into(),
            Self::Null => "null".into(),
            Self::Bool(b) => format!("the boolean `{b}`"),
            Self::Int(p) => format!("the integer {}", p.constant().unwrap_or(0)),
            Self::Ratio(n, d) => format!("the fraction {n}/{d}"),
            Self::Float(f) => format!("the float {}", f.value),
            Self::Str(s) => format!("the string \"{s}\""),
            Self::List(_) => "a list".into(),
            Self::Tuple(items) => format!("{} values", items.len()),
            Self::Record(_) => "a record".into(),
            Self::Variant(v) => format!("`{}` of `{}`", v.name, v.decl.name.text),
            Self::Object(_) => "an object".into(),
            Self::Callable(_) => "a block".into(),
            Self::Tensor(t) => format!("a tensor {}", t.ty),
        }
    }

    /// As a double, for mixed arithmetic.
    #[expect(clippy::cast_precision_loss, reason = "sizes of models are far below 2^53")]
    pub(crate) fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Int(p) => p.constant().map(|v| v as f64),
            Self::Ratio(n, d) => Some(*n as f64 / *d as f64),
            Self::Float(f) => Some(f.value),
            _ => None,
        }
    }

    /// Whether it stands for a different number in each layer of a loop, so that nothing can be computed from it.
    pub(crate) fn is_per_layer(&self) -> bool {
        matches!(self, Self::Float(f) if f.name.as_ref().is_some_and(|n| n.starts_with(crate::model::PER_LAYER)))
    }

    /// Equality of static values; tensors and blocks are never equal.
    pub(crate) fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a.same(b),
            (Self::Ratio(a, b), Self::Ratio(c, d)) => (a, b) == (c, d),
            (Self::Str(a), Self::Str(b)) => a == b,
            (Self::List(a), Self::List(b)) => a.len() == b.len() && a.iter().zip(b.iter()).all(|(x, y)| x.equals(y)),
            (Self::Record(a), Self::Record(b)) => fields_equal(a, b),
            (Self::Variant(a), Self::Variant(b)) => a.name == b.name && fields_equal(&a.fields, &b.fields),
            (Self::Float(_), _) | (_, Self::Float(_)) => match (self.as_f64(), other.as_f64()) {
                (Some(a), Some(b)) => a.to_bits() == b.to_bits() || a == b,
                _ => false,
            },
            _ => false,
        }
    }

    /// The form that ops and reports understand; `None` for tensors, blocks and what was already reported.
    pub(crate) fn to_attr(&self) -> Option<AttrValue> {
        let fields = |fields: &Fields| -> Option<Vec<(String, AttrValue)>> {
            fields.iter().map(|(n, v)| Some((n.clone(), v.to_attr()?))).collect()
        };
        Some(match self {
            Self::Null => AttrValue::Null,
            Self::Bool(b) => AttrValue::Bool(*b),
            Self::Int(p) => AttrValue::Int(p.clone()),
            Self::Ratio(..) => AttrValue::Float(Float { value: self.as_f64()?, name: None }),
            Self::Float(f) => AttrValue::Float(f.clone()),
            Self::Str(s) => AttrValue::Str(s.to_string()),
            Self::List(items) => AttrValue::List(items.iter().map(Self::to_attr).collect::<Option<_>>()?),
            Self::Record(record) => AttrValue::Record(fields(record)?),
            Self::Variant(v) => AttrValue::Variant(v.name.clone(), fields(&v.fields)?),
            Self::Unknown | Self::Tuple(_) | Self::Object(_) | Self::Callable(_) | Self::Tensor(_) => return None,
        })
    }
}

fn fields_equal(a: &Fields, b: &Fields) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|((n, x), (m, y))| n == m && x.equals(y))
}
