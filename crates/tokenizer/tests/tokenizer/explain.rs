//! Explanations end where encoding ends.

use formwork_tokenizer::{Kind, Step, Tokenizer};

use crate::reference::{fixture, read};
use crate::support::{load, tiny};

#[test]
fn the_last_step_is_the_encoding() {
    for name in ["bpe_bytes.model", "unigram.model", "byte_level", "word_list"] {
        let mut tokenizer = Tokenizer::open(&fixture(name)).unwrap();
        tokenizer.treat_special_as_text();
        for line in read("corpus.txt").split('\n').filter(|line| line.len() < 120).step_by(3) {
            let explanation = tokenizer.explain(line).unwrap();
            let ids: Vec<u32> = explanation.words.iter().flat_map(|word| word.tokens.iter().map(|it| it.1)).collect();
            assert_eq!(ids, tokenizer.tokens(line, false).unwrap().ids, "{name}: {line:?}");
            for word in explanation.words.iter().filter(|_| name != "bpe_bytes.model" && name != "unigram.model") {
                let tokens: Vec<&String> = word.tokens.iter().map(|it| &it.0).collect();
                let last: Vec<&String> = word.steps.last().unwrap().parts.iter().collect();
                assert_eq!(last, tokens, "{name}: {line:?}");
            }
        }
    }
}

#[test]
fn every_merge_is_a_step() {
    let steps = |tokenizer: &Tokenizer, text: &str| -> Vec<String> {
        let show = |step: &Step| format!("{} ({})", step.parts.join("|"), step.done);
        tokenizer.explain(text).unwrap().words.iter().flat_map(|word| word.steps.iter().map(show)).collect()
    };
    let merges = load(&tiny()).unwrap();
    assert_eq!(merges.explain("ab a").unwrap().normalized, "▁ab▁a");
    let expected = ["▁|a|b|▁|a ()", "▁|ab|▁|a (a + b, merge 1)", "▁|ab|▁a (▁ + a, merge 2)"];
    assert_eq!(steps(&merges, "ab a"), expected);
    let words = Tokenizer::open(&fixture("word_list")).unwrap();
    let found = steps(&words, "things");
    assert_eq!((words.kind(), found.first().unwrap().as_str()), (Kind::WordPiece, "things ()"));
    assert!(found.last().unwrap().contains("is the longest token there"), "{found:?}");
}
