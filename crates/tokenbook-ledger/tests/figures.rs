//! Every figure that the dashboard of a token counting service showed, on ledgers that are added up by hand, and each of its
//! faults mended. What is proved elsewhere is named with its test.
//!
//! | figure | test |
//! |---|---|
//! | session: duration, calls, calls a minute, tokens, tokens a minute, cost, cost a call, tokens a call | `a_session_is_all_of_its_calls_and_no_others` |
//! | calls, tokens a call, input, output and total tokens, cost, cost a call and a successful call | `overview::totals_and_averages_are_those_of_the_calls` |
//! | input and output in percent | `overview::totals_and_averages_are_those_of_the_calls` |
//! | calls with tools in percent, definition and result tokens in percent of all, uses of each tool in percent | `overview::tools_are_a_part_of_the_input_and_offered_is_not_called` |
//! | calls, tokens and cost by agent, action, model and provider in percent | `overview::groups_have_their_shares_and_the_last_use` |
//! | by agent and action: calls, failed, success rate, tokens in and out, a call's mean, cost, cost a call, mean duration, last use | `an_endpoint_has_all_of_its_figures` |
//! | cost an hour, a day, a week and 30 days | `projections_say_what_they_are_made_of`, `overview::pace_and_projection_are_of_the_time_observed` |
//! | prices per million tokens | `tests/vectors/prices_show.json`, `tests/vectors/cost.json` |
//! | the footer: tokens in, out and in all, cost, tool calls and tool tokens | `overview` as above; written short by `tests/web/dashboard.test.mjs` |
//! | tokens and cost by hour and day | `overview::hours_and_days_without_calls_are_there_and_none_are_merged` |
//! | cache hit rate and saving, utilization, truncation, percentiles | `overview::caching_saved…`, `limits_tell…`, `percentiles_are…` |
//! | the four alerts that were advised, and the others | `alerts.rs`, `spikes.rs` |
//!
//! | fault | test |
//! |---|---|
//! | NaN % and $NaN of nothing | `overview::an_empty_ledger_has_no_averages_and_no_nan`, `nothing_is_divided_by_nothing` |
//! | the last 50 or 1,000 calls posing as all | `totals_are_of_all_calls_and_not_of_the_last_thousand` |
//! | "the session" made of anybody's calls | `a_session_is_all_of_its_calls_and_no_others` |
//! | hours of different days merged, hours of another zone, the repeated hour of autumn | `overview::hours_and_days_…`, `reports::the_hour_that_is_repeated_in_autumn_is_two_rows` |
//! | days without calls left out | `overview::hours_and_days_…`, `reports::days_without_calls_are_there_with_zeros` |
//! | percentages that don't add up | `shares_add_up_to_the_whole` |
//! | tool tokens counted beside the input that holds them | `overview::tools_are_a_part_of_the_input_and_offered_is_not_called` |
//! | a missing duration counted as 0, failures mixed with successes | `an_endpoint_has_all_of_its_figures` |
//! | any Haiku called "3.5", the model of the first call for all | `models_are_told_by_their_own_names` |
//! | an unknown model that costs 0 | `nothing_is_divided_by_nothing`, `reports::unpriced_calls_are_counted_apart_…` |
//! | a month foretold from the first seconds | `projections_say_what_they_are_made_of`, `forecasts.rs` |
//! | one call recorded twice | `reports::duplicates_count_once`, `records.rs` |
//! | ranges that hold both of their ends | `overview::ranges_are_half_open_and_filters_hold_everywhere` |
//! | export without import, reads of the whole table | `transfer.rs`, `bench/ledger` |

use tokenbook::{Catalog, Count, Timestamp, TokenKind, Usage, Usd};
use tokenbook_ledger::{Call, CallCost, Filter, GroupShare, Ledger, Options, Outcome, Overview, OverviewQuery};

const START: &str = "2026-03-02T08:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

fn minutes(number: i64) -> Timestamp {
    Timestamp::from_ms(at(START).ms() + number * 60_000).expect("in range")
}

fn usd(text: &str) -> Usd {
    Usd::parse(text).expect("an amount")
}

fn count(value: u64) -> Count {
    Count::new(value).expect("small")
}

fn ledger() -> Ledger {
    Ledger::open_in_memory(&Options::default()).expect("opens")
}

/// A call that used so much and cost so much.
fn call(id: &str, at: Timestamp, used: (u32, u32), cost: &str) -> Call {
    let mut call = Call::new(at, "claude-haiku-4-5");
    call.id = Some(id.to_owned());
    call.usage = Some(Usage::new().with(TokenKind::Input, used.0).with(TokenKind::Output, used.1));
    call.cost = CallCost::Stated { total_usd: usd(cost) };
    call
}

fn record(ledger: &Ledger, calls: Vec<Call>) {
    for result in ledger.record_batch(calls).expect("open") {
        result.expect("recorded");
    }
}

fn ask(ledger: &Ledger, query: &OverviewQuery) -> Overview {
    ledger.overview(query, Catalog::builtin()).expect("answered")
}

fn only(field: &str, value: &str) -> Filter {
    serde_json::from_value(serde_json::json!({ field: value })).expect("a filter")
}

#[test]
fn a_session_is_all_of_its_calls_and_no_others() {
    let ledger = ledger();
    // 60 calls of the session, one a minute, among 60 of another: more than any window of 50.
    let calls = (0..120).map(|number| {
        let mut call = call(&number.to_string(), minutes(number / 2), (900, 100), "0.002");
        call.session = Some(if number % 2 == 0 { "mine" } else { "theirs" }.to_owned());
        call
    });
    record(&ledger, calls.collect());
    let query = OverviewQuery { filter: only("session", "mine"), now: Some(minutes(60)), ..OverviewQuery::default() };
    let session = ask(&ledger, &query);
    let (total, pace) = (&session.total, &session.pace);
    assert_eq!(pace.observed_ms, count(60 * 60_000), "from its first call to now");
    assert_eq!((total.measures.calls, pace.calls_per_minute), (count(60), Some(1.0)));
    assert_eq!((total.total_tokens, pace.tokens_per_minute), (count(60_000), Some(1_000.0)));
    assert_eq!((total.measures.cost_usd, total.cost_per_call_usd), (usd("0.12"), Some(usd("0.002"))));
    assert_eq!((total.tokens_per_call, pace.cost_per_hour_usd), (Some(1_000.0), Some(usd("0.12"))));
}

#[test]
fn totals_are_of_all_calls_and_not_of_the_last_thousand() {
    let ledger = ledger();
    record(&ledger, (0..1_500).map(|number| call(&number.to_string(), minutes(number), (10, 1), "0.001")).collect());
    let total = ask(&ledger, &OverviewQuery::default()).total;
    assert_eq!((total.measures.calls, total.total_tokens), (count(1_500), count(16_500)));
    assert_eq!(total.measures.cost_usd, usd("1.5"));
}

#[test]
fn an_endpoint_has_all_of_its_figures() {
    let ledger = ledger();
    let mut calls = Vec::new();
    for (number, duration, failed) in
        [(0, Some(2_000), false), (1, None, false), (2, Some(4_000), false), (3, None, true)]
    {
        let mut call = call(&number.to_string(), minutes(number), (1_000, 250), "0.003");
        (call.agent, call.action) = (Some("editor".to_owned()), Some("stream".to_owned()));
        call.duration_ms = duration.map(count);
        if failed {
            (call.outcome, call.usage) = (Outcome::Error, None);
            call.cost = CallCost::Unpriced { reason: "no answer came".to_owned() };
        }
        calls.push(call);
    }
    record(&ledger, calls);
    let overview = ask(&ledger, &OverviewQuery::default());
    let [endpoint] = &overview.endpoints[..] else { panic!("one endpoint") };
    assert_eq!((endpoint.agent.as_deref(), endpoint.action.as_deref()), (Some("editor"), Some("stream")));
    let (figures, sums) = (&endpoint.figures, &endpoint.figures.measures);
    assert_eq!([sums.calls, sums.succeeded, sums.failed], [4, 3, 1].map(count));
    assert_eq!(figures.success_rate, Some(0.75));
    let (input, output) = (sums.usage.total_input_tokens(), sums.usage.total_output_tokens());
    assert_eq!((input.expect("fits"), output.expect("fits")), (count(3_000), count(750)));
    assert_eq!(figures.tokens_per_call, Some(1_250.0), "of the three whose usage is known");
    assert_eq!((sums.cost_usd, figures.cost_per_call_usd), (usd("0.009"), Some(usd("0.003"))));
    assert_eq!(sums.average_duration_ms, Some(3_000.0), "of the two that are known");
    assert_eq!(figures.last_at, Some(minutes(3)));
}

#[test]
fn projections_say_what_they_are_made_of() {
    let ledger = ledger();
    // A dollar an hour for four days.
    record(&ledger, (0..96).map(|hour| call(&hour.to_string(), minutes(hour * 60), (10, 1), "1")).collect());
    let after = |hours: i64| {
        let (from, to) = (Some(minutes(0)), Some(minutes(hours * 60)));
        ask(&ledger, &OverviewQuery { from, to, now: to, ..OverviewQuery::default() }).projection
    };
    let whole = after(96);
    assert_eq!((whole.day_usd, whole.week_usd, whole.month_usd), (Some(usd("24")), Some(usd("168")), Some(usd("720"))));
    assert_eq!(whole.basis, "96 calls in 96 h 0 min");
    let days = after(48);
    assert_eq!((days.week_usd, days.month_usd), (Some(usd("168")), None), "two days say nothing of a month");
    let few = after(12);
    assert_eq!((few.day_usd, few.week_usd), (None, None), "twelve calls are too few");
    assert!(few.basis.contains("too few"), "{}", few.basis);
}

#[test]
fn shares_add_up_to_the_whole() {
    let ledger = ledger();
    // Thirds, sixths and sevenths: rounded one by one they would come to 99.9 or 100.1 %.
    let mut calls = Vec::new();
    for number in 0..7_u32 {
        let mut call =
            call(&number.to_string(), minutes(number.into()), (100 + number, 7 * number + 1), "0.000000000007");
        (call.agent, call.model) = (Some(format!("agent-{}", number % 3)), format!("model-{number}"));
        (call.action, call.provider) =
            (Some(format!("action-{}", number % 6)), Some(format!("provider-{}", number % 3)));
        call.tools_offered = vec!["one".to_owned(), "two".to_owned(), "three".to_owned()];
        call.tools_called = vec![["one", "two", "three"][number as usize % 3].to_owned()];
        calls.push(call);
    }
    record(&ledger, calls);
    let overview = ask(&ledger, &OverviewQuery::default());
    let groups = [&overview.agents, &overview.actions, &overview.endpoints, &overview.models, &overview.providers];
    let shares: [fn(&GroupShare) -> u32; 3] =
        [|part| part.calls_per_mille, |part| part.tokens_per_mille, |part| part.cost_per_mille];
    for parts in groups {
        assert!(parts.len() > 2);
        for share in shares {
            assert_eq!(parts.iter().map(share).sum::<u32>(), 1_000);
        }
    }
    assert_eq!(overview.tool_use.tools.iter().map(|tool| tool.called_per_mille).sum::<u32>(), 1_000);
    let tokens = overview.token_shares;
    let all = tokens.fresh_input_per_mille + tokens.cache_read_per_mille + tokens.cache_write_per_mille;
    assert_eq!(all + tokens.output_per_mille, 1_000);
}

#[test]
fn models_are_told_by_their_own_names() {
    let ledger = ledger();
    let models = ["claude-3-haiku-20240307", "claude-3-5-haiku-20241022", "claude-haiku-4-5", "claude-opus-4-1"];
    let calls = models.iter().enumerate().map(|(number, model)| {
        let mut call = call(model, minutes(i64::try_from(number).expect("small")), (10, 1), "0.001");
        call.agent = Some("host".to_owned());
        call.model = (*model).to_owned();
        call
    });
    record(&ledger, calls.collect());
    let overview = ask(&ledger, &OverviewQuery::default());
    let mut names: Vec<&str> = overview.models.iter().filter_map(|part| part.model.as_deref()).collect();
    names.sort_unstable();
    assert_eq!(names, ["claude-3-5-haiku-20241022", "claude-3-haiku-20240307", "claude-haiku-4-5", "claude-opus-4-1"]);
    assert_eq!(overview.agents[0].models.len(), 4, "an agent has all of its models");
}

#[test]
fn nothing_is_divided_by_nothing() {
    let ledger = ledger();
    // Only a failed call without usage, limit, duration and price.
    let mut lost = call("lost", minutes(0), (0, 0), "0");
    (lost.outcome, lost.usage) = (Outcome::Error, None);
    lost.cost = CallCost::Unpriced { reason: "no such model".to_owned() };
    record(&ledger, vec![lost]);
    let overview = ask(&ledger, &OverviewQuery::default());
    let total = &overview.total;
    assert_eq!((total.success_rate, total.tokens_per_call), (Some(0.0), None));
    assert_eq!((total.cost_per_call_usd, total.cost_per_success_usd), (None, None));
    assert_eq!((total.measures.unpriced_calls, total.measures.cost_usd), (count(1), Usd::ZERO));
    assert_eq!((overview.limits.utilization, overview.limits.truncation_rate), (None, None));
    assert_eq!((overview.tool_use.overhead_of_tokens, overview.cache.hit_rate), (None, None));
    let text = serde_json::to_string(&overview).expect("written");
    assert!(!text.contains("null") && !text.contains("NaN") && !text.contains("inf"), "{text}");
}
