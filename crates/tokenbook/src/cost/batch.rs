//! Many calls at once, as columns: each model is looked up once, and nothing is allocated per call.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::CostSum;
use crate::error::{Error, Result};
use crate::money::Usd;
use crate::price::{Catalog, Price, PriceQuery, Prices};
use crate::quantity::Count;
use crate::time::Timestamp;
use crate::usage::{TokenKind, Usage};

/// Calls as columns of equal length.
///
/// ```
/// use tokenbook::Catalog;
/// use tokenbook::cost::{CostBatch, cost_batch};
///
/// let batch: CostBatch = serde_json::from_str(
///     r#"{"models": ["gpt-4o-mini", "claude-haiku-4-5"], "model": [0, 1, 0],
///         "tokens": {"input_tokens": [1000, 1000, 0], "output_tokens": [100, 100, 1]}}"#,
/// )?;
/// let costs = cost_batch(&batch, "2026-11-22T10:00:00Z".parse()?, Catalog::builtin())?;
/// assert_eq!(costs.sum_usd.to_string(), "0.0017106");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CostBatch {
    /// The models of the calls; `provider/model` where they have different providers.
    pub models: Vec<String>,
    /// For each call the number of its model, from 0; absent where all calls are of the first model.
    #[serde(default)]
    pub model: Option<Vec<u32>>,
    /// Who bills.
    #[serde(default)]
    pub provider: Option<String>,
    /// The instant of all calls, where they have none of their own.
    #[serde(default)]
    pub at: Option<Timestamp>,
    /// For each call its instant in milliseconds since 1970.
    #[serde(default)]
    pub at_ms: Option<Vec<i64>>,
    /// The service tier that was billed.
    #[serde(default)]
    pub service_tier: Option<String>,
    /// Whether the calls were processed as a batch.
    #[serde(default)]
    pub batch: Option<bool>,
    /// Where the calls were processed.
    #[serde(default)]
    pub region: Option<String>,
    /// For each kind of tokens the counts of the calls, such as `input_tokens`.
    pub tokens: BTreeMap<String, Vec<Count>>,
}

/// The costs of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BatchCost {
    /// The cost of each call; null where it has none.
    pub totals_usd: Vec<Option<Usd>>,
    /// The sum of those that have one.
    pub sum_usd: Usd,
    /// Calls in the sum.
    pub priced: u64,
    /// Calls without a price, which the sum leaves out.
    pub unpriced: u64,
    /// The models that calls without a price are of.
    pub unpriced_models: Vec<String>,
}

/// Prices calls given as columns; `now` is the instant of calls for which none is given.
///
/// # Errors
///
/// [`ErrorCode::InvalidArgument`](crate::ErrorCode::InvalidArgument) for columns of different lengths, a model's number
/// that is not in the list, an unknown kind of tokens, service tier or region, and sums that are too large.
pub fn cost_batch(batch: &CostBatch, now: Timestamp, catalog: &Catalog) -> Result<BatchCost> {
    let (columns, calls) = columns(batch)?;
    let at = batch.at.unwrap_or(now);
    let prices: Vec<Prices<'_>> =
        batch.models.iter().map(|model| catalog.prices(&query(batch, model, at))).collect::<Result<_>>()?;
    // The row that holds is the same for all calls of a model, unless they have instants of their own.
    let same: Vec<Option<Price<'_>>> = prices.iter().map(|prices| prices.price_at(at)).collect::<Result<_>>()?;
    let mut totals_usd = Vec::with_capacity(calls);
    let mut sum = CostSum::default();
    let mut without_price = vec![false; prices.len()];
    let mut usage = Usage::new();
    for call in 0..calls {
        let model = batch.model.as_ref().map_or(0, |numbers| numbers[call] as usize);
        let prices = prices.get(model).ok_or_else(|| {
            Error::invalid(format!("model[{call}] is {model}, but there are {} models", prices.len()))
        })?;
        let price = match &batch.at_ms {
            Some(instants) => {
                let at = Timestamp::from_ms(instants[call]).map_err(|error| error.context(format!("at_ms[{call}]")))?;
                prices.price_at(at)?
            }
            None => same[model],
        };
        for (kind, counts) in &columns {
            usage.set(*kind, counts[call]);
        }
        let total = match price {
            Some(price) => price.total(&usage).map_err(|error| error.context(format!("call {call}")))?,
            None => None,
        };
        without_price[model] |= total.is_none();
        sum.add(total)?;
        totals_usd.push(total);
    }
    let unpriced_models =
        batch.models.iter().zip(without_price).filter(|(_, without)| *without).map(|(name, _)| name.clone()).collect();
    let CostSum { total_usd, priced, unpriced } = sum;
    Ok(BatchCost { totals_usd, sum_usd: total_usd, priced, unpriced, unpriced_models })
}

/// Counts by kind.
type Columns<'a> = Vec<(TokenKind, &'a [Count])>;

/// The columns of counts, and their common length.
fn columns(batch: &CostBatch) -> Result<(Columns<'_>, usize)> {
    let mut columns = Vec::with_capacity(batch.tokens.len());
    for (name, counts) in &batch.tokens {
        let kind =
            TokenKind::from_name(name).ok_or_else(|| Error::invalid(format!("unknown kind of tokens {name:?}")))?;
        columns.push((kind, counts.as_slice()));
    }
    let mut lengths: Vec<(&str, usize)> = columns.iter().map(|(kind, counts)| (kind.name(), counts.len())).collect();
    lengths.extend(batch.model.as_ref().map(|numbers| ("model", numbers.len())));
    lengths.extend(batch.at_ms.as_ref().map(|instants| ("at_ms", instants.len())));
    let Some((first, calls)) = lengths.first().copied() else { return Ok((columns, 0)) };
    match lengths.iter().find(|(_, length)| *length != calls) {
        Some((other, length)) => Err(Error::invalid(format!("{other} has {length} calls, {first} has {calls}"))),
        None => Ok((columns, calls)),
    }
}

fn query<'a>(batch: &'a CostBatch, model: &'a str, at: Timestamp) -> PriceQuery<'a> {
    PriceQuery {
        model,
        provider: batch.provider.as_deref(),
        at,
        service_tier: batch.service_tier.as_deref(),
        batch: batch.batch.unwrap_or_default(),
        region: batch.region.as_deref(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faulty_batches_say_what_is_wrong() {
        for (json, want) in [
            (
                r#"{"models": ["gpt-4o"], "tokens": {"input_tokens": [1], "output_tokens": [1, 2]}}"#,
                "output_tokens has 2 calls, input_tokens has 1",
            ),
            (
                r#"{"models": ["gpt-4o"], "model": [0, 0], "tokens": {"input_tokens": [1]}}"#,
                "model has 2 calls, input_tokens has 1",
            ),
            (
                r#"{"models": ["gpt-4o"], "model": [1], "tokens": {"input_tokens": [1]}}"#,
                "model[0] is 1, but there are 1 models",
            ),
            (r#"{"models": [], "tokens": {"input_tokens": [1]}}"#, "model[0] is 0, but there are 0 models"),
            (r#"{"models": ["gpt-4o"], "tokens": {"inputs": [1]}}"#, "unknown kind of tokens \"inputs\""),
            (
                r#"{"models": ["gpt-4o"], "at_ms": [-1], "tokens": {"input_tokens": [1]}}"#,
                "at_ms[0]: expected an instant from 1970-01-01 to 2999-12-31, got -1 ms",
            ),
        ] {
            let batch: CostBatch = serde_json::from_str(json).expect(json);
            let error = cost_batch(&batch, Timestamp::MIN, Catalog::builtin()).expect_err(json);
            assert_eq!(error.message(), want);
        }
    }

    #[test]
    fn calls_without_a_price_are_counted_apart() {
        let batch: CostBatch = serde_json::from_str(
            r#"{"models": ["openai/gpt-4o", "nobody/knows"], "model": [1, 0, 1], "at": "2026-11-22T10:00:00Z",
                "tokens": {"input_tokens": [5, 1000, 5]}}"#,
        )
        .expect("a batch");
        let costs = cost_batch(&batch, Timestamp::MIN, Catalog::builtin()).expect("valid");
        assert_eq!((costs.priced, costs.unpriced, costs.sum_usd.to_string().as_str()), (1, 2, "0.0025"));
        assert_eq!(costs.unpriced_models, ["nobody/knows"]);
        assert_eq!(costs.totals_usd.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, false]);
    }
}
