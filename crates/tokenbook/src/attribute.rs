//! Billed input tokens, split over the parts of the request that they were billed for.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::quantity::Count;
use crate::request::{Calibration, Exactness, Part, RequestCount};
use crate::usage::Usage;

/// The billed input tokens of a call, part by part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Attribution {
    /// The billed input tokens of all kinds: the sum of the parts and the framing.
    pub input_tokens: Count,
    /// The parts of the request, in its order, each with its share of what was billed.
    pub parts: Vec<Part>,
    /// The share of what belongs to no part.
    pub framing_tokens: Count,
}

/// Splits the billed input tokens over the parts of a counted request, so that they sum exactly to them.
///
/// Each part gets the share that it has of the count, rounded down; the tokens that are then left go to the parts with the
/// largest remainders, the earlier first among equals. Where nothing was counted, all is framing.
///
/// ```
/// use tokenbook::{Api, Usage, attribute::attribute, request::count_request};
/// let body = br#"{"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}"#;
/// let counted = count_request(Api::OpenaiChat, body, None)?;
/// let usage: Usage = serde_json::from_str(r#"{"input_tokens": 16}"#).expect("the example is right");
/// let attribution = attribute(&counted, &usage)?;
/// assert_eq!(attribution.parts[0].tokens.get(), 2);
/// assert_eq!(attribution.framing_tokens.get(), 14);
/// # Ok::<(), tokenbook::Error>(())
/// ```
///
/// # Errors
///
/// [`ErrorCode::InvalidArgument`](crate::ErrorCode::InvalidArgument) when the sum of the usage is too large to be a count.
pub fn attribute(request: &RequestCount, usage: &Usage) -> Result<Attribution> {
    let billed = usage.total_input_tokens()?;
    let weights = request.parts.iter().map(|part| part.tokens).chain([request.framing_tokens]);
    let mut shares = split(billed.get(), &weights.map(Count::get).collect::<Vec<_>>());
    let framing_tokens = Count::new(shares.pop().unwrap_or(billed.get()))?;
    let parts = request
        .parts
        .iter()
        .zip(shares)
        .map(|(part, share)| Ok(Part { tokens: Count::new(share)?, ..part.clone() }))
        .collect::<Result<_>>()?;
    Ok(Attribution { input_tokens: billed, parts, framing_tokens })
}

/// The input tokens of a request, corrected by what past calls of its model were billed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CalibratedCount {
    /// The model that was counted for.
    pub model: String,
    /// The tokens of the whole request: the parts and the framing.
    pub input_tokens: Count,
    /// The lower end of the band.
    pub low: Count,
    /// The upper end of the band.
    pub high: Count,
    /// How the count was made.
    pub exactness: Exactness,
    /// Why it isn't exact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The parts, in the order of the prompt: tool definitions, then messages.
    pub parts: Vec<Part>,
    /// What belongs to no part: what the provider writes around them.
    pub framing_tokens: Count,
    /// The tokens as counted, without the correction.
    pub estimated_tokens: Count,
    /// The correction, and what it was learned from.
    pub calibration: Calibration,
}

/// Corrects the estimate of a request by what was learned from past calls; a count that is exact, or that is a lower
/// bound, stays as it is.
///
/// ```
/// use tokenbook::{Api, Count, attribute::calibrate, request::{Calibration, Sample, count_request}};
/// let body = br#"{"model": "my-model", "messages": [{"role": "user", "content": "Why is the sky blue?"}]}"#;
/// let counted = count_request(Api::OpenaiChat, body, None)?;
/// let estimate = counted.input_tokens.get();
/// let past = Sample { estimated: Count::from(100u32), measured: Count::from(150u32) };
/// let calibrated = calibrate(counted, Calibration::learn(&[past; 8]))?;
/// assert_eq!(calibrated.input_tokens.get(), estimate * 3 / 2 + estimate % 2);
/// # Ok::<(), tokenbook::Error>(())
/// ```
///
/// # Errors
///
/// [`ErrorCode::InvalidArgument`](crate::ErrorCode::InvalidArgument) when the corrected number is too large to be a count.
pub fn calibrate(counted: RequestCount, calibration: Calibration) -> Result<CalibratedCount> {
    let estimated_tokens = counted.input_tokens;
    let mut calibrated = CalibratedCount {
        model: counted.model,
        input_tokens: estimated_tokens,
        low: counted.low,
        high: counted.high,
        exactness: counted.exactness,
        reason: counted.reason,
        parts: counted.parts,
        framing_tokens: counted.framing_tokens,
        estimated_tokens,
        calibration,
    };
    if counted.exactness != Exactness::Estimated {
        return Ok(calibrated);
    }
    calibrated.input_tokens = calibration.apply(estimated_tokens)?;
    calibrated.low = calibration.apply(calibrated.low)?;
    calibrated.high = calibration.apply(calibrated.high)?;
    let weights = calibrated.parts.iter().map(|part| part.tokens).chain([calibrated.framing_tokens]);
    // What past calls were billed beyond any factor is text that belongs to no part.
    let beside = u64::try_from(calibration.addend).unwrap_or(0).min(calibrated.input_tokens.get());
    let mut shares = split(calibrated.input_tokens.get() - beside, &weights.map(Count::get).collect::<Vec<_>>());
    calibrated.framing_tokens = Count::new(shares.pop().unwrap_or_default() + beside)?;
    for (part, share) in calibrated.parts.iter_mut().zip(shares) {
        part.tokens = Count::new(share)?;
    }
    Ok(calibrated)
}

/// Splits a total in proportion to the weights; all of it goes to the last where every weight is 0.
fn split(total: u64, weights: &[u64]) -> Vec<u64> {
    let sum: u128 = weights.iter().map(|&weight| u128::from(weight)).sum();
    if sum == 0 {
        let mut shares = vec![0; weights.len()];
        if let Some(last) = shares.last_mut() {
            *last = total;
        }
        return shares;
    }
    let product = |weight: u64| u128::from(total) * u128::from(weight);
    let mut shares: Vec<u64> = weights
        .iter()
        .map(|&weight| u64::try_from(product(weight) / sum).expect("a share is at most the total"))
        .collect();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    // A stable sort keeps the earlier first among equals.
    order.sort_by_key(|&at| std::cmp::Reverse(product(weights[at]) % sum));
    let left = total - shares.iter().sum::<u64>();
    for at in order.into_iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
        shares[at] += 1;
    }
    shares
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn remainders_go_to_the_largest_then_to_the_first() {
        assert_eq!(split(10, &[1, 1, 1]), [4, 3, 3]);
        assert_eq!(split(11, &[5, 3, 1]), [6, 4, 1]);
        assert_eq!(split(7, &[0, 2, 0]), [0, 7, 0]);
        assert_eq!(split(7, &[0, 0]), [0, 7]);
        assert_eq!(split(0, &[3, 4]), [0, 0]);
    }

    proptest! {
        #[test]
        fn shares_sum_to_the_total_and_are_within_one_token_of_proportion(
            total in 0..=Count::MAX.get(),
            weights in prop::collection::vec(0..=Count::MAX.get(), 1..40),
        ) {
            let shares = split(total, &weights);
            prop_assert_eq!(shares.iter().map(|&share| u128::from(share)).sum::<u128>(), u128::from(total));
            let sum: u128 = weights.iter().map(|&weight| u128::from(weight)).sum();
            for (share, weight) in shares.iter().zip(&weights) {
                if let Some(exact) = (u128::from(total) * u128::from(*weight)).checked_div(sum) {
                    prop_assert!(u128::from(*share) == exact || u128::from(*share) == exact + 1);
                }
            }
        }
    }
}
