//! Exports to files that are whole or not there, and imports from files.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};
use tokenbook::Result;

use super::{ExportQuery, Imported};
use crate::ledger::Ledger;
use crate::store::{files, io};

/// How calls are written in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// One JSON object a line.
    Jsonl,
    /// Comma-separated values with a heading, as RFC 4180 has them.
    Csv,
}

impl Format {
    /// The form that a file's ending names: CSV for `.csv`, else JSON lines.
    pub fn of(path: &Path) -> Self {
        let is_csv = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv"));
        if is_csv { Self::Csv } else { Self::Jsonl }
    }
}

impl Ledger {
    /// Writes calls to a new file that its owner alone can read, and says how many.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`](tokenbook::ErrorCode::InvalidArgument) when there is a file already,
    /// [`ErrorCode::Unavailable`](tokenbook::ErrorCode::Unavailable) when it can't be written.
    pub fn export_file(&self, path: &Path, format: Format, query: &ExportQuery) -> Result<u64> {
        files::whole_or_not_at_all(path, |part| {
            let mut file = BufWriter::with_capacity(1 << 18, files::create(part)?);
            let count = match format {
                Format::Jsonl => self.export_jsonl(&mut file, query)?,
                Format::Csv => self.export_csv(&mut file, query)?,
            };
            file.flush().map_err(|error| io("write", path, &error))?;
            Ok(count)
        })
    }

    /// Records the calls of a file that [`Ledger::export_file`] wrote.
    ///
    /// # Errors
    ///
    /// Those of [`Ledger::import_jsonl`] and [`Ledger::import_csv`], and
    /// [`ErrorCode::Unavailable`](tokenbook::ErrorCode::Unavailable) when the file can't be read.
    pub fn import_file(&self, path: &Path, format: Format) -> Result<Imported> {
        let file = BufReader::with_capacity(1 << 18, File::open(path).map_err(|error| io("read", path, &error))?);
        match format {
            Format::Jsonl => self.import_jsonl(file),
            Format::Csv => self.import_csv(file),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Call, Options};

    #[test]
    fn an_exported_file_is_imported_again_and_never_overwritten() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = Ledger::open_in_memory(&Options::default()).expect("opens");
        let at = "2026-11-20T00:00:00Z".parse().expect("an instant");
        ledger.record(Call::new(at, "gpt-5")).expect("records");
        for name in ["calls.jsonl", "calls.CSV"] {
            let path = folder.path().join(name);
            let format = Format::of(&path);
            assert_eq!(ledger.export_file(&path, format, &ExportQuery::default()).expect("exports"), 1);
            assert!(ledger.export_file(&path, format, &ExportQuery::default()).is_err(), "it was overwritten");
            let copy = Ledger::open_in_memory(&Options::default()).expect("opens");
            assert_eq!(copy.import_file(&path, format).expect("imports").recorded, 1);
            assert_eq!(copy.import_file(&path, format).expect("imports").duplicates, 1);
        }
        let left = std::fs::read_dir(folder.path()).expect("readable").count();
        assert_eq!(left, 2, "a part was left behind");
    }
}
