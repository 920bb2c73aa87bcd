//! Judges the rules on the ledger's sums.

use std::collections::BTreeMap;

use tokenbook::{Count, Result, Timestamp};

use crate::alert::numeric::{rounded, wilson_lower};
use crate::alert::spike::{SpikeLimits, UNLIKELY, judge_hour};
use crate::alert::{Alert, AlertKind, AlertRule, ToolHours};
use crate::budget::{BudgetStatus, Context, Counters, Period};
use crate::calendar::{Calendar, MS_PER_HOUR};
use crate::insight::{MOST_DAYS, predict, without_gaps};
use crate::report::{Group, ReportQuery, gather, gather::Question};
use crate::store::row::facts_after;
use crate::store::sqlite;
use crate::sums::{KINDS, Sum, Sums};

/// What a rule says of one subject that it is not done with.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) rule: String,
    subject: Option<String>,
    /// The level in percent, where a rule has several.
    pub(crate) level: i64,
    /// The start of the period, where a new one is a new spell.
    pub(crate) period: i64,
    pub(crate) verdict: Verdict,
}

/// Whether a spell starts, or only goes on.
#[derive(Debug)]
pub(crate) enum Verdict {
    Fires(Box<Alert>),
    /// Too little to fire, too much to end.
    Lasts,
}

impl Finding {
    pub(crate) fn subject(&self) -> &str {
        self.subject.as_deref().unwrap_or_default()
    }
}

/// A share of something, and of how many calls it is.
#[derive(Debug, Clone, Copy)]
struct Ratio {
    part: u128,
    whole: u128,
    calls: u128,
}

/// The sums of a window by agent and outcome.
type Cells = BTreeMap<(i64, bool), Sums>;

pub(crate) fn judge(context: &mut Context<'_>, rules: &[AlertRule], now: Timestamp) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let mut windows: Vec<(&AlertRule, Cells)> = Vec::new();
    for rule in rules.iter().filter(|rule| !rule.disabled) {
        match rule.kind {
            AlertKind::ToolSpike => spikes(context, rule, now, &mut findings)?,
            AlertKind::Budget => budgets(context, rule, now, &mut findings)?,
            AlertKind::Forecast => forecasts(context, rule, now, &mut findings)?,
            _ => {
                let same = |other: &AlertRule| other.scope == rule.scope && other.window_minutes == rule.window_minutes;
                if !windows.iter().any(|(other, _)| same(other)) {
                    windows.push((rule, window(context, rule, now)?));
                }
                let cells = windows.iter().find(|(other, _)| same(other)).map(|(_, cells)| cells);
                shares(context, rule, cells.expect("pushed above"), now, &mut findings)?;
            }
        }
    }
    Ok(findings)
}

/// The sums of whole hours up to the one that runs, so that no call is read.
fn window(context: &mut Context<'_>, rule: &AlertRule, now: Timestamp) -> Result<Cells> {
    let hour = now.ms().div_euclid(MS_PER_HOUR);
    let hours = i64::try_from(rule.window_minutes.map_or(1_440, Count::get).div_ceil(60)).unwrap_or(24);
    let bounds = (Some((hour + 1 - hours).max(0) * MS_PER_HOUR), Some((hour + 1) * MS_PER_HOUR));
    let query = ReportQuery { group_by: vec![Group::Agent, Group::Outcome], ..ReportQuery::default() };
    let question = Question::new(&query, bounds);
    let mut utc = Calendar::new("UTC")?;
    let Context { db, names, head, days } = context;
    let found = gather::gather(db, names, *head, &question, &rule.scope.filter(), &mut utc, days)?;
    Ok(found.cells.into_iter().map(|(cell, sums)| ((cell.agent, cell.failed), sums)).collect())
}

fn tokens(sums: &Sums) -> u128 {
    (0..KINDS.len()).map(|kind| sums.kind(kind)).fold(0, u128::saturating_add)
}

fn shares(
    context: &mut Context<'_>,
    rule: &AlertRule,
    cells: &Cells,
    now: Timestamp,
    findings: &mut Vec<Finding>,
) -> Result<()> {
    let mut all = Sums::default();
    let mut good = Sums::default();
    for ((_, failed), sums) in cells {
        all.add(sums);
        if !failed {
            good.add(sums);
        }
    }
    let calls = all.get(Sum::Calls);
    let (what, ratio) = match rule.kind {
        AlertKind::ToolUse => {
            ("of all calls call tools", Ratio { part: all.get(Sum::CallingCalls), whole: calls, calls })
        }
        AlertKind::ToolOverhead => {
            let part = all.get(Sum::DefinitionTokens) + all.get(Sum::ResultTokens);
            ("of all tokens are definitions and results of tools", Ratio { part, whole: tokens(&all), calls })
        }
        AlertKind::Utilization => {
            let (part, whole) = (all.get(Sum::LimitedOutput), all.get(Sum::LimitTokens));
            ("of the output limits are used up", Ratio { part, whole, calls: all.get(Sum::LimitedCalls) })
        }
        AlertKind::Truncation => {
            let whole = all.get(Sum::TruncationKnown);
            ("of all answers are cut off", Ratio { part: all.get(Sum::Truncated), whole, calls: whole })
        }
        AlertKind::Unpriced => {
            let whole = good.get(Sum::Calls);
            ("of all calls have no known cost", Ratio { part: good.get(Sum::Unpriced), whole, calls: whole })
        }
        AlertKind::ErrorRate => ("of all calls fail", Ratio { part: all.get(Sum::Failed), whole: calls, calls }),
        _ => return agents(context, rule, cells, &all, now, findings),
    };
    findings.extend(share(rule, None, what, ratio, now)?);
    Ok(())
}

fn agents(
    context: &mut Context<'_>,
    rule: &AlertRule,
    cells: &Cells,
    all: &Sums,
    now: Timestamp,
    findings: &mut Vec<Finding>,
) -> Result<()> {
    let mut by_agent = BTreeMap::<i64, u128>::new();
    for ((agent, _), sums) in cells {
        *by_agent.entry(*agent).or_default() += tokens(sums);
    }
    // One agent alone has all tokens: that is no news.
    if by_agent.values().filter(|tokens| **tokens > 0).count() < 2 {
        return Ok(());
    }
    for (agent, part) in by_agent {
        let Some(name) = context.names.name(context.db, agent)? else { continue };
        let ratio = Ratio { part, whole: tokens(all), calls: all.get(Sum::Calls) };
        findings.extend(share(rule, Some(&name), "of all tokens are those of one agent", ratio, now)?);
    }
    Ok(())
}

/// Judges a share: it fires where even the low end of its interval is above the level, and lasts while it is itself above
/// the lower one.
fn share(rule: &AlertRule, subject: Option<&str>, what: &str, ratio: Ratio, now: Timestamp) -> Result<Option<Finding>> {
    let fire = rule.fire_percent.first().map_or(100, |level| u128::from(level.get()));
    let clear = rule.clear_percent.map_or(0, |level| u128::from(level.get()));
    let Ratio { part, whole, calls } = ratio;
    if whole == 0 || part.saturating_mul(100) < whole.saturating_mul(clear) {
        return Ok(None);
    }
    let enough = calls >= rule.min_calls.map_or(0, |least| u128::from(least.get()));
    let (value, low, level) = interval(part, whole, calls, fire);
    let verdict = if enough && low >= level {
        let permille = part.saturating_mul(1_000) / whole;
        let of = subject.map(|subject| format!(" ({subject})")).unwrap_or_default();
        let hours = rule.window_minutes.map_or(24, |minutes| minutes.get().div_ceil(60));
        let message = format!(
            "{}.{} % {what}{of}, over {hours} h and {calls} calls; it fires at {fire} %",
            permille / 10,
            permille % 10
        );
        Verdict::Fires(Box::new(event(rule, subject, message, value, level, calls, now)?))
    } else {
        Verdict::Lasts
    };
    Ok(Some(Finding { rule: rule.name.clone(), subject: subject.map(str::to_owned), level: 0, period: 0, verdict }))
}

#[expect(clippy::float_arithmetic, clippy::cast_precision_loss, reason = "a share and its interval, rounded")]
fn interval(part: u128, whole: u128, calls: u128, fire_percent: u128) -> (f64, f64, f64) {
    let value = part as f64 / whole as f64;
    (rounded(value), rounded(wilson_lower(value.min(1.0), calls as f64)), fire_percent as f64 / 100.0)
}

fn event(
    rule: &AlertRule,
    subject: Option<&str>,
    message: String,
    value: f64,
    fires_at: f64,
    calls: u128,
    now: Timestamp,
) -> Result<Alert> {
    Ok(Alert {
        id: Count::ZERO,
        rule: rule.name.clone(),
        kind: rule.kind,
        subject: subject.map(str::to_owned),
        message,
        value,
        fires_at,
        calls: Count::new(u64::try_from(calls).unwrap_or(u64::MAX).min(Count::MAX.get()))?,
        started_at: now,
        ended_at: None,
        silenced: false,
    })
}

/// How often tools were called by the calls that are not folded yet.
fn unfolded(context: &mut Context<'_>) -> Result<ToolHours> {
    let mut hours = ToolHours::default();
    facts_after(context.db, context.names, context.head.folded, |call| hours.add(call.at, &call.tools))?;
    Ok(hours)
}

fn spikes(context: &mut Context<'_>, rule: &AlertRule, now: Timestamp, findings: &mut Vec<Finding>) -> Result<()> {
    let db = context.db;
    let now_hour = now.ms().div_euclid(MS_PER_HOUR);
    let oldest = now_hour - 4 * 168 - 2;
    let limit = |given: Option<Count>, otherwise| given.map_or(otherwise, Count::get);
    let limits = SpikeLimits { more_percent: limit(rule.min_more_percent, 50), more: limit(rule.min_more, 4) };
    let mut next = db.prepare_cached("SELECT min(tool) FROM tool_hour WHERE tool > ?1").map_err(sqlite)?;
    let mut first = db.prepare_cached("SELECT min(hour), max(hour) FROM tool_hour WHERE tool = ?1").map_err(sqlite)?;
    let mut hours = db
        .prepare_cached("SELECT hour, calls FROM tool_hour WHERE tool = ?1 AND hour >= ?2 AND hour <= ?3")
        .map_err(sqlite)?;
    let unfolded = unfolded(context)?;
    let mut tool = 0;
    loop {
        let folded: Option<i64> = next.query_row([tool], |row| row.get(0)).map_err(sqlite)?;
        let Some(found) = folded.into_iter().chain(unfolded.next(tool)).min() else { break };
        tool = found;
        let (start, end): (Option<i64>, Option<i64>) =
            first.query_row([tool], |row| Ok((row.get(0)?, row.get(1)?))).map_err(sqlite)?;
        let mut more = unfolded.of(tool).map(|(hour, _)| hour);
        let end = end.into_iter().chain(more.next_back()).max();
        let start = start.into_iter().chain(unfolded.of(tool).map(|(hour, _)| hour).next()).min();
        let Some((start, _)) = start.zip(end.filter(|end| *end >= now_hour - 1)) else { continue };
        let start = start.max(oldest);
        let length = usize::try_from(now_hour - start + 1).unwrap_or(0);
        let mut counts = vec![0_u64; length];
        let mut rows = hours.query((tool, start, now_hour)).map_err(sqlite)?;
        while let Some(row) = rows.next().map_err(sqlite)? {
            let (hour, calls): (i64, i64) = (row.get(0).map_err(sqlite)?, row.get(1).map_err(sqlite)?);
            if let Some(count) = usize::try_from(hour - start).ok().and_then(|at| counts.get_mut(at)) {
                *count = calls.unsigned_abs();
            }
        }
        for (hour, calls) in unfolded.of(tool) {
            if let Some(count) = usize::try_from(hour - start).ok().and_then(|at| counts.get_mut(at)) {
                *count += calls;
            }
        }
        // The hour that runs can only grow: what is too much already need not wait for its end.
        let judged = [&counts[..], &counts[..counts.len().saturating_sub(1)]];
        let fired = judged.into_iter().find_map(|hours| {
            judge_hour(hours, limits).filter(|spike| spike.fires).map(|spike| (hours[hours.len() - 1], spike))
        });
        let (Some((calls, spike)), Some(name)) = (fired, context.names.name(db, tool)?) else { continue };
        let message = format!(
            "the tool {name:?} was called {calls} times in an hour, where {} are usual (so many by chance: {:e})",
            spike.usual, spike.probability
        );
        let alert = event(rule, Some(&name), message, spike.probability, UNLIKELY, calls.into(), now)?;
        findings.push(Finding {
            rule: rule.name.clone(),
            subject: Some(name.as_ref().to_owned()),
            level: 0,
            period: 0,
            verdict: Verdict::Fires(Box::new(alert)),
        });
    }
    Ok(())
}

fn budgets(context: &mut Context<'_>, rule: &AlertRule, now: Timestamp, findings: &mut Vec<Finding>) -> Result<()> {
    let mut counters = Counters::default();
    counters.refresh(context.db)?;
    let slack = rule.fire_percent.first().zip(rule.clear_percent).map_or(0, |(fire, clear)| fire.get() - clear.get());
    for status in counters.standing(context, now.ms())? {
        let (limit, spent) = status.limit_and_spent();
        for level in &rule.fire_percent {
            let level = i128::from(level.get());
            let used = spent.saturating_mul(100);
            if used < limit.saturating_mul(level - i128::from(slack)) || (spent == 0 && limit == 0) {
                continue;
            }
            let verdict = if used >= limit.saturating_mul(level) {
                let message = format!("the budget {:?} is spent to {level} %: {}", status.name, status.sentence());
                let share = status.share.unwrap_or(1.0);
                let (_, _, fires_at) = interval(0, 1, 1, u128::try_from(level).unwrap_or(0));
                Verdict::Fires(Box::new(event(rule, Some(&status.name), message, share, fires_at, 0, now)?))
            } else {
                Verdict::Lasts
            };
            findings.push(Finding {
                rule: rule.name.clone(),
                subject: Some(status.name.clone()),
                level: i64::try_from(level).unwrap_or(i64::MAX),
                period: status.period_start.map_or(0, Timestamp::ms),
                verdict,
            });
        }
    }
    Ok(())
}

/// What the forecast of each budget says: whether its period will end above its limit.
fn forecasts(context: &mut Context<'_>, rule: &AlertRule, now: Timestamp, findings: &mut Vec<Finding>) -> Result<()> {
    let mut counters = Counters::default();
    counters.refresh(context.db)?;
    let fire = rule.fire_percent.first().map_or(100, |fire| i128::from(fire.get()));
    let clear = rule.clear_percent.map_or(fire, |clear| i128::from(clear.get()));
    for status in counters.standing(context, now.ms())? {
        let Some(expected) = expected_at_end(context, &status, now)? else { continue };
        let (limit, _) = status.limit_and_spent();
        let expected_percent = expected.saturating_mul(100);
        if limit <= 0 || expected_percent < limit.saturating_mul(clear) {
            continue;
        }
        let verdict = if expected_percent >= limit.saturating_mul(fire) {
            let percent = expected_percent / limit;
            let message = format!(
                "the budget {:?} is heading for {percent} % by the end of its period: {} so far",
                status.name,
                status.sentence()
            );
            let (share, _, fires_at) = interval(
                u128::try_from(expected).unwrap_or(0),
                u128::try_from(limit).unwrap_or(1),
                1,
                u128::try_from(fire).unwrap_or(0),
            );
            Verdict::Fires(Box::new(event(rule, Some(&status.name), message, share, fires_at, 0, now)?))
        } else {
            Verdict::Lasts
        };
        findings.push(Finding {
            rule: rule.name.clone(),
            subject: Some(status.name.clone()),
            level: i64::try_from(fire).unwrap_or(i64::MAX),
            period: status.period_start.map_or(0, Timestamp::ms),
            verdict,
        });
    }
    Ok(())
}

/// What a budget of days, weeks or months will have counted when its period ends; none where too little is known.
fn expected_at_end(context: &mut Context<'_>, status: &BudgetStatus, now: Timestamp) -> Result<Option<i128>> {
    let (Some(start), Some(end)) = (status.period_start, status.period_end) else { return Ok(None) };
    if !matches!(status.period, Period::Day | Period::Week | Period::Month) {
        return Ok(None);
    }
    let mut zone = Calendar::new(&status.time_zone)?;
    let today = zone.day_of(now.ms());
    let Ok(ahead) = usize::try_from(zone.day_of(end.ms() - 1) + 1 - today) else { return Ok(None) };
    let oldest = today - i64::try_from(MOST_DAYS).unwrap_or(i64::MAX);
    let bounds = (Some(zone.day_start(oldest).max(0)), Some(zone.day_start(today).max(1)));
    let query = ReportQuery { group_by: vec![Group::Day], ..ReportQuery::default() };
    let Context { db, names, head, days } = context;
    let filter = status.scope.filter();
    let found = gather::gather(db, names, *head, &Question::new(&query, bounds), &filter, &mut zone, days)?;
    let mut daily = BTreeMap::<i64, i128>::new();
    #[expect(clippy::iter_over_hash_type, reason = "a sum is the same in any order")]
    for (cell, sums) in &found.cells {
        let counted = if status.limit_usd.is_some() { sums.get(Sum::Cost) } else { tokens(sums) };
        let day = daily.entry(cell.bucket).or_default();
        *day = day.saturating_add(i128::try_from(counted).unwrap_or(i128::MAX));
    }
    let Some(prediction) = predict(&without_gaps(&daily, today), ahead) else { return Ok(None) };
    let before: i128 = daily.range(zone.day_of(start.ms())..).map(|(_, counted)| counted).sum();
    let (_, spent) = status.limit_and_spent();
    Ok(prediction.cumulative.last().map(|band| before.saturating_add(band.expected).max(spent)))
}
