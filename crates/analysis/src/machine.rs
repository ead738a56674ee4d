//! Machines for the roofline, by the figures that their makers publish.

/// A machine as the roofline sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Machine {
    /// Its name.
    pub name: String,
    /// Floating-point operations per second at best.
    pub flops: f64,
    /// Bytes per second between memory and processor at best.
    pub bandwidth: f64,
}

/// Name, dense 16-bit FLOP/s (the desktop: f32), bytes/s.
const MACHINES: &[(&str, f64, f64)] = &[
    ("desktop-ddr5", 1.024e12, 89.6e9),
    ("rtx-4090", 165.2e12, 1.008e12),
    ("l4", 121.0e12, 300.0e9),
    ("a100-80gb", 312.0e12, 2.039e12),
    ("h100-sxm", 989.4e12, 3.35e12),
    ("h200-sxm", 989.4e12, 4.8e12),
];

impl Machine {
    /// A machine of the table.
    pub fn named(name: &str) -> Option<Self> {
        let (name, flops, bandwidth) = MACHINES.iter().find(|(n, ..)| *n == name)?;
        Some(Self { name: (*name).to_string(), flops: *flops, bandwidth: *bandwidth })
    }

    /// A machine of the user.
    pub fn custom(flops: f64, bandwidth: f64) -> Self {
        Self { name: "custom".into(), flops, bandwidth }
    }

    /// The table's names.
    pub fn names() -> impl Iterator<Item = &'static str> {
        MACHINES.iter().map(|(name, ..)| *name)
    }

    /// FLOPs for each byte above which the processor is the limit.
    pub fn ridge(&self) -> f64 {
        self.flops / self.bandwidth
    }
}

/// Eight cores at 4 GHz with two 8-wide f32 multiply-adds a cycle; two channels of DDR5-5600.
impl Default for Machine {
    fn default() -> Self {
        Self { name: "desktop-ddr5".into(), flops: 1.024e12, bandwidth: 89.6e9 }
    }
}
