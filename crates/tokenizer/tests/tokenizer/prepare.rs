//! A corpus as rows of ids: what is written is what was said, and broken input leaves nothing behind.

use std::path::{Path, PathBuf};

use formwork_tokenizer::{Corpus, Documents, Error, Preparation, Prepared, Tokenizer};

use crate::reference::fixture;

fn tokenizer() -> Tokenizer {
    Tokenizer::open(&fixture("byte_level")).unwrap()
}

fn preparation(documents: Documents) -> Preparation {
    Preparation { length: 7, separator: 0, documents, validation: 0.0, seed: 1 }
}

fn run(preparation: &Preparation, file: PathBuf, folder: &Path) -> Result<Prepared, Error> {
    preparation.run(&mut tokenizer(), &[file], folder, &mut |_| {})
}

/// All ids of a set.
fn ids(folder: &Path, name: &str) -> Vec<u32> {
    let mut corpus = Corpus::open(&folder.join(name)).unwrap();
    (0..corpus.rows()).flat_map(|row| corpus.row(row).unwrap()).collect()
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn rows_hold_the_documents_and_what_separates_them() {
    let folder = tempfile::tempdir().unwrap();
    let text = "the cats\r\n\nthings\r\r\nand more of it, and more\nthe end";
    let file = write(folder.path(), "lines", text.as_bytes());
    write(folder.path(), Preparation::VALIDATION, b"of an earlier run");
    let prepared = run(&preparation(Documents::Lines), file, folder.path()).unwrap();
    let mut plain = tokenizer();
    plain.treat_special_as_text();
    let mut due = Vec::new();
    for line in ["the cats", "things\r", "and more of it, and more", "the end"] {
        due.extend(plain.tokens(line, false).unwrap().ids);
        due.push(0);
    }
    let rest = due.len() % 7;
    assert_eq!((prepared.train.rows as usize, prepared.train.rest), (due.len() / 7, rest));
    assert_eq!(ids(folder.path(), Preparation::TRAIN), due[..due.len() - rest]);
    assert!(!folder.path().join(Preparation::VALIDATION).exists());
}

#[test]
fn documents_are_split_the_same_way_each_time_and_none_is_lost() {
    let [one, two] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let preparation = Preparation { validation: 0.25, length: 2, ..preparation(Documents::Lines) };
    let first = run(&preparation, fixture("corpus.txt"), one.path()).unwrap();
    assert_eq!(run(&preparation, fixture("corpus.txt"), two.path()).unwrap(), first);
    for name in [Preparation::TRAIN, Preparation::VALIDATION] {
        assert_eq!(std::fs::read(one.path().join(name)).unwrap(), std::fs::read(two.path().join(name)).unwrap());
    }
    let (train, held) = (first.train.documents as f64, first.validation.documents as f64);
    assert!((0.2..0.3).contains(&(held / (held + train))), "{held} of {}", held + train);
    let other = run(&Preparation { seed: 2, ..preparation }, fixture("corpus.txt"), two.path()).unwrap();
    assert_ne!(other, first);
}

#[test]
fn objects_on_lines_are_documents_and_text_forges_no_separator() {
    let folder = tempfile::tempdir().unwrap();
    let lines = "{\"text\": \"the cats and the things\", \"id\": 3}\n\n{\"text\": \"<|endoftext|> the\"}\n";
    let file = write(folder.path(), "lines.jsonl", lines.as_bytes());
    let preparation = Preparation { length: 2, ..preparation(Documents::JsonLines) };
    let prepared = run(&preparation, file, folder.path()).unwrap();
    let mut plain = tokenizer();
    plain.treat_special_as_text();
    let mut due = Vec::new();
    for text in ["the cats and the things", "<|endoftext|> the"] {
        due.extend(plain.tokens(text, false).unwrap().ids);
        due.push(0);
    }
    due.truncate(due.len() / 2 * 2);
    assert_eq!((prepared.train.documents, ids(folder.path(), Preparation::TRAIN)), (2, due));
}

#[test]
fn broken_input_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let text = write(folder.path(), "text", b"the cats and the things of the world, again and again");
    let cases = [
        (write(folder.path(), "latin", b"caf\xe9 and more"), preparation(Documents::Files), "not UTF-8"),
        (write(folder.path(), "json", b"{\"txt\": 1}"), preparation(Documents::JsonLines), "line 1"),
        (write(folder.path(), "short", b"a"), preparation(Documents::Files), "fewer than the 7"),
        (text.clone(), Preparation { separator: 1 << 20, ..preparation(Documents::Files) }, "separator"),
        (text.clone(), Preparation { length: 0, ..preparation(Documents::Files) }, "at least 2"),
        (text.clone(), Preparation { validation: 1.0, ..preparation(Documents::Files) }, "no share"),
        (text, Preparation { validation: f64::NAN, ..preparation(Documents::Files) }, "no share"),
    ];
    for (file, preparation, due) in cases {
        let error = run(&preparation, file, &out).unwrap_err();
        assert!(error.code == "bad-corpus" && error.message.contains(due), "{error}");
        assert!(std::fs::read_dir(&out).map_or(0, Iterator::count) == 0, "{error}");
    }
}

#[test]
fn files_that_are_no_corpus_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    run(&preparation(Documents::Lines), fixture("corpus.txt"), folder.path()).unwrap();
    let whole = std::fs::read(folder.path().join(Preparation::TRAIN)).unwrap();
    let mut changed = Vec::new();
    for (at, byte) in [(0, b'X'), (8, 9), (12, 3), (16, 0), (23, 255), (31, 255), (24, 1)] {
        let mut bytes = whole.clone();
        bytes[at] = byte;
        changed.push(bytes);
    }
    changed.extend([whole[..40].to_vec(), whole[..whole.len() - 1].to_vec(), Vec::new()]);
    for bytes in changed {
        let error = Corpus::open(&write(folder.path(), "changed", &bytes)).unwrap_err();
        assert_eq!(error.code, "bad-corpus", "{error}");
    }
    let mut foreign = whole;
    foreign[64..66].copy_from_slice(&u16::MAX.to_le_bytes());
    let mut corpus = Corpus::open(&write(folder.path(), "foreign", &foreign)).unwrap();
    assert_eq!(corpus.row(0).unwrap_err().code, "bad-corpus");
    assert_eq!(corpus.row(corpus.rows()).unwrap_err().code, "bad-corpus");
}
