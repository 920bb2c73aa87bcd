//! Letting go of old calls while keeping their sums.

use serde::{Deserialize, Serialize};
use tokenbook::{Result, Timestamp};

use crate::digest::Digest;
use crate::ledger::Ledger;
use crate::store::sqlite;
use crate::store::writer::key;
use crate::verify::{call_place, walk_chain};

/// What pruning did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Pruned {
    /// How many calls were removed.
    pub calls: u64,
    /// Calls before this instant are gone: the start of the day that was asked for, in the ledger's zone.
    pub before: Timestamp,
}

impl Ledger {
    /// Removes the calls of all days before the one that `before` lies in.
    ///
    /// Their sums stay: reports by whole days and hours, over any time, don't change. Gone are the single calls, and with them
    /// reports whose range cuts through a pruned hour. Calls from before the boundary are refused from now on, since they
    /// couldn't be told from pruned ones. The file's space is used again, not given back; [`Ledger::snapshot`] writes a small
    /// copy.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::CorruptData`](tokenbook::ErrorCode::CorruptData) when calls are missing,
    /// [`ErrorCode::Unavailable`](tokenbook::ErrorCode::Unavailable) when the file can't be written.
    pub fn prune(&self, before: Timestamp) -> Result<Pruned> {
        self.flush()?;
        self.job(move |writer| {
            let day = writer.calendar.day_of(before.ms());
            let boundary = writer.calendar.day_start(day).max(0);
            let (calls, _held) = writer.transact(|writer, head| {
                let boundary = boundary.max(head.pruned_before);
                writer.fold(head)?;
                writer.index(head)?;
                let mut gone: Vec<i64> = Vec::new();
                let mut runs: Vec<(i64, i64, Digest)> = Vec::new();
                walk_chain(
                    &writer.db,
                    |first, last, link, goes| {
                        if !goes {
                            return Ok(());
                        }
                        match runs.last_mut() {
                            Some(run) if run.1 + 1 == first => (run.1, run.2) = (last, link),
                            _ => runs.push((first, last, link)),
                        }
                        if call_place(&writer.db, first)?.is_some() {
                            gone.push(first);
                        }
                        Ok(())
                    },
                    boundary,
                )?;
                let db = &writer.db;
                let mut forget = db.prepare("DELETE FROM call_key WHERE key = ?1 AND seq = ?2").map_err(sqlite)?;
                let mut delete = db.prepare("DELETE FROM call WHERE seq = ?1").map_err(sqlite)?;
                for seq in &gone {
                    if let Some((provider, id)) = call_place(db, *seq)? {
                        forget.execute((key(provider, &id), seq)).map_err(sqlite)?;
                    }
                    delete.execute([seq]).map_err(sqlite)?;
                }
                db.execute("DELETE FROM pruned", []).map_err(sqlite)?;
                let mut note =
                    db.prepare("INSERT INTO pruned (first, last, chain) VALUES (?1, ?2, ?3)").map_err(sqlite)?;
                for (first, last, link) in runs {
                    note.execute((first, last, &link[..])).map_err(sqlite)?;
                }
                head.count -= i64::try_from(gone.len()).unwrap_or(i64::MAX);
                head.pruned_before = boundary;
                Ok(gone.len() as u64)
            })?;
            Ok(Pruned { calls, before: Timestamp::from_ms(boundary)? })
        })
    }
}
