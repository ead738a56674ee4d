//! Labels of texts, and of pairs of texts.

use formwork_runtime::{Output, Texts};
use formwork_tokenizer::Tokenizer;
use serde_json::Value;

use crate::batches;
use crate::embed::check_length;
use crate::engine::{Engine, Facts};
use crate::error::{Error, Result, told};
use crate::folder::Folder;
use crate::sources::Input;

/// How texts are labelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classify {
    /// Texts that are read side by side.
    pub batch: usize,
    /// Whether a text that is too long is cut; else it is an error.
    pub truncate: bool,
}

impl Default for Classify {
    fn default() -> Self {
        Self { batch: 32, truncate: false }
    }
}

/// A label and how well it fits.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// Its name.
    pub label: String,
    /// A probability; of a regression the number itself.
    pub score: f64,
}

/// How logits become scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scores {
    /// One label is right: they add up to 1.
    Softmax,
    /// Each label is right or wrong by itself.
    Sigmoid,
    /// They are what was asked for.
    Plain,
}

/// How a checkpoint's folder labels texts.
#[derive(Debug)]
pub struct Classifier {
    tokenizer: Tokenizer,
    limit: Option<usize>,
    segments: bool,
    config: Value,
    options: Classify,
}

impl Classifier {
    /// As the folder says and the options ask.
    ///
    /// # Errors
    /// `not-a-classifier`; what is wrong with the folder's files.
    pub fn new(folder: &Folder, facts: &Facts, options: Classify) -> Result<Self> {
        if facts.task != "classifier" {
            let message = format!("`{}` is compiled for the task `{}`, which labels no texts", facts.name, facts.task);
            let help = "choose a classifier, with `--task classifier` where the family has one";
            return Err(Error::new("not-a-classifier", message).help(help));
        }
        let mut tokenizer = folder.tokenizer()?;
        let limit = [tokenizer.limit(), facts.max_positions].into_iter().flatten().min();
        tokenizer.truncate(if options.truncate { limit } else { None }).map_err(told)?;
        let config = folder.json("config.json")?;
        Ok(Self { tokenizer, limit, segments: facts.has_segments(), config, options })
    }

    /// The labels of each text, the best first; of equals the earlier one.
    ///
    /// # Errors
    /// `text-too-long` and `empty-input` with the number of the text; `bad-labels`; as [`Engine::read`].
    pub fn classify(&self, engine: &mut impl Engine, inputs: &[Input]) -> Result<Vec<Vec<Label>>> {
        let mut texts = Texts::default();
        for (at, input) in inputs.iter().enumerate() {
            let (ids, types) = self.tokenizer.pair(&input.text, input.pair.as_deref()).map_err(told)?;
            check_length(at, &ids, self.limit)?;
            texts.ids.push(ids);
            if self.segments {
                texts.types.push(types);
            }
        }
        let mut all = vec![Vec::new(); inputs.len()];
        batches::read(engine, &texts, self.options.batch, |at, output| {
            all[at] = self.labels(&output)?;
            Ok(())
        })?;
        Ok(all)
    }

    fn labels(&self, output: &Output) -> Result<Vec<Label>> {
        let scores = self.scores(output.width)?.of(&output.data);
        let named = |(at, score)| Ok(Label { label: self.name(at)?, score });
        let mut labels = scores.into_iter().enumerate().map(named).collect::<Result<Vec<_>>>()?;
        labels.sort_by(|a, b| b.score.total_cmp(&a.score));
        Ok(labels)
    }

    /// The name that the config gives to a label, or its number.
    fn name(&self, at: usize) -> Result<String> {
        match &self.config["id2label"] {
            Value::Null => Ok(format!("LABEL_{at}")),
            names => names[at.to_string()].as_str().map(String::from).ok_or_else(|| {
                Error::new("bad-labels", format!("`id2label` in `config.json` has no name for label {at}"))
            }),
        }
    }

    fn scores(&self, labels: usize) -> Result<Scores> {
        match (&self.config["problem_type"], labels) {
            (Value::Null, 1) => Ok(Scores::Sigmoid),
            (Value::Null, _) => Ok(Scores::Softmax),
            (Value::String(kind), _) if kind == "single_label_classification" => Ok(Scores::Softmax),
            (Value::String(kind), _) if kind == "multi_label_classification" => Ok(Scores::Sigmoid),
            (Value::String(kind), _) if kind == "regression" => Ok(Scores::Plain),
            (other, _) => {
                Err(Error::new("bad-labels", format!("`problem_type` in `config.json` is {other}, which is unknown")))
            }
        }
    }
}

impl Scores {
    fn of(self, logits: &[f32]) -> Vec<f64> {
        let logits = logits.iter().map(|x| f64::from(*x));
        match self {
            Self::Plain => logits.collect(),
            Self::Sigmoid => logits.map(|x| 1.0 / (1.0 + (-x).exp())).collect(),
            Self::Softmax => {
                let largest = logits.clone().fold(f64::NEG_INFINITY, f64::max);
                let powers: Vec<f64> = logits.map(|x| (x - largest).exp()).collect();
                let sum: f64 = powers.iter().sum();
                powers.into_iter().map(|x| x / sum).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Scores;

    #[test]
    fn logits_become_scores() {
        let logits = [0.0, 3.0_f32.ln()];
        let near = |scores: Vec<f64>, expected: [f64; 2]| {
            assert!(scores.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-7), "{scores:?}");
        };
        near(Scores::Softmax.of(&logits), [0.25, 0.75]);
        near(Scores::Sigmoid.of(&logits), [0.5, 0.75]);
        near(Scores::Plain.of(&logits), [0.0, f64::from(logits[1])]);
    }
}
