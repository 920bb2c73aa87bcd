//! From a question (model, provider, instant, tier, region) to the one price row that answers it.

mod many;

use std::borrow::Cow;

use serde::Serialize;

use super::catalog::{Catalog, Entry, Layer};
use super::lookup::{Match, Matched, Search};
use super::rate::{Multiplier, Rate};
use super::row::{Above, Level, Row, Tiering};
use crate::error::{Error, Result};
use crate::money::Usd;
use crate::quantity::Count;
use crate::time::{Date, Timestamp};
use crate::usage::{TokenKind, Usage};

/// Which price is asked for.
#[derive(Debug, Clone, Copy)]
pub struct PriceQuery<'a> {
    /// The model as the provider or a gateway spells it.
    pub model: &'a str,
    /// Who bills; where it isn't said, a bare name means the maker of the model.
    pub provider: Option<&'a str>,
    /// When the call was made.
    pub at: Timestamp,
    /// The service tier that was billed; `standard` where it isn't said.
    pub service_tier: Option<&'a str>,
    /// Whether the call was part of a batch.
    pub batch: bool,
    /// Where the call was processed.
    pub region: Option<&'a str>,
}

impl<'a> PriceQuery<'a> {
    /// Asks for the standard price of a model at an instant.
    pub const fn new(model: &'a str, at: Timestamp) -> Self {
        Self { model, provider: None, at, service_tier: None, batch: false, region: None }
    }
}

/// The answer to a [`PriceQuery`].
#[derive(Debug, Clone)]
pub enum Found<'c> {
    /// The price.
    Price(Price<'c>),
    /// There is none, and why.
    Unpriced(Unpriced),
}

/// Why there is no price. The names are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// No rule finds the model.
    UnknownModel,
    /// No rule finds the provider.
    UnknownProvider,
    /// Several providers price the model and the query doesn't say which one billed.
    AmbiguousProvider,
    /// The model has no price in this service tier.
    NoPriceForServiceTier,
    /// The model has no batch price.
    NoPriceForBatch,
    /// The model has no price in this region.
    NoPriceForRegion,
    /// The call was made before the model's first price, or after its last.
    NoPriceAtDate,
    /// The usage has tokens or requests of a kind that the row doesn't price.
    NoRate,
}

/// Why a call has no price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Unpriced {
    /// The reason, for programs.
    pub reason: Reason,
    /// The reason, for people.
    pub message: String,
    /// Names that are near, as `provider/model`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub near: Vec<String>,
}

impl Unpriced {
    pub(super) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), near: Vec::new() }
    }
}

/// One price row of one model, found once and then used for any number of calls.
///
/// ```
/// use tokenbook::price::{Found, PriceQuery};
/// use tokenbook::{Catalog, TokenKind, Usage};
///
/// let at = "2026-11-22T10:00:00Z".parse()?;
/// let Found::Price(price) = Catalog::builtin().price(&PriceQuery::new("gpt-4o-mini", at))? else {
///     panic!("gpt-4o-mini has a price");
/// };
/// let usage = Usage::new().with(TokenKind::Input, 1_000u32).with(TokenKind::Output, 100u32);
/// assert_eq!(price.total(&usage)?.expect("both kinds have a rate").to_string(), "0.00021");
/// # Ok::<(), tokenbook::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Price<'c> {
    catalog: &'c Catalog,
    layer: &'c Layer,
    entry: &'c Entry,
    row: &'c Row,
    matched: Matched,
    /// The region's factor with the region's name.
    multiplier: Option<(&'c str, Multiplier)>,
}

/// Tokens or requests at one price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Charge {
    Tokens {
        kind: TokenKind,
        /// The kind whose rate is charged, where it isn't the kind itself.
        charged_as: Option<TokenKind>,
        tokens: Count,
        rate: Rate,
    },
    Requests {
        tool: String,
        requests: Count,
        price: Usd,
    },
}

impl Charge {
    pub(crate) fn amount(&self) -> Result<Usd> {
        match self {
            Self::Tokens { tokens, rate, .. } => Usd::from_pico(rate.pico_per_token().into()).checked_mul(*tokens),
            Self::Requests { requests, price, .. } => price.checked_mul(*requests),
        }
    }
}

impl<'c> Price<'c> {
    /// The model's own name in the catalog.
    pub fn model(&self) -> &'c str {
        self.layer.name(self.entry)
    }

    /// The provider whose list has the price.
    pub fn provider(&self) -> &'c str {
        &self.catalog.providers.list[usize::from(self.entry.provider)].id
    }

    /// The rule that found the model.
    pub const fn matched(&self) -> Matched {
        self.matched
    }

    /// The first instant of the row, where it is known.
    pub const fn from(&self) -> Option<Timestamp> {
        self.row.from
    }

    /// The first instant after the row, where it is known to end by itself.
    pub const fn until(&self) -> Option<Timestamp> {
        self.row.until
    }

    /// Where the row comes from.
    pub fn source(&self) -> Option<&'c str> {
        self.row.source.as_deref()
    }

    /// The provider's page with the price.
    pub fn page(&self) -> Option<String> {
        self.layer.page(self.entry)
    }

    /// The day on which the row entered the catalog.
    pub const fn checked(&self) -> Option<Date> {
        self.row.checked
    }

    /// The service tier of the row.
    pub fn service_tier(&self) -> &'c str {
        self.row.service_tier.as_deref().unwrap_or("standard")
    }

    /// Whether it is a batch price.
    pub const fn batch(&self) -> bool {
        self.row.batch
    }

    /// The region whose price or factor is used, where there is one.
    pub fn region(&self) -> Option<&'c str> {
        self.row.region.as_deref().or(self.multiplier.map(|(region, _)| region))
    }

    /// The factor on the token rates.
    pub fn multiplier(&self) -> Option<Multiplier> {
        self.multiplier.map(|(_, multiplier)| multiplier)
    }

    /// Whether the row holds at some hours of the week only.
    pub const fn windowed(&self) -> bool {
        self.row.window.is_some()
    }

    /// The day of the catalog.
    pub const fn catalog_version(&self) -> Date {
        self.catalog.version
    }

    /// The context threshold that a call is above, and whether the threshold itself counts as above.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`](crate::ErrorCode::InvalidArgument) when the usage's sum is above
    /// [`Count::MAX`].
    pub fn above(&self, usage: &Usage) -> Result<Option<(u64, bool)>> {
        Ok(self.row.level(usage)?.1.map(|step| (step.threshold(), step.inclusive)))
    }

    /// The cost of a call, or none when it used a kind of tokens or a tool that the row doesn't price. Allocates nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`](crate::ErrorCode::InvalidArgument) when the usage's sum is above
    /// [`Count::MAX`].
    pub fn total(&self, usage: &Usage) -> Result<Option<Usd>> {
        let tokens = if self.row.above.is_empty() {
            self.row.base.tokens_pico(usage)
        } else if self.row.tiering == Tiering::Progressive {
            self.progressive(usage)?
        } else {
            self.row.level(usage)?.0.tokens_pico(usage)
        };
        let Some(tokens) = tokens else { return Ok(None) };
        let mut total = Usd::from_pico(self.multiplier.map_or(tokens, |(_, multiplier)| multiplier.apply(tokens)));
        if let Some(price) = self.row.per_call {
            total = total.checked_add(price)?;
        }
        for (tool, requests) in &usage.server_tool_requests {
            match self.row.per_request.get(tool) {
                Some(price) => total = total.checked_add(price.checked_mul(*requests)?)?,
                None if requests.is_zero() => {}
                None => return Ok(None),
            }
        }
        Ok(Some(total))
    }

    /// The tokens' cost before the region's factor where tiers are progressive.
    fn progressive(&self, usage: &Usage) -> Result<Option<i128>> {
        let mut sum = 0;
        for (level, part) in self.brackets(usage)? {
            let Some(pico) = level.tokens_pico(&part) else { return Ok(None) };
            sum += pico;
        }
        Ok(Some(sum))
    }

    /// The usage split at the thresholds, kind by kind.
    fn brackets(&self, usage: &Usage) -> Result<Vec<(&'c Level, Usage)>> {
        let row = self.row;
        let levels = std::iter::once(&row.base).chain(row.above.iter().map(|step| &step.level));
        let floors = std::iter::once(0).chain(row.above.iter().map(|step| step.over));
        let ceilings = row.above.iter().map(|step: &Above| step.over).chain(std::iter::once(u64::MAX));
        levels
            .zip(floors.zip(ceilings))
            .map(|(level, (floor, ceiling))| {
                let mut part = Usage::new();
                for (kind, tokens) in usage.iter() {
                    part.set(kind, Count::new(tokens.get().min(ceiling).saturating_sub(floor))?);
                }
                Ok((level, part))
            })
            .collect()
    }

    /// What is charged, one entry per kind and level, or why something can't be.
    pub(crate) fn charges(&self, usage: &Usage) -> Result<std::result::Result<Vec<Charge>, Unpriced>> {
        let parts = if self.row.tiering == Tiering::Progressive {
            self.brackets(usage)?
        } else {
            vec![(self.row.level(usage)?.0, usage.clone())]
        };
        let mut charges = Vec::new();
        for (level, part) in parts {
            for (kind, tokens) in part.iter() {
                let source = level.rates.charged_as(kind);
                let Some((source, rate)) = source.and_then(|kind| Some((kind, level.rates.stated(kind)?))) else {
                    return Ok(Err(self.no_rate(kind.name())));
                };
                let rate = match self.multiplier {
                    Some((_, multiplier)) => rate.times(multiplier)?,
                    None => rate,
                };
                charges.push(Charge::Tokens { kind, charged_as: (source != kind).then_some(source), tokens, rate });
            }
        }
        if let Some(price) = self.row.per_call {
            charges.push(Charge::Requests { tool: "call".to_owned(), requests: Count::from(1), price });
        }
        for (tool, requests) in usage.server_tool_requests.iter().filter(|(_, requests)| !requests.is_zero()) {
            let Some(price) = self.row.per_request.get(tool) else {
                return Ok(Err(self.no_rate(&format!("a {tool} request"))));
            };
            charges.push(Charge::Requests { tool: tool.clone(), requests: *requests, price: *price });
        }
        Ok(Ok(charges))
    }

    pub(crate) fn no_rate(&self, what: &str) -> Unpriced {
        let message = format!("{}/{} has no price for {what}", self.provider(), self.model());
        Unpriced::new(Reason::NoRate, message)
    }
}

/// Tier, batch and region in the catalog's own words.
#[derive(Debug, Clone, Copy)]
struct Terms<'c> {
    /// None is the standard tier.
    service_tier: Option<&'c str>,
    batch: bool,
    region: Option<&'c str>,
}

/// All prices of one model under given terms, for any instant: the model is looked up once.
#[derive(Debug, Clone)]
pub struct Prices<'c> {
    catalog: &'c Catalog,
    found: std::result::Result<Match<'c>, Unpriced>,
    terms: Terms<'c>,
}

impl<'c> Prices<'c> {
    /// The price that holds at an instant.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`](crate::ErrorCode::InvalidArgument) when a row of the catalog can't be read.
    pub fn at(&self, at: Timestamp) -> Result<Found<'c>> {
        let found = match &self.found {
            Ok(found) => found,
            Err(unpriced) => return Ok(Found::Unpriced(unpriced.clone())),
        };
        self.catalog.select(found, self.terms, at)
    }

    /// The price that holds at an instant, or none; says why not only in [`at`](Self::at), which allocates.
    pub(crate) fn price_at(&self, at: Timestamp) -> Result<Option<Price<'c>>> {
        match &self.found {
            Ok(found) => Ok(self.catalog.row(found, self.terms, at)?.ok()),
            Err(_) => Ok(None),
        }
    }
}

impl Catalog {
    /// Finds the price that a call is billed by.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`](crate::ErrorCode::InvalidArgument) for a service tier or region that the catalog
    /// doesn't know: a misspelt one must not be billed as standard.
    pub fn price<'c>(&'c self, query: &PriceQuery<'_>) -> Result<Found<'c>> {
        let terms = self.terms(query)?;
        match self.find(query) {
            Ok(found) => self.select(&found, terms, query.at),
            Err(unpriced) => Ok(Found::Unpriced(unpriced)),
        }
    }

    /// Finds a model's prices under the terms of a query, for any instant; the query's own instant isn't read.
    ///
    /// # Errors
    ///
    /// As [`price`](Self::price).
    pub fn prices<'c>(&'c self, query: &PriceQuery<'_>) -> Result<Prices<'c>> {
        Ok(Prices { catalog: self, terms: self.terms(query)?, found: self.find(query) })
    }

    fn terms<'c>(&'c self, query: &PriceQuery<'_>) -> Result<Terms<'c>> {
        let (service_tier, batch) = self.service_tier(query)?;
        Ok(Terms { service_tier, batch, region: self.region(query)? })
    }

    fn select<'c>(&'c self, found: &Match<'c>, terms: Terms<'c>, at: Timestamp) -> Result<Found<'c>> {
        Ok(match self.row(found, terms, at)? {
            Ok(price) => Found::Price(price),
            Err(reason) => Found::Unpriced(self.without(found, reason, terms, at)),
        })
    }

    fn row<'c>(
        &'c self,
        found: &Match<'c>,
        terms: Terms<'c>,
        at: Timestamp,
    ) -> Result<std::result::Result<Price<'c>, Reason>> {
        let mut reason = Reason::NoPriceAtDate;
        for (layer, entry) in std::iter::once(&found.newest).chain(&found.older) {
            match best(layer.rows(entry)?, terms, at) {
                Ok(row) => {
                    let region = terms.region.filter(|_| row.region.is_none());
                    let multiplier = region.and_then(|region| row.regions.get_key_value(region));
                    let multiplier = multiplier.map(|(region, factor)| (region.as_str(), *factor));
                    return Ok(Ok(Price { catalog: self, layer, entry, row, matched: found.matched, multiplier }));
                }
                Err(why) => reason = why,
            }
        }
        Ok(Err(reason))
    }

    /// Why a model that was found has no price under these terms.
    #[cold]
    fn without(&self, found: &Match<'_>, reason: Reason, terms: Terms<'_>, at: Timestamp) -> Unpriced {
        let (layer, entry) = found.newest;
        let name = format!("{}/{}", self.providers.list[usize::from(entry.provider)].id, layer.name(entry));
        let message = match reason {
            Reason::NoPriceForBatch => format!("{name} has no batch price"),
            Reason::NoPriceForServiceTier => {
                format!("{name} has no price in the service tier {:?}", terms.service_tier.unwrap_or("standard"))
            }
            Reason::NoPriceForRegion => {
                format!("{name} has no price in the region {:?}", terms.region.unwrap_or("of the call"))
            }
            _ => format!("{name} has no price at {at}"),
        };
        Unpriced::new(reason, message)
    }

    fn find<'c>(&'c self, query: &PriceQuery<'_>) -> std::result::Result<Match<'c>, Unpriced> {
        let model = &*super::lookup::decoded(query.model);
        if let Some(name) = query.provider {
            let provider = self.providers.find(name).ok_or_else(|| self.unknown_provider(name))?;
            return self.find_at(provider, model).ok_or_else(|| self.unknown_model(Some(provider), model));
        }
        match self.find_anywhere(model) {
            Search::Found(found) => Ok(found),
            Search::Nothing => Err(self.unknown_model(None, model)),
            Search::Several(providers) => Err(self.ambiguous(model, &providers)),
        }
    }

    fn service_tier<'c>(&'c self, query: &PriceQuery<'_>) -> Result<(Option<&'c str>, bool)> {
        let Some(name) = query.service_tier else { return Ok((None, query.batch)) };
        let known = self.service_tiers.get(&*lower(name)).ok_or_else(|| {
            let known: Vec<&str> = self.service_tiers.keys().map(String::as_str).collect();
            Error::invalid(format!("unknown service tier {name:?}; the tiers are {}", known.join(", ")))
                .with("service_tier", name)
        })?;
        Ok(match known.as_str() {
            "standard" => (None, query.batch),
            "batch" => (None, true),
            tier => (Some(tier), query.batch),
        })
    }

    fn region<'c>(&'c self, query: &PriceQuery<'_>) -> Result<Option<&'c str>> {
        let Some(name) = query.region else { return Ok(None) };
        match self.regions.get(&*lower(name)) {
            Some(region) => Ok(Some(region)),
            None => {
                Err(Error::invalid(format!("unknown region {name:?}; omit it where the price doesn't depend on it"))
                    .with("region", name))
            }
        }
    }

    #[cold]
    fn unknown_model(&self, provider: Option<u16>, model: &str) -> Unpriced {
        let shown: String = model.chars().take(100).collect();
        let message = match provider {
            Some(provider) => {
                format!("{} has no model {shown:?} in the catalog", self.providers.list[usize::from(provider)].id)
            }
            None => format!("no model {shown:?} in the catalog"),
        };
        Unpriced { near: self.near(provider, model), ..Unpriced::new(Reason::UnknownModel, message) }
    }

    #[cold]
    fn unknown_provider(&self, name: &str) -> Unpriced {
        let shown: String = name.chars().take(100).collect();
        let mut near: Vec<(usize, &str)> = self
            .providers
            .list
            .iter()
            .filter_map(|provider| Some((super::names::distance(&shown, &provider.id)?, provider.id.as_str())))
            .collect();
        near.sort_unstable();
        Unpriced {
            near: near.into_iter().take(5).map(|(_, id)| id.to_owned()).collect(),
            ..Unpriced::new(Reason::UnknownProvider, format!("no provider {shown:?} in the catalog"))
        }
    }

    #[cold]
    fn ambiguous(&self, model: &str, providers: &[u16]) -> Unpriced {
        let near: Vec<String> =
            providers.iter().map(|id| format!("{}/{model}", self.providers.list[usize::from(*id)].id)).collect();
        let message = format!("{} providers price {model:?}; say which one billed the call", near.len());
        Unpriced { near, ..Unpriced::new(Reason::AmbiguousProvider, message) }
    }
}

/// The row that holds: of the region before of all regions, in a window before outside one, the latest `from`.
fn best<'c>(rows: &'c [Row], terms: Terms<'_>, at: Timestamp) -> std::result::Result<&'c Row, Reason> {
    let mut best: Option<&Row> = None;
    // Why the rows seen so far don't hold: the reason that came closest wins.
    let mut reason = Reason::NoPriceForServiceTier;
    let mut other_regions = false;
    for row in rows {
        if row.service_tier.as_deref() != terms.service_tier {
            continue;
        }
        if row.batch != terms.batch {
            if reason == Reason::NoPriceForServiceTier && terms.batch {
                reason = Reason::NoPriceForBatch;
            }
            continue;
        }
        if let Some(region) = row.region.as_deref()
            && Some(region) != terms.region
        {
            other_regions = true;
            continue;
        }
        reason = Reason::NoPriceAtDate;
        if !row.dated(at) || row.window.as_ref().is_some_and(|window| !window.contains(at)) {
            continue;
        }
        let rank = |row: &Row| (row.region.is_some(), row.window.is_some(), row.from);
        if best.is_none_or(|best| rank(row) > rank(best)) {
            best = Some(row);
        }
    }
    match best {
        // A model with prices by region says nothing of a region that it doesn't list.
        Some(row) if other_regions && terms.region.is_some() && row.region.is_none() => Err(Reason::NoPriceForRegion),
        Some(row) => Ok(row),
        None if other_regions && reason != Reason::NoPriceAtDate => Err(Reason::NoPriceForRegion),
        None => Err(reason),
    }
}

/// The text in lower case, without allocating where it is already.
fn lower(text: &str) -> Cow<'_, str> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        Cow::Borrowed(text)
    }
}
