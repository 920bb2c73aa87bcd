//! Named questions: what a dashboard shows, what could be saved, what changed, what is to come.

mod compare;
mod figures;
mod findings;
mod forecast;
mod overview;
mod parts;
mod predict;
mod series;
mod share;
mod tools;
mod what_if;

pub use compare::{CompareQuery, ComparedGroup, ComparedPeriod, Comparison, PeriodSums, Reasons};
pub use figures::Figures;
pub use findings::{Finding, FindingKind, Findings, FindingsQuery, ToolCombination};
pub(crate) use forecast::without_gaps;
pub use forecast::{CostBand, Forecast, ForecastDay, ForecastOf, ForecastQuery, TokenBand, UsedUp};
pub use overview::{
    CacheUse, LimitUse, Overview, OverviewQuery, Pace, Percentiles, Projection, Sizes, TokenShares, UtilizationStep,
};
pub use parts::GroupShare;
pub(crate) use predict::MOST_DAYS;
pub use predict::{Band, ForecastMethod, Prediction, predict};
pub use series::{Bucket, Series};
pub use tools::{ToolPart, ToolUse};
pub use what_if::{WhatIf, WhatIfPart, WhatIfQuery};
