//! The `gguf` sections: how a parameter's path finds its tensor in a GGUF file, and what such a file has to say.

use formwork_diag::Diagnostic;
use formwork_syntax::ast::{Family, GgufRule};

use crate::elaborate::Elaborator;
use crate::model::Model;
use crate::params::parameters;
use crate::pattern::matches;
use crate::scope::Scope;
use crate::types::Ty;
use crate::value::Value;
use crate::weights::{Mapping, WeightMap};

/// A family's `gguf` sections, evaluated.
#[derive(Clone, Debug, Default)]
pub struct GgufMap {
    /// The architectures that are read, each with rules of its own that come before those for all.
    pub architectures: Vec<(String, Vec<Mapping>)>,
    /// Rules for all of them.
    pub rules: Vec<Mapping>,
    /// Patterns of tensors and of the architecture's keys that may be present and unused.
    pub ignore: Vec<String>,
    /// What the architecture's keys have to say where they are present.
    pub facts: Vec<(String, f64)>,
}

impl GgufMap {
    /// Forgets rules for parameters that the model does not have.
    pub(crate) fn keep_for(&mut self, model: &Model) {
        let params = parameters(model);
        let used = |rule: &Mapping| params.iter().any(|param| matches(&rule.target, &param.path));
        self.rules.retain(used);
        self.architectures.iter_mut().for_each(|(_, rules)| rules.retain(used));
    }

    fn own(&mut self, architecture: &str) -> &mut Vec<Mapping> {
        let at = self.architectures.iter().position(|(name, _)| name == architecture).unwrap_or_else(|| {
            self.architectures.push((architecture.to_string(), Vec::new()));
            self.architectures.len() - 1
        });
        &mut self.architectures[at].1
    }
}

impl Elaborator<'_> {
    /// The sections of a family; none where it has none.
    pub(crate) fn gguf_map(&mut self, family: &Family) -> Option<GgufMap> {
        let mut map = GgufMap::default();
        let scope = Scope::root();
        for section in &family.gguf {
            let mut found = WeightMap::default();
            for rule in &section.rules {
                match rule {
                    GgufRule::Weight(rule) => self.weight_rule(rule, &scope, &mut found),
                    GgufRule::Fact { key, value } => {
                        let span = value.span;
                        match self.eval(value, &scope, &Ty::Any) {
                            Value::Null | Value::Unknown => {}
                            other => match other.as_f64() {
                                Some(number) => map.facts.push((key.text.clone(), number)),
                                None => {
                                    let what = format!("`{}` is held against {}", key.text, other.describe());
                                    self.fail(Diagnostic::new("bad-fact", span, what));
                                }
                            },
                        }
                    }
                }
            }
            match section.architectures.is_empty() {
                true => map.rules.extend(found.rules),
                false => section.architectures.iter().for_each(|name| map.own(&name.text).extend(found.rules.clone())),
            }
            map.ignore.extend(found.ignore);
        }
        (!family.gguf.is_empty()).then_some(map)
    }
}
