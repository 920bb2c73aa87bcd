//! The ledger's operations beside recording.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokenbook::{Count, Result, Timestamp};
use tokenbook_ledger::{
    Call, ExportQuery, Filter, Format, ListQuery, Page, Pruned, QueryLimits, QueryResult, Report, ReportQuery, Stats,
    Verification,
};

use super::Nothing;
use crate::Book;

#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct GetArgs {
    id: String,
    provider: Option<String>,
}

pub(super) fn get(book: &Book, args: GetArgs) -> Result<Call> {
    let ledger = book.ledger()?;
    match args.provider {
        Some(provider) => ledger.get_of(Some(&provider), &args.id),
        None => ledger.get(&args.id),
    }
}

pub(super) fn list(book: &Book, args: ListQuery) -> Result<Page> {
    book.ledger()?.list(&args)
}

pub(super) fn report(book: &Book, args: ReportQuery) -> Result<Report> {
    book.ledger()?.report(&args)
}

pub(super) fn verify(book: &Book, _: Nothing) -> Result<Verification> {
    book.ledger()?.verify()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PruneArgs {
    before: Timestamp,
}

pub(super) fn prune(book: &Book, args: PruneArgs) -> Result<Pruned> {
    book.ledger()?.prune(args.before)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct QueryArgs {
    sql: String,
    limit: Option<Count>,
}

pub(super) fn query(book: &Book, args: QueryArgs) -> Result<QueryResult> {
    let mut limits = QueryLimits::default();
    if let Some(limit) = args.limit {
        limits.rows = usize::try_from(limit.get()).unwrap_or(usize::MAX);
    }
    book.ledger()?.query(&args.sql, &limits)
}

pub(super) fn stats(book: &Book, _: Nothing) -> Result<Stats> {
    book.ledger()?.stats()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SnapshotArgs {
    path: PathBuf,
}

/// A file that was written.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct Written {
    /// Where it is.
    path: PathBuf,
}

pub(super) fn snapshot(book: &Book, args: SnapshotArgs) -> Result<Written> {
    book.ledger()?.snapshot(&args.path)?;
    Ok(Written { path: args.path })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExportArgs {
    path: PathBuf,
    format: Option<Format>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    filter: Option<Filter>,
}

/// What an export wrote.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct Exported {
    /// The file.
    path: PathBuf,
    /// How many calls are in it.
    calls: u64,
}

/// The form that was named, or that the file's ending names.
fn format_of(format: Option<Format>, path: &Path) -> Format {
    format.unwrap_or_else(|| Format::of(path))
}

pub(super) fn export(book: &Book, args: ExportArgs) -> Result<Exported> {
    let query = ExportQuery { from: args.from, to: args.to, filter: args.filter.unwrap_or_default() };
    let calls = book.ledger()?.export_file(&args.path, format_of(args.format, &args.path), &query)?;
    Ok(Exported { path: args.path, calls })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ImportArgs {
    path: PathBuf,
    format: Option<Format>,
}

/// What an import did.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct ImportedFile {
    /// How many calls were new.
    recorded: u64,
    /// How many were there already.
    duplicates: u64,
    /// How many were not written.
    failed: u64,
    /// The first of those that were not written.
    failures: Vec<LineFailure>,
}

/// A line of an import that was not written.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct LineFailure {
    /// The line it starts on, from 1.
    line: u64,
    /// What the caller can do about it.
    code: &'static str,
    /// The message for people.
    message: String,
}

pub(super) fn import(book: &Book, args: ImportArgs) -> Result<ImportedFile> {
    let done = book.ledger()?.import_file(&args.path, format_of(args.format, &args.path))?;
    let failures = done.failures.into_iter().map(|failure| LineFailure {
        line: failure.line,
        code: failure.error.code().name(),
        message: failure.error.message().to_owned(),
    });
    Ok(ImportedFile {
        recorded: done.recorded,
        duplicates: done.duplicates,
        failed: done.failed,
        failures: failures.collect(),
    })
}

/// The calls that are running now, in all processes on the ledger.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct Live {
    /// The calls, oldest first.
    calls: Vec<tokenbook_ledger::LiveCall>,
}

pub(super) fn live(book: &Book, _: Nothing) -> Result<Live> {
    Ok(Live { calls: book.ledger()?.live()? })
}

/// Nothing to tell.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct Done {}

#[expect(clippy::unnecessary_wraps, reason = "the shape of an operation")]
pub(super) fn close(book: &Book, _: Nothing) -> Result<Done> {
    book.close();
    Ok(Done {})
}
