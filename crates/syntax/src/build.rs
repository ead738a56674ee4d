//! pest's pairs to the tree: declarations and statements; expressions are beside.

mod expr;

use formwork_diag::{Diagnostic, FileId, Span};
use pest::iterators::{Pair, Pairs};

use crate::ast::{
    Block, BlockParam, Body, Enum, Family, Field, Function, Gguf, GgufRule, Hf, HfRule, IgnoreKeys, IgnoreSet, KeySet,
    Let, Name, Record, Repeat, Require, Shared, Statement, Type, TypeKind, WeightRule,
};
use crate::parse::Rule;

type Result<T> = std::result::Result<T, Diagnostic>;

/// Builds the tree of one item that begins at `offset` of `file`.
pub(crate) struct Builder {
    pub(crate) file: FileId,
    pub(crate) offset: usize,
}

/// The grammar guarantees this child; its absence is a bug that must not panic.
fn missing() -> Diagnostic {
    Diagnostic::plain("internal", "the grammar and the tree builder disagree")
}

fn next<'t>(pairs: &mut Pairs<'t, Rule>) -> Result<Pair<'t, Rule>> {
    pairs.next().ok_or_else(missing)
}

/// Words of the grammar that carry no information of their own.
fn is_word(rule: Rule) -> bool {
    matches!(
        rule,
        Rule::if_word
            | Rule::else_word
            | Rule::match_word
            | Rule::require_word
            | Rule::probe_word
            | Rule::as_word
            | Rule::repeat_word
            | Rule::in_word
            | Rule::param_word
            | Rule::let_word
            | Rule::block_word
            | Rule::model_word
            | Rule::fn_word
            | Rule::record_word
            | Rule::enum_word
            | Rule::every_word
            | Rule::ignore_word
            | Rule::keys_word
            | Rule::because_word
            | Rule::hf_word
            | Rule::task_word
            | Rule::include_word
            | Rule::weights_word
            | Rule::gguf_word
            | Rule::prefix_word
            | Rule::family_word
            | Rule::part_word
    )
}

fn children(pair: Pair<'_, Rule>) -> std::vec::IntoIter<Pair<'_, Rule>> {
    let kept: Vec<_> = pair.into_inner().filter(|p| !is_word(p.as_rule())).collect();
    kept.into_iter()
}

impl Builder {
    fn span(&self, pair: &Pair<'_, Rule>) -> Span {
        let span = pair.as_span();
        let text = pair.as_str().trim_end();
        Span::new(self.file, self.offset + span.start(), self.offset + span.start() + text.len())
    }

    fn name(&self, pair: &Pair<'_, Rule>) -> Name {
        Name { text: pair.as_str().to_string(), span: self.span(pair) }
    }

    fn string(&self, pair: &Pair<'_, Rule>) -> Name {
        let raw = pair.as_str();
        let raw = raw.get(1..raw.len() - 1).unwrap_or("");
        let mut text = String::new();
        let mut chars = raw.chars();
        while let Some(c) = chars.next() {
            match (c, c == '\\') {
                (_, true) => match chars.next() {
                    Some('n') => text.push('\n'),
                    Some('t') => text.push('\t'),
                    Some(other) => text.push(other),
                    None => {}
                },
                (c, _) => text.push(c),
            }
        }
        Name { text, span: self.span(pair) }
    }

    /// A family's doc comment and name.
    pub(crate) fn head(&self, pair: Pair<'_, Rule>) -> (String, Name) {
        let mut doc = String::new();
        let mut name = Name { text: String::new(), span: self.span(&pair) };
        for child in children(pair) {
            match child.as_rule() {
                Rule::docs => doc = docs(child),
                _ => name = self.name(&child),
            }
        }
        (doc, name)
    }

    /// Adds a member to a family.
    pub(crate) fn member(&self, pair: Pair<'_, Rule>, family: &mut Family) -> Result<()> {
        match pair.as_rule() {
            Rule::part_include => {
                let part = children(pair).next().ok_or_else(missing)?;
                family.includes.push((family.params.len(), self.name(&part)));
            }
            Rule::param_decl => family.params.push(self.field(pair)?),
            Rule::let_decl => family.lets.push(self.let_decl(pair)?),
            Rule::require_decl => {
                let require = children(pair).nth(1).ok_or_else(missing)?;
                family.requires.push(self.require(require)?);
            }
            Rule::model_decl => family.models.push(self.block(pair)?),
            Rule::hf_decl => family.hf.push(self.hf(pair)?),
            Rule::weights_decl => {
                for rule in children(pair).skip(1) {
                    family.weights.push(self.weight_rule(rule)?);
                }
            }
            Rule::gguf_decl => family.gguf.push(self.gguf(pair)?),
            _ => family.shared.push(self.shared(pair)?),
        }
        Ok(())
    }

    /// A block, function, record, enum, ignore set or key set.
    pub(crate) fn shared(&self, pair: Pair<'_, Rule>) -> Result<Shared> {
        Ok(match pair.as_rule() {
            Rule::block_decl => Shared::Block(self.block(pair)?),
            Rule::fn_decl => Shared::Function(self.function(pair)?),
            Rule::record_decl => Shared::Record(self.record(pair)?),
            Rule::enum_decl => Shared::Enum(self.enum_decl(pair)?),
            Rule::ignore_set => {
                let mut parts = children(pair).skip(1);
                let name = self.name(&parts.next().ok_or_else(missing)?);
                let keys = parts.map(|p| self.ignore_keys(p)).collect::<Result<_>>()?;
                Shared::Ignore(IgnoreSet { name, keys })
            }
            Rule::key_set => {
                let mut parts = children(pair).skip(1);
                let name = self.name(&parts.next().ok_or_else(missing)?);
                let rules =
                    parts.map(|p| self.hf_rule(children(p).next().ok_or_else(missing)?)).collect::<Result<_>>()?;
                Shared::Keys(KeySet { name, rules })
            }
            _ => return Err(missing()),
        })
    }

    fn field(&self, pair: Pair<'_, Rule>) -> Result<Field> {
        let mut parts = children(pair);
        Ok(Field {
            doc: docs(parts.next().ok_or_else(missing)?),
            name: self.name(&parts.next().ok_or_else(missing)?),
            ty: self.ty(parts.next().ok_or_else(missing)?)?,
            default: parts.next().map(|p| self.expr(p)).transpose()?,
        })
    }

    fn let_decl(&self, pair: Pair<'_, Rule>) -> Result<Let> {
        let (mut doc, mut parts) = (String::new(), Vec::new());
        for part in children(pair) {
            match part.as_rule() {
                Rule::docs => doc = docs(part),
                _ => parts.push(part),
            }
        }
        let mut parts = parts.into_iter();
        Ok(Let {
            doc,
            name: self.name(&parts.next().ok_or_else(missing)?),
            value: self.expr(parts.next().ok_or_else(missing)?)?,
        })
    }

    fn require(&self, pair: Pair<'_, Rule>) -> Result<Require> {
        let mut parts = children(pair);
        Ok(Require {
            condition: self.expr(parts.next().ok_or_else(missing)?)?,
            message: self.string(&parts.next().ok_or_else(missing)?),
        })
    }

    fn block(&self, pair: Pair<'_, Rule>) -> Result<Block> {
        let mut parts = children(pair);
        let doc = docs(parts.next().ok_or_else(missing)?);
        let name = self.name(&parts.next().ok_or_else(missing)?);
        let params = self.parameters(parts.next().ok_or_else(missing)?)?;
        let mut returns = Vec::new();
        let mut body = None;
        for part in parts {
            match part.as_rule() {
                Rule::returns => {
                    for ty in flatten(part) {
                        returns.push(self.ty(ty)?);
                    }
                }
                _ => body = Some(self.body(part)?),
            }
        }
        Ok(Block { doc, name, params, returns, body: body.ok_or_else(missing)? })
    }

    fn function(&self, pair: Pair<'_, Rule>) -> Result<Function> {
        let mut parts = children(pair);
        Ok(Function {
            doc: docs(parts.next().ok_or_else(missing)?),
            name: self.name(&parts.next().ok_or_else(missing)?),
            params: self.parameters(parts.next().ok_or_else(missing)?)?,
            body: self.body_or_expr(parts.next().ok_or_else(missing)?)?,
        })
    }

    fn parameters(&self, pair: Pair<'_, Rule>) -> Result<Vec<BlockParam>> {
        children(pair)
            .map(|parameter| {
                let mut parts = children(parameter);
                let name = self.name(&parts.next().ok_or_else(missing)?);
                let mut out = BlockParam { name, ty: None, default: None };
                for part in parts {
                    match part.as_rule() {
                        Rule::ty => out.ty = Some(self.ty(part)?),
                        _ => out.default = Some(self.expr(part)?),
                    }
                }
                Ok(out)
            })
            .collect()
    }

    fn record(&self, pair: Pair<'_, Rule>) -> Result<Record> {
        let mut parts = children(pair);
        Ok(Record {
            doc: docs(parts.next().ok_or_else(missing)?),
            name: self.name(&parts.next().ok_or_else(missing)?),
            fields: parts.map(|p| self.field(p)).collect::<Result<_>>()?,
        })
    }

    fn enum_decl(&self, pair: Pair<'_, Rule>) -> Result<Enum> {
        let mut parts = children(pair);
        let doc = docs(parts.next().ok_or_else(missing)?);
        let name = self.name(&parts.next().ok_or_else(missing)?);
        let mut out = Enum { doc, name, shared: Vec::new(), variants: Vec::new() };
        for item in parts {
            let item = children(item).next().ok_or_else(missing)?;
            match item.as_rule() {
                Rule::shared_fields => {
                    for field in children(item) {
                        out.shared.push(self.field(field)?);
                    }
                }
                _ => out.variants.push(self.record(item)?),
            }
        }
        Ok(out)
    }

    fn ignore_keys(&self, pair: Pair<'_, Rule>) -> Result<IgnoreKeys> {
        let mut keys = Vec::new();
        let mut reason = String::new();
        for part in children(pair) {
            match part.as_rule() {
                Rule::string => reason = self.string(&part).text,
                _ => keys.push(self.name(&part)),
            }
        }
        Ok(IgnoreKeys { keys, reason })
    }

    fn hf(&self, pair: Pair<'_, Rule>) -> Result<Hf> {
        let mut out = Hf { model_types: Vec::new(), rules: Vec::new() };
        for part in children(pair) {
            match part.as_rule() {
                Rule::docs => {}
                Rule::string => out.model_types.push(self.string(&part)),
                _ => out.rules.push(self.hf_rule(children(part).next().ok_or_else(missing)?)?),
            }
        }
        Ok(out)
    }

    fn hf_rule(&self, pair: Pair<'_, Rule>) -> Result<HfRule> {
        let rule = pair.as_rule();
        if rule == Rule::require {
            return Ok(HfRule::Require(self.require(pair)?));
        }
        let mut parts = children(pair);
        match rule {
            Rule::hf_task => {
                let mut classes = Vec::new();
                let mut model = None;
                for part in parts {
                    match part.as_rule() {
                        Rule::string => classes.push(self.string(&part)),
                        _ => model = Some(self.name(&part)),
                    }
                }
                Ok(HfRule::Task { classes, model: model.ok_or_else(missing)? })
            }
            Rule::hf_ignore => Ok(HfRule::Ignore(self.ignore_keys(parts.next().ok_or_else(missing)?)?)),
            Rule::hf_include => Ok(HfRule::Include(self.name(&parts.next().ok_or_else(missing)?))),
            _ => Ok(HfRule::Map {
                value: self.expr(parts.next().ok_or_else(missing)?)?,
                param: self.name(&parts.next().ok_or_else(missing)?),
            }),
        }
    }

    fn gguf(&self, pair: Pair<'_, Rule>) -> Result<Gguf> {
        let (names, rules): (Vec<_>, Vec<_>) =
            children(pair).skip(1).partition(|child| child.as_rule() == Rule::string);
        let architectures = names.iter().map(|name| self.string(name)).collect();
        let rules = rules.into_iter().map(|rule| self.gguf_rule(rule)).collect::<Result<_>>()?;
        Ok(Gguf { architectures, rules })
    }

    fn gguf_rule(&self, pair: Pair<'_, Rule>) -> Result<GgufRule> {
        let inner = children(pair.clone()).next().ok_or_else(missing)?;
        if inner.as_rule() != Rule::gguf_fact {
            return self.weight_rule(pair).map(GgufRule::Weight);
        }
        let mut parts = children(inner);
        let key = self.string(&parts.next().ok_or_else(missing)?);
        Ok(GgufRule::Fact { key, value: self.expr(parts.next().ok_or_else(missing)?)? })
    }

    fn weight_rule(&self, pair: Pair<'_, Rule>) -> Result<WeightRule> {
        let pair = children(pair).next().ok_or_else(missing)?;
        let rule = pair.as_rule();
        let mut parts: Vec<_> = children(pair).collect();
        match rule {
            Rule::weight_prefix => Ok(WeightRule::Prefix(self.string(parts.first().ok_or_else(missing)?))),
            Rule::weight_ignore => {
                let reason = parts.pop().map(|p| self.string(&p).text).ok_or_else(missing)?;
                Ok(WeightRule::Ignore { patterns: parts.iter().map(|p| self.string(p)).collect(), reason })
            }
            _ => {
                let mut parts = parts.into_iter();
                Ok(WeightRule::Map {
                    target: self.string(&parts.next().ok_or_else(missing)?),
                    source: self.expr(parts.next().ok_or_else(missing)?)?,
                    condition: parts.next().map(|p| self.expr(p)).transpose()?,
                })
            }
        }
    }

    fn ty(&self, pair: Pair<'_, Rule>) -> Result<Type> {
        let span = self.span(&pair);
        let inner = children(pair).next().ok_or_else(missing)?;
        let rule = inner.as_rule();
        let mut parts = children(inner);
        let kind = match rule {
            Rule::name_type => {
                let name = parts.next().ok_or_else(missing)?.as_str().to_string();
                TypeKind::Named { name, optional: parts.next().is_some() }
            }
            Rule::list_type => {
                let item = Box::new(self.ty(parts.next().ok_or_else(missing)?)?);
                TypeKind::List { item, optional: parts.next().is_some() }
            }
            Rule::ids_type => TypeKind::Ids(parts.map(|p| self.expr(p)).collect::<Result<_>>()?),
            _ => TypeKind::Tensor(parts.map(|p| self.expr(p)).collect::<Result<_>>()?),
        };
        Ok(Type { kind, span })
    }

    fn body(&self, pair: Pair<'_, Rule>) -> Result<Body> {
        let mut body = Body { statements: Vec::new(), result: None, span: self.span(&pair) };
        for part in children(pair) {
            match part.as_rule() {
                Rule::statement => {
                    let inner = children(part).next().ok_or_else(missing)?;
                    body.statements.push(self.statement(inner)?);
                }
                _ => body.result = Some(Box::new(self.expr(part)?)),
            }
        }
        Ok(body)
    }

    fn body_or_expr(&self, pair: Pair<'_, Rule>) -> Result<Body> {
        if pair.as_rule() == Rule::body {
            return self.body(pair);
        }
        let span = self.span(&pair);
        Ok(Body { statements: Vec::new(), result: Some(Box::new(self.expr(pair)?)), span })
    }

    fn statement(&self, pair: Pair<'_, Rule>) -> Result<Statement> {
        let span = self.span(&pair);
        let rule = pair.as_rule();
        if rule == Rule::require {
            return Ok(Statement::Require(self.require(pair)?));
        }
        let mut parts = children(pair);
        let first = parts.next().ok_or_else(missing)?;
        match rule {
            Rule::probe => {
                let name = self.string(&parts.next().ok_or_else(missing)?);
                Ok(Statement::Probe(self.name(&first), name))
            }
            Rule::repeat => {
                let mut range = children(parts.next().ok_or_else(missing)?);
                let start = self.expr(range.next().ok_or_else(missing)?)?;
                let end = self.expr(range.next().ok_or_else(missing)?)?;
                let mut values = Vec::new();
                let mut shared = false;
                let mut path = None;
                let mut body = None;
                for part in parts {
                    match part.as_rule() {
                        Rule::layer_value => values.push(self.let_decl(part)?),
                        Rule::shared => shared = true,
                        Rule::scope => path = children(part).next().map(|p| self.string(&p)),
                        _ => body = Some(self.body(part)?),
                    }
                }
                Ok(Statement::Repeat(Box::new(Repeat {
                    index: self.name(&first),
                    start,
                    end,
                    values,
                    shared,
                    path: path.ok_or_else(missing)?,
                    body: body.ok_or_else(missing)?,
                    span,
                })))
            }
            _ => {
                let targets = match first.as_rule() {
                    Rule::targets => children(first).map(|p| self.name(&p)).collect(),
                    _ => vec![self.name(&first)],
                };
                Ok(Statement::Bind(targets, self.expr(parts.next().ok_or_else(missing)?)?))
            }
        }
    }
}

fn docs(pair: Pair<'_, Rule>) -> String {
    let lines: Vec<&str> = pair.into_inner().map(|line| line.as_str()[3..].trim()).collect();
    lines.join("\n")
}

fn flatten(returns: Pair<'_, Rule>) -> Vec<Pair<'_, Rule>> {
    children(returns)
        .flat_map(|part| if part.as_rule() == Rule::returns_many { children(part).collect() } else { vec![part] })
        .collect()
}
