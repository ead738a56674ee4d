//! Exit statuses and outputs of the commands that run no model.

use crate::support::{fixture, formwork, ran, root};
use serde_json::Value;

#[test]
fn check_counts_and_names_every_mistake() {
    let good = fixture("knobs/gqa_window");
    let ran = formwork(&["check", &good]);
    assert_eq!((ran.status, ran.err.as_str()), (0, ""));
    assert!(ran.out.starts_with("ok  gqa_window: ") && ran.out.ends_with(" parameters\n"), "{}", ran.out);

    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("bad.toml");
    std::fs::write(&bad, "d_modle = 64\n").unwrap();
    let bad = bad.to_str().unwrap();
    let ran = formwork(&["check", bad, &good]);
    assert_eq!(ran.status, 1);
    assert!(ran.err.contains("unknown-key") && ran.err.contains("did you mean `d_model`"), "{}", ran.err);
    assert!(ran.out.starts_with("ok  gqa_window"), "the others are checked all the same");

    let ran = formwork(&["check", "--message-format", "json", bad, &good]);
    let error: Value = serde_json::from_str(ran.err.trim()).unwrap();
    let facts: Value = serde_json::from_str(ran.out.trim()).unwrap();
    assert_eq!((&error["code"], &error["labels"][0]["line"]), (&"unknown-key".into(), &1.into()));
    assert_eq!((&facts["name"], &facts["task"]), (&"gqa_window".into(), &"causal_lm".into()));
}

#[test]
fn statuses_tell_faults_apart() {
    let good = fixture("knobs/gqa_window");
    for (status, arguments) in [
        (4, vec!["check", "no/such/file.toml"]),
        (2, vec!["check"]),
        (2, vec!["no-such-command"]),
        (1, vec!["check", &good, "--task", "no_such_task"]),
        (2, vec!["analyze", &good, "--machine", "abacus"]),
        (2, vec!["analyze", &good, "--assert", "params.total"]),
        (1, vec!["explain", "no-such-code"]),
        (0, vec!["--version"]),
    ] {
        assert_eq!(formwork(&arguments).status, status, "{arguments:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn bench_asks_for_no_more_memory_than_there_is() {
    let words = "ulimit -v 3000000; exec \"$0\" bench \"$1\" --pp 0 --tg 1 --batch 1000000";
    let tiny = root().join("specs/tiny.toml").display().to_string();
    let mut shell = std::process::Command::new("sh");
    let ran = ran(shell.args(["-c", words, env!("CARGO_BIN_EXE_formwork"), &tiny]));
    assert!(ran.status == 1 && ran.err.contains("error[no-memory]"), "{}", ran.err);
}

#[test]
fn analyze_prints_compares_and_asserts() {
    let (one, other) = (fixture("knobs/gqa_window"), fixture("knobs/mha_rope"));
    let ran = formwork(&["analyze", &one, "--json", "--seq", "16"]);
    let figures: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.status, &figures["schema"], &figures["questions"]["seq"]), (0, &1.into(), &16.into()));
    let total = figures["params"]["total"].as_u64().unwrap();
    assert_eq!(formwork(&["analyze", &one, "--assert", &format!("params.total == {total}")]).status, 0);
    let ran = formwork(&["analyze", &one, "--assert", &format!("params.total < {total}")]);
    assert_eq!((ran.status, ran.err.contains("error[assertion]")), (1, true));
    assert!(formwork(&["analyze", &one, "--diff", &other]).out.contains("mha_rope"));
    assert_eq!(formwork(&["analyze", &one, "--explain"]).status, 0);
}

#[test]
fn every_code_is_explained() {
    let all = formwork(&["explain"]);
    assert!(all.status == 0 && all.out.lines().count() > 50);
    for code in ["unknown-key", "context-too-long", "foreign-folder", "error[unknown-key]"] {
        let ran = formwork(&["explain", code]);
        assert!(ran.status == 0 && ran.out.lines().count() > 2, "{code}");
    }
    assert!(formwork(&["explain", "unknown-kye"]).err.contains("did you mean `unknown-key`"));
}

#[test]
fn an_imported_config_means_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let families = std::fs::read_dir(fixture("families")).unwrap().map(|e| e.unwrap().path());
    for (at, family) in families.enumerate() {
        let spec = folder.path().join(format!("{at}.toml"));
        let (config, spec) = (family.join("config.json"), spec.to_str().unwrap());
        let ran = formwork(&["import", config.to_str().unwrap(), "-o", spec]);
        assert_eq!(ran.status, 0, "{}: {}", family.display(), ran.err);
        assert_eq!(formwork(&["check", spec]).out, formwork(&["check", config.to_str().unwrap()]).out);
    }
}

#[test]
fn every_stage_can_be_seen() {
    let (instance, config) = (fixture("knobs/gqa_window"), fixture("families/t5"));
    for (stage, words) in [
        ("ast", ["d_model = ", "@"]),
        ("ir", ["repeat i in 0..n_layers", "parameters"]),
        ("passes", ["modules", "parameters"]),
        ("code", ["==> src/model.rs", "impl Model for"]),
    ] {
        for spec in [&instance, &config] {
            let ran = formwork(&["dump", spec, "--stage", stage]);
            assert_eq!(ran.status, 0, "{}", ran.err);
            assert!(stage == "ir" || words.iter().all(|word| ran.out.contains(word)), "{stage}: {}", ran.out);
        }
    }
}

#[test]
fn families_schemas_layouts_and_completions() {
    let families: Value = serde_json::from_str(&formwork(&["families", "--json"]).out).unwrap();
    for family in families["families"].as_array().unwrap() {
        let name = family["name"].as_str().unwrap();
        let schema: Value = serde_json::from_str(&formwork(&["schema", name]).out).unwrap();
        assert_eq!(schema["title"], name);
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f.fw");
    std::fs::write(&file, "fn twice(x)   =   2*x\n").unwrap();
    let file = file.to_str().unwrap();
    let ran = formwork(&["fmt", "--check", file]);
    assert!(ran.status == 1 && ran.out.contains("+fn twice(x) = 2 * x"), "{}{}", ran.out, ran.err);
    assert_eq!(formwork(&["fmt", file]).status, 0);
    assert_eq!(formwork(&["fmt", "--check", file]).status, 0);
    assert!(formwork(&["completions", "bash"]).out.contains("formwork"));
}
