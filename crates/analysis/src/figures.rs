//! A report's figures as a tree of named values: what JSON, assertions and comparisons read.

use serde::ser::{Serialize, SerializeMap, Serializer};

/// A named figure's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Figure {
    /// Nothing to say, e.g. the decoding of a model that does not generate.
    Null,
    /// An exact count.
    Count(u128),
    /// A difference of counts.
    Difference(i128),
    /// A ratio or a bound.
    Real(f64),
    /// A switch.
    Flag(bool),
    /// A word.
    Text(String),
    /// Several.
    List(Vec<Figure>),
    /// Named figures, in order.
    Map(Vec<(String, Figure)>),
}

impl Figure {
    /// Named figures.
    pub(crate) fn map<const N: usize>(entries: [(&str, Figure); N]) -> Self {
        Self::Map(entries.into_iter().map(|(name, figure)| (name.to_string(), figure)).collect())
    }

    /// A word.
    pub(crate) fn text(text: impl ToString) -> Self {
        Self::Text(text.to_string())
    }

    /// The figure under a key, components separated by dots.
    pub fn get(&self, key: &str) -> Option<&Figure> {
        key.split('.').try_fold(self, |figure, part| match figure {
            Self::Map(entries) => entries.iter().find(|(name, _)| name == part).map(|(_, figure)| figure),
            _ => None,
        })
    }

    /// Every single value under its key, lists left out.
    pub fn leaves(&self) -> Vec<(String, &Figure)> {
        let mut out = Vec::new();
        self.collect("", &mut out);
        out
    }

    fn collect<'a>(&'a self, prefix: &str, out: &mut Vec<(String, &'a Figure)>) {
        match self {
            Self::Map(entries) => {
                for (name, figure) in entries {
                    let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                    figure.collect(&key, out);
                }
            }
            Self::List(_) => {}
            value => out.push((prefix.to_string(), value)),
        }
    }

    /// As JSON, indented, with a newline at the end.
    pub fn json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }
}

impl From<u128> for Figure {
    fn from(count: u128) -> Self {
        Self::Count(count)
    }
}

impl From<f64> for Figure {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl From<Option<u128>> for Figure {
    fn from(count: Option<u128>) -> Self {
        count.map_or(Self::Null, Self::Count)
    }
}

impl Serialize for Figure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_none(),
            Self::Count(count) => serializer.serialize_u128(*count),
            Self::Difference(difference) => serializer.serialize_i128(*difference),
            Self::Real(value) => serializer.serialize_f64(*value),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(items) => serializer.collect_seq(items),
            Self::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (name, figure) in entries {
                    map.serialize_entry(name, figure)?;
                }
                map.end()
            }
        }
    }
}
