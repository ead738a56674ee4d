//! `forward`: inputs from a file, outputs to a file.

use formwork_tensor::Result;

use super::args::{Options, usage};
use super::case;
use crate::model::Model;
use crate::weights::{SafeTensors, writer};

pub(super) fn run<M: Model>(options: &Options) -> Result<()> {
    let (output, ctx) = (options.output()?, options.context()?);
    options.spare_inputs(output)?;
    let cases = case::read(&SafeTensors::open(options.input()?)?)?;
    let model: M = options.model(&ctx)?;
    let mut outputs = Vec::new();
    for case in &cases {
        outputs.extend(case.answer(&model, &ctx, options.hidden, options.cache::<M>()?)?);
    }
    match options.greedy {
        Some(count @ 1..) => outputs.extend(cases[0].greedy(&model, &ctx, count, options.cache::<M>()?)?),
        Some(0) => return Err(usage("--greedy is 1 or more")),
        None => {}
    }
    writer::write(output, &outputs)
}
