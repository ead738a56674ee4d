//! The strings of a list that a text begins with.

/// A sorted list of strings with their numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Prefixes {
    sorted: Vec<(Box<[u8]>, u32)>,
}

impl Prefixes {
    pub(super) fn new(strings: impl Iterator<Item = (String, u32)>) -> Self {
        let mut sorted: Vec<_> = strings.map(|(text, id)| (text.into_bytes().into_boxed_slice(), id)).collect();
        sorted.sort();
        Self { sorted }
    }

    /// Every string that `text` begins with, the shortest first: its bytes and its number.
    pub(super) fn of<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = (usize, u32)> + 'a {
        let mut range = &self.sorted[..];
        text.iter()
            .enumerate()
            .map_while(move |(at, byte)| {
                let from = range.partition_point(|(it, _)| it.get(at).is_none_or(|it| it < byte));
                range = &range[from..];
                range = &range[..range.partition_point(|(it, _)| it.get(at) == Some(byte))];
                let first = range.first()?;
                Some((first.0.len() == at + 1).then_some((at + 1, first.1)))
            })
            .flatten()
    }

    /// The longest of them.
    pub(super) fn longest(&self, text: &[u8]) -> Option<(usize, u32)> {
        self.of(text).last()
    }
}
