//! A report as figures: the keys are a stable contract, described in `docs/analyze-json.md`.

use crate::traffic::Bound;
use crate::tree::Branch;
use crate::{AttentionCount, DType, Figure, Report};

/// The version of the keys.
const SCHEMA: u128 = 1;

impl Report {
    /// Every figure under its key.
    pub fn figures(&self) -> Figure {
        Figure::map([
            ("schema", SCHEMA.into()),
            ("convention", Figure::text(self.questions.convention())),
            ("name", Figure::text(&self.name)),
            ("family", Figure::text(&self.family)),
            ("task", Figure::text(&self.task)),
            ("questions", self.questions_figure()),
            ("params", self.params_figure()),
            ("flops", self.flops_figure()),
            ("memory", self.memory_figure()),
            ("kv_cache", self.cache_figure()),
            ("intensity", self.intensity_figure()),
            ("roofline", self.roofline_figure()),
            ("formula", self.formula_figure()),
        ])
    }

    /// As JSON.
    pub fn json(&self) -> String {
        self.figures().json()
    }

    fn questions_figure(&self) -> Figure {
        let q = &self.questions;
        let attention = match q.attention {
            AttentionCount::Dense => "dense",
            AttentionCount::Masked => "masked",
        };
        Figure::map([
            ("batch", q.batch.into()),
            ("seq", q.seq.into()),
            ("context", q.context.into()),
            ("attention", Figure::text(attention)),
            ("elementwise", Figure::Flag(q.elementwise)),
        ])
    }

    fn params_figure(&self) -> Figure {
        let p = &self.params;
        Figure::map([
            ("total", p.total.into()),
            ("active", p.active.into()),
            ("embedding", p.embedding.into()),
            ("token_embedding", p.token_embedding.into()),
            ("buffers", p.buffers.into()),
            ("tree", self.branch(&self.tree)),
        ])
    }

    fn branch(&self, branch: &Branch) -> Figure {
        let mut entries = vec![("name".to_string(), Figure::text(&branch.name))];
        let mut put = |name: &str, figure: Figure| entries.push((name.to_string(), figure));
        if let Some(layers) = branch.layers {
            put("layers", layers.into());
        }
        if !branch.label.is_empty() {
            put("kind", Figure::text(&branch.label));
        }
        if let Some(shares) = &branch.shares {
            put("shares", Figure::text(shares));
        }
        put("params", branch.cost.params.into());
        put("flops", branch.cost.flops(&self.questions).map_or(Figure::Null, Figure::Count));
        if !branch.children.is_empty() {
            put("children", Figure::List(branch.children.iter().map(|c| self.branch(c)).collect()));
        }
        Figure::Map(entries)
    }

    fn flops_figure(&self) -> Figure {
        let f = &self.flops;
        Figure::map([
            ("forward", f.forward.into()),
            ("forward_masked", f.forward_masked.into()),
            ("decode", f.decode.into()),
            ("decode_keys", f.decode_keys.into()),
            ("train_step", f.train_step.into()),
            ("train_step_fused_attention", f.train_step_fused_attention.into()),
            ("linear", f.parts.linear.into()),
            ("attention", f.parts.attention.into()),
            ("attention_masked", f.parts.attention_masked.into()),
            ("elementwise", f.parts.elementwise.into()),
            ("special", f.parts.special.into()),
        ])
    }

    fn memory_figure(&self) -> Figure {
        let peak = &self.memory.activations;
        Figure::map([
            ("weights", by_dtype(&self.memory.weights)),
            (
                "activations",
                Figure::map([
                    ("peak", peak.bytes.into()),
                    ("peak_unfused_attention", peak.unfused_bytes.into()),
                    ("at", Figure::text(&peak.at)),
                ]),
            ),
        ])
    }

    fn cache_figure(&self) -> Figure {
        let c = &self.kv_cache;
        Figure::map([
            ("bytes", c.bytes_in(DType::Bf16).into()),
            ("by_dtype", by_dtype(&c.bytes)),
            ("elements", c.elements.into()),
            ("elements_per_token", c.elements_per_token.into()),
            ("cross_elements", c.cross_elements.into()),
        ])
    }

    fn intensity_figure(&self) -> Figure {
        let decode = self.decode.as_ref().map_or(Figure::Null, |b| b.intensity.into());
        Figure::map([("forward", self.forward.intensity.into()), ("decode", decode)])
    }

    fn roofline_figure(&self) -> Figure {
        let machine = &self.questions.machine;
        Figure::map([
            ("note", Figure::text("a bound on the time from published peaks, not a forecast")),
            ("machine", Figure::text(&machine.name)),
            ("peak_flops", machine.flops.into()),
            ("bandwidth", machine.bandwidth.into()),
            ("ridge", machine.ridge().into()),
            ("forward", bound(&self.forward)),
            ("decode", self.decode.as_ref().map_or(Figure::Null, bound)),
            ("balance_batch", self.balance_batch.map_or(Figure::Null, Figure::Count)),
        ])
    }

    fn formula_figure(&self) -> Figure {
        let f = &self.formulas;
        let symbols = f.symbols.iter().map(|(name, value)| (name.clone(), Figure::Count(*value)));
        Figure::map([
            ("params", Figure::text(&f.params)),
            ("flops", Figure::text(&f.flops)),
            ("flops_value", f.flops_value.into()),
            ("symbols", Figure::Map(symbols.collect())),
        ])
    }
}

fn by_dtype(bytes: &[(DType, u128)]) -> Figure {
    Figure::Map(bytes.iter().map(|(dtype, bytes)| (dtype.name().to_string(), Figure::Count(*bytes))).collect())
}

fn bound(it: &Bound) -> Figure {
    Figure::map([
        ("flops", it.flops.into()),
        ("bytes", it.bytes.into()),
        ("seconds_overlapped", it.seconds_overlapped.into()),
        ("seconds_sequential", it.seconds_sequential.into()),
        ("tokens_per_second", it.tokens_per_second.into()),
        ("limit", Figure::text(if it.memory_bound { "memory" } else { "compute" })),
    ])
}
