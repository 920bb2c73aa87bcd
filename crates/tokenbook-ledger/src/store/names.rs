//! Names as small numbers: every name is stored once.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _};
use tokenbook::Result;

use crate::hash::FastMap;
use crate::store::{corrupt, sqlite};

/// Entries that a cache holds before it starts anew: sessions may be without number.
const MAX_CACHED: usize = 200_000;

/// What rollups are grouped by, as name numbers (0 is none).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Combo {
    pub(crate) agent: i64,
    pub(crate) action: i64,
    pub(crate) model: i64,
    pub(crate) provider: i64,
    pub(crate) failed: bool,
}

/// What the price of a call depends on beside its combo and its instant, and whether its answer was cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(crate) struct Class {
    pub(crate) answered_model: i64,
    pub(crate) service_tier: i64,
    pub(crate) region: i64,
    /// 0 unknown, 1 no, 2 yes.
    pub(crate) batch: i64,
    /// Between which of [`Class::EDGES`] the call's input lies.
    pub(crate) input_size: i64,
    /// 0 unpriced, 1 priced, 2 stated.
    pub(crate) cost: i64,
    pub(crate) known_usage: bool,
    pub(crate) server_tools: bool,
    pub(crate) truncated: bool,
}

impl Class {
    /// The context thresholds of the catalog's prices: calls between the same two are priced alike. The numbers are those
    /// of the file format; a price with another threshold is computed call by call.
    const EDGES: [u64; 9] = [32_000, 100_000, 128_000, 199_999, 200_000, 256_000, 272_000, 512_000, 524_288];

    pub(crate) fn size_of(input_tokens: u64) -> i64 {
        Self::EDGES.iter().map(|edge| i64::from(input_tokens > *edge)).sum()
    }

    /// The smallest and the largest input of the calls in the class.
    pub(crate) fn input_range(&self) -> (u64, u64) {
        let size = usize::try_from(self.input_size).unwrap_or_default();
        let below = size.checked_sub(1).and_then(|below| Self::EDGES.get(below));
        (below.map_or(0, |edge| edge + 1), Self::EDGES.get(size).copied().unwrap_or(u64::MAX))
    }

    fn flags(&self) -> i64 {
        self.batch
            | self.cost << 2
            | i64::from(self.known_usage) << 4
            | i64::from(self.server_tools) << 5
            | i64::from(self.truncated) << 6
            | self.input_size << 7
    }

    fn new(answered_model: i64, service_tier: i64, region: i64, flags: i64) -> Self {
        Self {
            answered_model,
            service_tier,
            region,
            batch: flags & 3,
            cost: flags >> 2 & 3,
            known_usage: flags >> 4 & 1 != 0,
            server_tools: flags >> 5 & 1 != 0,
            truncated: flags >> 6 & 1 != 0,
            input_size: flags >> 7,
        }
    }

    fn find(&self, db: &Connection) -> Result<Option<i64>> {
        db.prepare_cached(
            "SELECT id FROM class WHERE answered_model = ?1 AND service_tier = ?2 AND region = ?3 AND flags = ?4",
        )
        .and_then(|mut statement| {
            let values = (self.answered_model, self.service_tier, self.region, self.flags());
            statement.query_row(values, |row| row.get(0)).optional()
        })
        .map_err(sqlite)
    }
}

/// Gives names their numbers; the writer's, inside its transaction.
#[derive(Debug, Default)]
pub(crate) struct Interner {
    names: FastMap<Box<str>, i64>,
    lists: FastMap<Box<[i64]>, i64>,
    combos: FastMap<Combo, i64>,
    classes: FastMap<Class, i64>,
}

impl Interner {
    /// Forgets everything, after a transaction whose new names were rolled back.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn optional(&mut self, db: &Connection, text: Option<&str>) -> Result<i64> {
        text.map_or(Ok(0), |text| self.name(db, text))
    }

    pub(crate) fn name(&mut self, db: &Connection, text: &str) -> Result<i64> {
        if let Some(id) = self.names.get(text) {
            return Ok(*id);
        }
        let id = number(db, "SELECT id FROM name WHERE text = ?1", "INSERT INTO name (text) VALUES (?1)", text)?;
        if self.names.len() >= MAX_CACHED {
            self.names.clear();
        }
        self.names.insert(text.into(), id);
        Ok(id)
    }

    /// Gives a list of names its number and its members theirs.
    pub(crate) fn list(&mut self, db: &Connection, texts: &[&str], members: &mut Vec<i64>) -> Result<i64> {
        members.clear();
        if texts.is_empty() {
            return Ok(0);
        }
        for text in texts {
            members.push(self.name(db, text)?);
        }
        if let Some(id) = self.lists.get(members.as_slice()) {
            return Ok(*id);
        }
        let key = members.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
        let insert = "INSERT INTO list (members) VALUES (?1)";
        let id = number(db, "SELECT id FROM list WHERE members = ?1", insert, &key)?;
        if self.lists.len() >= MAX_CACHED {
            self.lists.clear();
        }
        self.lists.insert(members.as_slice().into(), id);
        Ok(id)
    }

    pub(crate) fn combo(&mut self, db: &Connection, combo: Combo) -> Result<i64> {
        if let Some(id) = self.combos.get(&combo) {
            return Ok(*id);
        }
        let values = (combo.agent, combo.action, combo.model, combo.provider, combo.failed);
        let found = db
            .prepare_cached(
                "SELECT id FROM combo WHERE agent = ?1 AND action = ?2 AND model = ?3 AND provider = ?4 AND failed = ?5",
            )
            .and_then(|mut statement| statement.query_row(values, |row| row.get(0)).optional())
            .map_err(sqlite)?;
        let id = match found {
            Some(id) => id,
            None => db
                .prepare_cached(
                    "INSERT INTO combo (agent, action, model, provider, failed) VALUES (?1, ?2, ?3, ?4, ?5)",
                )
                .and_then(|mut statement| statement.insert(values))
                .map_err(sqlite)?,
        };
        if self.combos.len() >= MAX_CACHED {
            self.combos.clear();
        }
        self.combos.insert(combo, id);
        Ok(id)
    }
}

impl Interner {
    pub(crate) fn class(&mut self, db: &Connection, class: Class) -> Result<i64> {
        if let Some(id) = self.classes.get(&class) {
            return Ok(*id);
        }
        let id = match class.find(db)? {
            Some(id) => id,
            None => db
                .prepare_cached(
                    "INSERT INTO class (answered_model, service_tier, region, flags) VALUES (?1, ?2, ?3, ?4)",
                )
                .and_then(|mut statement| {
                    statement.insert((class.answered_model, class.service_tier, class.region, class.flags()))
                })
                .map_err(sqlite)?,
        };
        if self.classes.len() >= MAX_CACHED {
            self.classes.clear();
        }
        self.classes.insert(class, id);
        Ok(id)
    }
}

fn number(db: &Connection, find: &str, add: &str, text: &str) -> Result<i64> {
    let found: Option<i64> = db
        .prepare_cached(find)
        .and_then(|mut statement| statement.query_row([text], |row| row.get(0)).optional())
        .map_err(sqlite)?;
    match found {
        Some(id) => Ok(id),
        None => db.prepare_cached(add).and_then(|mut statement| statement.insert([text])).map_err(sqlite),
    }
}

/// Finds the names behind numbers, and remembers them: a number never changes its meaning.
#[derive(Debug, Default)]
pub(crate) struct Names {
    texts: FastMap<i64, Arc<str>>,
    lists: FastMap<i64, Arc<[i64]>>,
    combos: FastMap<i64, Combo>,
    classes: FastMap<i64, Class>,
    class_numbers: FastMap<Class, i64>,
}

impl Names {
    /// The name behind a number, none behind 0.
    pub(crate) fn name(&mut self, db: &Connection, id: i64) -> Result<Option<Arc<str>>> {
        if id == 0 {
            return Ok(None);
        }
        if let Some(name) = self.texts.get(&id) {
            return Ok(Some(Arc::clone(name)));
        }
        let text: Option<String> = db
            .prepare_cached("SELECT text FROM name WHERE id = ?1")
            .and_then(|mut statement| statement.query_row([id], |row| row.get(0)).optional())
            .map_err(sqlite)?;
        let name: Arc<str> = text.ok_or_else(|| corrupt("a name is missing"))?.into();
        if self.texts.len() >= MAX_CACHED {
            self.texts.clear();
        }
        self.texts.insert(id, Arc::clone(&name));
        Ok(Some(name))
    }

    /// The number of a name that may never have been recorded.
    pub(crate) fn find(db: &Connection, text: &str) -> Result<Option<i64>> {
        db.prepare_cached("SELECT id FROM name WHERE text = ?1")
            .and_then(|mut statement| statement.query_row([text], |row| row.get(0)).optional())
            .map_err(sqlite)
    }

    /// The members of a list, as name numbers.
    pub(crate) fn list(&mut self, db: &Connection, id: i64) -> Result<Arc<[i64]>> {
        if id == 0 {
            return Ok(Arc::default());
        }
        if let Some(list) = self.lists.get(&id) {
            return Ok(Arc::clone(list));
        }
        let text: Option<String> = db
            .prepare_cached("SELECT members FROM list WHERE id = ?1")
            .and_then(|mut statement| statement.query_row([id], |row| row.get(0)).optional())
            .map_err(sqlite)?;
        let text = text.ok_or_else(|| corrupt("a list is missing"))?;
        let members: Option<Arc<[i64]>> = text.split(',').map(|member| member.parse().ok()).collect();
        let members = members.ok_or_else(|| corrupt("a list can't be read"))?;
        if self.lists.len() >= MAX_CACHED {
            self.lists.clear();
        }
        self.lists.insert(id, Arc::clone(&members));
        Ok(members)
    }

    /// The combo behind a number.
    pub(crate) fn combo(&mut self, db: &Connection, id: i64) -> Result<Combo> {
        if let Some(combo) = self.combos.get(&id) {
            return Ok(*combo);
        }
        let found = db
            .prepare_cached("SELECT agent, action, model, provider, failed FROM combo WHERE id = ?1")
            .and_then(|mut statement| {
                statement
                    .query_row([id], |row| {
                        Ok(Combo {
                            agent: row.get(0)?,
                            action: row.get(1)?,
                            model: row.get(2)?,
                            provider: row.get(3)?,
                            failed: row.get(4)?,
                        })
                    })
                    .optional()
            })
            .map_err(sqlite)?;
        let combo = found.ok_or_else(|| corrupt("a combo is missing"))?;
        self.combos.insert(id, combo);
        Ok(combo)
    }

    /// The class behind a number.
    pub(crate) fn class(&mut self, db: &Connection, id: i64) -> Result<Class> {
        if let Some(class) = self.classes.get(&id) {
            return Ok(*class);
        }
        let found = db
            .prepare_cached("SELECT answered_model, service_tier, region, flags FROM class WHERE id = ?1")
            .and_then(|mut statement| {
                statement
                    .query_row([id], |row| Ok(Class::new(row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
                    .optional()
            })
            .map_err(sqlite)?;
        let class = found.ok_or_else(|| corrupt("a class of prices is missing"))?;
        self.classes.insert(id, class);
        Ok(class)
    }

    /// The number of the class of a call that was recorded.
    pub(crate) fn class_number(&mut self, db: &Connection, class: Class) -> Result<i64> {
        if let Some(id) = self.class_numbers.get(&class) {
            return Ok(*id);
        }
        let id = class.find(db)?.ok_or_else(|| corrupt("a class of prices is missing"))?;
        if self.class_numbers.len() >= MAX_CACHED {
            self.class_numbers.clear();
        }
        self.class_numbers.insert(class, id);
        Ok(id)
    }
}
