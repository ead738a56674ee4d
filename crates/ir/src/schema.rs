//! The JSON Schema of a family's TOML surface, for editors: keys, types, variants, defaults and docs come from the declarations.

use std::collections::BTreeMap;
use std::rc::Rc;

use formwork_syntax::ast::{Enum, Expr, ExprKind, Family, Field, Record, Shared, Type, TypeKind};
use serde_json::{Map, Value, json};

use crate::library::{Decl, Library, declare};

/// The dialect that the schema is written in.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// What a TOML instance of a family may say.
///
/// A number may also be a string: an expression over the other parameters. Declared types stand under `$defs`.
pub fn json_schema(library: &Library, family: &Family) -> Value {
    let mut it = Writer { library, own: own(family), defs: BTreeMap::new() };
    let tasks: Vec<&str> = family.models.iter().map(|m| m.name.text.as_str()).collect();
    let mut properties = Map::new();
    properties.insert("name".into(), json!({ "type": "string", "pattern": "^[A-Za-z0-9_.-]{1,100}$", "description": "The model's name; else the file's." }));
    properties.insert("family".into(), json!({ "const": family.name.text, "description": family.doc }));
    properties
        .insert("task".into(), json!({ "enum": tasks, "description": "The entry point; else the family's first." }));
    properties.insert("spec_version".into(), json!({ "const": 1, "description": "The version of the format." }));
    let mut schema = it.object(&family.params, properties);
    schema.insert("$schema".into(), DIALECT.into());
    schema.insert("title".into(), family.name.text.clone().into());
    describe(&mut schema, &family.doc);
    let is_standard = family.name.text == crate::STANDARD_FAMILY;
    if let (false, Some(Value::Array(required))) = (is_standard, schema.get_mut("required")) {
        required.push("family".into());
    }
    schema.insert("$defs".into(), it.defs.into_iter().collect::<Map<_, _>>().into());
    schema.into()
}

fn own(family: &Family) -> BTreeMap<String, Decl> {
    family.shared.iter().map(|s: &Shared| (s.name().text.clone(), declare(s.clone()))).collect()
}

struct Writer<'l> {
    library: &'l Library,
    own: BTreeMap<String, Decl>,
    /// Declared types that were reached.
    defs: BTreeMap<String, Value>,
}

impl Writer<'_> {
    fn decl(&self, name: &str) -> Option<Decl> {
        self.own.get(name).or_else(|| self.library.decl(name)).cloned()
    }

    /// A table of exactly these fields.
    fn object(&mut self, fields: &[Field], mut properties: Map<String, Value>) -> Map<String, Value> {
        let mut required: Vec<Value> = properties.get("kind").map(|_| "kind".into()).into_iter().collect();
        for field in fields {
            let mut schema = self.ty(&field.ty);
            describe(&mut schema, &field.doc);
            match &field.default {
                Some(default) => {
                    if let Some(value) = self.literal(default, &field.ty) {
                        schema.insert("default".into(), value);
                    }
                }
                None => required.push(field.name.text.clone().into()),
            }
            properties.insert(field.name.text.clone(), schema.into());
        }
        let mut schema = Map::new();
        schema.insert("type".into(), "object".into());
        schema.insert("properties".into(), properties.into());
        schema.insert("required".into(), required.into());
        schema.insert("additionalProperties".into(), false.into());
        schema
    }

    fn ty(&mut self, ty: &Type) -> Map<String, Value> {
        match &ty.kind {
            // A string is an expression that gives the list.
            TypeKind::List { item, optional } => {
                let types = if *optional { json!(["array", "string", "null"]) } else { json!(["array", "string"]) };
                map(json!({ "type": types, "items": self.ty(item) }))
            }
            TypeKind::Tensor(_) | TypeKind::Ids(_) => map(json!({ "not": {} })),
            TypeKind::Named { name, optional } => {
                let mut schema = self.named(name);
                match (optional, schema.get_mut("type")) {
                    (false, _) => schema,
                    (true, Some(Value::Array(types))) => {
                        types.push("null".into());
                        schema
                    }
                    (true, _) => map(json!({ "anyOf": [schema, { "type": "null" }] })),
                }
            }
        }
    }

    fn named(&mut self, name: &str) -> Map<String, Value> {
        match name {
            "int" => return map(json!({ "type": ["integer", "string"] })),
            "float" => return map(json!({ "type": ["number", "string"] })),
            "bool" => return map(json!({ "type": ["boolean"] })),
            "string" => return map(json!({ "type": ["string"] })),
            _ => {}
        }
        let decl = match self.decl(name) {
            Some(decl @ (Decl::Record(_) | Decl::Enum(_))) => decl,
            // A block cannot be written in TOML.
            _ => return map(json!({ "not": {} })),
        };
        if !self.defs.contains_key(name) {
            // The place is taken first: a type may mention itself.
            self.defs.insert(name.to_string(), Value::Null);
            let schema = match decl {
                Decl::Enum(it) => self.enumeration(&it),
                Decl::Record(it) => self.record(&it),
                _ => Value::Null,
            };
            self.defs.insert(name.to_string(), schema);
        }
        map(json!({ "$ref": format!("#/$defs/{name}") }))
    }

    fn record(&mut self, decl: &Record) -> Value {
        let mut schema = self.object(&decl.fields, Map::new());
        describe(&mut schema, &decl.doc);
        schema.into()
    }

    /// A word, or a table whose `kind` is the word; the word alone where the variant needs no field.
    fn enumeration(&mut self, decl: &Rc<Enum>) -> Value {
        let mut words = Vec::new();
        let mut tables = Vec::new();
        for variant in &decl.variants {
            let name = &variant.name.text;
            let fields: Vec<Field> = decl.shared.iter().chain(&variant.fields).cloned().collect();
            if fields.iter().all(|f| f.default.is_some()) {
                let mut word = map(json!({ "const": name }));
                describe(&mut word, &variant.doc);
                words.push(Value::from(word));
            }
            let mut table = self.object(&fields, map(json!({ "kind": { "const": name } })));
            describe(&mut table, &variant.doc);
            tables.push(Value::from(table));
        }
        words.extend(tables);
        let mut schema = map(json!({ "oneOf": words }));
        describe(&mut schema, &decl.doc);
        schema.into()
    }

    /// A default that needs no evaluation.
    fn literal(&self, expr: &Expr, ty: &Type) -> Option<Value> {
        match &expr.kind {
            ExprKind::Int(value) => i64::try_from(*value).ok().map(Value::from),
            ExprKind::Float(value) => Some(Value::from(*value)),
            ExprKind::Str(text) => Some(Value::from(text.as_str())),
            ExprKind::Bool(flag) => Some(Value::from(*flag)),
            ExprKind::Null => Some(Value::Null),
            ExprKind::Record(fields) if fields.is_empty() => Some(json!({})),
            ExprKind::Negate(inner) => match self.literal(inner, ty)? {
                Value::Number(n) => n.as_i64().map(|v| Value::from(-v)).or_else(|| n.as_f64().map(|v| Value::from(-v))),
                _ => None,
            },
            ExprKind::Name(word) => match &ty.kind {
                TypeKind::Named { name, .. } => match self.decl(name) {
                    Some(Decl::Enum(it)) if it.variants.iter().any(|v| v.name.text == *word) => {
                        Some(Value::from(word.as_str()))
                    }
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        }
    }
}

fn describe(schema: &mut Map<String, Value>, doc: &str) {
    if !doc.is_empty() {
        schema.insert("description".into(), doc.into());
    }
}

/// A literal object.
fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
