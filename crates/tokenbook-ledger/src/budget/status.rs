//! How a budget stands.

use serde::Serialize;
use tokenbook::{Count, Result, Timestamp, Usd};

use crate::budget::counter::{Active, Counted};
use crate::budget::{Mode, Period, Scope, Unit};

/// From which share of its limit on a budget is said to be close to it.
const CLOSE_PERCENT: i128 = 80;

/// How a budget stands at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BudgetStatus {
    /// What it is called.
    pub name: String,
    /// Which calls it is for.
    pub scope: Scope,
    /// How often it starts anew.
    pub period: Period,
    /// The zone of its days.
    pub time_zone: String,
    /// How far a rolling window reaches back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_minutes: Option<Count>,
    /// Whether a call that may not fit is refused or only warned of.
    pub mode: Mode,
    /// Whether calls pass whose worst case is unknown.
    pub allow_unpriced: bool,
    /// The first instant of the period; absent where it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period_start: Option<Timestamp>,
    /// The first instant of the next period; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period_end: Option<Timestamp>,
    /// The limit in dollars.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_usd: Option<Usd>,
    /// What recorded calls of the period cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spent_usd: Option<Usd>,
    /// What running calls have put aside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_usd: Option<Usd>,
    /// What a further call may cost; never below 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_usd: Option<Usd>,
    /// The limit in tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_tokens: Option<Count>,
    /// What recorded calls of the period took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spent_tokens: Option<Count>,
    /// What running calls have put aside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_tokens: Option<Count>,
    /// What a further call may take; never below 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_tokens: Option<Count>,
    /// Spent ÷ limit, rounded down to four decimals; absent for a limit of 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// Calls of the period whose cost, or whose tokens, are unknown: they are not in what is spent.
    pub uncounted_calls: Count,
    /// How close it is to its limit.
    pub state: BudgetState,
}

/// How close a budget is to its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum BudgetState {
    /// Less than 80 % are spent.
    Ok,
    /// 80 % are spent.
    Close,
    /// All is spent.
    Exhausted,
}

impl BudgetStatus {
    /// The limit and what is spent of it, in the budget's unit.
    pub(crate) fn limit_and_spent(&self) -> (i128, i128) {
        if let (Some(limit), Some(spent)) = (self.limit_usd, self.spent_usd) {
            return (limit.pico(), spent.pico());
        }
        let tokens = |count: Option<Count>| i128::from(count.unwrap_or_default().get());
        (tokens(self.limit_tokens), tokens(self.spent_tokens))
    }

    /// How it stands, for people.
    pub(crate) fn sentence(&self) -> String {
        if let (Some(limit), Some(spent)) = (self.limit_usd, self.spent_usd) {
            return format!("${spent} of ${limit}");
        }
        let tokens = |count: Option<Count>| count.unwrap_or_default();
        format!("{} of {} tokens", tokens(self.spent_tokens), tokens(self.limit_tokens))
    }

    pub(crate) fn new(active: &mut Active, all: &Counted, at: i64) -> Result<Self> {
        let bounds = active.periods.bounds(at);
        let instant = |at: i64| Timestamp::from_ms(at.clamp(0, Timestamp::MAX.ms())).ok();
        let budget = &active.budget;
        let limit = budget.limit();
        let left = limit.saturating_sub(all.spent).saturating_sub(all.held).max(0);
        let usd = |amount: i128| (budget.unit() == Unit::Usd).then(|| Usd::from_pico(amount));
        let tokens = |amount: i128| -> Result<Option<Count>> {
            let held = u64::try_from(amount).unwrap_or(u64::MAX).min(Count::MAX.get());
            (budget.unit() == Unit::Tokens).then(|| Count::new(held)).transpose()
        };
        let percent = all.spent.saturating_mul(100);
        Ok(Self {
            name: budget.name.clone(),
            scope: budget.scope.clone(),
            period: budget.period,
            time_zone: budget.time_zone.clone().unwrap_or_else(|| "UTC".to_owned()),
            window_minutes: budget.window_minutes,
            mode: budget.mode,
            allow_unpriced: budget.allow_unpriced,
            period_start: bounds.and_then(|(start, _)| instant(start)),
            period_end: bounds.and_then(|(_, end)| instant(end)),
            limit_usd: usd(limit),
            spent_usd: usd(all.spent),
            held_usd: usd(all.held),
            left_usd: usd(left),
            limit_tokens: tokens(limit)?,
            spent_tokens: tokens(all.spent)?,
            held_tokens: tokens(all.held)?,
            left_tokens: tokens(left)?,
            share: share(all.spent, limit),
            uncounted_calls: Count::new(all.uncounted.unsigned_abs().min(Count::MAX.get()))?,
            state: if all.spent >= limit {
                BudgetState::Exhausted
            } else if percent >= limit.saturating_mul(CLOSE_PERCENT) {
                BudgetState::Close
            } else {
                BudgetState::Ok
            },
        })
    }
}

/// A share in ten-thousandths, divided as integers so that it is the same everywhere.
#[expect(clippy::float_arithmetic, clippy::cast_precision_loss, reason = "a share for reports, of a small integer")]
fn share(spent: i128, limit: i128) -> Option<f64> {
    let share = spent.checked_mul(10_000)?.checked_div(limit)?;
    Some(share as f64 / 10_000.0)
}
