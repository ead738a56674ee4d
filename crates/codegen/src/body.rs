//! A module's dataflow as statements.

use std::collections::BTreeMap;

use formwork_ir::{Model, Module, ModuleId, Node, NodeKind, OpNode, Repeat, ValueId};
use formwork_ops::{Form, Kind, Lit};
use proc_macro2::{Literal, TokenStream};
use quote::quote;

use crate::cache::access;
use crate::constants::Constants;
use crate::flow::{Flow, Take, takes};
use crate::layout::{Layout, Layouts, NodeKey};
use crate::names::{ident, snake};

/// What a name stands for in the function.
#[derive(Clone, Debug)]
enum Binding {
    /// An owned local.
    Owned(String),
    /// A reference: a parameter, or a kept value.
    Borrowed(String),
    /// An expression that is written where it is used.
    Expression { tokens: TokenStream, is_sum: bool },
}

/// Prints one module's dataflow.
pub(crate) struct BodyWriter<'a> {
    model: &'a Model,
    layouts: &'a Layouts,
    constants: &'a Constants<'a>,
    module: &'a Module,
    layout: &'a Layout,
    bindings: BTreeMap<ValueId, Binding>,
    out: Vec<TokenStream>,
}

impl<'a> BodyWriter<'a> {
    pub(crate) fn new(model: &'a Model, layouts: &'a Layouts, constants: &'a Constants<'a>, id: ModuleId) -> Self {
        let module = model.module(id);
        Self { model, layouts, constants, module, layout: layouts.get(id), bindings: BTreeMap::new(), out: Vec::new() }
    }

    /// The names of the module's parameters, in order, each given once.
    pub(crate) fn parameter_names(module: &Module) -> Vec<String> {
        crate::structs::distinct_names(module.inputs.iter().map(|id| snake(&module.value(*id).name)).collect())
    }

    /// The statements and the result.
    pub(crate) fn write(mut self) -> TokenStream {
        let names = Self::parameter_names(self.module);
        for (id, name) in self.module.inputs.iter().zip(names) {
            self.bindings.insert(*id, Binding::Borrowed(name));
        }
        let module = self.module;
        let result = self.list(&module.nodes, &module.outputs, 0);
        let statements = self.out;
        quote!(#(#statements)* #result)
    }

    /// The statements of a list of nodes, and the expression of its results.
    fn list(&mut self, nodes: &[Node], results: &[ValueId], once: usize) -> TokenStream {
        let flow = Flow::of(self.model, self.module, nodes, results);
        for (at, node) in nodes.iter().enumerate() {
            self.node(node, (at, once), nodes, &flow);
        }
        let end = nodes.len();
        let results: Vec<TokenStream> = results.iter().map(|id| self.take(*id, Take::Move, end, &flow)).collect();
        match results.as_slice() {
            [one] => quote!(#one),
            many => quote!((#(#many),*)),
        }
    }

    fn node(&mut self, node: &Node, key: NodeKey, nodes: &[Node], flow: &Flow) {
        let statement = flow.statement[key.0];
        let expression = match &node.kind {
            NodeKind::Op(op) => self.op(node, op, key, statement, flow),
            NodeKind::Call(child) => self.call(node, *child, key, statement, flow),
            NodeKind::Once(inner) => self.once(node, inner, key),
            NodeKind::Together(inner) => self.together(node, inner, key, statement, flow),
            NodeKind::Probe(name, index) => {
                let x = self.take(node.inputs[0], Take::Borrow, statement, flow);
                self.out.push(match index {
                    Some(index) => {
                        let index = self.constants.size(index);
                        quote!(ctx.probe(#name, #index, #x);)
                    }
                    None => quote!(ctx.probe_one(#name, #x);),
                });
                return;
            }
            NodeKind::Repeat(repeat) => return self.repeat(node, repeat, key, statement, flow),
        };
        if let [output] = node.outputs.as_slice()
            && flow.inlined.contains_key(output)
        {
            let is_sum = is_sum(node);
            self.bindings.insert(*output, Binding::Expression { tokens: expression, is_sum });
            return;
        }
        self.bind(node, expression, key, nodes, flow);
    }

    /// `let name = expression;`
    fn bind(&mut self, node: &Node, expression: TokenStream, key: NodeKey, nodes: &[Node], flow: &Flow) {
        let borrowed = matches!(node.kind, NodeKind::Once(_));
        let mut names: Vec<String> = Vec::new();
        for id in &node.outputs {
            // Each is bound before the next is named: blocks of one caller may call their values alike.
            let name = self.pick_name(*id, node, key, flow);
            let binding = if borrowed { Binding::Borrowed(name.clone()) } else { Binding::Owned(name.clone()) };
            self.bindings.insert(*id, binding);
            names.push(name);
        }
        let idents: Vec<_> = names.iter().map(|n| ident(n)).collect();
        let is_array = match &node.kind {
            NodeKind::Op(op) => matches!(op.facts.form, Form::Method { name: "split", .. }),
            kind => matches!(kind, NodeKind::Together(_)),
        };
        // A loop updates in place what has the name that it carries on.
        let carried = |id: &ValueId, name: &String| {
            let loops = nodes.iter().filter(|n| matches!(n.kind, NodeKind::Repeat(_)));
            loops
                .flat_map(|n| n.inputs.iter().zip(&n.outputs))
                .any(|(input, output)| input == id && snake(&self.module.value(*output).name) == *name)
        };
        let is_carried = node.outputs.iter().zip(&names).any(|(id, name)| carried(id, name));
        self.out.push(match idents.as_slice() {
            [name] if is_carried => quote!(let mut #name = #expression;),
            [name] => quote!(let #name = #expression;),
            many if is_array => quote!(let [#(#many),*] = #expression;),
            many => quote!(let (#(#many),*) = #expression;),
        });
    }

    /// The spec's name for a value, or one that says what made it; never one that is still needed.
    fn pick_name(&self, id: ValueId, node: &Node, key: NodeKey, flow: &Flow) -> String {
        let value = &self.module.value(id).name;
        let stem = match &node.kind {
            NodeKind::Op(op) if *value == op.op.name => match &op.facts.form {
                Form::Layer { ty, .. } if ty.ends_with("Norm") => "h".to_string(),
                Form::Attention { .. } => "y".to_string(),
                Form::Layer { .. } => self.layout.field_of.get(&key).cloned().unwrap_or_else(|| snake(value)),
                Form::Helper { .. } | Form::Function { .. } | Form::Method { .. } => self.operand_name(node),
                _ => snake(value),
            },
            _ => snake(value),
        };
        let statement = flow.statement[key.0];
        let busy = |name: &str| {
            self.bindings.iter().any(|(other, binding)| match binding {
                Binding::Owned(n) | Binding::Borrowed(n) => {
                    n == name && flow.last_use.get(other).is_some_and(|last| *last > statement)
                }
                Binding::Expression { .. } => false,
            })
        };
        let mut name = stem.clone();
        let mut n = 2;
        while busy(&name) {
            name = format!("{stem}_{n}");
            n += 1;
        }
        name
    }

    /// The name of the local that an op changes in place, `y` if it has none.
    fn operand_name(&self, node: &Node) -> String {
        match node.inputs.first().and_then(|id| self.bindings.get(id)) {
            Some(Binding::Owned(name)) => name.clone(),
            _ => "y".to_string(),
        }
    }

    /// An operand, as its user takes it.
    fn take(&self, id: ValueId, take: Take, statement: usize, flow: &Flow) -> TokenStream {
        let last = flow.is_last(id, statement);
        match (self.bindings.get(&id), take) {
            (Some(Binding::Expression { tokens, is_sum: true }), Take::Borrow) => quote!(&(#tokens)),
            (Some(Binding::Expression { tokens, .. }), Take::Borrow) if is_reference(tokens) => tokens.clone(),
            (Some(Binding::Expression { tokens, .. }), Take::Borrow) => quote!(&#tokens),
            (Some(Binding::Expression { tokens, .. }), _) => tokens.clone(),
            (Some(Binding::Owned(name)), take) => {
                let name = ident(name);
                match (take, last) {
                    (Take::Borrow, _) | (Take::Infix, false) => quote!(&#name),
                    (Take::Move, false) => quote!(#name.clone()),
                    (Take::Move | Take::Infix, true) => quote!(#name),
                }
            }
            (Some(Binding::Borrowed(name)), take) => {
                let name = ident(name);
                if take == Take::Move { quote!(#name.clone()) } else { quote!(#name) }
            }
            (None, _) => quote!(compile_error!("a value is used before it is made")),
        }
    }

    fn operands(&self, node: &Node, statement: usize, flow: &Flow) -> Vec<TokenStream> {
        let takes = takes(node);
        node.inputs.iter().zip(takes).map(|(id, take)| self.take(*id, take, statement, flow)).collect()
    }

    fn op(&self, node: &Node, op: &OpNode, key: NodeKey, statement: usize, flow: &Flow) -> TokenStream {
        let inputs = self.operands(node, statement, flow);
        let operand = |at: usize| op.operands.get(at).copied().flatten().map(|slot| inputs[slot].clone());
        let given: Vec<TokenStream> = (0..op.operands.len()).filter_map(operand).collect();
        let stream = op.stream.map(|slot| inputs[slot].clone());
        let first = given.first().cloned().unwrap_or_default();
        let field = self.layout.field_of.get(&key).map(|f| ident(f));
        let args = |args: &[Lit]| args.iter().map(|a| self.constants.lit(a, op.op.name)).collect::<Vec<_>>();
        match &op.facts.form {
            Form::Layer { method, .. } => {
                let (method, given) = (ident(method), self.layer_operands(node, op, given));
                if node.outputs.iter().any(|id| self.module.value(*id).ty.kind == Kind::Normed) {
                    return quote!(self.#field.#method(#(#given),*));
                }
                let given = given.into_iter().chain(stream).chain(self.state_of(op, key));
                quote!(self.#field.#method(ctx, #(#given),*))
            }
            Form::Helper { method, .. } => {
                let method = ident(method);
                quote!(self.#field.#method(ctx, #first, #stream))
            }
            Form::Function { name, args: a } => {
                let (name, args) = (ident(name), args(a));
                let given = given.into_iter().chain(args).chain(stream);
                quote!(ops::#name(#(#given),*))
            }
            Form::Source { name, args: a } => {
                let (name, args) = (ident(name), args(a));
                let given = given.into_iter().chain(args).chain(stream).chain(self.state_of(op, key));
                quote!(ops::#name(ctx, #(#given),*))
            }
            Form::Method { name, args: a } => {
                let (name, args) = (ident(name), args(a));
                let receiver = receiver(&first, self.is_infix(node.inputs.first().copied()));
                quote!(#receiver.#name(#(#args),*))
            }
            Form::Infix { symbol, right } => self.infix(node, symbol, right.as_ref(), &given),
            Form::StreamField { name } => {
                let name = ident(name);
                quote!(&#first.#name)
            }
            Form::Attention { mask, scale, softcap, alibi, rope, distances, cached } => {
                let (mask, scale) = (self.constants.lit(mask, "window"), self.constants.lit(scale, "attention_scale"));
                let softcap =
                    softcap.as_ref().map(|c| self.constants.lit(c, "attention_softcap")).map(|c| quote!(.softcap(#c)));
                let alibi = alibi.as_ref().map(|a| self.constants.lit(a, "alibi_factor")).map(|a| quote!(.alibi(#a)));
                let bias = operand(3).map(|b| quote!(.bias(#b)));
                let sinks = operand(4).map(|s| quote!(.sinks(#s)));
                let table = |at| operand(at).map_or(quote!(None), |table| quote!(Some(#table)));
                let distances = distances.as_ref().map(|it| self.constants.lit(it, "distances"));
                let by_distance =
                    distances.map(|it| (it, table(5), table(6))).map(|(it, q, k)| quote!(.by_distance(#it, #q, #k)));
                let cache = cached.then(|| access(self.layout, key, true)).map(|c| quote!(.cached(#c)));
                let (q, k, v) = (operand(0), operand(1), operand(2));
                let rotated = rope.as_ref().map(|_| quote!(.rotated(&self.#field)));
                quote!(Attention::new(#mask, #scale) #softcap #alibi #bias #sinks #by_distance #cache #rotated .run(ctx, #q, #k, #v, #stream))
            }
        }
    }

    /// The state that an op reads and writes, if it has one.
    fn state_of(&self, op: &OpNode, key: NodeKey) -> Option<TokenStream> {
        op.facts.state.as_ref().map(|_| access(self.layout, key, true))
    }

    /// A table is indexed by the stream's ids; other layers take what they are given.
    fn layer_operands(&self, node: &Node, op: &OpNode, given: Vec<TokenStream>) -> Vec<TokenStream> {
        let kinds = op.operands.iter().flatten().map(|slot| self.module.value(node.inputs[*slot]).ty.kind);
        let wants = op.op.inputs.iter().map(|i| i.kind);
        given
            .into_iter()
            .zip(kinds.zip(wants))
            .map(|(tokens, (kind, wants))| match (kind, wants) {
                (Kind::Tokens, formwork_ops::InputKind::Ids) => quote!(&#tokens.ids),
                _ => tokens,
            })
            .collect()
    }

    fn is_infix(&self, id: Option<ValueId>) -> bool {
        matches!(id.and_then(|id| self.bindings.get(&id)), Some(Binding::Expression { is_sum: true, .. }))
    }

    fn infix(&self, node: &Node, symbol: &str, right: Option<&Lit>, given: &[TokenStream]) -> TokenStream {
        let product = symbol == "*";
        let grouped = |at: usize, tokens: &TokenStream| {
            let sum = self.is_infix(node.inputs.get(at).copied());
            if sum && (product || at > 0) { quote!((#tokens)) } else { tokens.clone() }
        };
        let a = given.first().map(|t| grouped(0, t)).unwrap_or_default();
        let b = match (right, given.get(1)) {
            (Some(lit), _) => self.constants.lit(lit, "factor"),
            (None, Some(b)) => grouped(1, b),
            (None, None) => TokenStream::new(),
        };
        match symbol {
            "*" => quote!(#a * #b),
            "-" => quote!(#a - #b),
            _ => quote!(#a + #b),
        }
    }

    fn call(&self, node: &Node, child: ModuleId, key: NodeKey, statement: usize, flow: &Flow) -> TokenStream {
        let inputs = self.operands(node, statement, flow);
        let field = self.layout.field_of.get(&key).map(|f| ident(f));
        let cache = self.layouts.is_stateful(child).then(|| access(self.layout, key, true)).map(|c| quote!(, #c));
        quote!(self.#field.forward(ctx, #(#inputs),* #cache))
    }

    /// `Type::forward_all(ctx, [&self.a, &self.b], x)`, or `Type::forward_gated(.., Gate::Silu)`.
    fn together(&self, node: &Node, inner: &[Node], key: NodeKey, statement: usize, flow: &Flow) -> TokenStream {
        let x = self.take(node.inputs[0], Take::Borrow, statement, flow);
        let fields = (0..inner.len()).filter_map(|at| self.layout.field_of.get(&(at, key.0 + 1))).map(|f| ident(f));
        let ty = inner.iter().find_map(layer_type).map(ident);
        let gate = inner.iter().find_map(|node| match &node.kind {
            NodeKind::Op(op) => formwork_ops::activation::gate(op.op),
            _ => None,
        });
        match gate.map(|gate| self.constants.lit(&Lit::Path(gate.into()), "gate")) {
            Some(gate) => quote!(#ty::forward_gated(ctx, [#(&self.#fields),*], #x, #gate)),
            None => quote!(#ty::forward_all(ctx, [#(&self.#fields),*], #x)),
        }
    }

    fn once(&mut self, node: &Node, inner: &[Node], key: NodeKey) -> TokenStream {
        let slot = access(self.layout, key, false);
        let before = std::mem::take(&mut self.out);
        let kept = self.bindings.clone();
        let result = self.list(inner, &node.outputs, key.0 + 1);
        self.bindings = kept;
        let statements = std::mem::replace(&mut self.out, before);
        if statements.is_empty() {
            quote!(#slot.get(|| #result))
        } else {
            quote!(#slot.get(|| { #(#statements)* #result }))
        }
    }

    fn repeat(&mut self, node: &Node, repeat: &Repeat, key: NodeKey, statement: usize, flow: &Flow) {
        let names: Vec<String> = node.outputs.iter().map(|id| snake(&self.module.value(*id).name)).collect();
        for ((input, output), name) in node.inputs.iter().zip(&node.outputs).zip(&names) {
            let in_place = matches!(self.bindings.get(input), Some(Binding::Owned(n)) if n == name)
                && flow.is_last(*input, statement);
            if !in_place {
                let (target, value) = (ident(name), self.take(*input, Take::Move, statement, flow));
                self.out.push(quote!(let mut #target = #value;));
            }
            self.bindings.insert(*output, Binding::Owned(name.clone()));
        }
        let field = self.layout.field_of.get(&key).map(|f| ident(f));
        let targets: Vec<_> = names.iter().map(|n| ident(n)).collect();
        let carried: Vec<TokenStream> = targets.iter().map(|t| quote!(&#t)).collect();
        let captures: Vec<TokenStream> =
            union_of_captures(repeat).iter().map(|id| self.take(*id, Take::Borrow, usize::MAX, flow)).collect();
        let stateful = self.layout.cache_of.contains_key(&key);
        let cache = stateful.then(|| quote!(, cache));
        let layer = if repeat.is_shared() { quote!(self.#field) } else { quote!(layer) };
        let call = quote!(#layer.forward(ctx, #(#carried),* #(, #captures)* #cache));
        let assign = match targets.as_slice() {
            [one] => quote!(#one = #call;),
            many => quote!((#(#many),*) = #call;),
        };
        let probes: Vec<TokenStream> = repeat
            .probes
            .iter()
            .map(|(at, name)| {
                let (x, stem) = (&targets[*at], name.replace(&format!(".{{{}}}", repeat.index), ""));
                quote!(ctx.probe(#stem, i, &#x);)
            })
            .collect();
        let caches = stateful.then(|| access(self.layout, key, false));
        let statements = quote!(#(#probes)* #assign);
        self.out.push(self.layer_loop(repeat, &quote!(self.#field), caches, !probes.is_empty(), &statements));
    }

    /// `for` over the layers, with their number where it is needed and the cache of each where there is one.
    fn layer_loop(
        &self,
        repeat: &Repeat,
        layers: &TokenStream,
        caches: Option<TokenStream>,
        numbered: bool,
        body: &TokenStream,
    ) -> TokenStream {
        match (repeat.is_shared(), caches, numbered) {
            (true, None, _) => {
                let (i, count) = (if numbered { quote!(i) } else { quote!(_) }, self.constants.size(&repeat.count));
                quote!(for #i in 0..#count { #body })
            }
            (true, Some(caches), true) => quote!(for (i, cache) in #caches.iter_mut().enumerate() { #body }),
            (true, Some(caches), false) => quote!(for cache in #caches.iter_mut() { #body }),
            (false, Some(caches), true) => {
                quote!(for (i, (layer, cache)) in #layers.iter().zip(#caches.iter_mut()).enumerate() { #body })
            }
            (false, Some(caches), false) => {
                quote!(for (layer, cache) in #layers.iter().zip(#caches.iter_mut()) { #body })
            }
            (false, None, true) => quote!(for (i, layer) in #layers.iter().enumerate() { #body }),
            (false, None, false) => quote!(for layer in &#layers { #body }),
        }
    }
}

/// What any kind of layer captures, each once: the arguments of every kind's `forward`.
pub(crate) fn union_of_captures(repeat: &Repeat) -> Vec<ValueId> {
    let mut out: Vec<ValueId> = Vec::new();
    for id in repeat.kinds.iter().flat_map(|k| &k.captures) {
        if !out.contains(id) {
            out.push(*id);
        }
    }
    out
}

/// The runtime's type of a node that is loaded.
fn layer_type(node: &Node) -> Option<&'static str> {
    match &node.kind {
        NodeKind::Op(OpNode { facts: formwork_ops::Facts { form: Form::Layer { ty, .. }, .. }, .. }) => Some(ty),
        _ => None,
    }
}

fn is_sum(node: &Node) -> bool {
    matches!(&node.kind, NodeKind::Op(op) if matches!(op.facts.form, Form::Infix { .. }))
}

/// Whether an expression is already a reference (`&tokens.positions`).
fn is_reference(expression: &TokenStream) -> bool {
    let first = expression.clone().into_iter().next();
    matches!(first, Some(proc_macro2::TokenTree::Punct(p)) if p.as_char() == '&')
}

fn receiver(expression: &TokenStream, infix: bool) -> TokenStream {
    if infix { quote!((#expression)) } else { expression.clone() }
}

/// A whole number as written by a person.
pub(crate) fn integer(value: u128) -> TokenStream {
    let literal = Literal::u128_unsuffixed(value);
    quote!(#literal)
}
