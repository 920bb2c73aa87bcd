//! The tables, and the steps that make them.

use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use tokenbook::{Error, ErrorCode, Result};

use crate::digest::CHAIN_START;
use crate::ledger::{Durability, Journal};
use crate::store::packed::add_function;
use crate::store::sqlite;

/// The newest schema that this version knows.
pub(crate) const VERSION: i64 = 6;

/// The oldest schema that can be brought up to date: those before it were never released.
const OLDEST: i64 = 6;

/// All tables of a new ledger, made in one transaction; a table of a later schema is made by a step of its own as well.
const TABLES: [&str; 5] = [CALLS, BUDGETS, ALERTS, CLASSES, SAMPLES];

/// "tknb": tells a ledger from any other database.
const APPLICATION_ID: i64 = 0x746b_6e62;

/// SQLite 3.7.0 to 3.51.2 could lose pages when several connections used one log and it was reset.
const OLDEST_SQLITE: i32 = 3_051_003;

/// Where a ledger's database is.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// A file, kept by this journal.
    File { path: std::path::PathBuf, journal: Journal },
    /// Memory of this process, under a name that all its connections share.
    Memory { name: String },
}

/// Opens a connection and sets what doesn't last in the file.
pub(crate) fn connect(place: &Place, durability: Durability, wait: Duration) -> Result<Connection> {
    let number = rusqlite::version_number();
    if number < OLDEST_SQLITE {
        let found = rusqlite::version();
        return Err(Error::new(ErrorCode::Internal, format!("SQLite {found} is too old: 3.51.3 or later is needed")));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = match place {
        Place::File { path, .. } => Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NOFOLLOW),
        Place::Memory { name } => {
            let flags = flags | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_CREATE;
            Connection::open_with_flags(format!("file:/{name}?vfs=memdb"), flags)
        }
    }
    .map_err(sqlite)?;
    connection.busy_timeout(wait).map_err(sqlite)?;
    let synchronous = match durability {
        Durability::Full => "FULL",
        Durability::Process => "NORMAL",
    };
    // Checkpoints are the writer's, under the ticket. Views may call nothing that could do harm.
    connection
        .execute_batch(&format!(
            "PRAGMA synchronous={synchronous}; PRAGMA wal_autocheckpoint=0; PRAGMA trusted_schema=OFF; \
             PRAGMA cell_size_check=ON; PRAGMA journal_size_limit=67108864;"
        ))
        .map_err(sqlite)?;
    connection.set_prepared_statement_cache_capacity(64);
    add_function(&connection)?;
    Ok(connection)
}

/// Creates the tables; the caller holds the ticket.
///
/// Each step is one transaction together with its version number, so a kill at any moment leaves a file that the next
/// start carries on with.
pub(crate) fn migrate(connection: &mut Connection, place: &Place, time_zone: Option<&str>) -> Result<String> {
    let pragma = |connection: &Connection, name: &str| {
        connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(sqlite)
    };
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(sqlite)?;
    let version = pragma(connection, "user_version")?;
    let application = pragma(connection, "application_id")?;
    if application != APPLICATION_ID && (tables > 0 || version != 0 || application != 0) {
        return Err(Error::invalid("the file is a database, but no tokenbook ledger"));
    }
    if version > VERSION {
        return Err(Error::invalid(format!(
            "the ledger was written by a newer tokenbook (schema {version}, this one knows {VERSION}): upgrade"
        ))
        .with("schema", version.to_string()));
    }
    if (1..OLDEST).contains(&version) {
        return Err(Error::invalid(format!(
            "the ledger was written by a tokenbook from before its first release (schema {version}, the oldest known is \
             {OLDEST}): export it as JSONL with that one and import it into a new file"
        ))
        .with("schema", version.to_string()));
    }
    if let Place::File { journal, .. } = place {
        let mode = match journal {
            Journal::Wal => "WAL",
            Journal::Rollback => "DELETE",
        };
        let set: String =
            connection.query_row(&format!("PRAGMA journal_mode={mode}"), [], |row| row.get(0)).map_err(sqlite)?;
        if !set.eq_ignore_ascii_case(mode) {
            return Err(Error::new(
                ErrorCode::Unavailable,
                format!("the ledger can't be switched to journal mode {mode}"),
            ));
        }
    }
    if version == 0 {
        let step = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sqlite)?;
        for tables in TABLES {
            step.execute_batch(tables).map_err(sqlite)?;
        }
        step.execute(
            "INSERT INTO head (one, seq, count, folded, indexed, pruned_before, chain) VALUES (1, 0, 0, 0, 0, 0, ?1)",
            [&CHAIN_START[..]],
        )
        .map_err(sqlite)?;
        step.execute("INSERT INTO meta (key, value) VALUES ('time_zone', ?1)", [time_zone.unwrap_or("UTC")])
            .map_err(sqlite)?;
        step.pragma_update(None, "application_id", APPLICATION_ID).map_err(sqlite)?;
        step.pragma_update(None, "user_version", VERSION).map_err(sqlite)?;
        step.commit().map_err(sqlite)?;
    }
    let stored: String =
        connection.query_row("SELECT value FROM meta WHERE key = 'time_zone'", [], |row| row.get(0)).map_err(sqlite)?;
    match time_zone {
        Some(wanted) if wanted != stored => Err(Error::new(
            ErrorCode::Conflict,
            format!("the ledger keeps its days in {stored}, not in {wanted}; a report may name any zone"),
        )
        .with("time_zone", stored)),
        _ => Ok(stored),
    }
}

/// Names are interned (0 is none), lists too; a `combo` is what every rollup is grouped by. `call.seq` has no gaps
/// except where `pruned` says so. `roll` and `tool_hour` cover the calls up to `head.folded`, `call_key` those up to
/// `head.indexed`, which is never beyond; the few after them are read from `call` itself, so that an append writes few pages.
const CALLS: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE head (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  seq INTEGER NOT NULL, count INTEGER NOT NULL, folded INTEGER NOT NULL, indexed INTEGER NOT NULL,
  pruned_before INTEGER NOT NULL, chain BLOB NOT NULL
) STRICT;
CREATE TABLE name (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE list (id INTEGER PRIMARY KEY, members TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE combo (
  id INTEGER PRIMARY KEY,
  agent INTEGER NOT NULL, action INTEGER NOT NULL, model INTEGER NOT NULL, provider INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  UNIQUE (agent, action, model, provider, failed)
) STRICT;
CREATE TABLE call (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL, at INTEGER NOT NULL, combo INTEGER NOT NULL, session INTEGER NOT NULL, cost INTEGER,
  data BLOB NOT NULL
) STRICT;
CREATE INDEX call_at ON call (at);
CREATE TABLE call_key (key INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (key, seq)) STRICT, WITHOUT ROWID;
CREATE TABLE roll (
  kind INTEGER NOT NULL, bucket INTEGER NOT NULL, facet INTEGER NOT NULL, combo INTEGER NOT NULL, sums BLOB NOT NULL,
  PRIMARY KEY (kind, bucket, facet, combo)
) STRICT, WITHOUT ROWID;
CREATE TABLE pruned (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, chain BLOB NOT NULL) STRICT;
CREATE TABLE loss (id INTEGER PRIMARY KEY, had INTEGER NOT NULL, found INTEGER NOT NULL) STRICT;
CREATE VIEW calls AS SELECT
  c.seq, c.id, strftime('%Y-%m-%dT%H:%M:%fZ', c.at / 1000.0, 'unixepoch') AS at, c.at AS at_ms,
  provider.text AS provider, model.text AS model, answered_model.text AS answered_model, api.text AS api,
  agent.text AS agent, action.text AS action, session.text AS session,
  iif(k.failed, 'error', 'success') AS outcome,
  CASE (call_field(c.data, 0) >> 5) & 3 WHEN 1 THEN 'priced' WHEN 2 THEN 'stated' ELSE 'unpriced' END AS cost_status,
  c.cost AS cost_pico_usd,
  iif((call_field(c.data, 0) >> 7) & 1, call_field(c.data, 16), NULL) AS input_tokens,
  iif((call_field(c.data, 0) >> 7) & 1, call_field(c.data, 17), NULL) AS cache_read_tokens,
  iif((call_field(c.data, 0) >> 7) & 1, call_field(c.data, 18), NULL) AS cache_write_tokens,
  iif((call_field(c.data, 0) >> 7) & 1, call_field(c.data, 19), NULL) AS cache_write_5m_tokens,
  iif((call_field(c.data, 0) >> 7) & 1, call_field(c.data, 20), NULL) AS cache_write_1h_tokens,
  iif((call_field(c.data, 0) >> 7) & 1, call_field(c.data, 21), NULL) AS output_tokens,
  iif((call_field(c.data, 0) >> 7) & 1, call_field(c.data, 22), NULL) AS reasoning_tokens,
  nullif(call_field(c.data, 13), 0) - 1 AS max_tokens, stop_reason.text AS stop_reason, stop_kind.text AS stop_kind,
  CASE (call_field(c.data, 0) >> 1) & 3 WHEN 1 THEN 0 WHEN 2 THEN 1 END AS truncated,
  call_field(c.data, 0) & 1 AS partial, nullif(call_field(c.data, 14), 0) - 1 AS duration_ms, nullif(call_field(c.data, 15), 0) - 1 AS time_to_first_token_ms,
  (SELECT json_group_array(n.text) FROM list l, json_each('[' || l.members || ']') e, name n
    WHERE l.id = call_field(c.data, 1) AND n.id = e.value) AS tags,
  (SELECT json_group_array(n.text) FROM list l, json_each('[' || l.members || ']') e, name n
    WHERE l.id = call_field(c.data, 2) AND n.id = e.value) AS tools_offered,
  (SELECT json_group_array(n.text) FROM list l, json_each('[' || l.members || ']') e, name n
    WHERE l.id = call_field(c.data, 3) AND n.id = e.value) AS tools_called,
  error_class.text AS error_class, service_tier.text AS service_tier, region.text AS region,
  CASE (call_field(c.data, 0) >> 3) & 3 WHEN 1 THEN 0 WHEN 2 THEN 1 END AS batch, exactness.text AS exactness,
  call_field(c.data, 23) AS more
FROM call c JOIN combo k ON k.id = c.combo
  LEFT JOIN name provider ON provider.id = k.provider LEFT JOIN name model ON model.id = k.model
  LEFT JOIN name answered_model ON answered_model.id = call_field(c.data, 4) LEFT JOIN name api ON api.id = call_field(c.data, 5)
  LEFT JOIN name agent ON agent.id = k.agent LEFT JOIN name action ON action.id = k.action
  LEFT JOIN name session ON session.id = c.session
  LEFT JOIN name stop_reason ON stop_reason.id = call_field(c.data, 7) LEFT JOIN name stop_kind ON stop_kind.id = call_field(c.data, 8)
  LEFT JOIN name error_class ON error_class.id = call_field(c.data, 9)
  LEFT JOIN name service_tier ON service_tier.id = call_field(c.data, 10) LEFT JOIN name region ON region.id = call_field(c.data, 11)
  LEFT JOIN name exactness ON exactness.id = call_field(c.data, 12);
";

/// Budgets count in their own unit, as text, since a sum may be beyond 64 bits; `control` says when they have changed.
const BUDGETS: &str = "
CREATE TABLE control (one INTEGER PRIMARY KEY CHECK (one = 1), budgets INTEGER NOT NULL) STRICT;
INSERT INTO control (one, budgets) VALUES (1, 0);
CREATE TABLE budget (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, rule TEXT NOT NULL
) STRICT;
CREATE TABLE budget_sum (
  budget INTEGER NOT NULL, bucket INTEGER NOT NULL, spent TEXT NOT NULL, held TEXT NOT NULL, uncounted INTEGER NOT NULL,
  PRIMARY KEY (budget, bucket)
) STRICT, WITHOUT ROWID;
CREATE TABLE hold (
  id INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT NOT NULL, expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX hold_expires_at ON hold (expires_at);
CREATE TABLE hold_line (
  hold INTEGER NOT NULL, budget INTEGER NOT NULL, bucket INTEGER NOT NULL, amount TEXT NOT NULL,
  PRIMARY KEY (hold, budget)
) STRICT, WITHOUT ROWID;
";

/// Spells of alerts, in what order they were told, who is silenced, and how often tools were called by hour.
const ALERTS: &str = "
CREATE TABLE alert (
  id INTEGER PRIMARY KEY AUTOINCREMENT, rule TEXT NOT NULL, subject TEXT NOT NULL, level INTEGER NOT NULL,
  period INTEGER NOT NULL, started_at INTEGER NOT NULL, ended_at INTEGER, silenced INTEGER NOT NULL, body TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX alert_open ON alert (rule, subject, level, period) WHERE ended_at IS NULL;
CREATE INDEX alert_of ON alert (rule, subject, level, ended_at);
CREATE TABLE alert_notice (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, alert INTEGER NOT NULL, ended INTEGER NOT NULL
) STRICT;
CREATE TABLE alert_silence (
  rule TEXT NOT NULL, subject TEXT NOT NULL, until INTEGER NOT NULL, PRIMARY KEY (rule, subject)
) STRICT, WITHOUT ROWID;
CREATE TABLE tool_hour (
  tool INTEGER NOT NULL, hour INTEGER NOT NULL, calls INTEGER NOT NULL, PRIMARY KEY (tool, hour)
) STRICT, WITHOUT ROWID;
";

/// A `class` is what the price of a call depends on beside its combo and its instant, and whether it was cut off.
const CLASSES: &str = "
CREATE TABLE class (
  id INTEGER PRIMARY KEY,
  answered_model INTEGER NOT NULL, service_tier INTEGER NOT NULL, region INTEGER NOT NULL, flags INTEGER NOT NULL,
  UNIQUE (answered_model, service_tier, region, flags)
) STRICT;
";

/// What requests were estimated to be and what they were, the latest of each model: what estimates are corrected by.
const SAMPLES: &str = "
CREATE TABLE sample (
  id INTEGER PRIMARY KEY, model TEXT NOT NULL, estimated INTEGER NOT NULL, measured INTEGER NOT NULL
) STRICT;
CREATE INDEX sample_model ON sample (model, id);
";

#[cfg(test)]
mod tests {
    use super::*;

    fn place(folder: &tempfile::TempDir) -> Place {
        let path = folder.path().canonicalize().expect("a folder").join("x.db");
        std::fs::File::options().append(true).create(true).open(&path).expect("created");
        Place::File { path, journal: Journal::Wal }
    }

    fn open(place: &Place) -> Result<String> {
        let mut connection = connect(place, Durability::Full, Duration::from_secs(1))?;
        migrate(&mut connection, place, None)
    }

    #[test]
    fn a_newer_schema_and_a_foreign_database_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = place(&folder);
        assert_eq!(open(&place).expect("created"), "UTC");
        let connection = connect(&place, Durability::Full, Duration::from_secs(1)).expect("open");
        connection.pragma_update(None, "user_version", VERSION + 1).expect("set");
        let newer = open(&place).expect_err("refused");
        assert!(newer.message().contains("newer tokenbook (schema 7"), "{newer}");
        connection.pragma_update(None, "user_version", OLDEST - 1).expect("set");
        let older = open(&place).expect_err("refused");
        assert!(older.message().contains("export it as JSONL"), "{older}");
        connection.execute_batch("PRAGMA user_version=0; PRAGMA application_id=7;").expect("set");
        assert!(open(&place).expect_err("refused").message().contains("no tokenbook ledger"));
    }

    #[test]
    fn a_file_whose_making_was_cut_short_is_made_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = place(&folder);
        {
            // The journal mode was set and the first step begun, but never committed.
            let connection = connect(&place, Durability::Full, Duration::from_secs(1)).expect("open");
            connection.execute_batch("PRAGMA journal_mode=WAL; BEGIN; CREATE TABLE meta (key);").expect("begun");
        }
        assert_eq!(open(&place).expect("made anew"), "UTC");
    }

    #[test]
    fn what_is_no_database_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = place(&folder);
        let Place::File { path, .. } = &place else { unreachable!("made above") };
        std::fs::write(path, "not a database, but long enough to be taken for one by nobody").expect("written");
        assert_eq!(open(&place).expect_err("refused").code(), ErrorCode::CorruptData);
    }
}
