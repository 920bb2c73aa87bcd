//! Damage, hostile questions and hostile paths.
use std::fs;
use std::path::Path;
use std::time::Duration;

use tokenbook::{Count, ErrorCode, Timestamp, Usd};
use tokenbook_ledger::{
    Call, CallCost, ExportQuery, Group, Ledger, Options, ProblemKind, QueryLimits, ReportQuery, ReserveQuery, Value,
};

fn calls(count: u32) -> Vec<Call> {
    let call = |number: u32| {
        let mut call = Call::new("2026-11-22T10:00:00Z".parse().expect("an instant"), "model-with-a-name");
        call.id = Some(format!("call-{number}"));
        call.agent = Some(format!("agent-{}", number % 5));
        call.tags = vec!["blue".into()];
        call.duration_ms = Some(Count::from(number));
        call.cost = CallCost::Stated { total_usd: Usd::from_pico(i128::from(number) * 1_000_003) };
        call
    };
    (0..count).map(call).collect()
}

fn fill(path: &Path, count: u32) -> Ledger {
    let ledger = Ledger::open(path, &Options::default()).expect("opened");
    for result in ledger.record_batch(calls(count)).expect("open") {
        result.expect("recorded");
    }
    ledger
}

/// All that a ledger answers, as text.
fn answers(ledger: &Ledger) -> Result<String, tokenbook::Error> {
    let mut text = Vec::new();
    ledger.export_jsonl(&mut text, &ExportQuery::default())?;
    for group in [Group::Agent, Group::Day, Group::Hour, Group::Tag] {
        let report = ledger.report(&ReportQuery { group_by: vec![group], ..ReportQuery::default() })?;
        text.extend(serde_json::to_vec(&report).expect("written"));
    }
    Ok(String::from_utf8(text).expect("JSON"))
}

#[test]
fn a_flipped_bit_changes_no_answer_unnoticed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("whole.db");
    let ledger = fill(&path, 700);
    ledger.checkpoint().expect("folded");
    let whole = answers(&ledger).expect("answers");
    assert!(ledger.verify().expect("verified").ok);
    drop(ledger);
    let bytes = fs::read(&path).expect("read");
    let mut random = 1_u64;
    let (mut noticed, mut harmless) = (0, 0);
    for flip in 0..120 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let bit = usize::try_from(random >> 20).expect("64 bits") % (bytes.len() * 8);
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let copy = folder.path().join(format!("flip-{flip}.db"));
        fs::write(&copy, damaged).expect("written");
        let alarm = match Ledger::open(&copy, &Options::default()) {
            Err(_) => true,
            Ok(ledger) => {
                let alarm = !ledger.verify().is_ok_and(|found| found.ok);
                // Unread space may change; an answer may not.
                assert!(alarm || answers(&ledger).is_ok_and(|now| now == whole), "bit {bit} went unnoticed");
                alarm
            }
        };
        if alarm {
            noticed += 1;
        } else {
            harmless += 1;
        }
    }
    assert!(noticed > 0 && harmless > 0, "{noticed} noticed, {harmless} harmless");
}

#[test]
fn a_log_that_lost_its_end_is_noticed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("whole.db");
    let ledger = fill(&path, 10);
    for number in 0..40 {
        let mut call = calls(1).remove(0);
        call.id = Some(format!("single-{number}"));
        ledger.record(call).expect("recorded");
    }
    // While it is open, the newest calls are in the log alone.
    let log = fs::read(folder.path().join("whole.db-wal")).expect("a log");
    let mut noticed = 0;
    for cut in 0..12 {
        let copy = folder.path().join(format!("cut-{cut}.db"));
        let beside = |suffix: &str| folder.path().join(format!("cut-{cut}.db{suffix}"));
        fs::copy(&path, &copy).expect("copied");
        fs::copy(folder.path().join("whole.db-lock"), beside("-lock")).expect("copied");
        fs::write(beside("-wal"), &log[..log.len() * cut / 12]).expect("written");
        let Ok(copied) = Ledger::open(&copy, &Options::default()) else {
            noticed += 1;
            continue;
        };
        let there = copied.stats().map_or(0, |stats| stats.calls);
        let found = copied.verify().expect("verified");
        if there < 50 {
            assert!(found.problems.iter().any(|problem| problem.kind == ProblemKind::Lost), "{there} {found:?}");
            noticed += 1;
            // Writing on doesn't make the loss forgotten.
            let mut call = calls(1).remove(0);
            call.id = Some("after".into());
            copied.record(call).expect("recorded");
            let found = copied.verify().expect("verified");
            assert!(found.problems.iter().any(|problem| problem.kind == ProblemKind::Lost), "{found:?}");
        }
    }
    assert!(noticed > 5, "only {noticed} cuts lost anything");
}

#[test]
fn changed_rows_and_sums_are_told_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    for (sql, kind) in [
        ("UPDATE call SET cost = cost + 1 WHERE seq = 5", ProblemKind::Changed),
        ("UPDATE name SET text = 'somebody' WHERE text = 'agent-1'", ProblemKind::Changed),
        ("DELETE FROM call WHERE seq = 5", ProblemKind::Lost),
        ("DELETE FROM call WHERE seq = 20", ProblemKind::Lost),
        ("DELETE FROM roll WHERE kind = 1", ProblemKind::WrongSum),
        ("UPDATE roll SET sums = x'0105' WHERE kind = 4", ProblemKind::WrongSum),
        ("DELETE FROM roll WHERE kind = 14", ProblemKind::WrongSum),
        ("UPDATE budget_sum SET spent = '1'", ProblemKind::WrongSum),
        ("UPDATE budget_sum SET held = '0'", ProblemKind::WrongSum),
        ("UPDATE budget_sum SET uncounted = uncounted + 1", ProblemKind::WrongSum),
        ("DELETE FROM hold_line", ProblemKind::WrongSum),
        ("DELETE FROM call_key WHERE seq = 3", ProblemKind::Index),
        ("INSERT INTO call_key (key, seq) VALUES (7, 3)", ProblemKind::Index),
        ("UPDATE head SET chain = zeroblob(16)", ProblemKind::Changed),
        (
            "INSERT INTO call SELECT 21, 'x', at, combo, session, cost, data FROM call WHERE seq = 20",
            ProblemKind::Changed,
        ),
    ] {
        let path = folder.path().join("x.db");
        let ledger = fill(&path, 20);
        let now = Timestamp::from_ms(1_795_341_600_000).expect("in range");
        for budget in [
            r#"{"name": "all", "limit_usd": "1000000", "period": "total"}"#,
            r#"{"name": "today", "limit_tokens": 1000000000, "period": "day", "scope": {"agent": "agent-1"}}"#,
        ] {
            ledger.budget_set(&serde_json::from_str(budget).expect("a budget"), now).expect("set");
        }
        let hold = ReserveQuery { cost_usd: Some("0.5".parse().expect("an amount")), ..ReserveQuery::new(now) };
        assert!(ledger.reserve(&hold).expect("there is room").hold_id.is_some());
        // Nothing is that old: only the ids are indexed, and the calls folded.
        assert_eq!(ledger.prune(Timestamp::MIN).expect("pruned").calls, 0);
        let found = ledger.verify().expect("verified");
        assert!(found.ok, "{found:?}");
        drop(ledger);
        rusqlite::Connection::open(&path).and_then(|db| db.execute(sql, [])).expect("changed");
        let ledger = Ledger::open(&path, &Options::default()).expect("opened");
        let found = ledger.verify().expect("verified");
        assert!(found.problems.iter().any(|problem| problem.kind == kind), "{sql}: {found:?}");
        drop(ledger);
        for suffix in ["", "-wal", "-shm", "-lock", "-readers", "-budgets"] {
            let _ = fs::remove_file(folder.path().join(format!("x.db{suffix}")));
        }
    }
}

#[test]
fn questions_in_sql_read_and_do_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = fill(&folder.path().join("x.db"), 30);
    let ask = |sql: &str| ledger.query(sql, &QueryLimits::default());
    let answer =
        ask("SELECT agent, count(*), sum(cost_pico_usd) FROM calls GROUP BY agent ORDER BY agent").expect("answered");
    assert_eq!(answer.columns, ["agent", "count(*)", "sum(cost_pico_usd)"]);
    assert_eq!(answer.rows[0], [Value::Text("agent-0".into()), Value::Integer(6), Value::Integer(75 * 1_000_003)]);
    assert_eq!(
        ask("SELECT tags, model, outcome FROM calls LIMIT 1").expect("answered").rows[0][0],
        Value::Text("[\"blue\"]".into())
    );
    for sql in [
        "ATTACH DATABASE 'other.db' AS other",
        "PRAGMA query_only = OFF",
        "PRAGMA journal_mode = DELETE",
        "DELETE FROM call",
        "INSERT INTO name (text) VALUES ('x')",
        "UPDATE call SET cost = 0",
        "DROP VIEW calls",
        "CREATE TEMP TABLE t (x)",
        "SELECT load_extension('x')",
        "SELECT * FROM pragma_table_info('call')",
        "VACUUM INTO 'stolen.db'",
        "BEGIN IMMEDIATE",
        "SELECT 1; DELETE FROM call",
        "SELECT 1; SELECT 2",
        "SELECT ?1",
        "SELECT nonsense",
        "EXPLAIN DELETE FROM call",
        "SELECT length(zeroblob(100000000))",
        "SELECT writefile('x', 'x')",
        "",
        "-- nothing",
        "\0",
    ] {
        let error = ask(sql).expect_err(sql);
        assert_eq!(error.code(), ErrorCode::InvalidArgument, "{sql}: {error}");
    }
    assert_eq!(ledger.stats().expect("stats").calls, 30);
    ledger.record(calls(31).remove(30)).expect("still writes");
}

#[test]
fn endless_questions_are_stopped_and_long_answers_cut() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = fill(&folder.path().join("x.db"), 30);
    let limits = QueryLimits { time: Duration::from_millis(50), rows: 10 };
    let endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n";
    assert!(ledger.query(endless, &limits).expect_err("endless").message().contains("too long"));
    let answer = ledger.query("SELECT id FROM calls", &limits).expect("answered");
    assert_eq!((answer.rows.len(), answer.cut_off), (10, true));
}

#[test]
fn large_integers_cross_as_text() {
    let row = [Value::Integer(9_007_199_254_740_991), Value::Integer(9_007_199_254_740_992), Value::Null];
    let json = serde_json::to_string(&row).expect("written");
    assert_eq!(json, "[9007199254740991,\"9007199254740992\",null]");
}

#[cfg(unix)]
#[test]
fn files_are_their_owners_and_links_are_refused() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.db");
    let ledger = fill(&path, 3);
    ledger.list(&tokenbook_ledger::ListQuery::default()).expect("a reader");
    for suffix in ["", "-wal", "-shm", "-lock", "-readers"] {
        let mode = fs::metadata(folder.path().join(format!("x.db{suffix}"))).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "x.db{suffix}");
    }
    let copy = folder.path().join("copy.db");
    ledger.snapshot(&copy).expect("copied");
    assert_eq!(fs::metadata(&copy).expect("there").permissions().mode() & 0o777, 0o600);
    assert_eq!(ledger.snapshot(&copy).expect_err("there already").code(), ErrorCode::InvalidArgument);
    assert_eq!(answers(&Ledger::open(&copy, &Options::default()).expect("opened")).ok(), answers(&ledger).ok());

    let link = folder.path().join("link.db");
    symlink(&path, &link).expect("linked");
    assert!(Ledger::open(&link, &Options::default()).expect_err("a link").message().contains("symbolic link"));
    let trap = folder.path().join("trap.db");
    symlink(folder.path().join("victim"), folder.path().join("trap.db-lock")).expect("linked");
    assert!(Ledger::open(&trap, &Options::default()).is_err());
    assert!(!folder.path().join("victim").exists());
}

#[test]
fn places_that_cannot_hold_a_ledger_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let open = |path: &Path| Ledger::open(path, &Options::default()).expect_err("refused").code();
    assert_eq!(open(&folder.path().join("missing/x.db")), ErrorCode::Unavailable);
    assert_eq!(open(folder.path()), ErrorCode::InvalidArgument);
    assert_eq!(open(Path::new("/")), ErrorCode::InvalidArgument);
    if cfg!(target_os = "linux") {
        assert_eq!(open(Path::new("/proc/self/x.db")), ErrorCode::Unavailable);
        assert_eq!(open(Path::new("/dev/null")), ErrorCode::InvalidArgument);
    }
    let options = Options { time_zone: Some("Nowhere/Land".into()), ..Options::default() };
    assert_eq!(
        Ledger::open(folder.path().join("x.db"), &options).expect_err("refused").code(),
        ErrorCode::InvalidArgument
    );
}

#[test]
fn a_ledger_keeps_its_time_zone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.db");
    let zone = |name: Option<&str>| Options { time_zone: name.map(str::to_owned), ..Options::default() };
    assert_eq!(Ledger::open(&path, &zone(Some("Europe/Berlin"))).expect("created").time_zone(), "Europe/Berlin");
    assert_eq!(Ledger::open(&path, &zone(None)).expect("opened").time_zone(), "Europe/Berlin");
    assert_eq!(Ledger::open(&path, &zone(Some("UTC"))).expect_err("other").code(), ErrorCode::Conflict);
}
