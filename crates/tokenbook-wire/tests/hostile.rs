//! Input that no careful caller would give: the table that every language shares, and what only Rust can be given.
#![forbid(unsafe_code)]

use std::fmt::Write as _;

use serde_json::{Map, Value, json};
use tokenbook_wire::{Book, UsageStream, call, guard};

/// A written value as JSON text, with what it names in place of the names.
fn text(written: &Value) -> String {
    let Value::Object(fields) = written else { return written.to_string() };
    match fields.get("$special").and_then(Value::as_str) {
        Some("100,000 levels") => "{\"deep\":".repeat(100_000) + "{}" + &"}".repeat(100_000),
        Some("a million keys") => {
            let mut keys = String::from("{\"k0\":0");
            (1..1_000_000).for_each(|at| write!(keys, ",\"k{at}\":0").expect("a String takes all text"));
            keys + "}"
        }
        Some(number) => json!({ "$not_json": number }).to_string(),
        None => object(fields),
    }
}

fn object(fields: &Map<String, Value>) -> String {
    let fields: Vec<_> = fields.iter().map(|(name, value)| format!("{}:{}", json!(name), text(value))).collect();
    format!("{{{}}}", fields.join(","))
}

#[test]
fn every_hostile_cost_is_refused_with_the_shared_words() {
    let file: Value = serde_json::from_str(include_str!("../../../tests/hostile.json")).expect("the table is JSON");
    let cases = file["cases"].as_array().expect("cases");
    assert!(cases.len() >= 25, "cases are missing");
    for case in cases {
        let mut fields = case.as_object().expect("a case is an object").clone();
        let (name, code, message) = (fields.remove("name"), fields.remove("code"), fields.remove("message"));
        let mut usage = Map::from_iter([("input_tokens".to_owned(), json!(1))]);
        if let Some(Value::Object(given)) = fields.remove("usage") {
            usage.extend(given);
        }
        // A value that replaces the whole usage.
        let usage = if usage.contains_key("$special") {
            json!({ "$special": usage["$special"] })
        } else {
            Value::Object(usage)
        };
        fields.insert("usage".to_owned(), usage);
        for (field, value) in [("model", "gpt-4o"), ("at", "2026-11-20T00:00:00Z")] {
            fields.entry(field).or_insert_with(|| value.into());
        }
        let error = call("cost", &object(&fields)).expect_err("it was accepted");
        assert_eq!((Some(json!(error.code().name())), Some(json!(error.message()))), (code, message), "{name:?}");
        assert!(call("cost", r#"{"model": "gpt-4o", "usage": {"input_tokens": 1}}"#).is_ok());
    }
}

#[test]
fn bodies_are_refused_when_nested_too_deeply_and_read_when_large() {
    let deep = format!(r#"{{"api": "openai.chat", "body": {}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(call("extract", &deep).expect_err("deep").message(), "nested more than 128 levels deep");
    let text = "a".repeat(100_000_000);
    let body = format!(
        r#"{{"id": "x", "choices": [{{"message": {{"content": "{text}"}}}}], "usage": {{"prompt_tokens": 5, "completion_tokens": 1}}}}"#
    );
    let answer =
        call("extract", &format!(r#"{{"api": "openai.chat", "body": {body}}}"#)).expect("a large body is read");
    assert!(answer.contains(r#""total_input_tokens":5"#), "{answer}");
    // Brackets in text are no nesting.
    let brackets = json!({ "api": "openai.chat", "body": { "choices": [], "note": "[{".repeat(1_000) } }).to_string();
    assert!(call("extract", &brackets).is_ok());
}

#[test]
fn no_text_as_arguments_panics() {
    for args in [
        "",
        "null",
        "[]",
        "{",
        "{}",
        "\"\"",
        "{\"a\":",
        "\u{0}",
        "\u{feff}{}",
        "1e999",
        "{\"text\": \"\\ud800\"}",
        "[[[[",
    ] {
        for op in tokenbook_wire::OPS {
            let answer = if op.needs_ledger() {
                Book::open(r#"{"path": ":memory:"}"#).expect("opens").call(op.name, args)
            } else {
                call(op.name, args)
            };
            if let Err(error) = answer {
                assert_ne!(error.code().name(), "internal", "{} {args:?}: {error}", op.name);
            }
        }
        assert!(UsageStream::open(args).is_err());
        assert!(Book::open(args).is_err());
    }
}

#[test]
fn a_panic_becomes_an_error_and_the_next_call_works() {
    let error = guard(|| -> tokenbook_wire::Result<()> { panic!("on purpose") }).expect_err("a panic");
    assert_eq!(error.code().name(), "internal");
    assert!(error.message().contains("on purpose"));
    assert!(call("panic", "{}").is_err());
    assert!(call("version", "{}").is_ok());
}
