//! Whole texts, read side by side.

use formwork_ops::{CacheFormat, Room};
use formwork_tensor::{Context, Error, Ids, Result};

use crate::inputs::{Request, check_room};
use crate::model::Model;

/// Texts that are read side by side.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Texts {
    /// The ids of each.
    pub ids: Vec<Vec<u32>>,
    /// The segment of each id, for models that tell segments apart; empty: 0 everywhere.
    pub types: Vec<Vec<u32>>,
    /// The tokens of each text whose outputs are wanted; empty: all of them.
    pub places: Vec<Vec<usize>>,
}

/// What a model gives for one text: `width` numbers for each token that was asked for, or once for the whole text.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// Numbers of a row.
    pub width: usize,
    /// The rows, one after the other.
    pub data: Vec<f32>,
    /// Whether the rows are tokens; else there is one for the text.
    pub by_token: bool,
}

/// Reads texts together and gives the output of each. They stand in one row, one after the other, where the model keeps them apart;
/// else side by side, shorter ones padded on the right.
///
/// # Errors
/// `empty-input` for no text or one without ids; `input-shape` if segments or places do not belong to the texts;
/// `context-too-long`; `token-out-of-range`.
pub fn read_texts<M: Model>(model: &M, ctx: &Context, texts: &Texts, format: CacheFormat) -> Result<Vec<Output>> {
    let count = texts.ids.len();
    if let Some(at) = texts.ids.iter().position(Vec::is_empty).or((count == 0).then_some(0)) {
        return Err(Error::new("empty-input", format!("text {} has no ids", at + 1)));
    }
    let lengths: Vec<usize> = texts.ids.iter().map(Vec::len).collect();
    let longest = lengths.iter().max().copied().unwrap_or_default();
    check_room(&M::INFO, longest)?;
    texts.check()?;
    let packs = M::INFO.packs && lengths.iter().any(|length| *length < longest);
    let request = if packs { texts.packed(lengths.clone())? } else { texts.padded(&lengths, longest)? };
    let rows = request.ids.batch();
    let inputs = request.inputs::<M>()?;
    let mut cache = M::cache(rows, Room { tokens: longest, format });
    let output = model.forward(ctx, &inputs, &mut cache);
    ctx.take_failure()?;
    let (width, by_token) = (output.dims().width(), output.shape().len() == 3);
    let mut start = 0;
    let of = |(at, length): (usize, &usize)| {
        let data = &output.data()[start * width..];
        start += match (by_token, packs) {
            (true, true) => *length,
            (true, false) => longest,
            (false, _) => 1,
        };
        let data = match texts.places.get(at) {
            Some(places) if by_token => places.iter().flat_map(|p| &data[p * width..][..width]).copied().collect(),
            _ if by_token => data[..length * width].to_vec(),
            _ => data[..width].to_vec(),
        };
        Output { width, data, by_token }
    };
    Ok(lengths.iter().enumerate().map(of).collect())
}

impl Texts {
    /// All texts in one row.
    fn packed(&self, lengths: Vec<usize>) -> Result<Request> {
        let mut request = Request::new(Ids::new(self.ids.concat(), 1)?, 0);
        request.types = (!self.types.is_empty()).then(|| Ids::new(self.types.concat(), 1)).transpose()?;
        request.packed = Some(lengths);
        Ok(request)
    }

    /// A row for each text.
    fn padded(&self, lengths: &[usize], longest: usize) -> Result<Request> {
        let mut request = Request::new(padded(&self.ids, longest)?, 0);
        if lengths.iter().any(|length| *length < longest) {
            request.mask =
                Some(lengths.iter().flat_map(|length| (0..longest).map(move |slot| slot < *length)).collect());
        }
        request.types = (!self.types.is_empty()).then(|| padded(&self.types, longest)).transpose()?;
        Ok(request)
    }

    /// Segments and places belong to the texts.
    fn check(&self) -> Result<()> {
        let lengths = || self.ids.iter().map(Vec::len);
        let types = self.types.is_empty() || self.types.iter().map(Vec::len).eq(lengths());
        let inside = || self.places.iter().zip(lengths()).all(|(places, len)| places.iter().all(|at| *at < len));
        let places = self.places.is_empty() || (self.places.len() == self.ids.len() && inside());
        match types && places {
            true => Ok(()),
            false => Err(Error::new("input-shape", "segments or places do not belong to the texts")),
        }
    }
}

/// Rows of equal length, filled up with 0.
fn padded(rows: &[Vec<u32>], longest: usize) -> Result<Ids> {
    let fill = |row: &Vec<u32>| row.iter().copied().chain(std::iter::repeat_n(0, longest - row.len())).collect();
    Ids::new(rows.iter().flat_map::<Vec<u32>, _>(fill).collect(), rows.len())
}
