//! Single calls, newest first, page by page.

use serde::{Deserialize, Serialize};
use tokenbook::{Error, Result, Timestamp};

use crate::filter::{Filter, Wanted, range};
use crate::ledger::Ledger;
use crate::record::Call;
use crate::store::row::{CALL_COLUMNS, CALL_WIDTH, Facts, call, facts};
use crate::store::sqlite;

/// Most calls of a page.
pub const MAX_PAGE: usize = 10_000;

/// Which calls to list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ListQuery {
    /// Calls made at this instant or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Calls made before this instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// Which of them.
    pub filter: Filter,
    /// Where the page before ended: its `next_cursor`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// How many at most.
    pub limit: usize,
}

impl Default for ListQuery {
    fn default() -> Self {
        Self { from: None, to: None, filter: Filter::default(), cursor: None, limit: 100 }
    }
}

/// Some calls, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Page {
    /// The calls.
    pub calls: Vec<Call>,
    /// What to ask the next page with; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// The place of a call in the order of lists.
struct Cursor {
    at: i64,
    provider: i64,
    id: String,
}

impl Cursor {
    fn read(text: &str) -> Result<Self> {
        let fault = || Error::invalid("cursor: expected the next_cursor of a page");
        let mut parts = text.splitn(3, ':');
        let mut number = || parts.next().and_then(|part| part.parse().ok()).ok_or_else(fault);
        let (at, provider) = (number()?, number()?);
        Ok(Self { at, provider, id: parts.next().ok_or_else(fault)?.to_owned() })
    }
}

impl Ledger {
    /// Lists calls, newest first; calls of the same instant by their ids, so that pages neither repeat nor skip.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`](tokenbook::ErrorCode::InvalidArgument) for a foreign cursor, an empty range or a
    /// limit of 0 or above [`MAX_PAGE`].
    pub fn list(&self, query: &ListQuery) -> Result<Page> {
        if !(1..=MAX_PAGE).contains(&query.limit) {
            return Err(Error::invalid(format!("limit: expected 1 to {MAX_PAGE}, got {}", query.limit)));
        }
        let (from, to) = range(query.from, query.to)?;
        let cursor = query.cursor.as_deref().map(Cursor::read).transpose()?;
        let (from, to) = (from.unwrap_or(0), to.unwrap_or(i64::MAX));
        self.read(|db, names, _| {
            let wanted = Wanted::find(db, &query.filter)?;
            let (at, provider, id) =
                cursor.map_or((i64::MAX, 0, String::new()), |cursor| (cursor.at, cursor.provider, cursor.id));
            let sql = format!(
                "SELECT {CALL_COLUMNS}, (SELECT k.provider FROM combo k WHERE k.id = combo) AS provider FROM call WHERE at >= ?1 AND at < ?2 AND at <= ?3 \
                 AND (at < ?3 OR (id, provider) < (?4, ?5)) ORDER BY at DESC, id DESC, provider DESC"
            );
            let mut statement = db.prepare_cached(&sql).map_err(sqlite)?;
            let mut rows = statement.query((from, to, at, id, provider)).map_err(sqlite)?;
            let mut calls = Vec::new();
            let mut last = None;
            let mut seen = Facts::default();
            while let Some(row) = rows.next().map_err(sqlite)? {
                let combo = names.combo(db, row.get(1).map_err(sqlite)?)?;
                if !wanted.has_combo(&combo) {
                    continue;
                }
                if wanted.session.is_some() || wanted.tag.is_some() || wanted.tool.is_some() {
                    facts(db, names, row, &mut seen)?;
                    if !wanted.has_facets(&seen) {
                        continue;
                    }
                }
                if calls.len() == query.limit {
                    return Ok(Page { calls, next_cursor: last });
                }
                let stored = call(db, names, row)?.call;
                let provider: i64 = row.get(CALL_WIDTH).map_err(sqlite)?;
                if calls.len() + 1 == query.limit {
                    last = Some(format!("{}:{provider}:{}", stored.at.ms(), stored.id.as_deref().unwrap_or_default()));
                }
                calls.push(stored);
            }
            Ok(Page { calls, next_cursor: None })
        })
    }
}
