//! A model run as a compiled crate, through the cache.

use std::path::Path;
use std::process::Command;

use crate::support::{Ran, fixture, ran};

#[test]
fn a_fixture_is_built_once_and_verified() {
    let cache = tempfile::tempdir().unwrap();
    let folder = fixture("knobs/gqa_window");
    let case = format!("{folder}/case.safetensors");
    let run = |cargo: &str, arguments: &[&str]| -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_formwork"));
        command.args(arguments).args([&folder, "--weights", &folder]).env("FORMWORK_CACHE", cache.path());
        if !cargo.is_empty() {
            command.env("CARGO", cargo);
        }
        ran(&mut command)
    };
    let without = run("/no/such/cargo", &["verify", "--input", &case]);
    assert!(without.status == 4 && without.err.contains("no-cargo"), "{}", without.err);
    let first = run("", &["verify", "--input", &case]);
    assert_eq!(first.status, 0, "{}{}", first.out, first.err);
    assert!(first.err.contains("building gqa-window") && first.out.contains("logits"));
    // From now on there is nothing to build.
    let second = run("/no/such/cargo", &["verify", "--input", &case]);
    assert_eq!((second.status, second.err.as_str()), (0, ""));
    // A tensor that the model does not produce is named, not passed over.
    let mut bytes = std::fs::read(&case).unwrap();
    let at = bytes.windows(8).position(|word| word == b"\"logits\"").unwrap();
    bytes[at + 6] = b'z';
    let renamed = cache.path().join("renamed.safetensors");
    std::fs::write(&renamed, bytes).unwrap();
    let renamed = run("/no/such/cargo", &["verify", "--input", &renamed.display().to_string()]);
    assert!(renamed.status == 0 && renamed.out.ends_with("not produced, so not compared: logitz\n"), "{}", renamed.out);
    assert!(!first.out.contains("not compared"), "{}", first.out);
    let strict = run("/no/such/cargo", &["verify", "--input", &case, "--tolerance", "0"]);
    assert!(strict.status == 3 && strict.err.contains("diverges"), "{}", strict.err);
    let wrong = run("/no/such/cargo", &["bench", "--threads", "1000000", "--message-format", "json"]);
    let error: serde_json::Value = serde_json::from_str(&wrong.err).unwrap();
    assert_eq!((wrong.status, &error["code"], &error["level"]), (2, &"usage".into(), &"error".into()));
    for wrong in [["--batch", "0"], ["--pp", "18446744073709551615"], ["--repeat", "0"]] {
        let ran = run("/no/such/cargo", &[&["bench"], &wrong[..]].concat());
        assert!(ran.status == 2 && ran.err.contains("error[usage]"), "{wrong:?}: {}", ran.err);
    }
    let bench =
        run("/no/such/cargo", &["bench", "--pp", "4", "--tg", "2", "--depth", "0,3", "--repeat", "2", "--json"]);
    assert_eq!(bench.status, 0, "{}", bench.err);
    let report: serde_json::Value = serde_json::from_str(&bench.out).unwrap();
    let names: Vec<_> = report["tests"].as_array().unwrap().iter().map(|test| test["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["pp4", "tg2", "pp4 @ d3", "tg2 @ d3"]);
    for figure in ["tokens_per_second", "bytes_per_second", "flops_per_second"] {
        assert!(report["tests"][3][figure]["median"].as_f64().unwrap() > 0.0, "{figure}");
    }
    let small = cache.path().join("small");
    let out = small.display().to_string();
    let quantize = run("/no/such/cargo", &["quantize", "--dtype", "q8", "--json", "-o", &out]);
    assert_eq!(quantize.status, 0, "{}", quantize.err);
    let report: serde_json::Value = serde_json::from_str(&quantize.out).unwrap();
    assert!(report["fidelity"]["kl"].as_f64().unwrap() < 1e-3, "{report}");
    assert!(report["tensors"].as_array().unwrap().iter().any(|tensor| tensor["format"] == "q8"), "{report}");
    let mut verify = Command::new(env!("CARGO_BIN_EXE_formwork"));
    verify.args(["verify", &folder, "--weights", &out, "--input", &case, "--tolerance", "0.1"]);
    let verify = ran(verify.env("FORMWORK_CACHE", cache.path()));
    assert_eq!(verify.status, 0, "{}{}", verify.out, verify.err);
    quantising_is_all_or_nothing(cache.path(), &folder, |arguments| run("/no/such/cargo", arguments));
    let missing = run("/no/such/cargo", &["forward", "--input", "no/such/file", "--output", "nowhere"]);
    assert_eq!(missing.status, 4, "{}", missing.err);
}

/// What is refused or fails leaves no folder, and what succeeds replaces links.
fn quantising_is_all_or_nothing(home: &Path, original: &str, run: impl Fn(&[&str]) -> Ran) {
    let quantize = |out: &Path, more: &[&str]| {
        run(&[&["quantize", "--dtype", "q8", "-o", &out.display().to_string()], more].concat())
    };
    let over = quantize(original.as_ref(), &[]);
    assert!(over.status == 2 && over.err.contains("output-is-input"), "{}", over.err);
    let (empty, new) = (home.join("empty.txt"), home.join("new"));
    std::fs::write(&empty, "\n").unwrap();
    let mut refused = vec![
        (1, "empty-input", quantize(&new, &["--calibrate", &empty.display().to_string()])),
        (2, "usage", quantize(&new, &["--threads", "0"])),
    ];
    let blocked = home.join("blocked");
    std::fs::create_dir_all(blocked.join("meta.json")).unwrap();
    refused.push((4, "blocked/meta.json", quantize(&blocked, &[])));
    for (status, word, ran) in refused {
        assert!(ran.status == status && ran.err.contains(word) && ran.out.is_empty(), "{status}: {}", ran.err);
    }
    #[cfg(target_os = "linux")]
    {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let mut unsaid = Command::new(env!("CARGO_BIN_EXE_formwork"));
        unsaid.args(["quantize", original, "--weights", original, "--dtype", "q8", "-o"]).arg(&new);
        let status = unsaid.env("FORMWORK_CACHE", home).stdout(full).status().unwrap();
        assert_eq!(status.code(), Some(4));
    }
    assert!(!new.exists() && std::fs::read_dir(&blocked).unwrap().count() == 1);

    let again = quantize(&new, &[]);
    assert!(again.status == 0 && !again.out.contains("quantised before"), "{}{}", again.out, again.err);
    let mut names: Vec<_> = std::fs::read_dir(&new).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["meta.json", "model.safetensors"]);
}
