//! A config written down as a TOML instance of its family.

use std::path::Path;

use formwork_compiler::Options;
use formwork_diag::SourceMap;
use formwork_ir::Model;
use formwork_ops::AttrValue;
use formwork_syntax::ast::ExprKind;

use crate::problem::Problem;

/// The text of a spec that means the same as the config.
pub(crate) fn from_config(config: &Path, model: &Model, options: &Options) -> Result<String, Problem> {
    let (text, _) = formwork_compiler::read(config)?;
    let mut sources = SourceMap::default();
    let file = sources.add(config.display().to_string(), text.as_str());
    let result = (|| {
        let data = formwork_syntax::read_json(file, &text).map_err(|e| vec![e])?;
        let library = formwork_compiler::library_for(&data, options, &mut sources, &mut Vec::new())?;
        let family = formwork_ir::family_of_config(&library, &data).map_err(|e| vec![e])?.clone();
        let values = formwork_ir::import_config(&library, &family, &data)?;
        Ok((family, values))
    })();
    let (family, values) = result.map_err(|diagnostics| Problem { exit: 1, diagnostics, sources })?;
    let mut out = format!(
        "name = {}\nfamily = {}\ntask = {}\n",
        quoted(&model.name),
        quoted(&family.name.text),
        quoted(&model.task)
    );
    for (name, value) in &values {
        let Some(param) = family.params.iter().find(|p| p.name.text == *name) else {
            continue;
        };
        let is_default = param.default.as_ref().is_some_and(|d| matches!(d.kind, ExprKind::Null));
        let value = match toml(value) {
            Some(value) => value,
            None if is_default => continue,
            None => quoted("null"),
        };
        out.push('\n');
        for line in param.doc.lines() {
            out.push_str(&format!("# {line}\n"));
        }
        out.push_str(&format!("{name} = {value}\n"));
    }
    Ok(out)
}

/// A value as TOML; absent ones are left out, inside a list they are the word that the language has for them.
fn toml(value: &AttrValue) -> Option<String> {
    Some(match value {
        AttrValue::Null => return None,
        AttrValue::Int(size) => size.constant()?.to_string(),
        AttrValue::Float(float) => format!("{:?}", float.value),
        AttrValue::Bool(flag) => flag.to_string(),
        AttrValue::Str(text) => quoted(text),
        AttrValue::List(items) => {
            let items: Vec<String> = items.iter().map(|item| toml(item).unwrap_or_else(|| quoted("null"))).collect();
            format!("[{}]", items.join(", "))
        }
        AttrValue::Record(fields) => table(&[], fields),
        AttrValue::Variant(name, fields) if fields.is_empty() => quoted(name),
        AttrValue::Variant(name, fields) => table(&[format!("kind = {}", quoted(name))], fields),
    })
}

fn table(first: &[String], fields: &[(String, AttrValue)]) -> String {
    let fields = fields.iter().filter_map(|(name, value)| Some(format!("{name} = {}", toml(value)?)));
    let entries: Vec<String> = first.iter().cloned().chain(fields).collect();
    format!("{{ {} }}", entries.join(", "))
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out + "\""
}
