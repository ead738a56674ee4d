//! How well a model predicts a text: `cargo run --release --features text --example perplexity -- CHECKPOINT FILE`

use std::path::Path;

use formwork::Transformer;

/// The spec is read while this compiles; put your own here. The checkpoint has to fit it.
#[derive(Transformer)]
#[spec("../../tests/fixtures/texts/generate/config.json")]
struct Model;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [checkpoint, file] = arguments.as_slice() else { return Err("give a checkpoint and a file".into()) };
    println!("{:.6}", perplexity(Path::new(checkpoint), &std::fs::read_to_string(file)?)?);
    Ok(())
}

/// Windows of 128 tokens, each half context.
fn perplexity(checkpoint: &Path, text: &str) -> formwork::Result<f64> {
    Ok(Model::open(checkpoint)?.score(text, Some(128), Some(64))?.perplexity())
}

#[test]
fn a_text_is_less_surprising_than_its_letters_shuffled() {
    let checkpoint = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/texts/generate");
    let text = "the cats of the world and the things of the world ".repeat(8);
    let found = perplexity(&checkpoint, &text).unwrap();
    assert!(found.is_finite() && found > 1.0, "{found}");
}
