//! `quantize`: weights in another format, written for the same model, and how far its answers move.

use formwork_ops::CacheFormat;
use formwork_tensor::{Context, Error, Ids, Result};
use serde_json::json;

use super::args::{Options, usage};
use super::case::{Case, decodes};
use super::fidelity::Fidelity;
use super::generate::read_ids;
use super::print;
use crate::model::{Model, load_from};
use crate::weights::writer::Numbers;
use crate::weights::{Difference, Holding, Line, Weights, format_name};

/// The version of the keys.
const SCHEMA: u32 = 1;

/// Ids of a step, where the model has room for them.
const WINDOW: usize = 512;

/// Ids that stand in where none are given.
const BUILT_IN: usize = 256;

pub(super) fn run<M: Model>(options: &Options) -> Result<()> {
    let (path, output, holding) = (options.weights()?, options.output()?, options.holding()?);
    if !matches!(holding, Holding::As(_)) {
        return Err(usage("--dtype is missing"));
    }
    options.spare_inputs(output)?;
    let ctx = options.context()?;
    let open = || -> Result<_> { Ok(Weights::open(path, &M::INFO.mapping)?.threads(ctx.device().threads().count())) };
    let weights = open()?.hold(holding).recording();
    let model: M = load_from(&weights)?;
    let (lines, format) = (weights.taken(), weights.format());
    check_finite(&lines, format)?;
    let ids = match read_ids()? {
        ids if ids.is_empty() => built_in(M::INFO.vocab_size),
        ids => ids,
    };
    let fidelity = fidelity(&load_from(&open()?)?, &model, &ctx, &ids)?;
    weights.save(output)?;
    let bytes = output.metadata().map_err(|error| Error::io(output, &error))?.len();
    let was_coded = weights.are_codes();
    let report = Report { lines, format, bytes, was_coded, fidelity };
    print(&if options.json { report.json::<M>() } else { report.text::<M>() })
}

/// What has become of the weights, and of the model's answers.
struct Report {
    lines: Vec<Line>,
    format: &'static str,
    bytes: u64,
    /// Whether the originals were in codes.
    was_coded: bool,
    fidelity: Fidelity,
}

impl Report {
    /// The relative error of all matrices.
    fn relative_rms(&self) -> f64 {
        let mut whole = Difference::default();
        self.lines.iter().filter(|line| line.format.is_some()).for_each(|line| whole.add(&line.error));
        whole.relative_rms()
    }

    fn json<M: Model>(&self) -> String {
        let tensors: Vec<_> = self.lines.iter().map(tensor).collect();
        let report = json!({
            "schema": SCHEMA,
            "format": self.format,
            "bytes": self.bytes,
            "relative_rms": self.relative_rms(),
            "was_coded": self.was_coded,
            "fidelity": self.fidelity.json(M::INFO.output),
            "tensors": tensors,
        });
        report.to_string()
    }

    fn text<M: Model>(&self) -> String {
        let (table, fidelity) = (table(&self.lines), self.fidelity.text(M::INFO.output));
        let (format, size, error) = (self.format, self.bytes as f64 / 1e6, self.relative_rms());
        let mut text = format!("{table}\n\n{format}, {size:.1} MB, relative error {error:.4}\n{fidelity}");
        if self.was_coded {
            text += "\nthe original was quantised before: errors are those of this step alone";
        }
        text
    }
}

/// Refuses what no error can be measured of.
fn check_finite(lines: &[Line], format: &str) -> Result<()> {
    if let Some(Line { name, .. }) = lines.iter().find(|line| !line.was_finite()) {
        let error = Error::new("weight-not-finite", format!("`{name}` holds NaN or infinity"));
        return Err(error.help("download the checkpoint again, or mend the training that made it"));
    }
    match lines.iter().find(|line| !line.is_finite()) {
        None => Ok(()),
        Some(Line { name, .. }) => {
            let error =
                Error::new("weight-overflow", format!("`{name}` holds numbers that are too large for {format}"));
            Err(error.help("choose `--dtype bf16` or `f32`, whose range is larger"))
        }
    }
}

/// How far the outputs of two models are apart, over windows of the ids.
fn fidelity<M: Model>(reference: &M, model: &M, ctx: &Context, ids: &[u32]) -> Result<Fidelity> {
    let window = M::INFO.max_positions.map_or(WINDOW, |max| max.min(WINDOW)).max(1);
    let mut fidelity = Fidelity::default();
    for ids in ids.chunks(window) {
        let ids = Ids::new(ids.to_vec(), 1)?;
        let case = Case::of(ids.clone(), decodes::<M>().then_some(ids));
        let [(x, width), (y, _)] = [answer(reference, ctx, &case)?, answer(model, ctx, &case)?];
        x.chunks_exact(width).zip(y.chunks_exact(width)).try_for_each(|(x, y)| fidelity.row(x, y))?;
    }
    Ok(fidelity)
}

/// The model's result, and the width of its rows.
fn answer<M: Model>(model: &M, ctx: &Context, case: &Case) -> Result<(Vec<f32>, usize)> {
    let first = case.answer(model, ctx, false, CacheFormat::F32)?.swap_remove(0);
    let width = first.dims.last().copied().unwrap_or(1).max(1);
    match first.numbers {
        Numbers::Floats(floats) => Ok((floats, width)),
        Numbers::Integers(_) => Ok((Vec::new(), width)),
    }
}

/// Ids from all over the vocabulary, the same for every model of its size: multiples of a step that shares no factor with most
/// sizes.
fn built_in(vocab_size: usize) -> Vec<u32> {
    const STEP: usize = 2_654_435_761;
    (1..=BUILT_IN).map(|at| (at.wrapping_mul(STEP) % vocab_size.max(1)) as u32).collect()
}

fn tensor(line: &Line) -> serde_json::Value {
    json!({
        "name": line.name,
        "shape": line.dims,
        "format": line.format.map(format_name),
        "relative_rms": line.error.relative_rms(),
        "max": line.error.largest,
    })
}

/// Every tensor that has changed, and how many have not.
fn table(lines: &[Line]) -> String {
    let changed: Vec<_> = lines.iter().filter_map(|line| Some((line, line.format?))).collect();
    let width = changed.iter().map(|(line, _)| line.name.len()).max().unwrap_or(0).max(4);
    let mut text = format!("{:width$}  format  relative rms  max|d|", "name");
    for (line, format) in &changed {
        let (name, rms, max) = (&line.name, line.error.relative_rms(), line.error.largest);
        text += &format!("\n{name:width$}  {:>6}  {rms:>12.5}  {max:>6.1e}", format_name(*format));
    }
    text + &format!("\nand {} tensors as they were", lines.len() - changed.len())
}
