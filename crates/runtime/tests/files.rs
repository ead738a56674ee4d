//! Strict reading: a table of bad files, each with its code.

use std::path::Path;

use formwork_runtime::weights::SafeTensors;
use formwork_runtime::{Mapping, Weights};

fn file(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

fn tensor(name: &str, dtype: &str, shape: &str, offsets: &str) -> String {
    format!(r#""{name}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}"#)
}

fn one(dtype: &str, shape: &str, offsets: &str, data: usize) -> Vec<u8> {
    file(&format!("{{{}}}", tensor("a", dtype, shape, offsets)), data)
}

fn two(a: &str, b: &str, data: usize) -> Vec<u8> {
    let (a, b) = (tensor("a", "F32", "[1]", a), tensor("b", "F32", "[1]", b));
    file(&format!("{{{a},{b}}}"), data)
}

fn open(bytes: &[u8]) -> Result<SafeTensors, formwork_runtime::Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    std::fs::write(&path, bytes).unwrap();
    SafeTensors::open(&path)
}

#[test]
fn bad_files_are_refused() {
    let huge = |length: u64| [length.to_le_bytes().to_vec(), vec![b'{'; 16]].concat();
    let duplicate = format!("{{{0},{0}}}", tensor("a", "F32", "[1]", "[0,4]"));
    let one_field_twice = format!("{{{}}}", tensor("a", "F16\",\"dtype\":\"F32", "[1]", "[0,4]"));
    let escape = format!("{{{}}}", tensor("\\u001b[31m", "F32", "[1]", "[0,4]"));
    let table: Vec<(&str, &str, Vec<u8>)> = vec![
        ("empty", "truncated-safetensors", vec![]),
        ("7 bytes", "truncated-safetensors", vec![0; 7]),
        ("no header", "not-safetensors", vec![0; 8]),
        ("header of 1", "not-safetensors", file("{", 0)),
        ("header of 2^63", "not-safetensors", huge(1 << 63)),
        ("header of u64::MAX", "not-safetensors", huge(u64::MAX)),
        ("header of 101 MB", "not-safetensors", huge(101 << 20)),
        ("header beyond the file", "truncated-safetensors", huge(17)),
        ("not UTF-8", "not-safetensors", [&2_u64.to_le_bytes()[..], b"{\xff"].concat()),
        ("an array", "not-safetensors", file("[]", 0)),
        ("a leading space", "not-safetensors", file(" {}", 0)),
        ("NUL padding", "not-safetensors", file("{}\0\0", 0)),
        ("deep nesting", "not-safetensors", file(&"{\"a\":".repeat(10_000), 0)),
        ("metadata of numbers", "not-safetensors", file(r#"{"__metadata__":{"a":1}}"#, 0)),
        ("a duplicate", "duplicate-tensor", file(&duplicate, 4)),
        ("a field twice", "not-safetensors", file(&one_field_twice, 4)),
        ("metadata twice", "not-safetensors", file(r#"{"__metadata__":{"a":"1","a":"2"}}"#, 0)),
        ("a name that commands the terminal", "not-safetensors", file(&escape, 4)),
        ("unknown dtype", "tensor-dtype", one("F31", "[1]", "[0,4]", 4)),
        ("sub-byte dtype", "tensor-dtype", one("F4", "[2]", "[0,1]", 1)),
        ("negative dimension", "not-safetensors", one("F32", "[-1]", "[0,4]", 4)),
        ("fraction", "not-safetensors", one("F32", "[1.5]", "[0,4]", 4)),
        ("one offset", "not-safetensors", one("F32", "[1]", "[4]", 4)),
        ("three offsets", "not-safetensors", one("F32", "[1]", "[0,4,4]", 4)),
        ("zero dimension", "tensor-shape", one("F32", "[0]", "[0,0]", 0)),
        ("nine axes", "tensor-shape", one("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]", 4)),
        ("overflow", "tensor-shape", one("F32", "[4294967296,4294967296]", "[0,4]", 4)),
        ("reversed offsets", "tensor-shape", one("F32", "[1]", "[4,0]", 4)),
        ("wrong size", "tensor-shape", one("F32", "[2]", "[0,4]", 4)),
        (
            "offsets near the end of usize",
            "not-safetensors",
            one("F32", "[1]", "[18446744073709551611,18446744073709551615]", 4),
        ),
        ("overlap", "overlapping-tensors", two("[0,4]", "[2,6]", 6)),
        ("hole", "tensor-gap", two("[0,4]", "[8,12]", 12)),
        ("hole at the start", "tensor-gap", one("F32", "[1]", "[4,8]", 8)),
        ("truncated data", "truncated-safetensors", one("F32", "[2]", "[0,8]", 7)),
        ("trailing bytes", "trailing-bytes", one("F32", "[2]", "[0,8]", 9)),
        ("Git LFS", "not-safetensors", b"version https://git-lfs.github.com/spec/v1\n".to_vec()),
        ("HTML", "not-safetensors", b"<!DOCTYPE html><html>".to_vec()),
        ("pickle", "not-safetensors", b"PK\x03\x04 and so on".to_vec()),
        ("gzip", "not-safetensors", vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0]),
    ];
    for (what, code, bytes) in table {
        let error = open(&bytes).err().unwrap_or_else(|| panic!("{what} was accepted"));
        assert_eq!(error.code, code, "{what}: {error}");
        assert_eq!(error.exit, 1);
    }
}

#[test]
fn odd_but_legal_files_are_read() {
    let scalar = open(&one("F32", "[]", "[0,4]", 4)).unwrap();
    assert_eq!(scalar.param("a").unwrap().to_f32().len(), 1);
    // A header of odd length leaves the floats misaligned: they are copied.
    let header = format!("{{{}}}", tensor("a", "F32", "[2]", "[0,8]"));
    for padding in 0..4 {
        let padded = format!("{header}{}", " ".repeat(padding));
        let mut bytes = file(&padded, 0);
        bytes.extend([1.5_f32.to_le_bytes(), 2.5_f32.to_le_bytes()].concat());
        assert_eq!(*open(&bytes).unwrap().param("a").unwrap().to_f32(), [1.5, 2.5]);
    }
    let mut bytes = file(&format!("{{{}}}", tensor("a", "F64", "[1]", "[0,8]")), 0);
    bytes.extend(0.25_f64.to_le_bytes());
    assert_eq!(*open(&bytes).unwrap().param("a").unwrap().to_f32(), [0.25]);
}

fn index(folder: &Path, map: &str) -> &'static str {
    let text = format!(r#"{{"weight_map":{map}}}"#);
    std::fs::write(folder.join("model.safetensors.index.json"), text).unwrap();
    let opened = Weights::open(folder, &Mapping { prefixes: &[], rules: &[], ignore: &[], gguf: None });
    opened.err().map_or("fine", |error| error.code)
}

#[test]
fn shards_stay_in_their_folder() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("model");
    std::fs::create_dir(&inside).unwrap();
    std::fs::write(folder.path().join("out.safetensors"), one("F32", "[1]", "[0,4]", 4)).unwrap();
    std::fs::write(inside.join("1.safetensors"), one("F32", "[1]", "[0,4]", 4)).unwrap();
    std::fs::write(inside.join("2.safetensors"), one("F32", "[1]", "[0,4]", 4)).unwrap();
    assert_eq!(index(&inside, r#"{"a":"1.safetensors"}"#), "fine");
    for name in ["../out.safetensors", "/etc/passwd", "..", "", "a\\\\b", "x/1.safetensors"] {
        assert_eq!(index(&inside, &format!(r#"{{"a":"{name}"}}"#)), "shard-path", "{name}");
    }
    assert_eq!(index(&inside, r#"{"a":"3.safetensors"}"#), "missing-shard");
    assert_eq!(index(&inside, r#"{"a":"1.safetensors","b":"1.safetensors"}"#), "missing-tensor");
    assert_eq!(index(&inside, r#"{"b":"1.safetensors"}"#), "missing-tensor");
    assert_eq!(index(&inside, r#"{"a":"1.safetensors","b":"2.safetensors"}"#), "duplicate-tensor");
    assert_eq!(index(&inside, "{}"), "fine");
    assert_eq!(index(&inside, "[]"), "bad-index");
    assert_eq!(index(&inside, r#"{"a":3}"#), "bad-index");
    assert_eq!(index(&inside, r#"{"a":"2.safetensors","a":"1.safetensors"}"#), "bad-index");
    assert_eq!(index(&inside, r#"{"a":"1.safetensors"},"weight_map":{}"#), "bad-index");
    std::fs::write(inside.join("2.safetensors"), two("[0,4]", "[4,8]", 8)).unwrap();
    assert_eq!(index(&inside, r#"{"a":"2.safetensors"}"#), "unlisted-tensor");
    #[cfg(unix)]
    {
        let link = inside.join("link.safetensors");
        std::os::unix::fs::symlink(folder.path().join("out.safetensors"), link).unwrap();
        assert_eq!(index(&inside, r#"{"a":"link.safetensors"}"#), "shard-path");
    }
}

#[test]
fn folders_without_weights_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let mapping = Mapping { prefixes: &[], rules: &[], ignore: &[], gguf: None };
    let open = |path: &Path| Weights::open(path, &mapping).err().unwrap();
    assert_eq!(open(folder.path()).code, "no-weights");
    std::fs::write(folder.path().join("pytorch_model.bin"), "x").unwrap();
    assert!(open(folder.path()).help.unwrap().contains("convert"));
    let error = open(&folder.path().join("absent"));
    assert_eq!((error.code, error.exit), ("io", 4));
}

#[cfg(unix)]
#[test]
fn devices_and_endless_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let link = |name: &str| {
        let path = folder.path().join(name);
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        path
    };
    assert_eq!(SafeTensors::open(&link("x.safetensors")).err().unwrap().code, "not-safetensors");
    let mapping = Mapping { prefixes: &[], rules: &[], ignore: &[], gguf: None };
    assert_eq!(Weights::open(link("x.index.json"), &mapping).err().unwrap().code, "bad-index");
    let device = folder.path().join("device");
    std::os::unix::fs::symlink("/dev/null", &device).unwrap();
    assert_eq!(formwork_runtime::weights::writer::write(&device, &[]).err().unwrap().exit, 4);
    assert!(device.is_symlink(), "it is still there");
}

/// Every mutant of a good file is read or refused with a code, and what is read can be used.
#[test]
fn mutated_files_never_panic() {
    let header = format!(
        r#"{{"__metadata__":{{"format":"pt"}},{},{}}}"#,
        tensor("a", "F32", "[2,1]", "[0,8]"),
        tensor("b", "BF16", "[2]", "[8,12]")
    );
    let good = file(&header, 12);
    let inserts: [&[u8]; 12] = [
        b"-1",
        b"18446744073709551615",
        b"1e9",
        b"\"",
        b"{",
        b"]",
        b"null",
        b"\\u0000",
        b"\xff",
        b",",
        b"F64",
        b"[0,8]",
    ];
    let mut state = 0x5eed_f00d_cafe_0001_u64;
    let mut below = |n: usize| {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        usize::try_from(state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33).unwrap() % n.max(1)
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    let mut accepted = 0;
    for _ in 0..4000 {
        let mut bytes = good.clone();
        for _ in 0..=below(2) {
            let at = below(bytes.len());
            match below(5) {
                0 => bytes[at] ^= 1 << below(8),
                1 => bytes.truncate(at.max(1)),
                2 => drop(bytes.remove(at)),
                3 => drop(bytes.splice(at..at, inserts[below(inserts.len())].iter().copied())),
                _ => bytes[at.min(7)] = u8::try_from(below(256)).unwrap(),
            }
            if bytes.is_empty() {
                break;
            }
        }
        // The header's length follows half of the time: else nothing behind it would be looked at.
        if below(2) == 0 && bytes.len() > 20 {
            let length = bytes.len() as u64 - 20;
            bytes[..8].copy_from_slice(&length.to_le_bytes());
        }
        std::fs::write(&path, &bytes).unwrap();
        match SafeTensors::open(&path) {
            Err(error) => assert!(!error.message.is_empty() && error.exit == 1, "{error}"),
            Ok(read) => {
                accepted += 1;
                for name in read.names() {
                    let _ = (read.param(name).map(|p| p.to_f32().len()), read.integers(name), read.bytes(name));
                }
            }
        }
    }
    assert!(accepted > 50, "{accepted} mutants were read");
}
