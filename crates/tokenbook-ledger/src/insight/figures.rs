//! The sums of a group of calls with what follows from them.

use serde::Serialize;
use tokenbook::{Count, Result, Timestamp, Usd};

use crate::insight::share::divided;
use crate::report::Measures;
use crate::report::rows::{measures, ratio};
use crate::spread::Spread;
use crate::sums::Sums;

/// The sums of a group of calls, with their averages. What can't be said, such as an average of nothing, is absent.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Figures {
    /// The sums.
    #[serde(flatten)]
    pub measures: Measures,
    /// Input and output.
    pub total_tokens: Count,
    /// Calls that succeeded ÷ calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success_rate: Option<f64>,
    /// The mean cost of the calls whose cost is known, rounded to 1e-12 dollars.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_per_call_usd: Option<Usd>,
    /// The cost of all calls, failed ones too, for each that succeeded; rounded to 1e-12 dollars.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_per_success_usd: Option<Usd>,
    /// The mean tokens of the calls whose usage is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_call: Option<f64>,
    /// The instant of the first call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_at: Option<Timestamp>,
    /// The instant of the last call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_at: Option<Timestamp>,
}

/// A cost for each of a number of calls.
pub(crate) fn cost_per(cost: Usd, calls: u64) -> Option<Usd> {
    (calls != 0).then(|| Usd::from_pico(divided(cost.pico(), calls.into())))
}

pub(crate) fn figures(sums: &Sums, spread: Option<&Spread>) -> Result<Figures> {
    let measures = measures(sums)?;
    let total_tokens = measures.usage.total_input_tokens()?.checked_add(measures.usage.total_output_tokens()?)?;
    let (calls, succeeded) = (measures.calls.get(), measures.succeeded.get());
    let known = calls - measures.unknown_usage_calls.get();
    let instant = |at: Option<i64>| at.map(Timestamp::from_ms).transpose();
    let instants = spread.and_then(|spread| spread.instants);
    Ok(Figures {
        total_tokens,
        success_rate: ratio(succeeded.into(), calls.into()),
        cost_per_call_usd: cost_per(measures.cost_usd, calls - measures.unpriced_calls.get()),
        cost_per_success_usd: if measures.unpriced_calls == measures.calls {
            None
        } else {
            cost_per(measures.cost_usd, succeeded)
        },
        tokens_per_call: ratio(total_tokens.get().into(), known.into()),
        first_at: instant(instants.map(|(first, _)| first))?,
        last_at: instant(instants.map(|(_, last)| last))?,
        measures,
    })
}
