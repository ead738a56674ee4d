//! Nothing of a config is ignored silently: an unknown key is an error, and a change of a key that no list ignores changes the model or
//! is an error.

mod support;

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};

use formwork_compiler::{Options, Surface, load_text};
use formwork_diag::SourceMap;
use formwork_ir::print;
use formwork_syntax::ast::{Family, Hf, HfRule, IgnoreKeys, Item, Shared};
use serde_json::{Map, Value, json};
use support::in_root;

/// Windows switched on, and per-layer lists away so that older spellings are read, where a config has the keys.
const SET: [(&str, i64); 3] = [("use_sliding_window", 1), ("sliding_window", 3), ("max_window_layers", 0)];
const LISTS: [&str; 2] = ["layer_types", "no_rope_layers"];
/// Model type, key, and why the key may change without effect.
const WITHOUT_EFFECT: [(&str, &str, &str); 1] =
    [("mt5", "tie_word_embeddings", "the head is tied by its checkpoint, and never scaled")];

type Config = Map<String, Value>;

/// The first fixture of each model type.
fn fixtures() -> Vec<(String, Config)> {
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir("tests/fixtures/families").expect("fixtures").flatten().map(|e| e.path()).collect();
    folders.sort();
    let (mut seen, mut out) = (BTreeSet::new(), Vec::new());
    for folder in folders {
        let Ok(text) = std::fs::read_to_string(folder.join("config.json")) else { continue };
        let config: Config = serde_json::from_str(&text).expect("a config");
        if seen.insert(config["model_type"].to_string()) {
            out.push((folder.file_name().expect("a name").to_string_lossy().into_owned(), config));
        }
    }
    out
}

/// The model of a config as text, or the codes of its errors.
type Outcome = Rc<Result<String, Vec<&'static str>>>;

/// What configs gave so far: most of them are asked for once for each key.
#[derive(Default)]
struct Outcomes(RefCell<HashMap<String, Outcome>>);

impl Outcomes {
    fn of(&self, config: &Config) -> Outcome {
        let text = Value::Object(config.clone()).to_string();
        if let Some(known) = self.0.borrow().get(&text) {
            return Rc::clone(known);
        }
        let outcome = Rc::new(match load_text("config", &text, Surface::Config, &Options::default()) {
            Ok(compiled) => Ok(print(&compiled.model)),
            Err(failure) => Err(failure.diagnostics.iter().map(|d| d.code).collect()),
        });
        self.0.borrow_mut().insert(text, Rc::clone(&outcome));
        outcome
    }
}

/// Every item of the shipped specs.
fn items() -> Vec<Item> {
    let mut sources = SourceMap::default();
    let mut out = Vec::new();
    for folder in ["specs/std", "specs/families"] {
        for path in support::files(Path::new(folder), &["fw"]) {
            let text = std::fs::read_to_string(&path).expect("a spec");
            let file = sources.add(path.display().to_string(), text.as_str());
            out.extend(formwork_syntax::parse_file(file, &text).0.items);
        }
    }
    out
}

/// The section that reads a model type, and its family.
fn section<'i>(items: &'i [Item], model_type: &str) -> (&'i Family, &'i Hf) {
    let families = items.iter().filter_map(|item| if let Item::Family(family) = item { Some(family) } else { None });
    let mut sections = families.flat_map(|family| family.hf.iter().map(move |hf| (family, hf)));
    sections.find(|(_, hf)| hf.model_types.iter().any(|t| t.text == model_type)).expect("a family reads it")
}

/// Keys that a section lists as without effect; those of shared sets hold in nested objects too.
fn ignored(items: &[Item], family: &Family, rules: &[HfRule], out: &mut BTreeSet<String>) {
    let names = |keys: &IgnoreKeys| keys.keys.iter().map(|key| key.text.clone()).collect::<Vec<_>>();
    for rule in rules {
        match rule {
            HfRule::Ignore(keys) => out.extend(names(keys)),
            HfRule::Include(set) => {
                let shared = items.iter().filter_map(|i| if let Item::Shared(s) = i { Some(s) } else { None });
                let found = family.shared.iter().chain(shared).find(|s| s.name().text == set.text);
                match found {
                    Some(Shared::Keys(set)) => ignored(items, family, &set.rules, out),
                    Some(Shared::Ignore(set)) => out.extend(set.keys.iter().flat_map(names)),
                    _ => {}
                }
            }
            _ => {}
        }
    }
}

/// Other values in a value's place, the likeliest to matter first.
fn others(value: &Value) -> Vec<Value> {
    match value {
        Value::Bool(flag) => vec![json!(!flag)],
        Value::Number(n) if n.is_i64() => {
            let n = n.as_i64().unwrap_or_default();
            vec![json!(n + 1), json!(n + 100), json!(2), json!(1)]
        }
        Value::Number(n) => vec![json!(n.as_f64().unwrap_or_default() * 1.5 + 0.125)],
        Value::String(_) => vec![json!("zzz"), json!("gelu"), json!("relu"), json!("rotary")],
        Value::Null => vec![json!(3), json!(true), json!(0.5), json!("zzz"), json!([1])],
        Value::Array(items) => {
            let mut shorter = items.clone();
            if shorter.pop().is_none() {
                return vec![json!([0]), json!(["zzz"])];
            }
            let first = items.first().map(others).unwrap_or_default();
            let swapped = first.into_iter().map(|other| {
                let mut items = items.clone();
                items[0] = other;
                json!(items)
            });
            std::iter::once(json!(shorter)).chain(swapped).collect()
        }
        Value::Object(_) => vec![json!("zzz")],
    }
}

/// A place in a config: a key, or a key of the object that it holds.
type Place = (String, Option<String>);

fn places(config: &Config, ignored: &BTreeSet<String>) -> Vec<Place> {
    let skip = |key: &str| ignored.contains(key) || matches!(key, "model_type" | "architectures");
    let mut out = Vec::new();
    for (key, value) in config.iter().filter(|(key, _)| !skip(key)) {
        out.push((key.clone(), None));
        let nested = value.as_object().into_iter().flat_map(Map::keys);
        let nested = nested.filter(|nested| !skip(nested) && !ignored.contains(&format!("{key}.{nested}")));
        out.extend(nested.map(|nested| (key.clone(), Some(nested.clone()))));
    }
    out
}

/// The config with other values at a place, and without it.
fn changed(config: &Config, (key, nested): &Place) -> Vec<Config> {
    let mut out = Vec::new();
    let value = config.get(key).and_then(|value| nested.as_ref().map_or(Some(value), |nested| value.get(nested)));
    let Some(value) = value else { return out };
    for other in others(value) {
        let mut config = config.clone();
        match nested {
            Some(nested) => config[key][nested] = other,
            None => config[key] = other,
        }
        out.push(config);
    }
    let mut without = config.clone();
    match nested {
        Some(nested) => without[key].as_object_mut().and_then(|object| object.remove(nested)),
        None => without.remove(key),
    };
    out.push(without);
    out
}

/// Whether a change at a place is an error or another model.
fn matters(outcomes: &Outcomes, config: &Config, place: &Place) -> bool {
    let base = outcomes.of(config);
    let has =
        config.get(&place.0).is_some_and(|value| place.1.as_ref().is_none_or(|nested| value.get(nested).is_some()));
    has && base.is_ok() && changed(config, place).iter().any(|other| outcomes.of(other) != base)
}

/// The config, and those that read what it leaves to older spellings and to flags.
fn contexts(config: &Config) -> Vec<Config> {
    let mut other = config.clone();
    for (key, value) in SET.iter().filter(|(key, _)| config.contains_key(*key)) {
        other.insert((*key).into(), if config[*key].is_boolean() { json!(*value != 0) } else { json!(value) });
    }
    let mut older = other.clone();
    LISTS.iter().for_each(|key| drop(older.remove(*key)));
    vec![config.clone(), older, other]
}

/// Keys of a config that may change without an error and without another model, alone and after a change elsewhere: a key of an older
/// spelling is read where the newer one is absent, and some keys count where a flag is set.
fn silent(outcomes: &Outcomes, config: &Config, ignored: &BTreeSet<String>) -> Vec<String> {
    assert!(outcomes.of(config).is_ok(), "{:?}", outcomes.of(config));
    let places = places(config, ignored);
    let contexts = contexts(config);
    let after_another = |place: &Place| {
        let elsewhere = places.iter().filter(|other| other.0 != place.0);
        let mut bases = elsewhere.flat_map(|other| contexts[..2].iter().flat_map(|config| changed(config, other)));
        bases.any(|base| matters(outcomes, &base, place))
    };
    let anywhere =
        |place: &Place| contexts.iter().any(|config| matters(outcomes, config, place)) || after_another(place);
    let lost = places.iter().filter(|place| !anywhere(place));
    lost.map(|(key, nested)| nested.as_ref().map_or_else(|| key.clone(), |nested| format!("{key}.{nested}"))).collect()
}

/// What is wrong with how a config is read.
fn faults(items: &[Item], name: &str, config: &Config) -> Vec<String> {
    let (mut out, outcomes) = (Vec::new(), Outcomes::default());
    let mut unknown = config.clone();
    unknown.insert("formwork_unknown_key".into(), json!(1));
    if outcomes.of(&unknown).is_ok() {
        out.push(format!("{name}: an unknown key is no error"));
    }
    let (family, hf) = section(items, config["model_type"].as_str().expect("a type"));
    let excused = WITHOUT_EFFECT.iter().filter(|(ty, ..)| hf.model_types.iter().any(|t| t.text == *ty));
    let mut without: BTreeSet<String> = excused.map(|(_, key, _)| (*key).to_string()).collect();
    ignored(items, family, &hf.rules, &mut without);
    for key in silent(&outcomes, config, &without) {
        out.push(format!("{name}: `{key}` changes nothing"));
    }
    out
}

#[test]
fn every_key_is_read_or_listed() {
    in_root();
    let fixtures = fixtures();
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let next = AtomicUsize::new(0);
    let work = || {
        let (items, mut found) = (items(), Vec::new());
        while let Some((name, config)) = fixtures.get(next.fetch_add(1, Ordering::Relaxed)) {
            found.extend(faults(&items, name, config));
        }
        found
    };
    let found: Vec<String> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        running.into_iter().flat_map(|thread| thread.join().expect("a part ends")).collect()
    });
    assert!(found.is_empty(), "{}", found.join("\n"));
}
