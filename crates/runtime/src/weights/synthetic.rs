//! Weights out of nothing: every request is answered with numbers from a seed, for tests and benchmarks without files.

use std::cell::RefCell;

use formwork_tensor::Param;

use super::mapping::{Mapping, Source};
use super::pattern::matches;
use super::piece::Piece;
use super::report::Problem;

/// A parameter or buffer that a model asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its name; parameters that are tied ask for one name.
    pub name: String,
    /// Its shape.
    pub dims: Vec<usize>,
    /// Whether it is a running statistic, which is no parameter.
    pub buffer: bool,
}

/// A source that holds every tensor.
pub(crate) struct Synthetic {
    seed: u64,
    made: RefCell<Vec<(Request, Param)>>,
}

impl Synthetic {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, made: RefCell::default() }
    }

    /// What was asked for, each name once, in order.
    pub(crate) fn requests(&self) -> Vec<Request> {
        let made = self.made.borrow();
        made.iter().map(|entry| entry.0.clone()).collect()
    }

    /// The parameter of a name: the same numbers for the same seed, whatever was asked before.
    pub(crate) fn piece(&self, name: &str, dims: &[usize], mapping: &Mapping) -> Result<Piece, Problem> {
        let name = stored(name, mapping);
        let mut made = self.made.borrow_mut();
        if let Some((request, param)) = made.iter().find(|entry| entry.0.name == name) {
            return match request.dims == dims {
                true => Ok(param.clone().into()),
                false => Err(Problem::Shape { name, expected: dims.to_vec(), found: request.dims.clone() }),
            };
        }
        let param = Param::from_f32(dims, &numbers(self.seed, &name, dims));
        let piece = param.clone().into();
        let buffer = is_buffer(&name);
        let request = Request { name, dims: dims.to_vec(), buffer };
        made.push((request, param));
        Ok(piece)
    }
}

/// The name that a parameter is stored under: another one's, where it is tied to it.
fn stored(name: &str, mapping: &Mapping) -> String {
    let mut rules = mapping.rules.iter();
    let bound = rules.find_map(|rule| Some((&rule.source, matches(rule.target, name)?)));
    let Some((mut source, captures)) = bound else {
        return name.to_string();
    };
    loop {
        match source {
            Source::Name(other) => return captures.expand(other),
            Source::FirstOf([first, ..]) => source = first,
            _ => return name.to_string(),
        }
    }
}

fn is_buffer(name: &str) -> bool {
    name.ends_with("running_mean") || name.ends_with("running_var")
}

/// Numbers of a size that keeps activations near one: scales and statistics around one, small biases, and matrices whose rows
/// have about the length one.
fn numbers(seed: u64, name: &str, dims: &[usize]) -> Vec<f32> {
    let mut state = name
        .bytes()
        .fold(seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let (center, spread) = match dims {
        [_] if name.ends_with("bias") => (0.0, 0.2),
        [_] => (1.0, 0.5),
        _ => (0.0, (3.0 / dims.last().copied().unwrap_or(1).max(1) as f32).sqrt()),
    };
    let count = dims.iter().product();
    let mut out = Vec::with_capacity(count);
    out.resize_with(count, || center + spread * uniform(&mut state));
    out
}

/// The next number of -1 to 1 (splitmix64).
fn uniform(state: &mut u64) -> f32 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 40) as f32 / (1_u32 << 23) as f32 - 1.0
}

#[cfg(test)]
mod tests {
    use crate::Weights;
    use crate::weights::mapping::{Mapping, Rule, Source};

    #[test]
    fn ties_are_one_request_and_order_does_not_matter() {
        let rules = &[Rule { target: "head.weight", source: Source::Name("embed.weight") }];
        let mapping = Mapping { prefixes: &[], rules, ignore: &[], gguf: None };
        let w = Weights::synthetic(7, &mapping);
        let head = w.param("head.weight", &[3, 2]);
        assert_eq!(head.to_f32(), w.param("embed.weight", &[3, 2]).to_f32());
        let variance = w.param("norm.running_var", &[4]);
        assert!(variance.to_f32().iter().all(|x| *x > 0.0));
        let requests = w.requests();
        let names: Vec<_> = requests.iter().map(|r| (r.name.as_str(), r.buffer)).collect();
        assert_eq!(names, [("embed.weight", false), ("norm.running_var", true)]);
        assert!(w.finish().is_ok());

        let again = Weights::synthetic(7, &mapping);
        again.param("first", &[1]);
        assert_eq!(again.param("embed.weight", &[3, 2]).to_f32(), head.to_f32());
        assert!(Weights::synthetic(8, &mapping).param("embed.weight", &[3, 2]).to_f32() != head.to_f32());
        w.param("head.weight", &[2, 3]);
        assert!(w.finish().is_err());
    }
}
