//! The ledger's named questions.

use tokenbook::Result;
use tokenbook_ledger::{
    CompareQuery, Comparison, Findings, FindingsQuery, Forecast, ForecastQuery, Overview, OverviewQuery, WhatIf,
    WhatIfQuery,
};

use super::price;
use crate::{Book, clock};

pub(super) fn overview(book: &Book, mut args: OverviewQuery) -> Result<Overview> {
    args.now = Some(args.now.map_or_else(clock::now, Ok)?);
    book.ledger()?.overview(&args, &price::catalog())
}

pub(super) fn findings(book: &Book, args: FindingsQuery) -> Result<Findings> {
    book.ledger()?.findings(&args, &price::catalog())
}

pub(super) fn what_if(book: &Book, args: WhatIfQuery) -> Result<WhatIf> {
    book.ledger()?.what_if(&args, &price::catalog())
}

pub(super) fn compare(book: &Book, args: CompareQuery) -> Result<Comparison> {
    book.ledger()?.compare(&args, &price::catalog())
}

pub(super) fn forecast(book: &Book, mut args: ForecastQuery) -> Result<Forecast> {
    args.now = Some(args.now.map_or_else(clock::now, Ok)?);
    book.ledger()?.forecast(&args)
}
