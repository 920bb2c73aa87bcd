//! Alerts: when they fire, when they end, and what keeps them quiet.

use tokenbook::{Count, ErrorCode, Timestamp, TokenKind, Usage, Usd};
use tokenbook_ledger::{
    AlertChange, AlertKind, AlertNotice, AlertRule, AlertSilence, AlertsQuery, Budget, Call, CallCost, Ledger, Options,
    Outcome,
};

const HOUR: i64 = 3_600_000;

fn at(hours: i64) -> Timestamp {
    // From Monday 2026-11-02T00:00:00Z on.
    Timestamp::from_ms(1_793_577_600_000 + hours * HOUR).expect("in range")
}

fn ledger() -> Ledger {
    Ledger::open_in_memory(&Options::default()).expect("a ledger")
}

fn rule(json: &str) -> AlertRule {
    serde_json::from_str(json).expect("a rule")
}

fn only(ledger: &Ledger, json: &str) {
    ledger.alert_rules_set(Some(vec![rule(json)])).expect("set");
}

fn call(at: Timestamp) -> Call {
    let mut usage = Usage::new();
    usage.set(TokenKind::Input, Count::from(90));
    usage.set(TokenKind::Output, Count::from(10));
    Call { usage: Some(usage), cost: CallCost::Stated { total_usd: Usd::ZERO }, ..Call::new(at, "m") }
}

fn record(ledger: &Ledger, count: usize, make: impl Fn(usize) -> Call) {
    let calls = (0..count).map(|number| {
        let call = make(number);
        Call { id: Some(format!("{}-{number}-{}", call.at, ledger.stats().expect("stats").recorded)), ..call }
    });
    for result in ledger.record_batch(calls.collect()).expect("open") {
        result.expect("recorded");
    }
}

fn told(notices: &[AlertNotice]) -> Vec<(&str, Option<&str>, AlertChange)> {
    notices.iter().map(|notice| (&*notice.alert.rule, notice.alert.subject.as_deref(), notice.change)).collect()
}

const TOOLS: &str = r#"{"kind": "tool_use", "window_minutes": 60, "min_calls": 10}"#;

fn with_tool(at: Timestamp, calls_it: bool) -> Call {
    Call { tools_called: if calls_it { vec!["search".to_owned()] } else { Vec::new() }, ..call(at) }
}

#[test]
fn two_of_three_calls_are_no_alarm_and_sixty_of_a_hundred_are() {
    let ledger = ledger();
    only(&ledger, r#"{"kind": "tool_use", "min_calls": 1}"#);
    record(&ledger, 3, |number| with_tool(at(1), number < 2));
    assert!(ledger.alerts_check(at(1)).expect("checked").is_empty());
    record(&ledger, 97, |number| with_tool(at(1), number < 60));
    let notices = ledger.alerts_check(at(1)).expect("checked");
    assert_eq!(told(&notices), [("tool_use", None, AlertChange::Started)]);
    let alert = &notices[0].alert;
    assert_eq!((alert.value, alert.fires_at, alert.calls.get()), (0.62, 0.5, 100));
    assert!(alert.message.starts_with("62.0 % of all calls call tools"), "{}", alert.message);
}

#[test]
fn a_spell_is_told_once_lasts_between_its_levels_and_is_told_to_end() {
    let ledger = ledger();
    only(&ledger, TOOLS);
    record(&ledger, 100, |number| with_tool(at(1), number < 70));
    assert_eq!(ledger.alerts_check(at(1)).expect("checked").len(), 1);
    assert!(ledger.alerts_check(at(1)).expect("checked").is_empty(), "told already");
    record(&ledger, 100, |number| with_tool(at(2), number < 47));
    assert!(
        ledger.alerts_check(at(2)).expect("checked").is_empty(),
        "below the level that fires, above the one that ends"
    );
    record(&ledger, 100, |number| with_tool(at(3), number < 40));
    let ended = ledger.alerts_check(at(3)).expect("checked");
    assert_eq!(told(&ended), [("tool_use", None, AlertChange::Ended)]);
    assert_eq!((ended[0].alert.started_at, ended[0].alert.ended_at), (at(1), Some(at(3))));
    let all = ledger.alerts(&AlertsQuery::default()).expect("listed");
    assert_eq!(all.len(), 1);
    assert!(ledger.alerts(&AlertsQuery { open: true, ..AlertsQuery::default() }).expect("listed").is_empty());
    let notices = ledger.alert_notices(Count::ZERO).expect("read");
    assert_eq!(
        notices.iter().map(|notice| notice.change).collect::<Vec<_>>(),
        [AlertChange::Started, AlertChange::Ended]
    );
    assert!(ledger.alert_notices(notices[1].seq).expect("read").is_empty());
}

#[test]
fn after_a_spell_it_stays_quiet_for_the_cool_down() {
    let ledger = ledger();
    only(&ledger, r#"{"kind": "tool_use", "window_minutes": 60, "min_calls": 10, "cool_down_minutes": 150}"#);
    for (hour, much, changes) in [(1, true, 1), (2, false, 1), (3, true, 0), (4, true, 0), (5, true, 1)] {
        record(&ledger, 100, |number| with_tool(at(hour), number < if much { 80 } else { 10 }));
        assert_eq!(ledger.alerts_check(at(hour)).expect("checked").len(), changes, "hour {hour}");
    }
}

#[test]
fn what_is_silenced_is_noted_and_not_told() {
    let ledger = ledger();
    only(&ledger, TOOLS);
    let silence = AlertSilence { rule: "tool_use".into(), subject: None, until: at(9) };
    ledger.alert_silence(&silence).expect("silenced");
    record(&ledger, 100, |_| with_tool(at(1), true));
    assert!(ledger.alerts_check(at(1)).expect("checked").is_empty());
    let all = ledger.alerts(&AlertsQuery::default()).expect("listed");
    assert!(all[0].silenced && ledger.alert_notices(Count::ZERO).expect("read").is_empty());
    let unknown = AlertSilence { rule: "nobody".into(), ..silence };
    assert_eq!(ledger.alert_silence(&unknown).expect_err("no such rule").code(), ErrorCode::NotFound);
}

#[test]
fn shares_of_tokens_agents_errors_limits_cuts_and_prices_fire() {
    let ledger = ledger();
    ledger.alert_rules_set(None).expect("built in");
    record(&ledger, 200, |number| {
        let mut call = call(at(1));
        call.agent = Some(if number % 10 == 0 { "host" } else { "editor" }.to_owned());
        call.max_tokens = Some(Count::from(10));
        call.truncated = Some(number % 4 == 0);
        call.tool_tokens = serde_json::from_str(r#"[{"tool": "search", "definition_tokens": 45}]"#).expect("tools");
        if number % 5 == 0 {
            call.outcome = Outcome::Error;
        } else if number % 5 == 1 {
            call.cost = CallCost::default();
        }
        call
    });
    let notices = ledger.alerts_check(at(1)).expect("checked");
    let mut names: Vec<_> =
        told(&notices).into_iter().map(|(rule, subject, _)| (rule.to_owned(), subject.map(str::to_owned))).collect();
    names.sort();
    let one = |rule: &str| (rule.to_owned(), None);
    assert_eq!(
        names,
        [
            ("agent_share".to_owned(), Some("editor".to_owned())),
            one("error_rate"),
            one("tool_overhead"),
            one("truncation"),
            one("unpriced"),
            one("utilization")
        ]
    );
}

#[test]
fn one_agent_alone_is_no_alarm() {
    let ledger = ledger();
    only(&ledger, r#"{"kind": "agent_share"}"#);
    record(&ledger, 100, |_| Call { agent: Some("only".into()), ..call(at(1)) });
    assert!(ledger.alerts_check(at(1)).expect("checked").is_empty());
}

#[test]
fn a_budget_is_told_of_at_each_level_and_anew_in_the_next_period() {
    let ledger = ledger();
    only(&ledger, r#"{"kind": "budget"}"#);
    let budget: Budget =
        serde_json::from_str(r#"{"name": "b", "limit_tokens": 1000, "period": "day"}"#).expect("a budget");
    ledger.budget_set(&budget, at(1)).expect("set");
    let levels = |notices: &[AlertNotice]| -> Vec<(AlertChange, f64)> {
        notices.iter().map(|notice| (notice.change, notice.alert.fires_at)).collect()
    };
    record(&ledger, 6, |_| call(at(1)));
    assert_eq!(levels(&ledger.alerts_check(at(1)).expect("checked")), [(AlertChange::Started, 0.5)]);
    record(&ledger, 5, |_| call(at(2)));
    let notices = ledger.alerts_check(at(2)).expect("checked");
    assert_eq!(levels(&notices), [(AlertChange::Started, 0.8), (AlertChange::Started, 1.0)]);
    assert_eq!(notices[1].alert.message, "the budget \"b\" is spent to 100 %: 1100 of 1000 tokens");
    record(&ledger, 6, |_| call(at(25)));
    let next = levels(&ledger.alerts_check(at(25)).expect("checked"));
    let ended = |level| (AlertChange::Ended, level);
    assert_eq!(next, [ended(0.5), ended(0.8), ended(1.0), (AlertChange::Started, 0.5)]);
}

#[test]
fn a_flood_of_one_tool_is_told_while_its_hour_runs_and_ends() {
    // Calls count alike whether they are folded or not, or some of each.
    for folds in [false, true] {
        let ledger = ledger();
        let fold = || {
            if folds {
                ledger.checkpoint().expect("folded");
            }
        };
        only(&ledger, r#"{"kind": "tool_spike"}"#);
        for hour in 0..600 {
            record(&ledger, if hour % 24 < 12 { 10 } else { 2 }, |_| with_tool(at(hour), true));
            if hour % 250 == 249 {
                fold();
            }
        }
        assert!(ledger.alerts_check(at(600)).expect("checked").is_empty());
        for _ in 0..2 {
            record(&ledger, 30, |_| with_tool(at(600), true));
            fold();
        }
        let notices = ledger.alerts_check(at(600)).expect("checked");
        assert_eq!(told(&notices), [("tool_spike", Some("search"), AlertChange::Started)]);
        assert!(notices[0].alert.value < 1e-4);
        record(&ledger, 10, |_| with_tool(at(601), true));
        assert!(ledger.alerts_check(at(601)).expect("checked").is_empty(), "the last whole hour is that of the flood");
        let ended = ledger.alerts_check(at(602)).expect("checked");
        assert_eq!(told(&ended), [("tool_spike", Some("search"), AlertChange::Ended)]);
    }
}

#[test]
fn checks_from_several_handles_note_a_spell_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.db");
    let open = || Ledger::open(&path, &Options::default()).expect("opened");
    let one = open();
    only(&one, TOOLS);
    record(&one, 100, |_| with_tool(at(1), true));
    let told: usize = std::thread::scope(|scope| {
        let checks: Vec<_> =
            (0..8).map(|_| scope.spawn(|| open().alerts_check(at(1)).expect("checked").len())).collect();
        checks.into_iter().map(|check| check.join().expect("no panic")).sum()
    });
    assert_eq!((told, one.alerts(&AlertsQuery::default()).expect("listed").len()), (1, 1));
}

#[test]
fn rules_that_make_no_sense_are_refused_and_what_is_left_out_is_built_in() {
    let ledger = ledger();
    let built_in = ledger.alert_rules().expect("read");
    assert_eq!(built_in.len(), 10);
    for (json, message) in [
        (r#"{"kind": "tool_use", "fire_percent": [10, 20]}"#, "rules[0]: fire_percent: expected one number"),
        (r#"{"kind": "tool_use", "fire_percent": 50, "clear_percent": 60}"#, "`clear_percent` not above it"),
        (r#"{"kind": "tool_use", "window_minutes": 0}"#, "window_minutes: expected a number from 1"),
        (r#"{"kind": "tool_spike", "fire_percent": 5}"#, "a spike has no share"),
        (r#"{"kind": "tool_spike", "scope": {"agent": "x"}}"#, "a spike is looked for in all calls"),
    ] {
        let refused = ledger.alert_rules_set(Some(vec![rule(json)])).expect_err(json);
        assert!(refused.message().contains(message), "{refused}");
    }
    let twice = vec![rule(r#"{"kind": "tool_use"}"#), rule(r#"{"kind": "tool_use"}"#)];
    assert!(ledger.alert_rules_set(Some(twice)).expect_err("twice").message().contains("same name"));
    assert_eq!(ledger.alert_rules().expect("read"), built_in);
    let set = ledger.alert_rules_set(Some(vec![rule(r#"{"kind": "error_rate", "fire_percent": 20}"#)])).expect("set");
    assert_eq!(set[0].clear_percent.map(Count::get), Some(15));
    assert_eq!(set[0].name, "error_rate");
    assert_eq!(AlertRule::of(AlertKind::Budget).fire_percent.len(), 3);
    ledger.alert_rules_set(None).expect("built in");
    assert_eq!(ledger.alert_rules().expect("read"), built_in);
}

#[test]
fn a_budget_that_is_heading_over_its_limit_is_told_of_before_it_gets_there() {
    let ledger = ledger();
    only(&ledger, r#"{"kind": "forecast"}"#);
    let budget: Budget =
        serde_json::from_str(r#"{"name": "month", "limit_tokens": 25000, "period": "month"}"#).expect("a budget");
    // 1,000 tokens a day: 13 days say too little, 20 days of November say 30,000.
    for day in 0..13 {
        record(&ledger, 10, |number| call(at(24 * day + i64::try_from(number).expect("few"))));
    }
    ledger.budget_set(&budget, at(24 * 13)).expect("set");
    assert!(ledger.alerts_check(at(24 * 13)).expect("checked").is_empty());
    for day in 13..20 {
        record(&ledger, 10, |number| call(at(24 * day + i64::try_from(number).expect("few"))));
    }
    let notices = ledger.alerts_check(at(24 * 20)).expect("checked");
    assert_eq!(told(&notices), [("forecast", Some("month"), AlertChange::Started)]);
    // From 2 November on: 20 days passed, and 9 are left.
    assert!(notices[0].alert.message.contains("heading for 116 %"), "{}", notices[0].alert.message);
    assert!((notices[0].alert.value - 1.16).abs() < 1e-9);
    let wider = Budget { limit_tokens: Some(Count::from(60_000)), ..budget };
    ledger.budget_set(&wider, at(24 * 20)).expect("set");
    let notices = ledger.alerts_check(at(24 * 20 + 1)).expect("checked");
    assert_eq!(told(&notices), [("forecast", Some("month"), AlertChange::Ended)]);
}
