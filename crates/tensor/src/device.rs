//! What tensors share: the buffer pool, the threads and the SIMD level.

use std::sync::Arc;

use crate::buffer::Pool;
use crate::shape::Shape;
use crate::simd::Simd;
use crate::tensor::Tensor;
use crate::threads::Threads;

/// How exactly matrix products of many rows and attention of prompts see their operands, on CPUs that have instructions for bf16;
/// others see them whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// As sums of so many bf16 numbers that products with stored floats are those of 32-bit arithmetic, but for rounding.
    /// Attention is in 32 bits.
    #[default]
    Full,
    /// Rounded to bf16, inputs and weights, as engines do whose tensors are in bf16. Attention rounds queries, keys, values and
    /// the weights of the values; its softmax is in 32 bits.
    Bf16,
}

impl Precision {
    /// Every precision.
    pub const ALL: [Self; 2] = [Self::Full, Self::Bf16];

    /// Its name on command lines and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Bf16 => "bf16",
        }
    }

    /// The precision of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|precision| precision.name() == name)
    }
}

/// Shared by a context and all its tensors.
pub struct Device {
    pub(crate) pool: Pool,
    threads: Threads,
    simd: Simd,
    precision: Precision,
}

impl Device {
    pub(crate) fn new(threads: usize, simd: Simd, precision: Precision) -> Self {
        Self { pool: Pool::default(), threads: Threads::new(threads), simd, precision }
    }

    /// The threads that kernels run on.
    pub fn threads(&self) -> &Threads {
        &self.threads
    }

    /// The SIMD level that kernels run at: one that this CPU supports.
    pub fn simd(&self) -> Simd {
        self.simd
    }

    /// How exactly products of many rows and attention of prompts see their operands.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// A tensor whose contents are unspecified.
    pub fn tensor(self: &Arc<Self>, dims: &[usize]) -> Tensor {
        let shape = Shape::new(dims);
        Tensor::from_parts(shape, self.pool.take(shape.elements()), Arc::clone(self))
    }
}
