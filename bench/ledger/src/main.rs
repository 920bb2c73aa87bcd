//! Measures the ledger in one run, as ratios where a machine's own speed would show: durable appends by many callers
//! against one, CPU time a call, reports over many calls, bytes a call.
//!
//! `cargo run --release [calls [appends]]`; 10 million calls and 256,000 appends by default.

use std::collections::VecDeque;
use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use tokenbook::{Count, Timestamp, TokenKind, Usage, Usd};
use tokenbook_ledger::{Call, CallCost, Group, Ledger, Options, Outcome, Receipt, ReportQuery, ToolTokens};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const START: i64 = 1_735_689_600_000; // 2025-01-01
const YEAR: i64 = 365 * 86_400_000;

/// Mixes a number's bits (splitmix64), so that every run measures the same calls.
fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The call with this number: 12 agents with 2 actions and 2 of 6 models each, sessions of 50 calls, tools in 3 of 10.
fn call(number: u64, at: i64) -> Result<Call> {
    let random = mixed(number);
    let below = |shift: u32, limit: u64| (random >> shift) % limit;
    // A session is one agent at one job.
    let session = number / 50;
    let agent = mixed(session) % 12;
    let model = (agent + below(8, 2)) % 6;
    let mut call = Call::new(Timestamp::from_ms(at)?, format!("model-{model}-2025-06-01"));
    call.id = Some(format!("msg_01{random:016x}"));
    call.provider = Some(if model < 3 { "anthropic" } else { "openai" }.to_owned());
    call.api = Some(if model < 3 { "anthropic_messages" } else { "openai_responses" }.to_owned());
    call.agent = Some(format!("agent-{agent}"));
    call.action = Some(if mixed(session) % 5 < 3 { "generate" } else { "stream" }.to_owned());
    call.session = Some(format!("session-{session}"));
    call.tags = vec![format!("team-{}", agent % 3)];
    let input = 200 + below(16, 4_000) as u32;
    let output = 20 + below(28, 900) as u32;
    call.usage = Some(
        Usage::new()
            .with(TokenKind::Input, input)
            .with(TokenKind::CacheRead, below(20, 2) as u32 * 8_000)
            .with(TokenKind::Output, output),
    );
    let pico = i128::from(input) * 3_000_000 + i128::from(output) * 15_000_000;
    call.cost = CallCost::Priced {
        total_usd: Usd::from_pico(pico),
        price: Some(
            serde_json::json!({"model": format!("model-{model}"), "from": "2025-06-01", "catalog": "2026-11-20"}),
        ),
    };
    call.max_tokens = Some(Count::from(1_024));
    call.stop_reason = Some("end_turn".to_owned());
    call.truncated = Some(below(36, 50) == 0);
    call.duration_ms = Some(Count::from(400 + below(40, 9_000) as u32));
    if below(44, 10) < 3 {
        call.tools_offered = (0..4).map(|tool| format!("tool-{}", (agent + tool) % 10)).collect();
        call.tools_called = vec![format!("tool-{}", agent % 10)];
        let tool = format!("tool-{}", agent % 10);
        call.tool_tokens = vec![ToolTokens { tool, definition_tokens: Some(Count::from(120)), result_tokens: None }];
    }
    if below(48, 50) == 0 {
        call.outcome = Outcome::Error;
    }
    Ok(call)
}

/// CPU time that this process has used, user and system.
fn cpu() -> Result<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().ok_or("no stat")?.split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
    Ok(Duration::from_millis(ticks * 10)) // Linux counts in hundredths of a second.
}

/// Appends from `callers` threads that each have `in_flight` calls on their way; gives calls a second and CPU µs a call.
fn append(path: &Path, callers: u64, in_flight: usize, calls_each: u64) -> Result<(f64, f64)> {
    let ledger = Ledger::open(path, &Options::default())?;
    // Made beforehand: what is measured is the ledger.
    let mut work: Vec<Vec<Call>> = Vec::new();
    for caller in 0..callers {
        let calls = (0..calls_each).map(|at| {
            let number = caller * calls_each + at;
            call(number, START + i64::try_from(at).unwrap_or(0) * 1_000)
        });
        work.push(calls.collect::<Result<_>>()?);
    }
    let (start, used) = (Instant::now(), cpu()?);
    std::thread::scope(|scope| {
        let threads: Vec<_> = work
            .into_iter()
            .map(|calls| {
                let ledger = &ledger;
                scope.spawn(move || {
                    let mut receipts = VecDeque::with_capacity(in_flight);
                    for call in calls {
                        if receipts.len() == in_flight {
                            receipts.drain(..).try_for_each(|receipt: Receipt| receipt.wait().map(drop))?;
                        }
                        receipts.push_back(ledger.submit(call)?);
                    }
                    receipts.into_iter().try_for_each(|receipt| receipt.wait().map(drop))
                })
            })
            .collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("a caller doesn't panic"))
    })?;
    let (wall, used) = (start.elapsed(), cpu()?.saturating_sub(used));
    let calls = (callers * calls_each) as f64;
    Ok((calls / wall.as_secs_f64(), used.as_secs_f64() * 1e6 / calls))
}

fn bar(name: &str, figure: String, bar: &str, met: bool) {
    println!("{name:<58} {figure:>16}   {bar:<12} {}", if met { "met" } else { "MISSED" });
}

fn main() -> Result<()> {
    let calls: u64 = std::env::args().nth(1).map_or(Ok(10_000_000), |text| text.replace('_', "").parse())?;
    let appends: u64 = std::env::args().nth(2).map_or(Ok(256_000), |text| text.replace('_', "").parse())?;
    let folder = tempfile::tempdir()?;

    let (one, one_cpu) = append(&folder.path().join("one.db"), 1, 1, appends / 50)?;
    println!("durable appends: 1 caller {one:.0}/s, {one_cpu:.1} µs CPU a call");
    for (name, threads, in_flight) in [("64 threads, one call each", 64, 1), ("1 thread, 64 calls on their way", 1, 64)]
    {
        let path = folder.path().join(format!("{threads}.db"));
        let (many, cpu) = append(&path, threads, in_flight, appends / threads)?;
        println!("durable appends: {name}: {many:.0}/s");
        bar(&format!("durable appends ÷ 1 caller, {name}"), format!("{:.1}", many / one), "≥ 5", many / one >= 5.0);
        bar(&format!("CPU a call, {name}"), format!("{cpu:.2} µs"), "≤ 6 µs", cpu <= 6.0);
    }

    let path = folder.path().join("large.db");
    let ledger = Ledger::open(&path, &Options::default())?;
    let (start, used) = (Instant::now(), cpu()?);
    let mut number = 0;
    while number < calls {
        let end = (number + 65_536).min(calls);
        let part = (number..end).map(|number| {
            let at = START + (i128::from(number) * i128::from(YEAR) / i128::from(calls)) as i64;
            call(number, at)
        });
        let part = part.collect::<Result<Vec<_>>>()?;
        for result in ledger.record_batch(part)? {
            result?;
        }
        number = end;
    }
    ledger.checkpoint()?;
    let (wall, used) = (start.elapsed(), cpu()?.saturating_sub(used));
    let stats = ledger.stats()?;
    println!(
        "bulk load of {calls} calls: {:.0}/s, {:.2} µs CPU a call (making them included), {:.0} bytes a call, {:.2} GB",
        calls as f64 / wall.as_secs_f64(),
        used.as_secs_f64() * 1e6 / calls as f64,
        stats.file_bytes as f64 / calls as f64,
        stats.file_bytes as f64 / 1e9,
    );
    // A few more, so that reports also read what isn't in the rollups yet.
    for number in calls..calls + 1_000 {
        ledger.record_queued(call(number, START + YEAR)?)?;
    }
    ledger.flush()?;

    for (name, groups) in [
        ("total", vec![]),
        ("by agent", vec![Group::Agent]),
        ("by model", vec![Group::Model]),
        ("by day", vec![Group::Day]),
        ("by agent and model", vec![Group::Agent, Group::Model]),
        ("by agent and month", vec![Group::Agent, Group::Month]),
        ("by tag", vec![Group::Tag]),
        ("by tool", vec![Group::Tool]),
    ] {
        let query = ReportQuery { group_by: groups, ..ReportQuery::default() };
        let mut times = Vec::new();
        for _ in 0..9 {
            let start = Instant::now();
            black_box(ledger.report(&query)?);
            times.push(start.elapsed());
        }
        times.sort_unstable();
        let median = times[times.len() / 2].as_secs_f64() * 1e3;
        bar(
            &format!("report over {} calls, {name}", calls + 1_000),
            format!("{median:.1} ms"),
            "≤ 50 ms",
            median <= 50.0,
        );
    }
    Ok(())
}
