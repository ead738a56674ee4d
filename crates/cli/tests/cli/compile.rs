//! Crates on disk: written whole, compared, and never over what is not ours.

use std::fs;

use crate::support::{fixture, formwork};

#[test]
fn a_crate_is_written_compared_and_renewed() {
    let folder = tempfile::tempdir().unwrap();
    let (out, spec) = (folder.path().to_str().unwrap(), fixture("knobs/gqa_window"));
    let ran = formwork(&["compile", &spec, "-o", out]);
    assert_eq!(ran.status, 0, "{}", ran.err);
    let home = folder.path().join("gqa-window");
    assert!(
        ran.out.contains("gqa-window") && ran.out.contains("parameters") && ran.out.contains("next: cargo run"),
        "{}",
        ran.out
    );
    assert_eq!(formwork(&["compile", &spec, "-o", out, "--check"]).status, 0);

    // What is edited or left over shows as a diff; the rest of the folder is the user's.
    let model = home.join("src/model.rs");
    let text = fs::read_to_string(&model).unwrap();
    fs::write(&model, text.replacen("//!", "//! edited", 1)).unwrap();
    fs::write(home.join("src/left_over.rs"), "").unwrap();
    fs::write(home.join("notes.txt"), "mine").unwrap();
    let ran = formwork(&["compile", &spec, "-o", out, "--check"]);
    assert_eq!(ran.status, 1);
    assert!(ran.out.contains("-//! edited") && ran.out.contains("left_over.rs"), "{}", ran.out);
    assert!(ran.err.contains("stale-crate"));
    assert_eq!(formwork(&["compile", &spec, "-o", out]).status, 0);
    assert_eq!(fs::read_to_string(&model).unwrap(), text);
    assert!(!home.join("src/left_over.rs").exists());
    assert_eq!(fs::read_to_string(home.join("notes.txt")).unwrap(), "mine");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary folder stays");
}

#[test]
fn foreign_folders_and_shared_names_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (out, spec) = (folder.path().to_str().unwrap(), fixture("knobs/gqa_window"));
    let home = folder.path().join("gqa-window");
    fs::create_dir(&home).unwrap();
    fs::write(home.join("thesis.txt"), "years of work").unwrap();
    let ran = formwork(&["compile", &spec, "-o", out]);
    assert!(ran.status == 1 && ran.err.contains("foreign-folder"), "{}", ran.err);
    assert_eq!(fs::read_dir(&home).unwrap().count(), 1);
    let ran = formwork(&["compile", &spec, &spec, "-o", out]);
    assert!(ran.status == 1 && ran.err.contains("same-crate"), "{}", ran.err);
}

#[test]
fn nothing_is_written_where_one_spec_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let ran = formwork(&["compile", &fixture("knobs/gqa_window"), "no/such.toml", "-o", out.to_str().unwrap()]);
    assert_eq!(ran.status, 4);
    assert!(!out.exists());
}

#[cfg(unix)]
#[test]
fn links_are_not_written_through() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let (out, spec) = (folder.path().to_str().unwrap(), fixture("knobs/gqa_window"));
    std::os::unix::fs::symlink(elsewhere.path(), folder.path().join("gqa-window")).unwrap();
    let ran = formwork(&["compile", &spec, "-o", out]);
    assert!(ran.status == 1 && ran.err.contains("foreign-folder"), "{}", ran.err);
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    assert!(folder.path().join("gqa-window").is_symlink());
}

#[test]
fn what_is_read_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.json");
    fs::copy(fixture("families/llama/config.json"), &config).unwrap();
    let text = fs::read_to_string(&config).unwrap();
    let ran = formwork(&["import", config.to_str().unwrap(), "-o", config.to_str().unwrap()]);
    assert!(ran.status == 2 && ran.err.contains("output-is-input"), "{}", ran.err);
    assert_eq!(fs::read_to_string(&config).unwrap(), text);
    let ran = formwork(&["import", config.to_str().unwrap(), "-o", folder.path().to_str().unwrap()]);
    assert_eq!(ran.status, 4, "{}", ran.err);
}
