//! Connections that read, beside the writer and beside each other.

use std::fs::File;
use std::sync::{Arc, PoisonError, RwLock};

use rusqlite::Connection;
use tokenbook::Result;

use crate::store::names::Names;
use crate::store::writer::HeadRow;
use crate::store::{io, sqlite};

/// A connection for reading, with the names it has seen.
pub(crate) struct Reader {
    pub(crate) db: Connection,
    pub(crate) names: Names,
    /// Held while reading, so that nobody brings in the log meanwhile.
    gate: Option<(File, std::path::PathBuf)>,
    memory: Option<Arc<RwLock<()>>>,
}

impl Reader {
    pub(crate) fn new(
        db: Connection,
        gate: Option<(File, std::path::PathBuf)>,
        memory: Option<Arc<RwLock<()>>>,
    ) -> Result<Self> {
        db.execute_batch("PRAGMA query_only=ON; PRAGMA cache_size=-16384").map_err(sqlite)?;
        Ok(Self { db, names: Names::default(), gate, memory })
    }

    /// Reads the ledger as it is at one moment.
    pub(crate) fn snapshot<T>(
        &mut self,
        read: impl FnOnce(&Connection, &mut Names, HeadRow) -> Result<T>,
    ) -> Result<T> {
        self.behind_gate(|db, names| {
            let transaction = db.unchecked_transaction().map_err(sqlite)?;
            let head = HeadRow::read(&transaction)?;
            let result = read(&transaction, names, head)?;
            transaction.finish().map_err(sqlite)?;
            Ok(result)
        })
    }

    /// Asks one question, which is one moment by itself.
    pub(crate) fn ask<T>(&mut self, ask: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.behind_gate(|db, _| ask(db))
    }

    fn behind_gate<T>(&mut self, read: impl FnOnce(&Connection, &mut Names) -> Result<T>) -> Result<T> {
        if let Some((gate, path)) = &self.gate {
            gate.lock_shared().map_err(|error| io("lock", path, &error))?;
        }
        let memory = self.memory.clone();
        let _beside = memory.as_ref().map(|memory| memory.read().unwrap_or_else(PoisonError::into_inner));
        let result = read(&self.db, &mut self.names);
        if let Some((gate, _)) = &self.gate {
            let _ = gate.unlock();
        }
        result
    }
}
