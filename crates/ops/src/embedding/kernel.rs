//! Rows of a table, chosen by ids.

use formwork_tensor::{Context, Error, Ids, Layout, Matrix, Param, Tensor};

use crate::linear::Linear;

/// A table `[rows, d]`.
#[derive(Clone)]
pub struct Embedding {
    weight: Param,
}

impl Embedding {
    /// An embedding over a table `[rows, d]`.
    pub fn new(weight: Param) -> Self {
        assert_eq!(weight.shape().len(), 2, "an embedding is a table of rows");
        Self { weight }
    }

    /// `[B, S]` to `[B, S, d]`. An id beyond the table fails the step with
    /// `token-out-of-range` and gives zeros.
    pub fn forward(&self, ctx: &Context, ids: &Ids) -> Tensor {
        let &[rows, d] = self.weight.shape() else {
            unreachable!("checked by `new`")
        };
        let mut y = ctx.tensor(&[ids.batch(), ids.len(), d]);
        for (row, &id) in y.data_mut().chunks_exact_mut(d).zip(ids.data()) {
            if (id as usize) < rows {
                self.weight.copy_to(id as usize * d, row);
            } else {
                row.fill(0.0);
                ctx.fail(|| {
                    let message = format!("id {id} is outside an embedding of {rows} rows");
                    Error::new("token-out-of-range", message)
                });
            }
        }
        y
    }

    /// The linear layer `[.., d]` to `[.., rows]` that shares this table: a tied output head.
    pub fn as_linear(&self) -> Linear {
        Linear::new(Matrix::new(self.weight.clone(), Layout::OutIn), None)
    }
}
