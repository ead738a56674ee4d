//! From a vector for each token to one for each text, as a sentence-transformers folder says.

use serde_json::Value;

use crate::error::{Error, Result};
use crate::folder::Folder;

/// How the vectors of a text's tokens become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The mean.
    Mean,
    /// The first, e.g. `[CLS]`.
    First,
    /// The last.
    Last,
    /// The largest number of each place.
    Max,
}

/// Pooling, and whether the result is scaled to length 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pooling {
    /// Which tokens count.
    pub mode: Mode,
    /// Whether vectors are scaled to length 1.
    pub normalize: bool,
    /// Whether the tokens of a prompt before the text count as well.
    pub include_prompt: bool,
}

/// Names of poolings: in a setting of its own, and as a flag.
const MODES: [(&str, &str, Mode); 4] = [
    ("mean", "pooling_mode_mean_tokens", Mode::Mean),
    ("cls", "pooling_mode_cls_token", Mode::First),
    ("lasttoken", "pooling_mode_lasttoken", Mode::Last),
    ("max", "pooling_mode_max_tokens", Mode::Max),
];

impl Pooling {
    /// The mean of all tokens.
    pub const MEAN: Self = Self { mode: Mode::Mean, normalize: false, include_prompt: true };

    /// As `modules.json` and the settings of its pooling say; the plain mean where there are none.
    ///
    /// # Errors
    /// `unsupported-pooling`.
    pub fn of(folder: &Folder) -> Result<Self> {
        let modules = folder.json("modules.json")?;
        if modules.is_null() {
            return Self::MEAN.with(&folder.json("1_Pooling/config.json")?);
        }
        let mut pooling = None;
        for module in modules.as_array().into_iter().flatten() {
            let kind = module.get("type").and_then(Value::as_str).unwrap_or_default();
            let path = module.get("path").and_then(Value::as_str).unwrap_or_default();
            match (kind.rsplit('.').next().unwrap_or_default(), &mut pooling) {
                ("Transformer", None) => {}
                ("Pooling", None) => {
                    pooling = Some(Self::MEAN.with(&folder.json(&format!("{}/config.json", inside(path)?))?)?);
                }
                ("Normalize", Some(pooling)) => pooling.normalize = true,
                (other, _) => return Err(unsupported(&format!("the module `{other}`"))),
            }
        }
        pooling.ok_or_else(|| unsupported("a list of modules without a pooling"))
    }

    /// As the settings of a pooling say.
    fn with(self, settings: &Value) -> Result<Self> {
        let include_prompt = settings.get("include_prompt") != Some(&Value::Bool(false));
        Ok(Self { mode: mode(settings)?, include_prompt, ..self })
    }

    /// One vector from those of `width` numbers for each token of a text.
    pub fn apply(self, tokens: &[f32], width: usize) -> Vec<f32> {
        let rows: Vec<&[f32]> = tokens.chunks_exact(width.max(1)).collect();
        let out = match self.mode {
            Mode::First => rows.first().map(|row| row.to_vec()).unwrap_or_default(),
            Mode::Last => rows.last().map(|row| row.to_vec()).unwrap_or_default(),
            Mode::Max => (0..width).map(|i| rows.iter().map(|row| row[i]).fold(f32::NEG_INFINITY, f32::max)).collect(),
            Mode::Mean => (0..width).map(|i| mean(rows.iter().map(|row| row[i]))).collect(),
        };
        self.normalized(out)
    }

    /// A vector, scaled where that is asked for.
    pub(crate) fn normalized(self, mut out: Vec<f32>) -> Vec<f32> {
        if self.normalize {
            let length = out.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt().max(1e-12);
            out.iter_mut().for_each(|x| *x = narrow(f64::from(*x) / length));
        }
        out
    }
}

fn mode(settings: &Value) -> Result<Mode> {
    if let Some(name) = settings.get("pooling_mode") {
        let known = MODES.iter().find(|(known, _, _)| name.as_str() == Some(known));
        return known.map(|(_, _, mode)| *mode).ok_or_else(|| unsupported(&format!("the pooling {name}")));
    }
    let on = |key: &str| settings.get(key).and_then(Value::as_bool) == Some(true);
    let chosen: Vec<Mode> = MODES.iter().filter(|(_, key, _)| on(key)).map(|(_, _, mode)| *mode).collect();
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

/// A folder inside the checkpoint's own.
fn inside(path: &str) -> Result<&str> {
    match path.contains("..") || path.starts_with(['/', '\\']) {
        false => Ok(path),
        true => Err(unsupported(&format!("the path `{path}`, which leads out,"))),
    }
}

fn unsupported(what: &str) -> Error {
    Error::new("unsupported-pooling", format!("{what} of the checkpoint has no counterpart here"))
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
        let pool = |mode, normalize| Pooling { mode, normalize, include_prompt: true }.apply(&tokens, 2);
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
        assert_eq!(mode_of(r#"{"pooling_mode": "lasttoken"}"#), Some(Mode::Last));
        assert_eq!(mode_of(r#"{"pooling_mode": "weightedmean"}"#), None);
        assert_eq!(mode_of(r#"{"pooling_mode_weightedmean_tokens": true}"#), None);
    }
}
