//! The waterfall from the textbook's count, for people and as figures.

use formwork_diag::thousands;

use crate::text::{left, right, signed, width};
use crate::{Figure, Waterfall};

impl Waterfall {
    /// Plain text; steps that change nothing are left out.
    pub fn text(&self) -> String {
        let sizes: Vec<String> =
            self.sizes.iter().map(|(name, value)| format!("{name} = {}", thousands(*value))).collect();
        let mut rows = vec![("textbook", thousands(self.textbook), "V·d + L·(4·d² + 2·d·d_ff + 2·d)".to_string())];
        let steps = self.steps.iter().filter(|s| s.difference != 0);
        rows.extend(steps.map(|s| (s.name, signed(s.difference), s.reason.clone())));
        rows.push(("exact", thousands(self.total), String::new()));
        let names = rows.iter().map(|r| width(r.0)).max().unwrap_or(0);
        let numbers = rows.iter().map(|r| width(&r.1)).max().unwrap_or(0);
        let mut out = format!("{}\n\n", sizes.join(", "));
        for (name, number, reason) in &rows {
            let line = format!("{}  {}  {reason}", left(name, names), right(number, numbers));
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }

    /// Every step under its name.
    pub fn figures(&self) -> Figure {
        let sizes = self.sizes.iter().map(|(name, value)| ((*name).to_string(), Figure::Count(*value)));
        let steps = self.steps.iter().map(|s| {
            Figure::map([
                ("name", Figure::text(s.name)),
                ("difference", Figure::Difference(s.difference)),
                ("reason", Figure::text(&s.reason)),
            ])
        });
        Figure::map([
            ("schema", 1.into()),
            ("sizes", Figure::Map(sizes.collect())),
            ("textbook", self.textbook.into()),
            ("steps", Figure::List(steps.collect())),
            ("total", self.total.into()),
        ])
    }
}
