//! Compiles instances without any pass and with each pass alone, and a test that compares their results.

use std::fmt::Write as _;

use formwork_ir::Model;
use formwork_ir::plan::{PASSES, Pass, plan_with};
use quote::quote;

use crate::instance::{OTHERS, PLAIN, spec};

/// The instances: some of every placement of norms, some of the other kinds of attention.
const INSTANCES: [usize; 9] = [0, 1, 2, 3, 4, 5, PLAIN, PLAIN + 2, PLAIN + OTHERS.len() - 2];

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
        let mut inner = part("without", &model, &[])?.1;
        for (pass, used) in PASSES.iter().zip(&mut used) {
            let (changes, text) = part(pass.name, &model, &[*pass])?;
            if changes == 0 {
                continue;
            }
            *used = true;
            let name = pass.name;
            inner += &text;
            let test = format!(
                "#[test]\nfn {name}_changes_nothing() {{\n    crate::same::<without::model::{entry}, {name}::model::{entry}>({spec:?});\n}}\n"
            );
            tests += &test;
        }
        writeln!(out, "/// Instance {at}.\npub mod {name} {{\n{inner}\n{tests}}}").map_err(|e| e.to_string())?;
    }
    let unused = PASSES.iter().zip(used).find(|(_, used)| !used);
    unused.map_or(Ok(out), |(pass, _)| Err(format!("no instance has anything for `{}`", pass.name)))
}

/// The code of a model by some passes, and how much they changed.
fn part(name: &str, model: &Model, passes: &[Pass]) -> Result<(usize, String), String> {
    let plan = plan_with(model, passes);
    let items = formwork_codegen::generate_plan(&plan).tokens(&quote!(::formwork_runtime));
    Ok((plan.changes.len(), format!("/// With this alone.\npub mod {name} {{\n{items}\n}}\n")))
}
