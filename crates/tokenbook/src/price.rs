//! Prices: dated rows of rates for every model, the catalog that holds them, and the rules by which a model is found.
//!
//! A [`Catalog`] is a JSON document (`data/prices.json` is the built-in one). A model has rows; a row has rates per
//! kind of tokens and the conditions under which it holds: dates, service tier, batch, region, hours of the week,
//! context thresholds. Nothing is ever overwritten: a new price is a new row with a later `from`, so that a call of last
//! year is priced as it was billed. See `data/README.md` for the format and where the prices come from.
//!
//! Names are matched by rules that can be listed (see [`Matched`]) and never by likeness: what isn't found is unpriced,
//! with the names that are near.

mod catalog;
mod lookup;
mod names;
mod rate;
mod resolve;
mod row;
mod window;

pub use catalog::{Catalog, Model, PriceAbove, PriceRow};
pub use lookup::Matched;
pub use rate::{Multiplier, Rate, Rates};
pub use resolve::{Found, Price, PriceQuery, Prices, Reason, Unpriced};
pub use row::{Counts, Tiering};
pub use window::Window;

pub(crate) use resolve::Charge;
