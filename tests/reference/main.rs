//! Every reference fixture through generated code: outputs, hidden states and the cached continuation within 1e-4 of the reference,
//! parameters and FLOPs equal to it, both spellings of a config the same code.

#![allow(clippy::approx_constant, reason = "numbers of configs")]

mod beams;
mod texts;

use std::ffi::OsString;
use std::path::Path;

use formwork_runtime::{Model, runner};

include!(concat!(env!("OUT_DIR"), "/fixtures.rs"));

fn check<M: Model>(folder: &str, flops: u128, same_code: bool) {
    let folder = Path::new(folder);
    assert!(same_code, "config.json and config.legacy.json give different code");
    let meta = std::fs::read_to_string(folder.join("meta.json")).unwrap();
    let meta: serde_json::Value = serde_json::from_str(&meta).unwrap();
    // Where a checkpoint keeps weights apart that the config's class ties, the config's count is the one to meet.
    let params = meta.get("params_by_config").unwrap_or(&meta["params"]);
    assert_eq!(Some(M::INFO.parameters), params.as_u64(), "parameters");
    assert_eq!(Some(flops), meta["flops"].as_u64().map(u128::from), "FLOPs");
    let gguf = folder.join("model.gguf");
    for weights in [Some(folder.to_owned()), gguf.exists().then_some(gguf)].into_iter().flatten() {
        let input = folder.join("case.safetensors").into_os_string();
        let arguments: Vec<OsString> =
            vec!["verify".into(), "--weights".into(), weights.clone().into_os_string(), "--input".into(), input];
        if let Err(error) = runner::run::<M>(arguments) {
            panic!("{}: {error}", weights.display());
        }
    }
    beams::check::<M>(folder);
    texts::check::<M>(folder);
}
