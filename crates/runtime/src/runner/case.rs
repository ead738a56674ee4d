//! Inputs from a safetensors file: a main case, and sub-cases under prefixes.

use std::collections::BTreeSet;

use formwork_ops::{CacheFormat, Room};
use formwork_tensor::{Context, Error, Ids, Record, Result, Tensor};

use crate::inputs::Request;
use crate::model::Model;
use crate::sampling::Sampling;
use crate::session::Session;
use crate::weights::SafeTensors;
use crate::weights::writer::{Numbers, Output};

/// What a case may hold for a model to read.
pub(super) const INPUTS: [&str; 5] = ["input_ids", "attention_mask", "token_type_ids", "decoder_input_ids", "features"];

/// The inputs of one case.
pub(super) struct Case {
    /// Empty, or a name and a dot.
    pub(super) prefix: String,
    ids: Ids,
    pub(super) mask: Option<Vec<bool>>,
    types: Option<Ids>,
    decoder: Option<Ids>,
    /// Numbers `[B, P, width]`: their shape, and themselves.
    features: Option<([usize; 3], Vec<f32>)>,
}

/// The main case first, then its sub-cases.
pub(super) fn read(file: &SafeTensors) -> Result<Vec<Case>> {
    let prefixes: BTreeSet<&str> = file
        .names()
        .flat_map(|name| INPUTS.iter().filter_map(|input| name.strip_suffix(input)))
        .filter(|prefix| prefix.is_empty() || prefix.ends_with('.'))
        .collect();
    if prefixes.is_empty() {
        let message = format!("{} holds no input_ids", file.path().display());
        return Err(Error::new("missing-input", message));
    }
    prefixes.into_iter().map(|prefix| case(file, prefix)).collect()
}

/// One case; what it lacks it takes from the main one.
fn case(file: &SafeTensors, prefix: &str) -> Result<Case> {
    let find = |input: &str| -> Result<Option<Ids>> {
        match ids(file, &format!("{prefix}{input}"))? {
            Some(own) => Ok(Some(own)),
            None => ids(file, input),
        }
    };
    let [Some(ids), mask, types, decoder] =
        [find("input_ids")?, find("attention_mask")?, find("token_type_ids")?, find("decoder_input_ids")?]
    else {
        return Err(Error::new("missing-input", format!("there is no `{prefix}input_ids`")));
    };
    if let Some(mask) = &mask
        && (mask.batch(), mask.len()) != (ids.batch(), ids.len())
    {
        let message = format!("`{prefix}attention_mask` and input_ids differ in shape");
        return Err(Error::new("mask-shape", message));
    }
    let mask = mask.map(|mask| padding(&mask)).transpose()?;
    let features =
        [format!("{prefix}features"), "features".into()].iter().find_map(|name| numbers(file, name).transpose());
    Ok(Case { prefix: prefix.to_string(), ids, mask, types, decoder, features: features.transpose()? })
}

/// Which slots hold tokens: 1 says so, 0 says padding, and nothing else is a mask.
fn padding(mask: &Ids) -> Result<Vec<bool>> {
    let slot = |x: &u32| match x {
        0 => Ok(false),
        1 => Ok(true),
        other => {
            let message = format!("attention_mask holds {other}; it is 1 at tokens and 0 at padding");
            Err(Error::new("mask-value", message))
        }
    };
    mask.data().iter().map(slot).collect()
}

/// Floats `[B, P, width]` of a file.
pub(super) fn numbers(file: &SafeTensors, name: &str) -> Result<Option<([usize; 3], Vec<f32>)>> {
    let Some((dtype, dims)) = file.describe(name) else {
        return Ok(None);
    };
    let (Ok(dims), Some(found)) = (<[usize; 3]>::try_from(dims), file.param(name)) else {
        return Err(Error::new("input-shape", format!("`{name}` is {dtype} {dims:?}, not floats [B, P, width]")));
    };
    Ok(Some((dims, found.to_f32().into_owned())))
}

/// Integers `[B, S]` (or `[S]`) of a file as ids.
fn ids(file: &SafeTensors, name: &str) -> Result<Option<Ids>> {
    let Some((dtype, dims)) = file.describe(name) else {
        return Ok(None);
    };
    let Some(integers) = file.integers(name) else {
        let message = format!("`{name}` is {dtype}; ids are I64");
        return Err(Error::new("input-dtype", message));
    };
    let batch = match dims {
        [_] => 1,
        [batch, _] => *batch,
        _ => {
            return Err(Error::new("input-shape", format!("`{name}` is {dims:?}, not [B, S]")));
        }
    };
    let id = |x: i64| {
        let message = || format!("`{name}` holds {x}, which is no id");
        u32::try_from(x).map_err(|_| Error::new("token-out-of-range", message()))
    };
    let data: Result<Vec<u32>> = integers.into_iter().map(id).collect();
    Ids::new(data?, batch).map(Some)
}

impl Case {
    /// A case of ids, and for a decoder of its own those that it continues.
    pub(super) fn of(ids: Ids, decoder: Option<Ids>) -> Self {
        Self { prefix: String::new(), ids, mask: None, types: None, decoder, features: None }
    }

    /// The model's outputs for the whole case under the case's prefix: its result, its other named
    /// outputs, and with `hidden` every probe.
    pub(super) fn answer<M: Model>(
        &self,
        model: &M,
        ctx: &Context,
        hidden: bool,
        format: CacheFormat,
    ) -> Result<Vec<Output>> {
        ctx.record(if hidden { Record::Everything } else { Record::Outputs });
        let (batch, inputs, len) = self.request::<M>(ctx)?;
        let mut cache = M::cache(batch, Room { tokens: len, format });
        let output = model.forward(ctx, &inputs, &mut cache);
        let probes = ctx.take_probes();
        ctx.record(Record::Nothing);
        ctx.take_failure()?;
        let named = |name: &str, tensor: &formwork_tensor::Tensor| Output {
            name: format!("{}{name}", self.prefix),
            dims: tensor.shape().to_vec(),
            numbers: Numbers::Floats(tensor.data().to_vec()),
        };
        let mut outputs = vec![named(M::INFO.output, &output)];
        outputs.extend(probes.iter().map(|(name, tensor)| named(name, tensor)));
        Ok(outputs)
    }

    /// The batch size, the inputs, and the length of the longest stream.
    fn request<M: Model>(&self, ctx: &Context) -> Result<(usize, crate::inputs::Inputs, usize)> {
        let mut request = match (decodes::<M>(), &self.decoder) {
            (false, _) => {
                let mut request = Request::new(self.ids.clone(), 0);
                request.mask = self.mask.clone();
                request.types = self.types.clone();
                request
            }
            (true, Some(decoder)) => {
                let mut request = Request::new(decoder.clone(), 0);
                request.source = Some((self.ids.clone(), self.mask.clone()));
                request
            }
            (true, None) => {
                return Err(Error::new("missing-input", "the model needs decoder_input_ids"));
            }
        };
        request.features = self.features.as_ref().map(|(dims, numbers)| ctx.from_slice(dims, numbers));
        let (batch, len) = (request.ids.batch(), request.ids.len().max(self.ids.len()));
        Ok((batch, request.inputs::<M>()?, len))
    }

    /// Row 0 continued by `count` likeliest ids: `greedy.ids` and `greedy.logits`.
    pub(super) fn greedy<M: Model>(
        &self,
        model: &M,
        ctx: &Context,
        count: usize,
        format: CacheFormat,
    ) -> Result<Vec<Output>> {
        let row = match &self.mask {
            None => self.ids.row(0).to_vec(),
            Some(mask) => {
                let tokens = self.ids.row(0).iter().zip(mask);
                tokens.filter(|token| *token.1).map(|token| *token.0).collect()
            }
        };
        let prompt = match (decodes::<M>(), &self.decoder) {
            (false, _) => row.clone(),
            (true, Some(decoder)) => decoder.row(0)[..1].to_vec(),
            (true, None) => {
                return Err(Error::new("missing-input", "the model needs decoder_input_ids"));
            }
        };
        let mut session = Session::new(model, ctx, Room { tokens: prompt.len() + count, format })?;
        if decodes::<M>() {
            session = session.with_source(&row)?;
        }
        if let Some(features) = self.first_features(ctx) {
            session = session.with_features(features);
        }
        let mut generation = session.generate(&prompt, count, Sampling::default())?;
        let (mut ids, mut logits) = (Vec::new(), Vec::new());
        while let Some(step) = generation.next_with_logits() {
            let (id, row) = step?;
            ids.push(i64::from(id));
            logits.extend(row);
        }
        let output = |name: &str, dims: &[usize], numbers| Output {
            name: format!("{}greedy.{name}", self.prefix),
            dims: dims.to_vec(),
            numbers,
        };
        let width = logits.len() / count.max(1);
        Ok(vec![
            output("ids", &[count], Numbers::Integers(ids)),
            output("logits", &[count, width], Numbers::Floats(logits)),
        ])
    }
}

impl Case {
    /// The numbers of row 0.
    fn first_features(&self, ctx: &Context) -> Option<Tensor> {
        let ([_, rows, width], numbers) = self.features.as_ref()?;
        Some(ctx.from_slice(&[1, *rows, *width], numbers.get(..rows * width)?))
    }
}

/// Whether the model has a decoder beside its encoder.
pub(super) fn decodes<M: Model>() -> bool {
    M::INFO.inputs.contains(&"decoder_input_ids")
}
