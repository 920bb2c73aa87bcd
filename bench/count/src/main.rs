//! Measures a Rust library on one corpus in a fresh process, as `peer.py` does: `count-bench LIBRARY ENCODING CORPUS`.
//!
//! `count-bench adversarial ENCODING` measures inputs of 1 MB that are slow for many; `count-bench threads ENCODING CORPUS`
//! measures a batch on all cores.

use std::hint::black_box;
use std::time::Instant;

use tokenbook::Encoding;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["adversarial", encoding] => adversarial(named(encoding)),
        ["threads", encoding, corpus] => threads(named(encoding), corpus),
        [library, encoding, corpus] => corpus_of(library, encoding, corpus),
        _ => panic!("usage: count-bench LIBRARY|threads|adversarial ENCODING [CORPUS]"),
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

type Counter = Box<dyn Fn(&str) -> u64>;

fn load(library: &str, encoding: &str) -> Counter {
    match library {
        "tokenbook" => {
            let encoding = named(encoding);
            Box::new(move |text| encoding.count(text).get())
        }
        "tiktoken-rs" => {
            let own = match encoding {
                "cl100k_base" => tiktoken_rs::cl100k_base(),
                _ => tiktoken_rs::o200k_base(),
            };
            let own = own.expect("it loads");
            Box::new(move |text| own.encode_ordinary(text).len() as u64)
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
    black_box(count("Hello, world!"));
    let first = cpu() - start;
    let memory = resident().0 - before;
    let mut times = Vec::new();
    let mut tokens = 0;
    for _ in 0..6 {
        let start = cpu();
        tokens = texts.iter().map(|text| count(text)).sum::<u64>();
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
    let mut one = f64::MAX;
    let mut all = f64::MAX;
    for _ in 0..9 {
        let start = Instant::now();
        black_box(texts.iter().map(|text| encoding.count(text).get()).sum::<u64>());
        one = one.min(start.elapsed().as_secs_f64());
        let start = Instant::now();
        black_box(encoding.count_batch(&texts));
        all = all.min(start.elapsed().as_secs_f64());
    }
    println!("{}", serde_json::json!({ "one_ms": one * 1e3, "all_ms": all * 1e3, "ratio": one / all }));
}

fn adversarial(encoding: Encoding) {
    let size = 1_000_000;
    let mut state = 1u64;
    let mut random = |letters: &str| -> String {
        let letters: Vec<char> = letters.chars().collect();
        let mut text = String::new();
        while text.len() < size {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            text.push(letters[(state >> 33) as usize % letters.len()]);
        }
        text
    };
    let ideographs: String = ('\u{4e00}'..'\u{9fff}').collect();
    let inputs = [
        ("one letter", "a".repeat(size)),
        ("one emoji", "\u{1f600}".repeat(size / 4)),
        ("spaces", " ".repeat(size)),
        ("newlines", "\n".repeat(size)),
        ("digits", "1234567890".repeat(size / 10)),
        ("equals signs", "=".repeat(size)),
        ("base64", random("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")),
        ("random letters", random("abcdefghijklmnopqrstuvwxyz")),
        ("random capitals", random("ABCDEFGHIJKLMNOPQRSTUVWXYZ")),
        ("random ideographs", random(&ideographs)),
        ("random punctuation", random("!#$%&()*+,-.:;<=>?@[]^_{|}~")),
        ("two letters", random("ab")),
        ("mixed white space", random(" \t\n\r\u{a0}\u{3000}")),
        ("combining marks", "\u{301}".repeat(size / 2)),
    ];
    for (name, text) in inputs {
        let start = cpu();
        let tokens = encoding.count(&text).get();
        println!("{}", serde_json::json!({ "input": name, "ms": (cpu() - start) * 1e3, "tokens": tokens }));
    }
}
