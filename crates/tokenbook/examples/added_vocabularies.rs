//! Counts texts given as JSON lines in the encoding named by the argument, for `bench/count/families.py`.
//!
//! Before that it tells on standard error how long the vocabulary took to expand.
#![expect(clippy::print_stderr, reason = "its output is what it is for")]
#![expect(clippy::disallowed_methods, clippy::float_arithmetic, reason = "it measures time")]

use std::io::{BufRead as _, Write as _};
use std::time::Instant;

use tokenbook::Encoding;
use tokenbook::text::add_vocabulary;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let encoding: Encoding = arguments.next().expect("an encoding").parse().expect("an encoding");
    let folder = arguments.next().expect("the folder of the vocabularies");
    let file = std::fs::read(format!("{folder}/{encoding}.merges")).expect("its vocabulary");
    let started = Instant::now();
    add_vocabulary(&file).expect("its vocabulary");
    eprintln!("{encoding}: expanded in {} ms", started.elapsed().as_millis());
    let mut out = std::io::stdout().lock();
    let mut took = 0.0;
    for line in std::io::stdin().lock().lines() {
        let text: String = serde_json::from_str(&line.expect("text")).expect("a JSON string");
        let started = Instant::now();
        let count = encoding.count(&text);
        took += started.elapsed().as_secs_f64();
        writeln!(out, "{count}").expect("somebody reads");
    }
    eprintln!("{encoding}: counted in {took:.3} s");
}
