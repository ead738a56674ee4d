//! From a vector for each token to one for each text, as a sentence-transformers folder says.

use serde_json::Value;

use crate::checkpoint::Folder;
use crate::problem::Problem;

/// How the vectors of a text's tokens become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Mean,
    First,
    Last,
    Max,
}

/// Pooling, and whether the result is scaled to length 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pooling {
    pub(crate) mode: Mode,
    pub(crate) normalize: bool,
}

/// Keys of a pooling's settings with their modes.
const MODES: [(&str, Mode); 4] = [
    ("pooling_mode_mean_tokens", Mode::Mean),
    ("pooling_mode_cls_token", Mode::First),
    ("pooling_mode_lasttoken", Mode::Last),
    ("pooling_mode_max_tokens", Mode::Max),
];

impl Pooling {
    /// As `modules.json` and the settings of its pooling say; the plain mean where there are none.
    pub(crate) fn of(folder: &Folder) -> Result<Self, Problem> {
        let mut pooling = Self { mode: Mode::Mean, normalize: false };
        let modules = folder.json("modules.json")?;
        for module in modules.as_array().into_iter().flatten() {
            let kind = module.get("type").and_then(Value::as_str).unwrap_or_default();
            let path = module.get("path").and_then(Value::as_str).unwrap_or_default();
            match kind.rsplit('.').next().unwrap_or_default() {
                "Transformer" => {}
                "Pooling" => pooling.mode = mode(&folder.json(&format!("{path}/config.json"))?)?,
                "Normalize" => pooling.normalize = true,
                other => return Err(unsupported(&format!("the module `{other}`"))),
            }
        }
        if modules.is_null() {
            pooling.mode = mode(&folder.json("1_Pooling/config.json")?)?;
        }
        Ok(pooling)
    }

    /// One vector from those of `width` numbers for each token of a text.
    pub(crate) fn apply(self, tokens: &[f32], width: usize) -> Vec<f32> {
        let rows: Vec<&[f32]> = tokens.chunks_exact(width.max(1)).collect();
        let mut out = match self.mode {
            Mode::First => rows.first().map(|row| row.to_vec()).unwrap_or_default(),
            Mode::Last => rows.last().map(|row| row.to_vec()).unwrap_or_default(),
            Mode::Max => (0..width).map(|i| rows.iter().map(|row| row[i]).fold(f32::NEG_INFINITY, f32::max)).collect(),
            Mode::Mean => (0..width).map(|i| mean(rows.iter().map(|row| row[i]))).collect(),
        };
        if self.normalize {
            let length = out.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt().max(1e-12);
            out.iter_mut().for_each(|x| *x = narrow(f64::from(*x) / length));
        }
        out
    }
}

fn mode(settings: &Value) -> Result<Mode, Problem> {
    let on = |key: &str| settings.get(key).and_then(Value::as_bool) == Some(true);
    let chosen: Vec<Mode> = MODES.iter().filter(|(key, _)| on(key)).map(|(_, mode)| *mode).collect();
    let others = settings
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, value)| key.starts_with("pooling_mode_") && **value == Value::Bool(true))
        .count();
    match chosen.as_slice() {
        [] if others == 0 => Ok(Mode::Mean),
        [mode] if others == 1 => Ok(*mode),
        _ => Err(unsupported("this combination of poolings")),
    }
}

fn unsupported(what: &str) -> Problem {
    Problem::wrong("unsupported-pooling", format!("{what} of the checkpoint has no counterpart here"))
        .help("poolings are mean, first token, last token and max, with or without normalisation")
}

fn mean(values: impl ExactSizeIterator<Item = f32>) -> f32 {
    let count = values.len().max(1);
    narrow(values.map(f64::from).sum::<f64>() / count as f64)
}

#[expect(clippy::cast_possible_truncation, reason = "embeddings are f32")]
fn narrow(x: f64) -> f32 {
    x as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_say_what_they_do() {
        let tokens = [3.0, 0.0, 1.0, 8.0];
        let pool = |mode, normalize| Pooling { mode, normalize }.apply(&tokens, 2);
        assert_eq!(pool(Mode::Mean, false), [2.0, 4.0]);
        assert_eq!(pool(Mode::First, true), [1.0, 0.0]);
        assert_eq!(pool(Mode::Last, false), [1.0, 8.0]);
        assert_eq!(pool(Mode::Max, false), [3.0, 8.0]);
    }

    #[test]
    fn settings_are_read_and_mixtures_refused() {
        let mode_of = |text: &str| mode(&serde_json::from_str(text).unwrap_or_default()).ok();
        assert_eq!(
            mode_of(r#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}"#),
            Some(Mode::First)
        );
        assert_eq!(mode_of("{}"), Some(Mode::Mean));
        assert_eq!(mode_of(r#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": true}"#), None);
        assert_eq!(mode_of(r#"{"pooling_mode_weightedmean_tokens": true}"#), None);
    }
}
