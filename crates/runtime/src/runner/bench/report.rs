//! The results as a table for people and as JSON (`docs/bench-json.md`).

use formwork_ops::CacheFormat;
use formwork_tensor::{Level, Precision, Result};
use serde_json::{Value, json};

use super::machine::{Limits, Peak, cpu};
use super::options::Bench;
use super::plan::Test;
use super::sample::Sample;
use crate::model::{Info, Model};
use crate::runner::args::Options;
use crate::weights::Held;

/// The version of the keys.
const SCHEMA: u32 = 1;

/// The times of one test at one number of threads.
pub(super) struct Row {
    pub(super) test: Test,
    pub(super) context: usize,
    pub(super) seconds: Sample,
}

/// What was found when the model was ready.
pub(super) struct Loaded {
    pub(super) seconds: f64,
    /// The format that most weights are in.
    pub(super) format: &'static str,
    /// Where its matrices are.
    pub(super) held: Held,
    /// The SIMD level that kernels run at.
    pub(super) level: Level,
}

impl Loaded {
    /// Whether the matrices that most weights are in hold codes.
    fn are_codes(&self) -> bool {
        self.format.starts_with('q')
    }

    /// Whether products of many rows see their inputs in bf16 where that is asked for: packed matrices have such products,
    /// those of codes in tiles alone.
    fn rounds_products(&self) -> bool {
        self.held.packed > 0 && (self.level == Level::Amx || self.level.has_bf16() && !self.are_codes())
    }

    /// Where matrices are, for people.
    fn places(&self) -> String {
        let Held { mapped, copied, packed, large_pages } = self.held;
        let mebibytes = |bytes: u64| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
        let parts = [(mapped, "mapped"), (copied, "in memory as stored"), (packed, "packed")];
        let parts = parts.into_iter().filter(|(bytes, _)| *bytes > 0);
        let mut all: Vec<String> = parts.map(|(bytes, place)| format!("{} {place}", mebibytes(bytes))).collect();
        if large_pages > 0 {
            all.push(format!("{} of it with large pages asked for", mebibytes(large_pages)));
        }
        all.join(", ")
    }

    /// What asking for bf16 does here, for people.
    fn rounding(&self) -> String {
        match (self.level.has_bf16(), self.rounds_products()) {
            (true, true) => "products and attention of prompts see inputs in bf16".to_string(),
            (true, false) => "attention of prompts sees inputs in bf16, products do not".to_string(),
            (false, _) => format!("nothing is rounded to bf16, which {} has no products of", self.level.name()),
        }
    }
}

/// Everything that was measured.
pub(super) struct Report {
    info: Info,
    source: Option<String>,
    loaded: Loaded,
    /// The format of keys and values.
    pub(super) cache: CacheFormat,
    /// How exactly products see their operands.
    pub(super) precision: Precision,
    pub(super) peak_memory: Option<u64>,
    /// For each context, its threads and what they can do.
    pub(super) limits: Vec<(usize, Limits)>,
    pub(super) rows: Vec<Row>,
}

impl Report {
    pub(super) fn new<M: Model>(options: &Options, loaded: Loaded) -> Result<Self> {
        let source = options.weights().ok().map(|path| path.display().to_string());
        let (cache, precision) = (options.cache::<M>()?, options.precision()?);
        let (limits, rows) = (Vec::new(), Vec::new());
        Ok(Self { info: M::INFO, source, loaded, cache, precision, peak_memory: None, limits, rows })
    }

    /// About how many bytes of weights a pass reads: what the read loop goes over.
    pub(super) fn bytes_of_a_pass(&self, bench: &Bench) -> u64 {
        let weights = |row: &Row| bench.work.get(&row.test.to_string())?.weights.get(self.loaded.format).copied();
        let size = if self.loaded.format == "f32" { 4 } else { 2 };
        let pass = |row: &Row| Some(weights(row)? / row.test.passes(self.info.generates) as u64);
        self.rows.iter().filter_map(pass).max().unwrap_or(self.info.parameters * size)
    }

    /// The figures of a row: what follows from its times.
    fn figures(&self, row: &Row, bench: &Bench) -> Figures {
        let limits = &self.limits[row.context].1;
        let work = bench.work.get(&row.test.to_string());
        let rate = |amount: Option<u64>| amount.map(|amount| row.seconds.map(|seconds| amount as f64 / seconds));
        Figures {
            tokens: row.seconds.map(|seconds| row.test.lengths().sum::<usize>() as f64 / seconds),
            bytes: rate(work.and_then(|work| work.bytes(self.loaded.format))),
            flops: rate(work.map(|work| work.flops)),
            read: limits.read.median(),
            peak: limits.peak(self.peak()),
        }
    }

    /// The arithmetic of most products.
    fn peak(&self) -> Peak {
        match (self.loaded.are_codes(), self.precision) {
            (true, _) => Peak::Int8,
            (false, Precision::Bf16) if self.loaded.rounds_products() => Peak::Bf16,
            _ => Peak::F32,
        }
    }

    pub(super) fn json(&self, bench: &Bench) -> String {
        let limits = self.limits.iter().map(|(threads, limits)| {
            json!({
                "threads": threads,
                "read_bytes": limits.bytes(),
                "read_bytes_per_second": limits.read.json(),
                "f32_flops_per_second": limits.f32.json(),
                "bf16_flops_per_second": limits.bf16.json(),
                "int8_ops_per_second": limits.int8.json(),
            })
        });
        let tests = self.rows.iter().map(|row| self.test_json(row, bench));
        let rounds = self.precision == Precision::Bf16;
        let report = json!({
            "schema": SCHEMA,
            "model": self.info.name,
            "task": self.info.task,
            "parameters": self.info.parameters,
            "weights": self.source,
            "format": self.loaded.format,
            "cache_format": self.cache.name(),
            "held": {
                "mapped_bytes": self.loaded.held.mapped,
                "copied_bytes": self.loaded.held.copied,
                "packed_bytes": self.loaded.held.packed,
                "large_page_bytes": self.loaded.held.large_pages,
            },
            "simd": self.loaded.level.name(),
            "precision": self.precision.name(),
            "rounds_products": rounds && self.loaded.rounds_products(),
            "rounds_attention": rounds && self.loaded.level.has_bf16(),
            "cpu": cpu(),
            "rounds": bench.repeat,
            "load_seconds": self.loaded.seconds,
            "peak_memory_bytes": self.peak_memory,
            "limits": limits.collect::<Vec<Value>>(),
            "tests": tests.collect::<Vec<Value>>(),
        });
        format!("{report:#}")
    }

    fn test_json(&self, row: &Row, bench: &Bench) -> Value {
        let figures = self.figures(row, bench);
        let optional = |sample: &Option<Sample>| sample.as_ref().map_or(Value::Null, Sample::json);
        json!({
            "name": row.test.to_string(),
            "tokens": row.test.tokens,
            "depth": row.test.depth,
            "batch": row.test.batch,
            "threads": self.limits[row.context].0,
            "seconds": row.seconds.json(),
            "tokens_per_second": figures.tokens.json(),
            "bytes_per_second": optional(&figures.bytes),
            "share_of_read": figures.share_of_read(),
            "flops_per_second": optional(&figures.flops),
            "share_of_peak": figures.share_of_peak(),
            "peak": self.peak().name(),
        })
    }

    pub(super) fn table(&self, bench: &Bench) -> String {
        let source = self.source.as_deref().unwrap_or("random weights");
        let mut out =
            format!("{}: {} parameters, {}, {source}", self.info.name, self.info.parameters, self.loaded.format);
        out += &if self.info.generates { format!(", cache {}\n", self.cache.name()) } else { "\n".to_string() };
        out += &format!("matrices: {}; SIMD level {}\n", self.loaded.places(), self.loaded.level.name());
        if self.precision == Precision::Bf16 {
            out += &format!("{}\n", self.loaded.rounding());
        }
        out += &format!("loaded in {:.2} s", self.loaded.seconds);
        if let Some(bytes) = self.peak_memory {
            out += &format!(", peak memory {} MiB", bytes >> 20);
        }
        for (threads, limits) in &self.limits {
            let threads = if *threads == 1 { "1 thread".to_string() } else { format!("{threads} threads") };
            out += &format!("\nlimits of {threads}: read {} GB/s", giga(limits.read.median()));
            out += &format!(", f32 {} GFLOP/s", giga(limits.f32.median()));
            out += &format!(", bf16 {} GFLOP/s", giga(limits.bf16.median()));
            out += &format!(", int8 {} GOP/s", giga(limits.int8.median()));
        }
        out += &format!(
            "\n\n{:<24} {:>7} {:>9} {:>19} {:>7} {:>8} {:>9} {:>8}\n",
            "test", "threads", "tok/s", "(min to max)", "GB/s", "of read", "GFLOP/s", "of peak"
        );
        for row in &self.rows {
            let figures = self.figures(row, bench);
            let (min, max) = figures.tokens.range().unwrap_or_default();
            let middle = |sample: &Option<Sample>| giga(sample.as_ref().and_then(Sample::median));
            out += &format!(
                "{:<24} {:>7} {:>9.2} {:>19} {:>7} {:>8} {:>9} {:>8}\n",
                row.test.to_string(),
                self.limits[row.context].0,
                figures.tokens.median().unwrap_or_default(),
                format!("({min:.2} to {max:.2})"),
                middle(&figures.bytes),
                percent(figures.share_of_read()),
                middle(&figures.flops),
                percent(figures.share_of_peak()),
            );
        }
        let rounds = if bench.repeat == 1 { "one round".into() } else { format!("medians of {} rounds", bench.repeat) };
        out + &format!("\n{rounds}; of peak: {}", self.peak().name())
    }
}

/// What follows from the times of a test.
struct Figures {
    tokens: Sample,
    bytes: Option<Sample>,
    flops: Option<Sample>,
    read: Option<f64>,
    peak: Option<f64>,
}

impl Figures {
    fn share_of_read(&self) -> Option<f64> {
        Some(self.bytes.as_ref()?.median()? / self.read?)
    }

    fn share_of_peak(&self) -> Option<f64> {
        Some(self.flops.as_ref()?.median()? / self.peak?)
    }
}

fn giga(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_string(), |value| format!("{:.1}", value / 1e9))
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_string(), |share| format!("{:.0}%", share * 100.0))
}

#[cfg(test)]
mod tests {
    use formwork_tensor::Level;

    use super::{Held, Loaded};

    fn loaded(level: Level, format: &'static str, held: Held) -> Loaded {
        Loaded { seconds: 0.0, format, held, level }
    }

    #[test]
    fn bf16_is_claimed_where_it_is_multiplied() {
        let (mapped, packed) = (Held { mapped: 1, ..Held::default() }, Held { packed: 1, ..Held::default() });
        for (level, format, held, due) in [
            (Level::Amx, "f32", packed, "products and attention"),
            (Level::Amx, "q8", packed, "products and attention"),
            (Level::Avx512Bf16, "bf16", packed, "products and attention"),
            (Level::Avx512Bf16, "q8", packed, "attention of prompts sees"),
            (Level::Amx, "f32", mapped, "attention of prompts sees"),
            (Level::Avx2, "bf16", packed, "nothing is rounded to bf16, which avx2"),
        ] {
            let said = loaded(level, format, held).rounding();
            assert!(said.starts_with(due), "{level:?} {format}: {said}");
        }
    }

    #[test]
    fn places_are_those_that_matrices_have() {
        let held = Held { mapped: 3 << 19, copied: 0, packed: 5 << 20, large_pages: 4 << 20 };
        let said = loaded(Level::Avx2, "q8", held).places();
        assert_eq!(said, "1.5 MiB mapped, 5.0 MiB packed, 4.0 MiB of it with large pages asked for");
    }
}
