//! Wrong results seen in other tools, and the figures of two services that were wrong, each with the right one.
//!
//! What was measured: litellm 1.109.1, genai-prices 0.2.3, ccusage 20.0.24, splitrail 3.7.2, `AgentBudget` 0.4.0, and the
//! price table of a TypeScript service that stored tokens per dollar.

use tokenbook::cost::CostSum;
use tokenbook::price::{PriceQuery, Reason};
use tokenbook::{Catalog, Cost, CostQuery, ErrorCode, TokenKind, Usage, Usd, cost};

const TODAY: &str = "2026-11-22T12:00:00Z";

fn usage(kinds: &[(TokenKind, u32)]) -> Usage {
    kinds.iter().fold(Usage::new(), |usage, (kind, tokens)| usage.with(*kind, *tokens))
}

fn in_out(input: u32, output: u32) -> Usage {
    usage(&[(TokenKind::Input, input), (TokenKind::Output, output)])
}

fn priced(query: PriceQuery<'_>, usage: &Usage) -> Cost {
    cost(&CostQuery { price: query, usage, stated: None }, Catalog::builtin()).expect("a valid query")
}

#[track_caller]
fn costs(model: &str, at: &str, usage: &Usage, want: &str) {
    let cost = priced(PriceQuery::new(model, at.parse().expect("an instant")), usage);
    let total = cost.total().map(|usd| usd.to_string());
    assert_eq!(total.as_deref(), Some(want), "{model} at {at}: {cost:?}");
}

fn provider<'a>(provider: &'a str, model: &'a str, at: &str) -> PriceQuery<'a> {
    PriceQuery { provider: Some(provider), ..PriceQuery::new(model, at.parse().expect("an instant")) }
}

// litellm: rows deleted, and a generalised rule without a price matched in their place: 0.0 without an error.

#[test]
fn retired_claude_sonnet_4_costs_0_018_and_not_nothing() {
    costs("claude-sonnet-4-20250514", "2026-06-01T00:00:00Z", &in_out(1_000, 1_000), "0.018");
}

#[test]
fn gemini_3_pro_preview_costs_0_014_and_not_nothing() {
    let query = provider("gemini", "gemini-3-pro-preview", "2026-06-01T00:00:00Z");
    assert_eq!(priced(query, &in_out(1_000, 1_000)).total(), Some(Usd::parse("0.014").expect("an amount")));
    costs("gemini/gemini-3-pro-preview", "2026-06-01T00:00:00Z", &in_out(1_000, 1_000), "0.014");
}

#[test]
fn claude_fable_5_2_costs_0_048_and_not_nothing() {
    costs("claude-fable-5-2", TODAY, &in_out(1_000, 1_000), "0.048");
}

#[test]
fn retired_claude_3_5_haiku_and_groq_llama_stay_priced() {
    costs("claude-3-5-haiku-20241022", "2025-06-01T00:00:00Z", &in_out(1_000_000, 1_000_000), "4.8");
    costs("groq/llama-3.3-70b-versatile", "2025-06-01T00:00:00Z", &in_out(1_000_000, 1_000_000), "1.38");
}

// litellm clamps Anthropic's fresh tokens away, genai-prices refuses them: both read them as including the cache.

#[test]
fn five_fresh_tokens_beside_a_large_cache_read_are_charged() {
    let usage = usage(&[(TokenKind::Input, 5), (TokenKind::CacheRead, 128_955)]);
    costs("claude-sonnet-4-5", TODAY, &usage, "0.0387015");
}

// litellm: no history.

#[test]
fn o3_cost_five_times_as_much_before_its_cut() {
    costs("o3", "2025-06-09T23:59:59.999Z", &in_out(1_000_000, 1_000_000), "50");
    costs("o3", "2025-06-10T00:00:00Z", &in_out(1_000_000, 1_000_000), "10");
}

// litellm: 0.015000000000000001, 1.3600050000000001, and a million additions of 2.85e-6 give 2.8499999999986962.

#[test]
fn amounts_carry_no_dust() {
    costs("claude-sonnet-4-5", TODAY, &in_out(0, 1_000), "0.015");
    let mut sum = CostSum::default();
    for _ in 0..1_000_000 {
        sum.add(Some(Usd::parse("0.00000285").expect("an amount"))).expect("a small sum");
    }
    assert_eq!((sum.total_usd.to_string().as_str(), sum.priced, sum.unpriced), ("2.85", 1_000_000, 0));
}

// litellm and genai-prices bill "flexx" as standard.

#[test]
fn a_misspelt_service_tier_is_an_error() {
    let query =
        PriceQuery { service_tier: Some("flexx"), ..PriceQuery::new("gpt-5", TODAY.parse().expect("an instant")) };
    let usage = in_out(1, 1);
    let error =
        cost(&CostQuery { price: query, usage: &usage, stated: None }, Catalog::builtin()).expect_err("misspelt");
    assert_eq!(error.code(), ErrorCode::InvalidArgument);
    assert!(error.message().starts_with("unknown service tier \"flexx\"; the tiers are "), "{}", error.message());
}

#[test]
fn a_misspelt_region_is_an_error() {
    let query =
        PriceQuery { region: Some("uss"), ..PriceQuery::new("claude-opus-5-5", TODAY.parse().expect("an instant")) };
    let usage = in_out(1, 1);
    let error =
        cost(&CostQuery { price: query, usage: &usage, stated: None }, Catalog::builtin()).expect_err("misspelt");
    assert_eq!(error.code(), ErrorCode::InvalidArgument);
}

// genai-prices ignores `usage.iterations`: 0.14 for a compacted call that was billed 1.1275.

#[test]
fn iterations_are_billed_one_by_one_at_their_own_model() {
    let at = TODAY.parse().expect("an instant");
    let mut sum = CostSum::default();
    for iteration in [in_out(180_000, 3_500), in_out(23_000, 1_000)] {
        sum.add(priced(PriceQuery::new("claude-opus-4-8", at), &iteration).total()).expect("a small sum");
    }
    assert_eq!(sum.total_usd.to_string(), "1.1275");
    let fallback = priced(PriceQuery::new("claude-haiku-4-5", at), &in_out(1_000, 1_000));
    sum.add(fallback.total()).expect("a small sum");
    assert_eq!(sum.total_usd.to_string(), "1.1335");
}

// genai-prices bills DeepSeek's weekends as peak.

#[test]
fn deepseek_is_off_peak_on_saturdays_and_holidays() {
    let million = in_out(1_000_000, 0);
    costs("deepseek-v4-pro", "2026-11-07T02:00:00Z", &million, "0.66");
    costs("deepseek-v4-pro", "2026-11-06T02:00:00Z", &million, "1.32");
    costs("deepseek-v4-pro", "2026-11-06T05:00:00Z", &million, "0.66");
    costs("deepseek-v4-pro", "2026-10-01T02:00:00Z", &million, "0.66");
    costs("deepseek-v4-pro", "2026-08-16T02:00:00Z", &million, "0.435");
    costs("deepseek-v4-pro", "2026-08-22T02:00:00Z", &million, "1.32");
    costs("deepseek-v4-pro", "2026-08-23T02:00:00Z", &million, "0.66");
}

#[test]
fn deepseek_chat_follows_its_price_history() {
    let million = in_out(1_000_000, 1_000_000);
    costs("deepseek-chat", "2025-06-01T12:00:00Z", &million, "1.37");
    costs("deepseek-chat", "2025-06-01T20:00:00Z", &million, "0.685");
    costs("deepseek-chat", "2025-09-10T20:00:00Z", &million, "2.24");
    costs("deepseek-chat", "2026-01-01T20:00:00Z", &million, "0.7");
}

// genai-prices keeps Sonnet 4.5's surcharge, which ended; litellm has dropped it from the past too.

#[test]
fn sonnet_4_5_has_no_surcharge_since_the_long_context_beta_ended() {
    costs("claude-sonnet-4-5", TODAY, &in_out(250_000, 1_000), "0.765");
    costs("claude-sonnet-4-5-20250929", "2026-04-29T23:59:59Z", &in_out(250_000, 1_000), "1.5225");
}

#[test]
fn mistral_large_latest_is_large_3_since_december_2025() {
    costs("mistral-large-latest", TODAY, &in_out(1_000_000, 1_000_000), "2");
    costs("mistral-large-latest", "2025-06-01T00:00:00Z", &in_out(1_000_000, 1_000_000), "8");
    costs("mistral-large-2411", TODAY, &in_out(1_000_000, 1_000_000), "8");
}

// ccusage: progressive tiers per class of tokens, 0.495 and 0.915.

#[test]
fn cached_tokens_count_towards_the_context_threshold() {
    let usage = usage(&[(TokenKind::Input, 150_000), (TokenKind::CacheRead, 100_000), (TokenKind::Output, 1_000)]);
    costs("claude-sonnet-4-5", "2025-10-01T12:00:00Z", &usage, "0.9825");
}

#[test]
fn above_the_threshold_every_token_costs_the_higher_rate() {
    costs("claude-sonnet-4-5", "2025-10-01T12:00:00Z", &in_out(250_000, 1_000), "1.5225");
    costs("claude-sonnet-4-5", "2025-10-01T12:00:00Z", &in_out(200_000, 1_000), "0.615");
    costs("claude-sonnet-4-5", "2025-10-01T12:00:00Z", &in_out(200_001, 0), "1.200006");
}

#[test]
fn haiku_5_5_is_priced_in_both_of_its_tiers() {
    costs("claude-haiku-5-5", TODAY, &in_out(100_000, 1_000), "0.0105");
    costs("claude-haiku-5-5", TODAY, &in_out(100_001, 1_000), "0.0525005");
}

// splitrail asserts 0.375.

#[test]
fn gemini_2_5_pro_costs_0_625_for_250_000_tokens() {
    costs("gemini-2.5-pro", TODAY, &in_out(250_000, 0), "0.625");
}

// splitrail bills one-hour cache writes at the five-minute rate, 5.1 % too low on a real tree.

#[test]
fn one_hour_cache_writes_cost_their_own_rate() {
    costs("claude-sonnet-4-5", TODAY, &usage(&[(TokenKind::CacheWrite1h, 1_000_000)]), "6");
    costs("claude-sonnet-4-5", TODAY, &usage(&[(TokenKind::CacheWrite5m, 1_000_000)]), "3.75");
    costs("gpt-5.6-sol", TODAY, &usage(&[(TokenKind::CacheWrite30m, 200_000)]), "1");
    costs("gpt-5.6-sol", TODAY, &usage(&[(TokenKind::CacheWrite12h, 200_000)]), "2");
}

#[test]
fn grok_reaches_its_higher_rate_at_exactly_200_000_tokens() {
    costs("grok-4.5", TODAY, &in_out(199_999, 0), "0.399998");
    costs("grok-4.5", TODAY, &in_out(200_000, 0), "0.8");
}

#[test]
fn gpt_5_4_reaches_its_higher_rate_above_272_000_tokens() {
    costs("gpt-5.4", TODAY, &in_out(272_000, 0), "0.68");
    costs("gpt-5.4", TODAY, &in_out(272_001, 0), "1.360005");
}

// AgentBudget: o1-pro is taken for o1, ten times too low; the gpt-5 family has no price at all.

#[test]
fn o1_pro_is_never_taken_for_o1() {
    costs("o1-pro", TODAY, &in_out(1_000_000, 1_000_000), "750");
    costs("o1", TODAY, &in_out(1_000_000, 1_000_000), "75");
    costs("o1-pro-2025-03-19", TODAY, &in_out(1_000_000, 1_000_000), "750");
    let cost = priced(PriceQuery::new("o1-pro-max", TODAY.parse().expect("an instant")), &in_out(1, 1));
    let Cost::Unpriced(unpriced) = cost else { panic!("{cost:?}") };
    assert_eq!(unpriced.reason, Reason::UnknownModel);
    assert!(unpriced.near.contains(&"openai/o1-pro".to_owned()), "{:?}", unpriced.near);
}

#[test]
fn the_gpt_5_family_has_prices() {
    costs("gpt-5", TODAY, &in_out(1_000_000, 1_000_000), "11.25");
    costs("gpt-5-mini", TODAY, &in_out(1_000_000, 1_000_000), "2.25");
    costs("gpt-6.1-sol", TODAY, &usage(&[(TokenKind::CacheRead, 100_000)]), "0.01");
}

// The service's table: 1 and 5 dollars for every call of Claude 3.5 Haiku, tokens per dollar, tool tokens added again.

#[test]
fn the_editor_record_costs_0_00416() {
    costs("claude-3-5-haiku-20241022", "2025-10-01T00:00:00Z", &in_out(1_200, 800), "0.00416");
}

#[test]
fn claude_3_5_haiku_cost_1_and_5_at_launch_only() {
    costs("claude-3-5-haiku-20241022", "2024-11-10T00:00:00Z", &in_out(1_000_000, 1_000_000), "6");
    costs("claude-3-5-haiku-20241022", "2024-11-10T00:00:00Z", &in_out(1_000, 500), "0.0035");
    costs("claude-3-5-haiku-20241022", "2025-10-01T00:00:00Z", &in_out(1_000, 500), "0.0028");
    let all = usage(&[
        (TokenKind::CacheWrite5m, 1_000_000),
        (TokenKind::CacheWrite1h, 1_000_000),
        (TokenKind::CacheRead, 1_000_000),
    ]);
    costs("claude-3-5-haiku-latest", "2025-10-01T00:00:00Z", &all, "2.68");
}

#[test]
fn claude_3_5_sonnet_costs_exactly_3_and_15() {
    costs("claude-3-5-sonnet-20241022", "2025-06-01T00:00:00Z", &in_out(1_000_000, 1_000_000), "18");
    costs("claude-3-5-sonnet-20241022", "2025-06-01T00:00:00Z", &in_out(5_234, 18_456), "0.292542");
}

#[test]
fn claude_3_opus_costs_exactly_15_and_75() {
    costs("claude-3-opus-20240229", "2025-06-01T00:00:00Z", &in_out(1_000_000, 1_000_000), "90");
}

#[test]
fn an_unknown_model_is_unpriced_and_never_0() {
    let cost = priced(PriceQuery::new("my-own-model", TODAY.parse().expect("an instant")), &in_out(10, 5));
    assert_eq!(cost.total(), None);
    let json = serde_json::to_value(&cost).expect("serialises");
    assert_eq!((json["status"].as_str(), json["reason"].as_str()), (Some("unpriced"), Some("unknown_model")));
    assert!(json.get("total_usd").is_none());
}

#[test]
fn a_call_before_the_first_price_is_unpriced() {
    let cost = priced(
        PriceQuery::new("claude-sonnet-4-5", "2025-01-01T00:00:00Z".parse().expect("an instant")),
        &in_out(1, 1),
    );
    let Cost::Unpriced(unpriced) = cost else { panic!("{cost:?}") };
    assert_eq!(unpriced.reason, Reason::NoPriceAtDate);
}
