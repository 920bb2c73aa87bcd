//! Every operation as JSON text in, JSON text out: what the language bindings and the command line share.
//!
//! Arguments are validated here and nowhere else, so that every language refuses the same input with the same words. No
//! panic leaves this crate: [`call`], [`Book`], [`Meter`] and [`UsageStream`] turn one into an error of code `internal`.
#![forbid(unsafe_code)]

#[cfg(feature = "ledger")]
mod alerts;
#[cfg(feature = "ledger")]
mod book;
mod clock;
#[cfg(feature = "ledger")]
mod endings;
mod guard;
mod hot;
#[cfg(feature = "ledger")]
mod meter;
#[cfg(not(feature = "ledger"))]
mod no_book;
mod ops;
#[cfg(feature = "schema")]
mod schema;
mod stream;
mod text;
mod toml_text;

#[cfg(feature = "ledger")]
pub use book::Book;
#[cfg(target_family = "wasm")]
pub use clock::use_clock;
pub use guard::guard;
pub use hot::{
    cost_batch, count, count_batch, count_batch_utf16, count_request_packed, count_up_to, count_up_to_number,
    encoding_or_model,
};
#[cfg(feature = "ledger")]
pub use meter::Meter;
#[cfg(not(feature = "ledger"))]
use no_book::Book;
pub use ops::{OPS, Op};
#[cfg(feature = "schema")]
pub use schema::{api_schema, schema};
pub use stream::UsageStream;
pub use tokenbook::{Error, ErrorCode, Result, Timestamp, Usd};

/// Runs an operation that needs no ledger.
///
/// ```
/// let answer = tokenbook_wire::call("count", r#"{"text": "Hello, world", "encoding": "o200k_base"}"#)?;
/// assert_eq!(answer, r#"{"tokens":3,"encoding":"o200k_base","exactness":"exact"}"#);
/// # Ok::<(), tokenbook_wire::Error>(())
/// ```
///
/// # Errors
///
/// [`ErrorCode::InvalidArgument`] for an unknown operation, one that needs a ledger, or malformed arguments, and the
/// operation's own errors.
pub fn call(op: &str, args: &str) -> Result<String> {
    guard(|| ops::find(op)?.run(None, args))
}

/// An error as JSON text: `{"code": …, "message": …, "details": {…}}`.
pub fn fault(error: &Error) -> String {
    text::write(&text::Fault::from(error)).unwrap_or_else(|error| error.message().to_owned())
}
