//! Each figure of an overview on a ledger that was added up by hand.

use tokenbook::{Catalog, Count, Timestamp, TokenKind, Usage, Usd};
use tokenbook_ledger::{Call, CallCost, Filter, Ledger, Options, Outcome, Overview, OverviewQuery, ToolTokens};

const HAIKU: &str = "claude-3-5-haiku-20241022";

fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

fn usd(text: &str) -> Usd {
    Usd::parse(text).expect("an amount")
}

fn count(value: u64) -> Count {
    Count::new(value).expect("small")
}

/// Four calls of three agents: a cached one with tools, one that was cut off, one that failed, and one without a price.
///
/// | call | at | endpoint | model | input | cache read | output | cost |
/// |---|---|---|---|---|---|---|---|
/// | a | 23:30 | editor/stream | haiku 3.5 | 1,000 | 1,000 | 500 | 0.0008 + 0.00008 + 0.002 = 0.00288 |
/// | b | 00:10 | host/generate | haiku 3.5 | 100 | 0 | 400 | 0.00008 + 0.0016 = 0.00168 |
/// | c | 00:20 | host/generate | haiku 3.5 | – | – | – | unpriced, failed |
/// | d | 02:00 | editor/stream | gpt-4o | 400 | 0 | 100 | 0.001 + 0.001 = 0.002 |
fn ledger() -> Ledger {
    let ledger = Ledger::open_in_memory(&Options::default()).expect("opens");
    let call = |id: &str, when: &str, agent: &str, action: &str, model: &str| {
        let mut call = Call::new(at(when), model);
        call.id = Some(id.to_owned());
        call.provider = Some(if model.starts_with("gpt") { "openai" } else { "anthropic" }.to_owned());
        (call.agent, call.action) = (Some(agent.to_owned()), Some(action.to_owned()));
        call
    };
    let used = |input: u32, read: u32, output: u32| {
        Some(
            Usage::new().with(TokenKind::Input, input).with(TokenKind::CacheRead, read).with(TokenKind::Output, output),
        )
    };
    let cost = |text: &str| CallCost::Priced { total_usd: usd(text), price: None };
    let mut a = call("a", "2026-01-05T23:30:00Z", "editor", "stream", HAIKU);
    (a.usage, a.cost) = (used(1_000, 1_000, 500), cost("0.00288"));
    (a.max_tokens, a.truncated) = (Some(count(1_000)), Some(false));
    (a.duration_ms, a.time_to_first_token_ms) = (Some(count(10)), Some(count(3)));
    a.tools_offered = vec!["search".to_owned(), "calc".to_owned()];
    a.tools_called = vec!["search".to_owned(), "search".to_owned()];
    a.tool_tokens = vec![
        ToolTokens { tool: "search".to_owned(), definition_tokens: Some(count(300)), result_tokens: Some(count(100)) },
        ToolTokens { tool: "calc".to_owned(), definition_tokens: Some(count(100)), result_tokens: None },
    ];
    a.session = Some("s".to_owned());
    let mut b = call("b", "2026-01-06T00:10:00Z", "host", "generate", HAIKU);
    (b.usage, b.cost) = (used(100, 0, 400), cost("0.00168"));
    (b.max_tokens, b.truncated, b.duration_ms) = (Some(count(400)), Some(true), Some(count(14)));
    let mut c = call("c", "2026-01-06T00:20:00Z", "host", "generate", HAIKU);
    c.outcome = Outcome::Error;
    let mut d = call("d", "2026-01-06T02:00:00Z", "editor", "stream", "gpt-4o");
    (d.usage, d.cost) = (used(400, 0, 100), cost("0.002"));
    d.duration_ms = Some(count(12));
    for call in [a, b, c, d] {
        ledger.record(call).expect("recorded");
    }
    ledger
}

fn ask(ledger: &Ledger, query: &OverviewQuery) -> Overview {
    ledger.overview(query, Catalog::builtin()).expect("answered")
}

fn whole() -> OverviewQuery {
    OverviewQuery { now: Some(at("2026-01-06T03:30:00Z")), ..OverviewQuery::default() }
}

#[test]
fn totals_and_averages_are_those_of_the_calls() {
    let overview = ask(&ledger(), &whole());
    let total = &overview.total;
    let sums = &total.measures;
    assert_eq!([sums.calls, sums.succeeded, sums.failed, sums.unpriced_calls], [4, 3, 1, 1].map(count));
    assert_eq!((total.total_tokens, sums.cost_usd), (count(3_500), usd("0.00656")));
    assert_eq!((total.success_rate, total.tokens_per_call), (Some(0.75), Some(3_500.0 / 3.0)));
    assert_eq!(total.cost_per_call_usd, Some(usd("0.002186666667")), "of the three that have a cost");
    assert_eq!(total.cost_per_success_usd, Some(usd("0.002186666667")));
    assert_eq!((total.first_at, total.last_at), (Some(at("2026-01-05T23:30:00Z")), Some(at("2026-01-06T02:00:00Z"))));
    let shares = overview.token_shares;
    assert_eq!((shares.fresh_input_per_mille, shares.cache_read_per_mille), (428, 286));
    assert_eq!((shares.cache_write_per_mille, shares.output_per_mille), (0, 286), "1,500, 1,000 and 1,000 of 3,500");
}

#[test]
fn groups_have_their_shares_and_the_last_use() {
    let overview = ask(&ledger(), &whole());
    let of = |parts: &[tokenbook_ledger::GroupShare]| {
        let row = |part: &tokenbook_ledger::GroupShare| {
            (part.calls_per_mille, part.tokens_per_mille, part.cost_per_mille, part.figures.measures.calls.get())
        };
        parts.iter().map(row).collect::<Vec<_>>()
    };
    assert_eq!(of(&overview.agents), [(500, 857, 744, 2), (500, 143, 256, 2)]);
    let editor = &overview.endpoints[0];
    assert_eq!((editor.agent.as_deref(), editor.action.as_deref()), (Some("editor"), Some("stream")));
    assert_eq!(editor.models, ["claude-3-5-haiku-20241022", "gpt-4o"]);
    assert_eq!(editor.figures.last_at, Some(at("2026-01-06T02:00:00Z")));
    let host = &overview.endpoints[1].figures;
    assert_eq!((host.success_rate, host.measures.average_duration_ms), (Some(0.5), Some(14.0)), "the known duration");
    assert_eq!((host.cost_per_call_usd, host.cost_per_success_usd), (Some(usd("0.00168")), Some(usd("0.00168"))));
    assert_eq!(of(&overview.models), [(750, 857, 695, 3), (250, 143, 305, 1)]);
    assert_eq!(overview.actions.len(), 2);
    assert_eq!(overview.providers[1].provider.as_deref(), Some("openai"));
}

#[test]
fn tools_are_a_part_of_the_input_and_offered_is_not_called() {
    let tools = ask(&ledger(), &whole()).tool_use;
    assert_eq!((tools.calls_offering, tools.calls_calling, tools.offering_rate), (count(1), count(1), Some(0.25)));
    assert_eq!((tools.definition_tokens, tools.result_tokens), (count(400), count(100)));
    assert_eq!((tools.overhead_of_tokens, tools.overhead_of_input), (Some(500.0 / 3_500.0), Some(0.2)));
    let [search, calc] = &tools.tools[..] else { panic!("two tools") };
    assert_eq!((search.tool.as_str(), search.called, search.called_per_mille), ("search", count(2), 1_000));
    assert_eq!(
        (search.definition_tokens, search.result_tokens, search.tokens_per_mille),
        (count(300), count(100), 800)
    );
    assert_eq!(
        (calc.offered, calc.called, calc.tokens_per_mille, calc.cost_usd),
        (count(1), count(0), 200, usd("0.00288"))
    );
}

#[test]
fn caching_saved_what_fresh_input_would_have_cost_more() {
    let cache = ask(&ledger(), &whole()).cache;
    assert_eq!((cache.read_tokens, cache.write_tokens, cache.hit_rate), (count(1_000), count(0), Some(0.4)));
    assert_eq!(cache.saved_usd, usd("0.00072"), "1,000 tokens at 0.80 instead of 0.08 a million");
    assert_eq!(cache.unpriced_calls, count(0));
}

#[test]
fn limits_tell_how_full_answers_were_and_what_was_cut_off() {
    let limits = ask(&ledger(), &whole()).limits;
    assert_eq!((limits.calls, limits.utilization), (count(2), Some(900.0 / 1_400.0)));
    let calls: Vec<u64> = limits.steps.iter().map(|step| step.calls.get()).collect();
    assert_eq!(calls, [0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0], "50 % and 100 %");
    assert_eq!((limits.steps[9].above_percent, limits.steps[9].up_to_percent), (90, Some(100)));
    assert_eq!(limits.steps[10].up_to_percent, None);
    assert_eq!((limits.near_limit_calls, limits.truncated, limits.truncation_rate), (count(1), count(1), Some(0.5)));
    assert_eq!(limits.truncated_cost_usd, usd("0.00168"));
}

#[test]
fn percentiles_are_of_the_calls_with_a_known_value() {
    let sizes = ask(&ledger(), &whole()).sizes;
    let duration = sizes.duration_ms;
    assert_eq!((duration.calls, duration.p50, duration.p90), (count(3), Some(count(12)), Some(count(14))));
    assert_eq!((sizes.time_to_first_token_ms.calls, sizes.time_to_first_token_ms.p99), (count(1), Some(count(3))));
    assert_eq!(sizes.output_tokens.calls, count(3));
}

#[test]
fn pace_and_projection_are_of_the_time_observed() {
    let overview = ask(&ledger(), &whole());
    let pace = &overview.pace;
    assert_eq!(pace.observed_ms, count(4 * 3_600_000));
    assert_eq!((pace.calls_per_minute, pace.tokens_per_minute), (Some(4.0 / 240.0), Some(3_500.0 / 240.0)));
    assert_eq!(pace.cost_per_hour_usd, Some(usd("0.00164")));
    assert_eq!(overview.projection.day_usd, None, "four calls are too few");
    assert_eq!(overview.projection.basis, "4 calls in 4 h 0 min; too few: 20 calls are needed");
}

#[test]
fn hours_and_days_without_calls_are_there_and_none_are_merged() {
    let overview = ask(&ledger(), &whole());
    let hours = &overview.series.hours;
    assert_eq!(hours.len(), 24);
    assert_eq!((hours[0].hour, hours[23].hour), (Some(at("2026-01-05T04:00:00Z")), Some(at("2026-01-06T03:00:00Z"))));
    let calls: Vec<u64> = hours[19..].iter().map(|hour| hour.calls.get()).collect();
    assert_eq!(calls, [1, 2, 0, 1, 0]);
    let days = &overview.series.days;
    assert_eq!(days.len(), 30);
    assert_eq!((days[28].calls, days[29].calls, days[29].cost_usd), (count(1), count(3), usd("0.00368")));
    assert_eq!(days[27].cost_usd, Usd::ZERO);
    let berlin = OverviewQuery { time_zone: Some("Europe/Berlin".to_owned()), ..whole() };
    let days = ask(&ledger(), &berlin).series.days;
    assert_eq!(
        (days[28].calls, days[29].calls),
        (count(0), count(4)),
        "half past eleven in London is tomorrow in Berlin"
    );
}

#[test]
fn an_empty_ledger_has_no_averages_and_no_nan() {
    let ledger = Ledger::open_in_memory(&Options::default()).expect("opens");
    let overview = ask(&ledger, &whole());
    assert_eq!(
        (overview.total.success_rate, overview.total.cost_per_call_usd, overview.cache.hit_rate),
        (None, None, None)
    );
    assert_eq!((overview.pace.calls_per_minute, overview.projection.month_usd), (None, None));
    assert!(overview.agents.is_empty() && overview.tool_use.tools.is_empty());
    assert_eq!(overview.series.days.len(), 30);
}

#[test]
fn ranges_are_half_open_and_filters_hold_everywhere() {
    let ledger = ledger();
    let range =
        OverviewQuery { from: Some(at("2026-01-05T23:30:00Z")), to: Some(at("2026-01-06T02:00:00Z")), ..whole() };
    let total = ask(&ledger, &range).total.measures;
    assert_eq!((total.calls, total.cost_usd), (count(3), usd("0.00456")));
    let filter = |field: &str, value: &str| {
        let filter: Filter = serde_json::from_value(serde_json::json!({ field: value })).expect("a filter");
        ask(&ledger, &OverviewQuery { filter, ..whole() })
    };
    let host = filter("agent", "host");
    assert_eq!((host.total.measures.calls, host.sizes.duration_ms.calls), (count(2), count(1)));
    assert_eq!(host.limits.truncated_cost_usd, usd("0.00168"));
    assert_eq!(host.series.days[29].calls, count(2));
    for (field, value) in [("session", "s"), ("tool", "search")] {
        let one = filter(field, value);
        assert_eq!((one.total.measures.calls, one.sizes.duration_ms.p50), (count(1), Some(count(10))), "{field}");
        assert_eq!((one.cache.saved_usd, one.agents.len()), (usd("0.00072"), 1), "{field}");
    }
    assert_eq!(filter("agent", "nobody").total.measures.calls, count(0));
}

#[test]
fn after_the_fold_the_answer_is_the_same() {
    let ledger = ledger();
    let before = serde_json::to_string(&ask(&ledger, &whole())).expect("written");
    ledger.prune(at("2020-01-01T00:00:00Z")).expect("folds everything and prunes nothing");
    assert_eq!(serde_json::to_string(&ask(&ledger, &whole())).expect("written"), before);
    assert!(ledger.verify().expect("read").ok);
}
