//! `tokenbook`: count, price, record and report LLM tokens from the shell.
//!
//! Data goes to standard output, everything else to standard error. Exit codes tell what to do: DESIGN.md, "Errors".
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool speaks on its streams")]

mod alerts;
mod arguments;
mod budget;
#[cfg(feature = "parquet")]
mod columnar;
mod commands;
mod failure;
mod import;
mod insight;
mod metadata;
mod ops;
mod page;
mod place;
#[cfg(feature = "serve")]
mod serve;
mod table;
#[cfg(feature = "top")]
mod top;

use std::process::ExitCode;

use clap::Parser as _;

use crate::arguments::{Arguments, Budget, Command, Prices};
use crate::failure::Failure;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if failure.is_broken_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            failure.exit_code()
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    place::load_prices(arguments)?;
    place::use_vocabularies(arguments)?;
    match &arguments.command {
        Command::Count(count) => commands::count(arguments, count),
        Command::Extract(extract) => commands::extract(extract),
        Command::Cost(cost) => commands::cost(arguments, cost),
        Command::Record(record) => commands::record(arguments, record),
        Command::Import(from) => import::run(arguments, from),
        Command::Report(report) => commands::report(arguments, report),
        Command::Overview(overview) => insight::overview(arguments, overview),
        Command::Findings(selected) => insight::findings(arguments, selected),
        Command::WhatIf(what_if) => insight::what_if(arguments, what_if),
        Command::Compare(compare) => insight::compare(arguments, compare),
        Command::Forecast(forecast) => insight::forecast(arguments, forecast),
        Command::List(list) => commands::list(arguments, list),
        Command::Query(query) => commands::query(arguments, query),
        Command::Export(to) => commands::export(arguments, to),
        Command::Prices { command: Prices::Show(show) } => commands::prices_show(arguments, show),
        Command::Prices { command: Prices::Search(search) } => commands::prices_search(arguments, search),
        Command::Prices { command: Prices::Diff(diff) } => commands::prices_diff(arguments, diff),
        Command::Prices { command: Prices::Update(update) } => place::update_prices(update),
        Command::Budget { command: Budget::Set(set) } => budget::set(arguments, set),
        Command::Budget { command: Budget::List } => budget::list(arguments),
        Command::Budget { command: Budget::Remove(remove) } => budget::remove(arguments, remove),
        Command::Alerts { command } => alerts::run(arguments, command.as_ref()),
        Command::Calibrations => commands::calibrations(arguments),
        Command::Verify => commands::verify(arguments),
        Command::Prune(prune) => commands::prune(arguments, prune),
        Command::Snapshot(snapshot) => commands::snapshot(arguments, snapshot),
        Command::Doctor => commands::doctor(arguments),
        #[cfg(feature = "serve")]
        Command::Serve(serve) => serve::run(arguments, serve),
        #[cfg(feature = "top")]
        Command::Top(top) => top::run(arguments, top),
        Command::Ops => ops::run(arguments),
        Command::Completions(shell) => {
            arguments::completions(shell.shell);
            Ok(())
        }
    }
}
