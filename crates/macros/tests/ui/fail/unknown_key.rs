//! A mistake in a spec is shown in the spec; nothing else fails because of it.

use formwork::Transformer;

formwork::transformer! {
    struct Tiny;
    toml = r#"
d_modle = 64
n_layers = 2
"#,
}

fn main() -> formwork::Result<()> {
    let model = Tiny::load("weights")?;
    println!("{}", Tiny::PARAMETERS);
    drop(model);
    Ok(())
}
