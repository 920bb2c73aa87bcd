//! Rollups: sums by hour and day, and by session, tag and tool a day, kept beside the calls they are made of.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _};
use tokenbook::Result;

use crate::calendar::{Calendar, MS_PER_HOUR, Unit};
use crate::hash::FastMap;
use crate::spread::{Codes, Spread};
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
    /// How the sizes of every call are spread, by day.
    Spread = 8,
    /// The same by month.
    SpreadMonth = 9,
    /// By what the price depends on and day.
    Class = 10,
    /// The same by month.
    ClassMonth = 11,
    /// By the list of tools that were called and day; calls without any are in none.
    Called = 12,
    /// The same by month.
    CalledMonth = 13,
    /// Every call, by hour UTC and nothing else: its combo is 0.
    HourOverall = 14,
    /// By tool and day and nothing else.
    ToolOverall = 15,
    /// By session and month and nothing else: sessions may be without number, and few are in several months.
    SessionOverall = 16,
}

impl Kind {
    /// The same by month, if it is kept.
    pub(crate) const fn by_month(self) -> Option<Self> {
        match self {
            Self::Day => Some(Self::Month),
            Self::Tag => Some(Self::TagMonth),
            Self::Tool => Some(Self::ToolMonth),
            Self::Spread => Some(Self::SpreadMonth),
            Self::Class => Some(Self::ClassMonth),
            Self::Called => Some(Self::CalledMonth),
            _ => None,
        }
    }

    /// The kind with this number of the file format.
    pub(crate) fn from_number(number: i64) -> Option<Self> {
        const ALL: [Kind; 17] = [
            Kind::Hour,
            Kind::Day,
            Kind::Session,
            Kind::Tag,
            Kind::Tool,
            Kind::Month,
            Kind::TagMonth,
            Kind::ToolMonth,
            Kind::Spread,
            Kind::SpreadMonth,
            Kind::Class,
            Kind::ClassMonth,
            Kind::Called,
            Kind::CalledMonth,
            Kind::HourOverall,
            Kind::ToolOverall,
            Kind::SessionOverall,
        ];
        usize::try_from(number).ok().and_then(|number| ALL.get(number).copied())
    }

    /// Whether its buckets are months.
    pub(crate) const fn is_of_months(self) -> bool {
        matches!(
            self,
            Self::Month
                | Self::TagMonth
                | Self::ToolMonth
                | Self::SpreadMonth
                | Self::ClassMonth
                | Self::CalledMonth
                | Self::SessionOverall
        )
    }

    /// The same over all agents, actions, models and providers, if it is kept: what a question by nothing else reads.
    pub(crate) const fn overall(self) -> Option<Self> {
        match self {
            Self::Hour => Some(Self::HourOverall),
            Self::Tool => Some(Self::ToolOverall),
            Self::Session => Some(Self::SessionOverall),
            _ => None,
        }
    }

    /// Whether its rows hold spreads instead of sums.
    pub(crate) const fn holds_spreads(self) -> bool {
        matches!(self, Self::Spread | Self::SpreadMonth)
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

/// What rollups tell calls apart by, but for their sessions and what their tools did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Base {
    hour: i64,
    day: i64,
    combo: i64,
    class: i64,
    /// Numbers of lists.
    tags: i64,
    called: i64,
    has_tools: bool,
}

/// Sums not yet written.
#[derive(Debug, Default)]
pub(crate) struct Deltas {
    /// Calls are alike in most of what rollups go by: they are added up here once, and to the rows when those are wanted.
    bases: FastMap<Base, u32>,
    base_sums: Vec<Sums>,
    tag_lists: FastMap<i64, Box<[i64]>>,
    /// Where in `sums` a row's stand: rows are sorted and tables grow without moving the sums, of which each has 800 bytes.
    rows: FastMap<Key, u32>,
    sums: Vec<Sums>,
    /// The calls' sizes by day and combo, not yet made into histograms.
    sizes: FastMap<(i64, i64), Vec<(i64, Codes)>>,
    share: Share,
    tool_share: Share,
}

/// The sums of a key, in a vector that a table tells the places of.
fn sums_of<'sums, K: Eq + std::hash::Hash>(
    places: &mut FastMap<K, u32>,
    sums: &'sums mut Vec<Sums>,
    key: K,
) -> &'sums mut Sums {
    let next = u32::try_from(sums.len()).expect("there are fewer rows than that on any disk");
    let at = *places.entry(key).or_insert(next);
    if at == next {
        sums.push(Sums::default());
    }
    &mut sums[at as usize]
}

impl Deltas {
    pub(crate) fn clear(&mut self) {
        self.bases.clear();
        self.base_sums.clear();
        self.tag_lists.clear();
        self.rows.clear();
        self.sums.clear();
        self.sizes.clear();
    }

    /// Adds one call to every rollup that it belongs to.
    pub(crate) fn add(&mut self, calendar: &mut Calendar, facts: &Facts) {
        let day = calendar.day_of(facts.at);
        let combo = facts.combo;
        let has_tools = !facts.tools.is_empty();
        let base = Base {
            hour: facts.at.div_euclid(MS_PER_HOUR),
            day,
            combo,
            class: facts.class,
            tags: facts.tag_list,
            called: facts.called,
            has_tools,
        };
        let share = if has_tools {
            self.share.clone_from(&facts.share);
            Facts::add_tools(&facts.tools, &mut self.share);
            &self.share
        } else {
            &facts.share
        };
        let known = self.base_sums.len();
        sums_of(&mut self.bases, &mut self.base_sums, base).add_share(share);
        if self.base_sums.len() > known && base.tags != 0 {
            self.tag_lists.entry(base.tags).or_insert_with(|| facts.tags.as_slice().into());
        }
        let (rows, sums) = (&mut self.rows, &mut self.sums);
        let session = Key { kind: Kind::Session, bucket: day, facet: facts.session, combo };
        sums_of(rows, sums, session).add_share(share);
        for tool in &facts.tools {
            self.tool_share.clone_from(&facts.share);
            Facts::add_tools(std::slice::from_ref(tool), &mut self.tool_share);
            let key = Key { kind: Kind::Tool, bucket: day, facet: tool.tool, combo };
            sums_of(rows, sums, key).add_share(&self.tool_share);
        }
        self.sizes.entry((day, combo)).or_default().push((facts.at, Codes::of(&facts.sizes)));
    }

    /// Adds what calls have in common to the rows.
    fn add_bases(&mut self) {
        let (rows, all) = (&mut self.rows, &mut self.sums);
        #[expect(clippy::iter_over_hash_type, reason = "a sum doesn't depend on the order")]
        for (base, at) in self.bases.drain() {
            let sums = &self.base_sums[at as usize];
            let mut add = |kind, bucket, facet| {
                sums_of(rows, all, Key { kind, bucket, facet, combo: base.combo }).add(sums);
            };
            add(Kind::Hour, base.hour, 0);
            add(Kind::Day, base.day, 0);
            add(Kind::Class, base.day, base.class);
            if base.called != 0 {
                add(Kind::Called, base.day, base.called);
            }
            match self.tag_lists.get(&base.tags) {
                Some(tags) => tags.iter().for_each(|tag| add(Kind::Tag, base.day, *tag)),
                None => add(Kind::Tag, base.day, 0),
            }
            if !base.has_tools {
                add(Kind::Tool, base.day, 0);
            }
        }
        self.base_sums.clear();
        self.tag_lists.clear();
    }

    /// Makes the sizes into histograms by day and by month.
    fn take_spreads(&mut self) -> BTreeMap<Key, Spread> {
        let mut spreads: BTreeMap<Key, Spread> = BTreeMap::new();
        let all: Vec<_> = self.sizes.drain().collect();
        for ((day, combo), calls) in all {
            let mut spread = Spread::default();
            for (at, codes) in calls {
                spread.add_call(at, codes.iter());
            }
            let month = Key { kind: Kind::SpreadMonth, bucket: Calendar::first_day(Unit::Month, day), facet: 0, combo };
            spreads.entry(month).or_default().add(&spread);
            spreads.insert(Key { kind: Kind::Spread, bucket: day, ..month }, spread);
        }
        spreads
    }

    /// The sums and spreads in order, for comparing.
    pub(crate) fn into_sorted(mut self) -> (BTreeMap<Key, Sums>, BTreeMap<Key, Spread>) {
        self.add_coarser();
        let spreads = self.take_spreads();
        let sums = self.sorted_rows().into_iter().map(|(key, at)| (key, std::mem::take(&mut self.sums[at as usize])));
        (sums.collect(), spreads)
    }

    /// The rows in the order of the disk, where neighbours are written together.
    fn sorted_rows(&mut self) -> Vec<(Key, u32)> {
        let mut rows: Vec<_> = self.rows.drain().collect();
        rows.sort_unstable_by_key(|(key, _)| *key);
        rows
    }

    /// Adds days up to months, and combos to what is kept over all of them: once for each sum, not once for each call.
    fn add_coarser(&mut self) {
        self.add_bases();
        let fine: Vec<(Key, u32)> = self.rows.iter().map(|(key, at)| (*key, *at)).collect();
        for (key, at) in fine {
            let month = || Calendar::first_day(Unit::Month, key.bucket);
            let by_month = key.kind.by_month().map(|kind| Key { kind, bucket: month(), ..key });
            let overall = key.kind.overall().map(|kind| {
                let bucket = if kind.is_of_months() { month() } else { key.bucket };
                Key { kind, bucket, combo: 0, ..key }
            });
            if by_month.is_some() || overall.is_some() {
                let sums = self.sums[at as usize].clone();
                for coarser in [by_month, overall].into_iter().flatten() {
                    sums_of(&mut self.rows, &mut self.sums, coarser).add(&sums);
                }
            }
        }
    }

    /// Adds the sums to those on disk and forgets them.
    pub(crate) fn write(&mut self, db: &Connection) -> Result<()> {
        self.add_coarser();
        let mut read = db
            .prepare_cached("SELECT sums FROM roll WHERE kind = ?1 AND bucket = ?2 AND facet = ?3 AND combo = ?4")
            .map_err(sqlite)?;
        let mut write = db
            .prepare_cached(
                "INSERT OR REPLACE INTO roll (kind, bucket, facet, combo, sums) VALUES (?1, ?2, ?3, ?4, ?5)",
            )
            .map_err(sqlite)?;
        let mut bytes = Vec::with_capacity(128);
        for (Key { kind, bucket, facet, combo }, at) in self.sorted_rows() {
            let sums = &mut self.sums[at as usize];
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
        self.sums.clear();
        for (Key { kind, bucket, facet, combo }, mut spread) in self.take_spreads() {
            let found = read
                .query_row((kind as i64, bucket, facet, combo), |row| {
                    Ok(row.get_ref(0)?.as_blob().map(|bytes| spread.add_written(bytes)))
                })
                .optional()
                .map_err(sqlite)?;
            match found {
                Some(Ok(added)) => added?,
                Some(Err(_)) => return Err(crate::store::corrupt("a rollup can't be read")),
                None => {}
            }
            spread.write(&mut bytes);
            write.execute((kind as i64, bucket, facet, combo, &bytes[..])).map_err(sqlite)?;
        }
        Ok(())
    }
}
