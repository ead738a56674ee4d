//! Two reports side by side.

use formwork_diag::thousands;

use crate::text::{left, right, signed, width};
use crate::{AnalysisError, Figure, Report, exact};

/// The figures of two reports that can be compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The reports' names.
    pub names: (String, String),
    /// Figures in the order of the reports.
    pub rows: Vec<Difference>,
}

/// One figure in two reports.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Its key.
    pub key: String,
    /// In the first report.
    pub left: u128,
    /// In the second report.
    pub right: u128,
}

/// Groups of figures that say something about a model; questions, formulas and bounds are not compared.
const COMPARED: &[&str] = &["params", "flops", "memory", "kv_cache"];

/// Compares two reports.
///
/// # Errors
/// When they answer different questions.
pub fn diff(a: &Report, b: &Report) -> Result<Comparison, AnalysisError> {
    if a.questions != b.questions {
        return Err(AnalysisError::BadQuestion(format!(
            "`{}` and `{}` answer different questions, so their figures do not compare",
            a.name, b.name
        )));
    }
    let (left, right) = (a.figures(), b.figures());
    let mut rows = Vec::new();
    for (key, figure) in left.leaves() {
        let group = key.split('.').next().unwrap_or("");
        if let (true, Figure::Count(left), Some(Figure::Count(right))) =
            (COMPARED.contains(&group), figure, right.get(&key))
        {
            rows.push(Difference { key, left: *left, right: *right });
        }
    }
    Ok(Comparison { names: (a.name.clone(), b.name.clone()), rows })
}

impl Difference {
    /// The second less the first; `None` beyond 127 bits.
    pub fn change(&self) -> Option<i128> {
        i128::try_from(self.right).ok()?.checked_sub(i128::try_from(self.left).ok()?)
    }

    /// The second over the first.
    pub fn ratio(&self) -> Option<f64> {
        (self.left != 0).then(|| exact::real(self.right) / exact::real(self.left))
    }
}

impl Comparison {
    /// Plain text.
    pub fn text(&self) -> String {
        let mut rows = vec![[
            "figure".to_string(),
            self.names.0.clone(),
            self.names.1.clone(),
            "difference".into(),
            "ratio".into(),
        ]];
        rows.extend(self.rows.iter().map(|row| {
            let change = row.change().map_or_else(String::new, |c| if c == 0 { "=".into() } else { signed(c) });
            let ratio = row.ratio().map_or_else(String::new, |r| format!("{r:.3}"));
            [row.key.clone(), thousands(row.left), thousands(row.right), change, ratio]
        }));
        let widths: Vec<usize> = (0..5).map(|at| rows.iter().map(|r| width(&r[at])).max().unwrap_or(0)).collect();
        let mut out = String::new();
        for row in &rows {
            let mut line = left(&row[0], widths[0]);
            for (cell, columns) in row.iter().zip(&widths).skip(1) {
                line.push_str("  ");
                line.push_str(&right(cell, *columns));
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }

    /// Every figure with both values.
    pub fn figures(&self) -> Figure {
        let rows = self.rows.iter().map(|row| {
            let value = Figure::map([
                ("left", row.left.into()),
                ("right", row.right.into()),
                ("difference", row.change().map_or(Figure::Null, Figure::Difference)),
                ("ratio", row.ratio().map_or(Figure::Null, Figure::Real)),
            ]);
            (row.key.clone(), value)
        });
        Figure::map([
            ("schema", 1.into()),
            ("left", Figure::text(&self.names.0)),
            ("right", Figure::text(&self.names.1)),
            ("figures", Figure::Map(rows.collect())),
        ])
    }

    /// As JSON.
    pub fn json(&self) -> String {
        self.figures().json()
    }
}
