//! A durable, exact ledger of LLM calls: records, rollups, reports. The only crate that touches a disk.
#![forbid(unsafe_code)]

mod alert;
mod budget;
mod calendar;
mod csv;
mod digest;
mod filter;
mod hash;
mod insight;
mod ledger;
mod list;
mod live;
mod money;
mod prune;
mod query;
mod record;
mod report;
mod samples;
mod spread;
mod store;
mod sums;
mod survey;
mod transfer;
mod verify;

pub use alert::{
    Alert, AlertChange, AlertKind, AlertNotice, AlertRule, AlertSilence, AlertsQuery, Spike, SpikeLimits,
    append_notices, judge_hour,
};
pub use budget::{
    Budget, BudgetState, BudgetStatus, BudgetWarning, Extending, Extension, Hold, Mode, Period, ReserveQuery, Scope,
};
pub use filter::Filter;
pub use insight::{
    Band, Bucket, CacheUse, CompareQuery, ComparedGroup, ComparedPeriod, Comparison, CostBand, Figures, Finding,
    FindingKind, Findings, FindingsQuery, Forecast, ForecastDay, ForecastMethod, ForecastOf, ForecastQuery, GroupShare,
    LimitUse, Overview, OverviewQuery, Pace, Percentiles, PeriodSums, Prediction, Projection, Reasons, Series, Sizes,
    TokenBand, TokenShares, ToolCombination, ToolPart, ToolUse, UsedUp, UtilizationStep, WhatIf, WhatIfPart,
    WhatIfQuery, predict,
};
pub use ledger::{
    Along, Durability, Flushed, Journal, Ledger, Options, QueuedFailure, Receipt, Recorded, Stats, Status,
};
pub use list::{ListQuery, MAX_PAGE, Page};
pub use live::LiveCall;
pub use prune::Pruned;
pub use query::{QueryLimits, QueryResult, Value};
pub use record::{
    Call, CallCost, MAX_LIST, MAX_METADATA, MAX_NAME_BYTES, MAX_NOTE_BYTES, MAX_PRICE_BYTES, Outcome, ToolTokens,
};
pub use report::{Group, Measures, Order, Report, ReportQuery, Row};
pub use transfer::{ExportQuery, Format, ImportFailure, Imported};
pub use verify::{Problem, ProblemKind, Verification};

/// The README's example in Rust, run as a documentation test.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
