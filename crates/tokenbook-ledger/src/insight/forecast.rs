//! What the next days come to, by agent, by model and in all.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tokenbook::{Count, Date, Error, Result, Timestamp, Usd};

use crate::calendar::{Calendar, date};
use crate::filter::Filter;
use crate::insight::parts::name;
use crate::insight::predict::{Band, FEWEST_DAYS, ForecastMethod, MOST_AHEAD, MOST_DAYS, Prediction, predict};
use crate::ledger::Ledger;
use crate::report::gather::{Question, gather};
use crate::report::rows::usage_of;
use crate::report::{Group, ReportQuery};
use crate::sums::Sum;

/// What is to be foretold.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ForecastQuery {
    /// How many days ahead, 14 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days: Option<Count>,
    /// Which calls.
    pub filter: Filter,
    /// The IANA name of the zone that days are of; UTC if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// The instant of asking: days that are over by then are known, the day of it is the first to be foretold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<Timestamp>,
    /// Money that may be spent from the start of today on: then the answer tells when it is used up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_usd: Option<Usd>,
}

/// What the next days come to.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Forecast {
    /// The first day that is foretold: the day of asking.
    pub first_day: Date,
    /// The last.
    pub last_day: Date,
    /// The zone of its days.
    pub time_zone: String,
    /// All calls of the filter.
    pub total: ForecastOf,
    /// By agent, the most expensive first.
    pub agents: Vec<ForecastOf>,
    /// By model.
    pub models: Vec<ForecastOf>,
    /// When the limit is used up; only where one was given and a cost can be foretold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_up: Option<UsedUp>,
}

/// What one group of calls comes to. Without enough days nothing is foretold, and `basis` says so.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ForecastOf {
    /// The agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What it is made of, in words.
    pub basis: String,
    /// Whole days with and between calls that were known.
    pub days_known: Count,
    /// Calls without a known cost in those days, which the cost leaves out.
    pub unpriced_calls: Count,
    /// The method of the cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_method: Option<ForecastMethod>,
    /// The method of the tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_method: Option<ForecastMethod>,
    /// The cost of all days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<CostBand>,
    /// The tokens of all days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<TokenBand>,
    /// Each day; of all calls only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<ForecastDay>,
}

/// One day to come.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ForecastDay {
    /// The day.
    pub day: Date,
    /// Its cost.
    pub cost_usd: CostBand,
    /// Its tokens.
    pub tokens: TokenBand,
}

/// A cost to come, in millionths of a dollar, with the band that holds with 90 %.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CostBand {
    /// The estimate.
    pub expected: Usd,
    /// The lower edge; absent where too few errors are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low: Option<Usd>,
    /// The upper edge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub high: Option<Usd>,
}

/// Tokens to come with the band that holds with 90 %.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TokenBand {
    /// The estimate.
    pub expected: Count,
    /// The lower edge; absent where too few errors are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low: Option<Count>,
    /// The upper edge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub high: Option<Count>,
}

/// When a limit is used up: on `day`, with 90 % between `earliest` and `latest`. A day that is absent lies beyond what was
/// foretold, or has no band.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UsedUp {
    /// The limit.
    pub limit_usd: Usd,
    /// The day on which it is expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day: Option<Date>,
    /// The first day on which it may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub earliest: Option<Date>,
    /// The day by which it will be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latest: Option<Date>,
}

const MICRO: i128 = 1_000_000;
const USUAL_DAYS: u64 = 14;

/// The days of one group, by number.
#[derive(Default)]
struct Days {
    cost: BTreeMap<i64, i128>,
    tokens: BTreeMap<i64, i128>,
    calls: u128,
    unpriced: u128,
}

impl Ledger {
    /// What the next days come to, by agent, by model and in all.
    ///
    /// Made of the whole days of the last 140; each group by the method that did best on its own past, with bands from the
    /// errors it made there (split conformal, from rolling origins). Below 14 days nothing is foretold.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`](tokenbook::ErrorCode::InvalidArgument) for more than 92 days, or an unknown time zone.
    pub fn forecast(&self, query: &ForecastQuery) -> Result<Forecast> {
        let ahead = usize::try_from(query.days.map_or(USUAL_DAYS, Count::get)).unwrap_or(usize::MAX);
        if !(1..=MOST_AHEAD).contains(&ahead) {
            return Err(Error::invalid(format!("days: expected 1 to {MOST_AHEAD}, got {ahead}")));
        }
        let mut zone = Calendar::new(query.time_zone.as_deref().unwrap_or("UTC"))?;
        let mut own = Calendar::new(self.time_zone())?;
        self.read(|db, names, head| {
            let now = match query.now {
                Some(now) => now.ms(),
                None => crate::report::gather::bounds(db)?.1,
            };
            let today = zone.day_of(now);
            let (from, to) = (zone.day_start(today - days(MOST_DAYS)).max(0), zone.day_start(today).max(1));
            let query_of_days = ReportQuery {
                group_by: vec![Group::Agent, Group::Model, Group::Day],
                from: Timestamp::from_ms(from).ok(),
                to: Timestamp::from_ms(to).ok(),
                ..ReportQuery::default()
            };
            let question = Question::new(&query_of_days, (Some(from), Some(to)));
            let gathered = gather(db, names, head, &question, &query.filter, &mut zone, &mut own)?;
            let cells: BTreeMap<_, _> = gathered.cells.into_iter().collect();
            let (mut all, mut agents, mut models) = (Days::default(), BTreeMap::new(), BTreeMap::new());
            for (cell, sums) in &cells {
                let usage = usage_of(sums)?;
                let tokens = usage.total_input_tokens()?.checked_add(usage.total_output_tokens()?)?;
                let cost = i128::try_from(sums.get(Sum::Cost)).map_err(|_| Error::invalid("the cost is too large"))?;
                let agent: &mut Days = agents.entry(cell.agent).or_default();
                for days in [&mut all, agent, models.entry(cell.model).or_default()] {
                    *days.cost.entry(cell.bucket).or_default() += cost;
                    *days.tokens.entry(cell.bucket).or_default() += i128::from(tokens.get());
                    days.calls += sums.get(Sum::Calls);
                    days.unpriced += sums.get(Sum::Unpriced);
                }
            }
            let (total, cost) = of_days(&all, today, ahead, true)?;
            let used_up = query.limit_usd.zip(cost.as_ref()).map(|(limit, cost)| used_up(limit, cost, today));
            let mut by_agent = Vec::with_capacity(agents.len());
            for (id, days) in &agents {
                by_agent.push(ForecastOf { agent: name(db, names, *id)?, ..of_days(days, today, ahead, false)?.0 });
            }
            let mut by_model = Vec::with_capacity(models.len());
            for (id, days) in &models {
                by_model.push(ForecastOf { model: name(db, names, *id)?, ..of_days(days, today, ahead, false)?.0 });
            }
            for groups in [&mut by_agent, &mut by_model] {
                let key = |group: &ForecastOf| std::cmp::Reverse(group.cost_usd.map(|cost| cost.expected));
                groups.sort_by(|one, two| {
                    key(one).cmp(&key(two)).then_with(|| (&one.agent, &one.model).cmp(&(&two.agent, &two.model)))
                });
            }
            Ok(Forecast {
                first_day: date(today),
                last_day: date(today + days(ahead) - 1),
                time_zone: zone.name().to_owned(),
                total,
                agents: by_agent,
                models: by_model,
                used_up,
            })
        })
    }
}

/// A number of days, of which there are few.
fn days(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A series without gaps, from its first day to yesterday.
pub(crate) fn without_gaps(days: &BTreeMap<i64, i128>, today: i64) -> Vec<i128> {
    let Some(first) = days.keys().next() else { return Vec::new() };
    (*first..today).map(|day| days.get(&day).copied().unwrap_or_default()).collect()
}

fn of_days(days: &Days, today: i64, ahead: usize, with_days: bool) -> Result<(ForecastOf, Option<Prediction>)> {
    let series_of_tokens = without_gaps(&days.tokens, today);
    let known = series_of_tokens.len();
    let has_cost = days.unpriced < days.calls;
    let cost = predict(&without_gaps(&days.cost, today), ahead).filter(|_| has_cost);
    let tokens = predict(&series_of_tokens, ahead);
    let basis = match &tokens {
        None => format!("{known} whole days are known; nothing is foretold below {FEWEST_DAYS}"),
        Some(tokens) => {
            let band = if tokens.cumulative.last().is_some_and(|band| band.low.is_some()) {
                format!("the band of 90 % from {} starts in the past", tokens.origins)
            } else {
                "too few days for a band".to_owned()
            };
            format!("{known} whole days; {band}")
        }
    };
    let mut of = ForecastOf {
        basis,
        days_known: Count::new(known as u64)?,
        unpriced_calls: crate::report::rows::count(days.unpriced)?,
        cost_method: cost.as_ref().map(|cost| cost.method),
        tokens_method: tokens.as_ref().map(|tokens| tokens.method),
        cost_usd: cost.as_ref().and_then(|cost| cost.cumulative.last()).map(cost_band),
        tokens: tokens.as_ref().and_then(|tokens| tokens.cumulative.last()).map(token_band).transpose()?,
        ..ForecastOf::default()
    };
    if let (true, Some(cost), Some(tokens)) = (with_days, &cost, &tokens) {
        for ((day, cost), tokens) in (today..).zip(&cost.daily).zip(&tokens.daily) {
            of.days.push(ForecastDay { day: date(day), cost_usd: cost_band(cost), tokens: token_band(tokens)? });
        }
    }
    Ok((of, cost))
}

fn cost_band(band: &Band) -> CostBand {
    let rounded = |pico: i128| Usd::from_pico((pico + MICRO / 2).div_euclid(MICRO) * MICRO);
    CostBand { expected: rounded(band.expected), low: band.low.map(rounded), high: band.high.map(rounded) }
}

fn token_band(band: &Band) -> Result<TokenBand> {
    let count = |value: i128| crate::report::rows::count(value.unsigned_abs());
    Ok(TokenBand {
        expected: count(band.expected)?,
        low: band.low.map(count).transpose()?,
        high: band.high.map(count).transpose()?,
    })
}

/// The days on which the sums reach a limit.
fn used_up(limit: Usd, cost: &Prediction, today: i64) -> UsedUp {
    let reached = |edge: fn(&Band) -> Option<i128>| {
        let found = (today..).zip(&cost.cumulative).find(|(_, band)| edge(band).is_some_and(|sum| sum >= limit.pico()));
        found.map(|(day, _)| date(day))
    };
    UsedUp {
        limit_usd: limit,
        day: reached(|band| Some(band.expected)),
        earliest: reached(|band| band.high),
        latest: reached(|band| band.low),
    }
}
