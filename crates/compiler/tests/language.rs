//! The examples of `docs/language.md` compile.

mod support;

use formwork_compiler::{Options, Surface, load_text};
use formwork_diag::{SourceMap, render_all};
use support::in_root;

/// The `fw` blocks of a page.
fn examples(page: &str) -> Vec<String> {
    page.split("```fw\n").skip(1).filter_map(|rest| rest.split("```").next()).map(str::to_string).collect()
}

/// A family that an `hf` section of the page fits.
fn around(members: &str) -> String {
    let whole = std::fs::read_to_string("docs/language.md").expect("the page");
    let family = examples(&whole).remove(0);
    let end = family.rfind('}').expect("a family ends");
    format!("{}\n{members}}}\n", &family[..end])
}

#[test]
fn every_example_compiles_and_has_the_one_layout() {
    in_root();
    let page = std::fs::read_to_string("docs/language.md").expect("the page");
    let examples = examples(&page);
    assert!(examples.len() >= 6, "{}", examples.len());
    for example in examples {
        let has_family = example.lines().any(|line| line.starts_with("family "));
        let text = if has_family { example.clone() } else { around(&example) };
        if let Err(failure) = load_text("example.fw", &text, Surface::Family, &Options::default()) {
            panic!("{text}\n{}", render_all(&failure.diagnostics, &failure.sources, false));
        }
        if has_family {
            let file = SourceMap::default().add("example.fw", example.as_str());
            assert_eq!(formwork_syntax::format_source(file, &example).expect("it parses"), example);
        }
    }
}

#[test]
fn a_family_of_ones_own_reads_its_model_types_before_shipped_ones() {
    in_root();
    let page = std::fs::read_to_string("docs/language.md").expect("the page");
    let whole = examples(&page).remove(0);
    let name = whole.split_once("family ").and_then(|(_, rest)| rest.split_whitespace().next()).expect("a name");
    let end = whole.rfind('}').expect("a family ends");
    let own = |name_of: &str| {
        let text = format!("{}\n    hf \"llama\" {{}}\n}}\n", &whole[..end]);
        text.replacen(&format!("family {name} "), &format!("family {name_of} "), 1)
    };
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("own.fw"), own("zzz")).expect("a file");
    let options = Options { spec_path: vec![folder.path().to_path_buf()], ..Options::default() };
    let load = || load_text("config.json", r#"{ "model_type": "llama" }"#, Surface::Config, &options);
    assert_eq!(load().unwrap_or_else(|f| panic!("{:?}", f.diagnostics)).model.family, "zzz");
    std::fs::write(folder.path().join("other.fw"), own("yyy")).expect("a file");
    let codes: Vec<&str> =
        load().err().unwrap_or_else(|| panic!("two claim it")).diagnostics.iter().map(|d| d.code).collect();
    assert_eq!(codes, ["duplicate-name"]);
}
