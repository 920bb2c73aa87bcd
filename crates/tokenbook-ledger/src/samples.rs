//! What requests were estimated to be beside what was billed for them: the latest of each model.

use rusqlite::Connection;
use tokenbook::request::Sample;
use tokenbook::{Count, Result};

use crate::ledger::Ledger;
use crate::store::sqlite;

/// As many samples of a model are kept, and learned from.
const KEPT: i64 = 256;

/// How often the older ones are dropped, in samples.
const DROP_EVERY: i64 = 1024;

/// Keeps a call's estimate beside what was billed; the caller is in the transaction that records the call.
pub(crate) fn add(db: &Connection, model: &str, (estimated, measured): (Count, Count)) -> Result<()> {
    let number = |count: Count| i64::try_from(count.get()).unwrap_or(i64::MAX);
    db.prepare_cached("INSERT INTO sample (model, estimated, measured) VALUES (?1, ?2, ?3)")
        .and_then(|mut insert| insert.insert((model, number(estimated), number(measured))))
        .and_then(|id| if id % DROP_EVERY == 0 { drop_old(db) } else { Ok(()) })
        .map_err(sqlite)
}

fn drop_old(db: &Connection) -> rusqlite::Result<()> {
    db.execute(
        "DELETE FROM sample WHERE id IN (SELECT id FROM \
         (SELECT id, row_number() OVER (PARTITION BY model ORDER BY id DESC) AS age FROM sample) WHERE age > ?1)",
        [KEPT],
    )
    .map(drop)
}

impl Ledger {
    /// The latest calls of a model whose input was estimated before they were made, oldest first; at most 256.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Unavailable`](tokenbook::ErrorCode::Unavailable) when the file can't be read.
    pub fn samples(&self, model: &str) -> Result<Vec<Sample>> {
        let count = |number: i64| Count::new(number.cast_unsigned());
        self.read(|db, _, _| {
            let sql = "SELECT estimated, measured FROM sample WHERE model = ?1 ORDER BY id DESC LIMIT ?2";
            let mut select = db.prepare_cached(sql).map_err(sqlite)?;
            let mut rows = select.query((model, KEPT)).map_err(sqlite)?;
            let mut samples = Vec::new();
            while let Some(row) = rows.next().map_err(sqlite)? {
                let (estimated, measured) = (row.get(0).map_err(sqlite)?, row.get(1).map_err(sqlite)?);
                samples.push(Sample { estimated: count(estimated)?, measured: count(measured)? });
            }
            samples.reverse();
            Ok(samples)
        })
    }

    /// The models that there are samples of, by name.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Unavailable`](tokenbook::ErrorCode::Unavailable) when the file can't be read.
    pub fn sampled_models(&self) -> Result<Vec<String>> {
        self.read(|db, _, _| {
            let mut select = db.prepare_cached("SELECT DISTINCT model FROM sample ORDER BY model").map_err(sqlite)?;
            let models = select.query_map([], |row| row.get(0)).map_err(sqlite)?;
            models.collect::<rusqlite::Result<_>>().map_err(sqlite)
        })
    }
}

#[cfg(test)]
mod tests {
    use tokenbook::{TokenKind, Usage};

    use super::*;
    use crate::{Along, Call, Options, Status};

    fn call(number: i64, model: &str) -> Call {
        let mut call = Call::new("2026-11-22T10:00:00Z".parse().expect("an instant"), model);
        call.id = Some(number.to_string());
        call.usage = Some(Usage::new().with(TokenKind::Input, 120_u32).with(TokenKind::CacheRead, 30_u32));
        call
    }

    #[test]
    fn a_call_that_is_recorded_twice_is_one_sample() {
        let ledger = Ledger::open_in_memory(&Options::default()).expect("a ledger");
        let along = Along { estimated_tokens: Some(Count::from(100)), ..Along::default() };
        for status in [Status::Recorded, Status::Duplicate] {
            let recorded = ledger.submit_with(call(1, "m"), along).and_then(crate::Receipt::wait).expect("recorded");
            assert_eq!(recorded.status, status);
        }
        let mut partial = call(2, "m");
        partial.partial = true;
        ledger.submit_with(partial, along).and_then(crate::Receipt::wait).expect("recorded");
        ledger.record(call(3, "m")).expect("recorded");
        let sample = Sample { estimated: Count::from(100), measured: Count::from(150) };
        assert_eq!(ledger.samples("m").expect("read"), [sample]);
        assert_eq!(ledger.sampled_models().expect("read"), ["m"]);
        assert!(ledger.samples("n").expect("read").is_empty());
    }

    #[test]
    fn the_latest_samples_of_each_model_are_kept() {
        let ledger = Ledger::open_in_memory(&Options::default()).expect("a ledger");
        let along = |number: i64| Along {
            estimated_tokens: Some(Count::new(number.cast_unsigned()).expect("small")),
            ..Along::default()
        };
        let mut calls = vec![(call(0, "rare"), along(7))];
        calls.extend((1..=DROP_EVERY + 10).map(|number| (call(number, "m"), along(number))));
        for result in ledger.record_batch_with(calls).expect("open") {
            result.expect("recorded");
        }
        let samples = ledger.samples("m").expect("read");
        assert_eq!(samples.len(), 256);
        assert_eq!(samples.last().map(|sample| sample.estimated.get()), Some(1034));
        assert_eq!(ledger.samples("rare").expect("read").len(), 1);
        let kept: i64 = ledger
            .read(|db, _, _| db.query_row("SELECT count(*) FROM sample", [], |row| row.get(0)).map_err(sqlite))
            .expect("read");
        assert!(kept < 300, "{kept}");
    }
}
