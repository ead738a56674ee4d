//! Gated activations: `f(gate) · up` in one pass, over the buffer of `gate`.

use formwork_tensor::{Kernel, Simd, Tensor};

use super::kernel::{Gelu, GeluTanh, Relu, Scalar, Sigmoid, Silu};

/// What is done to a gate before it multiplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Zero below zero: ReGLU.
    Relu,
    /// With the error function: GeGLU.
    Gelu,
    /// With the approximation by tanh: GeGLU.
    GeluTanh,
    /// SwiGLU.
    Silu,
    /// GLU.
    Sigmoid,
}

impl Gate {
    /// `gate = f(gate) · up`, element by element.
    pub(crate) fn apply(self, simd: Simd, gate: &mut [f32], up: &[f32]) {
        match self {
            Self::Relu => simd.run(Gated { gate, up, function: &Relu }),
            Self::Gelu => simd.run(Gated { gate, up, function: &Gelu }),
            Self::GeluTanh => simd.run(Gated { gate, up, function: &GeluTanh }),
            Self::Silu => simd.run(Gated { gate, up, function: &Silu }),
            Self::Sigmoid => simd.run(Gated { gate, up, function: &Sigmoid }),
        }
    }

    fn of(self, mut gate: Tensor, up: &Tensor) -> Tensor {
        assert_eq!(gate.shape(), up.shape(), "gate and up have one shape");
        let (data, device) = gate.split_device();
        let simd = device.simd();
        device.threads().rows(data, 1, |first, gate| self.apply(simd, gate, &up.data()[first..][..gate.len()]));
        gate
    }
}

struct Gated<'a, F> {
    gate: &'a mut [f32],
    up: &'a [f32],
    function: &'a F,
}

impl<F: Scalar> Kernel for Gated<'_, F> {
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
    Gate::Silu.of(gate, &up)
}

/// `gelu(gate) · up`: GeGLU.
pub fn gated_gelu(gate: Tensor, up: Tensor) -> Tensor {
    Gate::Gelu.of(gate, &up)
}

/// `gelu_tanh(gate) · up`: GeGLU with the tanh approximation.
pub fn gated_gelu_tanh(gate: Tensor, up: Tensor) -> Tensor {
    Gate::GeluTanh.of(gate, &up)
}

/// `relu(gate) · up`: ReGLU.
pub fn gated_relu(gate: Tensor, up: Tensor) -> Tensor {
    Gate::Relu.of(gate, &up)
}

/// `sigmoid(gate) · up`: GLU.
pub fn gated_sigmoid(gate: Tensor, up: Tensor) -> Tensor {
    Gate::Sigmoid.of(gate, &up)
}
