//! candle on the CPU: one round of pp and tg as JSON.
//!
//!     candle-bench f32 FOLDER PP TG [DEPTH]     config.json and model.safetensors
//!     candle-bench FILE.gguf PP TG [DEPTH]
//!
//! Threads are those of `RAYON_NUM_THREADS`.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result};
use candle_core::quantized::gguf_file;
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::llama::{Cache, Config, Llama, LlamaConfig};
use candle_transformers::models::quantized_llama::ModelWeights;

/// A model that reads tokens at a position and gives the last one's logits.
enum Model {
    Floats(Box<(Llama, Config, Cache)>),
    Quantised(Box<ModelWeights>),
}

impl Model {
    fn open(words: &mut impl Iterator<Item = String>) -> Result<Self> {
        let first = words.next().context("f32 FOLDER or FILE.gguf")?;
        if first.ends_with(".gguf") {
            let mut file = std::fs::File::open(&first)?;
            let content = gguf_file::Content::read(&mut file)?;
            return Ok(Self::Quantised(Box::new(ModelWeights::from_gguf(content, &mut file, &Device::Cpu)?)));
        }
        let folder = words.next().context("a folder")?;
        let folder = Path::new(&folder);
        let config: LlamaConfig = serde_json::from_slice(&std::fs::read(folder.join("config.json"))?)?;
        let config = config.into_config(false);
        // SAFETY: nobody changes the file meanwhile.
        let vb = unsafe {
            VarBuilder::from_mmaped_safetensors(&[folder.join("model.safetensors")], DType::F32, &Device::Cpu)?
        };
        let model = Llama::load(vb, &config)?;
        let cache = Cache::new(true, DType::F32, &config, &Device::Cpu)?;
        Ok(Self::Floats(Box::new((model, config, cache))))
    }

    /// Forgets what was read.
    fn reset(&mut self) -> Result<()> {
        if let Self::Floats(model) = self {
            model.2 = Cache::new(true, DType::F32, &model.1, &Device::Cpu)?;
        }
        Ok(())
    }

    fn step(&mut self, ids: &[u32], position: usize) -> Result<()> {
        let ids = Tensor::new(ids, &Device::Cpu)?.unsqueeze(0)?;
        let logits = match self {
            Self::Floats(model) => model.0.forward(&ids, position, &mut model.2)?,
            // A position of 0 forgets what was read.
            Self::Quantised(model) => model.forward(&ids, position)?,
        };
        logits.flatten_all()?.to_vec1::<f32>()?;
        Ok(())
    }
}

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let start = Instant::now();
    let mut model = Model::open(&mut words)?;
    let load = start.elapsed().as_secs_f64();
    let mut number = || words.next().map_or(Ok(0), |word| word.parse::<usize>());
    let (pp, tg, depth) = (number()?, number()?, number()?);
    let ids: Vec<u32> = (0..pp.max(depth).max(8) as u32).map(|i| i * 37 % 1000 + 3).collect();
    model.step(&ids[..8], 0)?;
    model.reset()?;
    let start = Instant::now();
    model.step(&ids[..pp], 0)?;
    let prompt = pp as f64 / start.elapsed().as_secs_f64();
    model.reset()?;
    if depth > 0 {
        model.step(&ids[..depth], 0)?;
    }
    let start = Instant::now();
    for at in 0..tg {
        model.step(&ids[..1], depth + at)?;
    }
    let generate = tg as f64 / start.elapsed().as_secs_f64();
    println!("{}", serde_json::json!({ "pp": prompt, "tg": generate, "load": load }));
    Ok(())
}
