//! Finds out whether a call is recorded already.

use std::rc::Rc;

use rusqlite::types::Value;
use rusqlite::{CachedStatement, Connection, OptionalExtension as _};
use tokenbook::Result;

use crate::hash::FastMap;
use crate::store::prepared::View;
use crate::store::sqlite;
use crate::store::writer::Tail;

/// The indexed calls under any of some keys.
const KEYS: &str = "SELECT k.key, k.seq FROM rarray(?1) wanted CROSS JOIN call_key k ON k.key = wanted.value";

/// Finds calls by id.
pub(crate) struct Search<'db> {
    call: CachedStatement<'db>,
    /// The indexed calls under the keys of a batch: hardly any.
    indexed: FastMap<i64, Vec<i64>>,
}

impl<'db> Search<'db> {
    /// Looks the keys of a whole batch up at once, which costs a third of asking for one after the other.
    pub(crate) fn new(db: &'db Connection, keys: impl Iterator<Item = i64>) -> Result<Self> {
        let wanted: Vec<Value> = keys.map(Value::Integer).collect();
        let mut statement = db.prepare_cached(KEYS).map_err(sqlite)?;
        let mut rows = statement.query([Rc::new(wanted)]).map_err(sqlite)?;
        let mut indexed: FastMap<i64, Vec<i64>> = FastMap::default();
        while let Some(row) = rows.next().map_err(sqlite)? {
            indexed.entry(row.get(0).map_err(sqlite)?).or_default().push(row.get(1).map_err(sqlite)?);
        }
        let call = db.prepare_cached(
            "SELECT c.id, k.provider, c.data FROM call c JOIN combo k ON k.id = c.combo WHERE c.seq = ?1",
        );
        Ok(Self { call: call.map_err(sqlite)?, indexed })
    }

    /// Whether any call is under this key: if none is, there is nothing to compare.
    pub(crate) fn may_find(&self, tail: &Tail, key: i64) -> bool {
        tail.keys.contains_key(&key) || !self.indexed.is_empty() && self.indexed.contains_key(&key)
    }

    /// The number of the call with this id, and whether it has the same content.
    pub(crate) fn find(
        &mut self,
        tail: &Tail,
        key: i64,
        provider: i64,
        wanted: View<'_>,
    ) -> Result<Option<(i64, bool)>> {
        let first = tail.keys.get(&key).copied();
        let more = tail.more.iter().filter(|(other, _)| *other == key).map(|(_, seq)| *seq);
        let indexed = self.indexed.get(&key).into_iter().flatten().copied();
        for seq in first.into_iter().chain(more).chain(indexed) {
            if let Some(found) = Self::compare(&mut self.call, seq, provider, wanted)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn compare(
        call: &mut CachedStatement<'_>,
        seq: i64,
        provider: i64,
        wanted: View<'_>,
    ) -> Result<Option<(i64, bool)>> {
        let found = call
            .query_row([seq], |row| {
                let is_it = row.get_ref(0)?.as_str()? == wanted.id() && row.get::<_, i64>(1)? == provider;
                Ok(is_it.then_some((seq, row.get_ref(2)?.as_blob()?.starts_with(&wanted.of.digest))))
            })
            .optional()
            .map_err(sqlite)?;
        Ok(found.flatten())
    }
}
