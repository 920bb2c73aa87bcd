//! Calls that have ended and are not recorded yet: they are recorded beside their callers, and together.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::text::Fault;
use crate::{Error, Meter, Result, guard};

/// A call that has ended, and what is known of its end.
struct Ending {
    meter: Arc<Meter>,
    args: String,
    body: Option<String>,
}

/// The calls that wait to be recorded.
#[derive(Default)]
pub(crate) struct Endings {
    waiting: Mutex<Vec<Ending>>,
    /// Held while a group is recorded.
    recording: Mutex<()>,
}

/// What became of a group.
#[derive(Serialize)]
pub(crate) struct Ended {
    recorded: usize,
    faults: Vec<serde_json::Value>,
}

impl Endings {
    pub(crate) fn push(&self, meter: Arc<Meter>, args: String, body: Option<String>) {
        lock(&self.waiting).push(Ending { meter, args, body });
    }

    /// Records what waits.
    pub(crate) fn record(&self) -> Ended {
        let _alone = lock(&self.recording);
        let group = std::mem::take(&mut *lock(&self.waiting));
        // All are with the writer before the first is waited for, so that one wait for the disk serves them all.
        let handed: Vec<_> = group
            .into_iter()
            .map(|Ending { meter, args, body }| guard(|| meter.hand_over(&args, body.as_deref())))
            .collect();
        let results: Vec<Result<()>> = handed.into_iter().map(|sent| guard(|| sent?.wait().map(drop))).collect();
        let recorded = results.iter().filter(|result| result.is_ok()).count();
        let faults = results.iter().filter_map(|result| result.as_ref().err()).map(fault).collect();
        Ended { recorded, faults }
    }
}

fn fault(error: &Error) -> serde_json::Value {
    serde_json::to_value(Fault::from(error)).unwrap_or_else(|_| error.message().into())
}

/// A panic while it was held is told as the fault of its call; what is behind it stays whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
