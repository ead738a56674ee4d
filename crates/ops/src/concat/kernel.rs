//! Two tensors side by side.

use formwork_tensor::Tensor;

/// `[.., m]` and `[.., n]` to `[.., m + n]`.
pub fn concat(a: Tensor, b: Tensor) -> Tensor {
    Tensor::concat(&[&a, &b])
}
