//! The module tree with repeated layers folded: one branch for each kind of layer, with how many there are.

use formwork_ops::Role;

use crate::run::Run;
use crate::visit::{Census, Use};
use crate::{AnalysisError, Cost};

/// A part of the module tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Branch {
    /// The last components of its path.
    pub name: String,
    /// What makes this kind of layer distinct from its siblings.
    pub label: String,
    /// How many there are side by side; `None` for a part that is not repeated.
    pub layers: Option<u128>,
    /// The parameter whose storage it shares.
    pub shares: Option<String>,
    /// Everything below it, in every layer.
    pub cost: Cost,
    /// Its parts.
    pub children: Vec<Branch>,
}

/// A branch under construction: costs are of one iteration of everything around it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Node {
    name: String,
    /// The innermost loop that it stands for: the loop, its kind and the kind's layers.
    fold: Option<Fold>,
    shares: Option<String>,
    own: Cost,
    children: Vec<Node>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Fold {
    id: usize,
    kind: usize,
    layers: u128,
    all: u128,
    label: String,
}

/// The tree of a run.
pub(crate) fn tree(census: &Census<'_>, run: &Run) -> Result<Branch, AnalysisError> {
    let mut root = Node { name: census.model.name.clone(), ..Node::default() };
    for used in &census.uses {
        let cost = Cost::of(census, used, run)?;
        let shares = shares(census, used);
        if cost != Cost::default() || shares.is_some() {
            root.insert(&segments(used), cost, shares, &used.path)?;
        }
    }
    merge_like_kinds(&mut root);
    let mut root = finish(root, 1)?;
    join_chains(&mut root);
    Ok(root)
}

/// The parameter that an op shares when it has none of its own.
fn shares(census: &Census<'_>, used: &Use<'_>) -> Option<String> {
    let with = |role: Role| used.op.facts.params.iter().filter(move |p| p.role == role);
    let first = with(Role::Param).find_map(|p| census.shared(used, p))?;
    Some(first.strip_suffix(".weight").unwrap_or(first).to_string())
}

/// A path's components; an index joins the component before it and brings its loop along. Attention, which has no path of its
/// own, gets a line of its own.
fn segments(used: &Use<'_>) -> Vec<(String, Option<Fold>)> {
    let mut out: Vec<(String, Option<Fold>)> = Vec::new();
    let mut loops = used.loops.iter().peekable();
    for part in used.path.split('.').filter(|p| !p.is_empty()) {
        let around = loops.next_if(|l| part.contains(&format!("{{{}}}", l.index)));
        let fold = around.map(|l| Fold {
            id: l.id,
            kind: l.kind,
            layers: l.layers,
            label: if l.layers == l.all { String::new() } else { l.label.clone() },
            all: l.all,
        });
        let bare = fold.is_some() && part.starts_with('{') && part.ends_with('}');
        match out.last_mut() {
            Some((_, slot @ None)) if bare => *slot = fold,
            Some((name, _)) if part.bytes().all(|b| b.is_ascii_digit()) => {
                name.push('.');
                name.push_str(part);
            }
            _ => out.push((part.to_string(), fold)),
        }
    }
    if used.op.facts.flops.attention.is_some() {
        out.push((format!("({})", used.op.op.name), None));
    }
    out
}

impl Node {
    fn insert(
        &mut self,
        path: &[(String, Option<Fold>)],
        cost: Cost,
        shares: Option<String>,
        figure: &str,
    ) -> Result<(), AnalysisError> {
        let Some(((name, fold), rest)) = path.split_first() else {
            self.own = self.own.plus(&cost, figure)?;
            self.shares = self.shares.take().or(shares);
            return Ok(());
        };
        let at = self.children.iter().position(|c| c.name == *name && c.fold == *fold);
        let at = at.unwrap_or_else(|| {
            self.children.push(Self { name: name.clone(), fold: fold.clone(), ..Self::default() });
            self.children.len() - 1
        });
        self.children[at].insert(rest, cost, shares, figure)
    }

    /// Whether a layer of both costs the same, part by part.
    fn like(&self, other: &Self) -> bool {
        self.name == other.name
            && self.own == other.own
            && self.shares == other.shares
            && self.children.len() == other.children.len()
            && self.children.iter().zip(&other.children).all(|(a, b)| a.like(b) && layers(a) == layers(b))
    }
}

fn layers(node: &Node) -> Option<u128> {
    node.fold.as_ref().map(|f| f.layers)
}

/// Kinds of one loop that cost the same are shown as one.
fn merge_like_kinds(node: &mut Node) {
    let mut merged: Vec<Node> = Vec::new();
    for mut child in std::mem::take(&mut node.children) {
        merge_like_kinds(&mut child);
        let same_loop = |a: &Fold, b: &Fold| a.id == b.id;
        let twin = merged
            .iter_mut()
            .find(|m| matches!((&m.fold, &child.fold), (Some(a), Some(b)) if same_loop(a, b)) && m.like(&child));
        match (twin.and_then(|t| t.fold.as_mut()), &child.fold) {
            (Some(into), Some(from)) => {
                into.layers = into.layers.saturating_add(from.layers);
                into.label =
                    if into.layers == into.all { String::new() } else { format!("{}; {}", into.label, from.label) };
            }
            _ => merged.push(child),
        }
    }
    node.children = merged;
}

/// Multiplies by the layers around.
fn finish(node: Node, around: u128) -> Result<Branch, AnalysisError> {
    let here = layers(&node);
    let around = crate::exact::mul(&node.name, around, here.unwrap_or(1))?;
    let mut cost = node.own.times(around, &node.name)?;
    let mut children = Vec::new();
    for child in node.children {
        let child = finish(child, around)?;
        cost = cost.plus(&child.cost, &node.name)?;
        children.push(child);
    }
    Ok(Branch {
        name: node.name,
        label: node.fold.map(|f| f.label).unwrap_or_default(),
        layers: here,
        shares: node.shares,
        cost,
        children,
    })
}

/// Joins each branch that holds nothing but one other with it: `mlp` and `c_fc` under it read `mlp.c_fc`.
fn join_chains(branch: &mut Branch) {
    for child in &mut branch.children {
        join_chains(child);
        while child.layers.is_none() && child.children.len() == 1 && child.cost == child.children[0].cost {
            let Some(only) = child.children.pop() else { break };
            let name = format!("{}.{}", child.name, only.name);
            *child = Branch { name, ..only };
        }
    }
}
