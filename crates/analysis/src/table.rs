//! A report for people: the module tree with folded layers, then the totals.

use formwork_diag::thousands;

use crate::text::{bytes, left, percent, right, seconds, width, wrapped};
use crate::traffic::Bound;
use crate::tree::Branch;
use crate::{AttentionCount, DType, Report};

/// Columns of a line.
const WIDTH: usize = 100;

struct Row {
    name: String,
    params: String,
    share: String,
    flops: String,
}

impl Report {
    /// Plain text, at most 100 columns wide.
    pub fn table(&self) -> String {
        let mut rows = Vec::new();
        self.rows(&self.tree, 0, &mut rows);
        let mut out = self.title();
        out.push_str(&columns(&rows));
        out.push('\n');
        for (name, value) in self.totals() {
            out.push_str(format!("{}{value}", left(&name, 26)).trim_end());
            out.push('\n');
        }
        out
    }

    fn title(&self) -> String {
        let q = &self.questions;
        let attention = match q.attention {
            AttentionCount::Dense => "attention over every pair",
            AttentionCount::Masked => "attention over visible pairs",
        };
        let outside = if q.elementwise { "elementwise work included" } else { "products only" };
        format!(
            "{} ({}, {})\nbatch {}, {} tokens after {}; a multiply-add is 2 FLOPs, {outside}, {attention}\n\n",
            self.name,
            self.family,
            self.task,
            thousands(q.batch),
            thousands(q.seq),
            thousands(q.context),
        )
    }

    fn rows(&self, branch: &Branch, depth: usize, rows: &mut Vec<Row>) {
        let mut name = format!("{}{}", "  ".repeat(depth), branch.name);
        if let Some(layers) = branch.layers {
            name.push_str(&format!(" × {layers}"));
        }
        if !branch.label.is_empty() {
            name.push_str(&format!(" ({})", branch.label));
        }
        if let Some(shares) = &branch.shares {
            name.push_str(&format!(" = {shares}"));
        }
        let params = branch.cost.params;
        rows.push(Row {
            name,
            params: if params == 0 { String::from("-") } else { thousands(params) },
            share: if params == 0 { String::new() } else { percent(params, self.params.total) },
            flops: match branch.cost.flops(&self.questions) {
                Ok(0) | Err(_) => String::from("-"),
                Ok(flops) => thousands(flops),
            },
        });
        for child in &branch.children {
            self.rows(child, depth + 1, rows);
        }
    }

    fn totals(&self) -> Vec<(String, String)> {
        let f = &self.flops;
        let p = &self.params;
        let mut out: Vec<(String, String)> = Vec::new();
        let mut put = |name: &str, value: String| out.push((name.to_string(), value));
        put("Parameters", thousands(p.total));
        put("  active for a token", thousands(p.active));
        put("  in lookup tables", thousands(p.embedding));
        put("FLOPs, forward", thousands(f.forward));
        put("  visible pairs only", thousands(f.forward_masked));
        if let Some(decode) = f.decode {
            put("FLOPs, one new token", format!("{} at {} keys", thousands(decode), thousands(f.decode_keys)));
        }
        put("FLOPs, training step", thousands(f.train_step));
        put("  fused attention", thousands(f.train_step_fused_attention));
        // Both formats of 16 bits take the same.
        let told = self.memory.weights.iter().filter(|(dtype, _)| *dtype != DType::F16);
        let weights: Vec<String> = told.map(|(d, b)| format!("{} {}", d.name(), bytes(*b))).collect();
        put("Weights", weights.join(", "));
        let cache = self.kv_cache.bytes_in(DType::Bf16);
        if cache > 0 {
            put("KV cache, bf16", format!("{} ({} bytes)", bytes(cache), thousands(cache)));
            let [f32, q8] = [DType::F32, DType::Q8].map(|dtype| bytes(self.kv_cache.bytes_in(dtype)));
            put("", format!("f32 {f32}, q8 {q8}"));
        }
        let peak = &self.memory.activations;
        put("Activations, f32", format!("{} at {}", bytes(peak.bytes), peak.at));
        put("", format!("{} with whole score matrices", bytes(peak.unfused_bytes)));
        put(&format!("Bound on {}", self.questions.machine.name), format!("forward {}", bound(&self.forward)));
        if let Some(decode) = &self.decode {
            put("", format!("decode  {}", bound(decode)));
        }
        if let Some(batch) = self.balance_batch {
            put("", format!("decode reads weights for most of its time below {} sequences", thousands(batch)));
        }
        put("Parameters =", wrapped(&self.formulas.params.to_string(), WIDTH, 26));
        put("FLOPs =", wrapped(&self.formulas.flops.to_string(), WIDTH, 26));
        out
    }
}

fn bound(it: &Bound) -> String {
    let limit = if it.memory_bound { "memory" } else { "compute" };
    format!("≥ {}, ≤ {:.1} tokens/s, limited by {limit}", seconds(it.seconds_overlapped), it.tokens_per_second)
}

/// Aligned columns; the first takes what the others leave.
fn columns(rows: &[Row]) -> String {
    let widest = |title: &str, cell: &dyn Fn(&Row) -> usize| rows.iter().map(cell).max().unwrap_or(0).max(width(title));
    let params = widest("Parameters", &|r| width(&r.params));
    let share = widest("Share", &|r| width(&r.share));
    let flops = widest("FLOPs", &|r| width(&r.flops));
    let name = widest("Module", &|r| width(&r.name)).min(WIDTH.saturating_sub(params + share + flops + 6));
    let line = |a: &str, b: &str, c: &str, d: &str| {
        let line = format!("{}  {}  {}  {}", left(a, name), right(b, params), right(c, share), right(d, flops));
        format!("{}\n", line.trim_end())
    };
    let mut out = line("Module", "Parameters", "Share", "FLOPs");
    out.push_str(&format!("{}\n", "─".repeat(name + params + share + flops + 6)));
    for row in rows {
        out.push_str(&line(&row.name, &row.params, &row.share, &row.flops));
    }
    out
}
