//! Price rows: rates with the dates and conditions under which they hold.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use super::rate::{KINDS, Multiplier, Rates, Table, Text};
use super::window::Window;
use crate::error::{Error, Result};
use crate::money::Usd;
use crate::time::{Date, Timestamp};
use crate::usage::{TokenKind, Usage};

/// A row as it stands in a catalog file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    #[serde(default)]
    from: Option<Instant>,
    #[serde(default)]
    until: Option<Instant>,
    #[serde(default)]
    service_tier: Option<String>,
    #[serde(default)]
    batch: bool,
    #[serde(default)]
    region: Option<String>,
    #[serde(default)]
    window: Option<Window>,
    rates: Rates,
    #[serde(default)]
    above: Vec<WrittenAbove>,
    #[serde(default)]
    tiering: Tiering,
    #[serde(default)]
    per_call: Option<Text>,
    #[serde(default)]
    per_request: BTreeMap<String, Text>,
    #[serde(default)]
    regions: BTreeMap<String, Multiplier>,
    #[serde(default)]
    source: Option<String>,
    #[serde(default)]
    checked: Option<Date>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenAbove {
    tokens: u64,
    #[serde(default)]
    inclusive: bool,
    #[serde(default)]
    counts: Counts,
    rates: Rates,
}

/// What a context threshold is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counts {
    /// All input, cached tokens included: the rule of Anthropic, OpenAI, Google and xAI.
    #[default]
    TotalInput,
    /// Input that was read afresh.
    FreshInput,
}

/// How rates change at a context threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tiering {
    /// Above the threshold every token of the call costs the higher rate: the rule of every provider in the catalog.
    #[default]
    Cliff,
    /// Each kind's tokens up to the threshold cost the lower rate and only those beyond it the higher: contracts.
    Progressive,
}

/// An instant written as a day (its start in UTC) or in RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Instant(pub(super) Timestamp);

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let instant = if text.len() == 10 { text.parse::<Date>().map(Date::start) } else { text.parse() };
        instant.map(Self).map_err(|error| serde::de::Error::custom(error.message()))
    }
}

/// A price row: rates, and when they hold.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) from: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
    pub(super) service_tier: Option<Box<str>>,
    pub(super) batch: bool,
    pub(super) region: Option<Box<str>>,
    pub(super) window: Option<Window>,
    pub(super) base: Level,
    /// Levels above a context threshold, lowest threshold first.
    pub(super) above: Box<[Above]>,
    pub(super) tiering: Tiering,
    /// Price of the call itself, beside its tokens.
    pub(super) per_call: Option<Usd>,
    /// Price of one request, by the server-side tool's name.
    pub(super) per_request: BTreeMap<String, Usd>,
    pub(super) regions: BTreeMap<String, Multiplier>,
    pub(super) source: Option<Box<str>>,
    pub(super) checked: Option<Date>,
}

/// The rates of one context level.
#[derive(Debug)]
pub(super) struct Level {
    pub(super) rates: Rates,
    pub(super) table: Table,
}

impl Level {
    fn new(rates: Rates) -> Self {
        Self { table: Table::new(&rates), rates }
    }
}

/// The rates above a context threshold.
#[derive(Debug)]
pub(super) struct Above {
    /// The level applies when more tokens than this are counted.
    pub(super) over: u64,
    pub(super) inclusive: bool,
    pub(super) counts: Counts,
    pub(super) level: Level,
}

impl Above {
    /// The threshold as the provider words it: `over` + 1 where it is inclusive.
    pub(super) const fn threshold(&self) -> u64 {
        if self.inclusive { self.over + 1 } else { self.over }
    }
}

impl Row {
    pub(super) fn new(written: Written) -> Result<Self> {
        if written.rates.is_empty() && written.per_request.is_empty() && written.per_call.is_none() {
            return Err(Error::invalid("a price row states no rate"));
        }
        if let (Some(from), Some(until)) = (written.from, written.until)
            && from >= until
        {
            return Err(Error::invalid("a price row ends before it begins"));
        }
        let mut above: Vec<Above> = Vec::with_capacity(written.above.len());
        for step in written.above {
            let over = if step.inclusive { step.tokens.saturating_sub(1) } else { step.tokens };
            let below = above.last().map_or(&written.rates, |step| &step.level.rates);
            if above.last().is_some_and(|last| last.over >= over) {
                return Err(Error::invalid("the context thresholds of a price row do not rise"));
            }
            let level = Level::new(below.overlaid(&step.rates));
            above.push(Above { over, inclusive: step.inclusive, counts: step.counts, level });
        }
        let per_call = written.per_call.map(|text| fee(&text, "a call")).transpose()?;
        let mut per_request = BTreeMap::new();
        for (tool, text) in written.per_request {
            let price = fee(&text, &tool)?;
            per_request.insert(tool, price);
        }
        for multiplier in written.regions.values() {
            for rates in std::iter::once(&written.rates).chain(above.iter().map(|step| &step.level.rates)) {
                for (_, rate) in rates.iter() {
                    rate.times(*multiplier)?;
                }
            }
        }
        Ok(Self {
            from: written.from.map(|instant| instant.0),
            until: written.until.map(|instant| instant.0),
            service_tier: written.service_tier.map(Into::into),
            batch: written.batch,
            region: written.region.map(Into::into),
            window: written.window,
            base: Level::new(written.rates),
            above: above.into(),
            tiering: written.tiering,
            per_call,
            per_request,
            regions: written.regions,
            source: written.source.map(Into::into),
            checked: written.checked,
        })
    }

    /// Whether the dates let the row apply at an instant.
    pub(super) fn dated(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at < until)
    }

    /// The context level that applies to a call.
    pub(super) fn level(&self, usage: &Usage) -> Result<(&Level, Option<&Above>)> {
        let mut found = (&self.base, None);
        if self.tiering == Tiering::Cliff {
            for step in &self.above {
                if counted(usage, step.counts)? > step.over {
                    found = (&step.level, Some(step));
                }
            }
        }
        Ok(found)
    }
}

/// The price of one request or call.
fn fee(text: &Text, what: &str) -> Result<Usd> {
    let price = Usd::parse(text.as_str()).map_err(|error| error.context(what))?;
    if price < Usd::ZERO { Err(Error::invalid(format!("the price of {what} is negative"))) } else { Ok(price) }
}

/// The tokens that a context threshold is compared with.
fn counted(usage: &Usage, counts: Counts) -> Result<u64> {
    match counts {
        Counts::TotalInput => Ok(usage.total_input_tokens()?.get()),
        Counts::FreshInput => [TokenKind::Input, TokenKind::InputAudio, TokenKind::InputImage, TokenKind::InputVideo]
            .into_iter()
            .try_fold(crate::Count::ZERO, |sum, kind| sum.checked_add(usage.get(kind)))
            .map(crate::Count::get),
    }
}

impl Level {
    /// The cost of the tokens in 1e-12 dollars, or none where a used kind has no rate. Never overflows: 18 products of
    /// a rate below 2⁴⁰ and a count below 2⁵³.
    pub(super) fn tokens_pico(&self, usage: &Usage) -> Option<i128> {
        let mut sum = 0_u128;
        let mut used = 0_u32;
        for (index, kind) in TokenKind::ALL.into_iter().enumerate() {
            let tokens = usage.get(kind).get();
            used |= u32::from(tokens != 0) << index;
            sum += u128::from(tokens) * u128::from(self.table.pico[index]);
        }
        const { assert!(KINDS <= 32) };
        (used & !self.table.known == 0).then(|| sum.try_into().expect("18 × 2⁴⁰ × 2⁵³ is below 2¹²⁷"))
    }
}
