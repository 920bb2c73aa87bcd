//! Prices the same calls with tokenbook and with the `genai-prices` crate, in one run, and prints times and ratios.

use std::hint::black_box;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokenbook::cost::{CostBatch, cost_batch};
use tokenbook::price::{Found, PriceQuery};
use tokenbook::{Catalog, CostQuery, Count, Timestamp, TokenKind, Usage, cost};

const MODELS: [(&str, &str); 10] = [
    ("openai", "gpt-4o"),
    ("openai", "gpt-5"),
    ("openai", "gpt-4o-mini-2024-07-18"),
    ("anthropic", "claude-sonnet-4-5"),
    ("anthropic", "claude-haiku-4-5-20251001"),
    ("anthropic", "claude-opus-4-8"),
    ("google", "gemini-2.5-pro"),
    ("google", "gemini-2.5-flash"),
    ("groq", "openai/gpt-oss-120b"),
    ("openai", "o3"),
];

const CALLS: usize = 200_000;
const ROUNDS: usize = 5;

struct Call {
    model: usize,
    input: u32,
    cached: u32,
    output: u32,
}

fn calls() -> Vec<Call> {
    let mut seed = 1_u64;
    let mut next = move |below: u32| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from((seed >> 33) % u64::from(below)).expect("below a u32")
    };
    (0..CALLS)
        .map(|call| Call { model: call % 10, input: next(20_000), cached: next(50_000), output: next(4_000) })
        .collect()
}

/// The fastest of a few rounds, per call.
fn time(name: &str, mut round: impl FnMut()) -> f64 {
    let fastest = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            round();
            start.elapsed()
        })
        .min()
        .unwrap_or(Duration::MAX);
    let nanos = fastest.as_nanos() as f64 / CALLS as f64;
    println!("{name:<52} {nanos:>9.1} ns a call");
    nanos
}

fn main() {
    let text = include_str!("../../../crates/tokenbook/data/prices.json");
    let start = Instant::now();
    let models = Catalog::builtin().len();
    println!(
        "{:<52} {:>9.2} ms ({models} models)",
        "opening the built-in catalog",
        start.elapsed().as_secs_f64() * 1e3
    );
    let start = Instant::now();
    black_box(Catalog::parse(text).expect("the built-in catalog"));
    println!("{:<52} {:>9.2} ms", "reading and checking every row of it", start.elapsed().as_secs_f64() * 1e3);
    let start = Instant::now();
    black_box(genai_prices::Calculator::bundled());
    println!("{:<52} {:>9.2} ms", "genai-prices: decoding its data", start.elapsed().as_secs_f64() * 1e3);

    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let at = Timestamp::from_ms(i64::try_from(now.as_millis()).expect("below the year 3000")).expect("an instant");
    let catalog = Catalog::builtin();
    let calls = calls();
    let usages: Vec<Usage> = calls
        .iter()
        .map(|call| {
            Usage::new()
                .with(TokenKind::Input, call.input)
                .with(TokenKind::CacheRead, call.cached)
                .with(TokenKind::Output, call.output)
        })
        .collect();
    let query =
        |call: &Call| PriceQuery { provider: Some(MODELS[call.model].0), ..PriceQuery::new(MODELS[call.model].1, at) };
    println!();
    let full = time("tokenbook: find the price, total", || {
        for (call, usage) in calls.iter().zip(&usages) {
            let Found::Price(price) = catalog.price(&query(call)).expect("a query") else { panic!("no price") };
            black_box(price.total(usage).expect("a usage"));
        }
    });
    time("tokenbook: the same without naming the provider", || {
        for (call, usage) in calls.iter().zip(&usages) {
            let query = PriceQuery { provider: None, ..query(call) };
            if let Found::Price(price) = catalog.price(&query).expect("a query") {
                black_box(price.total(usage).expect("a usage"));
            }
        }
    });
    time("tokenbook: find the price, total and lines", || {
        for (call, usage) in calls.iter().zip(&usages) {
            let query = CostQuery { price: query(call), usage, stated: None };
            black_box(cost(&query, catalog).expect("a query"));
        }
    });
    let prices: Vec<_> = (0..10)
        .map(|model| {
            let query = PriceQuery { provider: Some(MODELS[model].0), ..PriceQuery::new(MODELS[model].1, at) };
            match catalog.price(&query).expect("a query") {
                Found::Price(price) => price,
                Found::Unpriced(unpriced) => panic!("{unpriced:?}"),
            }
        })
        .collect();
    time("tokenbook: total with a price found before", || {
        for (call, usage) in calls.iter().zip(&usages) {
            black_box(prices[call.model].total(usage).expect("a usage"));
        }
    });
    let column = |of: fn(&Call) -> u32| calls.iter().map(|call| Count::from(of(call))).collect::<Vec<_>>();
    let batch = CostBatch {
        models: MODELS.iter().map(|(provider, model)| format!("{provider}/{model}")).collect(),
        model: Some(calls.iter().map(|call| u32::try_from(call.model).expect("ten models")).collect()),
        at_ms: Some(vec![at.ms(); CALLS]),
        tokens: [
            ("input_tokens".to_owned(), column(|call| call.input)),
            ("cache_read_tokens".to_owned(), column(|call| call.cached)),
            ("output_tokens".to_owned(), column(|call| call.output)),
        ]
        .into(),
        ..CostBatch::default()
    };
    time("tokenbook: columns", || {
        black_box(cost_batch(&batch, at, catalog).expect("a batch"));
    });
    use genai_prices::{PriceRequest, UsageKey};
    let theirs: Vec<genai_prices::Usage> = calls
        .iter()
        .map(|call| {
            genai_prices::Usage::from([
                (UsageKey::INPUT_TOKENS, f64::from(call.input + call.cached)),
                (UsageKey::CACHE_READ_TOKENS, f64::from(call.cached)),
                (UsageKey::OUTPUT_TOKENS, f64::from(call.output)),
            ])
        })
        .collect();
    let peer = time("genai-prices: calculate", || {
        for (call, usage) in calls.iter().zip(&theirs) {
            let (provider, model) = MODELS[call.model];
            let request = PriceRequest::new(model, usage).with_provider_id(provider);
            black_box(genai_prices::calculate(&request).expect("a price"));
        }
    });
    println!(
        "\ntokenbook is {:.1} times as fast as genai-prices (at least 5 wanted; 300 ns a call at most)",
        peer / full
    );
}
