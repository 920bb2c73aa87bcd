//! Laws that hold for every price and usage.

use std::sync::LazyLock;

use proptest::prelude::*;
use tokenbook::cost::{CostBatch, cost_batch};
use tokenbook::price::{Found, Price, PriceQuery};
use tokenbook::{Catalog, Cost, CostQuery, Count, Timestamp, TokenKind, Usage, Usd, cost};

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
    let flat =
        TokenKind::ALL.iter().enumerate().map(|(number, kind)| format!("\"{}\": \"0.{:02}7\"", kind.name(), number));
    let flat = flat.collect::<Vec<_>>().join(", ");
    Catalog::builtin()
        .with_overrides(&format!(
            r#"{{"models": [
                {{"provider": "test", "model": "flat", "rows": [{{"rates": {{{flat}}}, "regions": {{"us": "1.1"}}}}]}},
                {{"provider": "test", "model": "cliff", "rows": [{{"rates": {{"input_tokens": "1", "output_tokens": "2"}},
                  "above": [{{"tokens": 1000, "rates": {{"input_tokens": "2", "output_tokens": "3"}}}},
                            {{"tokens": 2000, "inclusive": true, "rates": {{"input_tokens": "4"}}}}]}}]}},
                {{"provider": "test", "model": "fresh", "rows": [{{"rates": {{"input_tokens": "1", "cache_read_tokens": "0.1"}},
                  "above": [{{"tokens": 1000, "counts": "fresh_input", "rates": {{"input_tokens": "2"}}}}]}}]}},
                {{"provider": "test", "model": "progressive", "rows": [{{"tiering": "progressive",
                  "rates": {{"input_tokens": "1", "output_tokens": "2"}},
                  "above": [{{"tokens": 1000, "rates": {{"input_tokens": "3"}}}}, {{"tokens": 5000, "rates": {{"input_tokens": "2"}}}}]}}]}}]}}"#
        ))
        .expect("a valid catalog")
});

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().expect("an instant")
}

fn price(model: &str) -> Price<'static> {
    match CATALOG.price(&PriceQuery::new(model, now())).expect("a valid query") {
        Found::Price(price) => price,
        Found::Unpriced(unpriced) => panic!("{unpriced:?}"),
    }
}

fn total(model: &str, usage: &Usage) -> Usd {
    price(model).total(usage).expect("counts in range").expect("every kind has a rate")
}

fn usages(most: u64) -> impl Strategy<Value = Usage> {
    proptest::collection::vec(0..=most, TokenKind::ALL.len()).prop_map(|counts| {
        let mut usage = Usage::new();
        for (kind, count) in TokenKind::ALL.into_iter().zip(counts) {
            usage.set(kind, Count::new(count).expect("in range"));
        }
        usage
    })
}

fn in_out(input: u32, output: u32) -> Usage {
    Usage::new().with(TokenKind::Input, input).with(TokenKind::Output, output)
}

/// The largest count per kind whose sum over all kinds is still a count.
const MOST: u64 = 9_007_199_254_740_991 / 18;

proptest! {
    #[test]
    fn flat_costs_add_up_over_calls_in_any_order(a in usages(MOST / 3), b in usages(MOST / 3), c in usages(MOST / 3)) {
        let sum = a.clone().checked_add(&b).and_then(|sum| sum.checked_add(&c)).expect("in range");
        let parts = [&c, &a, &b].into_iter().map(|usage| total("flat", usage).pico()).sum::<i128>();
        prop_assert_eq!(total("flat", &sum).pico(), parts);
    }

    #[test]
    fn flat_costs_add_up_over_kinds(usage in usages(MOST)) {
        let parts: i128 = usage
            .iter()
            .map(|(kind, tokens)| total("flat", &Usage::new().with(kind, tokens)).pico())
            .sum();
        prop_assert_eq!(total("flat", &usage).pico(), parts);
    }

    #[test]
    fn more_tokens_never_cost_less(input in 0_u32..10_000, output in 0_u32..10_000, more in 0_u32..5_000) {
        for model in ["flat", "cliff", "progressive", "gemini-2.5-pro", "claude-haiku-5-5", "gpt-5.4"] {
            prop_assert!(total(model, &in_out(input + more, output)) >= total(model, &in_out(input, output)));
            prop_assert!(total(model, &in_out(input, output + more)) >= total(model, &in_out(input, output)));
        }
    }

    #[test]
    fn the_total_is_the_sum_of_the_lines(usage in usages(MOST), batch in any::<bool>(), index in 0_usize..8) {
        let model = ["flat", "cliff", "progressive", "claude-haiku-5-5", "gemini-2.5-flash", "gpt-6-astra", "grok-4.5", "o3"][index];
        let query = PriceQuery { batch, region: Some("us"), ..PriceQuery::new(model, now()) };
        let full = cost(&CostQuery { price: query, usage: &usage, stated: None }, &CATALOG).expect("a valid query");
        if let Found::Price(price) = CATALOG.price(&query).expect("a valid query") {
            prop_assert_eq!(full.total(), price.total(&usage).expect("counts in range"));
        }
        if let Cost::Priced(priced) = full {
            let lines: i128 = priced.lines.iter().map(|line| line.amount().pico()).sum();
            prop_assert_eq!(priced.total_usd.pico(), lines);
        }
    }

    #[test]
    fn columns_give_what_single_calls_give(rows in proptest::collection::vec((0_usize..5, 0_u32..300_000, 0_u32..300_000, 0_u32..9_000, 0_i64..1_800_000_000_000), 1..40)) {
        let models = ["gpt-4o", "deepseek-v4-pro", "claude-sonnet-4-5", "no-such-model", "grok-4.5"];
        let column = |of: fn(&(usize, u32, u32, u32, i64)) -> u32| rows.iter().map(|row| Count::from(of(row))).collect::<Vec<_>>();
        let batch = CostBatch {
            models: models.iter().map(|model| (*model).to_owned()).collect(),
            model: Some(rows.iter().map(|row| u32::try_from(row.0).expect("five models")).collect()),
            at_ms: Some(rows.iter().map(|row| row.4).collect()),
            tokens: [
                ("input_tokens".to_owned(), column(|row| row.1)),
                ("cache_read_tokens".to_owned(), column(|row| row.2)),
                ("output_tokens".to_owned(), column(|row| row.3)),
            ].into(),
            ..CostBatch::default()
        };
        let costs = cost_batch(&batch, now(), &CATALOG).expect("a valid batch");
        let mut unpriced = 0;
        for (row, amount) in rows.iter().zip(costs.totals_usd) {
            let usage = in_out(row.1, row.3).with(TokenKind::CacheRead, row.2);
            let price = PriceQuery::new(models[row.0], Timestamp::from_ms(row.4).expect("in range"));
            let single = cost(&CostQuery { price, usage: &usage, stated: None }, &CATALOG).expect("a valid query");
            prop_assert_eq!(amount, single.total());
            unpriced += u64::from(amount.is_none());
        }
        prop_assert_eq!((costs.unpriced, costs.priced + costs.unpriced), (unpriced, rows.len() as u64));
    }

    #[test]
    fn any_name_is_priced_or_unpriced_and_never_panics(name in "\\PC{0,60}", provider in proptest::option::of("\\PC{0,20}")) {
        let query = PriceQuery { provider: provider.as_deref(), ..PriceQuery::new(&name, now()) };
        CATALOG.price(&query).expect("no tier and no region");
    }
}

#[test]
fn a_cliff_charges_every_token_at_the_higher_rate() {
    assert_eq!(total("cliff", &in_out(1_000, 10)).to_string(), "0.00102");
    assert_eq!(total("cliff", &in_out(1_001, 10)).to_string(), "0.002032");
    assert_eq!(total("cliff", &in_out(1_999, 0)).to_string(), "0.003998");
    assert_eq!(total("cliff", &in_out(2_000, 10)).to_string(), "0.00803");
}

#[test]
fn a_progressive_price_charges_only_the_tokens_beyond_a_threshold_more() {
    assert_eq!(total("progressive", &in_out(1_000, 0)).to_string(), "0.001");
    assert_eq!(total("progressive", &in_out(2_000, 0)).to_string(), "0.004");
    assert_eq!(total("progressive", &in_out(6_000, 1_000)).to_string(), "0.017");
}

#[test]
fn a_threshold_may_count_fresh_input_only() {
    let usage = |fresh: u32| Usage::new().with(TokenKind::Input, fresh).with(TokenKind::CacheRead, 10_000_u32);
    assert_eq!(total("fresh", &usage(1_000)).to_string(), "0.002");
    assert_eq!(total("fresh", &usage(1_001)).to_string(), "0.003002");
}

#[test]
fn the_largest_counts_are_priced_exactly() {
    let usage = Usage::new().with(TokenKind::Output, Count::MAX);
    assert_eq!(total("o1-pro", &usage).to_string(), "5404319552844.5946");
    let two = usage.with(TokenKind::Reasoning, Count::MAX);
    assert_eq!(total("o1-pro", &two).to_string(), "10808639105689.1892");
    let input = Usage::new().with(TokenKind::Input, Count::MAX).with(TokenKind::CacheRead, Count::MAX);
    price("gemini-2.5-pro").total(&input).expect_err("a threshold is compared with a sum that is no count");
}
