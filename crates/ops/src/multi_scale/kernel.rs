//! Multi-scale attention: one attention for each group of heads, each with a cache as long as its window.

use formwork_tensor::{Context, Tensor, Tokens};

use crate::attention::{Attention, KvCache, Mask};
use crate::kept::Kept;
use crate::room::Room;

/// The keys and values of each group of heads.
#[derive(Clone)]
pub struct GroupCache {
    groups: Vec<KvCache>,
}

impl GroupCache {
    /// `heads` key/value heads in each group; a group keeps its window's last tokens, or all where that is 0.
    pub fn new(batch: usize, heads: usize, d_k: usize, d_v: usize, windows: &[usize], room: impl Into<Room>) -> Self {
        let room = room.into();
        let group = |window: &usize| match *window {
            0 => KvCache::new(batch, heads, d_k, d_v, room),
            window => KvCache::ring(batch, heads, d_k, d_v, window, room),
        };
        Self { groups: windows.iter().map(group).collect() }
    }
}

impl Kept for GroupCache {
    fn truncate(&mut self, len: usize) -> bool {
        // What one group has lost, no other may forget.
        let lossless = self.groups.iter().all(|group| group.holds_first(len));
        lossless && self.groups.iter_mut().all(|group| group.truncate(len))
    }

    fn select(&mut self, rows: &[usize]) {
        self.groups.iter_mut().for_each(|group| group.select(rows));
    }

    fn bytes(&self) -> usize {
        self.groups.iter().map(KvCache::bytes).sum()
    }
}

/// Causal attention over `q` `[B, S, H, e]`, `k` `[B, S, K, e]` and `v` `[B, S, K, d]`.
pub fn multi_scale_attention(
    ctx: &Context,
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    windows: &[usize],
    scale: f32,
    tokens: &Tokens,
    cache: &mut GroupCache,
) -> Tensor {
    let mut caches = cache.groups.iter_mut();
    each_group(ctx, [q, k, v], windows, |window, [q, k, v]| {
        let mask = if window == 0 { Mask::Causal } else { Mask::SlidingWindow(window) };
        let attention = Attention::new(mask, scale);
        let attention = match caches.next() {
            Some(cache) => attention.cached(cache),
            None => attention,
        };
        attention.run(ctx, q, k, v, tokens)
    })
}

/// The same without an order of time: windows reach to both sides.
pub fn multi_scale_attention_full(
    ctx: &Context,
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    windows: &[usize],
    scale: f32,
    tokens: &Tokens,
) -> Tensor {
    each_group(ctx, [q, k, v], windows, |window, [q, k, v]| {
        let mask = if window == 0 { Mask::Full } else { Mask::SymmetricWindow(window - 1) };
        Attention::new(mask, scale).run(ctx, q, k, v, tokens)
    })
}

/// Runs `attend` on the heads of each group and puts the results side by side.
fn each_group(
    ctx: &Context,
    operands: [&Tensor; 3],
    windows: &[usize],
    mut attend: impl FnMut(usize, [&Tensor; 3]) -> Tensor,
) -> Tensor {
    let [b, s, heads, _] = operands[0].axes("multi_scale_attention");
    let [_, _, _, d] = operands[2].axes("multi_scale_attention");
    let share = heads / windows.len() * d;
    let mut y = ctx.tensor(&[b, s, heads, d]);
    for (group, window) in windows.iter().enumerate() {
        let [q, k, v] = operands.map(|x| heads_of(ctx, x, group, windows.len()));
        let part = attend(*window, [&q, &k, &v]);
        let rows = y.data_mut().chunks_exact_mut(heads * d).zip(part.data().chunks_exact(share));
        rows.for_each(|(row, part)| row[group * share..][..share].copy_from_slice(part));
    }
    y
}

/// The heads of one of `groups` groups.
fn heads_of(ctx: &Context, x: &Tensor, group: usize, groups: usize) -> Tensor {
    let [b, s, heads, d] = x.axes("multi_scale_attention");
    assert!(heads.is_multiple_of(groups), "{heads} heads do not divide into {groups} groups");
    let share = heads / groups * d;
    let mut part = ctx.tensor(&[b, s, heads / groups, d]);
    for (to, from) in part.data_mut().chunks_exact_mut(share).zip(x.data().chunks_exact(heads * d)) {
        to.copy_from_slice(&from[group * share..][..share]);
    }
    part
}
