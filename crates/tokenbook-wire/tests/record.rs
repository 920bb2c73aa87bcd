//! What recording through the wire adds to the ledger: instants, prices, tools, and calls inside calls.
#![forbid(unsafe_code)]

use serde_json::{Value, json};
use tokenbook_wire::Book;

fn book() -> Book {
    Book::open(r#"{"path": ":memory:"}"#).expect("a ledger in memory opens")
}

fn ask(book: &Book, op: &str, args: &Value) -> Value {
    let answer = book.call(op, &args.to_string()).unwrap_or_else(|error| panic!("{op}: {error}"));
    serde_json::from_str(&answer).expect("an answer is JSON")
}

fn message() -> Value {
    json!({ "type": "message", "id": "msg_1", "role": "assistant", "model": "claude-haiku-4-5-20251001",
        "content": [{ "type": "tool_use", "id": "t1", "name": "search", "input": {} }], "stop_reason": "tool_use",
        "usage": { "input_tokens": 1000, "output_tokens": 5 } })
}

#[test]
fn a_response_without_a_date_may_be_recorded_again_later() {
    let book = book();
    let args = json!({ "api": "anthropic.messages", "provider": "anthropic", "body": message() });
    assert_eq!(ask(&book, "record_response", &args)["status"], "recorded");
    std::thread::sleep(std::time::Duration::from_millis(5));
    assert_eq!(ask(&book, "record_response", &args)["status"], "duplicate");
    let call = json!({ "id": "mine", "model": "gpt-4o", "usage": { "input_tokens": 1 } });
    assert_eq!(ask(&book, "record", &call)["status"], "recorded");
    std::thread::sleep(std::time::Duration::from_millis(5));
    assert_eq!(ask(&book, "record", &call)["status"], "duplicate");
    assert_eq!(ask(&book, "report", &json!({}))["total"]["calls"], 2);
}

#[test]
fn a_newer_price_makes_no_other_call_of_the_same_one() {
    let book = book();
    let calls = [
        json!({ "id": "mine", "at": "2026-11-20T00:00:00Z", "model": "our-own", "usage": { "input_tokens": 1000 } }),
        json!({ "at": "2026-11-20T00:00:00Z", "model": "our-own", "usage": { "input_tokens": 1000 } }),
    ];
    assert_eq!(ask(&book, "record_batch", &json!({ "calls": calls }))["recorded"], 2);
    let prices =
        json!({ "models": [{ "provider": "us", "model": "our-own", "rows": [{ "rates": { "input_tokens": "1" } }] }] });
    ask(&book, "prices_override", &json!({ "prices": prices.to_string() }));
    assert_eq!(
        ask(&book, "cost", &json!({ "model": "our-own", "usage": { "input_tokens": 1000 } }))["total_usd"],
        "0.001"
    );
    assert_eq!(ask(&book, "record_batch", &json!({ "calls": calls }))["duplicates"], 2);
    assert_eq!(ask(&book, "record", &calls[0])["status"], "duplicate");
    assert_eq!(ask(&book, "report", &json!({}))["total"]["unpriced_calls"], 2);
    ask(&book, "prices_override", &json!({}));
    let other =
        json!({ "id": "mine", "at": "2026-11-20T00:00:00Z", "model": "our-own", "usage": { "input_tokens": 1001 } });
    assert_eq!(book.call("record", &other.to_string()).expect_err("other usage").code().name(), "conflict");
}

#[test]
fn a_request_tells_limit_tools_and_what_each_tool_took() {
    let book = book();
    let tool = json!({ "name": "search", "description": "Search the archive.", "input_schema": { "type": "object", "properties": { "query": { "type": "string" } } } });
    let request = json!({ "model": "claude-haiku-4-5", "max_tokens": 10, "tools": [tool], "messages": [
        { "role": "user", "content": "Find it." },
        { "role": "assistant", "content": [{ "type": "tool_use", "id": "t0", "name": "search", "input": { "query": "it" } }] },
        { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "t0", "content": "Here it is, all of it." }] }] });
    let args = json!({ "api": "anthropic.messages", "provider": "anthropic", "at": "2026-11-20T00:00:00Z", "agent": "editor", "request": request, "body": message() });
    ask(&book, "record_response", &args);
    let call = ask(&book, "get", &json!({ "id": "msg_1" }));
    assert_eq!(call["model"], "claude-haiku-4-5");
    assert_eq!(call["max_tokens"], 10);
    assert_eq!(call["tools_offered"], json!(["search"]));
    assert_eq!(call["tools_called"], json!(["search"]));
    assert_eq!(call["cost"]["total_usd"], "0.001025");
    let took = &call["tool_tokens"][0];
    let of = |field: &str| took[field].as_u64().expect(field);
    assert!(of("definition_tokens") > 0 && of("result_tokens") > 0, "{took}");
    assert!(of("definition_tokens") + of("result_tokens") < 1000, "tools took more than was billed: {took}");
    let stored = ask(&book, "query", &json!({ "sql": "SELECT * FROM calls" })).to_string();
    assert!(!stored.contains("Find it") && !stored.contains("Here it is"), "text of the request was stored");
}

#[test]
fn a_call_inside_a_call_is_a_call_of_its_own_at_its_own_price() {
    let book = book();
    let body = json!({ "type": "message", "id": "msg_2", "role": "assistant", "model": "claude-opus-4-8", "content": [], "stop_reason": "end_turn",
        "usage": { "input_tokens": 100, "output_tokens": 10, "iterations": [
            { "type": "message", "input_tokens": 100, "output_tokens": 10 },
            { "type": "advisor_message", "model": "claude-haiku-4-5", "input_tokens": 1000, "output_tokens": 20 }] } });
    ask(&book, "record_response", &json!({ "api": "anthropic.messages", "at": "2026-11-20T00:00:00Z", "body": body }));
    let report = ask(&book, "report", &json!({ "group_by": ["model"] }));
    let cost = |model: &str| {
        let rows = report["rows"].as_array().expect("rows");
        rows.iter().find(|row| row["model"] == model).map(|row| row["cost_usd"].clone()).expect(model)
    };
    assert_eq!(cost("claude-opus-4-8"), "0.00075"); // 100 × 5 + 10 × 25 dollars a million.
    assert_eq!(cost("claude-haiku-4-5"), "0.0011"); // 1000 × 1 + 20 × 5 dollars a million.
    let child = ask(&book, "get", &json!({ "id": "msg_2#1" }));
    assert_eq!(child["parent_id"], "msg_2");
}

#[test]
fn what_a_provider_charges_is_priced_not_what_it_used() {
    let book = book();
    let usage = json!({ "billed_units": { "input_tokens": 100, "output_tokens": 10 }, "tokens": { "input_tokens": 1100, "output_tokens": 60 } });
    let body = json!({ "id": "c1", "finish_reason": "COMPLETE", "message": { "role": "assistant", "content": [] }, "usage": usage });
    let args = json!({ "api": "cohere.chat", "provider": "cohere", "model": "command-r-plus-08-2024", "at": "2026-11-20T00:00:00Z", "body": body });
    ask(&book, "record_response", &args);
    let call = ask(&book, "get", &json!({ "id": "c1" }));
    assert_eq!(call["usage"]["total_input_tokens"], 1100);
    assert_eq!(call["cost"]["total_usd"], "0.00035"); // 100 × 2.5 + 10 × 10 dollars a million.
}

#[test]
fn a_closed_ledger_says_so() {
    let book = book();
    ask(&book, "close", &json!({}));
    let error = book.call("report", "{}").expect_err("closed");
    assert_eq!(error.code().name(), "unavailable");
    ask(&book, "close", &json!({}));
}

#[test]
fn a_given_cost_goes_before_a_computed_one() {
    let book = book();
    let cost = json!({ "status": "stated", "total_usd": "0.5" });
    let args = json!({ "api": "anthropic.messages", "provider": "anthropic", "at": "2026-11-20T00:00:00Z", "cost": cost, "body": message() });
    assert_eq!(ask(&book, "record_response", &args)["status"], "recorded");
    let call = ask(&book, "get", &json!({ "id": "msg_1" }));
    assert_eq!(call["cost"], cost);
    assert_eq!(call["usage"]["input_tokens"], 1000);
    // What was given is part of the record: another amount is a contradiction, not a newer price.
    let other = json!({ "api": "anthropic.messages", "provider": "anthropic", "at": "2026-11-20T00:00:00Z", "body": message(),
        "cost": { "status": "stated", "total_usd": "0.6" } });
    let refused = book.call("record_response", &other.to_string()).expect_err("another cost");
    assert_eq!(refused.code().name(), "conflict");
    assert_eq!(refused.details()["fields"], "cost");
}

#[test]
fn a_given_cost_covers_what_ran_inside_the_call() {
    let book = book();
    let body = json!({ "type": "message", "id": "msg_2", "role": "assistant", "model": "claude-opus-4-8", "content": [],
        "stop_reason": "end_turn", "usage": { "input_tokens": 30, "output_tokens": 3, "iterations": [
            { "type": "message", "input_tokens": 30, "output_tokens": 3 },
            { "type": "advisor_message", "model": "claude-haiku-4-5", "input_tokens": 20, "output_tokens": 2 }] } });
    let args = json!({ "api": "anthropic.messages", "provider": "anthropic", "at": "2026-11-20T00:00:00Z", "body": body,
        "cost": { "status": "stated", "total_usd": "0.25" } });
    ask(&book, "record_response", &args);
    let total = &ask(&book, "report", &json!({}))["total"];
    assert_eq!((&total["calls"], &total["cost_usd"]), (&json!(1), &json!("0.25")));
}

/// ccusage 18 and tokscale 1.4.3 keep the first line that a log has of a message, which is a partial one: output 8.97 million
/// tokens instead of 22.30. Here the whole stream counts, and a later line that says more is told, never dropped.
#[test]
fn the_first_line_of_a_message_does_not_win_in_silence() {
    let line = |output: u32, stop: Value| {
        json!({ "type": "message", "id": "msg_3", "role": "assistant", "model": "claude-haiku-4-5", "content": [],
            "stop_reason": stop, "usage": { "input_tokens": 10, "output_tokens": output } })
    };
    let (partial, last) = (line(8, Value::Null), line(22, json!("end_turn")));
    let args = |body: &Value| json!({ "api": "anthropic.messages", "provider": "anthropic", "at": "2026-11-20T00:00:00Z", "body": body });
    let book = book();
    ask(&book, "record_response", &args(&partial));
    let told = ask(&book, "record_responses", &json!({ "responses": [args(&last), args(&last)] }));
    assert_eq!((&told["duplicates"], &told["refused"]), (&json!(0), &json!(2)));
    assert_eq!(told["results"][0]["error"]["code"], "conflict");
    let said = told["results"][0]["error"]["message"].as_str().expect("a message");
    assert!(said.contains("usage") && said.contains("msg_3"), "{said}");

    let events = json!([
        { "type": "message_start", "message": partial },
        { "type": "message_delta", "delta": { "stop_reason": "end_turn" }, "usage": { "output_tokens": 15 } },
        { "type": "message_delta", "delta": { "stop_reason": "end_turn" }, "usage": { "output_tokens": 22 } },
        { "type": "message_stop" }]);
    let whole = Book::open(r#"{"path": ":memory:"}"#).expect("opens");
    let args =
        json!({ "api": "anthropic.messages", "provider": "anthropic", "at": "2026-11-20T00:00:00Z", "events": events });
    ask(&whole, "record_response", &args);
    assert_eq!(ask(&whole, "report", &json!({}))["total"]["output_tokens"], 22);
    // The last line again, as a log repeats it, is the same call.
    assert_eq!(ask(&whole, "record_response", &args)["status"], "duplicate");
}

/// A request to a model that nobody knows, and what its provider bills for it: more for each token, and a prompt of its own.
fn unknown_call(number: usize) -> (Value, u64) {
    let words = ["harbour", "invoice", "llama", "42", "quickly", "über", "{\"a\": 1}", "translate", "the", "of"];
    let length = 5 + number * 37 % 400;
    let text: Vec<_> = (0..length).map(|at| words[(at * 7 + number) % words.len()]).collect();
    let request = json!({ "model": "nobody-knows-1", "messages": [{ "role": "user", "content": text.join(" ") }] });
    let counted = tokenbook::Encoding::O200kBase.count(&text.join(" ")).get();
    (request, counted * 13 / 10 + 240)
}

#[test]
fn an_unknown_model_becomes_accurate_after_a_few_dozen_calls() {
    let book = book();
    let mean_error = |calls: std::ops::Range<usize>| {
        let errors = calls.clone().map(|number| {
            let (request, billed) = unknown_call(number);
            let counted = ask(&book, "count_request_calibrated", &json!({ "api": "openai.chat", "body": request }));
            let parts =
                counted["parts"].as_array().expect("parts").iter().map(|part| part["tokens"].as_u64().expect("tokens"));
            let tokens = counted["input_tokens"].as_u64().expect("a count");
            assert_eq!(parts.sum::<u64>() + counted["framing_tokens"].as_u64().expect("framing"), tokens);
            tokens.abs_diff(billed) * 1000 / billed
        });
        errors.sum::<u64>() / calls.len() as u64
    };
    let before = mean_error(500..540);
    assert!(before > 200, "{before} thousandths");
    for number in 0..36 {
        let (request, billed) = unknown_call(number);
        let body = json!({ "id": format!("r{number}"), "model": "nobody-knows-1", "choices": [],
            "usage": { "prompt_tokens": billed, "completion_tokens": 1, "total_tokens": billed + 1 } });
        ask(&book, "record_response", &json!({ "api": "openai.chat", "request": request, "body": body }));
    }
    let after = mean_error(500..540);
    assert!(after <= 20, "{after} thousandths");
    let learned = ask(&book, "calibrations", &json!({}));
    let learned = &learned["calibrations"][0];
    assert_eq!((&learned["model"], &learned["calibration"]["samples"]), (&json!("nobody-knows-1"), &json!(36)));
    let error = |name: &str| learned["calibration"][name].as_u64().expect("an error");
    assert!(error("error_after_millionths") < error("error_before_millionths") / 10);
}

#[test]
fn what_is_counted_exactly_is_not_corrected() {
    let book = book();
    let request = json!({ "model": "gpt-4o", "messages": [{ "role": "user", "content": "Hello" }] });
    for number in 0..20 {
        let body = json!({ "id": format!("r{number}"), "model": "gpt-4o", "choices": [],
            "usage": { "prompt_tokens": 900, "completion_tokens": 1, "total_tokens": 901 } });
        ask(&book, "record_response", &json!({ "api": "openai.chat", "request": request, "body": body }));
    }
    let counted = ask(&book, "count_request_calibrated", &json!({ "api": "openai.chat", "body": request }));
    assert_eq!((&counted["input_tokens"], &counted["exactness"]), (&json!(8), &json!("exact")));
    assert_eq!(ask(&book, "calibrations", &json!({}))["calibrations"], json!([]));
}
