//! Measures a Rust library on one corpus in a fresh process, as `peer.py` does: `count-bench LIBRARY ENCODING CORPUS`.
//!
//! `count-bench long LIBRARY ENCODING FOLDER` measures inputs of 1 MB that are slow for many, `count-bench calls ENCODING` what a call
//! costs, and `count-bench threads ENCODING CORPUS` a batch on all cores.

use std::hint::black_box;
use std::time::{Duration, Instant};

use tokenbook::Encoding;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["long", library, encoding, folder] => long_inputs(&load(library, encoding), folder),
        ["calls", encoding] => calls(encoding),
        ["threads", encoding, corpus] => threads(named(encoding), corpus),
        [library, encoding, corpus] => corpus_of(library, encoding, corpus),
        _ => panic!("usage: count-bench LIBRARY|threads|long LIBRARY|calls ENCODING [CORPUS]"),
    }
}

fn named(encoding: &str) -> Encoding {
    Encoding::from_name(encoding).expect("an encoding")
}

/// Seconds of processor time of this process.
fn cpu() -> f64 {
    cpu_time::ProcessTime::now().as_duration().as_secs_f64()
}

/// Resident memory in MB, and the part of it that is the process's own.
fn resident() -> (f64, f64) {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: Vec<f64> = statm.split(' ').map(|field| field.trim().parse().expect("a number")).collect();
    (pages[1] * 4096.0 / 1e6, (pages[1] - pages[2]) * 4096.0 / 1e6)
}

fn texts_of(corpus: &str) -> Vec<String> {
    let text = std::fs::read_to_string(corpus).expect("a corpus");
    if corpus.ends_with(".jsonl") {
        text.lines().map(|line| serde_json::from_str(line).expect("a string")).collect()
    } else {
        vec![text]
    }
}

/// Counts texts and adds them up.
type Counter = Box<dyn Fn(&[String]) -> u64>;

fn load(library: &str, encoding: &str) -> Counter {
    match library {
        "tokenbook" => {
            let encoding = named(encoding);
            Box::new(move |texts| match texts {
                [text] => encoding.count(text).get(),
                texts => encoding.count_batch(texts).into_iter().map(|count| count.get()).sum(),
            })
        }
        "tiktoken-rs" => {
            let own = match encoding {
                "cl100k_base" => tiktoken_rs::cl100k_base(),
                _ => tiktoken_rs::o200k_base(),
            };
            let own = own.expect("it loads");
            Box::new(move |texts| texts.iter().map(|text| own.encode_ordinary(text).len() as u64).sum())
        }
        "bpe-openai" => {
            let own = match encoding {
                "cl100k_base" => bpe_openai::cl100k_base(),
                _ => bpe_openai::o200k_base(),
            };
            Box::new(move |texts| texts.iter().map(|text| own.count(text) as u64).sum())
        }
        _ => panic!("no library {library}"),
    }
}

fn corpus_of(library: &str, encoding: &str, corpus: &str) {
    let texts = texts_of(corpus);
    let size: usize = texts.iter().map(String::len).sum();
    let before = resident().0;
    let start = cpu();
    let count = load(library, encoding);
    black_box(count(&["Hello, world!".to_owned()]));
    let first = cpu() - start;
    let memory = resident().0 - before;
    let mut times = Vec::new();
    let mut tokens = 0;
    for _ in 0..6 {
        let start = cpu();
        tokens = count(&texts);
        times.push(cpu() - start);
    }
    let warm = times[1..].iter().copied().fold(f64::MAX, f64::min);
    let name = corpus.rsplit('/').next().and_then(|name| name.split('.').next()).expect("a name");
    println!(
        "{}",
        serde_json::json!({
            "peer": library, "encoding": encoding, "corpus": name, "tokens": tokens,
            "cold": size as f64 / times[0] / 1e6, "warm": size as f64 / warm / 1e6,
            "first_ms": first * 1e3, "memory_mb": memory, "memory_after_mb": resident().0 - before,
        })
    );
}

fn threads(encoding: Encoding, corpus: &str) {
    let whole = texts_of(corpus).join("\n");
    let mut texts = Vec::new();
    let mut rest = whole.as_str();
    while !rest.is_empty() {
        let end = (4096..rest.len()).find(|&at| rest.is_char_boundary(at)).unwrap_or(rest.len());
        let (text, after) = rest.split_at(end);
        texts.push(text);
        rest = after;
    }
    // What each thread remembers is its own.
    black_box(texts.iter().map(|text| encoding.count(text).get()).sum::<u64>());
    let before = resident().1;
    black_box(encoding.count_batch(&texts));
    let memory = resident().1 - before;
    // Turns of several passes each way, and the best of each: what else runs on the machine only ever makes things
    // slower, and two cores are rarely left alone at once.
    let (mut one, mut all, mut all_cpu) = (f64::MAX, f64::MAX, f64::MAX);
    let end = Instant::now() + Duration::from_secs(2);
    while Instant::now() < end {
        for _ in 0..8 {
            let start = Instant::now();
            black_box(texts.iter().map(|text| encoding.count(text).get()).sum::<u64>());
            one = one.min(start.elapsed().as_secs_f64());
        }
        for _ in 0..8 {
            // The caller's own work between two batches.
            let start = Instant::now();
            while start.elapsed() < Duration::from_micros(200) {
                std::hint::spin_loop();
            }
            let (start, start_cpu) = (Instant::now(), cpu());
            black_box(encoding.count_batch(&texts));
            all = all.min(start.elapsed().as_secs_f64());
            all_cpu = all_cpu.min(cpu() - start_cpu);
        }
    }
    let cores = std::thread::available_parallelism().expect("Linux");
    println!(
        "{}",
        serde_json::json!({
            "threads": cores, "one_ms": one * 1e3, "all_ms": all * 1e3, "all_cpu_ms": all_cpu * 1e3, "ratio": one / all,
            "memory_mb": memory,
        })
    );
}

fn long_inputs(count: &Counter, folder: &str) {
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("a file").path()).collect();
    paths.sort();
    black_box(count(&["Hello, world!".to_owned()]));
    for path in paths {
        let text = [std::fs::read_to_string(&path).expect("a text")];
        let start = cpu();
        let tokens = count(&text);
        let ms = (cpu() - start) * 1e3;
        println!(
            "{}",
            serde_json::json!({ "input": path.file_stem().expect("a name").to_str(), "ms": ms, "tokens": tokens })
        );
    }
}

/// What a call costs with 20 bytes.
fn calls(encoding: &str) {
    for library in ["tokenbook", "tiktoken-rs", "bpe-openai"] {
        let start = Instant::now();
        let count = load(library, encoding);
        let text = ["The quick brown fox.".to_owned()];
        black_box(count(&text));
        let first = start.elapsed();
        let mut call = f64::MAX;
        for _ in 0..15 {
            let start = Instant::now();
            for _ in 0..20_000 {
                black_box(count(black_box(&text)));
            }
            call = call.min(start.elapsed().as_secs_f64() / 20_000.0);
        }
        let (first_ms, call_ns) = (first.as_secs_f64() * 1e3, call * 1e9);
        println!("{}", serde_json::json!({ "peer": library, "first_ms": first_ms, "call_ns": call_ns }));
    }
}
