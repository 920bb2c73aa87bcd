//! Proof that the ledger is whole: nothing lost, nothing changed, every sum right.

use rusqlite::{Connection, OptionalExtension as _};
use serde::{Deserialize, Serialize};
use tokenbook::Result;

use crate::calendar::{Calendar, MS_PER_HOUR, Unit};
use crate::digest::{CHAIN_START, Digest, chain, digest};
use crate::ledger::Ledger;
use crate::spread::Spread;
use crate::store::fold::{Deltas, Kind};
use crate::store::names::Names;
use crate::store::packed::digest_of;
use crate::store::row::{CALL_COLUMNS, FACT_WIDTH, Facts, Stored, call, facts};
use crate::store::ticket::{Head, head_beside};
use crate::store::writer::{HeadRow, key};
use crate::store::{corrupt, sqlite};
use crate::sums::Sums;

/// Most problems that are listed; more are counted.
const MAX_PROBLEMS: usize = 100;

/// What a check of the whole ledger found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Verification {
    /// Whether everything is right.
    pub ok: bool,
    /// Calls that were read.
    pub calls: u64,
    /// Rollups that were compared with their calls.
    pub rollups: u64,
    /// How many problems there are.
    pub problem_count: u64,
    /// The first 100 of them.
    pub problems: Vec<Problem>,
}

/// Something that is wrong with a ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Problem {
    /// What kind of thing.
    pub kind: ProblemKind,
    /// What exactly.
    pub message: String,
}

/// What can be wrong with a ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// SQLite finds the file damaged.
    Damaged,
    /// A call's content isn't what was recorded.
    Changed,
    /// Calls that were recorded are no longer there.
    Lost,
    /// A sum isn't the sum of its calls.
    WrongSum,
    /// A call can't be found by its id.
    Index,
}

impl Verification {
    fn add(&mut self, kind: ProblemKind, message: impl Into<String>) {
        self.problem_count += 1;
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem { kind, message: message.into() });
        }
    }
}

impl Ledger {
    /// Checks the whole ledger: the file, each call against its fingerprint, the chain of fingerprints against the head
    /// inside and the head beside the database, the index of ids, each rollup against its calls, and what budgets have counted
    /// against the rollups and the open holds.
    ///
    /// It reads everything and may run beside recording.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Unavailable`](tokenbook::ErrorCode::Unavailable) when the file can't be read at all. Damage is not an
    /// error but a finding.
    pub fn verify(&self) -> Result<Verification> {
        // Before the reading: what a writer adds meanwhile is no loss.
        let outside = self.inner()?.paths.as_ref().and_then(|paths| head_beside(&paths.ticket));
        let mut calendar = Calendar::new(self.time_zone())?;
        self.read(|db, names, head| {
            let mut found = Verification::default();
            check_file(db, &mut found)?;
            check_losses(db, &mut found, head, outside);
            let checked = check_calls(db, names, head, outside, &mut calendar, &mut found)
                .and_then(|sums| check_rollups(db, head, sums, &mut calendar, &mut found))
                .and_then(|()| {
                    let mut context = crate::budget::Context { db, names, head, days: &mut calendar };
                    crate::budget::check(&mut context, |message| found.add(ProblemKind::WrongSum, message))
                });
            if let Err(error) = checked {
                found.add(ProblemKind::Damaged, error.message());
            }
            found.ok = found.problem_count == 0;
            Ok(found)
        })
    }
}

fn check_file(db: &Connection, found: &mut Verification) -> Result<()> {
    let mut statement = db.prepare("PRAGMA integrity_check").map_err(sqlite)?;
    let mut rows = statement.query([]).map_err(sqlite)?;
    loop {
        match rows.next() {
            Ok(Some(row)) => {
                let line: String = row.get(0).map_err(sqlite)?;
                if line != "ok" {
                    found.add(ProblemKind::Damaged, line);
                }
            }
            Ok(None) => return Ok(()),
            Err(error) => {
                found.add(ProblemKind::Damaged, error.to_string());
                return Ok(());
            }
        }
    }
}

fn check_losses(db: &Connection, found: &mut Verification, head: HeadRow, outside: Option<Head>) {
    if let Some(outside) = outside
        && outside.seq > head.seq
    {
        found.add(
            ProblemKind::Lost,
            format!("{} calls were recorded, but the file ends at {}: its end was lost", outside.seq, head.seq),
        );
    }
    let losses = db.prepare("SELECT had, found FROM loss").and_then(|mut statement| {
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<Vec<(i64, i64)>, _>>()
    });
    for (had, only) in losses.unwrap_or_default() {
        found.add(ProblemKind::Lost, format!("once {had} calls were recorded, but the file ended at {only}"));
    }
}

/// Reads every call; gives back the sums of those that rollups should hold.
fn check_calls(
    db: &Connection,
    names: &mut Names,
    head: HeadRow,
    outside: Option<Head>,
    calendar: &mut Calendar,
    found: &mut Verification,
) -> Result<Deltas> {
    let mut pruned = pruned_runs(db)?.into_iter().peekable();
    let mut has_key = db.prepare("SELECT 1 FROM call_key WHERE key = ?1 AND seq = ?2").map_err(sqlite)?;
    let mut statement = db.prepare(&format!("SELECT {CALL_COLUMNS} FROM call ORDER BY seq")).map_err(sqlite)?;
    let mut rows = statement.query([]).map_err(sqlite)?;
    let mut sums = Deltas::default();
    let (mut seen, mut scratch) = (Facts::default(), Vec::new());
    let (mut last, mut link) = (0, CHAIN_START);
    let mut indexed = 0_i64;
    let compare = |seq: i64, link: &Digest, found: &mut Verification| {
        if let Some(outside) = outside
            && outside.seq == seq
            && outside.chain != *link
        {
            found.add(ProblemKind::Changed, format!("calls up to {seq} aren't those that were recorded"));
        }
    };
    while let Some(row) = rows.next().map_err(sqlite)? {
        let seq: i64 = row.get(FACT_WIDTH).map_err(sqlite)?;
        if let Some((_, end, chain)) = pruned.next_if(|(first, ..)| *first == last + 1) {
            (last, link) = (end, chain);
            compare(last, &link, found);
        }
        if seq != last + 1 {
            found.add(ProblemKind::Lost, format!("calls {} to {} are missing", last + 1, seq - 1));
        }
        last = seq;
        found.calls += 1;
        let data = row.get_ref(FACT_WIDTH - 1).map_err(sqlite)?.as_blob().map_err(|_| corrupt("a call has no data"))?;
        let stored = digest_of(data)?;
        link = chain(&link, &stored);
        compare(seq, &link, found);
        match call(db, names, row) {
            Ok(read) if fingerprint(&read, &mut scratch) == stored => {}
            Ok(read) => {
                let id = read.call.id.unwrap_or_default();
                found.add(ProblemKind::Changed, format!("call {seq} ({id:?}) isn't what was recorded"));
            }
            Err(error) => {
                found.add(ProblemKind::Changed, format!("call {seq} can't be read: {}", error.message()));
                continue;
            }
        }
        if seq <= head.indexed {
            indexed += 1;
            let id = row.get_ref(FACT_WIDTH + 1).map_err(sqlite)?.as_str().map_err(|_| corrupt("an id"))?;
            let provider = names.combo(db, row.get(1).map_err(sqlite)?)?.provider;
            let key = key(provider, id);
            if !has_key.exists((key, seq)).map_err(sqlite)? {
                found.add(ProblemKind::Index, format!("call {seq} ({id:?}) is not in the index of ids"));
            }
        }
        if seq <= head.folded && facts(db, names, row, &mut seen).is_ok() {
            sums.add(calendar, &seen);
        }
    }
    if let Some((_, end, chain)) = pruned.next_if(|(first, ..)| *first == last + 1) {
        (last, link) = (end, chain);
        compare(last, &link, found);
    }
    if last != head.seq {
        found.add(ProblemKind::Lost, format!("the calls end at {last} instead of {}", head.seq));
    } else if link != head.chain {
        found.add(ProblemKind::Changed, "the chain of fingerprints doesn't lead to the head");
    }
    if i64::try_from(found.calls) != Ok(head.count) {
        found.add(ProblemKind::Lost, format!("there are {} calls instead of {}", found.calls, head.count));
    }
    let keys: i64 = db.query_row("SELECT count(*) FROM call_key", [], |row| row.get(0)).map_err(sqlite)?;
    if keys != indexed {
        found.add(ProblemKind::Index, format!("the index of ids has {keys} entries instead of {indexed}"));
    }
    Ok(sums)
}

/// The fingerprint that a call should have.
fn fingerprint(stored: &Stored, scratch: &mut Vec<u8>) -> Digest {
    digest(stored.call.id.as_deref().unwrap_or_default(), &stored.call, stored.price.as_deref(), scratch)
}

/// Runs of pruned calls: the first, the last, and the chain's value after it.
pub(crate) fn pruned_runs(db: &Connection) -> Result<Vec<(i64, i64, Digest)>> {
    let mut statement = db.prepare("SELECT first, last, chain FROM pruned ORDER BY first").map_err(sqlite)?;
    let runs = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).map_err(sqlite)?;
    runs.collect::<Result<_, _>>().map_err(sqlite)
}

fn check_rollups(
    db: &Connection,
    head: HeadRow,
    sums: Deltas,
    calendar: &mut Calendar,
    found: &mut Verification,
) -> Result<()> {
    let (mut expected, mut expected_spreads) = sums.into_sorted();
    let pruned_day = calendar.day_of(head.pruned_before);
    let pruned_month = Calendar::first_day(Unit::Month, pruned_day);
    let (mut hours, mut days, mut months) = (Sums::default(), Sums::default(), Sums::default());
    let mut statement = db.prepare("SELECT kind, bucket, facet, combo, sums FROM roll").map_err(sqlite)?;
    let mut rows = statement.query([]).map_err(sqlite)?;
    while let Some(row) = rows.next().map_err(sqlite)? {
        let number: i64 = row.get(0).map_err(sqlite)?;
        let Some(kind) = Kind::from_number(number) else {
            found.add(ProblemKind::Damaged, format!("a rollup is of the unknown kind {number}"));
            continue;
        };
        let at = crate::store::fold::Key {
            kind,
            bucket: row.get(1).map_err(sqlite)?,
            facet: row.get(2).map_err(sqlite)?,
            combo: row.get(3).map_err(sqlite)?,
        };
        found.rollups += 1;
        let frozen = match kind {
            Kind::Hour | Kind::HourOverall => at.bucket * MS_PER_HOUR < head.pruned_before,
            _ if kind.is_of_months() => head.pruned_before > 0 && at.bucket <= pruned_month,
            _ => at.bucket < pruned_day,
        };
        if kind.holds_spreads() {
            let mut stored = Spread::default();
            let bytes = row.get_ref(4).map_err(sqlite)?.as_blob();
            let readable = bytes.is_ok_and(|bytes| stored.add_written(bytes).is_ok());
            let expected = expected_spreads.remove(&at);
            if !readable {
                found.add(ProblemKind::WrongSum, format!("{at:?} can't be read"));
            } else if !frozen && expected.as_ref() != Some(&stored) {
                found.add(ProblemKind::WrongSum, format!("{at:?} isn't the spread of its calls"));
            }
            continue;
        }
        let mut stored = Sums::default();
        let readable = row.get_ref(4).map_err(sqlite)?.as_blob().is_ok_and(|bytes| stored.add_written(bytes).is_ok());
        let expected = expected.remove(&at);
        if !readable {
            found.add(ProblemKind::WrongSum, format!("{at:?} can't be read"));
            continue;
        }
        // What was pruned can't be added up again, but its hours and its days must still agree.
        match kind {
            Kind::Hour => hours.add(&stored),
            Kind::Day => days.add(&stored),
            Kind::Month => months.add(&stored),
            _ => {}
        }
        if !frozen && expected.as_ref() != Some(&stored) {
            found.add(ProblemKind::WrongSum, format!("{at:?} isn't the sum of its calls"));
        }
    }
    for at in expected.into_keys().chain(expected_spreads.into_keys()) {
        found.add(ProblemKind::WrongSum, format!("{at:?} is missing"));
    }
    if hours != days || days != months {
        found.add(ProblemKind::WrongSum, "the sums by hour, by day and by month differ");
    }
    Ok(())
}

/// The chain's value after the last call before `seq`, and so on: what pruning needs.
pub(crate) fn walk_chain(
    db: &Connection,
    mut visit: impl FnMut(i64, i64, Digest, bool) -> Result<()>,
    boundary: i64,
) -> Result<()> {
    let mut pruned = pruned_runs(db)?.into_iter().peekable();
    let mut statement = db.prepare("SELECT seq, at, data FROM call ORDER BY seq").map_err(sqlite)?;
    let mut rows = statement.query([]).map_err(sqlite)?;
    let (mut last, mut link) = (0, CHAIN_START);
    loop {
        let row = rows.next().map_err(sqlite)?;
        if let Some((first, end, chain)) = pruned.next_if(|(first, ..)| *first == last + 1) {
            visit(first, end, chain, true)?;
            (last, link) = (end, chain);
        }
        let Some(row) = row else { return Ok(()) };
        let seq: i64 = row.get(0).map_err(sqlite)?;
        if seq != last + 1 {
            return Err(corrupt("calls are missing; nothing was pruned"));
        }
        let data = row.get_ref(2).map_err(sqlite)?.as_blob().map_err(|_| corrupt("a call has no data"))?;
        link = chain(&link, &digest_of(data)?);
        last = seq;
        let at: i64 = row.get(1).map_err(sqlite)?;
        visit(seq, seq, link, at < boundary)?;
    }
}

/// Whether a call with this number is there.
pub(crate) fn call_place(db: &Connection, seq: i64) -> Result<Option<(i64, String)>> {
    db.prepare_cached("SELECT k.provider, c.id FROM call c JOIN combo k ON k.id = c.combo WHERE c.seq = ?1")
        .and_then(|mut statement| statement.query_row([seq], |row| Ok((row.get(0)?, row.get(1)?))).optional())
        .map_err(sqlite)
}
