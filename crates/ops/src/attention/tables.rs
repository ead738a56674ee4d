//! Tables of vectors for distances, which queries and keys meet.

use super::Heads;
use crate::{AttrValue, Call, Lit, OpError, Poly, Type};

/// What queries meet, and what keys meet.
pub(super) const NAMES: [&str; 2] = ["content_to_position", "position_to_content"];

/// What the tables of a call say.
pub(super) struct Tables {
    /// How many there are: terms of each pair.
    pub(super) count: i128,
    /// FLOPs of the products with every vector.
    pub(super) products: Poly,
    /// Which rows stand for which distances.
    pub(super) distances: Option<Lit>,
}

/// The tables `[R, H, d_k]` of attention.
pub(super) fn tables(call: &Call<'_>, h: &Heads, cached: bool) -> Result<Tables, OpError> {
    let given: Vec<(&'static str, &Type)> = NAMES.into_iter().filter_map(|name| Some((name, call.optional_input(name)?))).collect();
    let config = call.attr("distances");
    let (name, config) = match (given.as_slice(), config) {
        ([], AttrValue::Null) => return Ok(Tables { count: 0, products: Poly::zero(), distances: None }),
        ([(name, _), ..], AttrValue::Null) => {
            let error = OpError::new(format!("`{name}` is a table by distance, and nothing says which row stands for which distance"));
            return Err(error.at(name).help("`distances: { max_distance: .. }`"));
        }
        ([], _) => {
            let error = OpError::new("`distances` says which rows of a table stand for which distance, and there is no table");
            return Err(error.help(format!("give `{}`, `{}`, or both", NAMES[0], NAMES[1])));
        }
        ([(name, _), ..], config) => (*name, config),
    };
    check_tokens(h, cached).map_err(|error| if error.input.is_none() { error.at(name) } else { error })?;
    let (rows, literal) = rows(config)?;
    let expected = Type::f32(vec![rows.clone(), h.heads.clone(), h.d_k.clone()]);
    if let Some((name, table)) = given.iter().find(|(_, table)| !table.same(&expected)) {
        return Err(OpError::new(format!("`{name}` is {table}, the vectors of the distances are {expected}")).at(name));
    }
    let count = if given.len() == 1 { 1 } else { 2 };
    let contents = &(&h.batch * &h.queries) * &(&h.heads * &h.d_k);
    Ok(Tables { count, products: &(&Poly::int(2 * count) * &contents) * &rows, distances: Some(literal) })
}

/// Every key is that of a query and of one head.
fn check_tokens(h: &Heads, cached: bool) -> Result<(), OpError> {
    if cached {
        return Err(OpError::new("distances are between tokens that are read at once, and the mask keeps keys from step to step"));
    }
    if !h.queries.same(&h.keys) {
        let message = format!("{} queries and {} keys are not of the same tokens, whose distances are met", h.queries, h.keys);
        return Err(OpError::unequal(message, &h.queries, &h.keys).at("k"));
    }
    if !h.heads.same(&h.kv_heads) {
        let message = format!("{} query heads share {} key heads, and each meets vectors of its own", h.heads, h.kv_heads);
        return Err(OpError::unequal(message, &h.heads, &h.kv_heads).at("k"));
    }
    Ok(())
}

/// How many rows stand for distances, and how generated code says which.
fn rows(config: &AttrValue) -> Result<(Poly, Lit), OpError> {
    let size = |name: &str, least: i128| match config.field(name) {
        Some(AttrValue::Int(size)) if size.constant().is_some_and(|n| n < least) => {
            Err(OpError::size(format!("`{name}` of `distances` must be at least {least}, not {size}"), size))
        }
        Some(AttrValue::Int(size)) => Ok(Some(size.clone())),
        _ => Ok(None),
    };
    let (far, buckets) = (size("max_distance", 1)?.unwrap_or_default(), size("buckets", 2)?);
    if let (Some(far), Some(n)) = (far.constant(), buckets.as_ref().and_then(Poly::constant))
        && far <= n / 2 + 1
    {
        let message = format!("distances below {} have rows of their own, so that none up to {far} share one", n / 2 + 1);
        return Err(OpError::new(message).help(format!("`max_distance` beyond {}, or no `buckets`", n / 2 + 1)));
    }
    let fields = vec![("max_distance", Lit::Size(far.clone())), ("buckets", Lit::Size(buckets.clone().unwrap_or_default()))];
    Ok((&Poly::int(2) * &buckets.unwrap_or(far), Lit::Struct("Distances".into(), fields)))
}
