//! tokenbook keeps the book on LLM tokens: it counts them before a call, reads what was billed after it, and prices it
//! to the last digit.
//!
//! This crate is pure: it touches no disk, no network, no clock and no environment. Records, reports and budgets are in
//! `tokenbook-ledger`.
#![deny(unsafe_code)]
#![deny(clippy::float_arithmetic)]

pub mod api;
pub mod attribute;
pub mod cost;
pub mod error;
pub mod extract;
pub mod money;
pub mod price;
pub mod quantity;
pub mod request;
#[cfg(feature = "schema")]
mod schema;
pub mod text;
pub mod time;
pub mod usage;

pub use api::Api;
pub use attribute::{Attribution, attribute};
pub use cost::{Cost, CostQuery, cost};
pub use error::{Error, ErrorCode, Result};
pub use money::Usd;
pub use price::Catalog;
pub use quantity::Count;
pub use request::{RequestCount, count_request};
#[cfg(feature = "fit")]
pub use text::claude::weights::other::count_by;
pub use text::{Counter, Encoding, Special};
pub use time::{Date, Timestamp};
pub use usage::{Side, TokenKind, Usage};
