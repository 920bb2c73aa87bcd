//! The handle of an open ledger.

use std::sync::{Arc, PoisonError, RwLock};

use serde_json::{Map, Value};
use tokenbook::{Error, ErrorCode, Result};
use tokenbook_ledger::{Ledger, Options};

use crate::alerts::Alerts;
use crate::endings::Endings;
use crate::{Meter, guard, ops, text};

/// An open ledger, with JSON text for arguments and results.
///
/// It may be used from any thread, and a clone is the same ledger. Closing waits until all is durable.
#[derive(Clone)]
pub struct Book {
    /// `None` once it is closed.
    ledger: Arc<RwLock<Option<Ledger>>>,
    alerts: Arc<Alerts>,
    endings: Arc<Endings>,
}

/// The path of a ledger that is kept in memory.
const MEMORY: &str = ":memory:";

impl Book {
    /// Opens a ledger: `{"path": …, "durability"?: "full" | "process", "time_zone"?: …}`.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`] for malformed arguments and for a file that is no ledger, [`ErrorCode::Conflict`]
    /// for another time zone than it was made with, [`ErrorCode::Unavailable`] when it can't be opened.
    pub fn open(args: &str) -> Result<Self> {
        guard(|| {
            let mut args: Map<String, Value> = text::read(args)?;
            args.retain(|_, value| !value.is_null());
            let path = args.remove("path");
            let options: Options = text::from_value(Value::Object(args))?;
            let ledger = match path.as_ref().and_then(Value::as_str) {
                None | Some("") => return Err(Error::invalid("path: expected the path of a file")),
                Some(MEMORY) => Ledger::open_in_memory(&options)?,
                Some(path) => Ledger::open(path, &options)?,
            };
            Ok(Self { ledger: Arc::new(RwLock::new(Some(ledger))), alerts: Arc::default(), endings: Arc::default() })
        })
    }

    /// Runs an operation on the ledger, or one that needs none.
    ///
    /// # Errors
    ///
    /// The operation's own, and [`ErrorCode::Unavailable`] after the ledger was closed.
    pub fn call(&self, op: &str, args: &str) -> Result<String> {
        guard(|| ops::find(op)?.run(Some(self), args))
    }

    /// Whether there is any budget at all: told without waiting for anything.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Unavailable`] when the ledger is closed, or the budgets can't be read.
    pub fn has_budgets(&self) -> Result<bool> {
        guard(|| self.ledger()?.has_budgets())
    }

    /// Ends a call, with the arguments of [`Meter::finish`], when [`Book::record_ended`] gets to it: costs a lock in memory.
    pub fn end(&self, meter: Arc<Meter>, args: String, body: Option<String>) {
        self.endings.push(meter, args, body);
    }

    /// Records the calls that have ended until now, together, and tells what became of them:
    /// `{"recorded": …, "faults": [{"code": …, "message": …}, …]}`.
    ///
    /// Whoever comes while another does so waits until that is done, so that afterwards every call that had ended before is
    /// on disk.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Internal`] for a bug; what could not be recorded is no error but a fault of its call.
    pub fn record_ended(&self) -> Result<String> {
        guard(|| text::write(&self.endings.record()))
    }

    /// The ledger, as long as it is open.
    pub(crate) fn ledger(&self) -> Result<Ledger> {
        let ledger = self.ledger.read().unwrap_or_else(PoisonError::into_inner);
        let ledger = ledger.clone().ok_or_else(|| Error::new(ErrorCode::Unavailable, "the ledger is closed"))?;
        self.alerts.due(&ledger);
        Ok(ledger)
    }

    /// To whom alerts are told.
    pub(crate) fn alerts(&self) -> &Alerts {
        &self.alerts
    }

    /// Closes the ledger once all is durable; closing it again does nothing.
    pub(crate) fn close(&self) {
        self.alerts.close();
        drop(self.ledger.write().unwrap_or_else(PoisonError::into_inner).take());
    }
}
