//! Free questions in SQL, which can read and nothing else.

use std::time::{Duration, Instant};

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Batch, Connection, fallible_iterator::FallibleIterator as _};
use serde::{Serialize, Serializer};
use tokenbook::{Error, ErrorCode, Result};

use crate::ledger::Ledger;
use crate::store::{corrupt, sqlite};

/// How far a free question may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryLimits {
    /// How long it may take.
    pub time: Duration,
    /// How many rows it may return; more are cut off, and the answer says so.
    pub rows: usize,
}

impl Default for QueryLimits {
    fn default() -> Self {
        Self { time: Duration::from_secs(10), rows: 10_000 }
    }
}

/// The answer to a free question.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct QueryResult {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<Value>>,
    /// Whether there were more rows than allowed.
    pub cut_off: bool,
}

/// One value of an answer.
///
/// In JSON, whole numbers beyond ±(2⁵³ − 1) are text, since not every language holds them exactly; binary is
/// hexadecimal text.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// No value.
    Null,
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Real(f64),
    /// Text.
    Text(String),
    /// Binary.
    Blob(Vec<u8>),
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Value {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Value".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({})
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Integer(value) if value.unsigned_abs() < 1 << 53 => serializer.serialize_i64(*value),
            Self::Integer(value) => serializer.collect_str(value),
            Self::Real(value) => serializer.serialize_f64(*value),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Blob(bytes) => serializer.serialize_str(&crate::digest::hex(bytes)),
        }
    }
}

impl Ledger {
    /// Answers one SQL `SELECT`.
    ///
    /// The view `calls` has a row for each call and a column for each field; money is `cost_pico_usd`, in whole 1e-12
    /// dollars, which SQL adds exactly. Other tables are how the ledger is built, and change with it. Nothing can be
    /// written, attached, set or loaded.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`] for SQL that is wrong, not allowed, more than one statement, or beyond `limits.time`.
    #[expect(clippy::disallowed_methods, reason = "only a limit: no answer depends on it")]
    pub fn query(&self, sql: &str, limits: &QueryLimits) -> Result<QueryResult> {
        let inner = self.inner()?;
        // Whatever the question sets in motion ends with this reader.
        let mut reader = inner.reader()?;
        let deadline = Instant::now() + limits.time;
        lock_down(&mut reader.db, move || Instant::now() >= deadline)?;
        let limits = *limits;
        reader.ask(|db| ask(db, sql, &limits))
    }
}

fn lock_down(db: &mut Connection, over: impl FnMut() -> bool + Send + 'static) -> Result<()> {
    for (limit, value) in [
        (Limit::SQLITE_LIMIT_LENGTH, 10_000_000),
        (Limit::SQLITE_LIMIT_SQL_LENGTH, 100_000),
        (Limit::SQLITE_LIMIT_ATTACHED, 0),
        (Limit::SQLITE_LIMIT_EXPR_DEPTH, 100),
        (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 50),
        (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1_000),
        (Limit::SQLITE_LIMIT_VDBE_OP, 100_000),
        (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
    ] {
        db.set_limit(limit, value).map_err(sqlite)?;
    }
    db.progress_handler(1_000, Some(over)).map_err(sqlite)?;
    db.authorizer(Some(|context: AuthContext<'_>| match context.action {
        AuthAction::Select | AuthAction::Recursive | AuthAction::Read { .. } => Authorization::Allow,
        AuthAction::Function { function_name } if function_name != "load_extension" => Authorization::Allow,
        _ => Authorization::Deny,
    }))
    .map_err(sqlite)
}

fn ask(db: &Connection, sql: &str, limits: &QueryLimits) -> Result<QueryResult> {
    let mut batch = Batch::new(db, sql);
    let refuse = |error: rusqlite::Error| wrong(&error);
    let Some(mut statement) = batch.next().map_err(refuse)? else {
        return Err(Error::invalid("sql: expected a SELECT, got nothing"));
    };
    if !matches!(batch.next(), Ok(None)) {
        return Err(Error::invalid("sql: expected one statement, got several"));
    }
    if statement.parameter_count() > 0 {
        return Err(Error::invalid("sql: expected no parameters"));
    }
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut rows = statement.query([]).map_err(refuse)?;
    let mut answer = QueryResult { columns, rows: Vec::new(), cut_off: false };
    while let Some(row) = rows.next().map_err(refuse)? {
        if answer.rows.len() == limits.rows {
            answer.cut_off = true;
            break;
        }
        let mut values = Vec::with_capacity(answer.columns.len());
        for at in 0..answer.columns.len() {
            values.push(match row.get_ref(at).map_err(refuse)? {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(value) => Value::Integer(value),
                ValueRef::Real(value) => Value::Real(value),
                ValueRef::Text(text) => {
                    Value::Text(String::from_utf8(text.to_vec()).map_err(|_| corrupt("text isn't UTF-8"))?)
                }
                ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
            });
        }
        answer.rows.push(values);
    }
    Ok(answer)
}

#[cold]
fn wrong(error: &rusqlite::Error) -> Error {
    use rusqlite::ErrorCode as Code;
    let code = error.sqlite_error_code();
    let message = match code {
        Some(Code::OperationInterrupted) => "sql: it took too long and was stopped".to_owned(),
        Some(Code::AuthorizationForStatementDenied | Code::ReadOnly) => "sql: only SELECT is allowed".to_owned(),
        _ => format!("sql: {error}"),
    };
    let code = match code {
        Some(Code::DatabaseBusy | Code::SystemIoFailure | Code::CannotOpen) => ErrorCode::Unavailable,
        Some(Code::DatabaseCorrupt | Code::NotADatabase) => ErrorCode::CorruptData,
        _ => ErrorCode::InvalidArgument,
    };
    Error::new(code, message)
}
