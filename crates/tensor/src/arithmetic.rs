//! `+`, `-` and `*` on tensors. An owned operand's buffer holds the result.
//!
//! The right operand has the left one's shape, or its last axes (it is then repeated over the
//! leading ones), or one number for each of its rows.

use std::ops::{Add, Mul, Sub};

use crate::tensor::Tensor;

/// `f(left, right)` element by element, written over `left`.
fn into_left(mut left: Tensor, right: &Tensor, name: &str, f: fn(f32, f32) -> f32) -> Tensor {
    check(&left, right, name);
    let (period, width) = (right.data().len(), left.dims().width());
    if is_column(&left, right) {
        for (row, y) in left.data_mut().chunks_exact_mut(width.max(1)).zip(right.data()) {
            row.iter_mut().for_each(|x| *x = f(*x, *y));
        }
        return left;
    }
    let (data, device) = left.split_device();
    if data.len() == period {
        device.threads().rows(data, 1, |first, part| {
            part.iter_mut().zip(&right.data()[first..]).for_each(|(x, y)| *x = f(*x, *y));
        });
        return left;
    }
    device.threads().rows(data, period, |_, rows| {
        for row in rows.chunks_exact_mut(period.max(1)) {
            row.iter_mut().zip(right.data()).for_each(|(x, y)| *x = f(*x, *y));
        }
    });
    left
}

/// `f(left, right)` element by element, written over `right` where the shapes are equal.
fn into_right(left: &Tensor, mut right: Tensor, name: &str, f: fn(f32, f32) -> f32) -> Tensor {
    if left.shape() != right.shape() {
        return into_left(left.clone(), &right, name, f);
    }
    right.data_mut().iter_mut().zip(left.data()).for_each(|(y, x)| *y = f(*x, *y));
    right
}

/// Whether `right` has one number for each row of `left`.
fn is_column(left: &Tensor, right: &Tensor) -> bool {
    let (n, m) = (left.shape().len(), right.shape().len());
    n == m
        && n > 0
        && right.shape()[n - 1] == 1
        && left.shape()[n - 1] != 1
        && left.shape()[..n - 1] == right.shape()[..n - 1]
}

fn check(left: &Tensor, right: &Tensor, name: &str) {
    assert!(
        left.shape().ends_with(right.shape()) || is_column(left, right),
        "cannot {name} {:?} and {:?}: the right shape must be the last axes of the left, or one number a row",
        left.shape(),
        right.shape()
    );
}

macro_rules! binary {
    ($trait:ident, $method:ident, $f:expr) => {
        impl $trait<Tensor> for Tensor {
            type Output = Tensor;
            fn $method(self, right: Tensor) -> Tensor {
                into_left(self, &right, stringify!($method), $f)
            }
        }
        impl $trait<&Tensor> for Tensor {
            type Output = Tensor;
            fn $method(self, right: &Tensor) -> Tensor {
                into_left(self, right, stringify!($method), $f)
            }
        }
        impl $trait<Tensor> for &Tensor {
            type Output = Tensor;
            fn $method(self, right: Tensor) -> Tensor {
                into_right(self, right, stringify!($method), $f)
            }
        }
        impl $trait<&Tensor> for &Tensor {
            type Output = Tensor;
            fn $method(self, right: &Tensor) -> Tensor {
                into_left(self.clone(), right, stringify!($method), $f)
            }
        }
        impl $trait<f32> for Tensor {
            type Output = Tensor;
            fn $method(mut self, right: f32) -> Tensor {
                let f: fn(f32, f32) -> f32 = $f;
                self.data_mut().iter_mut().for_each(|x| *x = f(*x, right));
                self
            }
        }
        impl $trait<f32> for &Tensor {
            type Output = Tensor;
            fn $method(self, right: f32) -> Tensor {
                $trait::$method(self.clone(), right)
            }
        }
    };
}

binary!(Add, add, |x, y| x + y);
binary!(Sub, sub, |x, y| x - y);
binary!(Mul, mul, |x, y| x * y);
