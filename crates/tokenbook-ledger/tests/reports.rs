//! Reports are the sums of their calls, whichever way they are found.
#[path = "support/calls.rs"]
mod support;

use std::collections::BTreeMap;

use jiff::ToSpan as _;
use proptest::prelude::*;
use support::{SPAN, START, at, calls, ledgers};
use tokenbook::{Count, TokenKind, Usage, Usd};
use tokenbook_ledger::{Call, CallCost, Filter, Group, Ledger, Options, Order, Outcome, Report, ReportQuery, Row};

/// What is compared of a group.
#[derive(Debug, Default, PartialEq)]
struct Sums {
    calls: u64,
    failed: u64,
    unpriced: u64,
    unknown_usage: u64,
    truncated: u64,
    pico: i128,
    tokens: Usage,
    offered: u64,
    called: u64,
    definitions: u64,
    results: u64,
    duration: (u64, u64),
    limited: (u64, u64),
    server_tools: u64,
}

/// What one tool did in a call.
type Tool = (u64, u64, u64, u64);

fn tools(call: &Call) -> BTreeMap<&str, Tool> {
    let mut tools: BTreeMap<&str, Tool> = BTreeMap::new();
    for tool in &call.tools_offered {
        tools.entry(tool).or_default().0 = 1;
    }
    for tool in &call.tools_called {
        tools.entry(tool).or_default().1 += 1;
    }
    for tool in &call.tool_tokens {
        let entry = tools.entry(&tool.tool).or_default();
        entry.2 = tool.definition_tokens.map_or(0, Count::get);
        entry.3 = tool.result_tokens.map_or(0, Count::get);
    }
    tools
}

impl Sums {
    fn add<'a>(&mut self, call: &Call, tools: impl Iterator<Item = &'a Tool>) {
        self.calls += 1;
        self.failed += u64::from(call.outcome == Outcome::Error);
        self.unpriced += u64::from(matches!(call.cost, CallCost::Unpriced { .. }));
        self.unknown_usage += u64::from(call.usage.is_none());
        self.truncated += u64::from(call.truncated == Some(true));
        self.pico += call.cost.total_usd().map_or(0, Usd::pico);
        if let Some(duration) = call.duration_ms {
            self.duration = (self.duration.0 + duration.get(), self.duration.1 + 1);
        }
        if let Some(usage) = &call.usage {
            for (kind, tokens) in usage.iter() {
                self.tokens.set(kind, self.tokens.get(kind).checked_add(tokens).expect("small"));
            }
            self.server_tools += usage.server_tool_requests.values().map(|count| count.get()).sum::<u64>();
            if let Some(limit) = call.max_tokens.filter(|limit| !limit.is_zero()) {
                self.limited.0 += limit.get();
                self.limited.1 += usage.total_output_tokens().expect("small").get();
            }
        }
        for tool in tools {
            self.offered += tool.0;
            self.called += tool.1;
            self.definitions += tool.2;
            self.results += tool.3;
        }
    }

    fn of(measures: &tokenbook_ledger::Measures) -> Self {
        assert_eq!(measures.succeeded.get() + measures.failed.get(), measures.calls.get());
        Self {
            calls: measures.calls.get(),
            failed: measures.failed.get(),
            unpriced: measures.unpriced_calls.get(),
            unknown_usage: measures.unknown_usage_calls.get(),
            truncated: measures.truncated.get(),
            pico: measures.cost_usd.pico(),
            tokens: measures.usage.clone(),
            offered: measures.tools_offered.get(),
            called: measures.tools_called.get(),
            definitions: measures.tool_definition_tokens.get(),
            results: measures.tool_result_tokens.get(),
            duration: (measures.duration_ms_sum.get(), measures.duration_calls.get()),
            limited: (measures.limit_tokens.get(), measures.limited_output_tokens.get()),
            server_tools: measures.server_tool_calls.get(),
        }
    }
}

fn wants(wanted: &[String], value: Option<&String>) -> bool {
    wanted.is_empty() || value.is_some_and(|value| wanted.contains(value))
}

fn bucket(group: Group, call: &Call, zone: &jiff::tz::TimeZone) -> String {
    let zoned = jiff::Timestamp::from_millisecond(call.at.ms()).expect("in range").to_zoned(zone.clone());
    let date = zoned.date();
    match group {
        Group::Hour => {
            let into =
                i64::from(zoned.minute()) * 60_000 + i64::from(zoned.second()) * 1_000 + i64::from(zoned.millisecond());
            at(call.at.ms() - into).to_string()
        }
        Group::Day => date.to_string(),
        Group::Week => {
            date.checked_sub(i64::from(date.weekday().to_monday_zero_offset()).days()).expect("in range").to_string()
        }
        _ => date.first_of_month().to_string(),
    }
}

/// The report as anybody would compute it who has all calls in a list.
fn plain(calls: &[Call], query: &ReportQuery) -> (BTreeMap<Vec<Option<String>>, Sums>, Sums) {
    let zone = jiff::tz::TimeZone::get(query.time_zone.as_deref().unwrap_or("UTC")).expect("known");
    let mut rows: BTreeMap<Vec<Option<String>>, Sums> = BTreeMap::new();
    let mut total = Sums::default();
    let filter = &query.filter;
    for call in calls {
        let tools = tools(call);
        let tools: BTreeMap<&str, Tool> = if filter.tool.is_empty() {
            tools
        } else {
            tools.into_iter().filter(|(tool, _)| filter.tool.iter().any(|wanted| wanted == tool)).collect()
        };
        let tags: Vec<&String> =
            call.tags.iter().filter(|tag| filter.tag.is_empty() || filter.tag.contains(tag)).collect();
        let wanted = query.from.is_none_or(|from| call.at >= from)
            && query.to.is_none_or(|to| call.at < to)
            && wants(&filter.agent, call.agent.as_ref())
            && wants(&filter.provider, call.provider.as_ref())
            && wants(&filter.session, call.session.as_ref())
            && (filter.tool.is_empty() || !tools.is_empty())
            && (filter.tag.is_empty() || !tags.is_empty())
            && (filter.outcome.is_empty() || filter.outcome.contains(&call.outcome));
        if !wanted {
            continue;
        }
        total.add(call, tools.values());
        let by_tag = query.group_by.contains(&Group::Tag) && !tags.is_empty();
        let by_tool = query.group_by.contains(&Group::Tool) && !tools.is_empty();
        let tag_keys: Vec<Option<&String>> = if by_tag { tags.into_iter().map(Some).collect() } else { vec![None] };
        let tool_keys: Vec<Option<&str>> = if by_tool { tools.keys().copied().map(Some).collect() } else { vec![None] };
        for tag in &tag_keys {
            for tool in &tool_keys {
                let key = query.group_by.iter().map(|group| match group {
                    Group::Agent => call.agent.clone(),
                    Group::Action => call.action.clone(),
                    Group::Model => Some(call.model.clone()),
                    Group::Provider => call.provider.clone(),
                    Group::Session => call.session.clone(),
                    Group::Outcome => Some(call.outcome.name().to_owned()),
                    Group::Tag => tag.cloned(),
                    Group::Tool => tool.map(str::to_owned),
                    time => Some(bucket(*time, call, &zone)),
                });
                let sums = rows.entry(key.collect()).or_default();
                match tool {
                    Some(tool) => sums.add(call, std::iter::once(&tools[tool])),
                    None => sums.add(call, tools.values()),
                }
            }
        }
    }
    if query.group_by.is_empty() {
        rows.clear();
    }
    (rows, total)
}

fn key(row: &Row, groups: &[Group]) -> Vec<Option<String>> {
    let key = groups.iter().map(|group| match group {
        Group::Agent => row.agent.clone(),
        Group::Action => row.action.clone(),
        Group::Model => row.model.clone(),
        Group::Provider => row.provider.clone(),
        Group::Session => row.session.clone(),
        Group::Tag => row.tag.clone(),
        Group::Tool => row.tool.clone(),
        Group::Outcome => row.outcome.map(|outcome| outcome.name().to_owned()),
        Group::Hour => row.hour.map(|hour| hour.to_string()),
        Group::Day => row.day.map(|day| day.to_string()),
        Group::Week => row.week.map(|day| day.to_string()),
        Group::Month => row.month.map(|day| day.to_string()),
    });
    key.collect()
}

fn compared(report: &Report, groups: &[Group]) -> BTreeMap<Vec<Option<String>>, Sums> {
    let rows = report.rows.iter().filter(|row| !row.measures.calls.is_zero());
    let mut all = BTreeMap::new();
    for row in rows {
        assert!(all.insert(key(row, groups), Sums::of(&row.measures)).is_none(), "a group is there twice");
    }
    all
}

fn groups() -> impl Strategy<Value = Vec<Group>> {
    use Group::{Action, Agent, Day, Hour, Model, Month, Outcome, Provider, Session, Tag, Tool, Week};
    let all = vec![Agent, Action, Model, Provider, Tool, Session, Tag, Outcome, Hour, Day, Week, Month];
    prop_oneof![
        prop::sample::subsequence(all.clone(), 0..4),
        prop::sample::subsequence(all, 1..2),
        Just(vec![Week, Month]),
    ]
}

fn zones() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["UTC", "Europe/Berlin", "Asia/Kolkata", "America/New_York", "Australia/Lord_Howe"])
}

fn filters() -> impl Strategy<Value = Filter> {
    let names = |names: &'static [&'static str]| {
        prop_oneof![
            4 => Just(Vec::new()),
            2 => prop::sample::select(names).prop_map(|name| vec![name.to_owned()]),
            1 => Just(names.iter().map(|name| (*name).to_owned()).collect()),
        ]
    };
    (
        names(&["host", "=1+1", "nobody"]),
        names(&["openai"]),
        names(&["s1", "-s3"]),
        names(&["blue", "+x"]),
        names(&["calc", "x,y"]),
        prop_oneof![3 => Just(Vec::new()), 1 => Just(vec![Outcome::Error])],
    )
        .prop_map(|(agent, provider, session, tag, tool, outcome)| Filter {
            agent,
            provider,
            session,
            tag,
            tool,
            outcome,
            ..Filter::default()
        })
}

fn bounds() -> impl Strategy<Value = Option<i64>> {
    let hours = (-2..100_i64).prop_map(|hour| Some(START + hour * 3_600_000));
    let days = prop_oneof![0..5_i64, 0..70_i64].prop_map(|day| Some(START + day * 86_400_000));
    prop_oneof![Just(None), hours, days, (0..SPAN).prop_map(|ms| Some(START + ms))]
}

fn queries() -> impl Strategy<Value = ReportQuery> {
    (groups(), filters(), zones(), bounds(), bounds()).prop_map(|(group_by, filter, zone, one, two)| {
        let (from, to) = match (one, two) {
            (Some(one), Some(two)) if one == two => (Some(one), None),
            (Some(one), Some(two)) => (Some(one.min(two)), Some(one.max(two))),
            other => other,
        };
        let time_zone = Some(zone.to_owned());
        ReportQuery { group_by, filter, from: from.map(at), to: to.map(at), time_zone, ..ReportQuery::default() }
    })
}

fn ledger_in(zone: &str) -> Ledger {
    let options = Options { time_zone: Some(zone.to_owned()), ..Options::default() };
    Ledger::open_in_memory(&options).expect("a ledger")
}

fn record_all(ledger: &Ledger, calls: &[Call]) {
    for result in ledger.record_batch(calls.to_vec()).expect("open") {
        result.expect("recorded");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_report_is_the_sum_of_its_calls(
        calls in ledgers(60),
        folded in 0..60_usize,
        zone in zones(),
        queries in prop::collection::vec(queries(), 12),
    ) {
        let ledger = ledger_in(zone);
        let folded = folded.min(calls.len());
        record_all(&ledger, &calls[..folded]);
        ledger.checkpoint().expect("folded");
        record_all(&ledger, &calls[folded..]);
        for query in queries {
            let report = ledger.report(&query).expect("a report");
            let (rows, total) = plain(&calls, &query);
            prop_assert_eq!(compared(&report, &query.group_by), rows, "{:?}", query);
            prop_assert_eq!(Sums::of(&report.total), total, "{:?}", query);
        }
        let found = ledger.verify().expect("verified");
        prop_assert!(found.ok, "{:?}", found);
    }

    #[test]
    fn the_first_rows_of_a_report_are_those_of_the_whole(
        calls in ledgers(60),
        folded in 0..60_usize,
        limit in 1..6_usize,
        order in prop_oneof![Just(None), Just(Some(Order::Cost)), Just(Some(Order::Calls)), Just(Some(Order::Tokens)), Just(Some(Order::Key))],
        bounds in prop_oneof![Just((None, None)), queries().prop_map(|query| (query.from, query.to))],
        group_by in prop_oneof![3 => Just(vec![Group::Session]), 1 => groups()],
    ) {
        let ledger = ledger_in("UTC");
        let folded = folded.min(calls.len());
        record_all(&ledger, &calls[..folded]);
        ledger.checkpoint().expect("folded");
        record_all(&ledger, &calls[folded..]);
        let whole = ReportQuery { group_by, from: bounds.0, to: bounds.1, order, ..ReportQuery::default() };
        let first = ledger.report(&ReportQuery { limit: Some(limit), ..whole.clone() }).expect("a report");
        let whole = ledger.report(&whole).expect("a report");
        prop_assert_eq!(first.rows_left_out, whole.rows.len().saturating_sub(limit));
        prop_assert_eq!(&first.rows[..], &whole.rows[..limit.min(whole.rows.len())]);
        prop_assert_eq!(first.total, whole.total);
    }

    #[test]
    fn the_order_of_arrival_does_not_matter(
        (calls, shuffled) in ledgers(40).prop_flat_map(|calls| (Just(calls.clone()), Just(calls).prop_shuffle())),
        query in queries(),
    ) {
        let (one, two) = (ledger_in("UTC"), ledger_in("UTC"));
        record_all(&one, &calls);
        record_all(&two, &shuffled);
        two.checkpoint().expect("folded");
        prop_assert_eq!(one.report(&query).expect("a report"), two.report(&query).expect("a report"));
    }

    #[test]
    fn rows_add_up_to_the_total_unless_they_overlap(calls in ledgers(40), query in queries()) {
        let ledger = ledger_in("Europe/Berlin");
        record_all(&ledger, &calls);
        let report = ledger.report(&query).expect("a report");
        let sum: u64 = report.rows.iter().map(|row| row.measures.calls.get()).sum();
        let cost: i128 = report.rows.iter().map(|row| row.measures.cost_usd.pico()).sum();
        if report.overlapping {
            prop_assert!(sum >= report.total.calls.get());
        } else if !query.group_by.is_empty() {
            prop_assert_eq!((sum, cost), (report.total.calls.get(), report.total.cost_usd.pico()));
        }
    }

    #[test]
    fn duplicates_count_once(calls in ledgers(30), again in prop::collection::vec(any::<prop::sample::Index>(), 0..60), query in queries()) {
        let ledger = ledger_in("UTC");
        record_all(&ledger, &calls);
        let before = ledger.report(&query).expect("a report");
        if !calls.is_empty() {
            let repeated: Vec<_> = again.iter().map(|index| index.get(&calls).clone()).collect();
            record_all(&ledger, &repeated);
        }
        prop_assert_eq!(ledger.report(&query).expect("a report"), before);
    }

    #[test]
    fn pruning_changes_no_sum_of_whole_days(calls in ledgers(60), day in 0..5_i64, query in queries(), zone in zones()) {
        let ledger = ledger_in(zone);
        record_all(&ledger, &calls);
        let query = ReportQuery { from: None, to: None, ..query };
        let before = ledger.report(&query).expect("a report");
        let pruned = ledger.prune(at(START + day * 86_400_000 + 5_000)).expect("pruned");
        let left = calls.iter().filter(|call| call.at >= pruned.before).count();
        prop_assert_eq!(ledger.stats().expect("stats").calls, left as u64);
        prop_assert_eq!(pruned.calls, (calls.len() - left) as u64);
        match ledger.report(&query) {
            Ok(after) => prop_assert_eq!(after, before),
            Err(error) => prop_assert!(error.message().contains("were pruned"), "{}", error),
        }
        let found = ledger.verify().expect("verified");
        prop_assert!(found.ok, "{:?}", found);
        for call in calls.iter().filter(|call| call.at < pruned.before) {
            prop_assert!(ledger.record(call.clone()).is_err(), "a pruned call was counted again");
        }
    }

    #[test]
    fn pages_hold_each_call_once_newest_first(calls in ledgers(50), limit in 1..9_usize, filter in filters()) {
        let ledger = ledger_in("UTC");
        record_all(&ledger, &calls);
        let mut query = tokenbook_ledger::ListQuery { limit, filter: filter.clone(), ..Default::default() };
        let mut listed = Vec::new();
        loop {
            let page = ledger.list(&query).expect("a page");
            prop_assert!(page.calls.len() <= limit);
            listed.extend(page.calls);
            query.cursor = page.next_cursor;
            if query.cursor.is_none() {
                break;
            }
        }
        let (_, total) = plain(&calls, &ReportQuery { filter, ..ReportQuery::default() });
        prop_assert_eq!(listed.len() as u64, total.calls);
        prop_assert!(listed.windows(2).all(|pair| (pair[0].at, &pair[0].id) > (pair[1].at, &pair[1].id)));
        for call in &listed {
            prop_assert!(calls.contains(call));
        }
    }
}

#[test]
fn days_without_calls_are_there_with_zeros() {
    let ledger = ledger_in("UTC");
    let mut call = Call::new(at(START), "m");
    call.agent = Some("a".into());
    ledger.record(call).expect("recorded");
    let query = ReportQuery {
        group_by: vec![Group::Day],
        from: Some(at(START - 86_400_000)),
        to: Some(at(START + 2 * 86_400_000)),
        ..ReportQuery::default()
    };
    let report = ledger.report(&query).expect("a report");
    let days: Vec<_> =
        report.rows.iter().map(|row| (row.day.expect("a day").to_string(), row.measures.calls.get())).collect();
    assert_eq!(days, [("2026-03-26".into(), 0), ("2026-03-27".into(), 1), ("2026-03-28".into(), 0)]);
}

#[test]
fn the_hour_that_is_repeated_in_autumn_is_two_rows() {
    let ledger = ledger_in("Europe/Berlin");
    for (id, when) in [("a", "2026-10-25T02:30:00+02:00"), ("b", "2026-10-25T02:30:00+01:00")] {
        let mut call = Call::new(when.parse().expect("an instant"), "m");
        call.id = Some(id.into());
        ledger.record(call).expect("recorded");
    }
    let query = |group| ReportQuery {
        group_by: vec![group],
        from: Some("2026-10-25T00:00:00+02:00".parse().expect("an instant")),
        to: Some("2026-10-26T00:00:00+01:00".parse().expect("an instant")),
        time_zone: Some("Europe/Berlin".into()),
        ..ReportQuery::default()
    };
    let hours = ledger.report(&query(Group::Hour)).expect("a report");
    assert_eq!(hours.rows.len(), 25);
    assert_eq!(hours.rows.iter().filter(|row| row.measures.calls.get() == 1).count(), 2);
    let days = ledger.report(&query(Group::Day)).expect("a report");
    assert_eq!((days.rows.len(), days.rows[0].measures.calls.get()), (1, 2));
}

#[test]
fn unpriced_calls_are_counted_apart_and_averages_ignore_what_is_missing() {
    let ledger = ledger_in("UTC");
    let mut call = Call::new(at(START), "m");
    call.cost = CallCost::Stated { total_usd: Usd::parse("0.5").expect("an amount") };
    call.duration_ms = Some(Count::from(100));
    call.usage = Some(Usage::new().with(TokenKind::Output, 30_u32));
    call.max_tokens = Some(Count::from(40));
    ledger.record(call.clone()).expect("recorded");
    ledger.record(Call::new(at(START + 1), "m")).expect("recorded");
    let total = ledger.report(&ReportQuery::default()).expect("a report").total;
    assert_eq!((total.calls.get(), total.unpriced_calls.get(), total.stated_calls.get()), (2, 1, 1));
    assert_eq!(total.cost_usd.to_string(), "0.5");
    assert_eq!((total.average_duration_ms, total.utilization), (Some(100.0), Some(0.75)));
    assert_eq!((total.unknown_usage_calls.get(), total.average_time_to_first_token_ms), (1, None));
}

#[test]
fn an_empty_ledger_reports_nothing_and_divides_by_nothing() {
    let report =
        ledger_in("UTC").report(&ReportQuery { group_by: vec![Group::Agent, Group::Day], ..Default::default() });
    let report = report.expect("a report");
    assert!(report.rows.is_empty());
    assert_eq!((report.total.calls.get(), report.total.average_duration_ms), (0, None));
}

#[test]
fn rows_are_ordered_and_limited_while_the_total_is_of_all() {
    let ledger = ledger_in("UTC");
    for (agent, dollars) in [("a", "1"), ("b", "3"), ("c", "2")] {
        let mut call = Call::new(at(START), "m");
        call.agent = Some(agent.into());
        call.cost = CallCost::Stated { total_usd: Usd::parse(dollars).expect("an amount") };
        ledger.record(call).expect("recorded");
    }
    let query = |order, limit| ReportQuery { group_by: vec![Group::Agent], order, limit, ..ReportQuery::default() };
    let agents = |report: &Report| report.rows.iter().map(|row| row.agent.clone().expect("named")).collect::<Vec<_>>();
    let report = ledger.report(&query(None, Some(2))).expect("a report");
    assert_eq!((agents(&report), report.rows_left_out), (vec!["b".into(), "c".into()], 1));
    assert_eq!(report.total.cost_usd.to_string(), "6");
    let report = ledger.report(&query(Some(Order::Key), None)).expect("a report");
    assert_eq!(agents(&report), ["a", "b", "c"]);
}

proptest! {
    #[test]
    fn a_call_comes_back_as_it_went_in(call in calls()) {
        let ledger = ledger_in("UTC");
        let id = ledger.record(call.clone()).expect("recorded").id;
        let back = ledger.get(&id).expect("found");
        prop_assert_eq!(back, Call { id: Some(id), ..call });
    }
}
