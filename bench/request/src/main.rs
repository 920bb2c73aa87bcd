//! Counts the same requests in Rust: the core from bytes, and the operation that the languages call, JSON in and out.

use std::hint::black_box;
use std::time::Instant;

use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokenbook::Api;
use tokenbook::request::count_request;

fn measure(face: &str, model: &str, bytes: usize, mut call: impl FnMut()) {
    let mut times: Vec<f64> = (0..3000)
        .map(|_| {
            let start = Instant::now();
            call();
            start.elapsed().as_secs_f64() * 1e6
        })
        .skip(500)
        .collect();
    times.sort_by(f64::total_cmp);
    let at = |percent: usize| times[times.len() * percent / 100];
    println!("{}", json!({"face": face, "model": model, "bytes": bytes, "median": at(50), "p90": at(90)}));
}

fn main() {
    let file = std::env::args().nth(1).expect("the file of requests");
    let text = std::fs::read_to_string(file).expect("the file of requests");
    for args in serde_json::from_str::<Vec<Box<RawValue>>>(&text).expect("a list") {
        let parsed: Value = serde_json::from_str(args.get()).expect("JSON");
        let api: Api = parsed["api"].as_str().expect("an API").parse().expect("a known API");
        let model = parsed["body"]["model"].as_str().expect("a model");
        let body = parsed["body"].to_string();
        measure("Rust", model, body.len(), || {
            black_box(count_request(api, black_box(body.as_bytes()), None).expect("a count"));
        });
        measure("Rust, JSON in and out", model, body.len(), || {
            black_box(tokenbook_wire::call("count_request", black_box(args.get())).expect("a count"));
        });
    }
}
