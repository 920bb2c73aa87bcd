//! Budgets: limits in dollars or tokens, the holds that keep calls inside them, and what is left.

mod counter;
mod desk;
mod period;
mod status;

use serde::{Deserialize, Serialize};
use tokenbook::{Count, Error, Result, Timestamp, Usd};

pub(crate) use counter::{Context, Counters, check};
pub(crate) use desk::Desk;
pub use desk::Extending;
pub use status::{BudgetState, BudgetStatus};

use crate::calendar::Calendar;
use crate::filter::{Filter, one_or_many};
use crate::ledger::{Along, Ledger, Recorded};
use crate::record::Call;

/// Most budgets of one ledger.
const MAX_BUDGETS: usize = 10_000;
/// Longest that a hold may last without being extended.
const MAX_TTL_MS: u64 = 7 * 86_400_000;
/// How long a hold lasts unless said otherwise: a little longer than the SDKs wait for an answer.
const TTL_MS: u64 = 15 * 60_000;
/// Longest rolling window: ten years of minutes.
const MAX_WINDOW_MINUTES: u64 = 10 * 366 * 1_440;

/// A limit on what some calls may cost, or on how many tokens they may take, in each period.
///
/// ```
/// use tokenbook_ledger::Budget;
/// let budget: Budget = serde_json::from_str(
///     r#"{"name": "editor", "limit_usd": "5", "scope": {"agent": "editor"}, "period": "day", "time_zone": "Europe/Berlin"}"#,
/// )?;
/// assert_eq!(budget.scope.agent, ["editor"]);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// What it is called; a budget that is set under the same name takes its place.
    pub name: String,
    /// The limit in dollars. Either this or `limit_tokens` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_usd: Option<Usd>,
    /// The limit in tokens, input and output together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_tokens: Option<Count>,
    /// Which calls it is for; all without a scope.
    #[serde(default)]
    pub scope: Scope,
    /// How often it starts anew.
    pub period: Period,
    /// The zone whose days, weeks and months are meant; UTC if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// How far a rolling window reaches back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_minutes: Option<Count>,
    /// Whether a call that may not fit is refused or only warned of.
    #[serde(default)]
    pub mode: Mode,
    /// Whether a hard budget lets calls pass whose worst case is unknown, such as those of a model without a price.
    #[serde(default)]
    pub allow_unpriced: bool,
}

/// Which calls a budget is for: for each field that is given, those with one of its values. JSON takes one value or a list.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Scope {
    /// Calls of these agents.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
    pub agent: Vec<String>,
    /// Calls for these actions.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
    pub action: Vec<String>,
    /// Calls that ask for these models.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
    pub model: Vec<String>,
    /// Calls to these providers.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
    pub provider: Vec<String>,
    /// Calls of these sessions.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
    pub session: Vec<String>,
    /// Calls with one of these tags.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
    pub tag: Vec<String>,
}

/// How often a budget starts anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// Each hour.
    Hour,
    /// Each day of its time zone.
    Day,
    /// Each Monday of its time zone.
    Week,
    /// Each first of the month of its time zone.
    Month,
    /// All the time: it looks back over `window_minutes`.
    Rolling,
    /// Never.
    Total,
}

/// What a budget does about a call that may not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It refuses with `budget_exceeded`.
    #[default]
    Hard,
    /// It says so, and lets it pass.
    Soft,
}

/// A call that asks whether it may be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ReserveQuery {
    /// When it is made; it counts for the period that this lies in.
    pub at: Timestamp,
    /// Who makes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// What for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// The model that it asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Who is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// In which run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Free labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The most that it can cost; absent when that is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<Usd>,
    /// The most tokens that it can take, input and output together; absent when that is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Count>,
    /// Who holds; the process if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// How long the hold lasts unless it is extended; 15 minutes if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<Count>,
}

impl ReserveQuery {
    /// A call at `at` of which nothing else is known.
    pub fn new(at: Timestamp) -> Self {
        Self {
            at,
            agent: None,
            action: None,
            model: None,
            provider: None,
            session: None,
            tags: Vec::new(),
            cost_usd: None,
            tokens: None,
            owner: None,
            ttl_ms: None,
        }
    }
}

/// What a running call needs beyond its hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Extension {
    /// When; the hold lasts on from here.
    pub at: Timestamp,
    /// Dollars more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<Usd>,
    /// Tokens more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Count>,
    /// How long the hold lasts unless it is extended again; 15 minutes if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<Count>,
}

/// What was put aside for a call.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Hold {
    /// The hold to settle or void; absent when no budget is for this call, so that nothing was put aside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_id: Option<Count>,
    /// When it lapses unless it is extended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The soft budgets that the call may exceed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<BudgetWarning>,
}

/// A soft budget that a call may exceed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BudgetWarning {
    /// The budget's name.
    pub budget: String,
    /// What is the matter, for people.
    pub message: String,
}

/// What a budget looks at to see whether it is for a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    agent: Option<&'a str>,
    action: Option<&'a str>,
    model: Option<&'a str>,
    provider: Option<&'a str>,
    session: Option<&'a str>,
    tags: &'a [String],
}

impl<'a> From<&'a Call> for Subject<'a> {
    fn from(call: &'a Call) -> Self {
        Self {
            agent: call.agent.as_deref(),
            action: call.action.as_deref(),
            model: Some(&call.model),
            provider: call.provider.as_deref(),
            session: call.session.as_deref(),
            tags: &call.tags,
        }
    }
}

impl<'a> From<&'a ReserveQuery> for Subject<'a> {
    fn from(query: &'a ReserveQuery) -> Self {
        Self {
            agent: query.agent.as_deref(),
            action: query.action.as_deref(),
            model: query.model.as_deref(),
            provider: query.provider.as_deref(),
            session: query.session.as_deref(),
            tags: &query.tags,
        }
    }
}

impl Scope {
    pub(crate) fn has(&self, subject: Subject<'_>) -> bool {
        let one = |wanted: &[String], value: Option<&str>| {
            wanted.is_empty() || value.is_some_and(|value| wanted.iter().any(|wanted| wanted == value))
        };
        one(&self.agent, subject.agent)
            && one(&self.action, subject.action)
            && one(&self.model, subject.model)
            && one(&self.provider, subject.provider)
            && one(&self.session, subject.session)
            && (self.tag.is_empty() || subject.tags.iter().any(|tag| self.tag.contains(tag)))
    }

    pub(crate) fn filter(&self) -> Filter {
        Filter {
            agent: self.agent.clone(),
            action: self.action.clone(),
            model: self.model.clone(),
            provider: self.provider.clone(),
            session: self.session.clone(),
            tag: self.tag.clone(),
            ..Filter::default()
        }
    }

    pub(crate) fn normalise(&mut self) -> Result<()> {
        for (field, values) in [
            ("agent", &mut self.agent),
            ("action", &mut self.action),
            ("model", &mut self.model),
            ("provider", &mut self.provider),
            ("session", &mut self.session),
            ("tag", &mut self.tag),
        ] {
            let field = format!("scope.{field}");
            crate::record::few(&field, values.len(), crate::record::MAX_LIST)?;
            values.iter().try_for_each(|value| crate::record::name(&field, value))?;
            values.sort_unstable();
            values.dedup();
        }
        Ok(())
    }
}

/// What a budget counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// In 1e-12 dollars.
    Usd,
    Tokens,
}

impl Budget {
    pub(crate) fn unit(&self) -> Unit {
        if self.limit_usd.is_some() { Unit::Usd } else { Unit::Tokens }
    }

    /// The limit in the budget's unit.
    pub(crate) fn limit(&self) -> i128 {
        match (self.limit_usd, self.limit_tokens) {
            (Some(limit), _) => limit.pico(),
            (None, limit) => limit.unwrap_or_default().get().into(),
        }
    }

    /// An amount in the budget's unit, for people.
    pub(crate) fn show(&self, amount: i128) -> String {
        match self.unit() {
            Unit::Usd => format!("${}", Usd::from_pico(amount)),
            Unit::Tokens => format!("{amount} tokens"),
        }
    }

    /// An amount in the budget's unit, for programs.
    pub(crate) fn digits(&self, amount: i128) -> String {
        match self.unit() {
            Unit::Usd => Usd::from_pico(amount).to_string(),
            Unit::Tokens => amount.to_string(),
        }
    }

    fn normalise(&mut self) -> Result<()> {
        crate::record::name("name", &self.name)?;
        match (self.limit_usd, self.limit_tokens) {
            (Some(limit), None) if limit < Usd::ZERO => {
                return Err(Error::invalid(format!("limit_usd: expected 0 or more, got {limit}")));
            }
            (Some(_), None) | (None, Some(_)) => {}
            _ => return Err(Error::invalid("expected either limit_usd or limit_tokens")),
        }
        self.scope.normalise()?;
        if let Some(zone) = &self.time_zone {
            self.time_zone = Some(Calendar::new(zone)?.name().to_owned());
        }
        match (self.period, self.window_minutes) {
            (Period::Rolling, Some(window)) if (1..=MAX_WINDOW_MINUTES).contains(&window.get()) => Ok(()),
            (Period::Rolling, _) => Err(Error::invalid(format!(
                "window_minutes: a rolling budget needs a number from 1 to {MAX_WINDOW_MINUTES}"
            ))),
            (_, None) => Ok(()),
            _ => Err(Error::invalid("window_minutes: only a rolling budget has a window")),
        }
    }

    /// Whether what was counted for `other` counts for this one too.
    fn counts_like(&self, other: &Self) -> bool {
        self.unit() == other.unit()
            && self.scope == other.scope
            && self.period == other.period
            && self.time_zone == other.time_zone
            && self.window_minutes == other.window_minutes
    }
}

impl Ledger {
    /// Sets a budget, or changes the one of that name, and says how it stands at `at`.
    ///
    /// What was spent before it was set counts: it is taken from the ledger's sums once. Changing the limit or the mode
    /// keeps open holds; changing what is counted lets them go.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`](tokenbook::ErrorCode::InvalidArgument) for a budget that makes no sense,
    /// [`ErrorCode::Unavailable`](tokenbook::ErrorCode::Unavailable) when the file can't be written.
    pub fn budget_set(&self, budget: &Budget, at: Timestamp) -> Result<BudgetStatus> {
        let mut budget = budget.clone();
        budget.normalise()?;
        self.flush_quietly()?;
        let desk = self.inner()?.budgets.clone();
        self.job(move |writer| {
            desk.announce()?;
            let (status, held) = writer.transact(|writer, head| {
                let (counters, mut context) = writer.counting(head);
                counters.set(&mut context, &budget, at.ms())
            })?;
            desk.announce()?;
            drop(held);
            Ok(status)
        })
    }

    /// Removes a budget; calls that hold a part of it are no longer bound by it.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::NotFound`](tokenbook::ErrorCode::NotFound) when there is none of that name.
    pub fn budget_remove(&self, name: &str) -> Result<()> {
        let name = name.to_owned();
        let desk = self.inner()?.budgets.clone();
        self.job(move |writer| {
            desk.announce()?;
            let ((), held) = writer.transact(|writer, head| {
                let (counters, mut context) = writer.counting(head);
                counters.remove(&mut context, &name)
            })?;
            desk.announce()?;
            drop(held);
            Ok(())
        })
    }

    /// How all budgets stand at `at`, by name.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Unavailable`](tokenbook::ErrorCode::Unavailable) when the file can't be read.
    pub fn budgets(&self, at: Timestamp) -> Result<Vec<BudgetStatus>> {
        let zone = self.time_zone().to_owned();
        self.read(|db, names, head| {
            let mut days = Calendar::new(&zone)?;
            let mut context = Context { db, names, head, days: &mut days };
            let mut counters = Counters::default();
            counters.refresh(db)?;
            counters.standing(&mut context, at.ms())
        })
    }

    /// Whether a budget is for such a call, so that it is worth finding out what it may cost.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Unavailable`](tokenbook::ErrorCode::Unavailable) when the file can't be read.
    pub fn has_budget_for(&self, query: &ReserveQuery) -> Result<bool> {
        self.inner()?.budgets.has_budget_for(self, query)
    }

    /// Whether there is any budget at all, at about the cost of a look at a small file.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Unavailable`](tokenbook::ErrorCode::Unavailable) when the file can't be read.
    pub fn has_budgets(&self) -> Result<bool> {
        self.inner()?.budgets.has_any(self)
    }

    /// Puts aside what a call may cost at most, in every budget that is for it, or refuses.
    ///
    /// Without such a budget it costs about a microsecond and puts nothing aside. A hold lasts until it is settled by the
    /// call's record ([`Ledger::settle`]), voided, or lapses; whichever comes first is the only one that counts. A hold is
    /// not waited for to reach the disk: whoever holds it ends with the machine.
    ///
    /// A hard budget in dollars refuses a call without a known worst case unless the budget says `allow_unpriced`.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::BudgetExceeded`](tokenbook::ErrorCode::BudgetExceeded) when a hard budget has not enough left: the
    /// details name the `budget`, its `limit`, what is `spent`, `held` and `left`, and what was `wanted`.
    pub fn reserve(&self, query: &ReserveQuery) -> Result<Hold> {
        if !self.has_budget_for(query)? {
            return Ok(Hold::default());
        }
        let inner = self.inner()?;
        ttl(query.ttl_ms)?;
        inner.budgets.reserve(&inner.queue, query.clone())
    }

    /// Puts aside more for a running call, or only for longer.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::BudgetExceeded`](tokenbook::ErrorCode::BudgetExceeded) when a hard budget has not enough left: the hold
    /// stays as it was, and the call should be stopped. [`ErrorCode::Conflict`](tokenbook::ErrorCode::Conflict) when it was
    /// settled or voided or has lapsed.
    pub fn extend(&self, hold_id: Count, extension: &Extension) -> Result<Hold> {
        self.extend_ahead(hold_id, extension)?.wait()
    }

    /// As [`Ledger::extend`], but returns at once: for a call that still has some of what was put aside for it.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`](tokenbook::ErrorCode::InvalidArgument) for a time to live that can't be.
    pub fn extend_ahead(&self, hold_id: Count, extension: &Extension) -> Result<Extending> {
        let inner = self.inner()?;
        ttl(extension.ttl_ms)?;
        Ok(inner.budgets.extend(&inner.queue, hold_id, *extension))
    }

    /// Lets a hold go, because its call was not made; whether it was still there.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Unavailable`](tokenbook::ErrorCode::Unavailable) when the file can't be written.
    pub fn void(&self, hold_id: Count) -> Result<bool> {
        let inner = self.inner()?;
        inner.budgets.void(&inner.queue, hold_id)
    }

    /// Records a call and lets its hold go, in one step.
    ///
    /// The call is recorded whatever became of the hold, and whatever the budget says: what was spent was spent.
    ///
    /// # Errors
    ///
    /// As [`Ledger::record`]; the hold then stays.
    pub fn settle(&self, hold_id: Count, call: Call) -> Result<Recorded> {
        self.submit_with(call, Along { hold_id: Some(hold_id), ..Along::default() })?.wait()
    }

    /// What was queued before counts: a failure of it is told by the next flush, not here.
    fn flush_quietly(&self) -> Result<()> {
        self.inner()?.queue.settle();
        Ok(())
    }
}

/// How long a hold lasts.
fn ttl(given: Option<Count>) -> Result<i64> {
    let ttl = given.map_or(TTL_MS, Count::get);
    if ttl == 0 || ttl > MAX_TTL_MS {
        return Err(Error::invalid(format!("ttl_ms: expected a number from 1 to {MAX_TTL_MS}, got {ttl}")));
    }
    Ok(i64::try_from(ttl).expect("checked to be small"))
}
