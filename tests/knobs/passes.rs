//! Compiles instances without any pass and with each pass alone, or with those before it where it needs them, and a test that
//! compares their results. Grades decide what numbers matrices hold in formats of few bits, so that all others pass after them.

use std::fmt::Write as _;

use formwork_ir::Model;
use formwork_ir::plan::{PASSES, Pass, Plan, plan_with};
use quote::quote;

use crate::instance::{COUNT, OTHERS, PLAIN, spec};

/// The instances: some of every placement of norms, some of the other kinds of attention, mixtures of experts.
const INSTANCES: [usize; 11] = [0, 1, 2, 3, 4, 5, PLAIN, PLAIN + 2, PLAIN + OTHERS.len() - 2, COUNT - 2, COUNT - 1];

/// A module for each instance, with one for each pass that changes it. Every pass must change some.
pub(crate) fn modules() -> Result<String, String> {
    let mut out = String::new();
    let mut used = vec![false; PASSES.len()];
    for at in INSTANCES {
        let (spec, name) = (spec(at), format!("passes_{at}"));
        let model = crate::model(&name, &spec)?;
        let generated = formwork_codegen::generate(&model);
        let entry = generated.entry();
        let mut tests = String::new();
        let mut inner = code("without", &plan_with(&model, &[]));
        for (last, used) in used.iter_mut().enumerate() {
            let name = PASSES[last].name;
            let (other, formats) =
                if last == 0 { ("without", "&[\"f32\"]") } else { (PASSES[0].name, "&[\"f32\", \"q8\"]") };
            let (mut alone, after_others) = (PASSES[..last.min(1)].to_vec(), &PASSES[..=last]);
            alone.push(PASSES[last]);
            let Some(text) = part(name, &model, &alone).or_else(|| part(name, &model, after_others)) else { continue };
            *used = true;
            inner += &text;
            let test = format!(
                "#[test]\nfn {name}_changes_nothing() {{\n    crate::same::<{other}::model::{entry}, {name}::model::{entry}>({spec:?}, {formats});\n}}\n"
            );
            tests += &test;
        }
        writeln!(out, "/// Instance {at}.\npub mod {name} {{\n{inner}\n{tests}}}").map_err(|e| e.to_string())?;
    }
    let unused = PASSES.iter().zip(used).find(|(_, used)| !used);
    unused.map_or(Ok(out), |(pass, _)| Err(format!("no instance has anything for `{}`", pass.name)))
}

/// The code of a model by some passes, if the one of this name changes it.
fn part(name: &str, model: &Model, passes: &[Pass]) -> Option<String> {
    let plan = plan_with(model, passes);
    plan.changes.iter().any(|change| change.pass == name).then(|| code(name, &plan))
}

fn code(name: &str, plan: &Plan) -> String {
    let items = formwork_codegen::generate_plan(plan).tokens(&quote!(::formwork_runtime));
    format!("/// By some passes.\npub mod {name} {{\n{items}\n}}\n")
}
