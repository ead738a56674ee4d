//! The machine: its limits, measured, and what the system says of this process.

use formwork_tensor::{Context, probe};

use super::sample::Sample;

/// The smallest and the largest buffer that the read loop goes over: larger than second-level caches, smaller than memory.
const BUFFER: std::ops::RangeInclusive<u64> = 64 << 20..=2 << 30;

/// The arithmetic that products are held against.
#[derive(Clone, Copy)]
pub(super) enum Peak {
    F32,
    Bf16,
    Int8,
}

impl Peak {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
        }
    }
}

/// Samples of what the machine can do, taken between the tests.
pub(super) struct Limits {
    data: Vec<f32>,
    pub(super) read: Sample,
    pub(super) f32: Sample,
    pub(super) bf16: Sample,
    pub(super) int8: Sample,
}

impl Limits {
    /// The read loop goes over about as many bytes as the tests do.
    pub(super) fn new(bytes: u64) -> Self {
        let bytes = bytes.clamp(*BUFFER.start(), *BUFFER.end());
        // Numbers other than zero, so that every page is there.
        let data = vec![1.0; usize::try_from(bytes / 4).unwrap_or(1 << 24)];
        Self { data, read: Sample::default(), f32: Sample::default(), bf16: Sample::default(), int8: Sample::default() }
    }

    /// Bytes of the read loop.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&self.data[..])
    }

    pub(super) fn peak(&self, peak: Peak) -> Option<f64> {
        let sample = match peak {
            Peak::F32 => &self.f32,
            Peak::Bf16 => &self.bf16,
            Peak::Int8 => &self.int8,
        };
        sample.median()
    }

    /// Takes one sample of each.
    pub(super) fn sample(&mut self, ctx: &Context) {
        self.read.push(probe::read_bandwidth(ctx.device(), &self.data));
        self.f32.push(probe::f32_peak(ctx.device()));
        if let Some(rate) = probe::bf16_peak(ctx.device()) {
            self.bf16.push(rate);
        }
        if let Some(rate) = probe::int8_peak(ctx.device()) {
            self.int8.push(rate);
        }
    }
}

/// The most memory that this process has held at once, where the system says it (Linux: `VmHWM`).
pub(super) fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kib: u64 = field(&status, "VmHWM:")?.strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// The processor's name, where the system says it.
pub(super) fn cpu() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_string())
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}
