//! Models by macro that read and write text, held to transformers' answers.

use std::path::PathBuf;

use formwork::text::{Generate, Input};
use formwork::{Sampling, Transformer};
use serde_json::Value;

#[derive(Transformer)]
#[spec("../../tests/fixtures/texts/generate/config.json")]
struct Decoder;

#[derive(Transformer)]
#[spec("../../tests/fixtures/texts/embed/config.json")]
struct Encoder;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/texts").join(name)
}

fn answers(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(fixture(name).join("answers.json")).unwrap()).unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

#[test]
fn texts_are_continued_as_transformers_does() {
    let mut model = Decoder::open(fixture("generate")).unwrap();
    for due in list(&answers("generate")["continuations"]) {
        let options = Generate { count: Some(24), likeliest: Some(1), ..Generate::default() };
        let prompt = due["prompt"].as_str().unwrap();
        let pieces = model.generate(prompt, &options).unwrap().map(Result::unwrap).collect::<Vec<_>>();
        let text: String = pieces.iter().map(|piece| piece.text.as_str()).collect();
        assert_eq!(text, due["text"].as_str().unwrap(), "{prompt:?}");
        let tokens: Vec<_> = pieces.iter().filter_map(|piece| piece.token.as_ref()).collect();
        assert_eq!(tokens.len(), list(&due["ids"]).len(), "{prompt:?}");
        for (token, (id, logprob)) in tokens.iter().zip(list(&due["ids"]).iter().zip(list(&due["logprobs"]))) {
            assert_eq!((u64::from(token.id), token.likeliest[0].id), (id.as_u64().unwrap(), token.id));
            let (found, due) = (token.logprob.unwrap(), logprob.as_f64().unwrap());
            assert!((found - due).abs() < 1e-4, "{prompt:?}: {found} is not {due}");
        }
    }
}

#[test]
fn a_text_is_as_likely_as_transformers_says() {
    let mut model = Decoder::open(fixture("generate")).unwrap();
    let due = answers("generate");
    for row in list(&due["scores"]) {
        let size = |key: &str| row[key].as_u64().and_then(|size| usize::try_from(size).ok());
        let score = model.score(due["text"].as_str().unwrap(), size("window"), size("stride")).unwrap();
        assert_eq!(Some(score.tokens), size("tokens"));
        let nll = row["nll"].as_f64().unwrap();
        assert!((score.nll / nll - 1.0).abs() < 1e-5, "{} is not {nll}", score.nll);
    }
    assert_eq!(model.score("The cats", Some(8), Some(9)).unwrap_err().code, "usage");
}

#[test]
fn only_what_is_new_is_read_and_the_answer_is_the_same() {
    let mut model = Decoder::open(fixture("generate")).unwrap();
    let options = Generate { count: Some(12), ..Generate::default() };
    let mut before = 0;
    for prompt in ["The cats", "The cats of the world", "The dogs", "The cats"] {
        let alone = Decoder::open(fixture("generate")).unwrap().generate(prompt, &options).unwrap().text().unwrap();
        let generation = model.generate(prompt, &options).unwrap();
        // The start token and at least ` The` are shared by all.
        assert!(if before == 0 { generation.reused() == 0 } else { generation.reused() >= 2 }, "{prompt:?}");
        before = generation.read() + generation.reused();
        assert_eq!(generation.text().unwrap(), alone, "{prompt:?}");
    }
    let again = model.generate("The cats", &options).unwrap();
    assert_eq!((again.read(), again.reused()), (1, before - 1));
}

#[test]
fn a_conversation_goes_on_as_with_transformers() {
    let mut model = Decoder::open(fixture("generate")).unwrap();
    let mut chat = model.chat(Some("Be kind.")).unwrap();
    let options = Generate { count: Some(10), ..Generate::default() };
    for turn in list(&answers("generate")["chat"]) {
        let answer = model.answer(&mut chat, turn["user"].as_str().unwrap(), &options).unwrap();
        assert_eq!(answer.read() + answer.reused(), list(&turn["prompt"]).len());
        let answer = answer.text().unwrap();
        assert_eq!(answer, turn["answer"].as_str().unwrap());
        chat.answered(&answer);
    }
    assert_eq!(chat.messages().len(), 7);
    assert_eq!(Encoder::open(fixture("embed")).unwrap().chat(None).unwrap_err().code, "no-chat-template");
}

#[test]
fn a_seed_decides_and_stop_texts_end() {
    let mut model = Decoder::open(fixture("generate")).unwrap();
    let mut text = |seed: u64, stop: &[String]| {
        let sampling = Sampling { temperature: 1.0, seed, ..Sampling::default() };
        let options = Generate { count: Some(20), sampling, stop: stop.to_vec(), ..Generate::default() };
        model.generate("The cats", &options).unwrap().text().unwrap()
    };
    let whole = text(3, &[]);
    assert_eq!(whole, text(3, &[]));
    assert_ne!(whole, text(4, &[]));
    let stop: String = whole.chars().skip(4).take(2).collect();
    assert_eq!(text(3, std::slice::from_ref(&stop)), whole.split(&stop).next().unwrap());
}

#[test]
fn texts_become_the_vectors_of_transformers() {
    let mut model = Encoder::open(fixture("embed")).unwrap();
    let due = answers("embed");
    let texts: Vec<&str> = list(&due["texts"]).iter().map(|text| text.as_str().unwrap()).collect();
    let vectors = model.embed(&texts).unwrap();
    for (row, due) in vectors.rows().zip(list(&due["vectors"])) {
        assert!(row.iter().zip(list(due)).all(|(x, y)| (f64::from(*x) - y.as_f64().unwrap()).abs() < 1e-5));
    }
}

#[test]
fn what_a_model_is_not_made_for_is_an_error() {
    let (mut decoder, mut encoder) =
        (Decoder::open(fixture("generate")).unwrap(), Encoder::open(fixture("embed")).unwrap());
    let options = Generate::default();
    assert_eq!(encoder.generate("a", &options).err().unwrap().code, "not-generative");
    assert_eq!(encoder.score("a", None, None).unwrap_err().code, "not-generative");
    assert_eq!(decoder.embed(&["a"]).unwrap_err().code, "not-an-encoder");
    assert_eq!(decoder.classify(&[Input::from("a")]).unwrap_err().code, "not-a-classifier");
    assert_eq!(encoder.fill_masks(&["a [MASK]"], 1).unwrap_err().code, "no-masked-lm");
    let long = "the cats ".repeat(200);
    assert_eq!(decoder.generate(&long, &options).err().unwrap().code, "context-too-long");
    assert_eq!(Decoder::open("no/such/folder").err().unwrap().code, "io");
}

#[test]
fn a_generated_crate_opens_its_model_with_text() {
    assert_eq!(stories_260k::Text::open("no/such/folder").err().unwrap().code, "io");
}
