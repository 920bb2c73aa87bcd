//! Made-up calls, the same in every run.

use std::error::Error;

use tokenbook::price::{Found, PriceQuery};
use tokenbook::{Catalog, Count, Timestamp, TokenKind, Usage};
use tokenbook_ledger::{Call, CallCost, Outcome, ToolTokens};

pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

pub const START: i64 = 1_735_689_600_000; // 2025-01-01
pub const YEAR: i64 = 365 * 86_400_000;

/// Models with a price in the catalog over the whole year.
const MODELS: [&str; 6] = [
    "claude-3-5-sonnet-20241022",
    "claude-3-5-haiku-20241022",
    "claude-3-opus-20240229",
    "gpt-4o-2024-08-06",
    "gpt-4o-mini-2024-07-18",
    "gpt-4.1-2025-04-14",
];

/// Mixes a number's bits (splitmix64), so that every run measures the same calls.
pub fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The instant of the call with this number when there are `calls` in a year.
pub fn instant(number: u64, calls: u64) -> i64 {
    START + (i128::from(number) * i128::from(YEAR) / i128::from(calls)) as i64
}

/// The call with this number: 12 agents with 2 actions and 2 of 6 models each, sessions of 50 calls, tools in 3 of 10.
pub fn call(number: u64, at: i64) -> Result<Call> {
    let random = mixed(number);
    let below = |shift: u32, limit: u64| (random >> shift) % limit;
    // A session is one agent at one job.
    let session = number / 50;
    let agent = mixed(session) % 12;
    let model = (agent + below(8, 2)) % 6;
    let is_anthropic = model < 3;
    let mut call = Call::new(Timestamp::from_ms(at)?, MODELS[model as usize]);
    call.id = Some(format!("msg_01{random:016x}"));
    call.provider = Some(if is_anthropic { "anthropic" } else { "openai" }.to_owned());
    call.api = Some(if is_anthropic { "anthropic_messages" } else { "openai_responses" }.to_owned());
    call.agent = Some(format!("agent-{agent}"));
    call.action = Some(if mixed(session) % 5 < 3 { "generate" } else { "stream" }.to_owned());
    call.session = Some(format!("session-{session}"));
    call.tags = vec![format!("team-{}", agent % 3)];
    let input = 200 + below(16, 4_000) as u32;
    let output = 20 + below(28, 900) as u32;
    let usage = Usage::new()
        .with(TokenKind::Input, input)
        .with(TokenKind::CacheRead, below(20, 2) as u32 * 8_000)
        .with(TokenKind::Output, output);
    let asked = PriceQuery { provider: call.provider.as_deref(), ..PriceQuery::new(&call.model, call.at) };
    let total = match Catalog::builtin().price(&asked)? {
        Found::Price(price) => price.total(&usage)?,
        Found::Unpriced(_) => None,
    };
    call.cost = match total {
        Some(total_usd) => CallCost::Priced {
            total_usd,
            price: Some(
                serde_json::json!({"model": MODELS[model as usize], "from": "2025-06-01", "catalog": "2026-11-20"}),
            ),
        },
        None => CallCost::Unpriced { reason: "no price".to_owned() },
    };
    call.usage = Some(usage);
    call.max_tokens = Some(Count::from(1_024));
    call.stop_reason = Some("end_turn".to_owned());
    call.truncated = Some(below(36, 50) == 0);
    call.duration_ms = Some(Count::from(400 + below(40, 9_000) as u32));
    call.time_to_first_token_ms = Some(Count::from(100 + below(38, 900) as u32));
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
