//! Uses of ops: arguments are sorted into operands and attributes, and the op's own rules decide the rest.

use formwork_diag::{Diagnostic, Span};
use formwork_ops::{AttrDefault, AttrType, AttrValue, Call, Grade, InputKind, Kind, Op, OpError, Type};
use formwork_syntax::ast::Name;

use crate::call::{Given, show};
use crate::elaborate::Elaborator;
use crate::model::{Node, NodeKind, OpNode, ValueId};
use crate::value::{Tensor, Value};

struct Sorted {
    operands: Vec<Option<(Tensor, Span)>>,
    attrs: Vec<AttrValue>,
}

impl Elaborator<'_> {
    pub(crate) fn op(&mut self, op: &'static Op, given: Vec<Given>, path: Option<&Name>, span: Span) -> Value {
        if given.iter().any(|g| matches!(g.value, Value::Unknown)) {
            return Value::Unknown;
        }
        if self.frames.is_empty() {
            return self.fail(Diagnostic::new(
                "misplaced-op",
                span,
                format!("`{}` makes a tensor, and tensors exist only inside a model", op.name),
            ));
        }
        let Some(sorted) = self.sort(op, given, span) else { return Value::Unknown };
        let types: Vec<Option<Type>> = sorted.operands.iter().map(|o| o.as_ref().map(|(t, _)| t.ty.clone())).collect();
        let facts = match (op.facts)(&Call { op, inputs: &types, attrs: &sorted.attrs }) {
            Ok(facts) => facts,
            Err(error) => return self.refused(op, &error, &sorted, span),
        };
        if path.is_none() && !facts.params.is_empty() && self.frames.len() == 1 {
            return self.fail(
                Diagnostic::new("missing-path", span, format!("`{}` has parameters but no path", op.name))
                    .help("name them as the checkpoint does: `.. @ \"name\"`"),
            );
        }
        if path.is_some() && facts.params.is_empty() {
            let place = path.map_or(span, |p| p.span);
            return self.fail(Diagnostic::new(
                "misplaced-path",
                place,
                format!("`{}` has no parameters to name", op.name),
            ));
        }
        if !self.sizes_fit(op.name, &facts, span) {
            return Value::Unknown;
        }
        let Some(stream) = self.stream_for(op, &sorted, span) else { return Value::Unknown };
        let mut inputs: Vec<ValueId> = Vec::new();
        let mut operands = Vec::new();
        for operand in &sorted.operands {
            let local = operand.as_ref().and_then(|(tensor, _)| self.local(tensor));
            operands.push(local.map(|id| {
                inputs.push(id);
                inputs.len() - 1
            }));
        }
        let stream = stream.and_then(|tensor| self.local(&tensor)).map(|id| {
            inputs.push(id);
            inputs.len() - 1
        });
        let Some(frame) = self.frame() else { return Value::Unknown };
        let outputs: Vec<ValueId> = facts.outputs.iter().map(|ty| frame.value(op.name, ty.clone(), span)).collect();
        let path = path.map(|p| p.text.clone()).unwrap_or_default();
        let node = OpNode { op, path, operands, stream, arguments: sorted.attrs, facts, grade: Grade::Plain };
        frame.push(Node { kind: NodeKind::Op(node), inputs, outputs: outputs.clone(), span });
        let values: Vec<Value> = outputs.iter().map(|id| self.tensor(*id, span)).collect();
        if values.len() == 1 {
            values.into_iter().next().unwrap_or(Value::Unknown)
        } else {
            Value::Tuple(values.into())
        }
    }

    /// Sorts arguments into operands and attributes, and fills in defaults.
    fn sort(&mut self, op: &'static Op, given: Vec<Given>, span: Span) -> Option<Sorted> {
        let required: Vec<usize> = (0..op.inputs.len()).filter(|i| !op.inputs[*i].optional).collect();
        let mut operands: Vec<Option<(Tensor, Span)>> = vec![None; op.inputs.len()];
        let mut attrs: Vec<Option<AttrValue>> = vec![None; op.attrs.len()];
        for (at, argument) in given.into_iter().enumerate() {
            let (input, attr) = match &argument.name {
                Some(name) => (
                    op.inputs.iter().position(|i| i.name == name.text),
                    op.attrs.iter().position(|a| a.name == name.text),
                ),
                None if at < required.len() => (Some(required[at]), None),
                None => (None, Some(at - required.len()).filter(|a| *a < op.attrs.len())),
            };
            match (input, attr) {
                (Some(input), _) => {
                    if op.inputs[input].optional && matches!(argument.value, Value::Null) {
                        continue;
                    }
                    let tensor = self.operand(op, input, &argument)?;
                    operands[input] = Some((tensor, argument.span));
                }
                (None, Some(attr)) => attrs[attr] = Some(self.attribute(op, attr, argument)?),
                (None, None) => {
                    self.unexpected(op, &argument);
                    return None;
                }
            }
        }
        for (input, operand) in op.inputs.iter().zip(&operands) {
            if operand.is_none() && !input.optional {
                self.fail(Diagnostic::new(
                    "missing-argument",
                    span,
                    format!("`{}` needs its operand `{}`", op.name, input.name),
                ));
                return None;
            }
        }
        let mut filled = Vec::new();
        for (attr, value) in op.attrs.iter().zip(attrs) {
            let value = match (value, attr.default) {
                (Some(value), _) => value,
                (None, Some(AttrDefault::Null)) => AttrValue::Null,
                (None, Some(AttrDefault::Bool(flag))) => AttrValue::Bool(flag),
                (None, Some(AttrDefault::Int(int))) => AttrValue::Int(formwork_ops::Poly::int(int)),
                (None, Some(AttrDefault::Float(value))) => AttrValue::Float(formwork_ops::Float { value, name: None }),
                (None, None) => {
                    self.fail(Diagnostic::new(
                        "missing-argument",
                        span,
                        format!("`{}` needs `{}`", op.name, attr.name),
                    ));
                    return None;
                }
            };
            filled.push(value);
        }
        Some(Sorted { operands, attrs: filled })
    }

    fn unexpected(&mut self, op: &Op, argument: &Given) {
        let names: Vec<&str> = op.inputs.iter().map(|i| i.name).chain(op.attrs.iter().map(|a| a.name)).collect();
        self.fail(crate::call::unexpected(op.name, &names, argument));
    }

    fn operand(&mut self, op: &Op, input: usize, argument: &Given) -> Option<Tensor> {
        let declared = &op.inputs[input];
        let fits = |kind: Kind| match declared.kind {
            InputKind::Tensor => kind == Kind::F32,
            InputKind::Ids => kind != Kind::F32,
            InputKind::Tokens => kind == Kind::Tokens,
        };
        match &argument.value {
            Value::Tensor(tensor) if fits(tensor.ty.kind) => Some(tensor.clone()),
            other => {
                let wanted = match declared.kind {
                    InputKind::Tensor => "a float tensor",
                    InputKind::Ids => "ids",
                    InputKind::Tokens => "the model's tokens",
                };
                let what = format!("`{}` of `{}` must be {wanted}, not {}", declared.name, op.name, other.describe());
                self.fail(Diagnostic::new("type-mismatch", argument.span, what));
                None
            }
        }
    }

    fn attribute(&mut self, op: &Op, attr: usize, argument: Given) -> Option<AttrValue> {
        let declared = &op.attrs[attr];
        if matches!((&argument.value, declared.default), (Value::Null, Some(AttrDefault::Null))) {
            return Some(AttrValue::Null);
        }
        let ty = self.resolve_attr(declared.ty, argument.span);
        let value = self.coerce(argument.value, &ty, declared.name, argument.span).to_attr()?;
        let fits = match (declared.ty, &value) {
            (AttrType::Natural, AttrValue::Int(number)) => {
                self.at_least(0, number, &format!("`{}` of `{}`", declared.name, op.name), argument.span)
            }
            _ => self.check_attribute(op.name, declared.name, &value, argument.span),
        };
        fits.then_some(value)
    }

    /// The token stream that an op reads, found by the sequence symbol of one of its operands.
    fn stream_for(&mut self, op: &Op, sorted: &Sorted, span: Span) -> Option<Option<Tensor>> {
        let Some(operand) = op.stream_of else { return Some(None) };
        let tensor = sorted.operands.get(operand).and_then(Option::as_ref).map(|(t, _)| t)?;
        let length = tensor.ty.shape.get(1);
        let found = length.and_then(|l| self.streams.iter().find(|(symbol, _)| l.mentions(symbol)));
        match found {
            Some((_, stream)) => Some(Some(stream.clone())),
            None => {
                let what = format!("`{}` needs a token sequence, but {} has none", op.name, tensor.ty);
                self.fail(Diagnostic::new("no-sequence", span, what));
                None
            }
        }
    }

    fn refused(&mut self, op: &Op, error: &OpError, sorted: &Sorted, span: Span) -> Value {
        let at = error.input.and_then(|name| op.inputs.iter().position(|i| i.name == name));
        let place = at.and_then(|at| sorted.operands[at].as_ref()).map_or(span, |(_, span)| *span);
        let mut diagnostic = Diagnostic::new(error.code, place, error.message.clone());
        for (operand, input) in sorted.operands.iter().zip(op.inputs) {
            if let Some((tensor, _)) = operand
                && tensor.span != place
                && op.inputs.len() > 1
            {
                diagnostic = diagnostic.because(tensor.span, format!("`{}` is {}", input.name, tensor.ty));
            }
        }
        if let Some((a, b)) = error.dims.as_deref() {
            diagnostic = diagnostic.label(if a == b { show(a) } else { format!("{} against {}", show(a), show(b)) });
            diagnostic = self.explain(diagnostic, &[a, b]);
        }
        self.fail(diagnostic.maybe_help(error.help.clone()))
    }
}
