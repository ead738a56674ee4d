//! Attributes say what they do not understand, at the place.

use formwork::Transformer;

#[derive(Transformer)]
#[spec("x.toml", tsak = "causal_lm")]
struct UnknownKey;

#[derive(Transformer)]
#[spec("x.toml", task = "a", task = "b")]
struct Twice;

#[derive(Transformer)]
#[spec(x.toml)]
struct NotText;

#[derive(Transformer)]
struct Without;

formwork::transformer! {
    struct Both;
    toml = "",
    fw = "",
}

formwork::transformer! {
    struct Foreign;
    yaml = "",
}

fn main() -> formwork::Result<()> {
    UnknownKey::load("weights")?;
    Foreign::load("weights")?;
    Ok(())
}
