//! `import`: a Hugging Face config as a spec.

use std::path::Path;

use formwork_compiler::Surface;

use crate::args::Global;
use crate::output::say;
use crate::problem::{Outcome, Problem};
use crate::{instance, replace, specs};

pub(super) fn run(config: &Path, output: Option<&Path>, global: &Global) -> Outcome {
    let options = specs::options(global);
    if output.is_some_and(|output| same(config, output)) {
        let message = format!("the spec would replace the config `{}`", config.display());
        return Err(Problem::usage("output-is-input", message).help("give `-o` another file"));
    }
    let compiled = specs::load(config, global)?;
    let text = instance::from_config(config, &compiled.model, &options)?;
    // What was written down must mean what was read.
    let again = formwork_compiler::load_text("spec.toml", &text, Surface::Instance, &options)?;
    let counts = [&compiled.model, &again.model].map(formwork_ir::parameter_count);
    if counts[0] != counts[1] {
        return Err(Problem::bug(format!("the spec has {:?} parameters, the config {:?}", counts[1], counts[0])));
    }
    match output {
        None => say(&text)?,
        Some(path) => {
            replace::file(path, &text)?;
            say(&format!(
                "{}: `{}` as an instance of the family `{}`\n",
                path.display(),
                compiled.model.name,
                compiled.model.family
            ))?;
        }
    }
    Ok(0)
}

/// Whether both are there and one file, or the config in the folder that is given.
fn same(config: &Path, output: &Path) -> bool {
    let file = formwork_compiler::locate(config).map_or(config.to_path_buf(), |(file, _)| file);
    matches!((file.canonicalize(), output.canonicalize()), (Ok(a), Ok(b)) if a == b)
}
