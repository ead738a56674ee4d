//! The lines of a file that are nearest in meaning to a question:
//! `cargo run --release --features text --example search -- CHECKPOINT FILE QUESTION`

use std::path::Path;

use formwork::Transformer;

/// The spec is read while this compiles; put your own here. The checkpoint has to fit it.
#[derive(Transformer)]
#[spec("../../tests/fixtures/texts/embed/config.json")]
struct Encoder;

/// How many lines are shown.
const SHOWN: usize = 3;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [checkpoint, file, question] = arguments.as_slice() else {
        return Err("give a checkpoint, a file and a question".into());
    };
    let text = std::fs::read_to_string(file)?;
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    for (score, line) in search(Path::new(checkpoint), &lines, question)?.into_iter().take(SHOWN) {
        println!("{score:.3}  {line}");
    }
    Ok(())
}

/// The lines with the cosines of their angles to the question, the nearest first.
fn search<'a>(checkpoint: &Path, lines: &[&'a str], question: &str) -> formwork::Result<Vec<(f32, &'a str)>> {
    let mut encoder = Encoder::open(checkpoint)?;
    let wanted = encoder.embed(&[question])?;
    let vectors = encoder.embed(lines)?;
    let mut found: Vec<_> = vectors.rows().map(|row| cosine(row, &wanted.data)).zip(lines.iter().copied()).collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    Ok(found)
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[test]
fn a_line_is_nearest_to_itself() {
    let checkpoint = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/texts/embed");
    let found = search(&checkpoint, &["the world", "a", "the cats and the things"], "a").unwrap();
    assert!(found[0].1 == "a" && found[0].0 > 0.9999 && found[1].0 < found[0].0, "{found:?}");
}
