//! Files that were damaged: whatever is in them, they are refused or work, and nothing panics or asks for more memory than the
//! file has bytes for.

use std::path::Path;

use formwork_tokenizer::Tokenizer;

use crate::reference::fixture;
use crate::support::tiny;

/// Numbers that are always the same (xorshift, Marsaglia 2003).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }
}

/// The bytes cut off, changed in places, with a part taken out or put in twice, or with a length that is huge.
fn damaged(bytes: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let at = numbers.below(bytes.len());
    let end = (at + 1 + numbers.below(40)).min(bytes.len());
    match numbers.below(6) {
        0 => bytes.truncate(at),
        1 => drop(bytes.drain(at..end)),
        2 => {
            let part = bytes[at..end].to_vec();
            bytes.splice(at..at, part);
        }
        // The beginning says how much there is.
        3 => {
            let at = numbers.below(bytes.len().min(64));
            let end = (at + 8).min(bytes.len());
            bytes[at..end].fill(0xFF);
        }
        4 => bytes[at..end].fill([0, 0x7F, 0x80, 0xFF][numbers.below(4)]),
        _ => {
            for _ in 0..=numbers.below(8) {
                let at = numbers.below(bytes.len());
                bytes[at] = numbers.below(256) as u8;
            }
        }
    }
    bytes
}

/// Opens a file many times, each time damaged otherwise; what still opens has to read and write a text, or to say why not.
fn survives(folder: &Path, name: &str, times: usize) {
    let path = folder.join(name);
    let whole = std::fs::read(&path).unwrap();
    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
    let mut refused = 0;
    for _ in 0..times {
        std::fs::write(&path, damaged(&whole, &mut numbers)).unwrap();
        match Tokenizer::open(&path) {
            Ok(tokenizer) => {
                if let Ok(encoding) = tokenizer.tokens("The cats, 東 🦀\r\n  42<s>", true) {
                    let _ = tokenizer.decode(&encoding.ids);
                }
                let _ = tokenizer.decode(&[0, 7, u32::MAX]);
            }
            Err(error) => {
                assert!(error.exit == 1 && !error.message.is_empty(), "{error}");
                refused += 1;
            }
        }
    }
    assert!(refused > 0, "{name}: nothing was wrong with any of {times} damaged files");
    std::fs::write(path, whole).unwrap();
}

#[test]
fn damaged_files_are_refused_or_work() {
    let folder = tempfile::tempdir().unwrap();
    let put = |from: &str, name: &str| std::fs::copy(fixture(from), folder.path().join(name)).map(drop).unwrap();
    for name in ["bpe_bytes", "rules", "word_list", "byte_level", "unigram_bytes"] {
        put(&format!("gguf/{name}.gguf"), "vocabulary.gguf");
        survives(folder.path(), "vocabulary.gguf", 60);
    }
    for name in ["bpe_bytes.model", "unigram.model"] {
        put(name, name);
        survives(folder.path(), name, 100);
    }
    std::fs::write(folder.path().join("tokenizer.json"), tiny().to_string()).unwrap();
    survives(folder.path(), "tokenizer.json", 200);
    put("word_list/vocab.txt", "vocab.txt");
    survives(folder.path(), "vocab.txt", 40);
    put("byte_level/vocab.json", "vocab.json");
    put("byte_level/merges.txt", "merges.txt");
    survives(folder.path(), "vocab.json", 40);
    survives(folder.path(), "merges.txt", 40);
}

#[test]
fn sizes_and_depths_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let message = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        Tokenizer::open(&path).unwrap_err().message
    };
    for open in ["[", "{\"model\":"] {
        let text = message("tokenizer.json", open.repeat(100_000).as_bytes());
        assert!(text.contains("recursion limit"), "{text}");
    }
    // A piece of 2^63 - 1 bytes.
    let text = message("a.model", b"\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F");
    assert!(text.contains("longer than its message"), "{text}");
    let whole = std::fs::read(fixture("gguf/byte_level.gguf")).unwrap();
    let with = |at: usize, number: u64| {
        let mut bytes = whole.clone();
        bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
        message("a.gguf", &bytes)
    };
    let text = with(16, u64::MAX);
    assert!(text.contains("18446744073709551615 keys do not fit"), "{text}");
    let key = b"tokenizer.ggml.tokens";
    let count = whole.windows(key.len()).position(|part| part == key).unwrap() + key.len() + 8;
    let text = with(count, u64::MAX / 2);
    assert!(text.contains("items of `tokenizer.ggml.tokens` do not fit"), "{text}");
    let text = with(count + 8, u64::MAX);
    assert!(text.contains("tokenizer.ggml.tokens needs"), "{text}");
}
