//! A durable, exact ledger of LLM calls: records, rollups, reports. The only crate that touches a disk.
#![forbid(unsafe_code)]

mod calendar;
mod digest;
mod ledger;
mod record;
mod store;
mod sums;

pub use ledger::{Durability, Flushed, Journal, Ledger, Options, QueuedFailure, Recorded, Stats, Status};
pub use record::{
    Call, CallCost, MAX_LIST, MAX_METADATA, MAX_NAME_BYTES, MAX_NOTE_BYTES, MAX_PRICE_BYTES, Outcome, ToolTokens,
};
