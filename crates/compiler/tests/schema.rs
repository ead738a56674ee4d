//! The JSON Schema of a family accepts what the compiler accepts, and refuses a misspelt key.

use std::path::Path;

use formwork_compiler::{Options, library_for};
use formwork_diag::{FileId, SourceMap};
use serde_json::{Value, json};

/// Whether a value fits the subset of JSON Schema that the schemas use; any other keyword fails the test.
fn fits(schema: &Value, value: &Value, root: &Value) -> bool {
    let Some(schema) = schema.as_object() else { panic!("{schema} is no schema") };
    schema.iter().all(|(keyword, rule)| match keyword.as_str() {
        "$schema" | "$defs" | "title" | "description" | "default" | "additionalProperties" => true,
        "$ref" => {
            let path = rule.as_str().and_then(|r| r.strip_prefix('#')).unwrap();
            fits(root.pointer(path).unwrap(), value, root)
        }
        "type" => match rule {
            Value::Array(types) => types.iter().any(|t| is(t, value)),
            one => is(one, value),
        },
        "const" => rule == value,
        "enum" => rule.as_array().unwrap().contains(value),
        "pattern" => value
            .as_str()
            .is_some_and(|s| !s.is_empty() && s.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))),
        "items" => value.as_array().is_none_or(|items| items.iter().all(|i| fits(rule, i, root))),
        "oneOf" => rule.as_array().unwrap().iter().filter(|s| fits(s, value, root)).count() == 1,
        "anyOf" => rule.as_array().unwrap().iter().any(|s| fits(s, value, root)),
        "not" => !fits(rule, value, root),
        "required" => value
            .as_object()
            .is_none_or(|o| rule.as_array().unwrap().iter().all(|k| o.contains_key(k.as_str().unwrap()))),
        "properties" => {
            let closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
            value.as_object().is_none_or(|object| {
                object.iter().all(|(key, value)| match rule.get(key) {
                    Some(schema) => fits(schema, value, root),
                    None => !closed,
                })
            })
        }
        other => panic!("unexpected keyword {other}"),
    })
}

fn is(name: &Value, value: &Value) -> bool {
    match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        other => panic!("unexpected type {other}"),
    }
}

/// The schema of the family that an instance names.
fn schema_of(text: &str) -> Value {
    let data = formwork_syntax::read_toml(FileId(0), text).unwrap();
    let library = library_for(&data, &Options::default(), &mut SourceMap::default(), &mut Vec::new()).unwrap();
    let family = formwork_ir::family_of_instance(&library, &data).unwrap();
    formwork_ir::json_schema(&library, family)
}

fn instance(text: &str) -> Value {
    toml::from_str(text).unwrap()
}

#[test]
fn instances_fit_and_misspelt_keys_do_not() {
    let schema = schema_of("spec_version = 1");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/knobs");
    let mut seen = 0;
    for folder in std::fs::read_dir(root).unwrap() {
        let path = folder.unwrap().path().join("spec.toml");
        let value = instance(&std::fs::read_to_string(&path).unwrap());
        assert!(fits(&schema, &value, &schema), "{}", path.display());
        for (table, key) in [("", "d_modle"), ("attention", "n_head"), ("norm", "epsilon"), ("ffn", "dff")] {
            let mut wrong = value.clone();
            let place = if table.is_empty() { &mut wrong } else { &mut wrong[table] };
            place[key] = json!(1);
            assert!(!fits(&schema, &wrong, &schema), "{}: {table}.{key}", path.display());
        }
        seen += 1;
    }
    assert!(seen > 20);
}

#[test]
fn expressions_words_and_missing_keys() {
    let schema = schema_of("spec_version = 1");
    let ok = |text: &str| fits(&schema, &instance(text), &schema);
    assert!(ok("attention = \"mha\"\nd_model = \"8 * 64\"\ntask = \"causal_lm\"\nspec_version = 1"));
    assert!(ok(
        "[attention]\nkind = \"gqa\"\nn_kv_heads = 2\nrope = { scaling = { kind = \"linear\", factor = 2.0 } }"
    ));
    assert!(ok("attention = \"gqa\""));
    assert!(!ok("[attention]\nkind = \"sparse\"\npattern = { kind = \"strided\" }"));
    assert!(!ok("attention = { n_heads = 2 }"));
    assert!(!ok("[norm]\nkind = \"rsm\""));
    assert!(!ok("task = \"guess\""));
    assert!(!ok("tied = 1"));
    assert_eq!(schema["properties"]["attention"]["default"], "mha");
    assert_eq!(schema["$defs"]["norm_config"]["properties"]["kind"]["default"], "rms");
}
