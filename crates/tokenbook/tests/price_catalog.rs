//! The built-in catalog as a whole: every row reads, nothing released has changed, and the format's rules hold.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};
use tokenbook::price::{Found, PriceQuery, Reason};
use tokenbook::{Catalog, ErrorCode, Timestamp, TokenKind, Usage};

const TEXT: &str = include_str!("../data/prices.json");
const PINS: &str = include_str!("../data/prices.sha256");

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().expect("an instant")
}

#[test]
fn every_row_of_the_builtin_catalog_reads() {
    let catalog = Catalog::builtin();
    let models: Vec<_> = catalog.models().collect::<Result<_, _>>().expect("every row reads");
    assert_eq!(models.len(), catalog.len());
    assert!(models.iter().all(|model| !model.rows.is_empty()));
    assert!(models.iter().flat_map(|model| &model.rows).all(|row| row.source.is_some()));
    let read = Catalog::parse(TEXT).expect("the whole catalog is checked when it is read from a file");
    let json = |catalog: &Catalog| -> Vec<String> {
        let models = catalog.models().map(|model| model.expect("a row reads"));
        models.map(|model| serde_json::to_string(&model).expect("serialises")).collect()
    };
    assert_eq!(json(catalog), json(&read), "the built-in catalog is the file");
    assert_eq!(catalog.version(), read.version());
    // What the header says of providers, tiers and regions is read in both ways too.
    let usage = Usage::new().with(TokenKind::Input, 1_000_000_u32);
    let query = PriceQuery { service_tier: Some("FLEX"), region: Some("eu"), ..PriceQuery::new("gpt-6-astra", now()) };
    assert_eq!(total(catalog, &query, &usage).as_deref(), Some("11"));
    assert_eq!(total(&read, &query, &usage).as_deref(), Some("11"));
}

#[test]
fn every_name_in_the_catalog_finds_its_own_model() {
    let catalog = Catalog::builtin();
    for model in catalog.models() {
        let model = model.expect("a row reads");
        for name in std::iter::once(&model.model).chain(&model.names) {
            let query = PriceQuery { provider: Some(&model.provider), ..PriceQuery::new(name, now()) };
            match catalog.price(&query).expect("a valid query") {
                Found::Price(price) => {
                    assert_eq!((price.provider(), price.model()), (&*model.provider, &*model.model), "{name}");
                }
                Found::Unpriced(unpriced) => assert!(
                    matches!(
                        unpriced.reason,
                        Reason::NoPriceAtDate | Reason::NoPriceForRegion | Reason::NoPriceForServiceTier
                    ),
                    "{name}: {unpriced:?}"
                ),
            }
        }
    }
}

#[test]
fn rows_that_were_released_have_not_changed() {
    let first = PINS.split(' ').next().expect("a version");
    let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let (mut provider, mut model) = ("", "");
    let value = |line: &'static str, key: &str| -> Option<&'static str> {
        let (_, rest) = line.split_once(&format!("\"{key}\":\""))?;
        rest.split('"').next()
    };
    for line in TEXT.lines() {
        if line.starts_with("{\"provider\":") {
            provider = value(line, "provider").expect("a provider");
            model = value(line, "model").expect("a model");
        } else if let Some(row) = line.strip_prefix("  {")
            && line.contains("\"rates\":")
        {
            let row = row.trim_end_matches(',').trim_end_matches("]}");
            let version = value(line, "checked").unwrap_or(first);
            versions.entry(version.to_owned()).or_default().push(format!("{provider}/{model} {{{row}\n"));
        }
    }
    let mut pins = String::new();
    for (version, mut rows) in versions {
        rows.sort();
        let digest = Sha256::digest(rows.concat().as_bytes());
        let hex = digest.iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("writing to a string");
            hex
        });
        writeln!(pins, "{version} {} {hex}", rows.len()).expect("writing to a string");
    }
    assert_eq!(pins, PINS, "a released price may not change: append a row with a later `from`");
}

#[test]
fn the_catalog_is_large_and_knows_its_day() {
    let catalog = Catalog::builtin();
    assert!(catalog.len() > 4_000, "{}", catalog.len());
    assert_eq!(catalog.version().to_string(), "2026-11-28");
}

fn total(catalog: &Catalog, query: &PriceQuery<'_>, usage: &Usage) -> Option<String> {
    match catalog.price(query).expect("a valid query") {
        Found::Price(price) => price.total(usage).expect("small counts").map(|usd| usd.to_string()),
        Found::Unpriced(_) => None,
    }
}

#[test]
fn overrides_go_first_and_leave_the_rest_alone() {
    let catalog = Catalog::builtin()
        .with_overrides(
            r#"{"models": [
                {"provider": "openai", "model": "gpt-4o", "rows": [
                    {"from": "2026-06-01", "rates": {"input_tokens": 1.5, "output_tokens": "6"}, "source": "our contract"}]},
                {"provider": "acme", "model": "acme-1", "names": ["acme"], "rows": [
                    {"rates": {"input_tokens": "0.4", "output_tokens": "1.2"}, "per_request": {"lookup": "0.002"}}]}]}"#,
        )
        .expect("valid overrides");
    let usage = Usage::new().with(TokenKind::Input, 1_000_000_u32);
    assert_eq!(total(&catalog, &PriceQuery::new("gpt-4o", now()), &usage).as_deref(), Some("1.5"));
    // Before the override begins, in another tier and for another snapshot the built-in rows hold.
    let before = PriceQuery::new("gpt-4o", "2026-05-31T00:00:00Z".parse().expect("an instant"));
    assert_eq!(total(&catalog, &before, &usage).as_deref(), Some("2.5"));
    let batch = PriceQuery { batch: true, ..PriceQuery::new("gpt-4o", now()) };
    assert_eq!(total(&catalog, &batch, &usage).as_deref(), Some("1.25"));
    assert_eq!(total(&catalog, &PriceQuery::new("gpt-4o-2024-05-13", now()), &usage).as_deref(), Some("5"));
    let mut searched = usage.clone();
    searched.server_tool_requests.insert("lookup".to_owned(), 3u32.into());
    assert_eq!(total(&catalog, &PriceQuery::new("acme", now()), &searched).as_deref(), Some("0.406"));
    assert_eq!(Catalog::builtin().len() + 2, catalog.len());
}

#[test]
fn a_file_with_a_fault_is_refused_with_its_place() {
    for (json, want) in [
        (
            r#"{"models": [{"provider": "p", "model": "m", "rows": [{"rates": {"input": "1"}}]}]}"#,
            "unknown kind of tokens \"input\"",
        ),
        (
            r#"{"models": [{"provider": "p", "model": "m", "rows": [{"rates": {"input_tokens": "1"}, "tier": "x"}]}]}"#,
            "unknown field `tier`",
        ),
        (r#"{"models": [{"provider": "p", "model": "m", "rows": [{"rates": {}}]}]}"#, "m: a price row states no rate"),
        (
            r#"{"models": [{"provider": "p", "model": "m", "rows": [{"rates": {"input_tokens": "0.0000001"}}]}]}"#,
            "finer than 0.000001",
        ),
        (
            r#"{"models": [{"provider": "p", "model": "m", "rows": [{"rates": {"input_tokens": "-1"}}]}]}"#,
            "out of range",
        ),
        (
            r#"{"models": [{"provider": "p", "model": "m", "rows": [{"rates": {"input_tokens": true}}]}]}"#,
            "prices of m",
        ),
        (
            r#"{"models": [{"provider": "p", "model": "m", "rows": [{"from": "yesterday", "rates": {"input_tokens": "1"}}]}]}"#,
            "prices of m",
        ),
        (r#"{"models": [], "format": 2}"#, "format"),
        (r#"{"models": 1}"#, "price catalog: "),
        ("", "price catalog: "),
    ] {
        let error = Catalog::builtin().with_overrides(json).expect_err(json);
        assert_eq!(error.code(), ErrorCode::InvalidArgument);
        assert!(error.message().contains(want), "{json}: {}", error.message());
    }
    let error = Catalog::parse(r#"{"models": []}"#).expect_err("no version");
    assert_eq!(error.message(), "a catalog has a \"version\", the day of its prices");
}

#[test]
fn a_newer_file_replaces_the_builtin_catalog() {
    let catalog = Catalog::parse(
        r#"{"version": "2027-01-01", "models": [{"provider": "openai", "model": "gpt-9", "rows": [{"rates": {"input_tokens": "7"}}]}]}"#,
    )
    .expect("a catalog");
    assert_eq!((catalog.version().to_string().as_str(), catalog.len()), ("2027-01-01", 1));
    let usage = Usage::new().with(TokenKind::Input, 1_000_000_u32);
    assert_eq!(total(&catalog, &PriceQuery::new("gpt-9", now()), &usage).as_deref(), Some("7"));
    assert_eq!(total(&catalog, &PriceQuery::new("gpt-4o", now()), &usage), None);
}
