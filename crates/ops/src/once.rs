//! A value computed once per source and kept: keys of cross attention, for one.

use std::cell::OnceCell;

use formwork_tensor::Tensor;

/// A slot that is filled on first use.
#[derive(Default)]
pub struct Once {
    value: OnceCell<Tensor>,
}

impl Once {
    /// An empty slot.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value, computed now if the slot is empty.
    pub fn get(&self, compute: impl FnOnce() -> Tensor) -> &Tensor {
        self.value.get_or_init(compute)
    }

    /// Empties the slot: the next source gives another value.
    pub fn clear(&mut self) {
        self.value.take();
    }
}
