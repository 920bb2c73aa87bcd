//! Random calls, few enough in names and days to collide.
use proptest::prelude::*;
use tokenbook::{Count, Timestamp, TokenKind, Usage, Usd};
use tokenbook_ledger::{Call, CallCost, Outcome, ToolTokens};

/// 2026-03-27, two days before clocks go forward in Berlin.
pub(crate) const START: i64 = 1_774_569_600_000;
/// Four days.
pub(crate) const SPAN: i64 = 4 * 86_400_000;

pub(crate) fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms).expect("in range")
}

fn pick(names: &'static [&'static str]) -> impl Strategy<Value = Option<String>> {
    prop::option::weighted(0.8, prop::sample::select(names).prop_map(str::to_owned))
}

fn some_of(names: &'static [&'static str], most: usize) -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(prop::sample::select(names).prop_map(str::to_owned), 0..=most)
}

fn counts() -> impl Strategy<Value = Count> {
    prop_oneof![4 => 0..5_000_u64, 1 => 0..(1_u64 << 40)].prop_map(|value| Count::new(value).expect("small"))
}

fn usages() -> impl Strategy<Value = Usage> {
    let tokens = prop::collection::vec((prop::sample::select(TokenKind::ALL.to_vec()), counts()), 0..6);
    let requests = prop::collection::btree_map("web_search|code", (0..4_u32).prop_map(Count::from), 0..2);
    (tokens, requests).prop_map(|(tokens, requests)| {
        let mut usage = Usage::new();
        for (kind, count) in tokens {
            usage.set(kind, count);
        }
        usage.server_tool_requests = requests;
        usage
    })
}

fn costs() -> impl Strategy<Value = CallCost> {
    let amount = prop_oneof![0..10_000_000_000_i64, Just(i64::MAX / 4)].prop_map(|pico| Usd::from_pico(pico.into()));
    let price = prop::option::of(prop::sample::select(vec!["gpt-5 2026-01-01", "=SUM(A1)"]));
    prop_oneof![
        (amount.clone(), price).prop_map(|(total_usd, price)| CallCost::Priced {
            total_usd,
            price: price.map(|text| serde_json::json!({"row": text, "tier": 2})),
        }),
        amount.prop_map(|total_usd| CallCost::Stated { total_usd }),
        prop::sample::select(vec!["unknown model", "-1+1", ""])
            .prop_map(|reason| CallCost::Unpriced { reason: reason.to_owned() }),
    ]
}

/// Names that spreadsheets and parsers stumble over, among plain ones.
const NAMES: &[&str] = &["host", "editor", "=1+1", "a,\"b\"\r\nc", "'quoted", "＝x", "ünï\u{202e}"];
const TOOLS: &[&str] = &["search", "calc", "@cmd", "x,y"];

pub(crate) fn calls() -> impl Strategy<Value = Call> {
    let names = (pick(NAMES), pick(&["generate", "test"]), pick(&["openai", "anthropic"]), pick(&["s1", "s2", "-s3"]));
    let lists = (some_of(&["blue", "team-a", "+x"], 3), some_of(TOOLS, 3), some_of(TOOLS, 3));
    let tokens = prop::collection::btree_map(
        prop::sample::select(TOOLS).prop_map(str::to_owned),
        (prop::option::of(counts()), prop::option::of(counts())),
        0..3,
    );
    let flags = (any::<bool>(), any::<bool>(), any::<Option<bool>>(), any::<Option<bool>>());
    let numbers = (prop::option::of(counts()), prop::option::of(counts()), prop::option::of(counts()));
    let rare = (prop::option::of(0..9_u32), prop::collection::btree_map("[a-z]{1,4}", ".{0,8}", 0..3), pick(NAMES));
    // Instants pile up on the hours and days, where buckets meet.
    let when = prop_oneof![
        0..SPAN,
        (0..70_i64).prop_map(|day| day * 86_400_000 - 1),
        (0..SPAN).prop_map(|ms| ms / 3_600_000 * 3_600_000),
        Just(86_400_000)
    ];
    let model = prop::sample::select(vec!["gpt-5", "claude-x"]);
    (when, model, names, prop::option::of(usages()), costs(), lists, tokens, flags, numbers, rare).prop_map(
        |(when, model, names, usage, cost, lists, tokens, flags, numbers, rare)| {
            let mut call = Call::new(at(START + when.max(0)), model);
            (call.agent, call.action, call.provider, call.session) = names;
            call.usage = usage;
            call.cost = cost;
            (call.tags, call.tools_offered, call.tools_called) = lists;
            call.tags.sort();
            call.tags.dedup();
            call.tool_tokens = tokens
                .into_iter()
                .map(|(tool, (definition_tokens, result_tokens))| ToolTokens { tool, definition_tokens, result_tokens })
                .collect();
            let (failed, partial, truncated, batch) = flags;
            call.outcome = if failed { Outcome::Error } else { Outcome::Success };
            (call.partial, call.truncated, call.batch) = (partial, truncated, batch);
            (call.max_tokens, call.duration_ms, call.time_to_first_token_ms) = numbers;
            (call.attempt, call.metadata) = (rare.0, rare.1);
            call.metadata.retain(|_, value| !value.contains('\0'));
            call.error_class.clone_from(&rare.2);
            call.parent_id = rare.2;
            call
        },
    )
}

/// Calls with ids of their own.
pub(crate) fn ledgers(most: usize) -> impl Strategy<Value = Vec<Call>> {
    prop::collection::vec(calls(), 0..most).prop_map(|mut calls| {
        for (number, call) in calls.iter_mut().enumerate() {
            call.id = Some(format!("id-{number}"));
        }
        calls
    })
}
