//! Rules, spells and silences in the ledger's file.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _};
use tokenbook::{Count, Error, ErrorCode, Result, Timestamp};

use crate::alert::check::{Finding, Verdict};
use crate::alert::{Alert, AlertChange, AlertNotice, AlertRule, AlertSilence, AlertsQuery, MAX_PAGE};
use crate::store::row::ToolFacts;
use crate::store::{corrupt, sqlite};

/// Where `meta` keeps the rules.
const RULES: &str = "alert_rules";
/// For how many hours the calls of tools are kept.
const KEPT_HOURS: i64 = 10 * 168;

/// How often each tool was called in each hour, of calls that are not folded yet.
#[derive(Debug, Default)]
pub(crate) struct ToolHours(BTreeMap<(i64, i64), u64>);

impl ToolHours {
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The first tool after another one.
    pub(crate) fn next(&self, tool: i64) -> Option<i64> {
        self.0.range((tool.saturating_add(1), i64::MIN)..).next().map(|((tool, _), _)| *tool)
    }

    /// The hours in which a tool was called, and how often.
    pub(crate) fn of(&self, tool: i64) -> impl DoubleEndedIterator<Item = (i64, u64)> {
        self.0.range((tool, i64::MIN)..=(tool, i64::MAX)).map(|((_, hour), calls)| (*hour, *calls))
    }

    pub(crate) fn add(&mut self, at: i64, tools: &[ToolFacts]) {
        for tool in tools.iter().filter(|tool| tool.called > 0) {
            *self.0.entry((tool.tool, at.div_euclid(crate::calendar::MS_PER_HOUR))).or_default() += tool.called;
        }
    }

    pub(crate) fn write(&mut self, db: &Connection) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let mut add = db
            .prepare_cached(
                "INSERT INTO tool_hour (tool, hour, calls) VALUES (?1, ?2, ?3) \
                 ON CONFLICT (tool, hour) DO UPDATE SET calls = calls + excluded.calls",
            )
            .map_err(sqlite)?;
        for ((tool, hour), calls) in std::mem::take(&mut self.0) {
            add.execute((tool, hour, i64::try_from(calls).unwrap_or(i64::MAX))).map_err(sqlite)?;
        }
        Ok(())
    }
}

pub(crate) fn rules(db: &Connection) -> Result<Vec<AlertRule>> {
    let text: Option<String> = db
        .prepare_cached("SELECT value FROM meta WHERE key = ?1")
        .and_then(|mut statement| statement.query_row([RULES], |row| row.get(0)).optional())
        .map_err(sqlite)?;
    match text {
        Some(text) => serde_json::from_str(&text).map_err(|_| corrupt("the alert rules can't be read")),
        None => Ok(AlertRule::built_in()),
    }
}

pub(crate) fn set_rules(db: &Connection, rules: Option<&[AlertRule]>) -> Result<()> {
    db.execute("DELETE FROM meta WHERE key = ?1", [RULES]).map_err(sqlite)?;
    if let Some(rules) = rules {
        let text = serde_json::to_string(rules).map_err(|error| Error::invalid(error.to_string()))?;
        db.execute("INSERT INTO meta (key, value) VALUES (?1, ?2)", (RULES, text)).map_err(sqlite)?;
    }
    Ok(())
}

/// A change of spells that findings call for.
enum Change<'a> {
    Start(&'a Finding, bool),
    End(i64),
}

/// A spell that lasts, and what it is known by.
struct Open {
    id: i64,
    rule: String,
    subject: String,
    level: i64,
    period: i64,
}

/// What findings change; a function of what is stored, the rules and the moment.
fn plan<'a>(db: &Connection, rules: &[AlertRule], findings: &'a [Finding], now: Timestamp) -> Result<Vec<Change<'a>>> {
    let mut statement = db
        .prepare_cached("SELECT id, rule, subject, level, period FROM alert WHERE ended_at IS NULL ORDER BY id")
        .map_err(sqlite)?;
    let open: Vec<Open> = statement
        .query_map([], |row| {
            let (rule, subject) = (row.get(1)?, row.get(2)?);
            Ok(Open { id: row.get(0)?, rule, subject, level: row.get(3)?, period: row.get(4)? })
        })
        .and_then(Iterator::collect)
        .map_err(sqlite)?;
    let is_of = |open: &Open, finding: &Finding| {
        open.rule == finding.rule
            && open.subject == finding.subject()
            && open.level == finding.level
            && open.period == finding.period
    };
    let mut changes = Vec::new();
    for spell in &open {
        if !findings.iter().any(|finding| is_of(spell, finding)) {
            changes.push(Change::End(spell.id));
        }
    }
    for finding in findings {
        if !matches!(finding.verdict, Verdict::Fires(_)) || open.iter().any(|spell| is_of(spell, finding)) {
            continue;
        }
        let ended: Option<i64> = db
            .prepare_cached("SELECT max(ended_at) FROM alert WHERE rule = ?1 AND subject = ?2 AND level = ?3")
            .and_then(|mut last| last.query_row((&finding.rule, finding.subject(), finding.level), |row| row.get(0)))
            .map_err(sqlite)?;
        let rule = rules.iter().find(|rule| rule.name == finding.rule);
        let quiet = rule.and_then(|rule| rule.cool_down_minutes).map_or(0, Count::get);
        let quiet = i64::try_from(quiet).unwrap_or(0) * 60_000;
        if ended.is_some_and(|ended| now.ms() < ended + quiet) {
            continue;
        }
        let until: Option<i64> = db
            .prepare_cached("SELECT max(until) FROM alert_silence WHERE rule = ?1 AND subject IN ('', ?2)")
            .and_then(|mut found| found.query_row((&finding.rule, finding.subject()), |row| row.get(0)))
            .map_err(sqlite)?;
        changes.push(Change::Start(finding, until.is_some_and(|until| now.ms() < until)));
    }
    Ok(changes)
}

/// Whether findings change anything.
pub(crate) fn would_change(db: &Connection, rules: &[AlertRule], findings: &[Finding], now: Timestamp) -> Result<bool> {
    Ok(!plan(db, rules, findings, now)?.is_empty())
}

/// Notes what findings change, and tells what is not silenced.
pub(crate) fn note(
    db: &Connection,
    rules: &[AlertRule],
    findings: &[Finding],
    now: Timestamp,
) -> Result<Vec<AlertNotice>> {
    let before = notices_end(db)?;
    for change in plan(db, rules, findings, now)? {
        let (id, change) = match change {
            Change::Start(finding, silenced) => {
                let Verdict::Fires(alert) = &finding.verdict else { continue };
                let alert = Alert { silenced, ..alert.as_ref().clone() };
                let body = serde_json::to_string(&alert).map_err(|error| Error::invalid(error.to_string()))?;
                db.execute(
                    "INSERT INTO alert (rule, subject, level, period, started_at, silenced, body) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                    (&finding.rule, finding.subject(), finding.level, finding.period, now.ms(), silenced, body),
                )
                .map_err(sqlite)?;
                (db.last_insert_rowid(), AlertChange::Started)
            }
            Change::End(id) => {
                db.execute("UPDATE alert SET ended_at = max(started_at, ?2) WHERE id = ?1", (id, now.ms()))
                    .map_err(sqlite)?;
                (id, AlertChange::Ended)
            }
        };
        db.execute("INSERT INTO alert_notice (alert, ended) VALUES (?1, ?2)", (id, change == AlertChange::Ended))
            .map_err(sqlite)?;
    }
    let hour = now.ms().div_euclid(crate::calendar::MS_PER_HOUR);
    db.execute("DELETE FROM tool_hour WHERE hour < ?1", [hour - KEPT_HOURS]).map_err(sqlite)?;
    notices(db, before)
}

const ALERT: &str = "a.id, a.started_at, a.ended_at, a.body";

fn alert(row: &rusqlite::Row<'_>) -> Result<Alert> {
    let body = row.get_ref(3).map_err(sqlite)?.as_str().map_err(|_| corrupt("an alert"))?;
    let alert: Alert = serde_json::from_str(body).map_err(|_| corrupt("an alert can't be read"))?;
    let instant = |at: i64| Timestamp::from_ms(at).map_err(|_| corrupt("an alert's instant"));
    Ok(Alert {
        id: Count::new(row.get::<_, i64>(0).map_err(sqlite)?.unsigned_abs())?,
        started_at: instant(row.get(1).map_err(sqlite)?)?,
        ended_at: row.get::<_, Option<i64>>(2).map_err(sqlite)?.map(instant).transpose()?,
        ..alert
    })
}

pub(crate) fn alerts(db: &Connection, query: &AlertsQuery, limit: u64) -> Result<Vec<Alert>> {
    let sql = format!(
        "SELECT {ALERT} FROM alert a WHERE a.started_at >= ?1 AND a.started_at < ?2 AND (a.ended_at IS NULL OR NOT ?3) \
         ORDER BY a.id DESC LIMIT ?4"
    );
    let mut statement = db.prepare_cached(&sql).map_err(sqlite)?;
    let from = query.from.map_or(0, Timestamp::ms);
    let to = query.to.map_or(i64::MAX, Timestamp::ms);
    let mut rows = statement.query((from, to, query.open, i64::try_from(limit).unwrap_or(i64::MAX))).map_err(sqlite)?;
    let mut alerts = Vec::new();
    while let Some(row) = rows.next().map_err(sqlite)? {
        alerts.push(alert(row)?);
    }
    Ok(alerts)
}

pub(crate) fn notices(db: &Connection, after: Count) -> Result<Vec<AlertNotice>> {
    let sql = format!(
        "SELECT {ALERT}, n.seq, n.ended FROM alert_notice n JOIN alert a ON a.id = n.alert \
         WHERE n.seq > ?1 AND NOT a.silenced ORDER BY n.seq LIMIT {MAX_PAGE}"
    );
    let mut statement = db.prepare_cached(&sql).map_err(sqlite)?;
    let mut rows = statement.query([i64::try_from(after.get()).unwrap_or(i64::MAX)]).map_err(sqlite)?;
    let mut notices = Vec::new();
    while let Some(row) = rows.next().map_err(sqlite)? {
        let mut alert = alert(row)?;
        let change = if row.get(5).map_err(sqlite)? { AlertChange::Ended } else { AlertChange::Started };
        if change == AlertChange::Started {
            // As it was then.
            alert.ended_at = None;
        }
        let seq = Count::new(row.get::<_, i64>(4).map_err(sqlite)?.unsigned_abs())?;
        notices.push(AlertNotice { seq, change, alert });
    }
    Ok(notices)
}

pub(crate) fn notices_end(db: &Connection) -> Result<Count> {
    let last: Option<i64> = db.query_row("SELECT max(seq) FROM alert_notice", [], |row| row.get(0)).map_err(sqlite)?;
    Count::new(last.unwrap_or(0).unsigned_abs())
}

pub(crate) fn silence(db: &Connection, silence: &AlertSilence) -> Result<()> {
    if !rules(db)?.iter().any(|rule| rule.name == silence.rule) {
        let shown: String = silence.rule.chars().take(80).collect();
        return Err(Error::new(ErrorCode::NotFound, format!("no alert rule has the name {shown:?}")));
    }
    let subject = silence.subject.as_deref().unwrap_or_default();
    db.execute(
        "INSERT OR REPLACE INTO alert_silence (rule, subject, until) VALUES (?1, ?2, ?3)",
        (&silence.rule, subject, silence.until.ms()),
    )
    .map_err(sqlite)?;
    Ok(())
}
