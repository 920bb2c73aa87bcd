//! Alerts: rules as data, judged on the ledger's sums at a given moment, with one event for each spell and its end.

mod check;
mod file;
mod numeric;
mod spike;
mod store;

use serde::{Deserialize, Serialize};
use tokenbook::{Count, Error, Result, Timestamp};

pub use file::append_notices;
pub use spike::{Spike, SpikeLimits, judge_hour};
pub(crate) use store::ToolHours;

use crate::budget::Scope;
use crate::calendar::Calendar;
use crate::ledger::Ledger;

/// Most rules of one ledger.
const MAX_RULES: usize = 200;
/// Longest window, cool-down: a year of minutes.
const MAX_MINUTES: u64 = 366 * 1_440;
/// Most alerts and notices in one answer.
const MAX_PAGE: usize = 1_000;

/// What an alert looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// The share of calls whose answer calls tools.
    ToolUse,
    /// The share of input tokens that tool definitions and results take, of all tokens.
    ToolOverhead,
    /// One agent's share of all tokens, where there are several.
    AgentShare,
    /// One tool that is called unusually often for the hour of the week.
    ToolSpike,
    /// Output tokens ÷ the limits that were sent.
    Utilization,
    /// The share of answers that were cut off.
    Truncation,
    /// The share of successful calls whose cost is unknown.
    Unpriced,
    /// The share of calls that fail.
    ErrorRate,
    /// A budget's share that is spent.
    Budget,
    /// A budget that its forecast exceeds.
    Forecast,
}

/// When to raise an alert. What is left out is as in the built-in rule of its kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AlertRule {
    /// What it is called; its kind's name if absent.
    #[serde(default)]
    pub name: String,
    /// What it looks at.
    pub kind: AlertKind,
    /// Which calls it looks at.
    #[serde(default)]
    pub scope: Scope,
    /// From which share in percent on it fires; a list for budgets.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "crate::filter::one_or_many")]
    pub fire_percent: Vec<Count>,
    /// Below which share in percent it ends; 5 below the first unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clear_percent: Option<Count>,
    /// How far it looks back, in whole hours rounded up; a spike looks at single hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_minutes: Option<Count>,
    /// How many calls it takes at least to say anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_calls: Option<Count>,
    /// A spike: how many percent above the usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_more_percent: Option<Count>,
    /// A spike: how many calls above the usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_more: Option<Count>,
    /// For how long it stays quiet after a spell has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cool_down_minutes: Option<Count>,
    /// Whether it is off.
    #[serde(default)]
    pub disabled: bool,
}

/// One spell of something that an alert is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Alert {
    /// Its number.
    pub id: Count,
    /// The rule's name.
    pub rule: String,
    /// What the rule looks at.
    pub kind: AlertKind,
    /// Which agent, tool or budget, where it is about one of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What is the matter, for people.
    pub message: String,
    /// The share when it fired, or the probability of so many calls for a spike.
    pub value: f64,
    /// The share from which on it fires, or the probability below which it does.
    pub fires_at: f64,
    /// The calls it was judged on.
    pub calls: Count,
    /// When it was first seen.
    pub started_at: Timestamp,
    /// When it was first seen to be over; absent while it lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Whether it was silenced when it fired.
    pub silenced: bool,
}

/// The start or the end of an alert, to be told once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AlertNotice {
    /// Its number; later ones are larger.
    pub seq: Count,
    /// Whether it started or ended.
    pub change: AlertChange,
    /// The alert as it was then.
    pub alert: Alert,
}

/// What became of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum AlertChange {
    /// It fired.
    Started,
    /// It is over.
    Ended,
}

/// Which alerts to list.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct AlertsQuery {
    /// Only those that last.
    pub open: bool,
    /// Those that started at this instant or later.
    pub from: Option<Timestamp>,
    /// Those that started before this instant.
    pub to: Option<Timestamp>,
    /// How many at most, newest first; 100 if absent.
    pub limit: Option<Count>,
}

/// A rule, or one subject of it, that is not told of for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AlertSilence {
    /// The rule's name.
    pub rule: String,
    /// The agent, tool or budget; all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Until when; an instant in the past ends the silence.
    pub until: Timestamp,
}

impl AlertKind {
    const ALL: [Self; 10] = [
        Self::ToolUse,
        Self::ToolOverhead,
        Self::AgentShare,
        Self::ToolSpike,
        Self::Utilization,
        Self::Truncation,
        Self::Unpriced,
        Self::ErrorRate,
        Self::Budget,
        Self::Forecast,
    ];

    /// The word in every language.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ToolUse => "tool_use",
            Self::ToolOverhead => "tool_overhead",
            Self::AgentShare => "agent_share",
            Self::ToolSpike => "tool_spike",
            Self::Utilization => "utilization",
            Self::Truncation => "truncation",
            Self::Unpriced => "unpriced",
            Self::ErrorRate => "error_rate",
            Self::Budget => "budget",
            Self::Forecast => "forecast",
        }
    }

    /// Where it fires and clears, in percent.
    const fn levels(self) -> (&'static [u32], u32) {
        match self {
            Self::ToolUse => (&[50], 45),
            Self::ToolOverhead => (&[30], 25),
            Self::AgentShare => (&[60], 55),
            Self::Utilization => (&[90], 85),
            Self::Unpriced => (&[5], 2),
            Self::Truncation | Self::ErrorRate => (&[10], 7),
            Self::Budget => (&[50, 80, 100], 0),
            Self::Forecast => (&[100], 95),
            Self::ToolSpike => (&[], 0),
        }
    }
}

impl AlertRule {
    /// The built-in rule of a kind.
    #[expect(clippy::missing_panics_doc, reason = "a test makes every built-in rule")]
    pub fn of(kind: AlertKind) -> Self {
        let mut rule = Self {
            name: String::new(),
            kind,
            scope: Scope::default(),
            fire_percent: Vec::new(),
            clear_percent: None,
            window_minutes: None,
            min_calls: None,
            min_more_percent: None,
            min_more: None,
            cool_down_minutes: None,
            disabled: false,
        };
        rule.complete().expect("a built-in rule is in order");
        rule
    }

    /// Checks a rule and fills in what was left out.
    fn complete(&mut self) -> Result<()> {
        if self.name.is_empty() {
            self.kind.name().clone_into(&mut self.name);
        }
        crate::record::name("name", &self.name)?;
        self.scope.normalise()?;
        let (fire, clear) = self.kind.levels();
        let by_default = self.fire_percent.is_empty();
        if by_default {
            self.fire_percent = fire.iter().map(|level| Count::from(*level)).collect();
        }
        self.fire_percent.sort_unstable();
        self.fire_percent.dedup();
        let several = self.kind == AlertKind::Budget;
        if self.fire_percent.len() > (if several { 20 } else { 1 }) {
            return Err(Error::invalid("fire_percent: expected one number"));
        }
        let spike = self.kind == AlertKind::ToolSpike;
        if spike && !self.fire_percent.is_empty() {
            return Err(Error::invalid(
                "fire_percent: a spike has no share to fire at; `min_more_percent` says how much more it takes",
            ));
        }
        if let Some(first) = self.fire_percent.first().map(|first| first.get()) {
            let clear = self.clear_percent.map_or_else(
                || if by_default && !several { u64::from(clear) } else { first.saturating_sub(5) },
                Count::get,
            );
            if first == 0 || first > 1_000 || clear > first {
                return Err(Error::invalid(format!(
                    "fire_percent: expected a number from 1 to 1000 and `clear_percent` not above it, got {first} and {clear}"
                )));
            }
            self.clear_percent = Some(Count::new(clear)?);
        }
        let minutes = |field: &str, given: Option<Count>, otherwise: u64, least: u64| {
            let minutes = given.map_or(otherwise, Count::get);
            if (least..=MAX_MINUTES).contains(&minutes) {
                Ok(Some(Count::new(minutes)?))
            } else {
                Err(Error::invalid(format!("{field}: expected a number from {least} to {MAX_MINUTES}, got {minutes}")))
            }
        };
        self.window_minutes = minutes("window_minutes", self.window_minutes, if spike { 60 } else { 1_440 }, 1)?;
        let budget = matches!(self.kind, AlertKind::Budget | AlertKind::Forecast);
        // A new period is a new spell of a budget, and must not be kept quiet by the last one.
        let quiet = if budget { 0 } else { 60 };
        self.cool_down_minutes = minutes("cool_down_minutes", self.cool_down_minutes, quiet, 0)?;
        if !spike && !budget {
            self.min_calls.get_or_insert(Count::from(30));
        }
        if spike {
            self.min_more_percent.get_or_insert(Count::from(50));
            self.min_more.get_or_insert(Count::from(4));
            if self.scope != Scope::default() {
                return Err(Error::invalid("scope: a spike is looked for in all calls of a tool"));
            }
        }
        Ok(())
    }

    /// The built-in rules.
    pub fn built_in() -> Vec<Self> {
        AlertKind::ALL.into_iter().map(Self::of).collect()
    }
}

impl Ledger {
    /// The rules in use: the built-in ones until others are set.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Unavailable`](tokenbook::ErrorCode::Unavailable) when the file can't be read.
    pub fn alert_rules(&self) -> Result<Vec<AlertRule>> {
        self.read(|db, _, _| store::rules(db))
    }

    /// Sets the rules, all at once; none at all brings the built-in ones back.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`](tokenbook::ErrorCode::InvalidArgument) for a rule that makes no sense and for two of
    /// one name.
    pub fn alert_rules_set(&self, rules: Option<Vec<AlertRule>>) -> Result<Vec<AlertRule>> {
        let rules = rules
            .map(|mut rules| {
                crate::record::few("rules", rules.len(), MAX_RULES)?;
                for (at, rule) in rules.iter_mut().enumerate() {
                    rule.complete().map_err(|error| error.context(format!("rules[{at}]")))?;
                }
                let names: std::collections::BTreeSet<_> = rules.iter().map(|rule| &rule.name).collect();
                if names.len() < rules.len() {
                    return Err(Error::invalid("rules: two have the same name"));
                }
                Ok(rules)
            })
            .transpose()?;
        self.job(move |writer| {
            let (rules, _held) = writer.transact(|writer, _| {
                store::set_rules(&writer.db, rules.as_deref())?;
                store::rules(&writer.db)
            })?;
            Ok(rules)
        })
    }

    /// Judges all rules as of `now`, notes what has started and ended, and tells it.
    ///
    /// The answer is a function of the ledger, the rules and `now`: the same ones give the same answer everywhere. Of
    /// several processes that check at once, one notes a change and the others find it noted.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Unavailable`](tokenbook::ErrorCode::Unavailable) when the file can't be read or written.
    pub fn alerts_check(&self, now: Timestamp) -> Result<Vec<AlertNotice>> {
        let zone = self.time_zone().to_owned();
        let (rules, findings) = self.read(|db, names, head| {
            let mut days = Calendar::new(&zone)?;
            let rules = store::rules(db)?;
            let mut context = crate::budget::Context { db, names, head, days: &mut days };
            let findings = check::judge(&mut context, &rules, now)?;
            Ok((rules, findings))
        })?;
        if !self.read(|db, _, _| store::would_change(db, &rules, &findings, now))? {
            return Ok(Vec::new());
        }
        self.job(move |writer| {
            let (notices, _held) = writer.transact(|writer, _| store::note(&writer.db, &rules, &findings, now))?;
            Ok(notices)
        })
    }

    /// Lists alerts, newest first.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`](tokenbook::ErrorCode::InvalidArgument) for a limit that is out of range.
    pub fn alerts(&self, query: &AlertsQuery) -> Result<Vec<Alert>> {
        let limit = query.limit.map_or(100, Count::get);
        if limit == 0 || limit > MAX_PAGE as u64 {
            return Err(Error::invalid(format!("limit: expected a number from 1 to {MAX_PAGE}, got {limit}")));
        }
        self.read(|db, _, _| store::alerts(db, query, limit))
    }

    /// The notices after a number, oldest first, silenced ones left out; what to ask with next time is the last one's.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Unavailable`](tokenbook::ErrorCode::Unavailable) when the file can't be read.
    pub fn alert_notices(&self, after: Count) -> Result<Vec<AlertNotice>> {
        self.read(|db, _, _| store::notices(db, after))
    }

    /// The number of the last notice.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Unavailable`](tokenbook::ErrorCode::Unavailable) when the file can't be read.
    pub fn alert_notices_end(&self) -> Result<Count> {
        self.read(|db, _, _| store::notices_end(db))
    }

    /// Keeps a rule, or one subject of it, quiet until an instant: its alerts are noted, but not told.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::NotFound`](tokenbook::ErrorCode::NotFound) when there is no rule of that name.
    pub fn alert_silence(&self, silence: &AlertSilence) -> Result<()> {
        let silence = silence.clone();
        self.job(move |writer| writer.transact(|writer, _| store::silence(&writer.db, &silence)).map(drop))
    }
}
