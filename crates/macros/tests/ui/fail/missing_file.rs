//! A file that is not there is named by the path that was tried.

use formwork::Transformer;

#[derive(Transformer)]
#[spec("/nowhere/at/all.toml")]
struct Model;

fn main() {
    let _ = Model::load("weights");
}
