//! An encoder of candle on the CPU, with random weights: texts per second by length and number of texts, as JSON.
//!
//!     candle-encoder LENGTHS BATCHES CONFIG.json
//!
//! Threads are those of `RAYON_NUM_THREADS`.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context as _, Result};
use candle_core::{DType, Device, Tensor};
use candle_nn::{VarBuilder, VarMap};
use candle_transformers::models::bert::{BertModel, Config};

/// The median of five runs after one that is not counted.
fn texts_per_second(model: &BertModel, length: usize, batch: usize) -> Result<f64> {
    let ids: Vec<u32> = (0..(length * batch) as u32).map(|i| i * 37 % 1000 + 3).collect();
    let ids = Tensor::from_vec(ids, (batch, length), &Device::Cpu)?;
    let types = ids.zeros_like()?;
    model.forward(&ids, &types, None)?;
    let mut times = Vec::new();
    for _ in 0..5 {
        let start = Instant::now();
        model.forward(&ids, &types, None)?;
        times.push(start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    Ok(batch as f64 / times[2])
}

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let mut numbers = || -> Result<Vec<usize>> {
        let words = words.next().context("LENGTHS BATCHES CONFIG.json")?;
        words.split(',').map(|word| Ok(word.parse()?)).collect()
    };
    let (lengths, batches) = (numbers()?, numbers()?);
    let config: Config = serde_json::from_slice(&std::fs::read(words.next().context("CONFIG.json")?)?)?;
    let variables = VarMap::new();
    let model = BertModel::load(VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu), &config)?;
    let mut rates = BTreeMap::new();
    for &length in &lengths {
        for &batch in &batches {
            rates.insert(format!("{length}x{batch}"), texts_per_second(&model, length, batch)?);
        }
    }
    println!("{}", serde_json::json!(rates));
    Ok(())
}
