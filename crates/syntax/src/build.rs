//! pest's pairs to the tree.

use formwork_diag::{Diagnostic, FileId, Span};
use pest::iterators::{Pair, Pairs};

use crate::ast::{
    Argument, Arm, BinaryOp, Block, BlockParam, Body, Enum, Expr, ExprKind, Family, Field, Function, Hf, HfRule,
    IgnoreKeys, IgnoreSet, KeySet, Let, Name, Pattern, PatternKind, Record, Repeat, Require, Shared, Statement, Type,
    TypeKind, WeightRule,
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
            | Rule::prefix_word
            | Rule::family_word
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
                let rules = parts.map(|p| self.hf_rule(children(p).next().ok_or_else(missing)?)).collect::<Result<_>>()?;
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
            Rule::list_type => TypeKind::List(Box::new(self.ty(parts.next().ok_or_else(missing)?)?)),
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
                let mut path = None;
                let mut body = None;
                for part in parts {
                    match part.as_rule() {
                        Rule::layer_value => values.push(self.let_decl(part)?),
                        Rule::scope => path = children(part).next().map(|p| self.string(&p)),
                        _ => body = Some(self.body(part)?),
                    }
                }
                Ok(Statement::Repeat(Box::new(Repeat {
                    index: self.name(&first),
                    start,
                    end,
                    values,
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

    /// Any rule of the expression part of the grammar.
    pub(crate) fn expr(&self, pair: Pair<'_, Rule>) -> Result<Expr> {
        let span = self.span(&pair);
        let at = |kind| Ok(Expr { kind, span });
        match pair.as_rule() {
            Rule::expr | Rule::plain_expr => self.operators(pair),
            Rule::operand | Rule::plain_operand | Rule::pipe_step => {
                let mut parts = children(pair);
                let value = self.expr(parts.next().ok_or_else(missing)?)?;
                match parts.next() {
                    None => Ok(value),
                    Some(scope) => {
                        let path = children(scope).next().ok_or_else(missing)?;
                        at(ExprKind::Scope(Box::new(value), self.string(&path)))
                    }
                }
            }
            Rule::negate => at(ExprKind::Negate(Box::new(self.only_child(pair)?))),
            Rule::not => at(ExprKind::Not(Box::new(self.only_child(pair)?))),
            Rule::postfix => self.postfix(pair),
            Rule::primary => self.only_child(pair),
            Rule::int => {
                let digits: String = pair.as_str().chars().filter(|c| *c != '_').collect();
                let too_big = || Diagnostic::new("number-range", span, format!("`{digits}` does not fit 128 bits"));
                at(ExprKind::Int(digits.parse().map_err(|_| too_big())?))
            }
            Rule::float => {
                let value: f64 = pair.as_str().parse().map_err(|_| missing())?;
                if !value.is_finite() {
                    return Err(Diagnostic::new("number-range", span, format!("`{}` is larger than any float", pair.as_str())));
                }
                if value == 0.0 && crate::data::has_significant_digit(pair.as_str()) {
                    return Err(Diagnostic::new("number-range", span, format!("`{}` is smaller than any float", pair.as_str())));
                }
                at(ExprKind::Float(value))
            }
            Rule::string => at(ExprKind::Str(self.string(&pair).text)),
            Rule::bool => at(ExprKind::Bool(pair.as_str().starts_with('t'))),
            Rule::null => at(ExprKind::Null),
            Rule::name => at(ExprKind::Name(pair.as_str().to_string())),
            Rule::list => at(ExprKind::List(self.all(pair)?)),
            Rule::tuple => {
                let mut items = self.all(pair)?;
                if items.len() == 1 { Ok(items.remove(0)) } else { at(ExprKind::Tuple(items)) }
            }
            Rule::record => {
                let fields = children(pair).map(|f| {
                    let mut parts = children(f);
                    let name = self.name(&parts.next().ok_or_else(missing)?);
                    Ok((name, self.expr(parts.next().ok_or_else(missing)?)?))
                });
                at(ExprKind::Record(fields.collect::<Result<_>>()?))
            }
            Rule::lambda => {
                let mut parts: Vec<_> = children(pair).collect();
                let body = self.body_or_expr(parts.pop().ok_or_else(missing)?)?;
                at(ExprKind::Lambda(parts.iter().map(|p| self.name(p)).collect(), Box::new(body)))
            }
            Rule::if_expr => self.if_expr(pair),
            Rule::match_expr => {
                let mut parts = children(pair);
                let scrutinee = self.expr(parts.next().ok_or_else(missing)?)?;
                let arms = parts.map(|p| self.arm(p)).collect::<Result<_>>()?;
                at(ExprKind::Match(Box::new(scrutinee), arms))
            }
            _ => Err(missing()),
        }
    }

    fn only_child(&self, pair: Pair<'_, Rule>) -> Result<Expr> {
        self.expr(children(pair).next().ok_or_else(missing)?)
    }

    fn all(&self, pair: Pair<'_, Rule>) -> Result<Vec<Expr>> {
        children(pair).map(|p| self.expr(p)).collect()
    }

    fn if_expr(&self, pair: Pair<'_, Rule>) -> Result<Expr> {
        let span = self.span(&pair);
        let mut parts = children(pair);
        let condition = self.expr(parts.next().ok_or_else(missing)?)?;
        let then = self.body(parts.next().ok_or_else(missing)?)?;
        let otherwise = match parts.next() {
            None => None,
            Some(part) => Some(Box::new(self.body_or_expr(children(part).next().ok_or_else(missing)?)?)),
        };
        Ok(Expr { kind: ExprKind::If(Box::new(condition), Box::new(then), otherwise), span })
    }

    fn arm(&self, pair: Pair<'_, Rule>) -> Result<Arm> {
        let mut parts: Vec<_> = children(pair).collect();
        let body = self.body_or_expr(parts.pop().ok_or_else(missing)?)?;
        let patterns = parts.into_iter().map(|p| self.pattern(p)).collect::<Result<_>>()?;
        Ok(Arm { patterns, body })
    }

    fn pattern(&self, pair: Pair<'_, Rule>) -> Result<Pattern> {
        let span = self.span(&pair);
        let inner = children(pair).next().ok_or_else(missing)?;
        let kind = match inner.as_rule() {
            Rule::wildcard => PatternKind::Wildcard,
            Rule::variant_pattern => {
                let mut parts = children(inner);
                let name = parts.next().ok_or_else(missing)?.as_str().to_string();
                PatternKind::Variant(name, parts.map(|p| self.name(&p)).collect())
            }
            _ => PatternKind::Literal(Box::new(self.expr(inner)?)),
        };
        Ok(Pattern { kind, span })
    }

    fn postfix(&self, pair: Pair<'_, Rule>) -> Result<Expr> {
        let start = self.span(&pair);
        let mut parts = pair.into_inner();
        let mut value = self.expr(next(&mut parts)?)?;
        for part in parts {
            let span = Span { end: self.span(&part).end, ..start };
            let kind = match part.as_rule() {
                Rule::field => {
                    let name = self.name(&children(part).next().ok_or_else(missing)?);
                    ExprKind::Field(Box::new(value), name)
                }
                Rule::index => ExprKind::Index(Box::new(value), Box::new(self.only_child(part)?)),
                _ => ExprKind::Call(Box::new(value), self.arguments(part)?),
            };
            value = Expr { kind, span };
        }
        Ok(value)
    }

    fn arguments(&self, pair: Pair<'_, Rule>) -> Result<Vec<Argument>> {
        children(pair)
            .map(|argument| {
                let mut parts: Vec<_> = children(argument).collect();
                let value = self.expr(parts.pop().ok_or_else(missing)?)?;
                Ok(Argument { name: parts.first().map(|p| self.name(p)), value })
            })
            .collect()
    }

    /// Operators by precedence climbing, then the pipeline: `x |> f(a) @ "p"` is `f(x, a) @ "p"`.
    fn operators(&self, pair: Pair<'_, Rule>) -> Result<Expr> {
        let mut operands = Vec::new();
        let mut operators = Vec::new();
        let mut steps = Vec::new();
        for part in children(pair) {
            match part.as_rule() {
                Rule::operand | Rule::plain_operand => operands.push(self.expr(part)?),
                Rule::operator => operators.push(operator(&part)?),
                _ => steps.push(self.expr(part)?),
            }
        }
        let mut value = climb(&mut operands.into_iter(), &mut operators.into_iter().peekable(), 0)?;
        for step in steps {
            value = pipe(value, step);
        }
        Ok(value)
    }
}

fn pipe(value: Expr, step: Expr) -> Expr {
    let span = value.span.to(step.span);
    match step.kind {
        ExprKind::Scope(call, path) => {
            let call = pipe(value, *call);
            Expr { kind: ExprKind::Scope(Box::new(call), path), span }
        }
        ExprKind::Call(callee, mut arguments) => {
            arguments.insert(0, Argument { name: None, value });
            Expr { kind: ExprKind::Call(callee, arguments), span: step.span }
        }
        _ => Expr {
            span: step.span,
            kind: ExprKind::Call(Box::new(step), vec![Argument { name: None, value }]),
        },
    }
}

fn climb(
    operands: &mut std::vec::IntoIter<Expr>,
    operators: &mut std::iter::Peekable<std::vec::IntoIter<BinaryOp>>,
    floor: u8,
) -> Result<Expr> {
    let mut left = operands.next().ok_or_else(missing)?;
    while let Some(op) = operators.next_if(|op| strength(*op) >= floor) {
        let right = climb(operands, operators, strength(op) + 1)?;
        let span = left.span.to(right.span);
        left = Expr { kind: ExprKind::Binary(op, Box::new(left), Box::new(right)), span };
    }
    Ok(left)
}

fn strength(op: BinaryOp) -> u8 {
    match op {
        BinaryOp::Coalesce => 1,
        BinaryOp::Or => 2,
        BinaryOp::And => 3,
        BinaryOp::Equal
        | BinaryOp::NotEqual
        | BinaryOp::Less
        | BinaryOp::LessEqual
        | BinaryOp::Greater
        | BinaryOp::GreaterEqual => 4,
        BinaryOp::Add | BinaryOp::Subtract => 5,
        BinaryOp::Multiply | BinaryOp::Divide | BinaryOp::Modulo => 6,
    }
}

fn operator(pair: &Pair<'_, Rule>) -> Result<BinaryOp> {
    Ok(match pair.as_str() {
        "??" => BinaryOp::Coalesce,
        "||" => BinaryOp::Or,
        "&&" => BinaryOp::And,
        "==" => BinaryOp::Equal,
        "!=" => BinaryOp::NotEqual,
        "<=" => BinaryOp::LessEqual,
        ">=" => BinaryOp::GreaterEqual,
        "<" => BinaryOp::Less,
        ">" => BinaryOp::Greater,
        "+" => BinaryOp::Add,
        "-" => BinaryOp::Subtract,
        "*" => BinaryOp::Multiply,
        "/" => BinaryOp::Divide,
        "%" => BinaryOp::Modulo,
        _ => return Err(missing()),
    })
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
