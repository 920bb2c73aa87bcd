//! What budgets have spent and hold, kept in the writer's transactions.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _};
use tokenbook::{Count, Error, ErrorCode, Result, Timestamp};

use crate::budget::period::Periods;
use crate::budget::status::BudgetStatus;
use crate::budget::{
    Budget, BudgetWarning, Extension, Hold, MAX_BUDGETS, Mode, Period, ReserveQuery, Subject, Unit, ttl,
};
use crate::calendar::Calendar;
use crate::record::{Call, Outcome};
use crate::report::{Group, ReportQuery, gather, gather::Question};
use crate::store::names::Names;
use crate::store::writer::HeadRow;
use crate::store::{corrupt, sqlite};
use crate::sums::{KINDS, Sum, Sums};

/// Holds that are let go at once because they have lapsed.
const MAX_SWEPT: i64 = 1_000;

/// What is needed to read and write counts.
pub(crate) struct Context<'a> {
    pub(crate) db: &'a Connection,
    pub(crate) names: &'a mut Names,
    pub(crate) head: HeadRow,
    /// The days of the ledger's rollups.
    pub(crate) days: &'a mut Calendar,
}

/// What a budget has counted in one bucket, in its unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) spent: i128,
    pub(crate) held: i128,
    /// Calls whose amount is unknown.
    pub(crate) uncounted: i64,
}

/// A budget in use.
pub(crate) struct Active {
    id: i64,
    pub(crate) budget: Budget,
    pub(crate) periods: Periods,
}

/// All budgets, and what calls have added since the last write.
#[derive(Default)]
pub(crate) struct Counters {
    /// Of the budgets that are known; each change of any budget makes a new one.
    generation: Option<i64>,
    active: Vec<Active>,
    /// By place in `active` and bucket.
    added: BTreeMap<(usize, i64), (Counted, i64)>,
    /// Holds that recorded calls let go.
    released: Vec<i64>,
}

/// The budgets of a ledger, by name.
pub(crate) fn read_budgets(db: &Connection) -> Result<Vec<(i64, Budget)>> {
    let mut statement = db.prepare_cached("SELECT id, rule FROM budget ORDER BY name").map_err(sqlite)?;
    let mut rows = statement.query([]).map_err(sqlite)?;
    let mut budgets = Vec::new();
    while let Some(row) = rows.next().map_err(sqlite)? {
        let rule = row.get_ref(1).map_err(sqlite)?.as_str().map_err(|_| corrupt("a budget"))?;
        let budget = serde_json::from_str(rule).map_err(|_| corrupt("a budget can't be read"))?;
        budgets.push((row.get(0).map_err(sqlite)?, budget));
    }
    Ok(budgets)
}

fn amount(text: &str) -> Result<i128> {
    text.parse().map_err(|_| corrupt("a budget's sum can't be read"))
}

impl Counters {
    /// Forgets what may have been rolled back.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Reads the budgets anew if they have changed.
    pub(crate) fn refresh(&mut self, db: &Connection) -> Result<()> {
        let generation: i64 = db
            .prepare_cached("SELECT budgets FROM control")
            .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
            .map_err(sqlite)?;
        if self.generation == Some(generation) {
            return Ok(());
        }
        self.active.clear();
        self.added.clear();
        for (id, budget) in read_budgets(db)? {
            let periods = Periods::new(&budget).map_err(|_| corrupt("a budget's time zone is unknown"))?;
            self.active.push(Active { id, budget, periods });
        }
        self.generation = Some(generation);
        Ok(())
    }

    /// Whether calls count for any budget.
    pub(crate) fn count_calls(&self) -> bool {
        !self.active.is_empty()
    }

    /// Notes a call that was recorded just now.
    pub(crate) fn add(&mut self, call: &Call) -> Result<()> {
        for (place, active) in self.active.iter_mut().enumerate() {
            if !active.budget.scope.has(Subject::from(call)) {
                continue;
            }
            let known = match active.budget.unit() {
                Unit::Usd => call.cost.total_usd().map(tokenbook::Usd::pico),
                Unit::Tokens => match &call.usage {
                    Some(usage) => {
                        let (input, output) = (usage.total_input_tokens()?, usage.total_output_tokens()?);
                        Some(i128::from(input.get()) + i128::from(output.get()))
                    }
                    None => None,
                },
            };
            let (bucket, end) = active.periods.bucket(call.at.ms());
            let (counted, _) = self.added.entry((place, bucket)).or_insert((Counted::default(), end));
            counted.spent = counted.spent.saturating_add(known.unwrap_or_default());
            counted.uncounted += i64::from(known.is_none() && call.outcome == Outcome::Success);
        }
        Ok(())
    }

    /// Notes a hold that a recorded call lets go.
    pub(crate) fn release_with(&mut self, hold: Option<i64>) {
        self.released.extend(hold);
    }

    /// Writes what was noted.
    pub(crate) fn write(&mut self, context: &mut Context<'_>) -> Result<()> {
        for ((place, bucket), (more, end)) in std::mem::take(&mut self.added) {
            let active = &mut self.active[place];
            if let Some(before) = read(context.db, active.id, bucket)? {
                let sum = Counted {
                    spent: before.spent.saturating_add(more.spent),
                    held: before.held,
                    uncounted: before.uncounted.saturating_add(more.uncounted),
                };
                write(context.db, active.id, bucket, &sum)?;
            } else {
                // The first call of this bucket: those before it, and it, are in the ledger's sums already.
                let counted = gathered(context, &active.budget, bucket, end)?.unwrap_or(more);
                write(context.db, active.id, bucket, &counted)?;
                if active.periods.is_rolling() {
                    context
                        .db
                        .prepare_cached("DELETE FROM budget_sum WHERE budget = ?1 AND bucket < ?2 AND held = '0'")
                        .and_then(|mut delete| delete.execute((active.id, active.periods.forgotten_before(bucket))))
                        .map_err(sqlite)?;
                }
            }
        }
        for hold in std::mem::take(&mut self.released) {
            release(context.db, hold)?;
        }
        Ok(())
    }

    /// Sets a budget.
    pub(crate) fn set(&mut self, context: &mut Context<'_>, budget: &Budget, at: i64) -> Result<BudgetStatus> {
        let db = context.db;
        self.refresh(db)?;
        let rule = serde_json::to_string(budget).map_err(|error| Error::invalid(error.to_string()))?;
        let old = self.active.iter().find(|active| active.budget.name == budget.name);
        match old {
            Some(old) if old.budget.counts_like(budget) => {
                db.execute("UPDATE budget SET rule = ?2 WHERE id = ?1", (old.id, &rule)).map_err(sqlite)?;
            }
            old => {
                if let Some(old) = old {
                    drop_budget(db, old.id)?;
                } else if self.active.len() >= MAX_BUDGETS {
                    return Err(Error::invalid(format!("expected at most {MAX_BUDGETS} budgets")));
                }
                db.execute("INSERT INTO budget (name, rule) VALUES (?1, ?2)", (&budget.name, &rule)).map_err(sqlite)?;
            }
        }
        next_generation(db)?;
        self.forget();
        self.refresh(db)?;
        let place = self.active.iter().position(|active| active.budget.name == budget.name);
        let active = &mut self.active[place.ok_or_else(|| corrupt("a budget is missing"))?];
        if active.periods.is_rolling() {
            for (bucket, end) in active.periods.buckets_of_window(at) {
                counted(context, active, bucket, end, true)?;
            }
        } else {
            let (bucket, end) = active.periods.bucket(at);
            counted(context, active, bucket, end, true)?;
        }
        standing(context, active, at)
    }

    /// Removes a budget.
    pub(crate) fn remove(&mut self, context: &mut Context<'_>, name: &str) -> Result<()> {
        self.refresh(context.db)?;
        let Some(active) = self.active.iter().find(|active| active.budget.name == name) else {
            let shown: String = name.chars().take(80).collect();
            return Err(Error::new(ErrorCode::NotFound, format!("no budget has the name {shown:?}")));
        };
        drop_budget(context.db, active.id)?;
        next_generation(context.db)?;
        self.forget();
        Ok(())
    }

    /// How all budgets stand.
    pub(crate) fn standing(&mut self, context: &mut Context<'_>, at: i64) -> Result<Vec<BudgetStatus>> {
        self.active.iter_mut().map(|active| standing(context, active, at)).collect()
    }

    /// Puts aside what a call may take, or says which budget refuses; lapsed holds were swept before.
    pub(crate) fn reserve(&mut self, context: &mut Context<'_>, query: &ReserveQuery) -> Result<Result<Hold>> {
        let at = query.at.ms();
        let mut lines = Vec::new();
        let mut warnings = Vec::new();
        for active in self.active.iter_mut().filter(|active| active.budget.scope.has(Subject::from(query))) {
            let wanted = wanted(&active.budget, query.cost_usd, query.tokens);
            let (bucket, end) = active.periods.bucket(at);
            let before = counted(context, active, bucket, end, true)?;
            let all = window(context.db, active, at, bucket, before)?;
            match judge(active, &all, wanted, at) {
                Verdict::Fits => {}
                Verdict::Warn(warning) => warnings.push(warning),
                Verdict::Refuse(error) => return Ok(Err(error)),
            }
            lines.push((active.id, bucket, wanted.unwrap_or_default(), before));
        }
        if lines.is_empty() {
            return Ok(Ok(Hold::default()));
        }
        let expires_at = expiry(at, ttl(query.ttl_ms)?);
        let owner = query.owner.clone().unwrap_or_else(|| format!("process {}", std::process::id()));
        let db = context.db;
        let id = db
            .prepare_cached("INSERT INTO hold (owner, expires_at) VALUES (?1, ?2)")
            .and_then(|mut insert| insert.insert((&owner, expires_at.ms())))
            .map_err(sqlite)?;
        for (budget, bucket, amount, before) in lines {
            db.prepare_cached("INSERT INTO hold_line (hold, budget, bucket, amount) VALUES (?1, ?2, ?3, ?4)")
                .and_then(|mut insert| insert.execute((id, budget, bucket, amount.to_string())))
                .map_err(sqlite)?;
            write(db, budget, bucket, &Counted { held: before.held.saturating_add(amount), ..before })?;
        }
        let hold_id = Some(Count::new(id.unsigned_abs())?);
        Ok(Ok(Hold { hold_id, expires_at: Some(expires_at), warnings }))
    }

    /// Puts aside more for a call that runs.
    pub(crate) fn extend(&mut self, context: &mut Context<'_>, hold: Count, more: &Extension) -> Result<Result<Hold>> {
        let db = context.db;
        let Some(id) = open_hold(db, hold)? else { return Ok(Err(lapsed(hold))) };
        let at = more.at.ms();
        let mut lines = Vec::new();
        let mut warnings = Vec::new();
        for (budget, bucket, amount) in lines_of(db, id)? {
            let Some(active) = self.active.iter_mut().find(|active| active.id == budget) else { continue };
            let wanted = wanted(&active.budget, more.cost_usd, more.tokens);
            let before = read(db, budget, bucket)?.ok_or_else(|| corrupt("a budget's sum is missing"))?;
            if wanted != Some(0) {
                let all = window(db, active, at.max(bucket), bucket, before)?;
                match judge(active, &all, wanted, bucket) {
                    Verdict::Fits => {}
                    Verdict::Warn(warning) => warnings.push(warning),
                    Verdict::Refuse(error) => return Ok(Err(error)),
                }
            }
            lines.push((budget, bucket, amount, wanted.unwrap_or_default(), before));
        }
        for (budget, bucket, amount, wanted, before) in lines {
            db.prepare_cached("UPDATE hold_line SET amount = ?3 WHERE hold = ?1 AND budget = ?2")
                .and_then(|mut update| update.execute((id, budget, amount.saturating_add(wanted).to_string())))
                .map_err(sqlite)?;
            write(db, budget, bucket, &Counted { held: before.held.saturating_add(wanted), ..before })?;
        }
        let expires_at = expiry(at, ttl(more.ttl_ms)?);
        db.prepare_cached("UPDATE hold SET expires_at = ?2 WHERE id = ?1")
            .and_then(|mut update| update.execute((id, expires_at.ms())))
            .map_err(sqlite)?;
        Ok(Ok(Hold { hold_id: Some(hold), expires_at: Some(expires_at), warnings }))
    }
}

/// Compares all counts with what the ledger's sums and the open holds say; tells what is wrong.
pub(crate) fn check(context: &mut Context<'_>, mut tell: impl FnMut(String)) -> Result<()> {
    let mut counters = Counters::default();
    counters.refresh(context.db)?;
    let mut held: BTreeMap<(i64, i64), i128> = BTreeMap::new();
    {
        let mut statement = context.db.prepare("SELECT budget, bucket, amount FROM hold_line").map_err(sqlite)?;
        let mut rows = statement.query([]).map_err(sqlite)?;
        while let Some(row) = rows.next().map_err(sqlite)? {
            let text = row.get_ref(2).map_err(sqlite)?.as_str().map_err(|_| corrupt("a hold"))?;
            let sum = held.entry((row.get(0).map_err(sqlite)?, row.get(1).map_err(sqlite)?)).or_default();
            *sum = sum.saturating_add(amount(text)?);
        }
    }
    for active in &mut counters.active {
        let mut buckets = Vec::new();
        {
            let sql = "SELECT spent, held, uncounted, bucket FROM budget_sum WHERE budget = ?1";
            let mut statement = context.db.prepare_cached(sql).map_err(sqlite)?;
            let mut rows = statement.query([active.id]).map_err(sqlite)?;
            while let Some(row) = rows.next().map_err(sqlite)? {
                buckets.push((row.get::<_, i64>(3).map_err(sqlite)?, counted_in(row)?));
            }
        }
        let name = &active.budget.name;
        for (bucket, stored) in buckets {
            let end = active.periods.bucket(bucket).1;
            let holds = held.remove(&(active.id, bucket)).unwrap_or_default();
            if stored.held != holds {
                tell(format!("the budget {name:?} counts {} as held from {bucket} on, its holds {holds}", stored.held));
            }
            // What was pruned call by call can't be added up again.
            let Some(sum) = gathered(context, &active.budget, bucket, end)? else { continue };
            if (stored.spent, stored.uncounted) != (sum.spent, sum.uncounted) {
                let (counts, says) = (stored.spent, sum.spent);
                tell(format!(
                    "the budget {name:?} counts {counts} as spent from {bucket} on, its calls come to {says}"
                ));
            }
        }
    }
    for ((budget, bucket), amount) in held.into_iter().filter(|(_, amount)| *amount != 0) {
        tell(format!("{amount} are held in a budget {budget} that counts nothing from {bucket} on"));
    }
    Ok(())
}

/// Lets go of the holds that have lapsed.
pub(crate) fn sweep(db: &Connection, at: i64) -> Result<()> {
    let mut lapsed = Vec::new();
    let mut statement =
        db.prepare_cached("SELECT id FROM hold WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2").map_err(sqlite)?;
    loop {
        let mut rows = statement.query((at, MAX_SWEPT)).map_err(sqlite)?;
        while let Some(row) = rows.next().map_err(sqlite)? {
            lapsed.push(row.get(0).map_err(sqlite)?);
        }
        drop(rows);
        let is_last = lapsed.is_empty();
        for hold in lapsed.drain(..) {
            release(db, hold)?;
        }
        if is_last {
            return Ok(());
        }
    }
}

/// Lets a hold go; whether it was there.
pub(crate) fn release(db: &Connection, hold: i64) -> Result<bool> {
    for (budget, bucket, amount) in lines_of(db, hold)? {
        if let Some(before) = read(db, budget, bucket)? {
            write(db, budget, bucket, &Counted { held: before.held.saturating_sub(amount).max(0), ..before })?;
        }
    }
    db.prepare_cached("DELETE FROM hold_line WHERE hold = ?1")
        .and_then(|mut delete| delete.execute([hold]))
        .map_err(sqlite)?;
    let gone = db
        .prepare_cached("DELETE FROM hold WHERE id = ?1")
        .and_then(|mut delete| delete.execute([hold]))
        .map_err(sqlite)?;
    Ok(gone > 0)
}

fn lines_of(db: &Connection, hold: i64) -> Result<Vec<(i64, i64, i128)>> {
    let mut statement =
        db.prepare_cached("SELECT budget, bucket, amount FROM hold_line WHERE hold = ?1").map_err(sqlite)?;
    let mut rows = statement.query([hold]).map_err(sqlite)?;
    let mut lines = Vec::new();
    while let Some(row) = rows.next().map_err(sqlite)? {
        let text = row.get_ref(2).map_err(sqlite)?.as_str().map_err(|_| corrupt("a hold"))?;
        lines.push((row.get(0).map_err(sqlite)?, row.get(1).map_err(sqlite)?, amount(text)?));
    }
    Ok(lines)
}

fn open_hold(db: &Connection, hold: Count) -> Result<Option<i64>> {
    db.prepare_cached("SELECT id FROM hold WHERE id = ?1")
        .and_then(|mut statement| {
            statement.query_row([i64::try_from(hold.get()).unwrap_or(i64::MAX)], |row| row.get(0)).optional()
        })
        .map_err(sqlite)
}

#[cold]
fn lapsed(hold: Count) -> Error {
    Error::new(ErrorCode::Conflict, format!("hold {hold} was settled or voided, or has lapsed"))
        .with("hold_id", hold.to_string())
}

fn expiry(at: i64, ttl: i64) -> Timestamp {
    Timestamp::from_ms((at + ttl).min(Timestamp::MAX.ms())).expect("after an instant, and capped")
}

fn drop_budget(db: &Connection, id: i64) -> Result<()> {
    for sql in [
        "DELETE FROM hold_line WHERE budget = ?1",
        "DELETE FROM budget_sum WHERE budget = ?1",
        "DELETE FROM budget WHERE id = ?1",
    ] {
        db.execute(sql, [id]).map_err(sqlite)?;
    }
    Ok(())
}

fn next_generation(db: &Connection) -> Result<()> {
    db.execute("UPDATE control SET budgets = budgets + 1", []).map_err(sqlite)?;
    Ok(())
}

fn read(db: &Connection, budget: i64, bucket: i64) -> Result<Option<Counted>> {
    let mut statement = db
        .prepare_cached("SELECT spent, held, uncounted FROM budget_sum WHERE budget = ?1 AND bucket = ?2")
        .map_err(sqlite)?;
    let mut rows = statement.query((budget, bucket)).map_err(sqlite)?;
    rows.next().map_err(sqlite)?.map(counted_in).transpose()
}

fn counted_in(row: &rusqlite::Row<'_>) -> Result<Counted> {
    let read = |at: usize| row.get_ref(at).map_err(sqlite)?.as_str().map_err(|_| corrupt("a sum")).and_then(amount);
    Ok(Counted { spent: read(0)?, held: read(1)?, uncounted: row.get(2).map_err(sqlite)? })
}

fn write(db: &Connection, budget: i64, bucket: i64, sum: &Counted) -> Result<()> {
    db.prepare_cached(
        "INSERT OR REPLACE INTO budget_sum (budget, bucket, spent, held, uncounted) VALUES (?1, ?2, ?3, ?4, ?5)",
    )
    .and_then(|mut insert| insert.execute((budget, bucket, sum.spent.to_string(), sum.held.to_string(), sum.uncounted)))
    .map_err(sqlite)?;
    Ok(())
}

/// What a bucket has counted; one that was never touched is summed up from the ledger, and kept if `keep`.
fn counted(context: &mut Context<'_>, active: &mut Active, bucket: i64, end: i64, keep: bool) -> Result<Counted> {
    if let Some(counted) = read(context.db, active.id, bucket)? {
        return Ok(counted);
    }
    let counted = gathered(context, &active.budget, bucket, end)?.unwrap_or_default();
    if keep {
        write(context.db, active.id, bucket, &counted)?;
    }
    Ok(counted)
}

/// What a budget's period has counted: its bucket, or the buckets of its window.
fn window(db: &Connection, active: &mut Active, at: i64, bucket: i64, own: Counted) -> Result<Counted> {
    if !active.periods.is_rolling() {
        return Ok(own);
    }
    let mut statement = db
        .prepare_cached(
            "SELECT spent, held, uncounted FROM budget_sum WHERE budget = ?1 AND bucket >= ?2 AND bucket <> ?3",
        )
        .map_err(sqlite)?;
    let mut rows = statement.query((active.id, active.periods.first_bucket(at), bucket)).map_err(sqlite)?;
    let mut all = own;
    while let Some(row) = rows.next().map_err(sqlite)? {
        let one = counted_in(row)?;
        all.spent = all.spent.saturating_add(one.spent);
        all.held = all.held.saturating_add(one.held);
        all.uncounted = all.uncounted.saturating_add(one.uncounted);
    }
    Ok(all)
}

/// Sums up a bucket from the ledger's sums; none where single calls would be needed that were pruned.
fn gathered(context: &mut Context<'_>, budget: &Budget, from: i64, to: i64) -> Result<Option<Counted>> {
    let total = budget.period == Period::Total;
    let bounds = if total { (None, None) } else { (Some(from), Some(to)) };
    let query = ReportQuery { group_by: vec![Group::Outcome], ..ReportQuery::default() };
    let question = Question::new(&query, bounds);
    let mut utc = Calendar::new("UTC")?;
    let filter = budget.scope.filter();
    let Context { db, names, head, days } = context;
    let found = match gather::gather(db, names, *head, &question, &filter, &mut utc, days) {
        Err(error) if error.code() == ErrorCode::InvalidArgument => return Ok(None),
        found => found?,
    };
    let unknown = match budget.unit() {
        Unit::Usd => Sum::Unpriced,
        Unit::Tokens => Sum::UnknownUsage,
    };
    let mut counted = Counted::default();
    // Only added up, so that the order of the cells is nowhere seen.
    #[expect(clippy::iter_over_hash_type, reason = "a sum is the same in any order")]
    for (cell, sums) in &found.cells {
        let spent = match budget.unit() {
            Unit::Usd => sums.get(Sum::Cost),
            Unit::Tokens => tokens(sums),
        };
        counted.spent = counted.spent.saturating_add(i128::try_from(spent).unwrap_or(i128::MAX));
        if !cell.failed {
            counted.uncounted = counted.uncounted.saturating_add(i64::try_from(sums.get(unknown)).unwrap_or(i64::MAX));
        }
    }
    Ok(Some(counted))
}

fn tokens(sums: &Sums) -> u128 {
    (0..KINDS.len()).map(|kind| sums.kind(kind)).fold(0, u128::saturating_add)
}

fn wanted(budget: &Budget, cost_usd: Option<tokenbook::Usd>, tokens: Option<Count>) -> Option<i128> {
    match budget.unit() {
        Unit::Usd => cost_usd.map(|cost| cost.pico().max(0)),
        Unit::Tokens => tokens.map(|tokens| tokens.get().into()),
    }
}

enum Verdict {
    Fits,
    Warn(BudgetWarning),
    Refuse(Error),
}

fn judge(active: &mut Active, all: &Counted, wanted: Option<i128>, at: i64) -> Verdict {
    let budget = &active.budget;
    let used = all.spent.saturating_add(all.held);
    let (fits, unknown) = match wanted {
        Some(wanted) => (used.saturating_add(wanted) <= budget.limit(), false),
        None => (used < budget.limit() && budget.allow_unpriced, used < budget.limit()),
    };
    if fits {
        return Verdict::Fits;
    }
    let left = (budget.limit() - used).max(0);
    let wants = match wanted {
        Some(wanted) => format!("may take {}", budget.show(wanted)),
        None => match budget.unit() {
            Unit::Usd => "has no known price".to_owned(),
            Unit::Tokens => "may take an unknown number of tokens".to_owned(),
        },
    };
    let mut message = format!(
        "the budget {:?} allows {}: {} are spent, {} held, {} left, and this call {wants}",
        budget.name,
        budget.show(budget.limit()),
        budget.show(all.spent),
        budget.show(all.held),
        budget.show(left),
    );
    if unknown {
        message.push_str(" (`allow_unpriced` lets such calls pass)");
    }
    if budget.mode == Mode::Soft {
        return Verdict::Warn(BudgetWarning { budget: budget.name.clone(), message });
    }
    let unit = match budget.unit() {
        Unit::Usd => "usd",
        Unit::Tokens => "tokens",
    };
    let mut error = Error::new(ErrorCode::BudgetExceeded, message)
        .with("budget", &budget.name)
        .with("unit", unit)
        .with("limit", budget.digits(budget.limit()))
        .with("spent", budget.digits(all.spent))
        .with("held", budget.digits(all.held))
        .with("left", budget.digits(left));
    if let Some(wanted) = wanted {
        error = error.with("wanted", budget.digits(wanted));
    }
    if let Some(end) = active.periods.bounds(at).and_then(|(_, end)| Timestamp::from_ms(end).ok()) {
        error = error.with("period_end", end.to_string());
    }
    Verdict::Refuse(error)
}

/// How one budget stands, with the holds that have lapsed left out.
fn standing(context: &mut Context<'_>, active: &mut Active, at: i64) -> Result<BudgetStatus> {
    let (bucket, end) = active.periods.bucket(at);
    let own = counted(context, active, bucket, end, false)?;
    let mut all = window(context.db, active, at, bucket, own)?;
    let first = active.periods.first_bucket(at);
    let last = if active.periods.is_rolling() { i64::MAX } else { bucket };
    let mut statement = context
        .db
        .prepare_cached(
            "SELECT l.amount FROM hold h JOIN hold_line l ON l.hold = h.id \
             WHERE h.expires_at <= ?1 AND l.budget = ?2 AND l.bucket BETWEEN ?3 AND ?4",
        )
        .map_err(sqlite)?;
    let mut rows = statement.query((at, active.id, first, last)).map_err(sqlite)?;
    while let Some(row) = rows.next().map_err(sqlite)? {
        let text = row.get_ref(0).map_err(sqlite)?.as_str().map_err(|_| corrupt("a hold"))?;
        all.held = (all.held - amount(text)?).max(0);
    }
    BudgetStatus::new(active, &all, at)
}
