//! A thousand streams without a limit of their own race for budgets that can't hold them all: each is stopped in its midst
//! before it takes more than one slice beyond what was put aside for it.
#![forbid(unsafe_code)]
#![expect(clippy::cast_precision_loss, reason = "what is compared is small")]

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};
use tokenbook_wire::{Book, Meter};

const STREAMS: u64 = 1_000;
const THREADS: u64 = 16;
/// Streams of one budget.
const GROUP: u64 = 20;
/// The slice that the meter states.
const SLICE: u64 = 1_024;
/// Dollars in 1e-12 for one token of output of gpt-4o.
const PICO_PER_TOKEN: u64 = 10_000_000;

struct Random(u64);

impl Random {
    fn between(&mut self, low: u64, high: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        low + self.0 % (high - low + 1)
    }
}

fn read(answer: &str) -> Value {
    serde_json::from_str(answer).expect("an answer is JSON")
}

/// Whether the events of a group's streams are as short as those of providers, or up to one and a half slices long.
fn has_long_events(group: u64) -> bool {
    group % 2 == 1
}

/// Half of the budgets are in dollars, half in tokens.
fn is_in_dollars(group: u64) -> bool {
    group % 4 >= 2
}

/// How a stream ended.
#[derive(Default)]
struct Ended {
    refused: AtomicU64,
    stopped: AtomicU64,
    whole: AtomicU64,
}

fn run(book: &Book, number: u64, ended: &Ended) {
    // Threads run streams of one group at the same time.
    let group = number / GROUP;
    let mut random = Random((number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let args = json!({ "api": "openai.chat", "provider": "openai", "agent": format!("group-{group}"), "request":
        { "model": "gpt-4o", "stream": true, "messages": [{ "role": "user", "content": "Hello" }] } });
    let meter = Meter::open(book, &args.to_string(), None, 0).expect("a call");
    if let Err(refused) = meter.reserve() {
        assert_eq!(refused.code().name(), "budget_exceeded", "{refused}");
        ended.refused.fetch_add(1, Ordering::Relaxed);
        // The request is not sent.
        meter.void();
        return;
    }
    let length = random.between(1_000, 12_000);
    let mut streamed = 0;
    while streamed < length {
        let words =
            if has_long_events(group) { random.between(400, SLICE + SLICE / 2) } else { random.between(1, 300) };
        let delta = " word".repeat(usize::try_from(words).expect("small"));
        let event = json!({ "id": format!("c{number}"), "choices": [{ "delta": { "content": delta } }] });
        streamed += words;
        if let Err(stop) = meter.push_event(&event.to_string()) {
            assert_eq!(stop.code().name(), "budget_exceeded", "{stop}");
            ended.stopped.fetch_add(1, Ordering::Relaxed);
            meter.finish(r#"{"error_class": "budget_exceeded", "outcome": "error"}"#, None).expect("recorded");
            return;
        }
    }
    let last = json!({ "id": format!("c{number}"), "choices": [{ "delta": {}, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 8, "completion_tokens": streamed, "total_tokens": streamed + 8 } });
    meter.push_event(&last.to_string()).expect("an end needs nothing");
    ended.whole.fetch_add(1, Ordering::Relaxed);
    meter.finish("{}", None).expect("recorded");
}

#[test]
fn a_thousand_streams_overspend_at_most_one_slice_each() {
    let book = Book::open(r#"{"path": ":memory:"}"#).expect("a ledger in memory opens");
    let mut random = Random(0x5eed);
    for group in 0..STREAMS / GROUP {
        // From room for a few streams to room for most of them.
        let tokens = random.between(15_000, 120_000);
        let mut budget = json!({ "name": format!("group-{group}"), "period": "total", "scope": { "agent": format!("group-{group}") } });
        if is_in_dollars(group) {
            let pico = tokens * PICO_PER_TOKEN;
            budget["limit_usd"] = format!("{}.{:012}", pico / 1_000_000_000_000, pico % 1_000_000_000_000).into();
        } else {
            budget["limit_tokens"] = tokens.into();
        }
        book.call("budget_set", &budget.to_string()).expect("it makes sense");
    }
    let (ended, next) = (Ended::default(), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= STREAMS {
                        break;
                    }
                    run(&book, number, &ended);
                }
            });
        }
    });
    let [refused, stopped, whole] =
        [&ended.refused, &ended.stopped, &ended.whole].map(|count| count.load(Ordering::Relaxed));
    println!("{STREAMS} streams: {whole} to their end, {stopped} stopped in their midst, {refused} not begun");
    assert_eq!(refused + stopped + whole, STREAMS);
    assert!(stopped >= 100 && whole >= 100, "{stopped} {whole}");

    let report = read(&book.call("report", r#"{"group_by": ["agent", "outcome"]}"#).expect("a report"));
    let budgets = read(&book.call("budgets", "{}").expect("the budgets"));
    // What was not begun is no call.
    assert_eq!(report["total"]["calls"], stopped + whole);
    let mut worst = 0.0_f64;
    for status in budgets["budgets"].as_array().expect("a list") {
        let name = status["name"].as_str().expect("a name");
        let group: u64 = name["group-".len()..].parse().expect("a number");
        let amount = |field: &str| -> f64 {
            let dollars = |field| status[field].as_str().expect("an amount").parse::<f64>().expect("a number");
            if is_in_dollars(group) {
                dollars(&format!("{field}_usd")) * 1e12 / PICO_PER_TOKEN as f64
            } else {
                status[format!("{field}_tokens")].as_f64().expect("a count")
            }
        };
        assert!(amount("held").abs() < 1e-6, "{status}");
        let over = amount("spent") - amount("limit");
        let rows = report["rows"].as_array().expect("rows").iter();
        let streams: u64 =
            rows.filter(|row| row["agent"] == name).map(|row| row["calls"].as_u64().expect("a count")).sum();
        assert!(streams <= GROUP, "{name}: {streams}");
        worst = worst.max(over / streams.max(1) as f64);
        let most = if has_long_events(group) { SLICE * GROUP } else { 0 };
        assert!(over <= most as f64 + 1e-6, "{status}");
    }
    println!("overspent at most {worst:.0} tokens a stream; a slice is {SLICE}");
}
