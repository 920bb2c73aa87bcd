//! Calls out of one ledger and into another: JSON lines and CSV, of which import is the inverse of export.

mod file;
mod table;

use std::io::{BufRead, Write};

use serde::{Deserialize, Serialize};
use tokenbook::{Error, ErrorCode, Result, Timestamp};

use crate::csv;
use crate::filter::{Filter, Wanted, range};
use crate::ledger::{Ledger, Pending, Status};
use crate::record::Call;
use crate::store::queue::MAX_BATCH;
use crate::store::row::{CALL_COLUMNS, FACT_WIDTH, Facts, call, facts};
use crate::store::sqlite;

pub use file::Format;

/// Calls read at once: an export holds no more in memory, and no reader's lock for longer.
const CHUNK: usize = 2_000;
/// Most failures of an import that are listed; more are counted.
const MAX_FAILURES: usize = 1_000;
/// Longest line of JSON, in bytes.
const MAX_LINE: usize = 4 << 20;

/// Which calls to export.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ExportQuery {
    /// Calls made at this instant or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Calls made before this instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// Which of them.
    pub filter: Filter,
}

/// What an import did.
#[derive(Debug, Clone, Default)]
pub struct Imported {
    /// How many calls were new.
    pub recorded: u64,
    /// How many were there already.
    pub duplicates: u64,
    /// How many were not written.
    pub failed: u64,
    /// The first 1,000 that were not written.
    pub failures: Vec<ImportFailure>,
}

/// A call of an import that was not written.
#[derive(Debug, Clone)]
pub struct ImportFailure {
    /// The line it starts on, from 1.
    pub line: u64,
    /// Why not.
    pub error: Error,
}

impl Ledger {
    /// Writes calls as JSON, one a line, in the order they were recorded, and says how many.
    ///
    /// What is recorded meanwhile is not exported.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Unavailable`] when `to` can't be written.
    pub fn export_jsonl(&self, to: &mut impl Write, query: &ExportQuery) -> Result<u64> {
        let count = self.for_each(query, |call| {
            serde_json::to_writer(&mut *to, call).map_err(std::io::Error::from)?;
            to.write_all(b"\n")
        })?;
        to.flush().map_err(|error| cant_write(&error))?;
        Ok(count)
    }

    /// Writes calls as CSV with a heading, in the order they were recorded, and says how many.
    ///
    /// Text that a spreadsheet would take for a formula gets a `'` before it, which [`Ledger::import_csv`] takes away.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Unavailable`] when `to` can't be written.
    pub fn export_csv(&self, to: &mut impl Write, query: &ExportQuery) -> Result<u64> {
        csv::write(to, table::columns().iter().map(|column| column.name)).map_err(|error| cant_write(&error))?;
        let count = self.for_each(query, |call| {
            let cells = table::cells(call);
            csv::write(to, cells.iter().map(String::as_str))
        })?;
        to.flush().map_err(|error| cant_write(&error))?;
        Ok(count)
    }

    /// Records calls from JSON, one a line; a line that fails doesn't stop the others.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Unavailable`] when `from` can't be read or the ledger is closed.
    pub fn import_jsonl(&self, mut from: impl BufRead) -> Result<Imported> {
        let mut import = Import::new(self);
        let mut bytes = Vec::new();
        let mut line = 0;
        loop {
            bytes.clear();
            csv::read_line(&mut from, &mut bytes, MAX_LINE)?;
            if bytes.is_empty() {
                return import.finish();
            }
            line += 1;
            if bytes.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let read = serde_json::from_slice(&bytes).map_err(|error| Error::invalid(error.to_string()));
            import.add(line, read)?;
        }
    }

    /// Records calls from CSV as [`Ledger::export_csv`] writes it; columns may come in any order or be missing.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`] for an unknown column or text that isn't CSV, [`ErrorCode::Unavailable`] when `from`
    /// can't be read or the ledger is closed.
    pub fn import_csv(&self, from: impl BufRead) -> Result<Imported> {
        let mut reader = csv::Reader::new(from);
        let mut import = Import::new(self);
        let Some(heading) = reader.next()? else { return import.finish() };
        let columns = table::find(&heading)?;
        loop {
            let line = reader.line;
            let cells = match reader.next() {
                Ok(Some(cells)) => cells,
                Ok(None) => return import.finish(),
                Err(error) => {
                    // What came before is written; what comes after can't be told apart.
                    import.finish()?;
                    return Err(error.context(format!("line {line}")));
                }
            };
            import.add(line, table::call(&columns, &cells))?;
        }
    }

    /// Visits calls in the order they were recorded.
    fn for_each(&self, query: &ExportQuery, mut visit: impl FnMut(&Call) -> std::io::Result<()>) -> Result<u64> {
        let (from, to) = range(query.from, query.to)?;
        let (from, to) = (from.unwrap_or(0), to.unwrap_or(i64::MAX));
        let end = self.read(|_, _, head| Ok(head.seq))?;
        let (mut next, mut count) = (1, 0);
        while next <= end {
            let chunk = self.read(|db, names, _| {
                let wanted = Wanted::find(db, &query.filter)?;
                let sql =
                    format!("SELECT {CALL_COLUMNS} FROM call WHERE seq >= ?1 AND seq <= ?2 ORDER BY seq LIMIT ?3");
                let mut statement = db.prepare_cached(&sql).map_err(sqlite)?;
                let mut rows =
                    statement.query((next, end, i64::try_from(CHUNK).unwrap_or(i64::MAX))).map_err(sqlite)?;
                let mut calls = Vec::with_capacity(CHUNK);
                let mut seen = Facts::default();
                let mut read = 0;
                while let Some(row) = rows.next().map_err(sqlite)? {
                    read += 1;
                    next = row.get::<_, i64>(FACT_WIDTH).map_err(sqlite)? + 1;
                    facts(db, names, row, &mut seen)?;
                    let combo = names.combo(db, seen.combo)?;
                    if (from..to).contains(&seen.at) && wanted.has_combo(&combo) && wanted.has_facets(&seen) {
                        calls.push(call(db, names, row)?.call);
                    }
                }
                if read < CHUNK {
                    next = end + 1;
                }
                Ok(calls)
            })?;
            for call in &chunk {
                visit(call).map_err(|error| cant_write(&error))?;
                count += 1;
            }
        }
        Ok(count)
    }
}

#[cold]
fn cant_write(error: &std::io::Error) -> Error {
    Error::new(ErrorCode::Unavailable, format!("can't write: {error}"))
}

/// Calls on their way in: one part is read while the one before is written.
struct Import<'a> {
    ledger: &'a Ledger,
    calls: Vec<Call>,
    lines: Vec<u64>,
    before: Option<(Pending, Vec<u64>)>,
    imported: Imported,
}

impl<'a> Import<'a> {
    fn new(ledger: &'a Ledger) -> Self {
        Self { ledger, calls: Vec::new(), lines: Vec::new(), before: None, imported: Imported::default() }
    }

    fn add(&mut self, line: u64, call: Result<Call>) -> Result<()> {
        match call {
            Ok(call) => {
                self.calls.push(call);
                self.lines.push(line);
            }
            Err(error) => self.fail(line, error),
        }
        if self.calls.len() >= MAX_BATCH { self.send() } else { Ok(()) }
    }

    fn fail(&mut self, line: u64, error: Error) {
        self.imported.failed += 1;
        if self.imported.failures.len() < MAX_FAILURES {
            self.imported.failures.push(ImportFailure { line, error });
        }
    }

    fn send(&mut self) -> Result<()> {
        let pending = self.ledger.submit_all(std::mem::take(&mut self.calls))?;
        let lines = std::mem::take(&mut self.lines);
        let before = self.before.replace((pending, lines));
        self.settle(before);
        Ok(())
    }

    fn settle(&mut self, before: Option<(Pending, Vec<u64>)>) {
        let Some((pending, lines)) = before else { return };
        let mut results = Vec::with_capacity(lines.len());
        pending.wait(&mut results);
        for (line, result) in lines.into_iter().zip(results) {
            match result.map(|recorded| recorded.status) {
                Ok(Status::Recorded) => self.imported.recorded += 1,
                Ok(Status::Duplicate) => self.imported.duplicates += 1,
                Err(error) => self.fail(line, error),
            }
        }
    }

    fn finish(&mut self) -> Result<Imported> {
        if !self.calls.is_empty() {
            self.send()?;
        }
        let before = self.before.take();
        self.settle(before);
        self.imported.failures.sort_by_key(|failure| failure.line);
        Ok(std::mem::take(&mut self.imported))
    }
}
