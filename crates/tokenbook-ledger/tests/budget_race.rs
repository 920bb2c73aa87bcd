//! Processes and threads that race for the same budgets: nothing is ever overspent, and what was held comes free.
//!
//! The full size, 64 threads in each of 8 processes and 100,000 tries:
//! `TOKENBOOK_TEST_THREADS=64 TOKENBOOK_TEST_TRIES=100000 cargo test --release -p tokenbook-ledger --test budget_race`
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tokenbook::{Count, ErrorCode, Timestamp, Usage, Usd};
use tokenbook_ledger::{Budget, BudgetStatus, Call, CallCost, Extension, Ledger, Options, ReportQuery, ReserveQuery};

/// What the racing process is told by its environment.
const TASK: &str = "TOKENBOOK_TEST_TASK";
/// Threads of each process; 8 unless said otherwise.
const THREADS: &str = "TOKENBOOK_TEST_THREADS";
/// Tries in all; 6,400 unless said otherwise.
const TRIES: &str = "TOKENBOOK_TEST_TRIES";
const PROCESSES: u64 = 8;

/// 2026-11-22T10:00:00Z.
const START: i64 = 1_795_341_600_000;
/// How long a hold lasts that its owner forgets.
const FORGOTTEN_MS: u32 = 40;
/// How long a hold lasts that is settled: longer than the race.
const KEPT_MS: u32 = 100_000_000;

#[expect(clippy::disallowed_methods, reason = "how processes of a test talk to each other")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn number(name: &str, otherwise: u64) -> u64 {
    variable(name).map_or(otherwise, |text| text.parse().expect("a number"))
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

fn instant(ms: i64) -> Timestamp {
    Timestamp::from_ms(START + ms).expect("in range")
}

fn used(status: &BudgetStatus) -> (i128, i128, i128) {
    match (status.limit_usd, status.limit_tokens) {
        (Some(limit), _) => {
            let pico = |amount: Option<Usd>| amount.expect("in dollars").pico();
            (limit.pico(), pico(status.spent_usd), pico(status.held_usd))
        }
        (None, limit) => {
            let tokens = |count: Option<Count>| i128::from(count.expect("in tokens").get());
            (tokens(limit), tokens(status.spent_tokens), tokens(status.held_tokens))
        }
    }
}

fn is_within(ledger: &Ledger, at: Timestamp) {
    for status in ledger.budgets(at).expect("read") {
        let (limit, spent, held) = used(&status);
        assert!(spent + held <= limit, "{status:?}");
    }
}

/// One thread's share of the race; says how many calls it recorded.
fn race(ledger: &Ledger, name: &str, tries: u64, mut random: Random) -> u64 {
    let mut recorded = 0;
    for number in 0..tries {
        let at = instant(i64::try_from(number).expect("small"));
        let tokens = 1 + random.below(500);
        let cost = Usd::from_pico(i128::from(tokens) * 1_000_003);
        let what = random.below(4);
        let query = ReserveQuery {
            agent: Some(format!("agent-{}", random.below(3))),
            cost_usd: Some(cost),
            tokens: Some(Count::new(tokens).expect("small")),
            ttl_ms: Some(Count::from(if what == 3 { FORGOTTEN_MS } else { KEPT_MS })),
            ..ReserveQuery::new(at)
        };
        let hold = match ledger.reserve(&query) {
            Ok(hold) => hold.hold_id.expect("a budget is for all"),
            Err(error) => {
                assert_eq!(error.code(), ErrorCode::BudgetExceeded, "{error}");
                // Nothing is refused while there is room.
                let amount = |key: &str| {
                    let text = &error.details()[key];
                    if error.details()["unit"] == "usd" {
                        Usd::parse(text).expect("an amount").pico()
                    } else {
                        text.parse().expect("a number")
                    }
                };
                assert!(amount("spent") + amount("held") + amount("wanted") > amount("limit"), "{error}");
                continue;
            }
        };
        let mut share = tokens;
        if random.below(8) == 0 {
            let more = Extension {
                at,
                cost_usd: Some(Usd::from_pico(1_000_003)),
                tokens: Some(Count::from(1)),
                ttl_ms: query.ttl_ms,
            };
            share += u64::from(ledger.extend(hold, &more).is_ok());
        }
        match what {
            0 | 1 => {
                let used = random.below(share + 1);
                let mut call = Call::new(at, "m");
                call.id = Some(format!("{name}-{number}"));
                call.agent = query.agent;
                let mut usage = Usage::new();
                usage.set(tokenbook::TokenKind::Output, Count::new(used).expect("small"));
                call.usage = Some(usage);
                call.cost = CallCost::Stated { total_usd: Usd::from_pico(i128::from(used) * 1_000_003) };
                ledger.settle(hold, call).expect("settled");
                recorded += 1;
                assert!(!ledger.void(hold).expect("asked"), "a settled hold is gone");
            }
            2 => assert!(ledger.void(hold).expect("voided")),
            _ => {} // Its owner forgets it.
        }
        if random.below(64) == 0 {
            is_within(ledger, at);
        }
    }
    recorded
}

#[test]
#[ignore = "is started by the other test, as a process of its own"]
fn racing() {
    let task = variable(TASK).expect("a task");
    let parts: Vec<&str> = task.split('|').collect();
    let [path, process, threads, tries] = parts[..] else { panic!("no task: {task}") };
    let (threads, tries): (u64, u64) = (threads.parse().expect("a number"), tries.parse().expect("a number"));
    let ledger = Ledger::open(path, &Options::default()).expect("opened");
    let recorded: u64 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads)
            .map(|thread| {
                let ledger = ledger.clone();
                let name = format!("{process}-{thread}");
                let seed = 1 + thread + 1_000 * process.parse::<u64>().expect("a number");
                let random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
                scope.spawn(move || race(&ledger, &name, tries, random))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no thread panics")).sum()
    });
    println!("\nrecorded {recorded}");
}

fn start(path: &Path, process: u64, threads: u64, tries: u64) -> Child {
    Command::new(std::env::current_exe().expect("this test"))
        .args(["racing", "--exact", "--ignored", "--nocapture"])
        .env(TASK, format!("{}|{process}|{threads}|{tries}", path.display()))
        .stdout(Stdio::piped())
        .spawn()
        .expect("started")
}

#[test]
fn processes_and_threads_overspend_no_budget() {
    let threads = number(THREADS, 8);
    let tries = number(TRIES, 6_400).div_ceil(PROCESSES * threads);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("race.db");
    let ledger = Ledger::open(&path, &Options::default()).expect("opened");
    let mut random = Random(number("TOKENBOOK_TEST_SEED", 0x5eed));
    // Of each limit about as much as the race asks for in all, or much less.
    let all = PROCESSES * threads * tries * 125;
    let mut tokens = |percent: u64| all * percent / 100 + random.below(all / 10 + 1);
    let budgets = [
        format!(r#"{{"name": "wide", "limit_tokens": {}, "period": "total"}}"#, tokens(60)),
        format!(
            r#"{{"name": "day", "limit_usd": "{}", "period": "day", "time_zone": "Asia/Kolkata"}}"#,
            Usd::from_pico(i128::from(tokens(40)) * 1_000_003)
        ),
        format!(
            r#"{{"name": "one", "limit_tokens": {}, "period": "total", "scope": {{"agent": "agent-1"}}}}"#,
            tokens(10)
        ),
        format!(
            r#"{{"name": "roll", "limit_tokens": {}, "period": "rolling", "window_minutes": 5, "scope": {{"agent": ["agent-1", "agent-2"]}}}}"#,
            tokens(30)
        ),
    ];
    for json in &budgets {
        let budget: Budget = serde_json::from_str(json).expect("a budget");
        ledger.budget_set(&budget, instant(0)).expect("set");
    }
    let racers: Vec<_> = (0..PROCESSES).map(|process| start(&path, process, threads, tries)).collect();
    let mut recorded = 0;
    for racer in racers {
        let output = racer.wait_with_output().expect("ended");
        assert!(output.status.success(), "a racer failed");
        let text = String::from_utf8(output.stdout).expect("text");
        let line = text.lines().find_map(|line| line.strip_prefix("recorded ")).expect("a count");
        recorded += line.parse::<u64>().expect("a number");
    }
    let end = instant(i64::try_from(tries).expect("small") + i64::from(FORGOTTEN_MS));
    let report = ledger.report(&ReportQuery::default()).expect("a report");
    assert_eq!(report.total.calls.get(), recorded);
    assert!(recorded > 0 && recorded < PROCESSES * threads * tries);
    for status in ledger.budgets(end).expect("read") {
        let (limit, spent, held) = used(&status);
        println!("{}: {spent} of {limit} spent, {held} held", status.name);
        assert!(spent <= limit, "{status:?}");
        assert_eq!(held, 0, "{status:?}");
        if status.name == "wide" {
            assert_eq!(spent, i128::from(report.total.usage.total_output_tokens().expect("small").get()));
        }
        if status.name == "day" {
            assert_eq!(spent, report.total.cost_usd.pico());
        }
    }
    println!("{} tries, {recorded} calls recorded, no budget overspent", PROCESSES * threads * tries);
    assert!(ledger.verify().expect("verified").ok);
}
