//! A conversation: `cargo run --release --features text --example chat -- CHECKPOINT`

use std::io::{BufRead, Write};
use std::path::Path;

use formwork::text::Generate;
use formwork::{Sampling, Transformer};

/// The spec is read while this compiles; put your own here. The checkpoint has to fit it.
#[derive(Transformer)]
#[spec("../../tests/fixtures/texts/generate/config.json")]
struct Model;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Some(checkpoint) = std::env::args().nth(1) else { return Err("give a checkpoint".into()) };
    chat(Path::new(&checkpoint), std::io::stdin().lock(), std::io::stdout().lock())?;
    Ok(())
}

/// Answers every line of `turns`. Of the whole conversation the model reads only what is new.
fn chat(checkpoint: &Path, turns: impl BufRead, mut out: impl Write) -> Result<(), Box<dyn std::error::Error>> {
    let mut model = Model::open(checkpoint)?;
    let mut chat = model.chat(Some("You answer briefly."))?;
    let sampling = Sampling { temperature: 0.8, top_p: 0.95, ..Sampling::default() };
    let options = Generate { count: Some(16), sampling, ..Generate::default() };
    for turn in turns.lines() {
        let mut answer = String::new();
        for piece in model.answer(&mut chat, &turn?, &options)? {
            let piece = piece?.text;
            write!(out, "{piece}")?;
            out.flush()?;
            answer += &piece;
        }
        writeln!(out)?;
        chat.answered(&answer);
    }
    Ok(())
}

#[test]
fn every_turn_has_an_answer() {
    let checkpoint = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/texts/generate");
    let mut out = Vec::new();
    chat(&checkpoint, "Who?\nWhere?\n".as_bytes(), &mut out).unwrap();
    assert!(String::from_utf8(out).unwrap().lines().count() >= 2);
}
