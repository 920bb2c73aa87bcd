//! What is exported is imported as it was.
#[path = "support/calls.rs"]
mod support;

use proptest::prelude::*;
use support::{calls, ledgers};
use tokenbook::ErrorCode;
use tokenbook_ledger::{Call, ExportQuery, Filter, Ledger, ListQuery, Options};

fn memory() -> Ledger {
    Ledger::open_in_memory(&Options::default()).expect("a ledger")
}

fn all(ledger: &Ledger) -> Vec<Call> {
    ledger.list(&ListQuery { limit: 10_000, ..ListQuery::default() }).expect("a page").calls
}

fn jsonl(ledger: &Ledger) -> Vec<u8> {
    let mut text = Vec::new();
    ledger.export_jsonl(&mut text, &ExportQuery::default()).expect("exported");
    text
}

fn csv(ledger: &Ledger) -> Vec<u8> {
    let mut text = Vec::new();
    ledger.export_csv(&mut text, &ExportQuery::default()).expect("exported");
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn import_is_the_inverse_of_export(calls in prop_oneof![ledgers(40), prop::collection::vec(calls(), 0..40)]) {
        let ledger = memory();
        for result in ledger.record_batch(calls).expect("open") {
            result.expect("recorded");
        }
        let (from_json, from_csv) = (memory(), memory());
        let imported = from_json.import_jsonl(&jsonl(&ledger)[..]).expect("imported");
        prop_assert!(imported.failures.is_empty(), "{:?}", imported);
        prop_assert_eq!(imported.recorded, ledger.stats().expect("stats").calls);
        let imported = from_csv.import_csv(&csv(&ledger)[..]).expect("imported");
        prop_assert!(imported.failures.is_empty(), "{:?}", imported);
        prop_assert_eq!(all(&from_json), all(&ledger));
        prop_assert_eq!(all(&from_csv), all(&ledger));
        prop_assert_eq!(csv(&from_json), csv(&ledger));
        prop_assert_eq!(jsonl(&from_csv), jsonl(&ledger));
        let again = from_csv.import_jsonl(&jsonl(&ledger)[..]).expect("imported");
        prop_assert_eq!((again.recorded, again.failed), (0, 0));
    }

    #[test]
    fn importing_anything_never_panics(text in prop::collection::vec(prop_oneof![any::<u8>(), Just(b','), Just(b'"'), Just(b'\n')], 0..80)) {
        let ledger = memory();
        let _ = ledger.import_jsonl(&text[..]);
        let _ = ledger.import_csv(&text[..]);
        let mut with_heading = b"id,at,model,cost_status\r\n".to_vec();
        with_heading.extend(text);
        let _ = ledger.import_csv(&with_heading[..]);
    }
}

#[test]
fn a_bad_line_is_told_and_the_others_are_recorded() {
    let text = concat!(
        "{\"at\":\"2026-11-22T10:00:00Z\",\"model\":\"m\",\"id\":\"a\"}\n",
        "\n",
        "{\"at\":\"2026-11-22T10:00:00\",\"model\":\"m\"}\n",
        "{\"at\":\"2026-11-22T10:00:00Z\",\"model\":\"m\",\"id\":\"a\"}\n",
        "{\"at\":\"2026-11-22T10:00:00Z\",\"model\":\"other\",\"id\":\"a\"}\n",
        "{\"at\":\"2026-11-22T10:00:00Z\",\"model\":\"m\",\"id\":\"b\"}",
    );
    let imported = memory().import_jsonl(text.as_bytes()).expect("imported");
    assert_eq!((imported.recorded, imported.duplicates, imported.failed), (2, 1, 2));
    let told: Vec<_> = imported.failures.iter().map(|failure| (failure.line, failure.error.code())).collect();
    assert_eq!(told, [(3, ErrorCode::InvalidArgument), (5, ErrorCode::Conflict)]);
}

#[test]
fn columns_may_come_in_any_order_but_not_unknown() {
    let ledger = memory();
    let imported = ledger.import_csv(&b"model,at\nm,2026-11-22T10:00:00Z\n"[..]).expect("imported");
    assert_eq!(imported.recorded, 1);
    assert!(ledger.import_csv(&b"model,prompt\nm,secret\n"[..]).is_err());
    let short = ledger.import_csv(&b"model,at\nm\n"[..]).expect("imported");
    assert_eq!((short.failed, short.failures[0].line), (1, 2));
}

#[test]
fn numbers_stay_numbers_and_formulas_become_text_in_csv() {
    let ledger = memory();
    let mut call = Call::new("2026-11-22T10:00:00Z".parse().expect("an instant"), "=HYPERLINK(\"x\")");
    call.agent = Some("@evil".into());
    call.max_tokens = Some(tokenbook::Count::from(7));
    ledger.record(call).expect("recorded");
    let text = String::from_utf8(csv(&ledger)).expect("text");
    assert!(text.contains("\"'=HYPERLINK(\"\"x\"\")\""), "{text}");
    assert!(text.contains(",'@evil,") && text.contains(",7,"), "{text}");
}

#[test]
fn an_export_may_be_of_some_calls_only() {
    let ledger = memory();
    for (id, agent) in [("1", "a"), ("2", "b"), ("3", "a")] {
        let mut call = Call::new("2026-11-22T10:00:00Z".parse().expect("an instant"), "m");
        (call.id, call.agent) = (Some(id.into()), Some(agent.into()));
        ledger.record(call).expect("recorded");
    }
    let filter = Filter { agent: vec!["a".into()], ..Filter::default() };
    let mut text = Vec::new();
    let count = ledger.export_jsonl(&mut text, &ExportQuery { filter, ..ExportQuery::default() }).expect("exported");
    assert_eq!((count, String::from_utf8(text).expect("JSON").lines().count()), (2, 2));
}
