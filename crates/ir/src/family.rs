//! A family applied to arguments: from a TOML table or a config to the typed model.

use std::rc::Rc;

use formwork_diag::{Diagnostic, Diagnostics, Span, did_you_mean, normalise};
use formwork_ops::{AttrValue, Kind, Poly, Type};
use formwork_syntax::ast::{Block, BlockParam, Expr, ExprKind, Family, HfRule, TypeKind};
use formwork_syntax::data::{Data, DataKind};

use crate::elaborate::{Elaborator, Given};
use crate::library::Library;
use crate::model::{Argument, Model, ModelInput, ValueId};
use crate::scope::Scope;
use crate::tokenizer;
use crate::types::Ty;
use crate::unclaimed;
use crate::undefined;
use crate::value::{Tensor, Value};

/// Keys of an instance that are not parameters.
const RESERVED: &[&str] = &["name", "family", "task", "spec_version"];
/// The newest `spec_version` that is understood.
const SPEC_VERSION: i128 = 1;
/// The family of an instance that names none.
pub const STANDARD_FAMILY: &str = "transformer";

/// What a family is applied to.
#[derive(Clone, Copy, Debug)]
pub enum Arguments<'d> {
    /// A TOML instance.
    Instance(&'d Data),
    /// A Hugging Face config.
    Config(&'d Data),
    /// Nothing: a family whose parameters all have defaults.
    Defaults,
}

/// Applies a family to arguments and gives one of its entry points.
///
/// # Errors
/// Returns every independent diagnostic, in file order.
pub fn apply(
    library: &Library,
    family: &Rc<Family>,
    arguments: Arguments<'_>,
    name: &str,
    task: Option<&str>,
) -> Result<Model, Diagnostics> {
    let mut it = Elaborator::new(library, Some(family.clone()));
    it.give(family, arguments);
    let sound = it.evaluate_members(family);
    let entry = it.entry(family, arguments, task).filter(|_| sound);
    let model = entry.and_then(|entry| it.build(family, &entry, name));
    for error in undefined::check(family, library) {
        if it.errors.iter().all(|e| e.primary.as_ref().map(|l| l.span) != error.primary.as_ref().map(|l| l.span)) {
            it.fail(error);
        }
    }
    match model {
        Some(model) if it.errors.is_empty() => Ok(model),
        _ => {
            let mut errors = it.errors;
            if errors.is_empty() {
                errors.push(Diagnostic::new(
                    "internal",
                    family.name.span,
                    "the model could not be built, without a reason given",
                ));
            }
            normalise(&mut errors);
            Err(errors)
        }
    }
}

/// The name and family of a TOML instance.
///
/// # Errors
/// Returns a diagnostic when either is not a string or the family is unknown.
pub fn family_of_instance<'l>(library: &'l Library, data: &Data) -> Result<&'l Rc<Family>, Diagnostic> {
    let Some(given) = data.get("family") else {
        return library.family(STANDARD_FAMILY).ok_or_else(|| {
            Diagnostic::plain("unknown-family", format!("the standard library has no family `{STANDARD_FAMILY}`"))
        });
    };
    let Some(name) = given.as_str() else {
        return Err(Diagnostic::new(
            "type-mismatch",
            given.span,
            format!("`family` must be a string, not {}", given.describe()),
        ));
    };
    library.family(name).ok_or_else(|| {
        let names: Vec<&str> = library.families().map(|f| f.name.text.as_str()).collect();
        Diagnostic::new("unknown-family", given.span, format!("no family is called `{name}`"))
            .note(format!("known families: {}", names.join(", ")))
            .maybe_help(did_you_mean(name, names))
    })
}

/// The family that reads a config.
///
/// # Errors
/// Returns a diagnostic when the config has no `model_type` or no family claims it; the families that read most of its keys are named,
/// and the keys that none knows.
pub fn family_of_config<'l>(library: &'l Library, config: &Data) -> Result<&'l Rc<Family>, Diagnostic> {
    let here = crate::hf::start_of(config.span.file);
    if !matches!(config.kind, DataKind::Table(_)) {
        return Err(Diagnostic::new(
            "type-mismatch",
            here,
            format!("a config is an object, not {}", config.describe()),
        ));
    }
    let Some(model_type) = config.get("model_type") else {
        let error = Diagnostic::new("missing-key", here, "the config has no `model_type`");
        return Err(unclaimed::explain(error, library, config, None));
    };
    let Some(name) = model_type.as_str() else {
        return Err(Diagnostic::new("type-mismatch", model_type.span, "`model_type` must be a string"));
    };
    library.family_of_model_type(name).ok_or_else(|| {
        let what = format!("no family reads configs of type `{name}`");
        unclaimed::explain(Diagnostic::new("unknown-model-type", model_type.span, what), library, config, Some(name))
    })
}

/// The parameter values that a config gives a family, for writing them down as an instance.
///
/// # Errors
/// Returns every diagnostic of reading the config.
pub fn import_config(
    library: &Library,
    family: &Rc<Family>,
    config: &Data,
) -> Result<Vec<(String, AttrValue)>, Diagnostics> {
    let mut it = Elaborator::new(library, Some(family.clone()));
    it.give(family, Arguments::Config(config));
    it.evaluate_members(family);
    let given: Vec<String> =
        family.params.iter().map(|p| p.name.text.clone()).filter(|n| it.given.contains_key(n)).collect();
    let mut out = Vec::new();
    for name in given {
        if let Some(value) = it.family_value(&name, family.name.span).and_then(|v| v.to_attr()) {
            out.push((name, value));
        }
    }
    if it.errors.is_empty() { Ok(out) } else { Err(it.errors) }
}

/// An entry point of a family and what it is called with.
fn spread(name: &str, doc: &str, value: &AttrValue, out: &mut Vec<Argument>) {
    let nested = |fields: &[(String, AttrValue)], out: &mut Vec<Argument>| {
        for (field, value) in fields {
            spread(&format!("{name}.{field}"), "", value, out);
        }
    };
    match value {
        AttrValue::Record(fields) => nested(fields, out),
        AttrValue::Variant(variant, fields) => {
            out.push(Argument { name: name.to_string(), doc: doc.to_string(), value: AttrValue::Str(variant.clone()) });
            nested(fields, out);
        }
        other => out.push(Argument { name: name.to_string(), doc: doc.to_string(), value: other.clone() }),
    }
}

impl Elaborator<'_> {
    fn give(&mut self, family: &Rc<Family>, arguments: Arguments<'_>) {
        self.home = match arguments {
            Arguments::Config(data) | Arguments::Instance(data) => Some(data.span.file),
            Arguments::Defaults => None,
        };
        match arguments {
            Arguments::Config(config) => self.read_config(family, config),
            Arguments::Instance(data) => self.read_instance(family, data),
            Arguments::Defaults => self.missing(family, family.name.span),
        }
    }

    fn read_instance(&mut self, family: &Rc<Family>, data: &Data) {
        for entry in data.entries() {
            let known = family.params.iter().any(|p| p.name.text == entry.key);
            if known {
                self.given.insert(entry.key.clone(), Given::Data(entry.value.clone()));
            } else if !RESERVED.contains(&entry.key.as_str()) {
                let names = family.params.iter().map(|p| p.name.text.as_str()).chain(RESERVED.iter().copied());
                self.fail(
                    Diagnostic::new(
                        "unknown-key",
                        entry.key_span,
                        format!("family `{}` has no key `{}`", family.name.text, entry.key),
                    )
                    .maybe_help(did_you_mean(&entry.key, names)),
                );
            }
        }
        if let Some(version) = data.get("spec_version")
            && !matches!(version.kind, DataKind::Int(v) if (1..=SPEC_VERSION).contains(&v))
        {
            self.fail(Diagnostic::new(
                "spec-version",
                version.span,
                format!("this `spec_version` is not known, the newest is {SPEC_VERSION}"),
            ));
        }
        self.missing(family, Span { end: data.span.start + 1, ..data.span });
    }

    fn missing(&mut self, family: &Rc<Family>, place: Span) {
        for param in &family.params {
            if param.default.is_none() && !self.given.contains_key(&param.name.text) {
                self.fail(
                    Diagnostic::new(
                        "missing-key",
                        place,
                        format!("family `{}` needs `{}`", family.name.text, param.name.text),
                    )
                    .because(param.name.span, "declared here without a default"),
                );
            }
        }
    }

    /// Evaluates parameters and `let`s; false when a requirement fails, so that a model would only repeat it.
    fn evaluate_members(&mut self, family: &Rc<Family>) -> bool {
        for param in &family.params {
            self.family_value(&param.name.text, param.name.span);
        }
        for binding in &family.lets {
            self.family_value(&binding.name.text, binding.name.span);
        }
        let before = self.errors.len();
        for require in &family.requires {
            let so_far = self.errors.len();
            self.require(require, &Scope::root());
            if so_far > before {
                // After one requirement fails, another condition may not even have a value.
                let own = |e: &Diagnostic| matches!(e.code, "requirement" | "not-divisible");
                let kept = self.errors.split_off(so_far).into_iter().filter(own);
                self.errors.extend(kept);
            }
        }
        self.errors.len() == before
    }

    /// The entry point: as asked for, as `architectures` says, else the family's first.
    fn entry(&mut self, family: &Rc<Family>, arguments: Arguments<'_>, task: Option<&str>) -> Option<Block> {
        let mut place = family.name.span;
        let mut wanted = task.map(str::to_string);
        match arguments {
            Arguments::Instance(data) if wanted.is_none() => {
                if let Some(given) = data.get("task") {
                    place = given.span;
                    wanted = given.as_str().map(str::to_string);
                }
            }
            Arguments::Config(config) if wanted.is_none() => {
                wanted = family.hf.iter().find_map(|hf| crate::hf::task_of(hf, config));
                if let (None, Some(classes)) = (&wanted, config.get("architectures"))
                    && !matches!(classes.kind, DataKind::Null)
                {
                    self.unknown_class(family, classes);
                    return None;
                }
            }
            _ => {}
        }
        let Some(wanted) = wanted else { return self.first_entry(family) };
        let found = family.models.iter().find(|m| m.name.text == wanted).cloned();
        if found.is_none() {
            let names: Vec<&str> = family.models.iter().map(|m| m.name.text.as_str()).collect();
            self.fail(
                Diagnostic::new(
                    "unknown-task",
                    place,
                    format!("family `{}` has no entry point `{wanted}`", family.name.text),
                )
                .note(format!("it has {}", names.join(", ")))
                .maybe_help(did_you_mean(&wanted, names.iter().copied())),
            );
        }
        found
    }

    fn unknown_class(&mut self, family: &Family, classes: &Data) {
        let rules = family.hf.iter().flat_map(|hf| &hf.rules);
        let known =
            rules.flat_map(|rule| if let HfRule::Task { classes, .. } = rule { classes.as_slice() } else { &[] });
        let known: Vec<&str> = known.map(|class| class.text.as_str()).collect();
        let tasks: Vec<String> = family.models.iter().map(|m| format!("`--task {}`", m.name.text)).collect();
        self.fail(
            Diagnostic::new(
                "unknown-class",
                classes.span,
                format!("family `{}` has no entry point for this class", family.name.text),
            )
            .note(format!("known classes: {}", known.join(", ")))
            .help(format!("choose an entry point: {}", tasks.join(" or "))),
        );
    }

    fn first_entry(&mut self, family: &Rc<Family>) -> Option<Block> {
        let first = family.models.first().cloned();
        if first.is_none() {
            self.fail(Diagnostic::new(
                "no-entry-point",
                family.name.span,
                format!("family `{}` has no `model`", family.name.text),
            ));
        }
        first
    }

    fn build(&mut self, family: &Rc<Family>, entry: &Block, name: &str) -> Option<Model> {
        self.begin_frame(&entry.name.text, &entry.doc, "", entry.name.span);
        let scope = Scope::root();
        for param in &entry.params {
            self.model_input(param, &scope)?;
        }
        let value = self.body(&entry.body, &scope, &Ty::Any);
        let value = self.check_returns(entry, value, &scope, entry.name.span);
        let outputs = self.output_ids(&value);
        if outputs.is_none() && !matches!(value, Value::Unknown) {
            let place = entry.body.result.as_ref().map_or(entry.name.span, |r| r.span);
            self.fail(Diagnostic::new(
                "bad-result",
                place,
                format!("a model gives a tensor, not {}", value.describe()),
            ));
        }
        let (module, _) = self.frames.pop()?.finish(outputs?);
        let root = self.add_module(module);
        let mut arguments = Vec::new();
        for param in family.params.iter().filter(|p| p.name.text != tokenizer::PARAMETER) {
            if let Some(value) = self.family_value(&param.name.text, param.name.span).and_then(|v| v.to_attr()) {
                spread(&param.name.text, &param.doc, &value, &mut arguments);
            }
        }
        for binding in &family.lets {
            if let Some(value) = self.family_value(&binding.name.text, binding.name.span).and_then(|v| v.to_attr())
                && matches!(value, AttrValue::Int(_) | AttrValue::Float(_))
            {
                arguments.push(Argument { name: binding.name.text.clone(), doc: binding.doc.clone(), value });
            }
        }
        for argument in &mut arguments {
            if let (true, Some(doc)) = (argument.doc.is_empty(), self.docs.get(&argument.name)) {
                argument.doc.clone_from(doc);
            }
        }
        let weights = self.weight_map(family);
        let gguf = self.gguf_map(family);
        let mut model = Model {
            name: name.to_string(),
            family: family.name.text.clone(),
            doc: family.doc.clone(),
            task: entry.name.text.clone(),
            inputs: std::mem::take(&mut self.inputs),
            modules: std::mem::take(&mut self.modules),
            root,
            arguments,
            tokenizer: None,
            weights,
            gguf: None,
            origins: self.origins.clone(),
        };
        model.leave_out_unread_ids();
        self.check_parameters(&model);
        model.gguf = gguf.map(|mut map| {
            map.keep_for(&model);
            map
        });
        model.tokenizer = self.tokenizer(&model);
        Some(model)
    }

    /// A token stream for the first input of each sequence symbol, plain ids for what accompanies it, numbers beside both.
    fn model_input(&mut self, param: &BlockParam, scope: &Scope) -> Option<()> {
        let dims = match param.ty.as_ref().map(|t| &t.kind) {
            Some(TypeKind::Ids(dims)) => dims,
            Some(TypeKind::Tensor(dims)) => return self.feature_input(param, dims, scope),
            _ => {
                self.fail(Diagnostic::new(
                    "bad-input",
                    param.name.span,
                    format!("the model's input `{}` must be `ids[B, S]` or `[B, S, width]`", param.name.text),
                ));
                return None;
            }
        };
        let mut symbols = Vec::new();
        for dim in dims {
            match &dim.kind {
                ExprKind::Name(symbol) => symbols.push(symbol.clone()),
                _ => {
                    self.fail(Diagnostic::new("bad-input", dim.span, "an input's dimension is a symbol such as `S`"));
                    return None;
                }
            }
        }
        let [batch, length] = symbols.as_slice() else {
            self.fail(Diagnostic::new(
                "bad-input",
                param.name.span,
                "a model's input has a batch and a sequence: `ids[B, S]`",
            ));
            return None;
        };
        for symbol in [batch, length] {
            scope.set(symbol, Value::Int(Poly::symbol(symbol)));
        }
        let first = !self.streams.iter().any(|(s, _)| s == length);
        let kind = if first { Kind::Tokens } else { Kind::Ids };
        let ty = Type { kind, shape: vec![Poly::symbol(batch), Poly::symbol(length)] };
        let frame = self.frame()?;
        let id: ValueId = frame.input(&param.name.text, ty.clone(), param.name.span);
        let tensor = Tensor { frame: frame.uid, id, ty, span: param.name.span };
        let external = match (first, self.inputs.iter().any(ModelInput::is_token_stream)) {
            (true, false) => "input_ids",
            (true, true) => "decoder_input_ids",
            (false, _) => "token_type_ids",
        };
        if first {
            self.streams.push((length.clone(), tensor.clone()));
        }
        self.inputs.push(ModelInput { name: param.name.text.clone(), external, kind, symbol: length.clone() });
        scope.set(&param.name.text, Value::Tensor(tensor));
        Some(())
    }

    /// Numbers `[B, P, width]`, and the stream of their places.
    fn feature_input(&mut self, param: &BlockParam, dims: &[Expr], scope: &Scope) -> Option<()> {
        let [Expr { kind: ExprKind::Name(batch), .. }, Expr { kind: ExprKind::Name(length), .. }, width] = dims else {
            let what = "an input of numbers has a batch, a sequence and a width: `[B, P, width]`";
            let help = format!("tokens are `{}: ids[B, S]`", param.name.text);
            self.fail(Diagnostic::new("bad-input", param.name.span, what).help(help));
            return None;
        };
        if self.inputs.iter().any(|i| i.external == ModelInput::FEATURES) {
            self.fail(Diagnostic::new("bad-input", param.name.span, "a model takes one input of numbers"));
            return None;
        }
        let Value::Int(width) = self.eval(width, scope, &Ty::Int) else { return None };
        for symbol in [batch, length] {
            scope.set(symbol, Value::Int(Poly::symbol(symbol)));
        }
        let rows = vec![Poly::symbol(batch), Poly::symbol(length)];
        let ty = Type::f32(rows.iter().cloned().chain([width]).collect());
        let stream = Type { kind: Kind::Tokens, shape: rows };
        let span = param.name.span;
        let frame = self.frame()?;
        let frame_id = frame.uid;
        let tensor = |id, ty| Tensor { frame: frame_id, id, ty, span };
        let numbers = tensor(frame.input(&param.name.text, ty.clone(), span), ty);
        let places = tensor(frame.input(&format!("{}_tokens", param.name.text), stream.clone(), span), stream);
        self.streams.push((length.clone(), places));
        for kind in [Kind::F32, Kind::Tokens] {
            let input = ModelInput {
                name: param.name.text.clone(),
                external: ModelInput::FEATURES,
                kind,
                symbol: length.clone(),
            };
            self.inputs.push(input);
        }
        scope.set(&param.name.text, Value::Tensor(numbers));
        Some(())
    }
}
