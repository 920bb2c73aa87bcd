//! Processes that append at once, and processes that are killed while they append.
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokenbook::Count;
use tokenbook_ledger::{Call, Durability, Group, Ledger, Options, QueryLimits, ReportQuery, Status};

/// What the appending process is told by its environment.
const TASK: &str = "TOKENBOOK_TEST_TASK";
/// How often to kill; 200 unless said otherwise.
const KILLS: &str = "TOKENBOOK_TEST_KILLS";
/// How long to append from several processes; 3 s unless said otherwise.
const SECONDS: &str = "TOKENBOOK_TEST_SECONDS";

#[expect(clippy::disallowed_methods, reason = "how processes of a test talk to each other")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn number(name: &str, otherwise: u64) -> u64 {
    variable(name).map_or(otherwise, |text| text.parse().expect("a number"))
}

#[expect(clippy::disallowed_methods, reason = "the moment of a kill is meant to be random")]
fn now() -> Instant {
    Instant::now()
}

fn calls(prefix: &str, from: u64, count: u64) -> Vec<Call> {
    let call = |number: u64| {
        let at = 1_774_569_600_000 + i64::try_from(number % 1_000).expect("small") * 600_000;
        let mut call = Call::new(tokenbook::Timestamp::from_ms(at).expect("in range"), "m");
        call.id = Some(format!("{prefix}-{number}"));
        call.agent = Some(format!("agent-{}", number % 3));
        call.session = Some(format!("{prefix}-{}", number / 20));
        call.duration_ms = Some(Count::new(number).expect("small"));
        call
    };
    (from..from + count).map(call).collect()
}

/// Appends and says which calls were acknowledged, until it is killed or its time is over; may fold and bring in the log
/// without pause meanwhile.
#[test]
#[ignore = "is started by the other tests, as a process of its own"]
fn appending() {
    let task = variable(TASK).expect("a task");
    let parts: Vec<&str> = task.split('|').collect();
    let [path, prefix, batch, durability, milliseconds, folds] = parts[..] else { panic!("no task: {task}") };
    let durability = if durability == "full" { Durability::Full } else { Durability::Process };
    let batch: u64 = batch.parse().expect("a number");
    let end = now() + Duration::from_millis(milliseconds.parse().expect("a number"));
    let ledger = Ledger::open(path, &Options { durability, ..Options::default() }).expect("opened");
    if folds == "folds" {
        let ledger = ledger.clone();
        std::thread::spawn(move || while ledger.checkpoint().is_ok() {});
    }
    let mut next = 0;
    while now() < end {
        let mut acknowledged = String::from("\n");
        for result in ledger.record_batch(calls(prefix, next, batch)).expect("open") {
            match result {
                Ok(recorded) => writeln!(acknowledged, "ack {}", recorded.id).expect("text"),
                Err(error) => writeln!(acknowledged, "error {error}").expect("text"),
            }
        }
        let mut out = std::io::stdout().lock();
        out.write_all(acknowledged.as_bytes()).and_then(|()| out.flush()).expect("a pipe");
        next += batch;
    }
}

fn start(path: &Path, prefix: &str, batch: u64, durability: &str, milliseconds: u64, folds: bool) -> Child {
    let folds = if folds { "folds" } else { "" };
    let task = format!("{}|{prefix}|{batch}|{durability}|{milliseconds}|{folds}", path.display());
    Command::new(std::env::current_exe().expect("this test"))
        .args(["appending", "--exact", "--ignored", "--nocapture"])
        .env(TASK, task)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("started")
}

/// What a process acknowledged in whole lines; panics on an error that it saw.
fn acknowledged(lines: impl Iterator<Item = String>) -> Vec<String> {
    lines
        .filter_map(|line| {
            assert!(!line.starts_with("error "), "{line}");
            line.strip_prefix("ack ").map(str::to_owned)
        })
        .collect()
}

/// Checks that the ledger holds all that was acknowledged, nothing twice, and every sum right; gives the ids it holds.
fn check(ledger: &Ledger, acknowledged: &BTreeSet<String>) -> BTreeSet<String> {
    let limits = QueryLimits { rows: usize::MAX, time: Duration::from_secs(60) };
    let rows = ledger.query("SELECT id FROM call", &limits).expect("ids").rows;
    let count = rows.len();
    let ids: BTreeSet<String> = rows
        .into_iter()
        .map(|mut row| match row.remove(0) {
            tokenbook_ledger::Value::Text(id) => id,
            other => panic!("no id: {other:?}"),
        })
        .collect();
    assert_eq!(ids.len(), count, "a call is there twice");
    let lost: Vec<_> = acknowledged.difference(&ids).collect();
    assert!(lost.is_empty(), "{} acknowledged calls are lost, such as {:?}", lost.len(), lost[0]);
    let found = ledger.verify().expect("verified");
    assert!(found.ok, "{found:?}");
    let query = ReportQuery { group_by: vec![Group::Agent, Group::Day], ..ReportQuery::default() };
    assert_eq!(ledger.report(&query).expect("a report").total.calls.get(), count as u64);
    ids
}

#[test]
fn killed_processes_lose_nothing_acknowledged_and_double_nothing() {
    let kills = number(KILLS, 200);
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut total = 0;
    let mut folder = tempfile::tempdir().expect("a folder");
    let mut all = BTreeSet::new();
    for kill in 0..kills {
        if kill % 10 == 0 {
            folder = tempfile::tempdir().expect("a folder");
            all.clear();
        }
        let path = folder.path().join("ledger.db");
        let batch = [1, 10, 100, 700][usize::try_from(kill % 4).expect("small")];
        let durability = if kill % 3 == 0 { "process" } else { "full" };
        // Every other one is killed amid folds and checkpoints.
        let mut child = start(&path, &format!("k{kill}"), batch, durability, 60_000, kill / 4 % 2 == 1);
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(std::result::Result::ok);
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let mut seen = Vec::new();
        // Some are killed while they open the file, most while they append.
        if kill % 8 != 0 {
            seen.extend(lines.by_ref().find(|line| line.starts_with("ack ")));
        }
        std::thread::sleep(Duration::from_micros(random % 60_000));
        child.kill().expect("killed");
        child.wait().expect("ended");
        seen.extend(lines);
        all.extend(acknowledged(seen.into_iter()));
        let ledger = Ledger::open(&path, &Options::default()).expect("opens after a kill");
        let held = check(&ledger, &all);
        // Recording everything again adds nothing: ids are found wherever the kill left them.
        if let Some(last) = held.last() {
            let before = ledger.stats().expect("stats").calls;
            assert!(ledger.record(ledger.get(last).expect("found")).is_ok());
            assert_eq!(ledger.stats().expect("stats").calls, before);
        }
        total += all.len();
    }
    assert!(total > 0, "no process acknowledged anything");
    println!("{kills} kills, {total} acknowledged calls checked, 0 lost");
}

#[test]
fn four_processes_append_at_once_without_loss_or_refusal() {
    let milliseconds = number(SECONDS, 3) * 1_000;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    let children: Vec<Child> =
        (0..4).map(|at| start(&path, &format!("p{at}"), [1, 1, 7, 50][at], "full", milliseconds, at == 3)).collect();
    let readers: Vec<_> = children
        .into_iter()
        .map(|mut child| {
            std::thread::spawn(move || {
                let lines =
                    BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(std::result::Result::ok);
                let acknowledged = acknowledged(lines);
                assert!(child.wait().expect("ended").success());
                acknowledged
            })
        })
        .collect();
    let each: Vec<Vec<String>> = readers.into_iter().map(|reader| reader.join().expect("no refusal")).collect();
    assert!(each.iter().all(|ids| !ids.is_empty()), "a process starved");
    let all: BTreeSet<String> = each.iter().flatten().cloned().collect();
    let ledger = Ledger::open(&path, &Options::default()).expect("opened");
    assert_eq!(check(&ledger, &all), all);
    println!("4 processes, {} calls", all.len());
}

#[test]
fn writers_know_each_others_calls_whoever_folds_and_indexes_them() {
    const STEP: u64 = 3_000;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    // Each handle has a writer of its own, as processes have.
    let open = || Ledger::open(&path, &Options::default()).expect("opened");
    let mut writers = [open(), open(), open()];
    let statuses = |writer: &Ledger, calls: Vec<Call>| -> Vec<Status> {
        let done = writer.record_batch(calls).expect("open");
        done.into_iter().map(|result| result.expect("recorded").status).collect()
    };
    // More than are indexed at once, so that ids wait, are indexed, and wait again.
    for step in 0..14 {
        let new = calls("call", step * STEP, STEP);
        writers.rotate_left(1);
        assert!(statuses(&writers[0], new.clone()).iter().all(|status| *status == Status::Recorded));
        if step % 3 == 1 {
            writers[1].checkpoint().expect("folded");
        }
        if step % 5 == 2 {
            // One that has seen nothing yet.
            writers[2] = open();
        }
        assert!(statuses(&writers[1], new).iter().all(|status| *status == Status::Duplicate));
        let old: Vec<Call> = (0..=step).flat_map(|step| calls("call", step * STEP + step * 7, 5)).collect();
        assert!(statuses(&writers[2], old).iter().all(|status| *status == Status::Duplicate));
    }
    for writer in &writers {
        assert_eq!(writer.stats().expect("stats").calls, 14 * STEP);
    }
    let found = writers[0].verify().expect("verified");
    assert!(found.ok, "{found:?}");
}
