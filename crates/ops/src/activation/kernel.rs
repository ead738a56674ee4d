//! Activation functions, element by element and in place.

use formwork_tensor::lanes::{erf, sigmoid as logistic, tanh as hyperbolic};
use formwork_tensor::{Kernel, Tensor};

/// A function of one number that is compiled for every SIMD level.
pub(crate) trait Scalar: Sync {
    /// Its value at `x`.
    fn at<const FMA: bool>(&self, x: f32) -> f32;
}

/// Applies a function to every element.
pub(crate) fn map(mut x: Tensor, function: &impl Scalar) -> Tensor {
    let (data, device) = x.split_device();
    let simd = device.simd();
    device
        .threads()
        .rows(data, 1, |_, x| simd.run(Map { x, function }));
    x
}

struct Map<'a, F> {
    x: &'a mut [f32],
    function: &'a F,
}

impl<F: Scalar> Kernel for Map<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<const N: usize, const FMA: bool>(self) {
        for x in self.x {
            *x = self.function.at::<FMA>(*x);
        }
    }
}

macro_rules! activation {
    ($(#[$doc:meta])* $name:ident, $type:ident, |$x:ident| $value:expr) => {
        pub(crate) struct $type;

        impl Scalar for $type {
            #[inline(always)]
            fn at<const FMA: bool>(&self, $x: f32) -> f32 {
                $value
            }
        }

        $(#[$doc])*
        pub fn $name(x: Tensor) -> Tensor {
            map(x, &$type)
        }
    };
}

activation!(
    /// `max(x, 0)`.
    relu, Relu, |x| if x > 0.0 { x } else { x * 0.0 }
);
activation!(
    /// `max(x, 0)²`.
    relu2, Relu2, |x| if x > 0.0 { x * x } else { x * 0.0 }
);
activation!(
    /// `x · Φ(x)` with the exact error function.
    gelu, Gelu, |x| 0.5 * x * (1.0 + erf::<FMA>(x * std::f32::consts::FRAC_1_SQRT_2))
);
activation!(
    /// The tanh approximation of [`gelu`].
    gelu_tanh, GeluTanh, |x| {
        let inner = 0.797_884_6 * (x + 0.044_715 * x * x * x);
        0.5 * x * (1.0 + hyperbolic::<FMA>(inner))
    }
);
activation!(
    /// `x · sigmoid(1.702 x)`.
    gelu_quick, GeluQuick, |x| x * logistic::<FMA>(1.702 * x)
);
activation!(
    /// `x · sigmoid(x)`.
    silu, Silu, |x| x * logistic::<FMA>(x)
);
activation!(
    /// `1 / (1 + e^-x)`.
    sigmoid, Sigmoid, |x| logistic::<FMA>(x)
);
activation!(
    /// The hyperbolic tangent.
    tanh, Tanh, |x| hyperbolic::<FMA>(x)
);
