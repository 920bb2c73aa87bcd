//! Counting text.

use serde::{Deserialize, Serialize};
use tokenbook::request::TextCount;
use tokenbook::{Count, Encoding, Error, Result};

use crate::hot;

/// How a count was made.
const EXACT: &str = "exact";

/// The encoding that arguments name, directly or by a model.
fn named(encoding: Option<&str>, model: Option<&str>) -> Result<Encoding> {
    match (encoding, model) {
        (Some(_), Some(_)) => Err(Error::invalid("expected an encoding or a model, got both")),
        (None, None) => Err(Error::invalid("expected an encoding or a model")),
        (Some(name), None) | (None, Some(name)) => hot::encoding(name),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CountArgs {
    text: String,
    encoding: Option<String>,
    model: Option<String>,
}

/// The tokens of a text.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct Counted {
    /// How many.
    tokens: Count,
    /// The encoding they were counted in.
    encoding: &'static str,
    /// How the count was made: `exact`.
    exactness: &'static str,
}

pub(super) fn count(args: CountArgs) -> Result<Counted> {
    let encoding = named(args.encoding.as_deref(), args.model.as_deref())?;
    Ok(Counted { tokens: encoding.count(&args.text), encoding: encoding.name(), exactness: EXACT })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CountBatchArgs {
    texts: Vec<String>,
    encoding: Option<String>,
    model: Option<String>,
}

/// The tokens of many texts.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct CountedBatch {
    /// How many each text has.
    tokens: Vec<Count>,
    /// How many they have in all.
    total_tokens: Count,
    /// The encoding they were counted in.
    encoding: &'static str,
    /// How the counts were made: `exact`.
    exactness: &'static str,
}

pub(super) fn count_batch(args: CountBatchArgs) -> Result<CountedBatch> {
    let encoding = named(args.encoding.as_deref(), args.model.as_deref())?;
    let tokens = encoding.count_batch(&args.texts);
    let total_tokens = tokens.iter().try_fold(Count::ZERO, |sum, tokens| sum.checked_add(*tokens))?;
    Ok(CountedBatch { tokens, total_tokens, encoding: encoding.name(), exactness: EXACT })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CountUpToArgs {
    text: String,
    limit: Count,
    encoding: Option<String>,
    model: Option<String>,
}

/// The tokens of a text, if there are not more than a limit.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct CountedUpTo {
    /// How many; absent when there are more than the limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<Count>,
    /// Whether there are more than the limit.
    over_limit: bool,
    /// The encoding they were counted in.
    encoding: &'static str,
}

pub(super) fn count_up_to(args: CountUpToArgs) -> Result<CountedUpTo> {
    let encoding = named(args.encoding.as_deref(), args.model.as_deref())?;
    let tokens = encoding.count_up_to(&args.text, args.limit);
    Ok(CountedUpTo { tokens, over_limit: tokens.is_none(), encoding: encoding.name() })
}

/// The token ids of a text.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct Encoded {
    /// The ids.
    tokens: Vec<u32>,
    /// The encoding they are of.
    encoding: &'static str,
}

pub(super) fn encode(args: CountArgs) -> Result<Encoded> {
    let encoding = named(args.encoding.as_deref(), args.model.as_deref())?;
    Ok(Encoded { tokens: encoding.encode(&args.text), encoding: encoding.name() })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DecodeArgs {
    tokens: Vec<Count>,
    encoding: Option<String>,
    model: Option<String>,
}

/// The text of token ids.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct Decoded {
    /// The text; bytes that are no UTF-8 became U+FFFD.
    text: String,
    /// The encoding the ids are of.
    encoding: &'static str,
}

pub(super) fn decode(args: DecodeArgs) -> Result<Decoded> {
    let encoding = named(args.encoding.as_deref(), args.model.as_deref())?;
    // An id beyond 32 bits is in no vocabulary; the largest one isn't either, and gives the same message.
    let ids: Vec<u32> = args.tokens.iter().map(|id| u32::try_from(id.get()).unwrap_or(u32::MAX)).collect();
    Ok(Decoded { text: encoding.decode(&ids)?, encoding: encoding.name() })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EstimateArgs {
    text: String,
    model: String,
}

pub(super) fn estimate(args: EstimateArgs) -> Result<TextCount> {
    tokenbook::request::count_text(&args.model, &args.text)
}
