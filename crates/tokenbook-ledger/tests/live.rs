//! Calls that are running, as other processes and handles see them.

use std::time::Duration;

use tokenbook::{Count, Timestamp};
use tokenbook_ledger::{Ledger, LiveCall, Options};

fn at(second: i64) -> Timestamp {
    Timestamp::from_ms(1_790_000_000_000 + second * 1_000).expect("an instant")
}

/// Asks until the answer fits; what is told arrives within a second.
fn eventually(ledger: &Ledger, fits: impl Fn(&[LiveCall]) -> bool) -> Vec<LiveCall> {
    for _ in 0..200 {
        let calls = ledger.live().expect("readable");
        if fits(&calls) {
            return calls;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    panic!("still {:?}", ledger.live());
}

#[test]
fn another_handle_sees_running_calls_come_move_and_go() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    let (one, other) = (
        Ledger::open(&path, &Options::default()).expect("opens"),
        Ledger::open(&path, &Options::default()).expect("opens"),
    );
    assert_eq!(other.live().expect("readable"), []);
    one.live_update(LiveCall { agent: Some("editor".into()), ..LiveCall::new("b", at(2), "gpt-5") });
    one.live_update(LiveCall::new("a", at(1), "gpt-4o"));
    let seen = eventually(&other, |calls| calls.len() == 2);
    assert_eq!((seen[0].model.as_str(), seen[1].agent.as_deref()), ("gpt-4o", Some("editor")));
    assert_eq!(seen[0].process, std::process::id());

    let far = LiveCall { output_tokens: Some(Count::from(40)), ..LiveCall::new("b", at(2), "gpt-5") };
    one.live_update(far);
    eventually(&other, |calls| calls.len() == 2 && calls[1].output_tokens == Some(Count::from(40)));
    one.live_remove("a");
    one.live_remove("unknown");
    eventually(&other, |calls| calls.len() == 1);
    drop(one);
    assert_eq!(other.live().expect("readable"), []);
    let left = std::fs::read_dir(folder.path().join("ledger.db-live")).expect("a folder").count();
    assert_eq!(left, 0);
}

#[test]
fn what_an_ended_process_left_is_cleared_away() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    let ledger = Ledger::open(&path, &Options::default()).expect("opens");
    let beside = folder.path().join("ledger.db-live");
    std::fs::create_dir(&beside).expect("a folder");
    let left =
        serde_json::to_string(&[LiveCall { process: 1, ..LiveCall::new("left", at(1), "gpt-5") }]).expect("JSON");
    std::fs::write(beside.join("1-0.json"), left).expect("written");
    assert_eq!(ledger.live().expect("readable"), []);
    assert_eq!(std::fs::read_dir(&beside).expect("a folder").count(), 0);
}

#[test]
fn a_ledger_in_memory_tells_its_own() {
    let ledger = Ledger::open_in_memory(&Options::default()).expect("opens");
    ledger.live_update(LiveCall::new("a", at(1), "gpt-5"));
    assert_eq!(ledger.clone().live().expect("readable").len(), 1);
    ledger.live_remove("a");
    assert_eq!(ledger.live().expect("readable"), []);
}
