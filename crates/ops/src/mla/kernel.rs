//! Latent attention, expanded and absorbed.

use formwork_tensor::{Context, Layout, Matrix, Param, Tensor, Tokens};

use crate::attention::call::{Call, Form};
use crate::attention::slots::Source;
use crate::attention::{Attention, Mask};
use crate::row_cache::RowCache;

/// How a step of one token computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LatentDecoding {
    /// Keys and values of all positions are made from their latents in each step.
    Expanded,
    /// Queries and results go through the matrices; attention reads the latents themselves.
    Absorbed,
}

/// The matrix `[heads·(nope + d_v), latent]` that makes keys and values of latents.
#[derive(Clone)]
pub struct Mla {
    expand: Matrix,
    /// For each head, the matrix from a query to the latent and the one from the latent to a value.
    absorb: Vec<[Matrix; 2]>,
    nope: usize,
    pub(crate) d_v: usize,
    pub(crate) scale: f32,
    pub(crate) decoding: LatentDecoding,
}

impl Mla {
    /// Heads of keys of width `nope` (and a rotated part that comes apart) and values of width `d_v`.
    pub fn new(weight: &Param, heads: usize, nope: usize, d_v: usize, scale: f32, decoding: LatentDecoding) -> Self {
        let head = |head: usize| {
            let first = head * (nope + d_v);
            let key = weight.rows(first..first + nope);
            let value = weight.rows(first + nope..first + nope + d_v);
            [Matrix::new(key, Layout::InOut), Matrix::new(value, Layout::OutIn)]
        };
        let expand = Matrix::new(weight.clone(), Layout::OutIn);
        Self { expand, absorb: (0..heads).map(head).collect(), nope, d_v, scale, decoding }
    }

    /// `q` `[B, S, H, nope + r]`, `latent` `[B, S, c]` and `rope` `[B, S, 1, r]` to `[B, S, H, d_v]`.
    pub fn forward(
        &self,
        ctx: &Context,
        q: &Tensor,
        latent: &Tensor,
        rope: &Tensor,
        tokens: &Tokens,
        cache: &mut RowCache,
    ) -> Tensor {
        assert_eq!(tokens.past, cache.len(), "the cache holds the tokens of earlier steps");
        let [b, s, c] = latent.axes("mla");
        cache.append([b, s], [latent, rope]);
        match self.decoding {
            LatentDecoding::Absorbed if tokens.len() == 1 => self.absorbed(ctx, q, c, tokens, cache),
            _ => self.expanded(ctx, q, c, tokens, cache),
        }
    }

    fn expanded(&self, ctx: &Context, q: &Tensor, c: usize, tokens: &Tokens, cache: &RowCache) -> Tensor {
        let (k, v) = self.keys_and_values(ctx, q, c, cache);
        Attention::new(Mask::Causal, self.scale).run(ctx, q, &k, &v, tokens)
    }

    /// The keys `[B, T, H, nope + r]` and values `[B, T, H, d_v]` of all latents so far; `q` is as wide as a key.
    pub(crate) fn keys_and_values(&self, ctx: &Context, q: &Tensor, c: usize, cache: &RowCache) -> (Tensor, Tensor) {
        let [b, _, heads, d_q] = q.axes("mla");
        let (slots, width, r) = (cache.len(), self.nope + self.d_v, d_q - self.nope);
        let mut latents = ctx.tensor(&[b, slots, c]);
        let mut pairs = ctx.tensor(&[b, slots, heads * width]);
        let mut k = ctx.tensor(&[b, slots, heads, d_q]);
        let mut v = ctx.tensor(&[b, slots, heads, self.d_v]);
        let mut rows = ctx.tensor(&[b, slots, c + r]);
        for (at, row) in rows.data_mut().chunks_exact_mut(c + r).enumerate() {
            cache.read(at / slots, at % slots, row);
        }
        for (row, to) in rows.data().chunks_exact(c + r).zip(latents.data_mut().chunks_exact_mut(c)) {
            to.copy_from_slice(&row[..c]);
        }
        self.expand.multiply(&latents, None, &mut pairs);
        let rows = rows.data().chunks_exact(c + r);
        let all = k.data_mut().chunks_exact_mut(heads * d_q).zip(v.data_mut().chunks_exact_mut(heads * self.d_v));
        for ((row, pair), (k, v)) in rows.zip(pairs.data().chunks_exact(heads * width)).zip(all) {
            let each = k.chunks_exact_mut(d_q).zip(v.chunks_exact_mut(self.d_v));
            for (pair, (k, v)) in pair.chunks_exact(width).zip(each) {
                k[..self.nope].copy_from_slice(&pair[..self.nope]);
                k[self.nope..].copy_from_slice(&row[c..]);
                v.copy_from_slice(&pair[self.nope..]);
            }
        }
        (k, v)
    }

    fn absorbed(&self, ctx: &Context, q: &Tensor, c: usize, tokens: &Tokens, cache: &RowCache) -> Tensor {
        let q = self.to_latent(ctx, q, c);
        let attention = Attention::new(Mask::Causal, self.scale);
        let seen = |slot: usize, _: Option<&[bool]>| 0..slot + 1;
        let forms = [Form { q: &q, seen: &seen }];
        let source = Source::Latents(cache);
        let mixed = Call { attention: &attention, forms: &forms, source, tokens }.run(ctx, 1, c);
        self.to_values(ctx, &mixed)
    }

    /// Queries `[B, S, H, nope + r]` to `[B, S, H, c + r]`: what they are in the latent, and their rotated part.
    pub(crate) fn to_latent(&self, ctx: &Context, q: &Tensor, c: usize) -> Tensor {
        let [b, s, heads, d_q] = q.axes("mla");
        let r = d_q - self.nope;
        let mut all = ctx.tensor(&[b, s, heads, c + r]);
        let mut from = ctx.tensor(&[b * s, self.nope]);
        let mut to = ctx.tensor(&[b * s, c]);
        for (head, [key, _]) in self.absorb.iter().enumerate() {
            take(q, head, &mut from);
            key.multiply(&from, None, &mut to);
            let rows = all.data_mut().chunks_exact_mut(heads * (c + r)).zip(q.data().chunks_exact(heads * d_q));
            for ((row, q), to) in rows.zip(to.data().chunks_exact(c)) {
                let row = &mut row[head * (c + r)..][..c + r];
                row[..c].copy_from_slice(to);
                row[c..].copy_from_slice(&q[head * d_q + self.nope..][..r]);
            }
        }
        all
    }

    /// Mixed latents `[B, S, H, c]` to values `[B, S, H, d_v]`.
    pub(crate) fn to_values(&self, ctx: &Context, mixed: &Tensor) -> Tensor {
        let [b, s, heads, c] = mixed.axes("mla");
        let mut y = ctx.tensor(&[b, s, heads, self.d_v]);
        let mut from = ctx.tensor(&[b * s, c]);
        let mut to = ctx.tensor(&[b * s, self.d_v]);
        for (head, [_, value]) in self.absorb.iter().enumerate() {
            take(mixed, head, &mut from);
            value.multiply(&from, None, &mut to);
            let rows = y.data_mut().chunks_exact_mut(heads * self.d_v);
            for (row, to) in rows.zip(to.data().chunks_exact(self.d_v)) {
                row[head * self.d_v..][..self.d_v].copy_from_slice(to);
            }
        }
        y
    }
}

/// The leading channels of one head of `[B, S, H, d]`, as many as `to` `[B·S, n]` has.
fn take(x: &Tensor, head: usize, to: &mut Tensor) {
    let [_, _, heads, d] = x.axes("mla");
    let n = to.dims().width();
    for (to, x) in to.data_mut().chunks_exact_mut(n).zip(x.data().chunks_exact(heads * d)) {
        to.copy_from_slice(&x[head * d..][..n]);
    }
}
