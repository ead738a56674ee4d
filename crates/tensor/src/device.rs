//! What tensors share: the buffer pool, the threads and the SIMD level.

use std::sync::Arc;

use crate::buffer::Pool;
use crate::shape::Shape;
use crate::simd::Simd;
use crate::tensor::Tensor;
use crate::threads::Threads;

/// Shared by a context and all its tensors.
pub struct Device {
    pub(crate) pool: Pool,
    threads: Threads,
    simd: Simd,
}

impl Device {
    pub(crate) fn new(threads: usize, simd: Simd) -> Self {
        Self { pool: Pool::default(), threads: Threads::new(threads), simd: simd.or_portable() }
    }

    /// The threads that kernels run on.
    pub fn threads(&self) -> &Threads {
        &self.threads
    }

    /// The SIMD level that kernels run at: one that this CPU supports.
    pub fn simd(&self) -> Simd {
        self.simd
    }

    /// A tensor whose contents are unspecified.
    pub fn tensor(self: &Arc<Self>, dims: &[usize]) -> Tensor {
        let shape = Shape::new(dims);
        Tensor::from_parts(shape, self.pool.take(shape.elements()), Arc::clone(self))
    }
}
