//! How fast usage is read out of responses: MB/s, and the ratio to parsing the same bytes into a `serde_json::Value`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokenbook::Api;
use tokenbook::extract::{StreamExtractor, extract};

fn prose(bytes: usize) -> String {
    let sentence = "The model wrote this sentence, with a \"quote\", a line\nand an é, until the answer was long enough. ";
    sentence.chars().cycle().take(bytes).collect()
}

fn chat(bytes: usize) -> String {
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1_700_000_000, "model": "gpt-6-sol", "service_tier": "default",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": prose(bytes), "refusal": null, "annotations": []}, "logprobs": null, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5_000, "completion_tokens": 900, "total_tokens": 5_900,
            "prompt_tokens_details": {"cached_tokens": 4_096, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 300, "audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}},
    })
    .to_string()
}

fn messages(bytes: usize) -> String {
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-opus-5-5", "stop_reason": "tool_use", "stop_sequence": null,
        "content": [{"type": "text", "text": prose(bytes)}, {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Genève"}}],
        "usage": {"input_tokens": 12, "cache_creation_input_tokens": 100, "cache_read_input_tokens": 4_000,
            "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 0}, "output_tokens": 420, "service_tier": "standard", "inference_geo": "global"},
    })
    .to_string()
}

/// A stream of Anthropic's, a few words an event.
fn stream(events: usize) -> (Vec<u8>, Vec<String>) {
    let mut all = vec![json!({"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-opus-5-5", "content": [], "usage": {"input_tokens": 12, "output_tokens": 1}}})];
    all.push(json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}));
    all.extend((0..events).map(|_| json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a few words at once, "}})));
    all.push(json!({"type": "content_block_stop", "index": 0}));
    all.push(json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null}, "usage": {"output_tokens": 420}}));
    all.push(json!({"type": "message_stop"}));
    let data: Vec<String> = all.iter().map(Value::to_string).collect();
    let lines = all.iter().zip(&data).map(|(event, data)| format!("event: {}\ndata: {data}\n\n", event["type"].as_str().expect("text")));
    (lines.collect::<String>().into_bytes(), data)
}

/// The best of several rounds, in seconds a call.
fn time(mut call: impl FnMut()) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..7 {
        let (start, mut calls) = (Instant::now(), 0_u32);
        while start.elapsed() < Duration::from_millis(150) {
            call();
            calls += 1;
        }
        best = best.min(start.elapsed().as_secs_f64() / f64::from(calls));
    }
    best
}

fn report(name: &str, bytes: usize, ours: f64, peer: f64) {
    let rate = |seconds: f64| bytes as f64 / seconds / 1e6;
    println!(
        "{name:<34} {bytes:>9} B  {:>7.2} µs  {:>6.0} MB/s  serde_json::Value {:>6.0} MB/s  ratio {:.1}",
        ours * 1e6,
        rate(ours),
        rate(peer),
        peer / ours
    );
}

fn main() {
    for (name, api, body) in [
        ("chat completion, short", Api::OpenaiChat, chat(400)),
        ("chat completion, long answer", Api::OpenaiChat, chat(60_000)),
        ("messages, short", Api::AnthropicMessages, messages(400)),
        ("messages, long answer", Api::AnthropicMessages, messages(60_000)),
        ("messages, 10 MB answer", Api::AnthropicMessages, messages(10_000_000)),
    ] {
        let ours = time(|| {
            black_box(extract(api, black_box(&body)).expect("a body"));
        });
        let peer = time(|| {
            black_box(serde_json::from_str::<Value>(black_box(&body)).expect("JSON"));
        });
        report(name, body.len(), ours, peer);
    }
    let (bytes, data) = stream(1_000);
    let ours = time(|| {
        let mut stream = StreamExtractor::new(Api::AnthropicMessages);
        for piece in black_box(&bytes).chunks(1_400) {
            stream.push(piece).expect("a stream");
        }
        black_box(stream.finish().expect("a stream"));
    });
    let peer = time(|| {
        for event in &data {
            black_box(serde_json::from_str::<Value>(black_box(event)).expect("JSON"));
        }
    });
    report("messages, stream of 1,004 events", bytes.len(), ours, peer);
}
