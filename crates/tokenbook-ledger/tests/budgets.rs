//! Budgets: what they refuse, what they count, and when they start anew.

use tokenbook::{Count, ErrorCode, Timestamp, Usage, Usd};
use tokenbook_ledger::{Budget, BudgetState, BudgetStatus, Call, CallCost, Extension, Ledger, Options, ReserveQuery};

fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

fn usd(text: &str) -> Usd {
    Usd::parse(text).expect("an amount")
}

fn later(at: Timestamp, ms: i64) -> Timestamp {
    Timestamp::from_ms(at.ms() + ms).expect("in range")
}

fn budget(json: &str) -> Budget {
    serde_json::from_str(json).expect("a budget")
}

fn ledger() -> Ledger {
    Ledger::open_in_memory(&Options::default()).expect("a ledger")
}

fn call(id: &str, at: Timestamp, agent: &str, cost: &str) -> Call {
    let mut call = Call::new(at, "m");
    call.id = Some(id.to_owned());
    call.agent = Some(agent.to_owned());
    call.cost = CallCost::Stated { total_usd: usd(cost) };
    call
}

fn ask(at: Timestamp, agent: &str, cost: &str) -> ReserveQuery {
    ReserveQuery { agent: Some(agent.to_owned()), cost_usd: Some(usd(cost)), ..ReserveQuery::new(at) }
}

fn stands(ledger: &Ledger, at: Timestamp) -> BudgetStatus {
    ledger.budgets(at).expect("read").remove(0)
}

fn amounts(status: &BudgetStatus) -> (String, String, String) {
    let show = |amount: Option<Usd>| amount.expect("in dollars").to_string();
    (show(status.spent_usd), show(status.held_usd), show(status.left_usd))
}

fn three(spent: &str, held: &str, left: &str) -> (String, String, String) {
    (spent.to_owned(), held.to_owned(), left.to_owned())
}

const NOW: &str = "2026-11-22T10:00:00Z";

#[test]
fn a_call_that_may_not_fit_is_refused_with_what_is_left() {
    let (ledger, now) = (ledger(), at(NOW));
    ledger.budget_set(&budget(r#"{"name": "day", "limit_usd": "1", "period": "day"}"#), now).expect("set");
    ledger.record(call("a", now, "x", "0.4")).expect("recorded");
    let hold = ledger.reserve(&ask(now, "x", "0.5")).expect("fits");
    let refused = ledger.reserve(&ask(now, "y", "0.2")).expect_err("does not fit");
    assert_eq!(refused.code(), ErrorCode::BudgetExceeded);
    let detail = |key: &str| refused.details().get(key).cloned().unwrap_or_default();
    assert_eq!(
        ["budget", "unit", "limit", "spent", "held", "left", "wanted", "period_end"].map(detail),
        ["day", "usd", "1", "0.4", "0.5", "0.1", "0.2", "2026-11-23T00:00:00.000Z"].map(str::to_owned)
    );
    assert!(ledger.void(hold.hold_id.expect("held")).expect("voided"));
    ledger.reserve(&ask(now, "y", "0.2")).expect("fits now");
}

#[test]
fn a_hold_is_let_go_once_by_whichever_comes_first() {
    let (ledger, now) = (ledger(), at(NOW));
    ledger.budget_set(&budget(r#"{"name": "all", "limit_usd": "1", "period": "total"}"#), now).expect("set");
    let hold = ledger.reserve(&ask(now, "x", "0.5")).expect("fits").hold_id.expect("held");
    assert_eq!(amounts(&stands(&ledger, now)), three("0", "0.5", "0.5"));
    ledger.settle(hold, call("a", now, "x", "0.3")).expect("settled");
    assert_eq!(amounts(&stands(&ledger, now)), three("0.3", "0", "0.7"));
    // The record comes again, and the hold is voided and extended: all too late.
    ledger.settle(hold, call("a", now, "x", "0.3")).expect("a duplicate");
    assert!(!ledger.void(hold).expect("asked"));
    let more = Extension { at: now, cost_usd: Some(usd("0.1")), tokens: None, ttl_ms: None };
    assert_eq!(ledger.extend(hold, &more).expect_err("gone").code(), ErrorCode::Conflict);
    assert_eq!(amounts(&stands(&ledger, now)), three("0.3", "0", "0.7"));
}

#[test]
fn the_call_that_goes_over_is_recorded_all_the_same() {
    let (ledger, now) = (ledger(), at(NOW));
    ledger.budget_set(&budget(r#"{"name": "all", "limit_usd": "1", "period": "total"}"#), now).expect("set");
    let hold = ledger.reserve(&ask(now, "x", "0.5")).expect("fits").hold_id.expect("held");
    ledger.settle(hold, call("a", now, "x", "2.5")).expect("recorded");
    let status = stands(&ledger, now);
    assert_eq!(amounts(&status), three("2.5", "0", "0"));
    assert_eq!((status.state, status.share), (BudgetState::Exhausted, Some(2.5)));
    assert_eq!(ledger.reserve(&ask(now, "x", "0.01")).expect_err("over").code(), ErrorCode::BudgetExceeded);
    assert!(ledger.reserve(&ask(now, "x", "0")).is_err(), "over the limit nothing fits, not even what costs nothing");
}

#[test]
fn a_hold_lapses_and_its_call_still_counts() {
    let (ledger, now) = (ledger(), at(NOW));
    ledger.budget_set(&budget(r#"{"name": "all", "limit_usd": "1", "period": "total"}"#), now).expect("set");
    let query = ReserveQuery { ttl_ms: Some(Count::from(1_000)), ..ask(now, "x", "1") };
    let hold = ledger.reserve(&query).expect("fits");
    assert_eq!(hold.expires_at, Some(later(now, 1_000)));
    assert_eq!(amounts(&stands(&ledger, later(now, 999))), three("0", "1", "0"));
    assert!(ledger.reserve(&ask(later(now, 999), "x", "0.1")).is_err());
    // Shown as gone before anybody has swept it.
    assert_eq!(amounts(&stands(&ledger, later(now, 1_000))), three("0", "0", "1"));
    ledger.reserve(&ask(later(now, 1_000), "x", "0.1")).expect("room again");
    ledger.settle(hold.hold_id.expect("held"), call("a", now, "x", "0.7")).expect("recorded");
    assert_eq!(amounts(&stands(&ledger, later(now, 1_000))), three("0.7", "0.1", "0.2"));
}

#[test]
fn a_clock_that_goes_back_frees_nothing() {
    let (ledger, now) = (ledger(), at(NOW));
    for json in [
        r#"{"name": "rolling", "limit_usd": "1", "period": "rolling", "window_minutes": 60, "scope": {"agent": "r"}}"#,
        r#"{"name": "total", "limit_usd": "1", "period": "total", "scope": {"agent": "t"}}"#,
        r#"{"name": "hour", "limit_usd": "1", "period": "hour", "scope": {"agent": "h"}}"#,
    ] {
        ledger.budget_set(&budget(json), now).expect("set");
    }
    for agent in ["r", "t", "h"] {
        let hold = ledger.reserve(&ask(now, agent, "0.6")).expect("fits").hold_id.expect("held");
        for back in [1, 600_000, 800_000] {
            // Within the hour that has begun, and before it for those that know no hours.
            let back = if agent == "h" { -back } else { back };
            assert!(ledger.reserve(&ask(later(now, -back), agent, "0.6")).is_err(), "{agent} {back}");
        }
        ledger.settle(hold, call(agent, now, agent, "0.6")).expect("settled");
        assert!(agent == "h" || ledger.reserve(&ask(later(now, -1_000), agent, "0.6")).is_err());
    }
    // The hour before is another period, with a limit of its own.
    ledger.reserve(&ask(later(now, -1), "h", "0.6")).expect("another hour");
}

#[test]
fn periods_start_anew_at_midnight_of_their_zone_when_clocks_change() {
    let (ledger, before) = (ledger(), at("2026-10-25T21:59:59Z"));
    let day = r#"{"name": "day", "limit_usd": "1", "period": "day", "time_zone": "Europe/Berlin"}"#;
    ledger.budget_set(&budget(day), before).expect("set");
    ledger.record(call("a", at("2026-10-24T22:00:00Z"), "x", "0.5")).expect("the first instant of a day of 25 hours");
    ledger.record(call("b", at("2026-10-25T22:59:59.999Z"), "x", "0.5")).expect("its last");
    ledger.record(call("c", at("2026-10-25T23:00:00Z"), "x", "0.1")).expect("the next day");
    let status = stands(&ledger, before);
    assert_eq!(amounts(&status), three("1", "0", "0"));
    assert_eq!(status.period_start, Some(at("2026-10-24T22:00:00Z")));
    assert_eq!(status.period_end, Some(at("2026-10-25T23:00:00Z")));
    assert!(ledger.reserve(&ask(at("2026-10-25T22:59:59Z"), "x", "0.01")).is_err());
    ledger.reserve(&ask(at("2026-10-25T23:00:00Z"), "x", "0.9")).expect("a new day");
}

#[test]
fn a_rolling_window_lets_go_of_what_has_left_it() {
    let (ledger, now) = (ledger(), at(NOW));
    let rolling = r#"{"name": "r", "limit_usd": "1", "period": "rolling", "window_minutes": 60}"#;
    ledger.record(call("before", later(now, -30 * 60_000), "x", "0.25")).expect("recorded");
    ledger.record(call("long ago", later(now, -61 * 60_000), "x", "7")).expect("recorded");
    let set = ledger.budget_set(&budget(rolling), now).expect("set");
    assert_eq!(amounts(&set), three("0.25", "0", "0.75"));
    ledger.record(call("now", now, "x", "0.75")).expect("recorded");
    assert!(ledger.reserve(&ask(later(now, 29 * 60_000), "x", "0.01")).is_err());
    ledger.reserve(&ask(later(now, 31 * 60_000), "x", "0.25")).expect("the first has left");
    assert_eq!(stands(&ledger, later(now, 92 * 60_000)).spent_usd, Some(Usd::ZERO));
}

#[test]
fn what_was_spent_before_a_budget_was_set_counts() {
    let (ledger, now) = (ledger(), at(NOW));
    for number in 0..5_000 {
        let mut call = call(&number.to_string(), later(now, -i64::from(number) * 60_000), "x", "0.001");
        call.tags = vec!["a".to_owned(), "b".to_owned()];
        drop(ledger.record_queued(call).expect("queued"));
    }
    let spent = |json: &str| ledger.budget_set(&budget(json), now).expect("set").spent_usd.expect("usd").to_string();
    assert_eq!(spent(r#"{"name": "1", "limit_usd": "9", "period": "total"}"#), "5");
    assert_eq!(spent(r#"{"name": "2", "limit_usd": "9", "period": "day"}"#), "0.601");
    assert_eq!(spent(r#"{"name": "3", "limit_usd": "9", "period": "hour"}"#), "0.001");
    let both = r#"{"name": "4", "limit_usd": "9", "period": "day", "scope": {"tag": ["a", "b"], "agent": "x"}}"#;
    assert_eq!(spent(both), "0.601", "a call with both tags counts once");
    assert_eq!(spent(r#"{"name": "5", "limit_usd": "9", "period": "day", "scope": {"tag": "c"}}"#), "0");
    // A late call finds its own period, which nothing had touched.
    ledger.record(call("late", at("2026-11-21T10:00:00Z"), "x", "0.5")).expect("recorded");
    let yesterday = ledger.budgets(at("2026-11-21T10:00:00Z")).expect("read").remove(1);
    assert_eq!(yesterday.spent_usd, Some(usd("1.94")));
}

#[test]
fn tokens_are_counted_whatever_their_kind() {
    let (ledger, now) = (ledger(), at(NOW));
    let tokens = r#"{"name": "t", "limit_tokens": 100, "period": "day", "scope": {"model": "m"}}"#;
    ledger.budget_set(&budget(tokens), now).expect("set");
    let usage: Usage = serde_json::from_str(
        r#"{"input_tokens": 10, "cache_read_tokens": 20, "output_tokens": 5, "reasoning_tokens": 5}"#,
    )
    .expect("a usage");
    ledger.record(Call { usage: Some(usage), ..call("a", now, "x", "0") }).expect("recorded");
    ledger.record(call("b", now, "x", "0")).expect("without usage");
    let status = stands(&ledger, now);
    assert_eq!(status.spent_tokens.map(Count::get), Some(40));
    assert_eq!(status.uncounted_calls.get(), 1);
    let query = |tokens: u32| ReserveQuery {
        model: Some("m".to_owned()),
        tokens: Some(Count::from(tokens)),
        ..ReserveQuery::new(now)
    };
    assert!(ledger.reserve(&query(61)).is_err());
    ledger.reserve(&query(60)).expect("just fits");
}

#[test]
fn a_hard_budget_refuses_what_has_no_price_unless_told() {
    let (ledger, now) = (ledger(), at(NOW));
    let unpriced = ReserveQuery::new(now);
    ledger.budget_set(&budget(r#"{"name": "b", "limit_usd": "1", "period": "day"}"#), now).expect("set");
    let refused = ledger.reserve(&unpriced).expect_err("no price");
    assert!(refused.message().contains("has no known price"), "{refused}");
    let told = r#"{"name": "b", "limit_usd": "1", "period": "day", "allow_unpriced": true}"#;
    ledger.budget_set(&budget(told), now).expect("set");
    assert!(ledger.reserve(&unpriced).expect("let pass").hold_id.is_some());
    ledger.record(call("a", now, "x", "1")).expect("recorded");
    assert!(ledger.reserve(&unpriced).is_err(), "all is spent");
}

#[test]
fn a_soft_budget_warns_and_lets_pass() {
    let (ledger, now) = (ledger(), at(NOW));
    let soft = r#"{"name": "s", "limit_usd": "1", "period": "day", "mode": "soft"}"#;
    ledger.budget_set(&budget(soft), now).expect("set");
    assert!(ledger.reserve(&ask(now, "x", "1")).expect("fits").warnings.is_empty());
    let hold = ledger.reserve(&ask(now, "x", "0.1")).expect("lets pass");
    assert_eq!(hold.warnings.iter().map(|warning| warning.budget.as_str()).collect::<Vec<_>>(), ["s"]);
    assert!(hold.hold_id.is_some());
}

#[test]
fn one_budget_that_refuses_leaves_nothing_held_in_another() {
    let (ledger, now) = (ledger(), at(NOW));
    ledger.budget_set(&budget(r#"{"name": "a wide", "limit_usd": "9", "period": "day"}"#), now).expect("set");
    let narrow = r#"{"name": "narrow", "limit_usd": "0.1", "period": "day", "scope": {"agent": "x"}}"#;
    ledger.budget_set(&budget(narrow), now).expect("set");
    assert!(ledger.reserve(&ask(now, "x", "0.2")).is_err());
    assert_eq!(amounts(&stands(&ledger, now)), three("0", "0", "9"));
    ledger.reserve(&ask(now, "y", "0.2")).expect("the narrow one is not for it");
}

#[test]
fn a_stream_without_a_limit_overspends_by_one_slice_at_most() {
    let (ledger, now) = (ledger(), at(NOW));
    let limit = 1_000;
    ledger
        .budget_set(&budget(&format!(r#"{{"name": "t", "limit_tokens": {limit}, "period": "day"}}"#)), now)
        .expect("set");
    let slice = 64;
    let mut streams = Vec::new();
    for _ in 0..8 {
        let query = ReserveQuery { tokens: Some(Count::from(slice)), ..ReserveQuery::new(now) };
        streams.push((ledger.reserve(&query).expect("fits").hold_id.expect("held"), 0));
    }
    let mut running = streams.clone();
    let mut ended = Vec::new();
    while !running.is_empty() {
        running.retain_mut(|(hold, tokens)| {
            *tokens += slice;
            let more = Extension { at: now, cost_usd: None, tokens: Some(Count::from(slice)), ttl_ms: None };
            let goes_on = ledger.extend(*hold, &more).is_ok();
            if !goes_on {
                ended.push((*hold, *tokens));
            }
            goes_on
        });
    }
    let total: u32 = ended.iter().map(|(_, tokens)| tokens).sum();
    assert!(total <= limit && total > limit - slice, "{total}");
    for (number, (hold, tokens)) in ended.into_iter().enumerate() {
        // What was on its way when the stream was cut comes on top: less than a slice.
        let usage = serde_json::from_str(&format!(r#"{{"output_tokens": {}}}"#, tokens + slice - 1)).expect("a usage");
        ledger.settle(hold, Call { usage: Some(usage), ..call(&number.to_string(), now, "x", "0") }).expect("settled");
    }
    let spent = stands(&ledger, now).spent_tokens.expect("tokens").get();
    assert!(spent <= u64::from(limit + 8 * slice), "{spent}");
    assert_eq!(stands(&ledger, now).held_tokens.map(Count::get), Some(0));
}

#[test]
fn a_changed_limit_keeps_what_is_held_and_a_changed_scope_starts_anew() {
    let (ledger, now) = (ledger(), at(NOW));
    ledger.budget_set(&budget(r#"{"name": "b", "limit_usd": "1", "period": "day"}"#), now).expect("set");
    let hold = ledger.reserve(&ask(now, "x", "0.5")).expect("fits").hold_id.expect("held");
    let status = ledger.budget_set(&budget(r#"{"name": "b", "limit_usd": "2", "period": "day"}"#), now).expect("set");
    assert_eq!(amounts(&status), three("0", "0.5", "1.5"));
    let other = r#"{"name": "b", "limit_usd": "2", "period": "day", "scope": {"agent": "x"}}"#;
    assert_eq!(amounts(&ledger.budget_set(&budget(other), now).expect("set")), three("0", "0", "2"));
    ledger.settle(hold, call("a", now, "x", "0.5")).expect("settled");
    assert_eq!(amounts(&stands(&ledger, now)), three("0.5", "0", "1.5"));
    ledger.budget_remove("b").expect("removed");
    assert_eq!(ledger.budget_remove("b").expect_err("gone").code(), ErrorCode::NotFound);
    assert!(ledger.reserve(&ask(now, "x", "9")).expect("no budget").hold_id.is_none());
}

#[test]
fn another_handle_on_the_file_knows_a_budget_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.db");
    let open = || Ledger::open(&path, &Options::default()).expect("opened");
    let (one, two, now) = (open(), open(), at(NOW));
    for round in 0..20 {
        assert!(two.reserve(&ask(now, "x", "5")).expect("no budget").hold_id.is_none(), "{round}");
        one.budget_set(&budget(r#"{"name": "b", "limit_usd": "1", "period": "day"}"#), now).expect("set");
        assert!(two.reserve(&ask(now, "x", "5")).is_err(), "{round}");
        two.record(call(&round.to_string(), now, "x", "0.01")).expect("recorded");
        assert_eq!(stands(&one, now).spent_usd, Some(Usd::from_pico(10_000_000_000 * (round + 1))));
        two.budget_remove("b").expect("removed");
        assert!(one.reserve(&ask(now, "x", "5")).expect("no budget").hold_id.is_none(), "{round}");
    }
}

#[test]
fn budgets_that_make_no_sense_are_refused() {
    let ledger = ledger();
    for (json, message) in [
        (r#"{"name": "", "limit_usd": "1", "period": "day"}"#, "name: expected a name"),
        (r#"{"name": "b", "period": "day"}"#, "either limit_usd or limit_tokens"),
        (r#"{"name": "b", "limit_usd": "1", "limit_tokens": 1, "period": "day"}"#, "either limit_usd or limit_tokens"),
        (r#"{"name": "b", "limit_usd": "-1", "period": "day"}"#, "limit_usd: expected 0 or more"),
        (r#"{"name": "b", "limit_usd": "1", "period": "rolling"}"#, "window_minutes: a rolling budget"),
        (r#"{"name": "b", "limit_usd": "1", "period": "day", "window_minutes": 5}"#, "only a rolling budget"),
        (
            r#"{"name": "b", "limit_usd": "1", "period": "day", "time_zone": "Mars/Olympus"}"#,
            "time_zone: expected an IANA",
        ),
        (
            r#"{"name": "b", "limit_usd": "1", "period": "day", "scope": {"agent": [""]}}"#,
            "scope.agent: expected a name",
        ),
    ] {
        let refused = ledger.budget_set(&budget(json), at(NOW)).expect_err(json);
        assert_eq!(refused.code(), ErrorCode::InvalidArgument);
        assert!(refused.message().contains(message), "{refused}");
    }
}

/// `AgentBudget` 0.4.0 at the same three calls: the second raises and is not recorded, its spent stays 0.90, and the third is
/// let through (1.45 in truth).
#[test]
fn a_call_beyond_the_budget_is_in_the_books_and_closes_it() {
    let (ledger, now) = (ledger(), at(NOW));
    ledger.budget_set(&budget(r#"{"name": "all", "limit_usd": "1.00", "period": "total"}"#), now).expect("set");
    ledger.record(call("a", now, "x", "0.90")).expect("recorded");
    ledger.record(call("b", now, "x", "0.50")).expect("it was made, so it is recorded");
    assert_eq!(amounts(&stands(&ledger, now)), three("1.4", "0", "0"));
    let refused = ledger.reserve(&ask(now, "x", "0.05")).expect_err("nothing is left");
    assert_eq!(refused.code(), ErrorCode::BudgetExceeded);
    let total = ledger.report(&tokenbook_ledger::ReportQuery::default()).expect("a report").total;
    assert_eq!((total.calls, total.cost_usd), (Count::from(2), usd("1.40")));
}
