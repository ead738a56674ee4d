//! Numbers that stay for a while, in memory with large pages.
#![allow(unsafe_code, reason = "views aligned bytes as numbers")]

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use crate::lanes::Element;
use crate::packed::Memory;
use crate::param::view;

/// A fixed number of numbers, zeros at first. Memory is taken as they are written.
pub struct Numbers<E> {
    memory: Memory,
    element: PhantomData<E>,
}

impl<E: Element> Numbers<E> {
    /// `len` zeros.
    pub fn zeros(len: usize) -> Self {
        Self { memory: Memory::new(len * size_of::<E>()), element: PhantomData }
    }
}

impl<E: Element> Deref for Numbers<E> {
    type Target = [E];

    fn deref(&self) -> &[E] {
        view(self.memory.bytes())
    }
}

impl<E: Element> DerefMut for Numbers<E> {
    fn deref_mut(&mut self) -> &mut [E] {
        // SAFETY: every bit pattern is a valid value of an element, and its bytes are valid bytes.
        let (head, values, tail) = unsafe { self.memory.bytes_mut().align_to_mut::<E>() };
        assert!(head.is_empty() && tail.is_empty(), "whole and aligned numbers");
        values
    }
}

impl<E: Element> Clone for Numbers<E> {
    fn clone(&self) -> Self {
        let mut copy = Self::zeros(self.len());
        copy.copy_from_slice(self);
        copy
    }
}

#[cfg(test)]
mod tests {
    use super::Numbers;

    #[test]
    fn small_and_large_ones_hold_what_is_written() {
        for len in [0, 1, 7, 3 << 20] {
            let mut numbers = Numbers::<i8>::zeros(len);
            assert!(numbers.len() == len && numbers.iter().all(|x| *x == 0));
            numbers.iter_mut().zip(0..100).for_each(|(x, at)| *x = at);
            assert!(numbers.clone().iter().zip(0..100).all(|(x, at)| *x == at));
        }
    }
}
