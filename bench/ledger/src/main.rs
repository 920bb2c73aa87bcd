//! Measures the ledger in one run, as ratios where a machine's own speed would show: durable appends by many callers
//! against one, CPU time a call, an import, what a hold costs, standard questions over many calls, bytes a call.
//!
//! `cargo run --release [calls [appends [FILE [PART]]]]`; 10 million calls and 256,000 appends by default. The ledger of many
//! calls is kept in FILE where one is given, and found there by the next run; PART is in the names of the questions asked.

mod bare;
mod calls;
mod questions;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokenbook::Timestamp;
use tokenbook_ledger::{Budget, Ledger, Options, Receipt, ReserveQuery};

use crate::bare::GroupCommit;
use crate::calls::{Result, START, YEAR, call, instant};

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
    // Each caller makes its calls as it goes, as services do: made beforehand, they would be freed from cold memory of another
    // thread. What making them costs is measured by itself and taken off.
    let run = |ledger: Option<&Ledger>| {
        let caller = |caller: u64| {
            move || {
                let mut receipts = VecDeque::with_capacity(in_flight);
                for at in 0..calls_each {
                    let instant = START + i64::try_from(at).unwrap_or(0) * 1_000;
                    let call = call(caller * calls_each + at, instant).expect("a call");
                    let Some(ledger) = ledger else { continue };
                    if receipts.len() == in_flight {
                        receipts.drain(..).try_for_each(|receipt: Receipt| receipt.wait().map(drop))?;
                    }
                    receipts.push_back(ledger.submit(call)?);
                }
                receipts.into_iter().try_for_each(|receipt| receipt.wait().map(drop))
            }
        };
        measure(calls_each, (0..callers).map(caller).collect())
    };
    let (_, making) = run(None)?;
    let (rate, all) = run(Some(&ledger))?;
    Ok((rate, all - making))
}

/// The same without a database: one write and one wait for the disk a group, and the waking of who waits for it.
fn commit_barely(path: &Path, callers: u64, in_flight: usize, calls_each: u64) -> Result<(f64, f64)> {
    let commit = &GroupCommit::new(callers as usize * in_flight);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| commit.write(path).map_err(|error| error.to_string()));
        let caller = || {
            let mut groups = Vec::with_capacity(in_flight);
            for _ in 0..calls_each / in_flight as u64 {
                groups.extend((0..in_flight).map(|_| commit.submit()));
                groups.drain(..).for_each(|group| _ = group.wait());
            }
            Ok(())
        };
        let measured = measure(calls_each, vec![caller; callers as usize]);
        commit.close();
        writer.join().expect("the writer doesn't panic")?;
        measured
    })
}

/// Runs each caller in a thread; gives calls a second and CPU µs a call.
fn measure<F>(calls_each: u64, callers: Vec<F>) -> Result<(f64, f64)>
where
    F: FnOnce() -> tokenbook::Result<()> + Send,
{
    let calls = (callers.len() as u64 * calls_each) as f64;
    let (start, used) = (Instant::now(), cpu()?);
    std::thread::scope(|scope| {
        let threads: Vec<_> = callers.into_iter().map(|caller| scope.spawn(caller)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("a caller doesn't panic"))
    })?;
    let (wall, used) = (start.elapsed(), cpu()?.saturating_sub(used));
    Ok((calls / wall.as_secs_f64(), used.as_secs_f64() * 1e6 / calls))
}

pub(crate) fn bar(name: &str, figure: String, bar: &str, met: bool) {
    println!("{name:<58} {figure:>16}   {bar:<12} {}", if met { "met" } else { "MISSED" });
}

/// What a reservation costs where no budget is for it, and where one is.
fn hold(path: &Path) -> Result<()> {
    let ledger = Ledger::open(path, &Options::default())?;
    let at = Timestamp::from_ms(START)?;
    let query = ReserveQuery { agent: Some("editor".to_owned()), ..ReserveQuery::new(at) };
    let median = |rounds: u32, mut work: Box<dyn FnMut() -> Result<()> + '_>| -> Result<f64> {
        let mut times = Vec::new();
        for _ in 0..15 {
            let start = Instant::now();
            for _ in 0..rounds {
                work()?;
            }
            times.push(start.elapsed() / rounds);
        }
        times.sort_unstable();
        Ok(times[times.len() / 2].as_secs_f64() * 1e6)
    };
    let is_free = |ledger: &Ledger| -> Result<()> {
        (!ledger.has_budget_for(&query)?).then_some(()).ok_or_else(|| "there is no budget".into())
    };
    let none = median(2_000, Box::new(|| is_free(&ledger)))?;
    bar("asking for a budget where there is none", format!("{none:.2} µs"), "≤ 5 µs", none <= 5.0);
    let budget: Budget = serde_json::from_str(r#"{"name": "b", "limit_usd": "1000000", "period": "month"}"#)?;
    ledger.budget_set(&budget, at)?;
    let priced = ReserveQuery { cost_usd: Some("0.01".parse()?), ..query.clone() };
    let make = || -> Result<()> {
        let hold_id = ledger.reserve(&priced)?.hold_id.ok_or("nothing is held")?;
        ledger.void(hold_id)?;
        Ok(())
    };
    let held = median(200, Box::new(make))?;
    println!("a hold and its end, one caller: {held:.0} µs");
    Ok(())
}

/// Imports `calls` calls from JSON lines.
fn import(folder: &Path, calls: u64) -> Result<()> {
    let lines = (0..calls).map(|number| Ok(serde_json::to_string(&call(number, instant(number, 10_000_000))?)? + "\n"));
    let lines = lines.collect::<Result<String>>()?;
    let ledger = Ledger::open(folder.join("import.db"), &Options::default())?;
    let (start, used) = (Instant::now(), cpu()?);
    let imported = ledger.import_jsonl(lines.as_bytes())?;
    let (wall, used) = (start.elapsed(), cpu()?.saturating_sub(used));
    let rate = imported.recorded as f64 / wall.as_secs_f64();
    println!("import of {calls} calls: {:.2} µs CPU a call", used.as_secs_f64() * 1e6 / calls as f64);
    bar("calls imported in a second", format!("{rate:.0}"), "≥ 100,000", rate >= 100_000.0);
    Ok(())
}

/// Calls that no rollup has yet when questions are asked: a few less than are folded when nothing else comes.
pub(crate) const WAITING: u64 = 4_000;

/// Records `calls` calls of a year, and as many more as may wait for the rollups.
fn load(path: &Path, calls: u64) -> Result<Ledger> {
    let ledger = Ledger::open(path, &Options::default())?;
    let before = ledger.stats()?;
    if before.calls == calls + WAITING {
        println!("{} holds {calls} calls already", path.display());
        return Ok(ledger);
    }
    let (start, used) = (Instant::now(), cpu()?);
    let mut number = 0;
    while number < calls {
        let end = (number + 65_536).min(calls);
        let part = (number..end).map(|number| call(number, instant(number, calls))).collect::<Result<Vec<_>>>()?;
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
    for number in calls..calls + WAITING {
        ledger.record_queued(call(number, START + YEAR)?)?;
    }
    ledger.flush()?;
    Ok(ledger)
}

fn main() -> Result<()> {
    let number = |at: usize, otherwise: u64| -> Result<u64> {
        Ok(std::env::args().nth(at).map_or(Ok(otherwise), |text| text.replace('_', "").parse())?)
    };
    let (calls, appends) = (number(1, 10_000_000)?, number(2, 256_000)?);
    let folder = tempfile::tempdir()?;
    let path = std::env::args().nth(3).map_or_else(|| folder.path().join("large.db"), PathBuf::from);

    if appends > 0 {
        let (one, one_cpu) = append(&folder.path().join("one.db"), 1, 1, appends / 50)?;
        println!("durable appends: 1 caller {one:.0}/s, {one_cpu:.1} µs CPU a call");
        for (name, threads, in_flight) in
            [("64 threads, one call each", 64, 1), ("1 thread, 64 calls on their way", 1, 64)]
        {
            let path = folder.path().join(format!("{threads}.db"));
            let (many, cpu) = append(&path, threads, in_flight, appends / threads)?;
            println!("durable appends: {name}: {many:.0}/s");
            bar(&format!("durable appends ÷ 1 caller, {name}"), format!("{:.1}", many / one), "≥ 5", many / one >= 5.0);
            bar(&format!("CPU a call, {name}"), format!("{cpu:.2} µs"), "≤ 6 µs", cpu <= 6.0);
            let (_, bare) = commit_barely(&folder.path().join("bare"), threads, in_flight, appends / threads)?;
            println!("a group commit without a database, {name}: {bare:.2} µs CPU a call");
        }
        import(folder.path(), appends)?;
        hold(&folder.path().join("hold.db"))?;
    }
    questions::run(&load(&path, calls)?, calls, std::env::args().nth(4).unwrap_or_default())
}
