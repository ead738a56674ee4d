//! `run`, `chat`, `perplexity`, `embed`, `classify` and `fill-mask` on checkpoints whose answers transformers gave.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{Ran, fixture, ran};

/// A command on one of the fixtures, with a cache of compiled models that the tests share.
fn on(name: &str, command: &str, arguments: &[&str]) -> Ran {
    let folder = fixture(&format!("texts/{name}"));
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("texts");
    let mut tool = Command::new(env!("CARGO_BIN_EXE_formwork"));
    ran(tool.args([command, &folder, "--weights", &folder]).args(arguments).env("FORMWORK_CACHE", cache))
}

fn answers(name: &str) -> Value {
    let path = Path::new(&fixture(&format!("texts/{name}"))).join("answers.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn texts(answers: &Value) -> Vec<&str> {
    answers["texts"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn assert_near(found: &[f64], due: &[f64]) {
    let near = found.len() == due.len() && found.iter().zip(due).all(|(a, b)| (a - b).abs() < 1e-5);
    assert!(near, "{found:?} is not {due:?}");
}

fn lines(ran: &Ran) -> Vec<Value> {
    assert_eq!(ran.status, 0, "{}", ran.err);
    ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn vectors_are_those_of_each_text_alone() {
    let due = answers("embed");
    let texts = texts(&due);
    let due: Vec<Vec<f64>> = due["vectors"].as_array().unwrap().iter().map(numbers).collect();
    for batch in ["1", "3", "32"] {
        let given = [&["--batch", batch, "--text"], &texts[..]].concat();
        let json = &lines(&on("embed", "embed", &given))[0];
        let found: Vec<Vec<f64>> = json["embeddings"].as_array().unwrap().iter().map(numbers).collect();
        assert_eq!(found.len(), due.len());
        found.iter().zip(&due).for_each(|(found, due)| assert_near(found, due));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vectors.npy");
    let given = [&["-o", path.to_str().unwrap(), "--text"], &texts[..]].concat();
    assert_eq!(on("embed", "embed", &given).status, 0);
    let bytes = std::fs::read(path).unwrap();
    let header = String::from_utf8_lossy(&bytes[10..128]).into_owned();
    assert!(
        bytes.starts_with(b"\x93NUMPY\x01\x00") && header.contains("'<f4'") && header.contains("(4, 16)"),
        "{header}"
    );
    let data = &bytes[bytes.len() - 4 * 16 * 4..];
    let found: Vec<f64> = data.chunks_exact(4).map(|x| f64::from(f32::from_le_bytes(x.try_into().unwrap()))).collect();
    assert_near(&found, &due.concat());
}

#[test]
fn a_text_that_is_too_long_is_cut_only_when_asked() {
    let long = "the cats ".repeat(20);
    let ran = on("embed", "embed", &["--text", &long]);
    assert!(ran.status == 1 && ran.err.contains("82 tokens") && ran.err.contains("24"), "{}", ran.err);
    assert_eq!(on("embed", "embed", &["--truncate", "--text", &long]).status, 0);
    let ran = on("embed", "embed", &["-o", "vectors.txt", "--text", "a"]);
    assert_eq!(ran.status, 2, "{}", ran.err);
    let ran = on("embed", "classify", &["--text", "a"]);
    assert_eq!(ran.status, 1, "{}", ran.err);
    let ran = on("embed", "fill-mask", &["--text", "a [MASK]"]);
    assert_eq!(ran.status, 1, "{}", ran.err);
}

#[test]
fn labels_of_texts_and_of_pairs_have_their_probabilities() {
    let due = answers("classify");
    let scores: Vec<Vec<f64>> = due["scores"].as_array().unwrap().iter().map(numbers).collect();
    let texts = texts(&due);
    let pairs: Vec<&Value> = due["pairs"].as_array().unwrap().iter().collect();
    let side = |at: usize| pairs.iter().map(move |pair| pair[at].as_str().unwrap());
    let alone = [&["--text"], &texts[..]].concat();
    let both: Vec<&str> = ["--text"].into_iter().chain(side(0)).chain(["--pair"]).chain(side(1)).collect();
    let found = [lines(&on("classify", "classify", &alone)), lines(&on("classify", "classify", &both))].concat();
    assert_eq!(found.len(), scores.len());
    for (line, due) in found.iter().zip(&scores) {
        let score = |name: &str| {
            let label = line["labels"].as_array().unwrap().iter().find(|label| label["label"] == name);
            label.unwrap()["score"].as_f64().unwrap()
        };
        assert_near(&["bad", "fair", "good"].map(score), due);
        let all: Vec<f64> = line["labels"].as_array().unwrap().iter().map(|l| l["score"].as_f64().unwrap()).collect();
        assert!(all.is_sorted_by(|a, b| a >= b), "the likeliest label comes first");
    }
}

#[test]
fn every_mask_has_its_likeliest_tokens() {
    let due = answers("fill_mask");
    let given = [&["--top-k", "3", "--text"], &texts(&due)[..]].concat();
    let found = lines(&on("fill_mask", "fill-mask", &given));
    for (line, due) in found.iter().zip(due["fillers"].as_array().unwrap()) {
        let (masks, due) = (line["masks"].as_array().unwrap(), due.as_array().unwrap());
        assert_eq!(masks.len(), due.len());
        for (fillers, due) in masks.iter().zip(due) {
            let found: Vec<f64> = fillers
                .as_array()
                .unwrap()
                .iter()
                .flat_map(|f| numbers(&Value::from(vec![f["id"].clone(), f["score"].clone()])))
                .collect();
            assert_near(&found, &due.as_array().unwrap().iter().flat_map(numbers).collect::<Vec<_>>());
        }
    }
    let ran = on("fill_mask", "fill-mask", &["--text", "no gap"]);
    assert!(ran.status == 1 && ran.err.contains("error[no-mask]"), "{}", ran.err);
}

#[test]
fn a_text_is_continued_and_scored() {
    let due = answers("generate");
    for due in due["continuations"].as_array().unwrap() {
        let prompt = due["prompt"].as_str().unwrap();
        let ran = on("generate", "run", &["-n", "24", "--stats", "--prompt", prompt]);
        assert_eq!((ran.status, ran.out.trim_end_matches('\n')), (0, due["text"].as_str().unwrap()), "{}", ran.err);
        assert!(ran.err.contains("first token after"), "{}", ran.err);
        let tokens = lines(&on("generate", "run", &["-n", "24", "--logprobs", "1", "--prompt", prompt]));
        let ids: Vec<&Value> = tokens.iter().map(|token| &token["id"]).collect();
        assert_eq!(ids, due["ids"].as_array().unwrap().iter().collect::<Vec<_>>());
        let logprobs: Vec<f64> = tokens.iter().map(|token| token["logprob"].as_f64().unwrap()).collect();
        let near = logprobs.iter().zip(numbers(&due["logprobs"])).all(|(a, b)| (a - b).abs() < 1e-4);
        assert!(near, "{logprobs:?}");
        assert!(tokens.iter().all(|token| token["likeliest"][0]["id"] == token["id"]));
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("text.txt");
    std::fs::write(&file, due["text"].as_str().unwrap()).unwrap();
    for row in due["scores"].as_array().unwrap() {
        let (window, stride) = (row["window"].to_string(), row["stride"].to_string());
        let arguments = [file.to_str().unwrap(), "--window", &window, "--stride", &stride, "--json"];
        let found = &lines(&on("generate", "perplexity", &arguments))[0];
        assert_eq!((&found["tokens"], &found["window"]), (&row["tokens"], &row["window"]));
        let (found, due) = (found["nll"].as_f64().unwrap(), row["nll"].as_f64().unwrap());
        assert!((found / due - 1.0).abs() < 1e-5, "{found} is not {due}");
    }
    let prompts = folder.path().join("prompts.txt");
    std::fs::write(&prompts, "The cats\nof the world\n").unwrap();
    let found = lines(&on("generate", "run", &["-n", "24", "--prompts", prompts.to_str().unwrap()]));
    for (found, due) in found.iter().zip(due["continuations"].as_array().unwrap()) {
        assert_eq!((&found["ids"], &found["text"]), (&due["ids"], &due["text"]));
    }
    std::fs::write(&prompts, b"\xff\n").unwrap();
    let ran = on("generate", "run", &["--prompts", prompts.to_str().unwrap()]);
    assert!(ran.status == 1 && ran.err.contains("error[bad-text]"), "{}", ran.err);
    let ran = on("generate", "run", &["--prompt", &"the cats ".repeat(200)]);
    assert!(ran.status == 1 && ran.err.contains("error[context-too-long]") && ran.err.contains("256"), "{}", ran.err);
}

/// `chat` on the decoder, with lines on standard input.
fn chat(arguments: &[&str], input: &[u8]) -> Ran {
    let folder = fixture("texts/generate");
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("texts");
    let mut tool = Command::new(env!("CARGO_BIN_EXE_formwork"));
    tool.args(["chat", &folder, "--weights", &folder]).args(arguments).env("FORMWORK_CACHE", cache);
    let mut child = tool.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let done = child.wait_with_output().unwrap();
    Ran {
        status: done.status.code().unwrap(),
        out: String::from_utf8(done.stdout).unwrap(),
        err: String::from_utf8(done.stderr).unwrap(),
    }
}

#[test]
fn a_conversation_goes_on_and_only_what_is_new_is_read() {
    let due = answers("generate");
    let turns = due["chat"].as_array().unwrap();
    let input: String = turns.iter().map(|turn| format!("{}\n\n", turn["user"].as_str().unwrap())).collect();
    let ran = chat(&["--system", "Be kind.", "-n", "10", "--stats"], input.as_bytes());
    let said: String = turns.iter().map(|turn| format!("{}\n", turn["answer"].as_str().unwrap())).collect();
    assert_eq!((ran.status, ran.out.as_str()), (0, said.as_str()), "{}", ran.err);
    let number = |text: &str| text.split_whitespace().next_back().unwrap().parse::<usize>().unwrap();
    let stats = ran.err.lines().filter(|line| line.starts_with("first token after"));
    let counts: Vec<[usize; 2]> = stats
        .map(|line| {
            let (read, rest) = line.split_once(" tokens read and ").unwrap();
            [number(read), number(rest.split_once(" kept").unwrap().0)]
        })
        .collect();
    assert_eq!(counts.len(), turns.len());
    for (at, ([read, kept], turn)) in counts.iter().zip(turns).enumerate() {
        let prompt = turn["prompt"].as_array().unwrap();
        assert_eq!(read + kept, prompt.len());
        if at == 0 {
            assert_eq!(*kept, 0);
            continue;
        }
        // All of the turn before is kept.
        let before = turns[at - 1]["prompt"].as_array().unwrap();
        assert!(prompt.starts_with(before) && *kept >= before.len(), "{counts:?}");
    }
}

#[test]
fn a_conversation_that_cannot_be_is_an_error() {
    let long = "the cats ".repeat(200);
    let ran = chat(&[], long.as_bytes());
    assert!(ran.status == 1 && ran.err.contains("error[context-too-long]"), "{}", ran.err);
    let ran = chat(&[], b"\xff\n");
    assert!(ran.status == 1 && ran.err.contains("error[bad-text]"), "{}", ran.err);
    let ran = on("embed", "chat", &[]);
    assert!(ran.status == 1 && ran.err.contains("error[no-chat-template]"), "{}", ran.err);
}
