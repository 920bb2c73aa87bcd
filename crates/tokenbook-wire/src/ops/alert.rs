//! Alerts: rules, what they have found, and to whom it is told.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokenbook::{Count, Error, Result, Timestamp};
use tokenbook_ledger::{Alert, AlertNotice, AlertRule, AlertSilence, AlertsQuery};

use super::Nothing;
use super::ledger::Done;
use crate::alerts::Sink;
use crate::{Book, clock};

/// The rules in use.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct AlertRules {
    /// In the order they were set in.
    rules: Vec<AlertRule>,
}

pub(super) fn alert_rules(book: &Book, _: Nothing) -> Result<AlertRules> {
    Ok(AlertRules { rules: book.ledger()?.alert_rules()? })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RulesArgs {
    rules: Option<Vec<AlertRule>>,
    /// A rules file in JSON or TOML.
    text: Option<String>,
}

/// A rules file; in JSON it may be the list alone.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RulesFile {
    rules: Vec<AlertRule>,
}

pub(super) fn alert_rules_set(book: &Book, args: RulesArgs) -> Result<AlertRules> {
    let rules = match (args.rules, args.text) {
        (Some(_), Some(_)) => return Err(Error::invalid("expected either `rules` or `text`")),
        (None, Some(text)) => {
            let value = match crate::toml_text::value(&text, "alert rules")? {
                Value::Array(rules) => json!({ "rules": rules }),
                value => value,
            };
            Some(crate::text::from_value::<RulesFile>(value)?.rules)
        }
        (rules, None) => rules,
    };
    Ok(AlertRules { rules: book.ledger()?.alert_rules_set(rules)? })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CheckArgs {
    at: Option<Timestamp>,
}

/// What has started and ended, in order.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct AlertNotices {
    /// In the order they were noted in.
    notices: Vec<AlertNotice>,
    /// What to ask with for later ones.
    next: Count,
}

pub(super) fn alerts_check(book: &Book, args: CheckArgs) -> Result<AlertNotices> {
    let now = args.at.map_or_else(clock::now, Ok)?;
    let ledger = book.ledger()?;
    let notices = ledger.alerts_check(now)?;
    book.alerts().tell(&notices);
    let next = notices.last().map_or_else(|| ledger.alert_notices_end(), |last| Ok(last.seq))?;
    Ok(AlertNotices { notices, next })
}

/// Alerts, newest first.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct Alerts {
    /// As many as were asked for.
    alerts: Vec<Alert>,
}

pub(super) fn alerts(book: &Book, args: AlertsQuery) -> Result<Alerts> {
    Ok(Alerts { alerts: book.ledger()?.alerts(&args)? })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoticesArgs {
    after: Option<Count>,
}

pub(super) fn alert_notices(book: &Book, args: NoticesArgs) -> Result<AlertNotices> {
    let ledger = book.ledger()?;
    let Some(after) = args.after else {
        // Whoever starts to listen wants to know from where.
        return Ok(AlertNotices { notices: Vec::new(), next: ledger.alert_notices_end()? });
    };
    let notices = ledger.alert_notices(after)?;
    let next = notices.last().map_or(after, |last| last.seq);
    Ok(AlertNotices { notices, next })
}

pub(super) fn alert_silence(book: &Book, args: AlertSilence) -> Result<Done> {
    book.ledger()?.alert_silence(&args)?;
    Ok(Done {})
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SinksArgs {
    sinks: Vec<Sink>,
}

/// To whom alerts are told.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct AlertSinks {
    /// How many there are now.
    sinks: Count,
}

pub(super) fn alert_sinks(book: &Book, args: SinksArgs) -> Result<AlertSinks> {
    book.ledger()?;
    let sinks = Count::try_from(args.sinks.len())?;
    book.alerts().set_sinks(args.sinks)?;
    Ok(AlertSinks { sinks })
}
