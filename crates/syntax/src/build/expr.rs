//! The expression part of the tree.

use formwork_diag::{Diagnostic, Span};
use pest::iterators::Pair;

use super::{Builder, Result, children, missing, next};
use crate::ast::{Argument, Arm, BinaryOp, Expr, ExprKind, Pattern, PatternKind};
use crate::parse::Rule;

impl Builder {
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
                    return Err(Diagnostic::new(
                        "number-range",
                        span,
                        format!("`{}` is larger than any float", pair.as_str()),
                    ));
                }
                if value == 0.0 && crate::data::has_significant_digit(pair.as_str()) {
                    return Err(Diagnostic::new(
                        "number-range",
                        span,
                        format!("`{}` is smaller than any float", pair.as_str()),
                    ));
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
        _ => Expr { span: step.span, kind: ExprKind::Call(Box::new(step), vec![Argument { name: None, value }]) },
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
