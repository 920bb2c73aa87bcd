//! The one thread that writes: it commits what has gathered, keeps rollups, head and log in order.

use std::fs::TryLockError;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokenbook::{Error, ErrorCode, Result};

use crate::alert::ToolHours;
use crate::budget::{Context, Counters};
use crate::calendar::Calendar;
use crate::digest::{Digest, chain, differences};
use crate::hash::FastMap;
use crate::ledger::Status;
use crate::samples;
use crate::store::files::{Paths, open_beside};
use crate::store::fold::Deltas;
use crate::store::form::Forms;
use crate::store::names::{Interner, Names};
use crate::store::prepared::{Load, View};
use crate::store::queue::{MAX_BATCH, Queue, Work};
use crate::store::row::{self, CALL_COLUMNS, Facts, Inserter, Scratch};
use crate::store::search::Search;
use crate::store::ticket::{Head, Held, Ticket};
use crate::store::{corrupt, io, sqlite};

/// Calls that wait to be folded into rollups and the index of ids, as long as few come. Questions read them one by one; each
/// fold reads and writes a sum once instead of once a commit.
const FOLD_AFTER: i64 = 4_096;
/// Calls that wait at most, while so many come that folds would follow each other faster than [`FOLD_PAUSE`].
const FOLD_AT_MOST: i64 = 16_384;
/// How long after a fold the next one waits for more calls.
const FOLD_PAUSE: Duration = Duration::from_millis(500);
/// How long nothing has to come before calls that wait are folded.
const FOLD_WHEN_IDLE: Duration = Duration::from_millis(100);
/// Calls whose ids wait to be indexed. Ids come in no order, so nearly each one touches a page of its own of a large index,
/// fewer the more come at once. Writers remember those that wait; who looks up an id otherwise reads the ids of that many calls.
const INDEX_EVERY: i64 = 32_768;
/// Pages of the log beyond which it is brought into the database (16 MB).
const CHECKPOINT_PAGES: i32 = 4_000;
/// Pages of the log beyond which readers no longer hold that up.
const OVERDUE_PAGES: i32 = 32_000;

/// The row of the table `head`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HeadRow {
    pub(crate) seq: i64,
    pub(crate) count: i64,
    pub(crate) folded: i64,
    pub(crate) indexed: i64,
    pub(crate) pruned_before: i64,
    pub(crate) chain: Digest,
}

impl HeadRow {
    pub(crate) fn read(db: &Connection) -> Result<Self> {
        db.prepare_cached("SELECT seq, count, folded, indexed, pruned_before, chain FROM head")
            .and_then(|mut statement| {
                statement.query_row([], |row| {
                    Ok(Self {
                        seq: row.get(0)?,
                        count: row.get(1)?,
                        folded: row.get(2)?,
                        indexed: row.get(3)?,
                        pruned_before: row.get(4)?,
                        chain: row.get(5)?,
                    })
                })
            })
            .map_err(sqlite)
    }

    pub(crate) fn write(&self, db: &Connection) -> Result<()> {
        db.prepare_cached(
            "UPDATE head SET seq = ?1, count = ?2, folded = ?3, indexed = ?4, pruned_before = ?5, chain = ?6",
        )
        .and_then(|mut statement| {
            statement.execute((self.seq, self.count, self.folded, self.indexed, self.pruned_before, &self.chain[..]))
        })
        .map_err(sqlite)?;
        Ok(())
    }

    pub(crate) const fn outside(&self) -> Head {
        Head { seq: self.seq, chain: self.chain }
    }
}

/// What the writer knows of the latest calls without reading them.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    /// As of which head; anything else in the file means that another process wrote.
    known: Option<Known>,
    /// Number of the call by the key of its id, of those not yet indexed.
    pub(crate) keys: FastMap<i64, i64>,
    /// Further calls under a key that is taken.
    pub(crate) more: Vec<(i64, i64)>,
    /// Of the calls not yet folded.
    deltas: Deltas,
    tool_hours: ToolHours,
}

/// Up to where the calls reach, and up to where they are folded and indexed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    seq: i64,
    folded: i64,
    indexed: i64,
}

impl Known {
    const fn of(head: &HeadRow) -> Self {
        Self { seq: head.seq, folded: head.folded, indexed: head.indexed }
    }
}

impl Tail {
    fn forget(&mut self) {
        self.known = None;
        self.keys.clear();
        self.more.clear();
        self.forget_sums();
    }

    fn forget_sums(&mut self) {
        self.deltas.clear();
        self.tool_hours.clear();
    }

    fn insert(&mut self, key: i64, seq: i64) {
        let first = *self.keys.entry(key).or_insert(seq);
        if first != seq {
            self.more.push((key, seq));
        }
    }

    /// Forgets the ids of calls up to this one, which another process has indexed.
    fn forget_keys(&mut self, indexed: i64) {
        self.keys.retain(|_, seq| *seq > indexed);
        // What stood behind a call that is gone moves up.
        for (key, seq) in std::mem::take(&mut self.more) {
            if seq > indexed {
                self.insert(key, seq);
            }
        }
    }
}

/// The connection that writes, and what it remembers from one batch to the next.
pub(crate) struct Writer {
    pub(crate) db: Connection,
    pub(crate) calendar: Calendar,
    pub(crate) names: Names,
    ticket: Option<Ticket>,
    paths: Option<Paths>,
    memory: Option<Arc<RwLock<()>>>,
    interner: Interner,
    forms: Forms,
    scratch: Scratch,
    tail: Tail,
    log_pages: Arc<AtomicI32>,
    counters: Counters,
    /// When a fold was last seen, by whichever process.
    folded_at: Option<Instant>,
    /// Whether a transaction that nobody outside relies on may skip waiting for the disk.
    pub(crate) may_skip_sync: bool,
}

/// Spreads an id and its provider over 64 bits (FNV-1a); equal keys are told apart by reading the calls.
pub(crate) fn key(provider: i64, id: &str) -> i64 {
    let bytes = provider.to_le_bytes();
    let hash = bytes
        .iter()
        .chain(id.as_bytes())
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    hash.cast_signed()
}

impl Writer {
    pub(crate) fn new(
        mut db: Connection,
        calendar: Calendar,
        ticket: Option<Ticket>,
        paths: Option<Paths>,
        memory: Option<Arc<RwLock<()>>>,
    ) -> Result<Self> {
        let log_pages = Arc::new(AtomicI32::new(0));
        let seen = Arc::clone(&log_pages);
        db.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages| {
            seen.store(pages, Ordering::Relaxed);
            Ok(())
        }))
        .map_err(sqlite)?;
        db.execute_batch("PRAGMA cache_size=-65536").map_err(sqlite)?;
        rusqlite::vtab::array::load_module(&db).map_err(sqlite)?;
        Ok(Self {
            db,
            calendar,
            names: Names::default(),
            ticket,
            paths,
            memory,
            interner: Interner::default(),
            forms: Forms::default(),
            scratch: Scratch::default(),
            tail: Tail::default(),
            log_pages,
            counters: Counters::default(),
            folded_at: None,
            may_skip_sync: false,
        })
    }

    /// Works until the queue is closed and empty.
    #[expect(clippy::disallowed_methods, reason = "how long a commit takes says how long to gather calls")]
    pub(crate) fn work(mut self, queue: &Queue) {
        loop {
            match queue.next(self.has_to_fold().then_some(FOLD_WHEN_IDLE)) {
                Work::Close => break,
                Work::Idle => {
                    if catch_unwind(AssertUnwindSafe(|| self.fold_now())).is_err() {
                        self.recover();
                    }
                }
                Work::Job(job) => {
                    // The job's own channel closes when it panics, which its caller notices.
                    if catch_unwind(AssertUnwindSafe(|| job(&mut self))).is_err() {
                        self.recover();
                    }
                }
                Work::Batch(load, batch) => {
                    let start = Instant::now();
                    let mut results = Vec::with_capacity(load.len());
                    let mut held = None;
                    for first in (0..load.len()).step_by(MAX_BATCH) {
                        let part = first..load.len().min(first + MAX_BATCH);
                        // Two tickets of one process would wait for each other.
                        drop(held.take());
                        let done = catch_unwind(AssertUnwindSafe(|| self.commit(&load, part.clone())));
                        let done = done.unwrap_or_else(|_| {
                            self.recover();
                            Err(Error::new(ErrorCode::Internal, "a bug in the ledger's writer; nothing was written"))
                        });
                        match done {
                            Ok((some, ticket)) => {
                                results.extend(some);
                                held = ticket;
                            }
                            Err(error) => results.resize_with(part.end, || Err(error.clone())),
                        }
                    }
                    queue.finish(load, &batch, results, start.elapsed());
                    // After the answer: nobody waits for it, and no other process writes meanwhile.
                    self.checkpoint_if_due();
                    drop(held);
                }
            }
        }
        // The last connection to close brings the log in: not beside another writer.
        let held = self.ticket.as_mut().map(Ticket::take);
        drop(self.db);
        drop(held);
    }

    /// Whether calls wait that are worth a fold of their own.
    fn has_to_fold(&self) -> bool {
        self.tail.known.is_some_and(|known| known.seq - known.folded >= FOLD_AFTER)
    }

    fn is_fold_due(&self, head: &HeadRow) -> bool {
        let waiting = head.seq - head.folded;
        waiting >= FOLD_AT_MOST
            || waiting >= FOLD_AFTER && self.folded_at.is_none_or(|folded| folded.elapsed() >= FOLD_PAUSE)
    }

    /// Folds while there is nothing else to do.
    fn fold_now(&mut self) {
        match self.transact(Self::fold) {
            Ok(((), held)) => {
                self.checkpoint_if_due();
                drop(held);
            }
            // No loss: the next commit folds. Until then this thread has nothing to try again.
            Err(_) => self.tail.forget(),
        }
    }

    fn recover(&mut self) {
        if !self.db.is_autocommit() {
            let _ = self.db.execute_batch("ROLLBACK");
        }
        if self.may_skip_sync {
            let _ = self.db.execute_batch("PRAGMA synchronous=FULL");
        }
        self.forget();
    }

    fn forget(&mut self) {
        self.interner.forget();
        self.forms.forget();
        self.tail.forget();
        self.counters.forget();
    }

    /// The budgets' counters, and what they work with.
    pub(crate) fn counting(&mut self, head: &HeadRow) -> (&mut Counters, Context<'_>) {
        let Self { db, names, calendar, counters, .. } = self;
        (counters, Context { db, names, head: *head, days: calendar })
    }

    /// Writes calls in one transaction; the ticket comes back with the results.
    fn commit(&mut self, load: &Load, part: Range<usize>) -> Result<(Vec<Result<Status>>, Option<Held>)> {
        self.transact(|writer, head| {
            let mut results = Vec::with_capacity(part.len());
            writer.counters.refresh(&writer.db)?;
            writer.insert_all(head, load, part, &mut results)?;
            let (counters, mut context) = writer.counting(head);
            counters.write(&mut context)?;
            if writer.is_fold_due(head) {
                writer.fold(head)?;
            }
            Ok(results)
        })
    }

    /// As [`Writer::transact`], but without waiting for the disk: for what ends with the machine anyway.
    pub(crate) fn transact_lightly<T>(&mut self, work: impl FnOnce(&mut Self, &mut HeadRow) -> Result<T>) -> Result<T> {
        if self.may_skip_sync {
            self.db.execute_batch("PRAGMA synchronous=NORMAL").map_err(sqlite)?;
        }
        let done = self.transact(work);
        if self.may_skip_sync {
            self.db.execute_batch("PRAGMA synchronous=FULL").map_err(sqlite)?;
        }
        let (result, held) = done?;
        self.checkpoint_if_due();
        drop(held);
        Ok(result)
    }

    /// Runs `work` in one transaction under the ticket.
    pub(crate) fn transact<T>(
        &mut self,
        work: impl FnOnce(&mut Self, &mut HeadRow) -> Result<T>,
    ) -> Result<(T, Option<Held>)> {
        let held = self.ticket.as_mut().map(Ticket::take).transpose()?;
        let memory = self.memory.clone();
        let _alone = memory.as_ref().map(|memory| memory.write().unwrap_or_else(PoisonError::into_inner));
        self.run("BEGIN IMMEDIATE")?;
        let done = self.in_transaction(held.as_ref(), work).and_then(|done| {
            self.run("COMMIT")?;
            Ok(done)
        });
        let (result, before, after) = match done {
            Ok(done) => done,
            Err(error) => {
                self.recover();
                return Err(error);
            }
        };
        if let (Some(held), Some(paths)) = (&held, &self.paths)
            && before != Some(after.outside())
            && let Err(error) = held.leave_head(after.outside())
        {
            // The calls are safe; what is lost is the means to notice that they are not.
            return Err(io("write", &paths.ticket, &error));
        }
        Ok((result, held))
    }

    fn run(&self, sql: &str) -> Result<()> {
        self.db.prepare_cached(sql).and_then(|mut statement| statement.execute([])).map_err(sqlite)?;
        Ok(())
    }

    fn in_transaction<T>(
        &mut self,
        held: Option<&Held>,
        work: impl FnOnce(&mut Self, &mut HeadRow) -> Result<T>,
    ) -> Result<(T, Option<Head>, HeadRow)> {
        let mut now = HeadRow::read(&self.db)?;
        let outside = held.and_then(Held::head);
        if let Some(outside) = outside
            && (outside.seq > now.seq || (outside.seq == now.seq && outside.chain != now.chain))
        {
            self.db
                .prepare_cached("INSERT INTO loss (had, found) VALUES (?1, ?2)")
                .and_then(|mut statement| statement.execute((outside.seq, now.seq)))
                .map_err(sqlite)?;
        }
        if self.tail.known != Some(Known::of(&now)) {
            self.read_tail(&now)?;
        }
        let before = now;
        let result = work(self, &mut now)?;
        if now != before {
            now.write(&self.db)?;
        }
        self.tail.known = Some(Known::of(&now));
        Ok((result, outside, now))
    }

    #[expect(clippy::disallowed_methods, reason = "how often to fold; no record depends on it")]
    fn note_fold(&mut self) {
        self.folded_at = Some(Instant::now());
    }

    /// Reads what other processes have written since; after an error, or at first, all that isn't folded and indexed.
    fn read_tail(&mut self, head: &HeadRow) -> Result<()> {
        let known = self.tail.known.take().filter(|known| known.seq <= head.seq);
        if known.is_none() {
            self.tail.forget();
        }
        let (mut ids_after, mut sums_after) = (head.indexed, head.folded);
        if let Some(known) = known {
            if known.indexed != head.indexed {
                self.tail.forget_keys(head.indexed);
            }
            ids_after = known.seq.max(head.indexed);
            if known.folded == head.folded {
                sums_after = known.seq;
            } else {
                self.tail.forget_sums();
                self.note_fold();
            }
        }
        let Self { db, names, tail, calendar, .. } = self;
        let mut statement =
            db.prepare_cached("SELECT seq, id, combo FROM call WHERE seq > ?1 ORDER BY seq").map_err(sqlite)?;
        let mut rows = statement.query([ids_after]).map_err(sqlite)?;
        while let Some(row) = rows.next().map_err(sqlite)? {
            let id = row.get_ref(1).map_err(sqlite)?.as_str().map_err(|_| corrupt("an id"))?;
            let provider = names.combo(db, row.get(2).map_err(sqlite)?)?.provider;
            tail.insert(key(provider, id), row.get(0).map_err(sqlite)?);
        }
        row::facts_after(db, names, sums_after, |facts| {
            tail.deltas.add(calendar, facts);
            tail.tool_hours.add(facts.at, &facts.tools);
        })
    }

    fn insert_all(
        &mut self,
        head: &mut HeadRow,
        load: &Load,
        part: Range<usize>,
        results: &mut Vec<Result<Status>>,
    ) -> Result<()> {
        let Self { db, interner, forms, scratch, tail, calendar, names, counters, .. } = self;
        let db = &*db;
        forms.forget_if_many();
        let mut places = Vec::with_capacity(part.len());
        for call in part.clone().map(|at| load.get(at)) {
            let form = forms.place(db, interner, call)?;
            places.push((form, key(forms.at(form).provider, call.id())));
        }
        let mut search = Search::new(db, places.iter().map(|(_, key)| *key))?;
        let mut inserter = Inserter::new(db, scratch);
        let mut facts = Facts::default();
        for (call, (form, key)) in part.map(|at| load.get(at)).zip(places) {
            let form = forms.at(form);
            let found = if search.may_find(tail, key) {
                inserter.flush()?;
                search.find(tail, key, form.provider, call)?
            } else {
                None
            };
            if let Some((seq, same)) = found {
                results.push(if same {
                    counters.release_with(call.of.hold);
                    Ok(Status::Duplicate)
                } else {
                    Err(conflict(db, names, seq, call)?)
                });
                continue;
            }
            if call.of.at < head.pruned_before {
                results.push(Err(pruned(head.pruned_before)));
                continue;
            }
            head.seq += 1;
            head.count += 1;
            head.chain = chain(&head.chain, &call.of.digest);
            inserter.insert(interner, form, head.seq, call, &mut facts)?;
            if let Some(sample) = call.of.sample {
                samples::add(db, &form.model, sample)?;
            }
            tail.insert(key, head.seq);
            tail.deltas.add(calendar, &facts);
            tail.tool_hours.add(facts.at, &facts.tools);
            if counters.count_calls() {
                counters.add(&call.call()?)?;
            }
            counters.release_with(call.of.hold);
            results.push(Ok(Status::Recorded));
        }
        inserter.flush()
    }

    /// Brings the calls that wait into the rollups, and their ids into the index once there are enough.
    pub(crate) fn fold(&mut self, head: &mut HeadRow) -> Result<()> {
        self.tail.deltas.write(&self.db)?;
        self.tail.tool_hours.write(&self.db)?;
        head.folded = head.seq;
        self.tail.forget_sums();
        self.note_fold();
        if head.seq - head.indexed >= INDEX_EVERY { self.index(head) } else { Ok(()) }
    }

    /// Brings the ids that wait into the index.
    pub(crate) fn index(&mut self, head: &mut HeadRow) -> Result<()> {
        let mut keys: Vec<_> = self.tail.keys.drain().chain(self.tail.more.drain(..)).collect();
        keys.sort_unstable();
        let mut insert = self.db.prepare_cached("INSERT INTO call_key (key, seq) VALUES (?1, ?2)").map_err(sqlite)?;
        for (key, seq) in keys {
            let bound = insert.raw_bind_parameter(1, key).and_then(|()| insert.raw_bind_parameter(2, seq));
            bound.and_then(|()| insert.raw_execute()).map_err(sqlite)?;
        }
        head.indexed = head.seq;
        Ok(())
    }

    fn checkpoint_if_due(&mut self) {
        let pages = self.log_pages.load(Ordering::Relaxed);
        if pages >= CHECKPOINT_PAGES {
            // A failure is no loss: the log stays, and the next commit tries again.
            let _ = self.checkpoint_held(pages >= OVERDUE_PAGES);
        }
    }

    /// Brings the log into the database; the caller holds the ticket.
    fn checkpoint_held(&mut self, even_beside_readers: bool) -> Result<bool> {
        let Some(paths) = &self.paths else { return Ok(true) };
        let gate = open_beside(&paths.readers)?;
        match gate.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) if even_beside_readers => {}
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(error)) => return Err(io("lock", &paths.readers, &error)),
        }
        let done = self.db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| Ok((row.get(1)?, row.get(2)?)));
        let _ = gate.unlock();
        let (pages, brought_in): (i32, i32) = done.map_err(sqlite)?;
        if pages == brought_in {
            self.log_pages.store(0, Ordering::Relaxed);
        }
        Ok(pages == brought_in)
    }

    /// Brings the log into the database now.
    pub(crate) fn checkpoint(&mut self) -> Result<bool> {
        let ((), _held) = self.transact(Self::fold)?;
        self.checkpoint_held(true)
    }
}

#[cold]
fn conflict(db: &Connection, names: &mut Names, seq: i64, refused: View<'_>) -> Result<Error> {
    let sql = format!("SELECT {CALL_COLUMNS} FROM call WHERE seq = ?1");
    let mut statement = db.prepare_cached(&sql).map_err(sqlite)?;
    let mut rows = statement.query([seq]).map_err(sqlite)?;
    let row = rows.next().map_err(sqlite)?.ok_or_else(|| corrupt("a call is missing"))?;
    let stored = row::call(db, names, row)?;
    let fields = differences(&stored.call, &refused.call()?).join(", ");
    let id = refused.id();
    Ok(Error::new(
        ErrorCode::Conflict,
        format!("call {id:?} is recorded already with other content ({fields}); nothing was written"),
    )
    .with("id", id)
    .with("fields", fields))
}

#[cold]
fn pruned(before: i64) -> Error {
    let before = tokenbook::Timestamp::from_ms(before).map_or_else(|_| String::new(), |at| at.to_string());
    Error::invalid(format!("at: the ledger was pruned up to {before}; earlier calls can't be told from pruned ones"))
        .with("pruned_before", before)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Call, Ledger, ListQuery, Options, Status};

    #[test]
    fn ids_are_found_whether_they_are_folded_and_indexed_or_not() {
        let ledger = Ledger::open_in_memory(&Options::default()).expect("a ledger");
        let call = |number: i64| {
            let mut call = Call::new("2026-11-22T10:00:00Z".parse().expect("an instant"), "m");
            call.id = Some(number.to_string());
            call
        };
        let record = |range: std::ops::Range<i64>| {
            for result in ledger.record_batch(range.map(call).collect()).expect("open") {
                assert_eq!(result.expect("recorded").status, Status::Recorded);
            }
        };
        let count = INDEX_EVERY + 300;
        record(0..INDEX_EVERY);
        ledger.checkpoint().expect("folded and indexed");
        record(INDEX_EVERY..INDEX_EVERY + 200);
        ledger.checkpoint().expect("folded");
        record(INDEX_EVERY + 200..count);
        let (keys, head) = ledger
            .read(|db, _, head| {
                let keys: i64 = db.query_row("SELECT count(*) FROM call_key", [], |row| row.get(0)).map_err(sqlite)?;
                Ok((keys, head))
            })
            .expect("read");
        assert_eq!((keys, head.indexed, head.seq), (head.indexed, INDEX_EVERY, count));
        assert!(head.indexed < head.folded && head.folded < head.seq, "{head:?}");
        for number in [0, count / 2, head.indexed, head.folded, count - 1] {
            assert_eq!(ledger.record(call(number)).expect("there").status, Status::Duplicate);
            assert_eq!(ledger.get(&number.to_string()).expect("found"), call(number));
        }
        assert!(ledger.verify().expect("verified").ok);
        assert_eq!(ledger.list(&ListQuery::default()).expect("a page").calls.len(), 100);
    }

    #[test]
    fn calls_that_wait_are_folded_once_nothing_else_comes() {
        let ledger = Ledger::open_in_memory(&Options::default()).expect("a ledger");
        let record = |count: i64| {
            let call = |_| Call::new("2026-11-22T10:00:00Z".parse().expect("an instant"), "m");
            let calls: Vec<Call> = (0..count).map(call).collect();
            let from = ledger.stats().expect("stats").recorded;
            let calls = (from..).zip(calls).map(|(number, call)| Call { id: Some(number.to_string()), ..call });
            ledger.record_batch(calls.collect()).expect("open").into_iter().for_each(|done| drop(done.expect("new")));
        };
        let waiting = || ledger.read(|_, _, head| Ok(head.seq - head.folded)).expect("read");
        record(FOLD_AFTER);
        // Within the pause after that fold these wait, unless this machine was very slow.
        record(FOLD_AFTER + 10);
        record(10);
        let end = 1_000;
        for turn in 0..=end {
            if waiting() < FOLD_AFTER {
                break;
            }
            assert!(turn < end, "{} calls still wait", waiting());
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(ledger.verify().expect("verified").ok);
    }

    #[test]
    fn calls_under_one_key_move_up_when_another_process_has_indexed_the_first() {
        let mut tail = Tail::default();
        for (key, seq) in [(1, 1), (1, 2), (1, 3), (2, 4), (1, 5)] {
            tail.insert(key, seq);
        }
        tail.forget_keys(2);
        let mut left: Vec<_> = tail.keys.iter().map(|(key, seq)| (*key, *seq)).chain(tail.more.clone()).collect();
        left.sort_unstable();
        assert_eq!(left, [(1, 3), (1, 5), (2, 4)]);
    }

    #[test]
    fn keys_depend_on_provider_and_id() {
        let keys = [key(0, "a"), key(1, "a"), key(0, "b"), key(256, "a"), key(0, "")];
        let distinct: std::collections::BTreeSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len());
        // Stored in files: it must never change.
        assert_eq!(key(1, "msg_1"), -2_628_415_719_685_076_811);
    }
}
