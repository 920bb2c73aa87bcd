//! Alerts that go out by a webhook: signed, retried, never redirected, and never in a call's way.
#![cfg(feature = "webhook")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};
use tokenbook_wire::Book;

/// A server that gives these answers one after another, and hands on what it was sent.
fn server(answers: &'static [&'static str]) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}/hook", listener.local_addr().expect("bound"));
    let (send, receive) = channel();
    std::thread::spawn(move || {
        for answer in answers {
            let (stream, _) = listener.accept().expect("a request");
            let mut reader = BufReader::new(&stream);
            let (mut text, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).expect("a line");
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().expect("a number");
                }
                text.push_str(&line);
                if line == "\r\n" {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).expect("a body");
            text.push_str(std::str::from_utf8(&body).expect("text"));
            let _ = send.send(text);
            let _ = (&stream).write_all(answer.as_bytes());
        }
    });
    (address, receive)
}

fn book() -> Book {
    Book::open(r#"{"path": ":memory:"}"#).expect("a ledger")
}

/// Spends a budget, so that there is something to tell.
fn alarm(book: &Book, sinks: &Value) -> Value {
    let call = |op: &str, args: Value| -> Value {
        serde_json::from_str(&book.call(op, &args.to_string()).expect(op)).expect("JSON")
    };
    let at = "2026-11-22T10:00:00Z";
    call("alert_rules_set", json!({ "rules": [{ "kind": "budget", "fire_percent": [100] }] }));
    call("alert_sinks", json!({ "sinks": sinks }));
    call("budget_set", json!({ "name": "b", "limit_tokens": 1, "period": "day", "at": at }));
    call("record", json!({ "model": "gpt-4o", "at": at, "usage": { "input_tokens": 1 } }));
    call("alerts_check", json!({ "at": at }))
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const BUSY: &str = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const LIMIT: Duration = Duration::from_secs(20);

#[test]
fn a_notice_is_sent_again_until_it_is_taken_and_is_signed() {
    let (address, requests) = server(&[BUSY, OK]);
    let told = alarm(&book_kept(), &json!([{ "kind": "webhook", "url": address, "secret": "key" }]));
    let (first, second) = (requests.recv_timeout(LIMIT).expect("sent"), requests.recv_timeout(LIMIT).expect("again"));
    for request in [&first, &second] {
        let (head, body) = request.split_once("\r\n\r\n").expect("a head");
        assert!(head.to_ascii_lowercase().contains("x-tokenbook-signature: sha256="), "{head}");
        assert_eq!(serde_json::from_str::<Value>(body).expect("JSON"), told["notices"][0]);
        assert!(!request.contains("key\r"), "the secret stays here");
    }
}

/// A ledger that outlives its test, as closing it would end the tries.
fn book_kept() -> Book {
    let book = book();
    std::mem::forget(book.clone());
    book
}

#[test]
fn slack_gets_a_text_and_a_redirect_is_not_followed() {
    let (elsewhere, never) = server(&[OK]);
    let answer =
        format!("HTTP/1.1 302 Found\r\nLocation: {elsewhere}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let answer: &'static str = String::leak(answer);
    let answers: &'static [&'static str] = Vec::leak(vec![answer]);
    let (address, requests) = server(answers);
    let book = book();
    alarm(&book, &json!([{ "kind": "webhook", "url": address, "form": "slack" }]));
    let request = requests.recv_timeout(LIMIT).expect("sent");
    let body: Value = serde_json::from_str(request.split_once("\r\n\r\n").expect("a head").1).expect("JSON");
    assert_eq!(body, json!({ "text": "tokenbook alert: the budget \"b\" is spent to 100 %: 1 of 1 tokens" }));
    book.call("close", "{}").expect("closed");
    assert!(never.try_recv().is_err(), "nothing was sent elsewhere");
}

#[test]
fn a_dead_or_silent_endpoint_holds_up_no_call_and_ends_with_the_ledger() {
    // Takes the connection and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}/", silent.local_addr().expect("bound"));
    let book = book();
    alarm(&book, &json!([{ "kind": "webhook", "url": address }, { "kind": "webhook", "url": "http://127.0.0.1:9/" }]));
    for number in 0..100 {
        let call = json!({ "id": number.to_string(), "model": "gpt-4o", "usage": { "input_tokens": 1 } });
        book.call("record", &call.to_string()).expect("recorded");
    }
    // Waits for the one try that runs, not for those to come.
    book.call("close", "{}").expect("closed");
}

#[test]
fn alerts_are_lines_of_a_file() {
    let folder = std::env::temp_dir().join(format!("tokenbook-alerts-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("alerts.jsonl");
    let book = book();
    let told = alarm(&book, &json!([{ "kind": "file", "path": path }]));
    book.call("close", "{}").expect("closed");
    let text = std::fs::read_to_string(&path).expect("written");
    assert_eq!(serde_json::from_str::<Value>(text.trim_end()).expect("one line"), told["notices"][0]);
    std::fs::remove_dir_all(&folder).expect("removed");
}

#[test]
fn sinks_that_make_no_sense_are_refused() {
    let refused =
        |sinks: Value| book().call("alert_sinks", &json!({ "sinks": sinks }).to_string()).expect_err("refused");
    let message = refused(json!([{ "kind": "webhook", "url": "ftp://x" }]));
    assert_eq!(message.message(), "sinks[0].url: expected an address with https:// or http://");
    assert!(refused(json!([{ "kind": "pigeon" }])).message().contains("unknown variant `pigeon`"));
}
