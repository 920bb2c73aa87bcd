//! What goes wrong around a ledger: full disks, file systems that can't be written, kills while it is made or copied.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tokenbook::ErrorCode;
use tokenbook_ledger::{Call, ExportQuery, Format, Ledger, Options, ReportQuery, Status};

/// What a process of its own is told to do.
const TASK: &str = "TOKENBOOK_TEST_FAULT";

#[expect(clippy::disallowed_methods, reason = "how processes of a test talk to each other")]
fn task() -> (String, std::path::PathBuf) {
    let task = std::env::var(TASK).expect("a task");
    let (name, path) = task.split_once('|').expect("a name and a path");
    (name.to_owned(), path.into())
}

#[expect(clippy::disallowed_methods, reason = "a limit of a test that waits for a full disk")]
fn now() -> Instant {
    Instant::now()
}

fn call(number: u32) -> Call {
    let mut call = Call::new("2026-11-22T10:00:00Z".parse().expect("an instant"), "m");
    call.id = Some(format!("call-{number}"));
    call.session = Some(format!("session-{}", number / 10));
    call
}

/// Runs this test again as a process of its own, behind a command of the shell that gets the folder as `$1`.
fn again(before: &str, task: &str, folder: &Path, file: &str) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("{before} exec \"$0\" alone --exact --ignored --nocapture")])
        .arg(std::env::current_exe().expect("this test"))
        .arg(folder)
        .env(TASK, format!("{task}|{}", folder.join(file).display()))
        .stdout(Stdio::null());
    command
}

/// The same where a small file system of its own can be mounted over the folder; otherwise says so.
#[expect(clippy::print_stdout, reason = "a test that skips says so")]
fn on_a_small_disk(task: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let may = Command::new("unshare").args(["-rm", "mount", "-t", "tmpfs", "tmpfs"]).arg(folder.path()).output();
    if !may.is_ok_and(|done| done.status.success()) {
        println!("skipped: file systems can't be mounted here");
        return;
    }
    let mut command = Command::new("unshare");
    command
        .args([
            "-rm",
            "sh",
            "-c",
            "mount -t tmpfs -o size=8m tmpfs \"$1\" && exec \"$0\" alone --exact --ignored --nocapture",
        ])
        .arg(std::env::current_exe().expect("this test"))
        .arg(folder.path())
        .env(TASK, format!("{task}|{}", folder.path().join("ledger.db").display()));
    let done = command.output().expect("started");
    assert!(
        done.status.success(),
        "{}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
}

#[test]
#[ignore = "is started by the other tests, as a process of its own"]
fn alone() {
    let (name, path) = task();
    match name.as_str() {
        "full" => fill_the_disk(&path),
        "read-only" => open_what_cannot_be_written(&path),
        "make" => drop(Ledger::open(&path, &Options::default()).and_then(|ledger| ledger.record(call(0)))),
        "copy" => copy_without_end(&path),
        other => panic!("no task: {other}"),
    }
}

#[test]
fn a_full_disk_refuses_calls_loses_none_and_goes_on_once_there_is_room() {
    on_a_small_disk("full");
}

fn fill_the_disk(path: &Path) {
    let filler = path.with_file_name("filler");
    fs::write(&filler, vec![1; 3 << 20]).expect("written");
    let ledger = Ledger::open(path, &Options::default()).expect("opened");
    let mut held = BTreeSet::new();
    let mut refused = Vec::new();
    let mut next = 0;
    let end = now() + Duration::from_secs(60);
    // Many at once need more room than one: what the last of them left is filled call by call.
    for batch in [500, 1] {
        let before = refused.len();
        while refused.len() == before {
            assert!(now() < end, "the disk is never full");
            let calls: Vec<Call> = (next..next + batch).map(call).collect();
            for (number, result) in (next..).zip(ledger.record_batch(calls).expect("open")) {
                match result {
                    Ok(recorded) => assert!(held.insert(recorded.id)),
                    Err(error) => {
                        assert_eq!(error.code(), ErrorCode::Unavailable, "{error}");
                        refused.push(number);
                    }
                }
            }
            next += batch;
        }
    }
    // Reading goes on, and nothing that was acknowledged is missing.
    assert_eq!(ledger.stats().expect("stats").calls, held.len() as u64);
    fs::remove_file(&filler).expect("removed");
    for result in ledger.record_batch(refused.into_iter().map(call).collect()).expect("open") {
        let recorded = result.expect("there is room");
        assert_eq!(recorded.status, Status::Recorded);
        held.insert(recorded.id);
    }
    ledger.checkpoint().expect("folded");
    let found = ledger.verify().expect("verified");
    assert!(found.ok, "{found:?}");
    assert_eq!(found.calls, held.len() as u64);
    drop(ledger);
    let again = Ledger::open(path, &Options::default()).expect("opened");
    assert_eq!(again.report(&ReportQuery::default()).expect("a report").total.calls.get(), held.len() as u64);
}

#[test]
fn what_cannot_be_written_is_unavailable() {
    on_a_small_disk("read-only");
}

fn open_what_cannot_be_written(path: &Path) {
    let folder = path.parent().expect("a folder");
    Ledger::open(path, &Options::default()).and_then(|ledger| ledger.record(call(0))).expect("recorded");
    let remount = |how: &str| {
        let done = Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(folder).status();
        assert!(done.expect("started").success());
    };
    remount("ro");
    for path in [path.to_owned(), folder.join("other.db")] {
        let error = Ledger::open(&path, &Options::default()).expect_err("nothing can be written");
        assert_eq!(error.code(), ErrorCode::Unavailable, "{error}");
    }
    remount("rw");
    let ledger = Ledger::open(path, &Options::default()).expect("opened");
    assert_eq!(ledger.record(call(0)).expect("there").status, Status::Duplicate);
    assert!(ledger.verify().expect("verified").ok);
}

#[test]
fn a_ledger_whose_making_is_killed_is_made_by_the_next() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for kill in 0..60 {
        let file = format!("ledger-{kill}.db");
        let mut child = again("", "make", folder.path(), &file).spawn().expect("started");
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        // From before the first file is there to after the first call is recorded.
        std::thread::sleep(Duration::from_micros(random % 25_000));
        child.kill().expect("killed");
        child.wait().expect("ended");
        let ledger = Ledger::open(folder.path().join(&file), &Options::default()).expect("opens after a kill");
        let before = ledger.stats().expect("stats").calls;
        let status = ledger.record(call(0)).expect("recorded").status;
        assert_eq!(status, if before == 0 { Status::Recorded } else { Status::Duplicate });
        let found = ledger.verify().expect("verified");
        assert!(found.ok && found.calls == 1, "{found:?}");
    }
}

fn copy_without_end(path: &Path) {
    let ledger = Ledger::open(path, &Options::default()).expect("opened");
    for number in 0.. {
        let to = |what: &str| path.with_file_name(format!("{}-{number}.{what}", std::process::id()));
        ledger.snapshot(to("db")).expect("copied");
        ledger.export_file(&to("jsonl"), Format::Jsonl, &ExportQuery::default()).expect("exported");
        ledger.export_file(&to("csv"), Format::Csv, &ExportQuery::default()).expect("exported");
    }
}

#[test]
fn a_copy_that_is_killed_is_whole_or_not_there() {
    const CALLS: u32 = 3_000;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    let ledger = Ledger::open(&path, &Options::default()).expect("opened");
    for result in ledger.record_batch((0..CALLS).map(call).collect()).expect("open") {
        result.expect("recorded");
    }
    let mut seen = BTreeSet::new();
    for kill in 0..20_u64 {
        let mut child = again("", "copy", folder.path(), "ledger.db").spawn().expect("started");
        std::thread::sleep(Duration::from_millis(40 + kill * 37 % 160));
        child.kill().expect("killed");
        child.wait().expect("ended");
        for entry in fs::read_dir(folder.path()).expect("read") {
            let file = entry.expect("an entry").path();
            let ending = file.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_owned();
            let expected = match ending.as_str() {
                "jsonl" => CALLS as usize,
                "csv" => CALLS as usize + 1,
                "db" => 0,
                // What was under way.
                _ => continue,
            };
            if file == path || !seen.insert(file.clone()) {
                continue;
            }
            if ending == "db" {
                let copy = Ledger::open(&file, &Options::default()).expect("opened");
                let found = copy.verify().expect("verified");
                assert!(found.ok && found.calls == u64::from(CALLS), "{}: {found:?}", file.display());
            } else {
                let lines = fs::read_to_string(&file).expect("read").lines().count();
                assert_eq!(lines, expected, "{}", file.display());
            }
        }
    }
    assert!(seen.len() > 3, "hardly a copy was made: {seen:?}");
    assert!(ledger.verify().expect("verified").ok);
}
