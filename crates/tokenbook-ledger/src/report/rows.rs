//! Turns gathered sums into the rows of a report.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;
use tokenbook::{Count, Error, ErrorCode, Result, Timestamp, Usage, Usd};

use crate::calendar::{Calendar, Unit, date};
use crate::record::Outcome;
use crate::report::gather::{Cell, Gathered, Question};
use crate::report::{Group, Measures, Order, Report, ReportQuery, Row};
use crate::store::names::Names;
use crate::sums::{KINDS, Sum, Sums};

/// Most rows of a report, empty ones included.
const MAX_ROWS: usize = 1_000_000;

pub(crate) fn report(
    db: &Connection,
    names: &mut Names,
    query: &ReportQuery,
    question: &Question,
    gathered: Gathered,
    calendar: &mut Calendar,
) -> Result<Report> {
    let mut cells: BTreeMap<Cell, Sums> = gathered.cells.into_iter().collect();
    if let Some(unit) = question.unit {
        fill(&mut cells, question, unit, calendar)?;
    }
    if question.has(Group::Week)
        && question.has(Group::Month)
        && !question.has(Group::Day)
        && !question.has(Group::Hour)
    {
        cells = join_days(cells);
    }
    if question.groups.is_empty() {
        cells.clear();
    }
    if cells.len() > MAX_ROWS {
        return Err(Error::invalid(format!("the report would have {} rows; ask for a shorter range", cells.len())));
    }
    let by_key = question.unit.is_some();
    let order = query.order.unwrap_or(if by_key { Order::Key } else { Order::Cost });
    let mut rows = Vec::with_capacity(cells.len());
    for (cell, sums) in &cells {
        let mut row = row(db, names, question, cell, calendar)?;
        row.measures = measures(sums)?;
        rows.push(row);
    }
    sort(&mut rows, order);
    let keep = query.limit.unwrap_or(usize::MAX).min(rows.len());
    let rows_left_out = rows.len() - keep + gathered.left_out;
    rows.truncate(keep);
    Ok(Report {
        rows,
        total: measures(&gathered.total)?,
        overlapping: gathered.overlapping,
        rows_left_out,
        group_by: question.groups.clone(),
        from: query.from,
        to: query.to,
        time_zone: calendar.name().to_owned(),
    })
}

/// Adds the buckets without calls: from the range's start to its end, or from the first call to the last.
fn fill(cells: &mut BTreeMap<Cell, Sums>, question: &Question, unit: Unit, calendar: &mut Calendar) -> Result<()> {
    let seen = |edge: Option<&Cell>| edge.map(|cell| cell.bucket);
    let first = match question.from {
        Some(from) => Some(calendar.bucket_of(unit, from)),
        None => seen(cells.keys().next()),
    };
    let last = match question.to {
        Some(to) => Some(calendar.bucket_of(unit, to - 1)),
        None => seen(cells.keys().next_back()),
    };
    let (Some(first), Some(last)) = (first, last) else { return Ok(()) };
    let mut others: BTreeSet<Cell> = cells.keys().map(|cell| Cell { bucket: 0, ..*cell }).collect();
    if others.is_empty() && question.groups.iter().all(|group| group.unit().is_some()) {
        others.insert(Cell::default());
    }
    let mut bucket = first;
    let mut rows = 0;
    while bucket <= last {
        rows += others.len();
        if rows > MAX_ROWS {
            return Err(Error::invalid(format!(
                "the report would have more than {MAX_ROWS} rows; ask for a shorter range"
            )));
        }
        for other in &others {
            cells.entry(Cell { bucket, ..*other }).or_default();
        }
        bucket = calendar.next(unit, bucket);
    }
    Ok(())
}

fn row(db: &Connection, names: &mut Names, question: &Question, cell: &Cell, calendar: &mut Calendar) -> Result<Row> {
    let mut row = Row::default();
    for group in &question.groups {
        let mut name =
            |id: i64| -> Result<Option<String>> { Ok(names.name(db, id)?.map(|name| name.as_ref().to_owned())) };
        match group {
            Group::Agent => row.agent = name(cell.agent)?,
            Group::Action => row.action = name(cell.action)?,
            Group::Model => row.model = name(cell.model)?,
            Group::Provider => row.provider = name(cell.provider)?,
            Group::Tool => row.tool = name(cell.tool)?,
            Group::Session => row.session = name(cell.session)?,
            Group::Tag => row.tag = name(cell.tag)?,
            Group::Outcome => row.outcome = Some(if cell.failed { Outcome::Error } else { Outcome::Success }),
            Group::Hour => row.hour = Timestamp::from_ms(cell.bucket.max(0)).ok(),
            Group::Day | Group::Week | Group::Month => {
                let unit = group.unit().expect("a group of time");
                let day = if question.unit == Some(Unit::Hour) { calendar.day_of(cell.bucket) } else { cell.bucket };
                let date = Some(date(Calendar::first_day(unit, day)));
                match unit {
                    Unit::Week => row.week = date,
                    Unit::Month => row.month = date,
                    _ => row.day = date,
                }
            }
        }
    }
    Ok(row)
}

/// Joins days that lie in the same week and the same month, when a report is by both but not by day.
fn join_days(cells: BTreeMap<Cell, Sums>) -> BTreeMap<Cell, Sums> {
    let mut joined: BTreeMap<Cell, Sums> = BTreeMap::new();
    for (cell, sums) in cells {
        let later = |unit| Calendar::first_day(unit, cell.bucket);
        let bucket = later(Unit::Week).max(later(Unit::Month));
        joined.entry(Cell { bucket, ..cell }).or_default().add(&sums);
    }
    joined
}

type Key<'a> = (
    (Option<Timestamp>, Option<tokenbook::Date>, Option<tokenbook::Date>, Option<tokenbook::Date>),
    [Option<&'a str>; 7],
    Option<Outcome>,
);

fn key(row: &Row) -> Key<'_> {
    let names = [&row.agent, &row.action, &row.model, &row.provider, &row.tool, &row.session, &row.tag];
    ((row.hour, row.month, row.week, row.day), names.map(|name| name.as_deref()), row.outcome)
}

fn sort(rows: &mut [Row], order: Order) {
    rows.sort_by(|one, two| key(one).cmp(&key(two)));
    let tokens = |row: &Row| {
        let side = |count: Result<Count>| count.map_or(0, Count::get);
        side(row.measures.usage.total_input_tokens()) + side(row.measures.usage.total_output_tokens())
    };
    // Stable: equal amounts stay in the order of their keys.
    match order {
        Order::Key => {}
        Order::Cost => rows.sort_by_key(|row| Reverse(row.measures.cost_usd)),
        Order::Calls => rows.sort_by_key(|row| Reverse(row.measures.calls)),
        Order::Tokens => rows.sort_by_key(|row| Reverse(tokens(row))),
    }
}

/// A sum as a count.
pub(crate) fn count(value: u128) -> Result<Count> {
    u64::try_from(value).ok().and_then(|value| Count::new(value).ok()).ok_or_else(|| {
        Error::new(
            ErrorCode::InvalidArgument,
            format!("a sum of {value} is above {}; ask for a shorter range", Count::MAX),
        )
    })
}

/// The tokens of sums, by kind.
pub(crate) fn usage_of(sums: &Sums) -> Result<Usage> {
    let mut usage = Usage::new();
    for (index, kind) in KINDS.into_iter().enumerate() {
        usage.set(kind, count(sums.kind(index))?);
    }
    usage.total_input_tokens().and(usage.total_output_tokens())?;
    Ok(usage)
}

/// Sums as they are shown.
///
/// # Errors
///
/// [`ErrorCode::InvalidArgument`] when one is too large to be held exactly in every language.
pub(crate) fn measures(sums: &Sums) -> Result<Measures> {
    let sum = |sum: Sum| count(sums.get(sum));
    let usage = usage_of(sums)?;
    let (calls, failed) = (sum(Sum::Calls)?, sum(Sum::Failed)?);
    let cost = i128::try_from(sums.get(Sum::Cost)).map_err(|_| Error::invalid("the cost is too large"))?;
    Ok(Measures {
        calls,
        succeeded: calls.checked_sub(failed)?,
        failed,
        unpriced_calls: sum(Sum::Unpriced)?,
        stated_calls: sum(Sum::Stated)?,
        unknown_usage_calls: sum(Sum::UnknownUsage)?,
        partial: sum(Sum::Partial)?,
        truncated: sum(Sum::Truncated)?,
        truncation_known: sum(Sum::TruncationKnown)?,
        cost_usd: Usd::from_pico(cost),
        usage,
        server_tool_calls: sum(Sum::ServerToolRequests)?,
        calls_offering_tools: sum(Sum::OfferingCalls)?,
        calls_calling_tools: sum(Sum::CallingCalls)?,
        tools_offered: sum(Sum::ToolsOffered)?,
        tools_called: sum(Sum::ToolsCalled)?,
        tool_definition_tokens: sum(Sum::DefinitionTokens)?,
        tool_result_tokens: sum(Sum::ResultTokens)?,
        duration_ms_sum: sum(Sum::DurationMs)?,
        duration_calls: sum(Sum::DurationCalls)?,
        average_duration_ms: ratio(sums.get(Sum::DurationMs), sums.get(Sum::DurationCalls)),
        time_to_first_token_ms_sum: sum(Sum::FirstTokenMs)?,
        time_to_first_token_calls: sum(Sum::FirstTokenCalls)?,
        average_time_to_first_token_ms: ratio(sums.get(Sum::FirstTokenMs), sums.get(Sum::FirstTokenCalls)),
        limited_calls: sum(Sum::LimitedCalls)?,
        limit_tokens: sum(Sum::LimitTokens)?,
        limited_output_tokens: sum(Sum::LimitedOutput)?,
        utilization: ratio(sums.get(Sum::LimitedOutput), sums.get(Sum::LimitTokens)),
    })
}

#[expect(clippy::float_arithmetic, clippy::cast_precision_loss, reason = "a ratio, of sums that are exact beside it")]
pub(crate) fn ratio(part: u128, whole: u128) -> Option<f64> {
    (whole != 0).then(|| part as f64 / whole as f64)
}
