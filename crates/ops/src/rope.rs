//! Rotary position embedding of queries and keys.

use crate::{Attr, AttrType, AttrValue, Call, Facts, Float, Flops, Form, Input, Lit, Op, OpError, Poly};

#[cfg(feature = "kernels")]
mod kernel;
#[cfg(feature = "kernels")]
mod scaling;
#[cfg(feature = "kernels")]
pub(crate) use kernel::Turns;
#[cfg(feature = "kernels")]
pub use kernel::{Rope, RopeConfig, RopeLayout, RopeScaling};

/// The field of generated code that rotates, and its type.
pub(crate) const FIELD: &str = "rope";
pub(crate) const TYPE: &str = "Rope";

pub(crate) static ROPE: Op = Op {
    name: "rope",
    summary: "rotate pairs of features by position · theta^(-2i/d_rot)",
    source: "Su et al. 2021, arXiv:2104.09864; scalings as in transformers' modeling_rope_utils",
    inputs: &[Input::tensor("x")],
    attrs: &[Attr::required("config", AttrType::Declared("rope_config"))],
    stream_of: Some(0),
    packs: true,
    facts,
};

fn facts(call: &Call<'_>) -> Result<Facts, OpError> {
    let (work, config) = rotate(call, "x", call.attr("config"))?;
    Ok(Facts {
        outputs: vec![call.input("x")?.clone()],
        params: Vec::new(),
        flops: Flops::pointwise(work, Poly::zero()),
        state: None,
        form: Form::Helper { field: FIELD, ty: TYPE, config, method: "apply" },
    })
}

/// The work of rotating an operand, and the constant that says how.
pub(crate) fn rotate(call: &Call<'_>, operand: &'static str, config: &AttrValue) -> Result<(Poly, Lit), OpError> {
    let x = call.input(operand)?;
    if x.shape.len() != 4 {
        let message = format!("`rope` takes [B, S, heads, d_head], not {x}");
        return Err(OpError::new(message).at(operand).help("split the heads first: `|> heads(n)`"));
    }
    let d_rot = match config.field("d_rot") {
        Some(AttrValue::Int(d)) => d.clone(),
        _ => x.last(),
    };
    let (rotated, width) = (d_rot.constant().unwrap_or(0), x.last().constant().unwrap_or(0));
    if rotated % 2 != 0 || rotated <= 0 {
        let message = format!("the rotated width must be even and positive, not {rotated}");
        return Err(OpError::size(message, &d_rot).at(operand));
    }
    if rotated > width {
        let message = format!("the rotated width {d_rot} is larger than the head width {}", x.last());
        return Err(OpError::unequal(message, &d_rot, &x.last()).at(operand));
    }
    Ok((&(&x.rows() * &d_rot) * &Poly::int(3), constant(config, d_rot)?))
}

pub(crate) fn constant(config: &AttrValue, d_rot: Poly) -> Result<Lit, OpError> {
    let layout = match config.field("layout") {
        Some(AttrValue::Variant(name, _)) if name == "interleaved" => "RopeLayout::Interleaved",
        Some(AttrValue::Variant(name, _)) if name == "pairs_to_halves" => "RopeLayout::PairsToHalves",
        Some(AttrValue::Variant(name, _)) if name == "half_swapped" => "RopeLayout::HalfSwapped",
        _ => "RopeLayout::HalfSplit",
    };
    let trailing = matches!(config.field("trailing"), Some(AttrValue::Bool(true)));
    let value = Lit::Struct(
        "RopeConfig".into(),
        vec![
            ("d_rot", Lit::Size(d_rot)),
            ("trailing", Lit::Bool(trailing)),
            ("theta", number(config, "theta")?),
            ("layout", Lit::Path(layout.into())),
            ("scaling", scaling(config.field("scaling"))?),
        ],
    );
    Ok(Lit::Constant {
        name: "ROPE",
        ty: "RopeConfig",
        doc: "Rotary position embedding.".into(),
        value: Box::new(value),
    })
}

fn scaling(value: Option<&AttrValue>) -> Result<Lit, OpError> {
    let Some(AttrValue::Variant(name, _)) = value else {
        return Ok(Lit::Path("RopeScaling::None".into()));
    };
    let value = value.unwrap_or(&AttrValue::Null);
    let (variant, fields): (&str, &[&'static str]) = match name.as_str() {
        "linear" => ("Linear", &["factor"]),
        "dynamic" => ("DynamicNtk", &["factor", "original_max"]),
        "llama3" => ("Llama3", &["factor", "low_freq_factor", "high_freq_factor", "original_max"]),
        "yarn" => ("Yarn", &["factor", "beta_fast", "beta_slow", "original_max", "attention_factor", "truncate"]),
        "longrope" => ("LongRope", &["short", "long", "original_max", "attention_factor"]),
        _ => return Ok(Lit::Path("RopeScaling::None".into())),
    };
    let fields = fields.iter().map(|f| Ok((*f, number(value, f)?))).collect::<Result<_, OpError>>()?;
    Ok(Lit::Struct(format!("RopeScaling::{variant}"), fields))
}

/// A field as a literal: sizes as sizes, everything else as double precision.
fn number(config: &AttrValue, name: &str) -> Result<Lit, OpError> {
    let missing = || OpError::new(format!("the rotary configuration has no `{name}`"));
    match config.field(name).ok_or_else(missing)? {
        AttrValue::Bool(flag) => Ok(Lit::Bool(*flag)),
        AttrValue::List(items) => {
            let items = items.iter().map(|v| v.number().map(|value| Lit::F64(Float { value, name: None })));
            Ok(Lit::Slice(items.collect::<Option<_>>().ok_or_else(missing)?))
        }
        AttrValue::Int(size) if name == "original_max" => Ok(Lit::Size(size.clone())),
        AttrValue::Float(float) => Ok(Lit::F64(float.clone())),
        other => Ok(Lit::F64(Float { value: other.number().ok_or_else(missing)?, name: None })),
    }
}
