//! Budgets, and the holds that keep calls inside them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokenbook::price::PriceQuery;
use tokenbook::{Cost, CostQuery, Count, Error, Result, Timestamp, TokenKind, Usage, Usd};
use tokenbook_ledger::{Budget, BudgetStatus, Extension, Hold, Recorded, ReserveQuery};

use super::ledger::Done;
use super::{price, record};
use crate::{Book, clock, text};

/// The instant that the arguments name, or now.
fn instant(at: Option<Timestamp>) -> Result<Timestamp> {
    at.map_or_else(clock::now, Ok)
}

pub(super) fn budget_set(book: &Book, mut given: Map<String, Value>) -> Result<BudgetStatus> {
    given.retain(|_, value| !value.is_null());
    let at = given.remove("at").map(|at| text::from_value(at).map_err(|error| error.context("at"))).transpose()?;
    let budget: Budget = text::from_value(Value::Object(given))?;
    book.ledger()?.budget_set(&budget, instant(at)?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RemoveArgs {
    name: String,
}

pub(super) fn budget_remove(book: &Book, args: RemoveArgs) -> Result<Done> {
    book.ledger()?.budget_remove(&args.name)?;
    Ok(Done {})
}

#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct BudgetsArgs {
    at: Option<Timestamp>,
}

/// How all budgets stand.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct Budgets {
    /// By name.
    budgets: Vec<BudgetStatus>,
    /// At which instant.
    at: Timestamp,
}

pub(super) fn budgets(book: &Book, args: BudgetsArgs) -> Result<Budgets> {
    let at = instant(args.at)?;
    Ok(Budgets { budgets: book.ledger()?.budgets(at)?, at })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReserveArgs {
    at: Option<Timestamp>,
    agent: Option<String>,
    action: Option<String>,
    model: Option<String>,
    provider: Option<String>,
    session: Option<String>,
    tags: Option<Vec<String>>,
    cost_usd: Option<Usd>,
    tokens: Option<Count>,
    /// The input as counted; with `max_tokens` it gives the worst case where that is not given itself.
    input_tokens: Option<Count>,
    max_tokens: Option<Count>,
    owner: Option<String>,
    ttl_ms: Option<Count>,
}

pub(super) fn reserve(book: &Book, args: ReserveArgs) -> Result<Hold> {
    let at = instant(args.at)?;
    if args.cost_usd.is_some_and(|cost| cost < Usd::ZERO) {
        return Err(Error::invalid("cost_usd: expected 0 or more"));
    }
    let (mut cost_usd, mut tokens) = (args.cost_usd, args.tokens);
    if let (Some(input), Some(output)) = (args.input_tokens, args.max_tokens) {
        tokens = tokens.map_or_else(|| input.checked_add(output), Ok).map(Some)?;
        if let (None, Some(model)) = (cost_usd, &args.model) {
            cost_usd = worst_case(model, args.provider.as_deref(), at, input, output)?;
        }
    }
    book.ledger()?.reserve(&ReserveQuery {
        at,
        agent: args.agent,
        action: args.action,
        model: args.model,
        provider: args.provider,
        session: args.session,
        tags: args.tags.unwrap_or_default(),
        cost_usd,
        tokens,
        owner: args.owner,
        ttl_ms: args.ttl_ms,
    })
}

/// What a call costs when all its input is fresh and its output reaches the limit; none where there is no price.
fn worst_case(model: &str, provider: Option<&str>, at: Timestamp, input: Count, output: Count) -> Result<Option<Usd>> {
    let mut usage = Usage::new();
    usage.set(TokenKind::Input, input);
    usage.set(TokenKind::Output, output);
    let price = PriceQuery { model, provider, at, service_tier: None, batch: false, region: None };
    Ok(match tokenbook::cost(&CostQuery { price, usage: &usage, stated: None }, &price::catalog())? {
        Cost::Priced(priced) => Some(priced.total_usd),
        Cost::Stated { total_usd } => Some(total_usd),
        Cost::Unpriced(_) => None,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExtendArgs {
    hold_id: Count,
    at: Option<Timestamp>,
    cost_usd: Option<Usd>,
    tokens: Option<Count>,
    ttl_ms: Option<Count>,
}

pub(super) fn extend(book: &Book, args: ExtendArgs) -> Result<Hold> {
    // What isn't asked for more of is 0 more, not unknown.
    let extension = Extension {
        at: instant(args.at)?,
        cost_usd: args.cost_usd.or(Some(Usd::ZERO)),
        tokens: args.tokens.or(Some(Count::ZERO)),
        ttl_ms: args.ttl_ms,
    };
    book.ledger()?.extend(args.hold_id, &extension)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SettleArgs {
    hold_id: Count,
    call: Map<String, Value>,
}

pub(super) fn settle(book: &Book, args: SettleArgs) -> Result<Recorded> {
    record::record_with(book, args.call, Some(args.hold_id))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VoidArgs {
    hold_id: Count,
}

/// What became of a hold that was to be let go.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct Voided {
    /// Whether it was still there.
    voided: bool,
}

pub(super) fn void(book: &Book, args: VoidArgs) -> Result<Voided> {
    Ok(Voided { voided: book.ledger()?.void(args.hold_id)? })
}
