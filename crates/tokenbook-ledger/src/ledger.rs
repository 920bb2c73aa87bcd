//! The handle: opening, recording, and the way to everything else.

use std::cell::RefCell;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use tokenbook::{Count, Error, ErrorCode, Result, Timestamp};

use crate::budget::Desk;
use crate::calendar::Calendar;
use crate::live::Board;
use crate::record::Call;
use crate::store::files::{self, Paths, open_beside};
use crate::store::names::Names;
use crate::store::prepared::Load;
use crate::store::queue::{Batch, MAX_BATCH, Queue};
use crate::store::read::Reader;
use crate::store::row::{CALL_COLUMNS, call};
use crate::store::schema::{self, Place};
use crate::store::sqlite;
use crate::store::ticket::Ticket;
use crate::store::writer::Writer;

/// What "recorded" promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// A recorded call survives a power cut: each commit waits for the disk.
    #[default]
    Full,
    /// A recorded call survives the end of the process, however violent; a power cut may lose the last ones, but
    /// never leaves half of one. [`Ledger::verify`] then says so.
    Process,
}

/// How the file is kept whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Journal {
    /// A write-ahead log: readers and the writer don't wait for each other. Needs a local disk.
    #[default]
    Wal,
    /// A rollback journal: slower, but works on a network file system that a single host uses.
    Rollback,
}

/// How to open a ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// What "recorded" promises.
    pub durability: Durability,
    /// How the file is kept whole.
    pub journal: Journal,
    /// The zone whose days the ledger keeps sums of; set when it is created, UTC unless said otherwise.
    pub time_zone: Option<String>,
    /// How long to wait for other processes before `unavailable`.
    pub busy_timeout_ms: u64,
    /// How many queued calls may wait for the writer before `unavailable`.
    pub queue_limit: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            durability: Durability::Full,
            journal: Journal::Wal,
            time_zone: None,
            busy_timeout_ms: 30_000,
            queue_limit: 100_000,
        }
    }
}

/// What became of a recorded call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Recorded {
    /// The call's id: its own, or one made of its content.
    pub id: String,
    /// Whether it was new.
    pub status: Status,
}

/// Whether a recorded call was new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It was new and is now in the ledger.
    Recorded,
    /// The same call was there already; nothing was written.
    Duplicate,
}

/// What became of the calls queued since the last flush.
#[derive(Debug, Clone, Default)]
pub struct Flushed {
    /// How many were new.
    pub recorded: u64,
    /// How many were there already.
    pub duplicates: u64,
    /// How many were not written.
    pub failed: u64,
    /// The first 1,000 that were not written, with the reason.
    pub failures: Vec<QueuedFailure>,
}

/// What is written in the same step as a call, and is no part of its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Along {
    /// The hold that the call's cost was put aside in: it is let go.
    pub hold_id: Option<Count>,
    /// What its input was estimated to be: kept beside what was billed, to correct later estimates by.
    pub estimated_tokens: Option<Count>,
}

/// A queued call that was not written.
#[derive(Debug, Clone)]
pub struct QueuedFailure {
    /// The call's id.
    pub id: String,
    /// Why not.
    pub error: Error,
}

/// A ledger of calls: a file, or memory.
///
/// The handle is cheap to clone and may be used from any thread. Any number of processes may have the same file open and
/// record into it. The last handle to go waits until all is written.
///
/// Don't open the file with another copy of SQLite in the same process while the ledger is open (Python's `sqlite3`
/// is one): closing it drops the locks of this one, as POSIX has it. [`Ledger::query`] and [`Ledger::snapshot`] are there
/// instead.
///
/// ```
/// use tokenbook_ledger::{Call, Ledger, Options, Status};
/// let ledger = Ledger::open_in_memory(&Options::default())?;
/// let call = Call::new("2026-11-22T10:00:00Z".parse()?, "gpt-5");
/// let recorded = ledger.record(call.clone())?;
/// assert_eq!(ledger.record(call)?.status, Status::Duplicate);
/// assert_eq!(ledger.get(&recorded.id)?.model, "gpt-5");
/// # Ok::<(), tokenbook::Error>(())
/// ```
#[derive(Clone)]
pub struct Ledger {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger").field("place", &self.inner.place).finish_non_exhaustive()
    }
}

/// The state of one ledger in one process.
pub(crate) struct Inner {
    process: u32,
    place: Place,
    options: Options,
    pub(crate) paths: Option<Paths>,
    memory: Option<Arc<RwLock<()>>>,
    pub(crate) time_zone: String,
    pub(crate) queue: Arc<Queue>,
    pub(crate) budgets: Desk,
    thread: Option<JoinHandle<()>>,
    readers: Mutex<Vec<Reader>>,
    pub(crate) live: Board,
    /// The same ledger, opened anew in a process that was forked off.
    forked: OnceLock<Arc<Inner>>,
}

/// Readers kept for the next question.
const MAX_READERS: usize = 8;

impl Ledger {
    /// Opens a ledger, creating it if there is none.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`] for a symbolic link, for a file system that can't hold a ledger, for a file that is
    /// none or that a newer version wrote; [`ErrorCode::Conflict`] for another time zone than the ledger was created with;
    /// [`ErrorCode::Unavailable`] when the file can't be opened or written.
    pub fn open(path: impl AsRef<Path>, options: &Options) -> Result<Self> {
        let paths = files::prepare(path.as_ref(), options.journal == Journal::Rollback)?;
        let place = Place::File { path: paths.database.clone(), journal: options.journal };
        Ok(Self { inner: Arc::new(Inner::open(place, Some(paths), options.clone())?) })
    }

    /// Makes a ledger in memory that ends with its last handle.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`] for an unknown time zone.
    pub fn open_in_memory(options: &Options) -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let place = Place::Memory { name: format!("tokenbook-{number}") };
        Ok(Self { inner: Arc::new(Inner::open(place, None, options.clone())?) })
    }

    /// The zone whose days the ledger keeps sums of.
    pub fn time_zone(&self) -> &str {
        &self.inner.time_zone
    }

    /// Records a call and waits until it is durable.
    ///
    /// A call whose id is there already is not written again. Recording it once more is therefore always safe, also
    /// after an error that leaves open what happened.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`] for a call that can't be stored, [`ErrorCode::Conflict`] when its id is there
    /// with other content, [`ErrorCode::Unavailable`] when the file can't be written.
    #[inline]
    pub fn record(&self, call: Call) -> Result<Recorded> {
        self.submit(call)?.wait()
    }

    /// Hands a call to the writer and returns at once; the receipt waits until it is durable.
    ///
    /// One thread can so have many calls on their way, which are committed together.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`] for a call that can't be stored, [`ErrorCode::Unavailable`] when the ledger is
    /// closed.
    #[inline]
    pub fn submit(&self, call: Call) -> Result<Receipt> {
        self.submit_with(call, Along::default())
    }

    /// As [`Ledger::submit`], and writes what goes along with the call in the same step.
    ///
    /// # Errors
    ///
    /// As [`Ledger::submit`].
    #[inline]
    pub fn submit_with(&self, mut call: Call, along: Along) -> Result<Receipt> {
        let (id, batch, at) = self.inner()?.submit_one(&mut call, along, false)?;
        Ok(Receipt { id, batch, at })
    }

    /// Records calls and says for each what became of it; they need not succeed or fail together.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Unavailable`] when the ledger is closed.
    pub fn record_batch(&self, calls: Vec<Call>) -> Result<Vec<Result<Recorded>>> {
        self.record_batch_with(calls.into_iter().map(|call| (call, Along::default())).collect())
    }

    /// As [`Ledger::record_batch`], and writes what goes along with each call in the same step.
    ///
    /// # Errors
    ///
    /// As [`Ledger::record_batch`].
    pub fn record_batch_with(&self, calls: Vec<(Call, Along)>) -> Result<Vec<Result<Recorded>>> {
        let mut results = Vec::with_capacity(calls.len());
        let mut calls = calls.into_iter();
        let mut before: Option<Pending> = None;
        loop {
            // While one part is written, the next is prepared.
            let part: Vec<(Call, Along)> = calls.by_ref().take(MAX_BATCH).collect();
            let pending = if part.is_empty() { None } else { Some(self.submit_all_with(part)?) };
            if let Some(done) = before.take() {
                done.wait(&mut results);
            }
            match pending {
                Some(pending) => before = Some(pending),
                None => return Ok(results),
            }
        }
    }

    /// Hands calls to the writer.
    pub(crate) fn submit_all(&self, calls: Vec<Call>) -> Result<Pending> {
        self.submit_all_with(calls.into_iter().map(|call| (call, Along::default())).collect())
    }

    fn submit_all_with(&self, calls: Vec<(Call, Along)>) -> Result<Pending> {
        let inner = self.inner()?;
        let mut refused = Vec::new();
        let mut good = Load::default();
        let mut ids = Vec::with_capacity(calls.len());
        let count = calls.len();
        for (at, (mut call, along)) in calls.into_iter().enumerate() {
            match good.push(&mut call, along, false) {
                Ok(id) => ids.push(id),
                Err(error) => refused.push((at, error)),
            }
        }
        let batch = if good.is_empty() { None } else { Some(inner.queue.submit(&mut good, false, usize::MAX)?) };
        Ok(Pending { batch, ids, refused, count })
    }

    /// Hands a call to the writer and returns at once; [`Ledger::flush`] waits and says what became of it.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`] for a call that can't be stored, [`ErrorCode::Unavailable`] when too many are
    /// waiting already.
    #[inline]
    pub fn record_queued(&self, mut call: Call) -> Result<String> {
        Ok(self.inner()?.submit_one(&mut call, Along::default(), true)?.0)
    }

    /// Waits until all queued calls are durable, and says what became of those since the last flush.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Unavailable`] when the ledger can't be reopened after a fork.
    pub fn flush(&self) -> Result<Flushed> {
        Ok(self.inner()?.queue.flush())
    }

    /// The call with this id.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::NotFound`] when there is none, [`ErrorCode::Conflict`] when calls of several providers have it:
    /// [`Ledger::get_of`] then says which is meant.
    pub fn get(&self, id: &str) -> Result<Call> {
        let mut found = self.find(id)?;
        match found.len() {
            0 => Err(not_found(id)),
            1 => Ok(found.remove(0)),
            _ => {
                let providers: Vec<_> = found.iter().map(|call| call.provider.as_deref().unwrap_or("none")).collect();
                let providers = providers.join(", ");
                Err(Error::new(
                    ErrorCode::Conflict,
                    format!("calls of several providers ({providers}) have the id {id:?}"),
                )
                .with("providers", providers))
            }
        }
    }

    /// The call of one provider with this id.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::NotFound`] when there is none.
    pub fn get_of(&self, provider: Option<&str>, id: &str) -> Result<Call> {
        let found = self.find(id)?.into_iter().find(|call| call.provider.as_deref() == provider);
        found.ok_or_else(|| not_found(id))
    }

    fn find(&self, id: &str) -> Result<Vec<Call>> {
        self.read(|db, names, head| {
            // The index has no providers' names: each provider that was ever recorded is tried.
            let mut providers = vec![0];
            let mut known =
                db.prepare_cached("SELECT DISTINCT provider FROM combo WHERE provider <> 0").map_err(sqlite)?;
            for provider in known.query_map([], |row| row.get(0)).map_err(sqlite)? {
                providers.push(provider.map_err(sqlite)?);
            }
            let mut found = Vec::new();
            let by_key = format!(
                "SELECT {CALL_COLUMNS} FROM call WHERE seq IN (SELECT seq FROM call_key WHERE key = ?1) AND id = ?2 \
                 AND combo IN (SELECT id FROM combo WHERE provider = ?3)"
            );
            let mut by_key = db.prepare_cached(&by_key).map_err(sqlite)?;
            for provider in providers {
                let mut rows = by_key.query((crate::store::writer::key(provider, id), id, provider)).map_err(sqlite)?;
                while let Some(row) = rows.next().map_err(sqlite)? {
                    found.push(call(db, names, row)?.call);
                }
            }
            let tail = format!("SELECT {CALL_COLUMNS} FROM call WHERE seq > ?1 AND id = ?2");
            let mut tail = db.prepare_cached(&tail).map_err(sqlite)?;
            let mut rows = tail.query((head.indexed, id)).map_err(sqlite)?;
            while let Some(row) = rows.next().map_err(sqlite)? {
                found.push(call(db, names, row)?.call);
            }
            Ok(found)
        })
    }

    /// Reads at one moment.
    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&Connection, &mut Names, crate::store::writer::HeadRow) -> Result<T>,
    ) -> Result<T> {
        self.inner()?.read(read)
    }

    /// Runs a job on the writer's thread.
    pub(crate) fn job<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Writer) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.inner()?.queue.job(job)
    }

    /// Brings the log into the database, and everything recorded into the rollups.
    ///
    /// It happens by itself; this is for a moment of one's own choosing, such as before the file is copied.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Unavailable`] when the file can't be written.
    pub fn checkpoint(&self) -> Result<()> {
        self.flush()?;
        self.job(|writer| writer.checkpoint().map(drop))
    }

    /// The state in this process: a fork opens the ledger anew, since neither threads nor locks come along.
    pub(crate) fn inner(&self) -> Result<&Inner> {
        let process = std::process::id();
        let mut inner = &self.inner;
        while inner.process != process {
            if inner.forked.get().is_none() {
                if let Place::Memory { .. } = inner.place {
                    return Err(Error::new(ErrorCode::Unavailable, "a ledger in memory doesn't survive a fork"));
                }
                let options = Options { time_zone: None, ..inner.options.clone() };
                let anew = Inner::open(inner.place.clone(), inner.paths.clone(), options)?;
                // Another thread may have been faster; its one is used, and ours closes.
                let _ = inner.forked.set(Arc::new(anew));
            }
            inner = inner.forked.get().expect("set above");
        }
        Ok(inner)
    }
}

#[cold]
fn not_found(id: &str) -> Error {
    let shown: String = id.chars().take(80).collect();
    Error::new(ErrorCode::NotFound, format!("no call has the id {shown:?}"))
}

/// A call on its way to the disk.
#[derive(Debug)]
#[must_use = "without waiting, nobody learns whether the call was recorded"]
pub struct Receipt {
    id: String,
    batch: Arc<Batch>,
    at: usize,
}

impl Receipt {
    /// Waits until the call is durable.
    ///
    /// # Errors
    ///
    /// As [`Ledger::record`].
    pub fn wait(self) -> Result<Recorded> {
        self.batch.wait()[self.at].clone().map(|status| Recorded { id: self.id, status })
    }
}

/// Calls handed to the writer.
pub(crate) struct Pending {
    batch: Option<(Arc<Batch>, usize)>,
    ids: Vec<String>,
    refused: Vec<(usize, Error)>,
    count: usize,
}

impl Pending {
    /// Waits, and puts what became of each behind `results`.
    pub(crate) fn wait(self, results: &mut Vec<Result<Recorded>>) {
        let written = self.batch.as_ref().map_or(&[][..], |(batch, first)| &batch.wait()[*first..]);
        let mut written = written.iter().zip(self.ids);
        let mut refused = self.refused.into_iter().peekable();
        for at in 0..self.count {
            if let Some((_, error)) = refused.next_if(|(refused, _)| *refused == at) {
                results.push(Err(error));
            } else {
                let (done, id) = written.next().expect("an answer for each call");
                results.push(done.clone().map(|status| Recorded { id, status }));
            }
        }
    }
}

impl Inner {
    fn open(place: Place, paths: Option<Paths>, options: Options) -> Result<Self> {
        let wait = Duration::from_millis(options.busy_timeout_ms);
        let wanted = options.time_zone.as_deref().map(Calendar::new).transpose()?;
        let memory = paths.is_none().then(Arc::default);
        let live = Board::new(paths.as_ref().map(|paths| paths.database.as_path()));
        let mut ticket = paths.as_ref().map(|paths| Ticket::new(paths.ticket.clone(), wait));
        let (db, time_zone) = {
            let _held = ticket.as_mut().map(Ticket::take).transpose()?;
            let mut db = schema::connect(&place, options.durability, wait)?;
            let time_zone = schema::migrate(&mut db, &place, wanted.as_ref().map(Calendar::name))?;
            (db, time_zone)
        };
        let mut writer = Writer::new(db, Calendar::new(&time_zone)?, ticket, paths.clone(), memory.clone())?;
        writer.may_skip_sync = options.durability == Durability::Full && options.journal == Journal::Wal;
        let budgets = Desk::new(paths.as_ref().map(|paths| paths.budgets.clone()));
        let queue = Arc::new(Queue::default());
        let thread = {
            let queue = Arc::clone(&queue);
            let work = move || {
                let _end = EndOnDrop(Arc::clone(&queue));
                writer.work(&queue);
            };
            std::thread::Builder::new().name("tokenbook-ledger".to_owned()).spawn(work).map_err(|error| {
                Error::new(ErrorCode::Unavailable, format!("can't start the ledger's writer: {error}"))
            })?
        };
        Ok(Self {
            process: std::process::id(),
            place,
            options,
            paths,
            memory,
            time_zone,
            queue,
            budgets,
            thread: Some(thread),
            readers: Mutex::default(),
            live,
            forked: OnceLock::new(),
        })
    }

    /// Packs a call and puts it into the queue; gives its id and where its answer will be.
    fn submit_one(&self, call: &mut Call, along: Along, queued: bool) -> Result<(String, Arc<Batch>, usize)> {
        thread_local! {
            static LOAD: RefCell<Load> = RefCell::default();
        }
        let limit = if queued { self.options.queue_limit } else { usize::MAX };
        LOAD.with_borrow_mut(|load| {
            load.clear();
            let id = load.push(call, along, queued)?;
            let (batch, at) = self.queue.submit(load, queued, limit)?;
            Ok((id, batch, at))
        })
    }

    /// Opens a connection for one purpose.
    pub(crate) fn connect(&self) -> Result<Connection> {
        schema::connect(&self.place, self.options.durability, Duration::from_millis(self.options.busy_timeout_ms))
    }

    /// Opens a reader with its gate.
    pub(crate) fn reader(&self) -> Result<Reader> {
        let gate = match &self.paths {
            Some(paths) => Some((open_beside(&paths.readers)?, paths.readers.clone())),
            None => None,
        };
        Reader::new(self.connect()?, gate, self.memory.clone())
    }

    fn read<T>(
        &self,
        read: impl FnOnce(&Connection, &mut Names, crate::store::writer::HeadRow) -> Result<T>,
    ) -> Result<T> {
        let kept = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut reader = match kept {
            Some(reader) => reader,
            None => self.reader()?,
        };
        let result = reader.snapshot(read);
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < MAX_READERS {
            readers.push(reader);
        }
        result
    }
}

/// Tells those who wait when the writer's thread ends, however it ends.
struct EndOnDrop(Arc<Queue>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let readers = self.readers.get_mut().unwrap_or_else(PoisonError::into_inner);
        if self.process != std::process::id() {
            // The fork's copies share files with the parent: closing them would touch what the parent is using.
            std::mem::forget(std::mem::take(readers));
            std::mem::forget(self.thread.take());
            return;
        }
        readers.clear();
        self.queue.close();
        if let Some(thread) = self.thread.take() {
            // A writer that panicked has answered everybody already.
            let _ = thread.join();
        }
    }
}

/// Figures about a ledger's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Stats {
    /// Calls that are in the ledger.
    pub calls: u64,
    /// Calls that were ever recorded, pruned ones included.
    pub recorded: u64,
    /// The earliest call that is in the ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_at: Option<Timestamp>,
    /// The latest call that is in the ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_at: Option<Timestamp>,
    /// Up to when calls were pruned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pruned_before: Option<Timestamp>,
    /// The zone whose days the ledger keeps sums of.
    pub time_zone: String,
    /// Bytes of the database.
    pub file_bytes: u64,
    /// Bytes of its log.
    pub log_bytes: u64,
    /// The file's schema.
    pub schema: i64,
    /// The SQLite that is built in.
    pub sqlite_version: String,
}

impl Ledger {
    /// Figures about the ledger's file.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Unavailable`] when the file can't be read.
    pub fn stats(&self) -> Result<Stats> {
        let inner = self.inner()?;
        let (file_bytes, log_bytes) = match &inner.paths {
            Some(paths) => {
                let size = |path: &Path| std::fs::metadata(path).map_or(0, |found| found.len());
                (size(&paths.database), size(&paths.wal))
            }
            None => (0, 0),
        };
        self.read(|db, _, head| {
            let edge = |sql: &str| -> Result<Option<Timestamp>> {
                let at: Option<i64> = db
                    .prepare_cached(sql)
                    .and_then(|mut found| found.query_row([], |row| row.get(0)))
                    .map_err(sqlite)?;
                Ok(at.and_then(|at| Timestamp::from_ms(at).ok()))
            };
            let schema = db.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(sqlite)?;
            Ok(Stats {
                calls: head.count.unsigned_abs(),
                recorded: head.seq.unsigned_abs(),
                first_at: edge("SELECT min(at) FROM call")?,
                last_at: edge("SELECT max(at) FROM call")?,
                pruned_before: (head.pruned_before > 0).then(|| Timestamp::from_ms(head.pruned_before)).transpose()?,
                time_zone: inner.time_zone.clone(),
                file_bytes,
                log_bytes,
                schema,
                sqlite_version: rusqlite::version().to_owned(),
            })
        })
    }

    /// Writes a copy of the ledger as it is now to a new file, which is whole or not there.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`] when there is a file already, [`ErrorCode::Unavailable`] when it can't be written.
    pub fn snapshot(&self, path: impl AsRef<Path>) -> Result<()> {
        files::whole_or_not_at_all(path.as_ref(), |part| {
            let text = part.to_str().ok_or_else(|| Error::invalid("expected a path that is valid Unicode"))?;
            // SQLite fills an empty file that is there, so the copy is never readable by others.
            files::create(part)?;
            self.inner().and_then(Inner::connect)?.execute("VACUUM INTO ?1", [text]).map_err(sqlite)?;
            Ok(())
        })
    }
}
