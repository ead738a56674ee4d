//! Rows of numbers in the format of a cache, laid out for kernels.

mod codes;
mod layout;
mod widen;

use formwork_tensor::lanes::{Element, Next, Prefetch};
use formwork_tensor::{Numbers, f16};

pub(crate) use codes::Codes;
pub(crate) use layout::{Layout, PANEL};

use crate::room::{CacheFormat, GROUP};
use widen::Coded;

/// Bytes that memory hands out together.
const LINE: usize = 64;

/// A fixed number of rows of `width` numbers.
#[derive(Clone)]
pub(crate) struct Stored {
    numbers: Held,
    width: usize,
    layout: Layout,
}

#[derive(Clone)]
enum Held {
    F32(Numbers<f32>),
    F16(Numbers<f16>),
    /// Codes and the scales of their groups.
    Q8(Numbers<i8>, Numbers<f16>),
}

impl Stored {
    /// `rows` rows of zeros; whole panels of them.
    pub(crate) fn new(format: CacheFormat, layout: Layout, rows: usize, width: usize) -> Self {
        assert!(rows.is_multiple_of(layout.together()), "{rows} rows are no whole panels");
        let len = rows * width;
        let numbers = match format {
            CacheFormat::F32 => Held::F32(Numbers::zeros(len)),
            CacheFormat::F16 => Held::F16(Numbers::zeros(len)),
            CacheFormat::Q8 => Held::Q8(Numbers::zeros(len), Numbers::zeros(rows * width.div_ceil(GROUP))),
        };
        Self { numbers, width, layout }
    }

    pub(crate) fn bytes(&self) -> usize {
        match &self.numbers {
            Held::F32(numbers) => size_of_val(&numbers[..]),
            Held::F16(numbers) => size_of_val(&numbers[..]),
            Held::Q8(codes, scales) => size_of_val(&codes[..]) + size_of_val(&scales[..]),
        }
    }

    /// Writes a row.
    pub(crate) fn write(&mut self, row: usize, numbers: &[f32]) {
        let (width, layout) = (self.width, self.layout);
        let held = match &mut self.numbers {
            Held::F32(kept) => Lent::F32(kept),
            Held::F16(kept) => Lent::F16(kept),
            Held::Q8(codes, scales) => Lent::Q8(codes, scales),
        };
        StoredRowsMut { numbers: held, width, layout }.write(row, numbers);
    }

    /// All rows, `each` of them at a time: whole panels.
    pub(crate) fn pieces(&mut self, each: usize) -> Vec<StoredRowsMut<'_>> {
        let (width, layout) = (self.width, self.layout);
        let (numbers, scales) = ((each * width).max(1), (each * width.div_ceil(GROUP)).max(1));
        let pieces: Vec<Lent<'_>> = match &mut self.numbers {
            Held::F32(kept) => kept.chunks_exact_mut(numbers).map(Lent::F32).collect(),
            Held::F16(kept) => kept.chunks_exact_mut(numbers).map(Lent::F16).collect(),
            Held::Q8(codes, kept) => {
                let pieces = codes.chunks_exact_mut(numbers).zip(kept.chunks_exact_mut(scales));
                pieces.map(|(codes, scales)| Lent::Q8(codes, scales)).collect()
            }
        };
        pieces.into_iter().map(|numbers| StoredRowsMut { numbers, width, layout }).collect()
    }

    /// Copies a row of others of the same format, layout and width as it is held.
    pub(crate) fn copy(&mut self, row: usize, from: &Self, other: usize) {
        assert_eq!((self.layout, self.width), (from.layout, from.width), "rows of another kind");
        let [(to, step), (at, _)] = [row, other].map(|row| self.layout.floats(row, self.width));
        match (&mut self.numbers, &from.numbers) {
            (Held::F32(kept), Held::F32(from)) => copy(&mut kept[to..], &from[at..], step, self.width),
            (Held::F16(kept), Held::F16(from)) => copy(&mut kept[to..], &from[at..], step, self.width),
            (Held::Q8(codes, scales), Held::Q8(from_codes, from_scales)) => {
                let [to, at] = [row, other].map(|row| self.layout.codes(row, self.width));
                to.zip(at).for_each(|(to, at)| codes[to] = from_codes[at]);
                let [(to, step), (at, _)] = [row, other].map(|row| self.layout.scales(row, self.width));
                copy(&mut scales[to..], &from_scales[at..], step, self.width.div_ceil(GROUP));
            }
            _ => panic!("rows of another format"),
        }
    }

    /// The same rows in other places: those of `blocks[i]`, of `each` rows a block, stand in block `i`.
    pub(crate) fn selected(&self, each: usize, blocks: &[usize]) -> Self {
        let numbers = match &self.numbers {
            Held::F32(kept) => Held::F32(selected(kept, each * self.width, blocks)),
            Held::F16(kept) => Held::F16(selected(kept, each * self.width, blocks)),
            Held::Q8(codes, scales) => Held::Q8(
                selected(codes, each * self.width, blocks),
                selected(scales, each * self.width.div_ceil(GROUP), blocks),
            ),
        };
        Self { numbers, ..*self }
    }

    /// Reads a row.
    pub(crate) fn read(&self, row: usize, out: &mut [f32]) {
        let (start, step) = self.layout.floats(row, self.width);
        match &self.numbers {
            Held::F32(kept) => kept[start..].iter().step_by(step).zip(out).for_each(|(x, to)| *to = *x),
            Held::F16(kept) => kept[start..].iter().step_by(step).zip(out).for_each(|(x, to)| *to = x.to_f32()),
            Held::Q8(codes, scales) => {
                let mut places = self.layout.codes(row, self.width);
                let (first, step) = self.layout.scales(row, self.width);
                for (out, scale) in out.chunks_mut(GROUP).zip(scales[first..].iter().step_by(step)) {
                    let scale = scale.to_f32();
                    out.iter_mut().zip(places.by_ref()).for_each(|(to, place)| *to = f32::from(codes[place]) * scale);
                }
            }
        }
    }

    /// Rows `first..first + count`, whole panels of them.
    pub(crate) fn rows(&self, first: usize, count: usize) -> StoredRows<'_> {
        let (numbers, scales) = (first * self.width..(first + count) * self.width, self.width.div_ceil(GROUP));
        let numbers = match &self.numbers {
            Held::F32(kept) => Borrowed::F32(&kept[numbers]),
            Held::F16(kept) => Borrowed::F16(&kept[numbers]),
            Held::Q8(codes, kept) => Borrowed::Q8(&codes[numbers], &kept[first * scales..(first + count) * scales]),
        };
        StoredRows { numbers, count, width: self.width, layout: self.layout }
    }
}

fn copy<T: Copy>(to: &mut [T], from: &[T], step: usize, count: usize) {
    let pairs = to.iter_mut().step_by(step).zip(from.iter().step_by(step));
    pairs.take(count).for_each(|(to, from)| *to = *from);
}

fn selected<E: Element>(from: &[E], size: usize, blocks: &[usize]) -> Numbers<E> {
    let mut out = Numbers::zeros(size * blocks.len());
    for (out, block) in out.chunks_exact_mut(size.max(1)).zip(blocks) {
        out.copy_from_slice(&from[block * size..][..size]);
    }
    out
}

/// The step between codes: the largest number has code 127. What is not finite makes its group not a number.
fn scale_of(group: &[f32]) -> f16 {
    let largest = group.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
    let finite = group.iter().all(|x| x.is_finite());
    if finite { f16::from_f32(largest / 127.0) } else { f16::NAN }
}

/// Some of the rows, to be written.
pub(crate) struct StoredRowsMut<'a> {
    numbers: Lent<'a>,
    width: usize,
    layout: Layout,
}

enum Lent<'a> {
    F32(&'a mut [f32]),
    F16(&'a mut [f16]),
    Q8(&'a mut [i8], &'a mut [f16]),
}

impl StoredRowsMut<'_> {
    /// Writes a row.
    pub(crate) fn write(&mut self, row: usize, numbers: &[f32]) {
        assert_eq!(numbers.len(), self.width, "a row of another width");
        let (start, step) = self.layout.floats(row, self.width);
        match &mut self.numbers {
            Lent::F32(kept) => kept[start..].iter_mut().step_by(step).zip(numbers).for_each(|(to, x)| *to = *x),
            Lent::F16(kept) => {
                kept[start..].iter_mut().step_by(step).zip(numbers).for_each(|(to, x)| *to = f16::from_f32(*x));
            }
            Lent::Q8(codes, scales) => {
                let mut places = self.layout.codes(row, self.width);
                let (first, step) = self.layout.scales(row, self.width);
                for (group, scale) in numbers.chunks(GROUP).zip(scales[first..].iter_mut().step_by(step)) {
                    *scale = scale_of(group);
                    let step = scale.to_f32();
                    let inverse = if step == 0.0 { 0.0 } else { 1.0 / step };
                    // The cast saturates.
                    group.iter().zip(places.by_ref()).for_each(|(x, place)| codes[place] = (x * inverse).round() as i8);
                }
            }
        }
    }
}

/// Some of the rows, as they are held.
#[derive(Clone, Copy)]
pub(crate) struct StoredRows<'a> {
    numbers: Borrowed<'a>,
    pub(crate) count: usize,
    pub(crate) width: usize,
    pub(crate) layout: Layout,
}

#[derive(Clone, Copy)]
enum Borrowed<'a> {
    F32(&'a [f32]),
    F16(&'a [f16]),
    Q8(&'a [i8], &'a [f16]),
}

impl<'a> StoredRows<'a> {
    /// How the memory is asked for rows: halves are widened in one go.
    #[inline(always)]
    fn prefetch(&self) -> Prefetch {
        match self.numbers {
            Borrowed::F16(_) => Prefetch::near(),
            Borrowed::F32(_) | Borrowed::Q8(..) => Prefetch::exact(),
        }
    }

    /// What is read after rows `first..first + count`: as many again, their scales aside.
    #[inline(always)]
    pub(crate) fn next(&self, first: usize, count: usize) -> Next {
        let range = first * self.width..(first + count) * self.width;
        let next = match self.numbers {
            Borrowed::F32(kept) => Next::behind(&kept[range]),
            Borrowed::F16(kept) => Next::behind(&kept[range]),
            Borrowed::Q8(codes, _) => Next::behind(&codes[range]),
        };
        next.by(self.prefetch())
    }

    /// Asks the memory for rows `first..first + count`; only a hint.
    pub(crate) fn fetch(&self, first: usize, count: usize) {
        let (range, prefetch) = (first * self.width..(first + count) * self.width, self.prefetch());
        match self.numbers {
            Borrowed::F32(kept) => fetch(&kept[range], prefetch),
            Borrowed::F16(kept) => fetch(&kept[range], prefetch),
            Borrowed::Q8(codes, scales) => {
                let groups = self.width.div_ceil(GROUP);
                fetch(&codes[range], prefetch);
                fetch(&scales[first * groups..(first + count) * groups], prefetch);
            }
        }
    }

    /// Rows `first..first + count`, whole panels where they are such, as floats in the same layout, for kernels of `N` lanes: borrowed
    /// where they are held so, else written to `scratch` of at least as many floats.
    #[inline(always)]
    pub(crate) fn floats<'s, const N: usize>(self, first: usize, count: usize, scratch: &'s mut [f32]) -> &'s [f32]
    where
        'a: 's,
    {
        let range = first * self.width..(first + count) * self.width;
        match self.numbers {
            Borrowed::F32(kept) => &kept[range],
            Borrowed::F16(kept) => {
                let out = &mut scratch[..range.len()];
                formwork_tensor::widen::halves::<N>(&kept[range], out);
                out
            }
            Borrowed::Q8(codes, scales) => {
                let out = &mut scratch[..range.len()];
                Coded { codes, scales, width: self.width, layout: self.layout }.widen::<N>(first, out);
                out
            }
        }
    }

    /// The rows as codes, where they are such and laid out for products of them.
    pub(crate) fn codes(self) -> Option<Codes<'a>> {
        match self.numbers {
            Borrowed::Q8(codes, scales) if self.layout != Layout::Rows => Some(Codes {
                coded: Coded { codes, scales, width: self.width, layout: self.layout },
                count: self.count,
            }),
            _ => None,
        }
    }
}

/// Asks the memory for every line of some numbers.
fn fetch<T>(numbers: &[T], prefetch: Prefetch) {
    numbers.iter().step_by(LINE / size_of::<T>()).for_each(|first| prefetch.ask(first));
}
