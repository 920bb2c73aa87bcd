//! Rollups: sums by hour and day, and by session, tag and tool a day, kept beside the calls they are made of.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _};
use tokenbook::Result;

use crate::calendar::{Calendar, MS_PER_HOUR, Unit};
use crate::hash::FastMap;
use crate::store::row::Facts;
use crate::store::sqlite;
use crate::sums::{Share, Sums};

/// What a rollup is of. The numbers are those of the file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Every call, by hour UTC.
    Hour = 0,
    /// Every call, by day of the ledger's zone.
    Day = 1,
    /// By session and day; facet 0 for calls without one.
    Session = 2,
    /// By tag and day; facet 0 for calls without any.
    Tag = 3,
    /// By tool and day; facet 0 for calls without any.
    Tool = 4,
    /// Every call, by month of the ledger's zone.
    Month = 5,
    /// By tag and month.
    TagMonth = 6,
    /// By tool and month.
    ToolMonth = 7,
}

impl Kind {
    /// The same by month, if it is kept.
    pub(crate) const fn by_month(self) -> Option<Self> {
        match self {
            Self::Day => Some(Self::Month),
            Self::Tag => Some(Self::TagMonth),
            Self::Tool => Some(Self::ToolMonth),
            _ => None,
        }
    }
}

/// One row of the rollups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) kind: Kind,
    pub(crate) bucket: i64,
    pub(crate) facet: i64,
    pub(crate) combo: i64,
}

/// Sums not yet written.
#[derive(Debug, Default)]
pub(crate) struct Deltas {
    sums: FastMap<Key, Sums>,
    share: Share,
    tool_share: Share,
}

impl Deltas {
    pub(crate) fn clear(&mut self) {
        self.sums.clear();
    }

    /// Adds one call to every rollup that it belongs to.
    pub(crate) fn add(&mut self, calendar: &mut Calendar, facts: &Facts) {
        let day = calendar.day_of(facts.at);
        let combo = facts.combo;
        let mut share = std::mem::take(&mut self.share);
        share.clone_from(&facts.share);
        Facts::add_tools(&facts.tools, &mut share);
        let mut add = |kind: Kind, facet, share: &Share| {
            let bucket = if kind == Kind::Hour { facts.at.div_euclid(MS_PER_HOUR) } else { day };
            self.sums.entry(Key { kind, bucket, facet, combo }).or_default().add_share(share);
        };
        add(Kind::Hour, 0, &share);
        add(Kind::Day, 0, &share);
        add(Kind::Session, facts.session, &share);
        if facts.tags.is_empty() {
            add(Kind::Tag, 0, &share);
        }
        for tag in &facts.tags {
            add(Kind::Tag, *tag, &share);
        }
        if facts.tools.is_empty() {
            add(Kind::Tool, 0, &share);
        }
        for tool in &facts.tools {
            let mut one = std::mem::take(&mut self.tool_share);
            one.clone_from(&facts.share);
            Facts::add_tools(std::slice::from_ref(tool), &mut one);
            add(Kind::Tool, tool.tool, &one);
            self.tool_share = one;
        }
        self.share = share;
    }

    /// The sums in order, for comparing.
    pub(crate) fn into_sorted(mut self) -> BTreeMap<Key, Sums> {
        self.add_months();
        self.sums.into_iter().collect()
    }

    /// Adds days up to months: once for each sum, not once for each call.
    #[expect(clippy::iter_over_hash_type, reason = "a sum doesn't depend on the order")]
    fn add_months(&mut self) {
        let mut months: FastMap<Key, Sums> = FastMap::default();
        for (key, sums) in &self.sums {
            if let Some(kind) = key.kind.by_month() {
                let bucket = Calendar::first_day(Unit::Month, key.bucket);
                months.entry(Key { kind, bucket, ..*key }).or_default().add(sums);
            }
        }
        self.sums.extend(months);
    }

    /// Adds the sums to those on disk and forgets them.
    pub(crate) fn write(&mut self, db: &Connection) -> Result<()> {
        self.add_months();
        // Sorted, so that neighbours on disk are written together.
        let mut all: Vec<_> = self.sums.drain().collect();
        all.sort_unstable_by_key(|(key, _)| *key);
        let mut read = db
            .prepare_cached("SELECT sums FROM roll WHERE kind = ?1 AND bucket = ?2 AND facet = ?3 AND combo = ?4")
            .map_err(sqlite)?;
        let mut write = db
            .prepare_cached(
                "INSERT OR REPLACE INTO roll (kind, bucket, facet, combo, sums) VALUES (?1, ?2, ?3, ?4, ?5)",
            )
            .map_err(sqlite)?;
        let mut bytes = Vec::with_capacity(128);
        for (Key { kind, bucket, facet, combo }, mut sums) in all {
            let found = read
                .query_row((kind as i64, bucket, facet, combo), |row| {
                    Ok(row.get_ref(0)?.as_blob().map(|bytes| sums.add_written(bytes)))
                })
                .optional()
                .map_err(sqlite)?;
            match found {
                Some(Ok(added)) => added?,
                Some(Err(_)) => return Err(crate::store::corrupt("a rollup can't be read")),
                None => {}
            }
            sums.write(&mut bytes);
            write.execute((kind as i64, bucket, facet, combo, &bytes[..])).map_err(sqlite)?;
        }
        Ok(())
    }
}
