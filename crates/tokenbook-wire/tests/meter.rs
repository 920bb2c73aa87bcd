//! Metering one call: what it tells while it runs, and the one record that it leaves.
#![forbid(unsafe_code)]

use std::sync::Arc;

use serde_json::{Value, json};
use tokenbook_wire::{Book, Meter};

fn book() -> Book {
    Book::open(r#"{"path": ":memory:"}"#).expect("a ledger in memory opens")
}

fn read(answer: &str) -> Value {
    serde_json::from_str(answer).expect("an answer is JSON")
}

fn open(book: &Book, args: &Value) -> Meter {
    Meter::open(book, &args.to_string(), None, 0).expect("the call is well-formed")
}

fn finish(meter: &Meter, args: &Value) -> Value {
    read(&meter.finish(&args.to_string(), None).expect("recorded"))
}

fn request() -> Value {
    json!({ "model": "claude-haiku-4-5", "max_tokens": 100, "stream": true,
        "messages": [{ "role": "user", "content": "Name a colour, please." }] })
}

fn events() -> Vec<Value> {
    let start = json!({ "type": "message_start", "message": { "type": "message", "id": "msg_1", "role": "assistant",
        "model": "claude-haiku-4-5-20251001", "content": [], "usage": { "input_tokens": 13, "output_tokens": 1 } } });
    let text =
        |text| json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": text } });
    vec![
        start,
        json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" } }),
        text("Blue is the colour of the sea "),
        text("and of the sky on a clear day."),
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn" }, "usage": { "output_tokens": 17 } }),
        json!({ "type": "message_stop" }),
    ]
}

fn anthropic() -> Value {
    json!({ "api": "anthropic.messages", "provider": "anthropic", "agent": "editor", "request": request() })
}

fn streamed(book: &Book, count: usize) -> Meter {
    let meter = open(book, &anthropic());
    for event in events().iter().take(count) {
        meter.push_event(&event.to_string()).expect("taken");
    }
    meter
}

#[test]
fn a_whole_stream_is_recorded_as_the_provider_measured_it() {
    let book = book();
    let done = finish(&streamed(&book, 7), &json!({}));
    assert_eq!((&done["id"], &done["status"]), (&json!("msg_1"), &json!("recorded")));
    let call = &done["call"];
    assert_eq!((&call["usage"]["input_tokens"], &call["usage"]["total_output_tokens"]), (&json!(13), &json!(17)));
    assert_eq!(call["exactness"], "measured");
    assert_eq!((&call["max_tokens"], &call["stop_reason"]), (&json!(100), &json!("end_turn")));
    assert_eq!(call["cost"]["total_usd"], "0.000098");
    assert!(call.get("partial").is_none() && call["duration_ms"].is_u64() && call["time_to_first_token_ms"].is_u64());
    assert_eq!(read(&book.call("get", r#"{"id": "msg_1"}"#).expect("it is there")), *call);
}

#[test]
fn a_stream_that_breaks_off_keeps_what_was_stated_and_streamed() {
    for count in 1..6 {
        let book = book();
        let call = finish(&streamed(&book, count), &json!({}))["call"].take();
        assert_eq!(call["partial"], true, "{count}");
        assert_eq!(call["usage"]["input_tokens"], 13, "{count}");
        let output = call["usage"]["output_tokens"].as_u64().expect("it is known");
        let expected = match count {
            1 | 2 => 1..=1,
            3 => 6..=9,
            _ => 14..=18,
        };
        assert!(expected.contains(&output), "{count}: {output}");
        assert_eq!(call["exactness"], if count < 3 { "measured" } else { "estimated" }, "{count}");
        assert_eq!(call["cost"]["status"], "priced", "{count}");
    }
}

#[test]
fn a_stream_that_states_nothing_is_counted() {
    let book = book();
    let request = json!({ "model": "gpt-4o", "messages": [{ "role": "user", "content": "Hello, world!" }] });
    let meter = open(&book, &json!({ "api": "openai.chat", "request": request }));
    meter
        .push(b"data: {\"id\": \"c1\", \"model\": \"gpt-4o\", \"choices\": [{\"delta\": {\"content\": \"Hello, wor")
        .expect("taken");
    meter.push(b"ld!\"}}]}\n\n").expect("taken");
    let progress = read(&meter.progress().expect("it runs"));
    assert_eq!((&progress["output_tokens"], &progress["output_exactness"]), (&json!(4), &json!("exact")));
    assert_eq!((&progress["input_tokens"], &progress["input_exactness"]), (&json!(11), &json!("exact")));
    assert_eq!(progress["cost_usd"], "0.0000675");
    let call = finish(&meter, &json!({ "error_class": "aborted", "outcome": "error" }))["call"].take();
    assert_eq!((&call["usage"]["input_tokens"], &call["usage"]["output_tokens"]), (&json!(11), &json!(4)));
    assert_eq!((&call["partial"], &call["exactness"]), (&json!(true), &json!("exact")));
    assert_eq!((&call["outcome"], &call["error_class"]), (&json!("error"), &json!("aborted")));
    assert_eq!(call["cost"]["total_usd"], "0.0000675");
}

#[test]
fn an_error_in_the_midst_of_a_stream_comes_after_output_that_is_billed() {
    let book = book();
    let request = json!({ "model": "gpt-4o", "messages": [{ "role": "user", "content": "Hello, world!" }] });
    let meter = open(&book, &json!({ "api": "openai.chat", "request": request }));
    let text = json!({ "id": "c1", "model": "gpt-4o", "choices": [{ "delta": { "content": "Hello, world!" } }] });
    meter.push_event(&text.to_string()).expect("taken");
    meter.push_event(r#"{"error": {"type": "server_error", "message": "Sorry"}}"#).expect("taken");
    let call = finish(&meter, &json!({}))["call"].take();
    assert_eq!((&call["usage"]["input_tokens"], &call["usage"]["output_tokens"]), (&json!(11), &json!(4)));
    assert_eq!((&call["partial"], &call["cost"]["total_usd"]), (&json!(true), &json!("0.0000675")));
    assert_eq!((&call["outcome"], &call["error_class"]), (&json!("error"), &json!("server_error")));
}

#[test]
fn a_refused_call_costs_nothing_and_one_without_an_answer_is_unknown() {
    let book = book();
    let body = json!({ "type": "error", "error": { "type": "overloaded_error", "message": "Overloaded" } });
    let refused = finish(&open(&book, &anthropic()), &json!({ "body": body }));
    assert_eq!(refused["call"]["error_class"], "overloaded_error");
    assert_eq!(refused["call"]["cost"], json!({ "status": "priced", "total_usd": "0" }));
    let lost = finish(&open(&book, &anthropic()), &json!({ "outcome": "error", "error_class": "timeout" }));
    assert_eq!(lost["call"]["cost"]["status"], "unpriced");
    assert!(lost["call"].get("usage").is_none());
    assert_ne!(refused["id"], lost["id"]);
    let report = read(&book.call("report", r#"{"group_by": ["outcome"]}"#).expect("a report"));
    assert_eq!((&report["total"]["calls"], &report["rows"][0]["outcome"]), (&json!(2), &json!("error")));
}

#[test]
fn equal_calls_that_fail_are_calls_of_their_own() {
    let book = book();
    for _ in 0..20 {
        finish(&open(&book, &anthropic()), &json!({ "refused": true, "error_class": "rate_limit_error" }));
    }
    assert_eq!(read(&book.call("report", "{}").expect("a report"))["total"]["calls"], 20);
}

#[test]
fn a_call_ends_once() {
    let book = book();
    let meter = streamed(&book, 7);
    finish(&meter, &json!({}));
    for again in [meter.finish("{}", None).err(), meter.push(b"x").err(), meter.progress().err()] {
        assert_eq!(again.expect("refused").message(), "the call has ended");
    }
}

#[test]
fn odd_events_stop_nothing() {
    let book = book();
    let meter = open(&book, &anthropic());
    meter.push_event("[[[").expect("passed over");
    meter.push_event(&"[".repeat(100_000)).expect("passed over");
    for event in events() {
        meter.push_event(&event.to_string()).expect("taken");
    }
    assert_eq!(finish(&meter, &json!({}))["call"]["usage"]["output_tokens"], 17);
}

#[test]
fn what_its_caller_says_goes_before_what_is_found_out() {
    let book = book();
    let said = json!({ "agent": "host", "duration_ms": 7, "tags": ["a"] });
    let call = finish(&streamed(&book, 7), &said)["call"].take();
    assert_eq!((&call["agent"], &call["duration_ms"], &call["tags"]), (&json!("host"), &json!(7), &json!(["a"])));
    assert!(Meter::open(&book, r#"{"api": "openai.chat"}"#, None, 0).is_err(), "no model is named");
    assert!(Meter::open(&book, r#"{"api": "openai.chat", "model": "gpt-4o", "agnet": "x"}"#, None, 0).is_err());
}

#[test]
fn an_answer_is_projected_by_earlier_ones_that_grew_as_long() {
    let book = book();
    let args = json!({ "api": "openai.chat", "model": "gpt-4o", "agent": "projected", "request":
        { "model": "gpt-4o", "messages": [{ "role": "user", "content": "Hello" }] } });
    let body = |n: u64| {
        json!({ "id": format!("p{n}"), "model": "gpt-4o", "choices": [{ "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 8, "completion_tokens": n, "total_tokens": n + 8 } })
    };
    assert!(read(&open(&book, &args).progress().expect("it runs")).get("projected_output_tokens").is_none());
    for n in [2, 3, 10, 20, 30] {
        finish(&open(&book, &args), &json!({ "body": body(n) }));
    }
    let meter = open(&book, &args);
    assert_eq!(read(&meter.progress().expect("it runs"))["projected_output_tokens"], 13);
    meter.push_event(r#"{"choices": [{"delta": {"content": "One, two, three"}}]}"#).expect("taken");
    let progress = read(&meter.progress().expect("it runs"));
    assert_eq!(progress["output_tokens"], 5);
    assert_eq!(
        (&progress["projected_output_tokens"], &progress["projected_cost_usd"]),
        (&json!(20), &json!("0.00022"))
    );
}

fn budget(book: &Book, name: &str) -> Value {
    let budgets = read(&book.call("budgets", "{}").expect("the budgets"));
    let mut rows = budgets["budgets"].as_array().expect("a list").iter();
    rows.find(|row| row["name"] == name).expect("it is set").clone()
}

fn set(book: &Book, budget: &Value) {
    book.call("budget_set", &budget.to_string()).expect("it makes sense");
}

#[test]
fn a_budget_holds_the_worst_case_and_is_charged_what_was_used() {
    let book = book();
    assert_eq!(open(&book, &anthropic()).reserve().expect("no budget"), "{}");
    set(&book, &json!({ "name": "day", "limit_usd": "0.001", "period": "day" }));
    let meter = streamed(&book, 7);
    assert!(read(&meter.reserve().expect("it fits"))["hold_id"].is_u64());
    // 100 tokens of output at $5, and the request's at $1 a million.
    let held: f64 = budget(&book, "day")["held_usd"].as_str().expect("an amount").parse().expect("a number");
    assert!((0.00051..0.00055).contains(&held), "{held}");
    let refused = open(&book, &anthropic()).reserve().expect_err("twice is too much");
    assert_eq!((refused.code().name(), refused.details()["budget"].as_str()), ("budget_exceeded", "day"));
    finish(&meter, &json!({}));
    let day = budget(&book, "day");
    assert_eq!((&day["spent_usd"], &day["held_usd"]), (&json!("0.000098"), &json!("0")));
}

#[test]
fn a_stream_without_a_limit_is_stopped_when_its_next_slice_is_refused() {
    let book = book();
    set(&book, &json!({ "name": "tokens", "limit_tokens": 3000, "period": "total" }));
    let args = json!({ "api": "openai.chat", "agent": "writer", "request":
        { "model": "gpt-4o", "stream": true, "messages": [{ "role": "user", "content": "Hello" }] } });
    let meter = open(&book, &args);
    meter.reserve().expect("the first slice fits");
    let event = json!({ "id": "c9", "choices": [{ "delta": { "content": " word".repeat(100) } }] }).to_string();
    let stopped = (0..50).position(|_| meter.push_event(&event).is_err()).expect("it is stopped");
    assert!((15..=20).contains(&stopped), "{stopped}");
    let call = finish(&meter, &json!({ "error_class": "budget_exceeded", "outcome": "error" }))["call"].take();
    assert_eq!(call["partial"], true);
    let row = budget(&book, "tokens");
    let spent = row["spent_tokens"].as_u64().expect("a count");
    assert_eq!(spent, 8 + 100 * (stopped as u64 + 1));
    assert!(spent < 3000 && row["held_tokens"] == 0, "{row}");
}

#[test]
fn more_is_put_aside_ahead_of_a_stream_that_does_not_wait_for_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("book.db");
    let book = Book::open(&json!({ "path": path }).to_string()).expect("opened");
    set(&book, &json!({ "name": "tokens", "limit_tokens": 100_000, "period": "total" }));
    let args = json!({ "api": "openai.chat", "request":
        { "model": "gpt-4o", "stream": true, "messages": [{ "role": "user", "content": "Hello" }] } });
    let meter = open(&book, &args);
    meter.reserve().expect("it fits");
    let held = || budget(&book, "tokens")["held_tokens"].as_u64().expect("a count");
    let push = |words: usize| {
        let event = json!({ "id": "c9", "choices": [{ "delta": { "content": " word".repeat(words) } }] });
        meter.push_event(&event.to_string())
    };
    let first = held();
    // Another process writes and keeps the writer waiting; what is still put aside lets the stream go on.
    let mut lock = path.into_os_string();
    lock.push("-lock");
    let other = std::fs::File::open(lock).expect("there");
    other.lock().expect("free");
    push(300).expect("nothing is asked for");
    push(150).expect("the next slice is on its way");
    push(50).expect("and isn't waited for");
    assert_eq!(held(), first);
    other.unlock().expect("held");
    let is_there = || held() == first + 1_024;
    for _ in 0..1_000 {
        if is_there() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert!(is_there(), "{}", held());
    push(200).expect("the slice covers it");
    assert_eq!(held(), first + 1_024);
    finish(&meter, &json!({}));
    assert_eq!(held(), 0);
}

#[test]
fn a_meter_that_is_given_up_leaves_its_record() {
    let book = book();
    drop(streamed(&book, 4));
    drop(open(&book, &anthropic()));
    // Nobody waits for a queued record; what is recorded after it comes after it.
    book.call("record", r#"{"id": "later", "model": "gpt-4o", "usage": {"input_tokens": 1}}"#).expect("recorded");
    let report = read(&book.call("report", "{}").expect("a report"));
    assert_eq!((&report["total"]["calls"], &report["total"]["input_tokens"]), (&json!(2), &json!(14)));
}

#[test]
fn a_running_call_is_shown_until_it_ends() {
    let book = book();
    let running = || read(&book.call("live", "{}").expect("an answer"))["calls"].as_array().expect("a list").clone();
    let meter = open(&book, &anthropic());
    let calls = running();
    assert_eq!((calls.len(), &calls[0]["agent"], &calls[0]["max_tokens"]), (1, &json!("editor"), &json!(100)));
    finish(&meter, &json!({ "refused": true }));
    let given_up = open(&book, &anthropic());
    assert_eq!(running().len(), 1);
    drop(given_up);
    assert!(running().is_empty());
}

#[test]
fn a_call_that_was_not_sent_leaves_nothing() {
    let book = book();
    book.call("budget_set", r#"{"name": "all", "limit_tokens": 200, "period": "total"}"#).expect("set");
    assert!(book.has_budgets().expect("open"));
    let meter = open(&book, &anthropic());
    assert!(meter.has_budget().expect("open"));
    meter.reserve().expect("there is enough");
    let held = |book: &Book| read(&book.call("budgets", "{}").expect("a standing"))["budgets"][0]["held_tokens"].take();
    assert!(held(&book).as_u64() > Some(100));
    assert_eq!(read(&book.call("live", "{}").expect("told"))["calls"].as_array().map(Vec::len), Some(1));
    meter.void();
    meter.void();
    assert_eq!(held(&book), 0);
    // One that is only let go of holds nothing either.
    let dropped = open(&book, &anthropic());
    dropped.reserve().expect("there is enough again");
    drop(dropped);
    assert_eq!(held(&book), 0);
    assert_eq!(read(&book.call("live", "{}").expect("told"))["calls"].as_array().map(Vec::len), Some(0));
    assert_eq!(read(&book.call("report", "{}").expect("a report"))["total"]["calls"], 0);
    assert_eq!(meter.finish("{}", None).expect_err("it is over").message(), "the call has ended");
}

#[test]
fn calls_that_have_ended_are_recorded_together_and_faults_are_told() {
    let book = book();
    let body = |id: &str| {
        json!({ "id": id, "type": "message", "role": "assistant", "model": "claude-haiku-4-5", "content": [],
            "stop_reason": "end_turn", "usage": { "input_tokens": 13, "output_tokens": 2 } })
        .to_string()
    };
    let end = |args: &str, body: Option<String>| book.end(Arc::new(open(&book, &anthropic())), args.to_owned(), body);
    end("{}", Some(body("msg_1")));
    end(r#"{"colour": 5}"#, Some(body("msg_2")));
    end("{}", Some("[".repeat(100_000)));
    end("{}", Some(body("msg_1")));
    let told = read(&book.record_ended().expect("recorded"));
    // The same response again is what it was: what was measured here is no part of it.
    assert_eq!(told["recorded"].as_u64().zip(told["faults"].as_array().map(Vec::len)), Some((3, 1)), "{told}");
    assert_eq!(told["faults"][0]["code"], "invalid_argument");
    assert!(told["faults"][0]["message"].as_str().is_some_and(|message| message.contains("colour")), "{told}");
    assert_eq!(read(&book.record_ended().expect("nothing to do")), json!({ "recorded": 0, "faults": [] }));
    let calls = read(&book.call("list", "{}").expect("a page"))["calls"].take();
    assert_eq!(calls.as_array().map(Vec::len), Some(2), "{calls}");
}

#[test]
fn a_call_that_was_sent_before_it_was_metered_has_its_own_time() {
    let book = book();
    let late = Meter::open(&book, &anthropic().to_string(), None, 60_000).expect("well-formed");
    let now = finish(&open(&book, &anthropic()), &json!({}))["call"].take();
    let call = finish(&late, &json!({}))["call"].take();
    assert!(call["duration_ms"].as_u64() >= Some(60_000), "{call}");
    assert!(call["at"].as_str() < now["at"].as_str(), "{call} {now}");
}

#[test]
fn a_request_and_a_body_beside_the_arguments_are_read_as_those_in_them() {
    let body = json!({ "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-4-5",
        "content": [], "stop_reason": "end_turn", "usage": { "input_tokens": 13, "output_tokens": 2 } });
    let given = json!({ "at": "2026-11-22T10:00:00Z", "duration_ms": 5 });
    let inside = finish(&open(&book(), &anthropic()), &json!({ "body": body, "at": given["at"], "duration_ms": 5 }));
    let mut args = anthropic();
    args.as_object_mut().expect("an object").remove("request");
    let meter = Meter::open(&book(), &args.to_string(), Some(request().to_string()), 0).expect("well-formed");
    let beside = read(&meter.finish(&given.to_string(), Some(&body.to_string())).expect("recorded"));
    assert_eq!(inside["call"], beside["call"]);
    assert!(Meter::open(&book(), &args.to_string(), Some("{".to_owned()), 0).is_err(), "no JSON");
    assert!(Meter::open(&book(), &args.to_string(), Some("[".repeat(100_000)), 0).is_err(), "too deep");
}
