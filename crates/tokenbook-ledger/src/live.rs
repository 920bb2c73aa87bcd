//! Calls that are running now, in any process on the ledger: a notice for people who watch, which is never part of the book.
//!
//! Each process keeps one small file beside the ledger, written anew by a thread of its own at most four times a second, so
//! that a call never waits for it. Whether the process is still there is told by a lock that ends with it, however it ends.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokenbook::{Count, Result, Timestamp, Usd};

use crate::ledger::Ledger;
use crate::store::files::{open_beside, private};
use crate::store::io;

/// How often a process writes its file at most.
const PACE: Duration = Duration::from_millis(250);

/// Most running calls that one process tells of; those beyond are not shown.
const MOST: usize = 10_000;

/// A call that is running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LiveCall {
    /// What tells it from the others of its process.
    pub id: String,
    /// The process that makes it.
    #[serde(default)]
    pub process: u32,
    /// When it was sent.
    pub at: Timestamp,
    /// The model that was asked for.
    pub model: String,
    /// Who was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Who makes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// What for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// In which run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The output limit that was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<Count>,
    /// Input tokens, as far as known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<Count>,
    /// Output tokens so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<Count>,
    /// The cost so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<Usd>,
    /// The output tokens that it is heading for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub projected_output_tokens: Option<Count>,
    /// The cost that it is heading for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub projected_cost_usd: Option<Usd>,
}

impl LiveCall {
    /// A call of which only this is known.
    pub fn new(id: impl Into<String>, at: Timestamp, model: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            process: 0,
            at,
            model: model.into(),
            provider: None,
            agent: None,
            action: None,
            session: None,
            max_tokens: None,
            input_tokens: None,
            output_tokens: None,
            cost_usd: None,
            projected_output_tokens: None,
            projected_cost_usd: None,
        }
    }
}

/// The running calls of this process, and the thread that writes them down.
pub(crate) struct Board {
    process: u32,
    /// Where the files of all processes are; `None` for a ledger in memory.
    folder: Option<PathBuf>,
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    calls: BTreeMap<String, LiveCall>,
    is_dirty: bool,
    is_closed: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Board {
    pub(crate) fn new(database: Option<&Path>) -> Self {
        let folder = database.map(|database| {
            let mut name = OsString::from(database.file_name().unwrap_or_default());
            name.push("-live");
            database.with_file_name(name)
        });
        Self { process: std::process::id(), folder, shared: Arc::default(), thread: Mutex::default() }
    }

    fn update(&self, call: LiveCall) {
        let mut state = self.shared.lock();
        if state.calls.len() >= MOST && !state.calls.contains_key(&call.id) {
            return;
        }
        state.calls.insert(call.id.clone(), LiveCall { process: self.process, ..call });
        self.wake(state);
    }

    fn remove(&self, id: &str) {
        let mut state = self.shared.lock();
        if state.calls.remove(id).is_some() {
            self.wake(state);
        }
    }

    /// Lets the thread write, and starts it when there is none yet.
    fn wake(&self, mut state: MutexGuard<'_, State>) {
        let Some(folder) = &self.folder else { return };
        if state.is_dirty {
            return;
        }
        state.is_dirty = true;
        drop(state);
        self.shared.changed.notify_one();
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.is_none() {
            let (shared, folder, process) = (Arc::clone(&self.shared), folder.clone(), self.process);
            let work = move || write_down(&shared, &folder, process);
            // Without a thread nobody watches; the calls themselves go on.
            *thread = std::thread::Builder::new().name("tokenbook-live".to_owned()).spawn(work).ok();
        }
    }

    fn all(&self) -> Result<Vec<LiveCall>> {
        let mut calls: Vec<LiveCall> = self.shared.lock().calls.values().cloned().collect();
        if let Some(folder) = &self.folder {
            others(folder, self.process, &mut calls)?;
        }
        calls.sort_by(|a, b| (a.at, a.process, &a.id).cmp(&(b.at, b.process, &b.id)));
        Ok(calls)
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if self.process != std::process::id() {
            // A fork has no such thread.
            std::mem::forget(thread);
            return;
        }
        self.shared.lock().is_closed = true;
        self.shared.changed.notify_one();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

/// The thread: writes the calls whenever they have changed, and takes the files away in the end.
fn write_down(shared: &Shared, folder: &Path, process: u32) {
    // Several ledgers of one process, and several handles of one ledger, each have files of their own.
    let Some((name, lock)) = (0..1_000).find_map(|number| claim(folder, &format!("{process}-{number}"))) else {
        return;
    };
    let (file, part) = (folder.join(format!("{name}.json")), folder.join(format!("{name}.part")));
    let mut state = shared.lock();
    loop {
        if state.is_closed {
            break;
        }
        if !state.is_dirty {
            state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            continue;
        }
        state.is_dirty = false;
        let calls: Vec<LiveCall> = state.calls.values().cloned().collect();
        drop(state);
        // What fails is seen by nobody but a watcher, who sees older figures.
        let _ = serde_json::to_vec(&calls).map(|text| write(&part, &text).and_then(|()| fs::rename(&part, &file)));
        state = shared.lock();
        // Until the pace allows the next: changes meanwhile wait, the end doesn't.
        let is_open = |state: &mut State| !state.is_closed;
        state = shared.changed.wait_timeout_while(state, PACE, is_open).unwrap_or_else(PoisonError::into_inner).0;
    }
    drop(state);
    for path in [&file, &part, &folder.join(format!("{name}.lock"))] {
        let _ = fs::remove_file(path);
    }
    drop(lock);
}

fn write(path: &Path, text: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    private().write(true).create(true).truncate(true).open(path)?.write_all(text)
}

/// Takes a name for the files of this process, and holds its lock.
fn claim(folder: &Path, name: &str) -> Option<(String, File)> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let _ = builder.create(folder);
    let lock = open_beside(&folder.join(format!("{name}.lock"))).ok()?;
    lock.try_lock().ok()?;
    Some((name.to_owned(), lock))
}

/// Adds the calls of the other handles, and clears away what ended processes left behind.
fn others(folder: &Path, own: u32, calls: &mut Vec<LiveCall>) -> Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io("read", folder, &error)),
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let lock = path.with_extension("lock");
        let is_gone = open_beside(&lock).is_ok_and(|file| file.try_lock().is_ok());
        if is_gone {
            for left in [&path, &path.with_extension("part"), &lock] {
                let _ = fs::remove_file(left);
            }
            continue;
        }
        let Ok(text) = fs::read(&path) else { continue };
        let Ok(told) = serde_json::from_slice::<Vec<LiveCall>>(&text) else { continue };
        let known = |call: &LiveCall| call.process == own && calls.iter().any(|known| known.id == call.id);
        let new: Vec<LiveCall> = told.into_iter().filter(|call| !known(call)).collect();
        calls.extend(new);
    }
    Ok(())
}

impl Ledger {
    /// Tells watchers of a running call, or how far it has come; costs a lock in memory and never waits for a disk.
    ///
    /// It is a notice and no record: nothing of it is in any report, and what can't be written down is not told.
    pub fn live_update(&self, call: LiveCall) {
        if let Ok(inner) = self.inner() {
            inner.live.update(call);
        }
    }

    /// Tells watchers that a call has ended, in whatever way.
    pub fn live_remove(&self, id: &str) {
        if let Ok(inner) = self.inner() {
            inner.live.remove(id);
        }
    }

    /// The calls that are running now in all processes on the ledger, oldest first.
    ///
    /// Those of other processes are as they were up to a quarter of a second ago.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Unavailable`](tokenbook::ErrorCode::Unavailable) when the notices beside the ledger can't be read.
    pub fn live(&self) -> Result<Vec<LiveCall>> {
        self.inner()?.live.all()
    }
}
