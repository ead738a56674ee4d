//! The textbook's parameter count against the real one, term by term.
//!
//! The textbook says `V·d + L·(4·d² + 2·d·d_ff + 2·d)`. Every parameter of the model belongs to exactly one step below, so the
//! steps lead from the textbook's number to the real total.

use formwork_ir::Model;
use formwork_ops::Role;

use crate::roles::{Purpose, Roles};
use crate::run::fixed;
use crate::visit::{Census, Use};
use crate::{AnalysisError, exact};

/// From the textbook's number to the real one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waterfall {
    /// The sizes that the textbook's formula takes: `V`, `d`, `L`, `d_ff`.
    pub sizes: Vec<(&'static str, u128)>,
    /// What it gives.
    pub textbook: u128,
    /// What it misses or has too much of.
    pub steps: Vec<Step>,
    /// The model's parameters.
    pub total: u128,
}

/// One difference from the textbook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it is about.
    pub name: &'static str,
    /// Parameters that the model has more than the textbook.
    pub difference: i128,
    /// Why, in one line.
    pub reason: String,
}

const FIGURE: &str = "the textbook's terms";

/// Explains a model's parameter count.
///
/// # Errors
/// When a count leaves 127 bits.
pub fn explain(model: &Model) -> Result<Waterfall, AnalysisError> {
    let census = Census::of(model);
    let found = Found::of(&census)?;
    let Book { vocabulary: v, width: d, layers: l, hidden: f } = found.book;
    let (embedding, attention, ffn, norms) = (v * d, 4 * l * d * d, 2 * l * d * f, 2 * l * d);
    let grouped = -found.grouped;
    let wide = found.wide - 4 * d * d * found.attentions;
    let more = 4 * d * d * (found.attentions - l);
    let rest = found.projections - attention - grouped - wide - more;
    let step = |name, difference, reason: String| Step { name, difference, reason };
    let steps = vec![
        step("untied head", found.head, found.head_reason()),
        step("head width", wide, found.heads.width_reason(d)),
        step("grouped heads", grouped, found.heads.sharing_reason()),
        step("more attentions", more, format!("{} attentions in {l} layers (cross-attention)", found.attentions)),
        step("other projections", rest, "matrices around attention besides q, k, v and o".into()),
        step("feed-forward", found.feed_forward - ffn, found.feed_forward_reason()),
        step("biases", found.biases, "the textbook has none".into()),
        step("norms", found.norms - norms, format!("{} norms; the textbook has two vectors a layer", found.norm_count)),
        step("positions and other tables", found.tables - embedding, "tables besides the tokens' one".into()),
        step("other", found.other, "matrices outside the layers and further parameters".into()),
    ];
    let textbook = embedding + attention + ffn + norms;
    let total = textbook + steps.iter().map(|s| s.difference).sum::<i128>();
    let sizes = [("V", v), ("d", d), ("L", l), ("d_ff", f)].map(|(name, value)| (name, value.unsigned_abs()));
    Ok(Waterfall { sizes: sizes.to_vec(), textbook: textbook.unsigned_abs(), steps, total: total.unsigned_abs() })
}

/// The sizes of the textbook's formula.
#[derive(Default)]
struct Book {
    vocabulary: i128,
    width: i128,
    layers: i128,
    hidden: i128,
}

/// What a model has, by purpose.
#[derive(Default)]
struct Found {
    book: Book,
    head: i128,
    head_shared: bool,
    projections: i128,
    feed_forward: i128,
    feed_forward_count: i128,
    biases: i128,
    norms: i128,
    norm_count: i128,
    tables: i128,
    other: i128,
    attentions: i128,
    /// Projections of all attentions, were every query head to have its own keys and values.
    wide: i128,
    /// What sharing keys and values saves.
    grouped: i128,
    heads: Heads,
}

/// The first attention's heads, for the reasons.
#[derive(Default)]
struct Heads {
    queries: i128,
    keys: i128,
    width: i128,
}

impl Heads {
    fn width_reason(&self, d: i128) -> String {
        format!("{} heads of {} are {} wide, not d = {d}", self.queries, self.width, self.queries * self.width)
    }

    fn sharing_reason(&self) -> String {
        format!("{} query heads share {} key/value heads", self.queries, self.keys)
    }
}

impl Found {
    fn of(census: &Census<'_>) -> Result<Self, AnalysisError> {
        let roles = Roles::of(census.model);
        let mut found = Self { book: Book::of(census, &roles)?, ..Self::default() };
        for used in &census.uses {
            found.attention(used)?;
            found.parameters(census, &roles, used)?;
        }
        Ok(found)
    }

    fn parameters(&mut self, census: &Census<'_>, roles: &Roles, used: &Use<'_>) -> Result<(), AnalysisError> {
        if used.op.facts.params.is_empty() {
            return Ok(());
        }
        let layers = sized(used.layers()?)?;
        let purpose = roles.purpose(used);
        let matrix = matches!(purpose, Purpose::Projection | Purpose::FeedForward | Purpose::Outside);
        let mut tied = used.op.facts.params.iter().filter_map(|p| census.shared(used, p));
        let head = purpose == Purpose::Outside && self.is_head(used)?;
        self.head_shared |= head && tied.next().is_some();
        self.feed_forward_count += if purpose == Purpose::FeedForward { layers } else { 0 };
        self.norm_count += if purpose == Purpose::Norm { layers } else { 0 };
        for param in census.owned(used, Role::Param) {
            let numel = signed(exact::mul(FIGURE, fixed(&param.numel(), FIGURE)?, used.layers()?)?)?;
            let slot = match purpose {
                _ if matrix && param.shape.len() == 1 => &mut self.biases,
                Purpose::Outside if head => &mut self.head,
                Purpose::Projection => &mut self.projections,
                Purpose::FeedForward => &mut self.feed_forward,
                Purpose::Norm => &mut self.norms,
                Purpose::Table => &mut self.tables,
                Purpose::Outside | Purpose::Other => &mut self.other,
            };
            *slot += numel;
        }
        Ok(())
    }

    /// Whether a matrix outside the layers makes logits.
    fn is_head(&self, used: &Use<'_>) -> Result<bool, AnalysisError> {
        let Some(output) = used.op.facts.outputs.first() else { return Ok(false) };
        Ok(signed(fixed(&output.last(), FIGURE)?)? == self.book.vocabulary)
    }

    fn attention(&mut self, used: &Use<'_>) -> Result<(), AnalysisError> {
        if used.op.facts.flops.attention.is_none() {
            return Ok(());
        }
        let size = |operand: usize, axis: usize| -> Result<i128, AnalysisError> {
            let dim = used.operand(operand).and_then(|ty| ty.shape.get(axis).cloned()).unwrap_or_default();
            sized(fixed(&dim, FIGURE)?)
        };
        let (heads, kv_heads) = (size(0, 2)?, size(1, 2)?);
        let both = size(1, 3)? + size(2, 3)?;
        let layers = sized(exact::mul(FIGURE, used.layers()?, fixed(&used.turns, FIGURE)?)?)?;
        if self.attentions == 0 {
            self.heads = Heads { queries: heads, keys: kv_heads, width: size(0, 3)? };
        }
        self.attentions += layers;
        self.wide += layers * 2 * self.book.width * heads * both;
        self.grouped += layers * self.book.width * (heads - kv_heads) * both;
        Ok(())
    }

    fn head_reason(&self) -> String {
        match (self.head, self.head_shared) {
            (0, true) => "the head shares the embedding's matrix, as in the textbook".into(),
            (0, false) => "there is no head".into(),
            _ => "the head has a V·d matrix of its own".into(),
        }
    }

    fn feed_forward_reason(&self) -> String {
        match self.feed_forward_count.checked_div(self.book.layers) {
            Some(2) => "two matrices a layer, as in the textbook".into(),
            Some(3) => "the gate is a third d·d_ff matrix".into(),
            _ => format!("{} matrices in {} layers", self.feed_forward_count, self.book.layers),
        }
    }
}

impl Book {
    /// The first table, the loops' layers and the widest feed-forward.
    fn of(census: &Census<'_>, roles: &Roles) -> Result<Self, AnalysisError> {
        let mut book = Self::default();
        let mut loops: Vec<(usize, usize)> = Vec::new();
        for used in &census.uses {
            if let Some(outer) = used.loops.first().filter(|l| !loops.contains(&(l.id, l.kind))) {
                loops.push((outer.id, outer.kind));
                book.layers += sized(outer.layers)?;
            }
            match (roles.purpose(used), used.op.facts.params.first()) {
                (Purpose::Table, Some(table)) if book.vocabulary == 0 && crate::params::reads_tokens(used) => {
                    book.vocabulary = sized(table.shape.first().map_or(Ok(0), |rows| fixed(rows, FIGURE))?)?;
                    book.width = sized(table.shape.last().map_or(Ok(0), |width| fixed(width, FIGURE))?)?;
                }
                (Purpose::FeedForward, Some(_)) => {
                    let width = used.op.facts.outputs.first().map_or(Ok(0), |ty| fixed(&ty.last(), FIGURE))?;
                    book.hidden = book.hidden.max(sized(width)?);
                }
                _ => {}
            }
        }
        Ok(book)
    }
}

/// A count far enough from the edge for differences and sums.
fn signed(count: u128) -> Result<i128, AnalysisError> {
    below(count, 1 << 96)
}

/// A size small enough to multiply three of them by a number of layers.
fn sized(size: u128) -> Result<i128, AnalysisError> {
    below(size, 1 << 30)
}

fn below(count: u128, limit: u128) -> Result<i128, AnalysisError> {
    match i128::try_from(count) {
        Ok(value) if count < limit => Ok(value),
        _ => Err(AnalysisError::Overflow { figure: FIGURE.into(), factors: count.to_string() }),
    }
}
