//! No warning in a user's crate, whether a model is used or not, whatever is called like the prelude's names.
#![deny(warnings)]

use formwork::{Context, Session, Transformer};

#[allow(dead_code)]
struct Vec;
#[allow(dead_code)]
enum Option {}
#[allow(dead_code)]
type Result = ();

formwork::transformer! {
    struct Unused;
    toml = "norm = { kind = \"batch\" }",
}

formwork::transformer! {
    pub(crate) struct Layered;
    toml = "d_model = 32\nn_layers = 3\nattention = { kind = \"mha\", n_heads = 2, window = 4 }\npositions = { kind = \"learned\" }",
}

fn main() {
    formwork::transformer! {
        struct Local;
        toml = "d_model = 64",
    }
    println!("{} {}", Layered::PARAMETERS, Local::PARAMETERS);
    let run = |folder: &str| -> formwork::Result<usize> {
        let model = Layered::load(folder)?;
        let context = Context::new()?;
        let mut session = Session::new(&model, &context, 8)?;
        Ok(session.step(&[1, 2])?.shape().len())
    };
    assert!(run("no such folder").is_err());
}
