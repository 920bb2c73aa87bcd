//! Everything that a dashboard shows of a range, in one answer.

use serde::{Deserialize, Serialize};
use tokenbook::{Catalog, Count, Result, Side, Timestamp, TokenKind, Usage, Usd};

use crate::calendar::Calendar;
use crate::filter::{Filter, range};
use crate::insight::figures::{Figures, figures};
use crate::insight::parts::{ACTION, AGENT, ENDPOINT, GroupShare, MODEL, PROVIDER, parts};
use crate::insight::series::{Reading, Series};
use crate::insight::share::{divided, per_mille};
use crate::insight::tools::{ToolUse, tools};
use crate::ledger::Ledger;
use crate::money::{Amount, Basis, Pricer, whole};
use crate::report::rows::{count, ratio, usage_of};
use crate::spread::{Measure, Spread};
use crate::sums::{Sum, Sums};
use crate::survey::{Gathered, Survey, Wants};

/// Which calls an overview is of.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct OverviewQuery {
    /// Calls made at this instant or later; all before `to` without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Calls made before this instant; all from `from` on without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// Which calls.
    pub filter: Filter,
    /// The IANA name of the zone of hours and days; UTC if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// The instant up to which time has passed, for rates and projections.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<Timestamp>,
}

/// Everything that a dashboard shows of a range. Shares are in tenths of a percent and add up to 1,000; rates are from 0 to
/// 1; what can't be said is absent.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Overview {
    /// From when on; absent when from the first call on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Until when; absent when there is no end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// The zone of its hours and days.
    pub time_zone: String,
    /// All calls of the range and filter.
    pub total: Figures,
    /// How the tokens are made up.
    pub token_shares: TokenShares,
    /// By agent, the most expensive first; so are the other groups.
    pub agents: Vec<GroupShare>,
    /// By action.
    pub actions: Vec<GroupShare>,
    /// By agent and action.
    pub endpoints: Vec<GroupShare>,
    /// By model.
    pub models: Vec<GroupShare>,
    /// By provider.
    pub providers: Vec<GroupShare>,
    /// What tools took.
    pub tool_use: ToolUse,
    /// What caching did.
    pub cache: CacheUse,
    /// How near answers came to their limits.
    pub limits: LimitUse,
    /// How long calls took and how large they were.
    pub sizes: Sizes,
    /// How fast calls came.
    pub pace: Pace,
    /// What the pace comes to, if it stays.
    pub projection: Projection,
    /// Hours and days in a row.
    pub series: Series,
}

/// What the tokens are, in tenths of a percent that add up to 1,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TokenShares {
    /// Input that was read afresh.
    pub fresh_input_per_mille: u32,
    /// Input that was read from a cache.
    pub cache_read_per_mille: u32,
    /// Input that was written to a cache.
    pub cache_write_per_mille: u32,
    /// Output.
    pub output_per_mille: u32,
}

/// What caching did.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CacheUse {
    /// Input tokens that were read from a cache.
    pub read_tokens: Count,
    /// Input tokens that were written to a cache.
    pub write_tokens: Count,
    /// Tokens read from a cache ÷ input tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hit_rate: Option<f64>,
    /// What the calls with cached tokens would have cost more with all of them as fresh input, what writing cost taken off:
    /// negative where caching did not pay. Exact, by the price of each call at its instant.
    pub saved_usd: Usd,
    /// Calls with cached tokens that have no price, which the saving leaves out.
    pub unpriced_calls: Count,
}

/// How near answers came to the `max_tokens` that were sent.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LimitUse {
    /// Calls with a limit and known usage.
    pub calls: Count,
    /// Output ÷ limits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub utilization: Option<f64>,
    /// Calls by utilization, in ten steps of a tenth and one above the limit.
    pub steps: Vec<UtilizationStep>,
    /// Calls above 90 % of their limit.
    pub near_limit_calls: Count,
    /// Calls whose answer was cut off.
    pub truncated: Count,
    /// Those ÷ the calls of which it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truncation_rate: Option<f64>,
    /// The known cost of the calls whose answer was cut off.
    pub truncated_cost_usd: Usd,
}

/// Calls whose utilization lies in one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UtilizationStep {
    /// The step is above this, in percent; the first also holds 0.
    pub above_percent: u32,
    /// Up to this, itself included; absent for the step above the limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub up_to_percent: Option<u32>,
    /// How many calls.
    pub calls: Count,
}

/// How sizes are spread over calls. Values are kept in steps of 1/16: a percentile is within 1/32 (3.2 %) of a value that
/// was seen.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Sizes {
    /// How long calls took.
    pub duration_ms: Percentiles,
    /// How long the first token took.
    pub time_to_first_token_ms: Percentiles,
    /// Input tokens of a call.
    pub input_tokens: Percentiles,
    /// Output tokens of a call.
    pub output_tokens: Percentiles,
}

/// Percentiles by nearest rank; absent without values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Percentiles {
    /// Calls with a known value.
    pub calls: Count,
    /// Half of the calls are not above it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50: Option<Count>,
    /// Nine of ten are not above it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p90: Option<Count>,
    /// Ninety-nine of a hundred are not above it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99: Option<Count>,
}

/// How fast calls came, over the time that was observed: from `from`, or the first call, to `to` or now.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Pace {
    /// The start of the time observed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// How long that is.
    pub observed_ms: Count,
    /// Below this, no rate is told.
    pub minimum_ms: Count,
    /// Calls a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls_per_minute: Option<f64>,
    /// Tokens a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_minute: Option<f64>,
    /// The known cost of an hour, rounded to 1e-12 dollars.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_per_hour_usd: Option<Usd>,
}

/// The known cost of a day, a week and 30 days at the pace observed: each only after a part of that time was observed and
/// with enough calls. `forecast` answers the same from the days' own rhythm.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Projection {
    /// What it is made of, in words.
    pub basis: String,
    /// Of 24 hours, after 1 hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day_usd: Option<Usd>,
    /// Of 7 days, after 1 day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub week_usd: Option<Usd>,
    /// Of 30 days, after 3 days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub month_usd: Option<Usd>,
}

const MS_PER_MINUTE: i64 = 60_000;
const MS_PER_HOUR: i64 = 3_600_000;
const MS_PER_DAY: i64 = 86_400_000;
/// Calls below which nothing is projected.
const ENOUGH_CALLS: u64 = 20;

impl Ledger {
    /// Everything that a dashboard shows of a range.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`](tokenbook::ErrorCode::InvalidArgument) for an empty range, an unknown time zone, or a
    /// range that cuts through pruned calls.
    pub fn overview(&self, query: &OverviewQuery, catalog: &Catalog) -> Result<Overview> {
        let bounds = range(query.from, query.to)?;
        let mut zone = Calendar::new(query.time_zone.as_deref().unwrap_or("UTC"))?;
        let mut days = Calendar::new(self.time_zone())?;
        self.read(|db, names, head| {
            let mut survey = Survey::new(db, names, head, &mut days, &query.filter, bounds)?;
            let wants = Wants { sums: true, tools: true, classes: true, spreads: true, called: false };
            let gathered = survey.gather(wants)?;
            let cache_saving = cache_saving(&mut survey, &gathered, catalog)?;
            let truncated_cost = truncated_cost(&mut survey, &gathered)?;
            let (total, spread) = whole_of(&gathered);
            let figures = figures(&total, Some(&spread))?;
            let pace = pace(query, &figures)?;
            let after_all = spread.instants.map_or(0, |(_, last)| last + 1);
            let now = query.now.map_or(after_all, Timestamp::ms).max(after_all);
            let by = |names: &mut _, by, with_models| parts(db, names, &gathered, by, with_models);
            let agents = by(names, AGENT, true)?;
            let actions = by(names, ACTION, true)?;
            let endpoints = by(names, ENDPOINT, true)?;
            let models = by(names, MODEL, false)?;
            let providers = by(names, PROVIDER, true)?;
            let tool_use = tools(db, names, &gathered, &total)?;
            let mut reading = Reading { db, names, head, zone: &mut zone, days: &mut days };
            let series = reading.series(&query.filter, bounds.0, bounds.1.unwrap_or(now).min(now.max(1)))?;
            Ok(Overview {
                from: query.from,
                to: query.to,
                time_zone: zone.name().to_owned(),
                token_shares: token_shares(&figures.measures.usage),
                agents,
                actions,
                endpoints,
                models,
                providers,
                tool_use,
                cache: cache(&figures.measures.usage, cache_saving)?,
                limits: limits(&total, &spread, truncated_cost)?,
                sizes: sizes(&spread)?,
                projection: projection(&pace, &figures),
                pace,
                series,
                total: figures,
            })
        })
    }
}

/// All sums and spreads as one.
pub(crate) fn whole_of(gathered: &Gathered) -> (Sums, Spread) {
    let mut spread = Spread::default();
    gathered.spreads.values().for_each(|more| spread.add(more));
    (Sums::of_all(gathered.sums.values()), spread)
}

/// The kinds of cached input, and what they are when there is no cache.
const CACHED: [(TokenKind, TokenKind); 10] = [
    (TokenKind::CacheRead, TokenKind::Input),
    (TokenKind::CacheWrite, TokenKind::Input),
    (TokenKind::CacheWrite5m, TokenKind::Input),
    (TokenKind::CacheWrite1h, TokenKind::Input),
    (TokenKind::CacheWrite30m, TokenKind::Input),
    (TokenKind::CacheWrite12h, TokenKind::Input),
    (TokenKind::CacheWrite24h, TokenKind::Input),
    (TokenKind::CacheReadAudio, TokenKind::InputAudio),
    (TokenKind::CacheReadImage, TokenKind::InputImage),
    (TokenKind::CacheReadVideo, TokenKind::InputVideo),
];

const fn is_read(kind: TokenKind) -> bool {
    matches!(
        kind,
        TokenKind::CacheRead | TokenKind::CacheReadAudio | TokenKind::CacheReadImage | TokenKind::CacheReadVideo
    )
}

/// The same usage without a cache.
fn all_fresh(usage: &Usage) -> Result<Usage> {
    let mut fresh = usage.clone();
    for (cached, plain) in CACHED {
        fresh.set(plain, fresh.get(plain).checked_add(fresh.get(cached))?);
        fresh.set(cached, Count::ZERO);
    }
    Ok(fresh)
}

fn cached_tokens(usage: &Usage, read: bool) -> Result<Count> {
    let kinds = CACHED.iter().filter(|(cached, _)| is_read(*cached) == read);
    kinds.map(|(cached, _)| usage.get(*cached)).try_fold(Count::ZERO, Count::checked_add)
}

fn cache_saving(survey: &mut Survey<'_>, gathered: &Gathered, catalog: &Catalog) -> Result<Amount> {
    let mut classes = Vec::new();
    for (key, sums) in &gathered.classes {
        let usage = usage_of(sums)?;
        if !cached_tokens(&usage, true)?.is_zero() || !cached_tokens(&usage, false)?.is_zero() {
            classes.push((key, sums));
        }
    }
    let saved = |price: &dyn Fn(&Usage) -> Result<Option<Usd>>, usage: &Usage| {
        Ok(match (whole(price, &all_fresh(usage)?)?, whole(price, usage)?) {
            (Some(fresh), Some(paid)) => Some(fresh.checked_sub(paid)?),
            _ => None,
        })
    };
    let mut pricer = Pricer::new(catalog, Basis::Own);
    let amounts = pricer.value(survey, classes, &gathered.combos, &saved)?;
    Ok(amounts.values().fold(Amount::default(), |sum, more| Amount {
        pico: sum.pico + more.pico,
        calls: sum.calls + more.calls,
        unpriced: sum.unpriced + more.unpriced,
    }))
}

fn cache(usage: &Usage, saving: Amount) -> Result<CacheUse> {
    let read_tokens = cached_tokens(usage, true)?;
    Ok(CacheUse {
        read_tokens,
        write_tokens: cached_tokens(usage, false)?,
        hit_rate: ratio(read_tokens.get().into(), usage.total_input_tokens()?.get().into()),
        saved_usd: Usd::from_pico(saving.pico),
        unpriced_calls: Count::new(saving.unpriced)?,
    })
}

fn truncated_cost(survey: &mut Survey<'_>, gathered: &Gathered) -> Result<Usd> {
    let mut pico = 0_u128;
    for (key, sums) in &gathered.classes {
        let (db, names) = survey.names();
        if names.class(db, key.class)?.truncated {
            pico += sums.get(Sum::Cost);
        }
    }
    Ok(Usd::from_pico(i128::try_from(pico).unwrap_or(i128::MAX)))
}

fn token_shares(usage: &Usage) -> TokenShares {
    let mut sums = [0_u128; 4];
    for (kind, tokens) in usage.iter() {
        let place = match kind {
            _ if kind.side() == Side::Output => 3,
            _ if is_read(kind) => 1,
            _ if CACHED.iter().any(|(cached, _)| *cached == kind) => 2,
            _ => 0,
        };
        sums[place] += u128::from(tokens.get());
    }
    let shares = per_mille(&sums);
    TokenShares {
        fresh_input_per_mille: shares[0],
        cache_read_per_mille: shares[1],
        cache_write_per_mille: shares[2],
        output_per_mille: shares[3],
    }
}

/// The steps of the utilization with their edges.
pub(crate) fn steps(spread: &Spread) -> Result<Vec<UtilizationStep>> {
    let step = |(above, calls): (u32, u64)| {
        Ok(UtilizationStep {
            above_percent: above,
            up_to_percent: (above < 100).then_some(above + 10),
            calls: Count::new(calls)?,
        })
    };
    (0..).step_by(10).zip(spread.utilization()).map(step).collect()
}

fn limits(total: &Sums, spread: &Spread, truncated_cost_usd: Usd) -> Result<LimitUse> {
    let near: u64 = spread.utilization()[9..].iter().sum();
    Ok(LimitUse {
        calls: count(total.get(Sum::LimitedCalls))?,
        utilization: ratio(total.get(Sum::LimitedOutput), total.get(Sum::LimitTokens)),
        steps: steps(spread)?,
        near_limit_calls: Count::new(near)?,
        truncated: count(total.get(Sum::Truncated))?,
        truncation_rate: ratio(total.get(Sum::Truncated), total.get(Sum::TruncationKnown)),
        truncated_cost_usd,
    })
}

fn sizes(spread: &Spread) -> Result<Sizes> {
    let of = |measure: Measure| -> Result<Percentiles> {
        let at = |per_mille| spread.quantile(measure, per_mille).map(Count::new).transpose();
        Ok(Percentiles { calls: Count::new(spread.count(measure))?, p50: at(500)?, p90: at(900)?, p99: at(990)? })
    };
    Ok(Sizes {
        duration_ms: of(Measure::DurationMs)?,
        time_to_first_token_ms: of(Measure::FirstTokenMs)?,
        input_tokens: of(Measure::InputTokens)?,
        output_tokens: of(Measure::OutputTokens)?,
    })
}

#[expect(clippy::float_arithmetic, clippy::cast_precision_loss, reason = "rates of sums that are exact beside them")]
fn pace(query: &OverviewQuery, figures: &Figures) -> Result<Pace> {
    let from = query.from.or(figures.first_at);
    let now = query.now.or(figures.last_at);
    let to = query.to.into_iter().chain(now).min();
    let observed = from.zip(to).map_or(0, |(from, to)| (to.ms() - from.ms()).max(0));
    let enough = observed >= MS_PER_MINUTE;
    let minutes = observed as f64 / MS_PER_MINUTE as f64;
    let per_minute = |count: Count| enough.then(|| count.get() as f64 / minutes);
    let cost = figures.measures.cost_usd.pico();
    Ok(Pace {
        from,
        to,
        observed_ms: Count::new(observed.unsigned_abs())?,
        minimum_ms: Count::new(MS_PER_MINUTE.unsigned_abs())?,
        calls_per_minute: per_minute(figures.measures.calls),
        tokens_per_minute: per_minute(figures.total_tokens),
        cost_per_hour_usd: enough.then(|| Usd::from_pico(divided(cost * i128::from(MS_PER_HOUR), observed.into()))),
    })
}

fn projection(pace: &Pace, figures: &Figures) -> Projection {
    let calls = figures.measures.calls.get();
    let observed = i64::try_from(pace.observed_ms.get()).unwrap_or(i64::MAX);
    let of = |span: i64, after: i64| {
        let enough = observed >= after && calls >= ENOUGH_CALLS;
        enough.then(|| Usd::from_pico(divided(figures.measures.cost_usd.pico() * i128::from(span), observed.into())))
    };
    let (hours, minutes) = (observed / MS_PER_HOUR, observed % MS_PER_HOUR / MS_PER_MINUTE);
    let missing =
        if calls < ENOUGH_CALLS { format!("; too few: {ENOUGH_CALLS} calls are needed") } else { String::new() };
    Projection {
        basis: format!("{calls} calls in {hours} h {minutes} min{missing}"),
        day_usd: of(MS_PER_DAY, MS_PER_HOUR),
        week_usd: of(7 * MS_PER_DAY, MS_PER_DAY),
        month_usd: of(30 * MS_PER_DAY, 3 * MS_PER_DAY),
    }
}
