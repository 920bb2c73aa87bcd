//! Counting without JSON: the paths that are called in loops.

use tokenbook::{Count, Encoding, Error, ErrorCode, Result};

use crate::guard;

/// Finds the encoding of a name, or of a model whose vocabulary is public.
pub(crate) fn encoding(name: &str) -> Result<Encoding> {
    Encoding::from_name(name).or_else(|| Encoding::for_model(name)).ok_or_else(|| unknown(name))
}

#[cold]
fn unknown(name: &str) -> Error {
    let shown: String = name.chars().take(80).collect();
    Error::new(
        ErrorCode::UnknownModel,
        format!("no public vocabulary is known for {shown:?}; `estimate` gives a count with its band"),
    )
    .with("model", shown)
}

/// Counts the tokens of a text exactly, in an encoding or in that of a model.
///
/// # Errors
///
/// [`ErrorCode::UnknownModel`] when `name` is neither.
pub fn count(text: &str, name: &str) -> Result<u64> {
    guard(|| Ok(encoding(name)?.count(text).get()))
}

/// Counts the tokens of many texts exactly, on all cores.
///
/// # Errors
///
/// [`ErrorCode::UnknownModel`] when `name` is neither an encoding nor a model with a public vocabulary.
pub fn count_batch<T: AsRef<str> + Sync>(texts: &[T], name: &str) -> Result<Vec<u64>> {
    guard(|| Ok(encoding(name)?.count_batch(texts).into_iter().map(Count::get).collect()))
}

/// Counts the tokens of a text, or gives `None` as soon as there are more than `limit`.
///
/// # Errors
///
/// [`ErrorCode::InvalidArgument`] for a limit above [`Count::MAX`], [`ErrorCode::UnknownModel`] as in [`count`].
pub fn count_up_to(text: &str, limit: u64, name: &str) -> Result<Option<u64>> {
    guard(|| {
        let limit = Count::new(limit).map_err(|error| error.context("limit"))?;
        Ok(encoding(name)?.count_up_to(text, limit).map(Count::get))
    })
}

/// [`count_up_to`] with the limit as the only kind of number that JavaScript has.
///
/// # Errors
///
/// As [`count_up_to`], and [`ErrorCode::InvalidArgument`] for a limit that is no whole number.
pub fn count_up_to_number(text: &str, limit: f64, name: &str) -> Result<Option<u64>> {
    let whole = serde_json::to_string(&limit)
        .and_then(|json| serde_json::from_str::<Count>(&json))
        .map_err(|_| Error::invalid(format!("limit: expected a whole number from 0 to {}, got {limit}", Count::MAX)))?;
    count_up_to(text, whole.get(), name)
}
