//! Where running calls ask for holds: what gathers while the writer is busy is answered in one transaction.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokenbook::{Count, Error, ErrorCode, Result};

use crate::budget::counter::{read_budgets, release, sweep};
use crate::budget::{Extension, Hold, ReserveQuery, Scope, Subject};
use crate::ledger::Ledger;
use crate::store::files::private;
use crate::store::io;
use crate::store::queue::Queue;
use crate::store::writer::Writer;

/// What is asked of the writer.
enum Request {
    Reserve(Box<ReserveQuery>),
    Extend(Count, Extension),
    Void(i64),
}

/// What the writer says: a hold, or whether one was there to let go.
#[derive(Debug)]
enum Answer {
    Hold(Hold),
    Voided(bool),
}

type Waiting = (Request, Sender<Result<Answer>>);

/// Tells one state of the budgets from another without reading the database: a small file beside it grows by a byte with
/// each change, in whichever process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Mark {
    file: u64,
    bytes: u64,
}

/// The scopes of all budgets, as of a mark.
type Known = Option<(Mark, Arc<[Scope]>)>;

/// The desk of one ledger in one process.
#[derive(Clone)]
pub(crate) struct Desk(Arc<Inner>);

struct Inner {
    /// The file that grows; none for a ledger in memory.
    path: Option<PathBuf>,
    /// Changes of a ledger in memory.
    changes: AtomicU64,
    known: RwLock<Known>,
    waiting: Mutex<Vec<Waiting>>,
}

impl Desk {
    pub(crate) fn new(path: Option<PathBuf>) -> Self {
        let (changes, known, waiting) = (AtomicU64::new(0), RwLock::default(), Mutex::default());
        Self(Arc::new(Inner { path, changes, known, waiting }))
    }

    fn mark(&self) -> Result<Mark> {
        let Some(path) = &self.0.path else {
            return Ok(Mark { file: 0, bytes: self.0.changes.load(Ordering::Acquire) });
        };
        match fs::metadata(path) {
            Ok(found) => Ok(Mark { file: file_number(&found), bytes: found.len() }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Mark::default()),
            Err(error) => Err(io("look at", path, &error)),
        }
    }

    /// Lets every process know that budgets change; said before the change is visible and after.
    pub(crate) fn announce(&self) -> Result<()> {
        let Some(path) = &self.0.path else {
            self.0.changes.fetch_add(1, Ordering::AcqRel);
            return Ok(());
        };
        let opened: std::io::Result<File> = private().append(true).create(true).open(path);
        opened.and_then(|mut file| file.write_all(b".")).map_err(|error| io("write", path, &error))
    }

    /// Whether any budget is for a call.
    pub(crate) fn has_budget_for(&self, ledger: &Ledger, query: &ReserveQuery) -> Result<bool> {
        self.look(ledger, |scopes| scopes.iter().any(|scope| scope.has(Subject::from(query))))
    }

    /// Whether there is any budget.
    pub(crate) fn has_any(&self, ledger: &Ledger) -> Result<bool> {
        self.look(ledger, |scopes| !scopes.is_empty())
    }

    fn look(&self, ledger: &Ledger, any: impl Fn(&[Scope]) -> bool) -> Result<bool> {
        let mark = self.mark()?;
        if let Some((known, scopes)) = &*self.0.known.read().unwrap_or_else(PoisonError::into_inner)
            && *known == mark
        {
            return Ok(any(scopes));
        }
        // The mark was taken before: a change meanwhile makes another one, and is read next time.
        let scopes: Arc<[Scope]> =
            ledger.read(|db, _, _| Ok(read_budgets(db)?.into_iter().map(|(_, budget)| budget.scope).collect()))?;
        let found = any(&scopes);
        *self.0.known.write().unwrap_or_else(PoisonError::into_inner) = Some((mark, scopes));
        Ok(found)
    }

    pub(crate) fn reserve(&self, queue: &Queue, query: ReserveQuery) -> Result<Hold> {
        wait(&self.ask(queue, Request::Reserve(Box::new(query)))).and_then(Answer::hold)
    }

    pub(crate) fn extend(&self, queue: &Queue, hold: Count, extension: Extension) -> Extending {
        Extending(self.ask(queue, Request::Extend(hold, extension)))
    }

    pub(crate) fn void(&self, queue: &Queue, hold: Count) -> Result<bool> {
        match wait(&self.ask(queue, Request::Void(i64::try_from(hold.get()).unwrap_or(i64::MAX))))? {
            Answer::Voided(voided) => Ok(voided),
            Answer::Hold(_) => Err(Error::new(ErrorCode::Internal, "a hold was not let go")),
        }
    }

    fn ask(&self, queue: &Queue, request: Request) -> Receiver<Result<Answer>> {
        let (send, receive) = channel();
        let first = {
            let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.push((request, send));
            waiting.len() == 1
        };
        if first {
            // Whoever comes until the writer gets there is answered with this one.
            let desk = self.clone();
            if let Err(error) = queue.post(Box::new(move |writer| desk.serve(writer))) {
                self.take().into_iter().for_each(|(_, send)| drop(send.send(Err(error.clone()))));
            }
        }
        receive
    }

    fn take(&self) -> Vec<Waiting> {
        std::mem::take(&mut *self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Answers all who wait; runs on the writer's thread.
    fn serve(&self, writer: &mut Writer) {
        let waiting = self.take();
        let (requests, askers): (Vec<Request>, Vec<Sender<Result<Answer>>>) = waiting.into_iter().unzip();
        let done = writer.transact_lightly(|writer, head| {
            let (counters, mut context) = writer.counting(head);
            counters.refresh(context.db)?;
            let mut answers = Vec::with_capacity(requests.len());
            for request in &requests {
                answers.push(match request {
                    Request::Reserve(query) => {
                        sweep(context.db, query.at.ms())?;
                        counters.reserve(&mut context, query)?.map(Answer::Hold)
                    }
                    Request::Extend(hold, more) => counters.extend(&mut context, *hold, more)?.map(Answer::Hold),
                    Request::Void(hold) => Ok(Answer::Voided(release(context.db, *hold)?)),
                });
            }
            Ok(answers)
        });
        match done {
            Ok(answers) => askers.into_iter().zip(answers).for_each(|(asker, answer)| drop(asker.send(answer))),
            Err(error) => askers.into_iter().for_each(|asker| drop(asker.send(Err(error.clone())))),
        }
    }
}

/// An extension on its way to the writer.
#[derive(Debug)]
#[must_use = "without an answer, nobody learns whether the call may go on"]
pub struct Extending(Receiver<Result<Answer>>);

impl Extending {
    /// Waits for the answer.
    ///
    /// # Errors
    ///
    /// As [`Ledger::extend`].
    pub fn wait(self) -> Result<Hold> {
        wait(&self.0).and_then(Answer::hold)
    }

    /// The answer if it is there, without waiting; else what goes on waiting for it.
    ///
    /// # Errors
    ///
    /// The extension itself, as long as there is no answer.
    pub fn poll(self) -> std::result::Result<Result<Hold>, Self> {
        match self.0.try_recv() {
            Ok(answer) => Ok(answer.and_then(Answer::hold)),
            Err(TryRecvError::Empty) => Err(self),
            Err(TryRecvError::Disconnected) => Ok(Err(failed())),
        }
    }
}

fn wait(answer: &Receiver<Result<Answer>>) -> Result<Answer> {
    answer.recv().unwrap_or_else(|_| Err(failed()))
}

#[cold]
fn failed() -> Error {
    Error::new(ErrorCode::Internal, "the ledger's writer failed; the next call may work")
}

impl Answer {
    fn hold(self) -> Result<Hold> {
        match self {
            Self::Hold(hold) => Ok(hold),
            Self::Voided(_) => Err(Error::new(ErrorCode::Internal, "a hold was let go")),
        }
    }
}

#[cfg(unix)]
fn file_number(found: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(found)
}

#[cfg(not(unix))]
fn file_number(_: &fs::Metadata) -> u64 {
    1
}
