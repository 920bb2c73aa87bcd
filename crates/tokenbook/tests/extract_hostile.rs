//! Hostile and broken input: an error of the named class or an answer that says what is unknown, never a crash and never
//! a silent zero.

use proptest::prelude::*;
use tokenbook::extract::{StreamExtractor, Warning, extract, extract_events};
use tokenbook::{Api, ErrorCode};

#[path = "extract_support/wire.rs"]
#[expect(dead_code, reason = "shared with the ground-truth test, which uses all of it")]
mod wire;

/// A body of each API with a place for a number of input tokens.
const BODIES: [(Api, &str, &str); 9] = [
    (
        Api::AnthropicMessages,
        "input_tokens",
        r#"{"type":"message","content":[],"usage":{"input_tokens":@,"output_tokens":1}}"#,
    ),
    (Api::OpenaiChat, "prompt_tokens", r#"{"choices":[],"usage":{"prompt_tokens":@,"completion_tokens":1}}"#),
    (Api::OpenaiResponses, "input_tokens", r#"{"object":"response","usage":{"input_tokens":@,"output_tokens":1}}"#),
    (
        Api::GoogleGenerateContent,
        "promptTokenCount",
        r#"{"candidates":[],"usageMetadata":{"promptTokenCount":@,"candidatesTokenCount":1}}"#,
    ),
    (
        Api::BedrockConverse,
        "inputTokens",
        r#"{"output":{},"stopReason":"end_turn","usage":{"inputTokens":@,"outputTokens":1}}"#,
    ),
    (Api::CohereChat, "input_tokens", r#"{"message":{},"usage":{"tokens":{"input_tokens":@,"output_tokens":1}}}"#),
    (Api::OllamaChat, "prompt_eval_count", r#"{"done":true,"prompt_eval_count":@,"eval_count":1}"#),
    (Api::AiSdk, "inputTokens", r#"{"text":"","usage":{"inputTokens":@,"outputTokens":1}}"#),
    (Api::AnthropicCountTokens, "input_tokens", r#"{"input_tokens":@}"#),
];

#[test]
fn what_is_no_count_is_an_error_that_names_the_field_and_the_value() {
    for (api, field, body) in BODIES {
        for (value, got) in [
            ("-1", "-1"),
            ("1.5", "1.5"),
            ("true", "true"),
            ("\"7\"", "a text"),
            ("9007199254740992", "9007199254740992"),
            ("1e300", "1e300"),
            ("[7]", "a list"),
            (r#"{"$not_json":"Infinity"}"#, "Infinity"),
        ] {
            let error = extract(api, &body.replace('@', value)).expect_err("no count");
            assert_eq!(error.code(), ErrorCode::InvalidArgument);
            let end = format!("{field}: expected a whole number from 0 to 9007199254740991, got {got}");
            assert!(error.message().ends_with(&end), "{api} {value}: {error}");
        }
        for value in ["NaN", "Infinity", "-Infinity", "01", "1e999", "0x10", ""] {
            let error = extract(api, &body.replace('@', value)).expect_err("no JSON");
            assert_eq!(error.code(), ErrorCode::InvalidArgument, "{api} {value}");
        }
    }
}

#[test]
fn the_largest_count_is_taken_and_a_sum_beyond_it_refused() {
    let body = r#"{"type":"message","content":[],"usage":{"input_tokens":9007199254740991,"output_tokens":1}}"#;
    let usage = extract(Api::AnthropicMessages, body).expect("in range").usage.expect("stated");
    assert_eq!(usage.total_input_tokens().expect("in range").get(), (1 << 53) - 1);
    let beyond = body.replace("\"output_tokens\"", "\"cache_read_input_tokens\":1,\"output_tokens\"");
    let error = extract(Api::AnthropicMessages, &beyond).expect_err("too large");
    assert!(error.message().contains("9007199254740992"), "{error}");
}

#[test]
fn null_and_absent_numbers_are_unknown_and_not_zero() {
    for (api, _, body) in BODIES.into_iter().filter(|(api, ..)| *api != Api::AnthropicCountTokens) {
        let extraction = extract(api, &body.replace('@', "null")).expect("a body");
        assert!(extraction.partial, "{api}");
        assert!(extraction.warnings.contains(&Warning::InputUnknown), "{api}");
        let json = serde_json::to_value(&extraction).expect("JSON");
        assert_eq!(json["usage"].get("total_input_tokens"), None, "{api}");
        assert_eq!(json["usage"]["total_output_tokens"], 1, "{api}");
    }
    for usage in ["null", "{}", "{\"input_tokens\":null,\"output_tokens\":null}"] {
        let body = format!("{{\"type\":\"message\",\"content\":[],\"usage\":{usage}}}");
        let extraction = extract(Api::AnthropicMessages, &body).expect("a body");
        assert!(extraction.partial && extraction.usage.is_none(), "{usage}: {extraction:?}");
    }
}

#[test]
fn a_hundred_thousand_levels_and_a_million_keys_are_no_danger() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let objects = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    for (api, _, body) in BODIES {
        let body = body.replace('@', "7");
        for value in [&deep, &objects] {
            let beside = body.replacen('{', &format!("{{\"other\":{value},\"content_\":{value},"), 1);
            assert_eq!(
                extract(api, &beside).expect("skipped").usage,
                extract(api, &body).expect("a body").usage,
                "{api}"
            );
            for field in
                ["usage", "content", "choices", "output", "message", "id", "error", "usageMetadata", "candidates"]
            {
                // Whatever comes of it, it comes back.
                let _ = extract(api, &format!("{{\"{field}\":{value}}}"));
                let mut stream = StreamExtractor::new(api);
                let _ = stream.push(format!("{{\"{field}\":{value}}}\n").as_bytes());
                let _ = stream.finish();
            }
        }
        assert_eq!(extract(api, &deep).expect_err("no object").code(), ErrorCode::InvalidArgument);
    }
    let keys: Vec<String> = (0..1_000_000).map(|key| format!("\"k{key}\":{key},")).collect();
    let keys = keys.concat();
    let body = format!("{{{keys}\"choices\":[],\"usage\":{{{keys}\"prompt_tokens\":7,\"completion_tokens\":1}}}}");
    let usage = extract(Api::OpenaiChat, &body).expect("many keys").usage.expect("stated");
    assert_eq!(usage.total_input_tokens().expect("small").get(), 7);
}

#[test]
fn a_text_of_a_hundred_megabytes_is_passed_over() {
    let text = "\\u00e4 long text ".repeat(6_500_000);
    let body = format!(
        "{{\"choices\":[{{\"message\":{{\"content\":\"{text}\"}},\"finish_reason\":\"stop\"}}],\"usage\":{{\"prompt_tokens\":7,\"completion_tokens\":1}}}}"
    );
    assert!(body.len() > 100_000_000);
    let extraction = extract(Api::OpenaiChat, &body).expect("a body");
    assert_eq!(extraction.stop_reason.as_deref(), Some("stop"));
    let mut stream = StreamExtractor::new(Api::OpenaiChat);
    for piece in format!("data: {body}\n\n").into_bytes().chunks(1 << 16) {
        stream.push(piece).expect("a stream");
    }
    assert_eq!(stream.finish().expect("a stream").usage, extraction.usage);
}

#[test]
fn a_body_of_another_api_is_refused_by_name() {
    for (api, _, body) in BODIES {
        for (other, _, _) in BODIES.into_iter().filter(|(other, ..)| *other != api) {
            // The counting endpoint's one field stands in no other body's top but its own.
            let Err(error) = extract(other, &body.replace('@', "7")) else { continue };
            let (response, usage) =
                (format!("not a response of {other}: it has no "), format!("not a usage of {other}: it has no "));
            assert!(error.message().starts_with(&response) || error.message().starts_with(&usage), "{other}: {error}");
            assert!(error.details().contains_key("missing"));
        }
    }
    for body in ["{}", "[]", "null", "7", "\"x\"", "{\"usage\":{\"prompt_tokens\":1}}"] {
        for api in Api::ALL {
            assert!(extract(*api, body).is_err(), "{api} {body}");
        }
    }
}

#[test]
fn no_text_of_a_user_gets_into_an_error() {
    for body in [
        r#"{"type":"message","content":[],"usage":{"input_tokens":"my secret"}}"#,
        r#"{"type":"message","content":[],"usage":"my secret"}"#,
        r#"{"my secret":1}"#,
        r#"{"content": my secret}"#,
    ] {
        let error = extract(Api::AnthropicMessages, body).expect_err("broken");
        assert!(!format!("{error} {:?}", error.details()).contains("secret"), "{error}");
    }
    let extraction =
        extract(Api::AnthropicMessages, r#"{"type":"error","error":{"type":"my secret thing","message":"my secret"}}"#);
    assert_eq!(extraction.expect("an error body").error.as_deref(), Some("error"));
}

#[test]
fn broken_bytes_in_a_stream_are_an_error_and_what_follows_is_still_read() {
    let good = b"data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":1}}\n\n";
    for bad in [
        &b"data: {\"id\":\"\xff\xfe\"}\n\n"[..],
        b"data: {\"id\":\"\0\"}\n\n",
        b"data: {\"id\":\"\xed\xa0\x80\"}\n\n",
        b"data: oops\n\n",
    ] {
        let mut stream = StreamExtractor::new(Api::OpenaiChat);
        let error = stream.push(&[bad, &good[..]].concat()).expect_err("broken");
        assert_eq!(error.code(), ErrorCode::InvalidArgument);
        assert!(error.message().contains("event 1 of the stream"), "{error}");
        let extraction = stream.finish().expect("the rest");
        assert_eq!(extraction.warnings, [Warning::UnreadableEvent]);
        assert_eq!(extraction.usage.expect("stated").total_input_tokens().expect("small").get(), 7);
    }
}

#[test]
fn a_corrupt_event_stream_is_an_error_and_stays_one() {
    let whole = wire::message(
        &[(":event-type", "metadata"), (":message-type", "event")],
        r#"{"usage":{"inputTokens":7,"outputTokens":1}}"#,
    );
    for place in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[place] ^= 1;
        let mut stream = StreamExtractor::new(Api::BedrockConverse);
        // A changed first byte makes it no event stream at all, but lines; then there is no event.
        let pushed = stream.push(&bytes);
        let extraction = stream.finish().expect("nothing known");
        assert!(extraction.partial && extraction.usage.is_none(), "byte {place}");
        assert!(pushed.is_err() || place == 0, "byte {place}");
    }
    let mut stream = StreamExtractor::new(Api::BedrockConverse);
    assert!(stream.push(&[0; 16]).is_err());
    assert!(stream.push(&whole).is_err());
    let mut stream = StreamExtractor::new(Api::BedrockConverse);
    stream.push(&whole).expect("whole");
    stream
        .push(&wire::message(
            &[(":exception-type", "throttlingException"), (":message-type", "exception")],
            "{\"message\":\"slow down\"}",
        ))
        .expect("whole");
    let extraction = stream.finish().expect("a stream");
    assert_eq!(extraction.error.as_deref(), Some("throttlingException"));
    assert!(!extraction.partial);
}

#[test]
fn nothing_at_all_is_partial() {
    for api in [Api::AnthropicMessages, Api::OpenaiChat, Api::BedrockConverse, Api::OllamaChat] {
        for bytes in ["", "\n", "\u{feff}", "data:", ": ping\n\n", "data: [DONE]\n\n", "data: {\"type\":\"message_st"] {
            let mut stream = StreamExtractor::new(api);
            stream.push(bytes.as_bytes()).expect("no event");
            let extraction = stream.finish().expect("nothing known");
            assert!(extraction.partial && extraction.usage.is_none(), "{api} {bytes}");
        }
    }
    assert!(extract_events(Api::OpenaiChat, "[]").expect("no event").partial);
    assert!(extract_events(Api::OpenaiChat, "{}").is_err());
}

/// JSON as adversaries write it: known names with values of any type.
fn json() -> impl Strategy<Value = String> {
    let names = prop::sample::select(vec![
        "usage",
        "choices",
        "content",
        "type",
        "message",
        "id",
        "model",
        "usageMetadata",
        "promptTokenCount",
        "input_tokens",
        "prompt_tokens",
        "completion_tokens",
        "total_tokens",
        "output",
        "status",
        "object",
        "error",
        "delta",
        "iterations",
        "cache_creation",
        "cached_tokens",
        "prompt_tokens_details",
        "tool_calls",
        "function",
        "name",
        "stop_reason",
        "tokens",
        "billed_units",
        "bytes",
        "chunk",
        "finishReason",
        "candidates",
        "totalUsage",
        "inputTokens",
        "steps",
        "response",
        "done",
        "eval_count",
        "cost",
        "is_byok",
        "messageStop",
        "metadata",
        "stopReason",
        "text",
        "\\u0000",
    ]);
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        (0_u8..9).prop_map(|n| n.to_string()),
        any::<f64>().prop_filter("JSON has no NaN", |n| n.is_finite()).prop_map(|n| format!("{n:?}")),
        prop::sample::select(vec![
            "\"\"",
            "\"message_start\"",
            "\"message\"",
            "\"response\"",
            "\"tool_use\"",
            "\"\\ud800\"",
            "\"é\\n\"",
            "\"[DONE]\""
        ])
        .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        let pairs = prop::collection::vec((names.clone(), inner.clone()), 0..6);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(|list| format!("[{}]", list.join(","))),
            pairs.prop_map(|pairs| {
                let fields: Vec<_> = pairs.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_is_read_or_refused_but_never_panics(json in json()) {
        for api in Api::ALL {
            if let Err(error) = extract(*api, &json) {
                prop_assert_eq!(error.code(), ErrorCode::InvalidArgument);
            }
            let _ = extract_events(*api, &format!("[{json},{json}]"));
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused_but_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for api in [Api::AnthropicMessages, Api::BedrockConverse, Api::GoogleGenerateContent] {
            let mut stream = StreamExtractor::new(api);
            let _ = stream.push(&bytes);
            let _ = stream.finish();
        }
    }

    #[test]
    fn where_bytes_are_cut_does_not_matter(
        pieces in prop::collection::vec(prop_oneof![
            json().prop_map(|json| format!("data: {json}\n\n")),
            json().prop_map(|json| format!("{json}\n")),
            Just("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7}}\r\n\r\n".to_owned()),
            Just("event: é\ndata:\rdata: [DONE]\r\n\r".to_owned()),
            Just("{\"a\":\"\\\"}{\\\\\"},[".to_owned()),
        ], 0..6),
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let bytes = pieces.concat().into_bytes();
        let mut places: Vec<_> = places.iter().map(|place| place.index(bytes.len() + 1)).collect();
        places.extend([0, bytes.len()]);
        places.sort_unstable();
        for api in [Api::OpenaiChat, Api::OllamaChat] {
            let mut whole = StreamExtractor::new(api);
            let fault = whole.push(&bytes).is_err();
            let mut cut = StreamExtractor::new(api);
            let faults = places.windows(2).filter(|pair| cut.push(&bytes[pair[0]..pair[1]]).is_err()).count();
            prop_assert_eq!(faults > 0, fault);
            prop_assert_eq!(cut.so_far(), whole.so_far());
            let text = |stream: StreamExtractor| stream.finish().map_err(|error| error.to_string());
            prop_assert_eq!(text(cut), text(whole));
        }
    }
}
