//! The wall that no panic crosses.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tokenbook::{Error, ErrorCode, Result};

/// Runs `work` and turns a panic, which is a bug of ours, into an error of code `internal`.
///
/// Bindings call tokenbook only through this, so that a bug never ends a host process.
///
/// # Errors
///
/// Those of `work`, and [`ErrorCode::Internal`] with the panic's message.
pub fn guard<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(bug(&*panic)))
}

fn bug(panic: &(dyn Any + Send)) -> Error {
    let words = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    Error::new(ErrorCode::Internal, format!("a bug in tokenbook, please report it: {}", words.unwrap_or("a panic")))
}
