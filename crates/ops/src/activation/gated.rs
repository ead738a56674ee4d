//! Gated activations: `f(gate) · up` in one pass, over the buffer of `gate`.

use formwork_tensor::{Kernel, Tensor};

use super::kernel::{Gelu, GeluTanh, Relu, Scalar, Sigmoid, Silu};

fn gate_with(mut gate: Tensor, up: &Tensor, function: &impl Scalar) -> Tensor {
    assert_eq!(gate.shape(), up.shape(), "gate and up have one shape");
    let (data, device) = gate.split_device();
    let simd = device.simd();
    device.threads().rows(data, 1, |first, gate| {
        let up = &up.data()[first..][..gate.len()];
        simd.run(Gate { gate, up, function });
    });
    gate
}

struct Gate<'a, F> {
    gate: &'a mut [f32],
    up: &'a [f32],
    function: &'a F,
}

impl<F: Scalar> Kernel for Gate<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<const N: usize, const FMA: bool>(self) {
        for (gate, up) in self.gate.iter_mut().zip(self.up) {
            *gate = self.function.at::<FMA>(*gate) * up;
        }
    }
}

/// `silu(gate) · up`: SwiGLU.
pub fn gated_silu(gate: Tensor, up: Tensor) -> Tensor {
    gate_with(gate, &up, &Silu)
}

/// `gelu(gate) · up`: GeGLU.
pub fn gated_gelu(gate: Tensor, up: Tensor) -> Tensor {
    gate_with(gate, &up, &Gelu)
}

/// `gelu_tanh(gate) · up`: GeGLU with the tanh approximation.
pub fn gated_gelu_tanh(gate: Tensor, up: Tensor) -> Tensor {
    gate_with(gate, &up, &GeluTanh)
}

/// `relu(gate) · up`: ReGLU.
pub fn gated_relu(gate: Tensor, up: Tensor) -> Tensor {
    gate_with(gate, &up, &Relu)
}

/// `sigmoid(gate) · up`: GLU.
pub fn gated_sigmoid(gate: Tensor, up: Tensor) -> Tensor {
    gate_with(gate, &up, &Sigmoid)
}
