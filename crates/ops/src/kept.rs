//! What states have in common, so that a whole model's can go back, change rows and be measured.

/// One state of an op, for several sequences.
pub trait Kept {
    /// Forgets all but the first `len` tokens. Returns false, and changes nothing, where what they left is gone.
    fn truncate(&mut self, len: usize) -> bool;

    /// Row `i` becomes what row `rows[i]` was; there may be more or fewer rows than before.
    fn select(&mut self, rows: &[usize]);

    /// The bytes held.
    fn bytes(&self) -> usize;
}

/// Everything that a model keeps from step to step, as a tree whose leaves are [`Kept`].
pub trait Keeps {
    /// Visits every state.
    fn each(&mut self, visit: &mut dyn FnMut(&mut dyn Kept));
}

impl Keeps for () {
    fn each(&mut self, _visit: &mut dyn FnMut(&mut dyn Kept)) {}
}

impl<K: Kept> Keeps for K {
    fn each(&mut self, visit: &mut dyn FnMut(&mut dyn Kept)) {
        visit(self);
    }
}

impl<K: Keeps> Keeps for Vec<K> {
    fn each(&mut self, visit: &mut dyn FnMut(&mut dyn Kept)) {
        self.iter_mut().for_each(|item| item.each(visit));
    }
}

/// Rows of `size` numbers each, as `rows` says.
pub(crate) fn selected(data: &[f32], size: usize, rows: &[usize]) -> Vec<f32> {
    rows.iter().flat_map(|row| &data[row * size..][..size]).copied().collect()
}
