//! A value computed once per source and kept: keys of cross attention, for one.

use std::cell::OnceCell;

use formwork_tensor::Tensor;

use crate::kept::{Kept, selected};

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

impl Kept for Once {
    /// The value does not depend on the tokens.
    fn truncate(&mut self, _len: usize) -> bool {
        true
    }

    fn select(&mut self, rows: &[usize]) {
        let Some(value) = self.value.take() else { return };
        let mut dims = value.shape().to_vec();
        let size = dims[1..].iter().product();
        dims[0] = rows.len();
        let mut chosen = value.device().tensor(&dims);
        chosen.data_mut().copy_from_slice(&selected(value.data(), size, rows));
        self.value = OnceCell::from(chosen);
    }

    fn bytes(&self) -> usize {
        self.value.get().map_or(0, |value| size_of_val(value.data()))
    }
}
