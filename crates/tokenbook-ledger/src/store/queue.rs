//! Where callers meet the writer: calls gather while it commits, and are committed together.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokenbook::{Error, ErrorCode, Result};

use crate::ledger::{Flushed, QueuedFailure, Status};
use crate::store::prepared::Load;
use crate::store::writer::Writer;

/// Most calls of one transaction.
pub(crate) const MAX_BATCH: usize = 8_192;
/// Most failures kept for the next flush.
const MAX_FAILURES: usize = 1_000;
/// Longest that the writer waits for company, however long a commit takes.
const LONGEST_WAIT: Duration = Duration::from_micros(500);

/// A piece of work for the writer's thread.
pub(crate) type Job = Box<dyn FnOnce(&mut Writer) + Send>;

/// What became of each call of those that are committed together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    done: OnceLock<Vec<Result<Status>>>,
}

impl Batch {
    /// Tells everybody who waits what became of their calls.
    pub(crate) fn finish(&self, results: Vec<Result<Status>>) {
        // A second answer can only come after a panic was answered; the first one stands.
        let _ = self.done.set(results);
    }

    /// Waits for the commit.
    pub(crate) fn wait(&self) -> &[Result<Status>] {
        self.done.wait()
    }
}

/// What the writer does next.
pub(crate) enum Work {
    Batch(Load, Arc<Batch>),
    Job(Job),
    /// Nothing has come for a while.
    Idle,
    Close,
}

#[derive(Default)]
struct State {
    load: Load,
    /// Memory of calls that are written, for the next ones.
    spare: Load,
    /// How many of the calls are waited for.
    awaited: usize,
    open: Arc<Batch>,
    in_flight: Option<Arc<Batch>>,
    jobs: VecDeque<Job>,
    /// Whether a job comes before calls, so that calls without end don't keep it waiting.
    jobs_turn: bool,
    /// How many calls wake the writer.
    target: usize,
    /// How many calls the last batch had.
    expected: usize,
    /// How long the last commit took.
    commit: Duration,
    closing: bool,
    gone: bool,
    flushed: Flushed,
}

/// The queue before the writer.
#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    work: Condvar,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is whole between any two statements that could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts calls into the open batch; they stand there from the index returned.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Unavailable`] when the ledger is closed, or when `limit` calls are waiting already.
    pub(crate) fn submit(&self, calls: &mut Load, queued: bool, limit: usize) -> Result<(Arc<Batch>, usize)> {
        let mut state = self.lock();
        if state.closing || state.gone {
            return Err(Error::new(ErrorCode::Unavailable, "the ledger is closed"));
        }
        if queued && state.load.len() >= limit {
            return Err(Error::new(
                ErrorCode::Unavailable,
                format!("{limit} calls wait to be written: the disk is slow or full"),
            ));
        }
        let first = state.load.len();
        if !queued {
            state.awaited += calls.len();
        }
        state.load.append(calls);
        let batch = Arc::clone(&state.open);
        let wake = state.load.len() >= state.target;
        if wake {
            // Once is enough: the writer takes a while to get up, and each call to it costs the kernel's time.
            state.target = usize::MAX;
        }
        drop(state);
        if wake {
            self.work.notify_one();
        }
        Ok((batch, first))
    }

    /// Waits until all that was put in before is written, and takes what became of the queued calls.
    pub(crate) fn flush(&self) -> Flushed {
        self.settle();
        std::mem::take(&mut self.lock().flushed)
    }

    /// Hands the writer a job and waits for its result.
    pub(crate) fn job<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Writer) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (send, receive) = std::sync::mpsc::channel();
        {
            let mut state = self.lock();
            if state.closing || state.gone {
                return Err(Error::new(ErrorCode::Unavailable, "the ledger is closed"));
            }
            state.jobs.push_back(Box::new(move |writer| {
                let _ = send.send(job(writer));
            }));
        }
        self.work.notify_one();
        receive.recv().unwrap_or_else(|_| {
            Err(Error::new(ErrorCode::Internal, "the ledger's writer failed; the next call may work"))
        })
    }

    /// Hands the writer a job and doesn't wait.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Unavailable`] when the ledger is closed.
    pub(crate) fn post(&self, job: Job) -> Result<()> {
        {
            let mut state = self.lock();
            if state.closing || state.gone {
                return Err(Error::new(ErrorCode::Unavailable, "the ledger is closed"));
            }
            state.jobs.push_back(job);
        }
        self.work.notify_one();
        Ok(())
    }

    /// Waits until all that was put in before is written, and leaves what became of it for the next flush.
    pub(crate) fn settle(&self) {
        let mut state = self.lock();
        let batch = if state.load.is_empty() {
            state.in_flight.clone()
        } else {
            state.target = 0;
            Some(Arc::clone(&state.open))
        };
        drop(state);
        if let Some(batch) = batch {
            self.work.notify_one();
            batch.wait();
        }
    }

    /// Lets no more in; the writer ends once all is written.
    pub(crate) fn close(&self) {
        self.lock().closing = true;
        self.work.notify_one();
    }

    /// The writer has ended: whoever still waits learns it.
    pub(crate) fn end(&self) {
        let mut state = self.lock();
        state.gone = true;
        let count = state.load.len();
        state.load.clear();
        state.jobs.clear();
        let error = Error::new(ErrorCode::Internal, "the ledger's writer has ended");
        state.open.finish(vec![Err(error); count]);
    }

    /// Waits for work, but no longer than `idle` when there is none; the writer's side.
    #[expect(clippy::disallowed_methods, reason = "how long to gather calls is measured; no record depends on it")]
    pub(crate) fn next(&self, idle: Option<Duration>) -> Work {
        let mut state = self.lock();
        let mut deadline = None;
        loop {
            if (state.load.is_empty() || state.jobs_turn)
                && let Some(job) = state.jobs.pop_front()
            {
                state.jobs_turn = false;
                return Work::Job(job);
            }
            if state.load.is_empty() {
                if state.closing {
                    return Work::Close;
                }
                state.target = 1;
                let Some(idle) = idle else {
                    state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                    continue;
                };
                let (after, waited) = self.work.wait_timeout(state, idle).unwrap_or_else(PoisonError::into_inner);
                state = after;
                if waited.timed_out() && state.load.is_empty() && state.jobs.is_empty() && !state.closing {
                    return Work::Idle;
                }
                continue;
            }
            // Callers that were answered together come back together: waiting a little puts them into one commit.
            let now = Instant::now();
            let until = *deadline.get_or_insert_with(|| now + (state.commit / 4).min(LONGEST_WAIT));
            let gathering = state.load.len() < state.expected && state.target != 0 && !state.closing;
            if gathering && now < until {
                state.target = state.expected;
                state = self.work.wait_timeout(state, until - now).unwrap_or_else(PoisonError::into_inner).0;
                continue;
            }
            state.target = usize::MAX;
            state.jobs_turn = true;
            state.expected = std::mem::take(&mut state.awaited).min(MAX_BATCH);
            let spare = std::mem::take(&mut state.spare);
            let load = std::mem::replace(&mut state.load, spare);
            let batch = std::mem::take(&mut state.open);
            state.in_flight = Some(Arc::clone(&batch));
            return Work::Batch(load, batch);
        }
    }

    /// Notes what became of a batch, then tells its callers.
    pub(crate) fn finish(&self, mut load: Load, batch: &Batch, results: Vec<Result<Status>>, took: Duration) {
        let mut state = self.lock();
        state.commit = took;
        for (at, result) in results.iter().enumerate() {
            if !load.get(at).of.queued {
                continue;
            }
            match result {
                Ok(Status::Recorded) => state.flushed.recorded += 1,
                Ok(Status::Duplicate) => state.flushed.duplicates += 1,
                Err(error) => {
                    state.flushed.failed += 1;
                    if state.flushed.failures.len() < MAX_FAILURES {
                        let id = load.get(at).id().to_owned();
                        state.flushed.failures.push(QueuedFailure { id, error: error.clone() });
                    }
                }
            }
        }
        state.in_flight = None;
        drop(state);
        batch.finish(results);
        // Only now: nobody waits for memory to be freed.
        load.clear();
        self.lock().spare = load;
    }
}
