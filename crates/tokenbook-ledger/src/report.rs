//! Where tokens and money went: sums by any grouping, exact, from rollups wherever they reach.

pub(crate) mod gather;
pub(crate) mod rows;

use serde::{Deserialize, Serialize};
use tokenbook::{Count, Date, Error, Result, Timestamp, Usage, Usd};

use crate::calendar::{Calendar, Unit};
use crate::filter::{Filter, range};
use crate::ledger::Ledger;
use crate::record::Outcome;

/// What a report groups by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// Who made the calls.
    Agent,
    /// What for.
    Action,
    /// The model that was asked for.
    Model,
    /// Who was asked.
    Provider,
    /// Tools offered, called or carried; a call counts for each of its tools.
    Tool,
    /// The run that calls belong to.
    Session,
    /// Labels; a call counts for each of its tags.
    Tag,
    /// Success or error.
    Outcome,
    /// Hours as they pass: the hour that is repeated when clocks go back is two.
    Hour,
    /// Days of the report's time zone.
    Day,
    /// Weeks from Monday on.
    Week,
    /// Months of the calendar.
    Month,
}

impl Group {
    const fn unit(self) -> Option<Unit> {
        match self {
            Self::Hour => Some(Unit::Hour),
            Self::Day => Some(Unit::Day),
            Self::Week => Some(Unit::Week),
            Self::Month => Some(Unit::Month),
            _ => None,
        }
    }
}

/// The order of a report's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// By time, then by name.
    Key,
    /// The most expensive first.
    Cost,
    /// The most calls first.
    Calls,
    /// The most tokens first.
    Tokens,
}

/// A question to the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ReportQuery {
    /// What to group by; nothing gives the total alone.
    pub group_by: Vec<Group>,
    /// Calls made at this instant or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Calls made before this instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// The IANA name of the zone that days, weeks and months are of; UTC if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Which calls.
    pub filter: Filter,
    /// The order of the rows: by key when time is a group, by cost otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
    /// How many rows at most; the total is of all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// The answer to a [`ReportQuery`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Report {
    /// A row for each group that has calls; with a time group also for each moment without.
    pub rows: Vec<Row>,
    /// All calls of the range and filter, each once.
    pub total: Measures,
    /// Whether a call may count in several rows, so that rows add up to more than the total.
    pub overlapping: bool,
    /// Rows beyond the limit.
    pub rows_left_out: usize,
    /// What it is grouped by.
    pub group_by: Vec<Group>,
    /// From when on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// The zone of its days.
    pub time_zone: String,
}

/// One group: what it is grouped by, and its sums. A group of calls without an agent, tag and so on has no such field.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Row {
    /// Who made the calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// What for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// The model that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Who was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The tool; the row's tool figures are those of this tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// The session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// How the calls ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The instant the hour starts at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hour: Option<Timestamp>,
    /// The day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day: Option<Date>,
    /// The Monday of the week.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub week: Option<Date>,
    /// The first of the month.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub month: Option<Date>,
    /// The sums.
    #[serde(flatten)]
    pub measures: Measures,
}

/// The sums of a group of calls.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Measures {
    /// Calls.
    pub calls: Count,
    /// Calls that succeeded.
    pub succeeded: Count,
    /// Calls that failed.
    pub failed: Count,
    /// Calls whose cost is unknown; they are not in `cost_usd`.
    pub unpriced_calls: Count,
    /// Calls whose cost the provider stated.
    pub stated_calls: Count,
    /// Calls whose usage is unknown; they are not in the tokens.
    pub unknown_usage_calls: Count,
    /// Calls whose stream ended before its usage was complete.
    pub partial: Count,
    /// Calls whose answer was cut off.
    pub truncated: Count,
    /// Calls of which it is known whether their answer was cut off.
    pub truncation_known: Count,
    /// The cost of the calls whose cost is known.
    pub cost_usd: Usd,
    /// Tokens by kind and in all.
    #[serde(flatten)]
    pub usage: Usage,
    /// Requests made by server-side tools.
    pub server_tool_calls: Count,
    /// Calls that offered tools.
    pub calls_offering_tools: Count,
    /// Calls whose answer called tools.
    pub calls_calling_tools: Count,
    /// Tools offered, each once a call.
    pub tools_offered: Count,
    /// Times that tools were called.
    pub tools_called: Count,
    /// Input tokens that tool definitions took.
    pub tool_definition_tokens: Count,
    /// Input tokens that tool results took.
    pub tool_result_tokens: Count,
    /// The sum of the known durations.
    pub duration_ms_sum: Count,
    /// Calls with a known duration.
    pub duration_calls: Count,
    /// The mean of the known durations; absent without any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub average_duration_ms: Option<f64>,
    /// The sum of the known times to the first token.
    pub time_to_first_token_ms_sum: Count,
    /// Calls with a known time to the first token.
    pub time_to_first_token_calls: Count,
    /// The mean of the known times to the first token; absent without any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub average_time_to_first_token_ms: Option<f64>,
    /// Calls with an output limit and known usage.
    pub limited_calls: Count,
    /// The sum of their limits.
    pub limit_tokens: Count,
    /// The sum of their output tokens.
    pub limited_output_tokens: Count,
    /// Their output ÷ their limits; absent without any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub utilization: Option<f64>,
}

impl Ledger {
    /// Answers a question about all recorded calls.
    ///
    /// Whole hours and days come from sums that were kept as calls were recorded; what an edge of the range cuts off, and
    /// questions across sessions, tags and tools at once, are summed up call by call. The answer is the same.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`](tokenbook::ErrorCode::InvalidArgument) for an empty range, an unknown time zone, a
    /// range that cuts through pruned calls, or more than a million rows.
    pub fn report(&self, query: &ReportQuery) -> Result<Report> {
        let bounds = range(query.from, query.to)?;
        if query.limit == Some(0) {
            return Err(Error::invalid("limit: expected 1 or more, got 0"));
        }
        let mut calendar = Calendar::new(query.time_zone.as_deref().unwrap_or("UTC"))?;
        let mut days = Calendar::new(self.time_zone())?;
        let question = gather::Question::new(query, bounds);
        self.read(|db, names, head| {
            let gathered = gather::gather(db, names, head, &question, &query.filter, &mut calendar, &mut days)?;
            rows::report(db, names, query, &question, gathered, &mut calendar)
        })
    }
}
