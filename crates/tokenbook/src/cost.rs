//! What a call cost: an exact amount with its lines, or the reason why there is none.

mod batch;

use serde::Serialize;

pub use self::batch::{BatchCost, CostBatch, cost_batch};
use crate::error::Result;
use crate::money::Usd;
use crate::price::{Catalog, Charge, Found, Price, PriceQuery, Unpriced};
use crate::quantity::Count;
use crate::time::{Date, Timestamp};
use crate::usage::Usage;

/// A call to be priced.
#[derive(Debug, Clone, Copy)]
pub struct CostQuery<'a> {
    /// Which price is asked for.
    pub price: PriceQuery<'a>,
    /// What the call used.
    pub usage: &'a Usage,
    /// What the provider says it charged, as OpenRouter does; it goes before any computed cost.
    pub stated: Option<Usd>,
}

/// What a call cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Cost {
    /// Computed from a price row.
    Priced(Box<Priced>),
    /// Unknown, and why. Never to be added up as 0.
    Unpriced(Unpriced),
    /// As the provider stated it.
    Stated {
        /// The amount.
        total_usd: Usd,
    },
}

/// A cost computed from a price row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Priced {
    /// The sum of the lines, exact.
    pub total_usd: Usd,
    /// One line per kind of tokens and per tool.
    pub lines: Vec<Line>,
    /// The price row.
    pub price: PriceUsed,
}

/// One line of a cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Line {
    /// Tokens of one kind.
    Tokens {
        /// The kind, such as `cache_read_tokens`.
        kind: &'static str,
        /// How many.
        tokens: Count,
        /// The kind whose rate is charged, where this kind has none of its own.
        #[serde(skip_serializing_if = "Option::is_none")]
        charged_as: Option<&'static str>,
        /// Dollars per million tokens, the region's factor included.
        price_per_mtok: Usd,
        /// `tokens` × `price_per_mtok`, exact.
        amount_usd: Usd,
    },
    /// Requests of one server-side tool.
    Requests {
        /// The tool's name with `_requests`, such as `web_search_requests`; `call_requests` is the price of the call itself.
        kind: String,
        /// How many.
        requests: Count,
        /// Dollars per request.
        price_per_request: Usd,
        /// `requests` × `price_per_request`, exact.
        amount_usd: Usd,
    },
}

impl Line {
    /// The line's amount.
    pub const fn amount(&self) -> Usd {
        match self {
            Self::Tokens { amount_usd, .. } | Self::Requests { amount_usd, .. } => *amount_usd,
        }
    }
}

/// The price row that a cost was computed from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PriceUsed {
    /// The model's own name in the catalog.
    pub model: String,
    /// The provider whose list has the price.
    pub provider: String,
    /// The rule that found the model.
    pub matched: crate::price::Matched,
    /// The first instant of the row, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// The first instant after the row, where it is known to end by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The service tier.
    pub service_tier: String,
    /// Whether it is a batch price.
    pub batch: bool,
    /// The region whose price or factor was used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The region's factor, contained in the lines' prices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multiplier: Option<String>,
    /// Whether the row holds at some hours of the week only.
    #[serde(skip_serializing_if = "is_false")]
    pub windowed: bool,
    /// The context threshold that the call was above.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub above_tokens: Option<u64>,
    /// Where the row comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The provider's page with the price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// The day of the catalog.
    pub catalog_version: Date,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
const fn is_false(value: &bool) -> bool {
    !*value
}

impl Cost {
    /// The amount, unless the call is unpriced.
    pub const fn total(&self) -> Option<Usd> {
        match self {
            Self::Priced(priced) => Some(priced.total_usd),
            Self::Stated { total_usd } => Some(*total_usd),
            Self::Unpriced(_) => None,
        }
    }
}

/// Prices a call.
///
/// ```
/// use tokenbook::price::PriceQuery;
/// use tokenbook::{Catalog, CostQuery, TokenKind, Usage, cost};
///
/// let usage = Usage::new().with(TokenKind::Input, 1_200u32).with(TokenKind::Output, 800u32);
/// let at = "2025-06-01T12:00:00Z".parse()?;
/// let query = CostQuery { price: PriceQuery::new("claude-3-5-haiku-20241022", at), usage: &usage, stated: None };
/// let cost = cost(&query, Catalog::builtin())?;
/// assert_eq!(cost.total().map(|usd| usd.to_string()).as_deref(), Some("0.00416"));
/// # Ok::<(), tokenbook::Error>(())
/// ```
///
/// # Errors
///
/// [`ErrorCode::InvalidArgument`](crate::ErrorCode::InvalidArgument) for a service tier or region that the catalog
/// doesn't know, and for counts whose sum is too large.
pub fn cost(query: &CostQuery<'_>, catalog: &Catalog) -> Result<Cost> {
    if let Some(total_usd) = query.stated {
        return Ok(Cost::Stated { total_usd });
    }
    match catalog.price(&query.price)? {
        Found::Price(price) => price.cost(query.usage),
        Found::Unpriced(unpriced) => Ok(Cost::Unpriced(unpriced)),
    }
}

impl Price<'_> {
    /// Prices a call with its lines; [`Price::total`] gives the same amount without them.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`](crate::ErrorCode::InvalidArgument) for counts whose sum is too large.
    pub fn cost(&self, usage: &Usage) -> Result<Cost> {
        let charges = match self.charges(usage)? {
            Ok(charges) => charges,
            Err(unpriced) => return Ok(Cost::Unpriced(unpriced)),
        };
        let mut total_usd = Usd::ZERO;
        let mut lines = Vec::with_capacity(charges.len());
        for charge in charges {
            let amount_usd = charge.amount()?;
            total_usd = total_usd.checked_add(amount_usd)?;
            lines.push(match charge {
                Charge::Tokens { kind, charged_as, tokens, rate } => Line::Tokens {
                    kind: kind.name(),
                    tokens,
                    charged_as: charged_as.map(crate::TokenKind::name),
                    price_per_mtok: rate.per_mtok(),
                    amount_usd,
                },
                Charge::Requests { tool, requests, price } => {
                    Line::Requests { kind: format!("{tool}_requests"), requests, price_per_request: price, amount_usd }
                }
            });
        }
        let price = PriceUsed {
            model: self.model().to_owned(),
            provider: self.provider().to_owned(),
            matched: self.matched(),
            from: self.from(),
            until: self.until(),
            service_tier: self.service_tier().to_owned(),
            batch: self.batch(),
            region: self.region().map(str::to_owned),
            multiplier: self.multiplier().map(|multiplier| multiplier.to_string()),
            windowed: self.windowed(),
            above_tokens: self.above(usage)?.map(|(tokens, _)| tokens),
            source: self.source().map(str::to_owned),
            page: self.page(),
            catalog_version: self.catalog_version(),
        };
        Ok(Cost::Priced(Box::new(Priced { total_usd, lines, price })))
    }
}

/// The costs of several calls, added up without hiding those that have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CostSum {
    /// The sum of what is known.
    pub total_usd: Usd,
    /// Calls in the sum.
    pub priced: u64,
    /// Calls without a price, which the sum leaves out.
    pub unpriced: u64,
}

impl CostSum {
    /// Adds a call.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`](crate::ErrorCode::InvalidArgument) when the sum is too large.
    pub fn add(&mut self, total: Option<Usd>) -> Result<()> {
        match total {
            Some(total) => {
                self.total_usd = self.total_usd.checked_add(total)?;
                self.priced += 1;
            }
            None => self.unpriced += 1,
        }
        Ok(())
    }
}
