//! Only a plain struct stands for a model.

use formwork::Transformer;

#[derive(Transformer)]
#[spec("x.toml")]
enum Enum {}

#[derive(Transformer)]
#[spec("x.toml")]
union Union {
    a: u8,
}

#[derive(Transformer)]
#[spec("x.toml")]
struct Tuple(u8);

#[derive(Transformer)]
#[spec("x.toml")]
struct Generic<T> {
    field: T,
}

fn main() {}
