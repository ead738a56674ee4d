//! A tensor of the checkpoint as a value of the dataflow.

use formwork_tensor::{Context, Param, Tensor};

/// A tensor that no operator owns.
#[derive(Clone)]
pub struct Parameter {
    value: Param,
}

impl Parameter {
    /// A value of the dataflow.
    pub fn new(value: Param) -> Self {
        Self { value }
    }

    /// Its numbers.
    pub fn forward(&self, ctx: &Context) -> Tensor {
        self.value.tensor(ctx)
    }
}
