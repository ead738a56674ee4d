//! How far a long command is.

use formwork_tokenizer::Progress;
use indicatif::{ProgressBar, ProgressStyle};

/// A bar on standard error; none where nobody looks at it.
#[derive(Default)]
pub(super) struct Bar(Option<(&'static str, ProgressBar)>);

impl Bar {
    pub(super) fn show(&mut self, progress: Progress) {
        if self.0.as_ref().is_none_or(|(stage, _)| *stage != progress.stage) {
            self.end();
            let bar = ProgressBar::new(progress.total).with_message(progress.stage);
            if let Ok(style) = ProgressStyle::with_template("{msg:<18} {wide_bar} {percent:>3}% {elapsed}") {
                bar.set_style(style);
            }
            self.0 = Some((progress.stage, bar));
        }
        if let Some((_, bar)) = &self.0 {
            bar.set_length(progress.total);
            bar.set_position(progress.done);
        }
    }

    pub(super) fn end(&mut self) {
        if let Some((_, bar)) = self.0.take() {
            bar.finish_and_clear();
        }
    }
}
