//! Laws of the named questions on random ledgers.
#[path = "support/calls.rs"]
mod support;

use proptest::prelude::*;
use support::{SPAN, START, at, calls, ledgers};
use tokenbook::price::PriceQuery;
use tokenbook::{Catalog, CostQuery, Timestamp, Usd};
use tokenbook_ledger::{Call, CompareQuery, ComparedPeriod, Ledger, Options, OverviewQuery, WhatIfQuery};

fn ledger(calls: &[Call], fold: bool) -> Ledger {
    let ledger = Ledger::open_in_memory(&Options::default()).expect("opens");
    for done in ledger.record_batch(calls.to_vec()).expect("recorded") {
        done.expect("recorded");
    }
    if fold {
        ledger.prune(Timestamp::MIN).expect("folds everything and prunes nothing");
    }
    ledger
}

/// What recording the call under another model would have priced it at.
fn priced(call: &Call, model: &str) -> Option<Usd> {
    let price = PriceQuery {
        model,
        provider: Some("anthropic"),
        at: call.at,
        service_tier: call.service_tier.as_deref(),
        batch: call.batch.unwrap_or_default(),
        region: call.region.as_deref(),
    };
    let query = CostQuery { price, usage: call.usage.as_ref()?, stated: None };
    tokenbook::cost(&query, Catalog::builtin()).expect("known terms").total()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn what_if_equals_recording_the_same_calls_under_the_other_model(
        calls in ledgers(40), fold: bool, model in prop::sample::select(vec!["claude-sonnet-4-5", "claude-haiku-4-5"]),
        from in prop::option::of(0..SPAN),
    ) {
        let from = from.map(|from| at(START + from));
        let query = WhatIfQuery {
            model: model.to_owned(), provider: Some("anthropic".to_owned()), from, ..WhatIfQuery::default()
        };
        let found = ledger(&calls, fold).what_if(&query, Catalog::builtin()).expect("answered");
        let asked = calls.iter().filter(|call| from.is_none_or(|from| call.at >= from));
        let expected: Vec<Option<Usd>> = asked.map(|call| priced(call, model)).collect();
        let pico: i128 = expected.iter().flatten().map(|usd| usd.pico()).sum();
        prop_assert_eq!(found.total.what_if_usd.pico(), pico);
        let unpriced = expected.iter().filter(|usd| usd.is_none()).count() as u64;
        prop_assert_eq!(found.total.what_if_unpriced_calls.get(), unpriced);
        let parts: i128 = found.parts.iter().map(|part| part.what_if_usd.pico()).sum();
        prop_assert_eq!(parts, pico);
    }

    #[test]
    fn the_reasons_of_a_comparison_add_up(calls in ledgers(40), fold: bool, middle in 0..SPAN) {
        let middle = at(START + middle + 1);
        let query = CompareQuery {
            a: ComparedPeriod { from: None, to: Some(middle) },
            b: ComparedPeriod { from: Some(middle), to: None },
            filter: tokenbook_ledger::Filter::default(),
        };
        let found = ledger(&calls, fold).compare(&query, Catalog::builtin()).expect("answered");
        let sum = |reasons: &tokenbook_ledger::Reasons| {
            [reasons.volume_usd, reasons.mix_usd, reasons.tokens_per_call_usd, reasons.price_usd]
                .iter()
                .map(|usd| usd.pico())
                .sum::<i128>()
        };
        prop_assert_eq!(sum(&found.reasons), found.change_usd.pico());
        for group in &found.groups {
            prop_assert_eq!(sum(&group.reasons), group.change_usd.pico());
        }
        prop_assert_eq!(found.b.cost_usd.pico() - found.a.cost_usd.pico(), found.change_usd.pico());
    }

    #[test]
    fn an_overview_does_not_depend_on_the_order_of_arrival_or_the_fold(mut calls in ledgers(30), from in 0..SPAN) {
        let query = OverviewQuery { from: Some(at(START + from)), now: Some(at(START + 80 * 86_400_000)), ..OverviewQuery::default() };
        let tell = |calls: &[Call], fold| {
            let overview = ledger(calls, fold).overview(&query, Catalog::builtin()).expect("answered");
            serde_json::to_string(&overview).expect("written")
        };
        let first = tell(&calls, false);
        calls.reverse();
        prop_assert_eq!(&tell(&calls, true), &first);
    }

    #[test]
    fn shares_of_an_overview_add_up(call in calls(), more in ledgers(20)) {
        let calls: Vec<Call> = std::iter::once(call).chain(more).collect();
        let query = OverviewQuery { now: Some(at(START + 80 * 86_400_000)), ..OverviewQuery::default() };
        let overview = ledger(&calls, true).overview(&query, Catalog::builtin()).expect("answered");
        for parts in [&overview.agents, &overview.actions, &overview.endpoints, &overview.models, &overview.providers] {
            prop_assert_eq!(parts.iter().map(|part| part.calls_per_mille).sum::<u32>(), 1_000);
            let tokens: u32 = parts.iter().map(|part| part.tokens_per_mille).sum();
            prop_assert!(tokens == 1_000 || overview.total.total_tokens.is_zero());
        }
    }
}
