//! The file: one writer, many readers, and what keeps them apart.

pub(crate) mod files;
pub(crate) mod fold;
pub(crate) mod form;
pub(crate) mod names;
pub(crate) mod packed;
pub(crate) mod prepared;
pub(crate) mod queue;
pub(crate) mod read;
pub(crate) mod row;
pub(crate) mod schema;
pub(crate) mod search;
pub(crate) mod ticket;
pub(crate) mod writer;

use tokenbook::{Error, ErrorCode};

/// Turns SQLite's error into one that says what the caller may do.
#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err calls")]
#[cold]
pub(crate) fn sqlite(error: rusqlite::Error) -> Error {
    use rusqlite::ErrorCode as Code;
    let code = match &error {
        rusqlite::Error::SqliteFailure(failure, _) => match failure.code {
            Code::DatabaseBusy
            | Code::DatabaseLocked
            | Code::DiskFull
            | Code::SystemIoFailure
            | Code::ReadOnly
            | Code::CannotOpen
            | Code::PermissionDenied
            | Code::FileLockingProtocolFailed
            | Code::OutOfMemory => ErrorCode::Unavailable,
            Code::DatabaseCorrupt | Code::NotADatabase => ErrorCode::CorruptData,
            _ => ErrorCode::Internal,
        },
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::Utf8Error(..)
        | rusqlite::Error::QueryReturnedNoRows => ErrorCode::CorruptData,
        _ => ErrorCode::Internal,
    };
    let what = match code {
        ErrorCode::Unavailable => "the ledger's file is busy or can't be used",
        ErrorCode::CorruptData => "the ledger's file is damaged",
        _ => "the ledger failed",
    };
    Error::new(code, format!("{what}: {error}"))
}

#[cold]
pub(crate) fn corrupt(what: &str) -> Error {
    Error::new(ErrorCode::CorruptData, format!("the ledger's file is damaged: {what}"))
}

/// Turns an error of the file system into one that names the file.
#[cold]
pub(crate) fn io(what: &str, path: &std::path::Path, error: &std::io::Error) -> Error {
    Error::new(ErrorCode::Unavailable, format!("can't {what} {}: {error}", path.display()))
}
