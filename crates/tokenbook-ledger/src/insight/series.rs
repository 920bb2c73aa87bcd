//! Hours and days in a row, those without calls included.

use rusqlite::Connection;
use serde::Serialize;
use tokenbook::{Count, Date, Result, Timestamp, Usd};

use crate::calendar::{Calendar, MS_PER_HOUR, Unit};
use crate::filter::Filter;
use crate::report::gather::{Question, gather};
use crate::report::{Group, ReportQuery, rows};
use crate::store::names::Names;
use crate::store::writer::HeadRow;

/// Hours and days in a row up to the end of what is asked about.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Series {
    /// The last 24 hours, or those of the range if it is shorter.
    pub hours: Vec<Bucket>,
    /// The days of the range, the last 400 at most; without a range the last 30.
    pub days: Vec<Bucket>,
}

/// The calls of one hour or day; the hour that is repeated when clocks go back is two.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Bucket {
    /// The instant the hour starts at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hour: Option<Timestamp>,
    /// The day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day: Option<Date>,
    /// Calls.
    pub calls: Count,
    /// Calls that failed.
    pub failed: Count,
    /// Input tokens of all kinds.
    pub input_tokens: Count,
    /// Output tokens of all kinds.
    pub output_tokens: Count,
    /// Calls whose answer was cut off.
    pub truncated: Count,
    /// The known cost.
    pub cost_usd: Usd,
    /// Calls whose cost is unknown.
    pub unpriced_calls: Count,
    /// Output ÷ limits of the calls with both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub utilization: Option<f64>,
}

/// The most days that a series has, and those it has when no range is given.
const MOST_DAYS: i64 = 400;
const USUAL_DAYS: i64 = 30;

/// A reading of the ledger with the zones of the question and of the ledger.
pub(crate) struct Reading<'a> {
    pub(crate) db: &'a Connection,
    pub(crate) names: &'a mut Names,
    pub(crate) head: HeadRow,
    pub(crate) zone: &'a mut Calendar,
    pub(crate) days: &'a mut Calendar,
}

impl Reading<'_> {
    /// The buckets of one unit over a range.
    pub(crate) fn buckets(&mut self, group: Group, filter: &Filter, from: i64, to: i64) -> Result<Vec<Bucket>> {
        if from >= to {
            return Ok(Vec::new());
        }
        let query = ReportQuery {
            group_by: vec![group],
            from: Some(Timestamp::from_ms(from.max(0))?),
            to: Some(Timestamp::from_ms(to)?),
            ..ReportQuery::default()
        };
        let question = Question::new(&query, (Some(from.max(0)), Some(to)));
        let gathered = gather(self.db, self.names, self.head, &question, filter, self.zone, self.days)?;
        let report = rows::report(self.db, self.names, &query, &question, gathered, self.zone)?;
        report
            .rows
            .into_iter()
            .map(|row| {
                Ok(Bucket {
                    hour: row.hour,
                    day: row.day,
                    calls: row.measures.calls,
                    failed: row.measures.failed,
                    input_tokens: row.measures.usage.total_input_tokens()?,
                    output_tokens: row.measures.usage.total_output_tokens()?,
                    truncated: row.measures.truncated,
                    cost_usd: row.measures.cost_usd,
                    unpriced_calls: row.measures.unpriced_calls,
                    utilization: row.measures.utilization,
                })
            })
            .collect()
    }

    /// The hours and days up to `to`.
    pub(crate) fn series(&mut self, filter: &Filter, from: Option<i64>, to: i64) -> Result<Series> {
        let after = |edge: i64| from.map_or(edge, |from| from.max(edge));
        let last_hour = self.zone.bucket_of(Unit::Hour, to - 1);
        let hours = self.buckets(Group::Hour, filter, after(last_hour - 23 * MS_PER_HOUR), to)?;
        let most = if from.is_some() { MOST_DAYS } else { USUAL_DAYS };
        let last_day = self.zone.day_of(to - 1);
        let first = self.zone.day_start(last_day - most + 1);
        // A day that is begun is read whole where nothing ends it: it then comes from its sums.
        let days = self.buckets(Group::Day, filter, after(first), to)?;
        Ok(Series { hours, days })
    }
}
