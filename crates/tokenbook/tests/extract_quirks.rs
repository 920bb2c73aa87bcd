//! What providers mean by their numbers, one test a quirk; the wrong readings are other tools', seen in the wild.

use serde_json::{Value, json};
use tokenbook::extract::{
    Extraction, StopKind, StreamExtractor, Warning, extract, extract_events, input_includes_cache,
};
use tokenbook::{Api, Count, ErrorCode, TokenKind};

fn chat(usage: &Value) -> tokenbook::Result<Extraction> {
    let body = json!({"id": "c", "model": "m", "choices": [{"finish_reason": "stop", "message": {}}], "usage": usage});
    extract(Api::OpenaiChat, &body.to_string())
}

fn messages(usage: &Value) -> tokenbook::Result<Extraction> {
    let body = json!({"type": "message", "model": "claude-opus-4-8", "content": [], "stop_reason": "end_turn", "usage": usage});
    extract(Api::AnthropicMessages, &body.to_string())
}

fn gemini(usage: &Value) -> tokenbook::Result<Extraction> {
    extract(
        Api::GoogleGenerateContent,
        &json!({"candidates": [{"finishReason": "STOP"}], "usageMetadata": usage}).to_string(),
    )
}

/// Total input, total output.
fn totals(extraction: &Extraction) -> (u64, u64) {
    let usage = extraction.usage.as_ref().expect("stated");
    let total = |sum: tokenbook::Result<Count>| sum.expect("small").get();
    (total(usage.total_input_tokens()), total(usage.total_output_tokens()))
}

fn kind(extraction: &Extraction, kind: TokenKind) -> u64 {
    extraction.usage.as_ref().expect("stated").get(kind).get()
}

fn cost(extraction: &Extraction) -> Option<String> {
    extraction.stated_cost_usd.map(|cost| cost.to_string())
}

#[test]
fn anthropics_input_leaves_the_cache_out_and_no_fresh_token_is_lost() {
    let read =
        messages(&json!({"input_tokens": 5, "cache_read_input_tokens": 128_955, "output_tokens": 20})).expect("a body");
    assert_eq!(totals(&read), (128_960, 20));
    assert_eq!(kind(&read, TokenKind::Input), 5);
}

#[test]
fn who_includes_the_cache_in_its_input_is_stated() {
    let exclusive =
        [Api::AnthropicMessages, Api::BedrockInvokeAnthropic, Api::VertexRawPredictAnthropic, Api::BedrockConverse];
    assert!(exclusive.into_iter().all(|api| !input_includes_cache(api)));
    let inclusive =
        [Api::OpenaiChat, Api::OpenaiResponses, Api::GoogleGenerateContent, Api::MistralChat, Api::CohereChat];
    assert!(inclusive.into_iter().all(input_includes_cache));
}

#[test]
fn exclusive_numbers_in_an_inclusive_format_are_refused_with_the_numbers() {
    let error = chat(&json!({"prompt_tokens": 5, "completion_tokens": 20, "total_tokens": 25, "prompt_tokens_details": {"cached_tokens": 128_955}}))
        .expect_err("128,955 of 5 tokens can't be cached");
    assert_eq!(error.code(), ErrorCode::InvalidArgument);
    assert!(error.message().contains("input 5") && error.message().contains("cached 128955"), "{error}");
    assert_eq!(error.details()["cached"], "128955");
    assert_eq!(error.details()["input"], "5");
}

#[test]
fn openais_cached_and_written_tokens_are_part_of_the_prompt() {
    let usage = json!({"prompt_tokens": 6_000, "completion_tokens": 130, "total_tokens": 6_130,
        "prompt_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 5_900}, "completion_tokens_details": {"reasoning_tokens": 100}});
    let read = chat(&usage).expect("a body");
    assert_eq!(totals(&read), (6_000, 130));
    assert_eq!(
        (kind(&read, TokenKind::Input), kind(&read, TokenKind::CacheRead), kind(&read, TokenKind::CacheWrite)),
        (92, 8, 5_900)
    );
    assert_eq!((kind(&read, TokenKind::Output), kind(&read, TokenKind::Reasoning)), (30, 100));
    let body = json!({"object": "response", "status": "completed", "usage": {"input_tokens": 100, "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30},
        "output_tokens": 9, "output_tokens_details": {"reasoning_tokens": 4}, "total_tokens": 109}});
    let read = extract(Api::OpenaiResponses, &body.to_string()).expect("a body");
    assert_eq!(
        (kind(&read, TokenKind::Input), kind(&read, TokenKind::CacheRead), kind(&read, TokenKind::CacheWrite)),
        (10, 60, 30)
    );
}

#[test]
fn cache_writes_keep_their_time_to_live() {
    let usage = json!({"input_tokens": 1, "output_tokens": 1, "cache_creation_input_tokens": 100,
        "cache_creation": {"ephemeral_5m_input_tokens": 22, "ephemeral_1h_input_tokens": 78}});
    let read = messages(&usage).expect("a body");
    assert_eq!(
        (
            kind(&read, TokenKind::CacheWrite5m),
            kind(&read, TokenKind::CacheWrite1h),
            kind(&read, TokenKind::CacheWrite)
        ),
        (22, 78, 0)
    );
    let body = json!({"output": {}, "stopReason": "end_turn", "usage": {"inputTokens": 3, "outputTokens": 2, "cacheWriteInputTokens": 50,
        "cacheReadInputTokens": 7, "totalTokens": 62, "cacheDetails": [{"ttl": "1h", "inputTokens": 40}, {"ttl": "5m", "inputTokens": 10}]}});
    let read = extract(Api::BedrockConverse, &body.to_string()).expect("a body");
    assert_eq!(totals(&read), (60, 2));
    assert_eq!((kind(&read, TokenKind::CacheWrite5m), kind(&read, TokenKind::CacheWrite1h)), (10, 40));
}

#[test]
fn cache_writes_that_no_time_to_live_covers_keep_an_unknown_one_and_too_many_are_refused() {
    let usage = |detail: u32| json!({"input_tokens": 10, "output_tokens": 1, "cache_creation_input_tokens": 20_000, "cache_creation": {"ephemeral_5m_input_tokens": detail}});
    let read = messages(&usage(12_000)).expect("a body");
    assert_eq!((kind(&read, TokenKind::CacheWrite5m), kind(&read, TokenKind::CacheWrite)), (12_000, 8_000));
    let error = messages(&usage(20_001)).expect_err("more than all");
    assert!(error.message().contains("20000") && error.message().contains("20001"), "{error}");
}

#[test]
fn a_compaction_counts_although_the_top_leaves_it_out() {
    let usage = json!({"input_tokens": 23_000, "output_tokens": 1_000, "iterations": [
        {"type": "compaction", "input_tokens": 180_000, "output_tokens": 3_500},
        {"type": "message", "input_tokens": 23_000, "output_tokens": 1_000},
    ]});
    let read = messages(&usage).expect("a body");
    assert_eq!(totals(&read), (203_000, 4_500));
    assert_eq!(read.iterations.len(), 2);
    assert_eq!(read.iterations[0].kind, "compaction");
    assert_eq!(read.iterations[0].usage.get(TokenKind::Input).get(), 180_000);
}

#[test]
fn every_attempt_of_a_fallback_has_its_own_model_and_a_blocked_one_is_free() {
    let usage = |output: u32| {
        json!({"input_tokens": 10, "output_tokens": 264, "iterations": [
            {"type": "message", "model": "claude-fable-5", "input_tokens": 412, "cache_read_input_tokens": 560_186, "output_tokens": output},
            {"type": "fallback_message", "model": "claude-opus-4-8", "input_tokens": 10, "output_tokens": 264},
        ]})
    };
    let declined_midway = messages(&usage(299)).expect("a body");
    assert_eq!(totals(&declined_midway), (560_608, 563));
    assert_eq!(declined_midway.iterations[0].model.as_deref(), Some("claude-fable-5"));
    assert!(declined_midway.iterations[0].billed);
    let blocked = messages(&usage(0)).expect("a body");
    assert_eq!(totals(&blocked), (10, 264));
    assert!(!blocked.iterations[0].billed && blocked.iterations[1].billed);
}

#[test]
fn iterations_below_the_whole_are_refused() {
    let usage = json!({"input_tokens": 500, "output_tokens": 1, "iterations": [{"type": "message", "input_tokens": 499, "output_tokens": 1}]});
    assert!(messages(&usage).expect_err("less").message().contains("499"));
}

#[test]
fn geminis_thoughts_are_output_beside_the_candidates() {
    let usage = json!({"promptTokenCount": 5_000, "cachedContentTokenCount": 4_096, "candidatesTokenCount": 20, "thoughtsTokenCount": 60, "totalTokenCount": 5_080});
    let read = gemini(&usage).expect("a body");
    assert_eq!(totals(&read), (5_000, 80));
    assert_eq!((kind(&read, TokenKind::Output), kind(&read, TokenKind::Reasoning)), (20, 60));
    assert_eq!((kind(&read, TokenKind::Input), kind(&read, TokenKind::CacheRead)), (904, 4_096));
}

#[test]
fn what_geminis_own_tools_read_is_input() {
    let usage = json!({"promptTokenCount": 30, "toolUsePromptTokenCount": 1_000, "candidatesTokenCount": 10, "thoughtsTokenCount": 50, "totalTokenCount": 1_090});
    assert_eq!(totals(&gemini(&usage).expect("a body")), (1_030, 60));
    let wrong =
        json!({"promptTokenCount": 30, "candidatesTokenCount": 10, "thoughtsTokenCount": 50, "totalTokenCount": 1_090});
    assert_eq!(gemini(&wrong).expect_err("1,000 are missing").details()["total"], "1090");
    let wrong = json!({"promptTokenCount": 30, "candidatesTokenCount": 10, "totalTokenCount": 39});
    assert_eq!(gemini(&wrong).expect_err("one too many").details()["total"], "39");
}

#[test]
fn thoughts_that_stand_in_geminis_total_only_are_reasoning() {
    let usage = json!({"promptTokenCount": 30, "candidatesTokenCount": 10, "totalTokenCount": 90});
    let read = gemini(&usage).expect("a body");
    assert_eq!((totals(&read), kind(&read, TokenKind::Reasoning)), ((30, 60), 50));
    assert_eq!(read.warnings, [Warning::ReasoningFromTotal]);
}

#[test]
fn splits_by_modality_that_do_not_add_up_are_left_and_flagged() {
    let usage = json!({"promptTokenCount": 30, "candidatesTokenCount": 10, "totalTokenCount": 40, "promptTokensDetails": [{"modality": "IMAGE", "tokenCount": 31}],
        "candidatesTokensDetails": [{"modality": "AUDIO", "tokenCount": 11}]});
    let read = gemini(&usage).expect("a body");
    assert_eq!((totals(&read), kind(&read, TokenKind::Input), kind(&read, TokenKind::Output)), ((30, 10), 30, 10));
    assert!(read.warnings.contains(&Warning::ModalitiesDisagree));
}

#[test]
fn googles_python_sdk_spells_the_same_fields_with_underscores() {
    let body = json!({"response_id": "r", "model_version": "gemini-4-argon", "candidates": [{"finish_reason": "MAX_TOKENS", "content": {"parts": [{"function_call": {"name": "f"}}]}}],
        "usage_metadata": {"prompt_token_count": 100, "cached_content_token_count": 40, "candidates_token_count": 7, "thoughts_token_count": 3, "total_token_count": 110,
            "prompt_tokens_details": [{"modality": "AUDIO", "token_count": 30}], "traffic_type": "ON_DEMAND_FLEX"}});
    let read = extract(Api::GoogleGenerateContent, &body.to_string()).expect("a body");
    assert_eq!(totals(&read), (100, 10));
    assert_eq!((kind(&read, TokenKind::CacheRead), kind(&read, TokenKind::InputAudio)), (40, 30));
    assert_eq!(
        (read.id.as_deref(), read.model.as_deref(), read.service_tier.as_deref()),
        (Some("r"), Some("gemini-4-argon"), Some("flex"))
    );
    assert_eq!((read.truncated, read.tools_called), (Some(true), vec!["f".to_owned()]));
}

#[test]
fn modalities_are_disjoint_kinds() {
    let usage = json!({"promptTokenCount": 1_000, "candidatesTokenCount": 1_292, "totalTokenCount": 2_292, "cachedContentTokenCount": 500,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 300}, {"modality": "AUDIO", "tokenCount": 450}, {"modality": "VIDEO", "tokenCount": 250}],
        "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": 100}, {"modality": "AUDIO", "tokenCount": 400}],
        "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1_290}]});
    let read = gemini(&usage).expect("a body");
    assert_eq!(totals(&read), (1_000, 1_292));
    let kinds = [
        TokenKind::Input,
        TokenKind::CacheRead,
        TokenKind::InputAudio,
        TokenKind::CacheReadAudio,
        TokenKind::InputVideo,
        TokenKind::Output,
        TokenKind::OutputImage,
    ];
    assert_eq!(kinds.map(|of| kind(&read, of)), [200, 100, 50, 400, 250, 2, 1_290]);
    let usage = json!({"prompt_tokens": 12, "completion_tokens": 11, "total_tokens": 23, "prompt_tokens_details": {"cached_tokens": 2, "audio_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": 4, "audio_tokens": 5}});
    let read = chat(&usage).expect("a body");
    let kinds = [
        TokenKind::Input,
        TokenKind::CacheRead,
        TokenKind::InputAudio,
        TokenKind::Output,
        TokenKind::Reasoning,
        TokenKind::OutputAudio,
    ];
    assert_eq!(kinds.map(|of| kind(&read, of)), [7, 2, 3, 2, 4, 5]);
}

#[test]
fn reasoning_that_the_total_counts_beside_the_completion_is_added() {
    // xAI: the stated cost is 250 x 0.2 + 150 x 0.02 + 400 x 1.5 millionths of a dollar.
    let usage = json!({"prompt_tokens": 400, "completion_tokens": 50, "total_tokens": 800, "prompt_tokens_details": {"cached_tokens": 150},
        "completion_tokens_details": {"reasoning_tokens": 350}, "cost_in_usd_ticks": 6_530_000});
    let read = chat(&usage).expect("a body");
    assert_eq!(totals(&read), (400, 400));
    assert_eq!(cost(&read).as_deref(), Some("0.000653"));
    // Vercel's gateway: 10 x 2 + (50 + 200) x 12 millionths.
    let usage = json!({"prompt_tokens": 10, "completion_tokens": 50, "total_tokens": 60, "cost": 0.003_02, "is_byok": false, "market_cost": 0.003_02,
        "completion_tokens_details": {"reasoning_tokens": 200}});
    assert_eq!(totals(&chat(&usage).expect("a body")), (10, 250));
    // Perplexity's research: 2,000 x 3 millionths for reasoning.
    let usage = json!({"prompt_tokens": 10, "completion_tokens": 50, "total_tokens": 60, "reasoning_tokens": 2_000,
        "cost": {"input_tokens_cost": 2e-5, "output_tokens_cost": 0.000_4, "reasoning_tokens_cost": 0.006, "total_cost": 0.006_42}});
    let read = chat(&usage).expect("a body");
    assert_eq!(totals(&read), (10, 2_050));
    assert_eq!(cost(&read).as_deref(), Some("0.00642"));
}

#[test]
fn more_reasoning_than_output_without_a_total_for_it_is_flagged() {
    let usage = json!({"prompt_tokens": 5_000, "completion_tokens": 20, "total_tokens": 5_020, "completion_tokens_details": {"reasoning_tokens": 23}});
    let read = chat(&usage).expect("a body");
    assert_eq!(totals(&read), (5_000, 20));
    assert_eq!(read.warnings, [Warning::ReasoningAboveOutput]);
}

#[test]
fn a_total_that_is_no_sum_is_refused_except_geminis_thoughts() {
    let usage = json!({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 99});
    let error = chat(&usage).expect_err("84 are missing");
    assert!(error.message().contains("total 99") && error.message().contains("input 10"), "{error}");
    let body = json!({"model": "gemini-2.5-flash", "choices": [], "usage": usage}).to_string();
    let read = extract(Api::OpenaiChat, &body).expect("a body");
    assert_eq!(totals(&read), (10, 89));
    assert_eq!(read.warnings, [Warning::ReasoningFromTotal]);
    assert!(chat(&json!({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 14})).is_err());
    let body =
        json!({"object": "response", "usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 3}}).to_string();
    assert!(extract(Api::OpenaiResponses, &body).is_err());
}

#[test]
fn a_host_that_leaves_the_cache_out_of_the_prompt_is_seen_by_its_total() {
    let usage = json!({"prompt_tokens": 90, "completion_tokens": 110, "total_tokens": 328, "prompt_tokens_details": {"cached_tokens": 128}});
    let read = chat(&usage).expect("a body");
    assert_eq!(totals(&read), (218, 110));
    assert_eq!((kind(&read, TokenKind::Input), kind(&read, TokenKind::CacheRead)), (90, 128));
}

#[test]
fn deepseeks_hits_and_misses_make_the_prompt() {
    let usage = |miss: u32| json!({"prompt_tokens": 500, "completion_tokens": 20, "total_tokens": 520, "prompt_cache_hit_tokens": 384, "prompt_cache_miss_tokens": miss});
    assert_eq!(kind(&chat(&usage(116)).expect("a body"), TokenKind::CacheRead), 384);
    assert!(chat(&usage(117)).expect_err("501").message().contains("cache_miss 117"));
}

#[test]
fn openrouters_cost_is_dollars_and_with_an_own_key_the_upstream_cost_is_added() {
    let usage = |byok: bool| json!({"prompt_tokens": 194, "completion_tokens": 2, "total_tokens": 196, "cost": 0.95, "is_byok": byok, "cost_details": {"upstream_inference_cost": 19}});
    assert_eq!(cost(&chat(&usage(false)).expect("a body")).as_deref(), Some("0.95"));
    assert_eq!(cost(&chat(&usage(true)).expect("a body")).as_deref(), Some("19.95"));
    let bare = json!({"prompt_tokens": 1, "completion_tokens": 2, "cost": 0.95});
    assert_eq!(cost(&chat(&bare).expect("a body")), None, "a bare number has no currency");
}

#[test]
fn coheres_usage_is_what_was_read_and_its_bill_stands_beside() {
    let body = json!({"id": "x", "finish_reason": "COMPLETE", "message": {}, "usage": {"billed_units": {"input_tokens": 12, "output_tokens": 2},
        "cached_tokens": 400, "tokens": {"input_tokens": 500, "output_tokens": 8}}});
    let read = extract(Api::CohereChat, &body.to_string()).expect("a body");
    assert_eq!(totals(&read), (500, 8));
    assert_eq!(kind(&read, TokenKind::CacheRead), 400);
    assert_eq!(read.billed.expect("stated").get(TokenKind::Input).get(), 12);
}

#[test]
fn the_last_cumulative_usage_of_a_stream_counts_and_zeros_do_not_wipe_it_out() {
    let chunk = |finish: Option<&str>, usage: Value| json!({"choices": [{"delta": {"content": "x"}, "finish_reason": finish}], "usage": usage});
    let usage = |output: u32| json!({"prompt_tokens": 40, "completion_tokens": output, "total_tokens": 40 + output});
    let events = json!([chunk(None, usage(1)), chunk(None, usage(7)), chunk(Some("stop"), usage(9)),
        {"choices": [], "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}}]);
    let read = extract_events(Api::OpenaiChat, &events.to_string()).expect("a stream");
    assert_eq!(totals(&read), (40, 9));
    assert!(!read.partial);
    let broken_off = json!([chunk(None, usage(1)), chunk(None, usage(7))]);
    let read = extract_events(Api::OpenaiChat, &broken_off.to_string()).expect("a stream");
    assert!(read.partial);
    assert_eq!(totals(&read), (40, 7));
}

#[test]
fn anthropics_message_delta_revises_the_start() {
    let events = json!([
        {"type": "message_start", "message": {"id": "msg_1", "model": "claude-opus-4-8", "usage": {"input_tokens": 10, "cache_read_input_tokens": 5, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "server_tool_use", "name": "web_search"}},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "name": "get_weather"}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "{\"é\":1}"}},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"input_tokens": 900, "cache_read_input_tokens": null, "cache_creation_input_tokens": 0, "output_tokens": 80, "server_tool_use": {"web_search_requests": 2}}},
        {"type": "message_stop"},
    ]);
    let read = extract_events(Api::AnthropicMessages, &events.to_string()).expect("a stream");
    assert_eq!(totals(&read), (905, 80));
    assert_eq!(
        (read.tools_called, read.server_tools_called),
        (vec!["get_weather".to_owned()], vec!["web_search".to_owned()])
    );
    assert_eq!(read.usage.expect("stated").server_tool_requests["web_search"].get(), 2);
    let mut stream = StreamExtractor::new(Api::AnthropicMessages);
    for event in events.as_array().expect("a list").iter().take(4) {
        stream.push_event(&event.to_string()).expect("an event");
    }
    let progress = stream.so_far();
    assert_eq!((progress.output_chars, progress.events, progress.is_final), (7, 4, false));
    assert_eq!(progress.usage.expect("known").get(TokenKind::Input).get(), 10);
    let aborted = stream.finish().expect("a stream");
    assert!(aborted.partial && aborted.truncated.is_none() && aborted.stop_reason.is_none());
    assert_eq!(totals(&aborted).0, 15);
}

#[test]
fn a_stream_without_usage_is_unknown_and_not_free() {
    let events = json!([{"id": "c", "choices": [{"delta": {"content": "hello"}, "finish_reason": "stop"}]}]);
    let read = extract_events(Api::OpenaiChat, &events.to_string()).expect("a stream");
    assert!(read.partial && read.usage.is_none());
    assert_eq!(read.stop_kind, Some(StopKind::End));
}

#[test]
fn tool_calls_of_a_stream_are_named_once_each_even_when_all_are_number_0() {
    let call = |index: u32, id: &str, name: Option<&str>| json!({"choices": [{"delta": {"tool_calls": [{"index": index, "id": id, "function": {"name": name, "arguments": "{}"}}]}}]});
    let events = json!([
        call(0, "a", Some("f")),
        call(0, "", None),
        call(0, "a", Some("f")),
        call(0, "b", Some("g")),
        call(1, "c", Some("f"))
    ]);
    let read = extract_events(Api::OpenaiChat, &events.to_string()).expect("a stream");
    assert_eq!(read.tools_called, ["f", "g", "f"]);
}

#[test]
fn errors_keep_their_class_and_have_no_usage() {
    for (api, body, class) in [
        (
            Api::AnthropicMessages,
            json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
            "overloaded_error",
        ),
        (
            Api::OpenaiChat,
            json!({"error": {"message": "no", "type": "insufficient_quota", "code": "insufficient_quota"}}),
            "insufficient_quota",
        ),
        (
            Api::OpenaiResponses,
            json!({"error": {"message": "no", "type": null, "code": "rate_limit_exceeded"}}),
            "rate_limit_exceeded",
        ),
        (
            Api::GoogleGenerateContent,
            json!({"error": {"code": 429, "message": "no", "status": "RESOURCE_EXHAUSTED"}}),
            "RESOURCE_EXHAUSTED",
        ),
        (
            Api::BedrockConverse,
            json!({"__type": "com.amazon.coral.service#ThrottlingException", "message": "no"}),
            "ThrottlingException",
        ),
        (
            Api::MistralChat,
            json!({"object": "error", "message": "no", "type": "invalid_request_error", "code": 1500}),
            "invalid_request_error",
        ),
        (Api::CohereChat, json!({"message": "invalid api token"}), "error"),
        (Api::OllamaChat, json!({"error": "model 'x' not found"}), "error"),
    ] {
        let read = extract(api, &body.to_string()).expect("an error body");
        assert_eq!(read.error.as_deref(), Some(class), "{api}");
        assert!(read.usage.is_none() && !read.partial);
    }
    let events = json!([{"type": "message_start", "message": {"usage": {"input_tokens": 10, "output_tokens": 1}}}, {"type": "error", "error": {"type": "overloaded_error"}}]);
    let read = extract_events(Api::AnthropicMessages, &events.to_string()).expect("a stream");
    assert_eq!(read.error.as_deref(), Some("overloaded_error"));
    assert!(read.partial);
    assert_eq!(totals(&read).0, 10);
}

#[test]
fn truncated_is_said_in_every_providers_words_and_unknown_without_any() {
    let anthropic = |stop: Value| {
        extract(Api::AnthropicMessages, &json!({"type": "message", "content": [], "stop_reason": stop}).to_string())
            .expect("a body")
    };
    assert_eq!(anthropic(json!("max_tokens")).truncated, Some(true));
    assert_eq!(anthropic(json!("model_context_window_exceeded")).truncated, Some(true));
    assert_eq!(anthropic(json!("end_turn")).truncated, Some(false));
    assert_eq!(anthropic(Value::Null).truncated, None);
    let body = json!({"choices": [{"finish_reason": "stop"}, {"finish_reason": "length"}]}).to_string();
    assert_eq!(
        extract(Api::OpenaiChat, &body).expect("a body").truncated,
        Some(true),
        "one of two answers was cut off"
    );
    let body =
        json!({"object": "response", "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}})
            .to_string();
    let read = extract(Api::OpenaiResponses, &body).expect("a body");
    assert_eq!((read.truncated, read.stop_reason.as_deref()), (Some(true), Some("max_output_tokens")));
    let body = json!({"candidates": [{"finishReason": "MAX_TOKENS"}]}).to_string();
    assert_eq!(extract(Api::GoogleGenerateContent, &body).expect("a body").truncated, Some(true));
}

#[test]
fn the_limit_of_the_request_gives_utilization_and_shows_what_cannot_be() {
    let read = |output: u32, stop: &str, limit: u32| {
        let body = json!({"type": "message", "content": [], "stop_reason": stop, "usage": {"input_tokens": 1, "output_tokens": output}});
        extract(Api::AnthropicMessages, &body.to_string()).expect("a body").with_max_tokens(limit.into())
    };
    let done = read(18_456, "end_turn", 20_000);
    assert_eq!(done.utilization, Some(0.9228));
    assert!(done.warnings.is_empty());
    assert_eq!(read(3_262, "max_tokens", 20_000).warnings, [Warning::StoppedBelowMaxTokens]);
    assert_eq!(read(4_001, "max_tokens", 4_000).warnings, [Warning::OutputAboveMaxTokens]);
    assert!(read(4_000, "max_tokens", 4_000).warnings.is_empty());
    assert_eq!(read(1, "max_tokens", 0).utilization, None, "nothing is divided by 0");
}

#[test]
fn every_version_of_the_ai_sdk_is_read() {
    let read = |body: Value| extract(Api::AiSdk, &body.to_string());
    let v4 = read(json!({"text": "x", "finishReason": "stop", "usage": {"promptTokens": 9, "completionTokens": 2, "totalTokens": 11}, "response": {"id": "r", "modelId": "m"}})).expect("v4");
    assert_eq!((totals(&v4), v4.id.as_deref(), v4.model.as_deref()), ((9, 2), Some("r"), Some("m")));
    let v5 = read(json!({"inputTokens": 100, "outputTokens": 20, "totalTokens": 120, "cachedInputTokens": 60, "reasoningTokens": 5})).expect("v5");
    assert_eq!((totals(&v5), kind(&v5, TokenKind::Input), kind(&v5, TokenKind::Reasoning)), ((100, 20), 40, 5));
    let v5 = read(
        json!({"text": "x", "usage": {"inputTokens": 5, "outputTokens": 20, "totalTokens": 25, "cachedInputTokens": 60},
        "providerMetadata": {"anthropic": {"cacheCreationInputTokens": 7}}}),
    )
    .expect("v5 with Anthropic's exclusive number");
    assert_eq!((totals(&v5), kind(&v5, TokenKind::Input), kind(&v5, TokenKind::CacheWrite)), ((72, 20), 5, 7));
    let v6 = read(json!({"text": "x", "usage": {"inputTokens": 72, "inputTokenDetails": {"noCacheTokens": 5, "cacheReadTokens": 60, "cacheWriteTokens": 7},
        "outputTokens": 20, "outputTokenDetails": {"textTokens": 15, "reasoningTokens": 5}, "totalTokens": 92}})).expect("v6");
    assert_eq!((totals(&v6), kind(&v6, TokenKind::Output)), ((72, 20), 15));
    let provider = read(json!({"content": [], "finishReason": {"unified": "stop", "raw": "end_turn"}, "usage": {"inputTokens": {"total": 72, "noCache": 5, "cacheRead": 60, "cacheWrite": 7},
        "outputTokens": {"total": 20, "text": 15, "reasoning": 5}}})).expect("v6 at the provider level");
    assert_eq!((totals(&provider), kind(&provider, TokenKind::Input)), ((72, 20), 5));
    assert_eq!(provider.stop_reason.as_deref(), Some("stop"));
    let wrong =
        json!({"inputTokens": 5, "inputTokenDetails": {"noCacheTokens": 5, "cacheReadTokens": 60}, "outputTokens": 1});
    assert!(read(wrong).expect_err("65 of 5").message().contains("cache_read 60"));
    let stream = json!([{"type": "response-metadata", "id": "r", "modelId": "m"}, {"type": "text-delta", "delta": "abc"}, {"type": "tool-call", "toolName": "f"},
        {"type": "finish", "finishReason": "tool-calls", "totalUsage": {"inputTokens": 3, "outputTokens": 4, "totalTokens": 7}}]);
    let read = extract_events(Api::AiSdk, &stream.to_string()).expect("a stream");
    assert_eq!((totals(&read), read.stop_kind, read.partial), ((3, 4), Some(StopKind::ToolUse), false));
    assert_eq!(read.tools_called, ["f"]);
}

#[test]
fn steps_of_the_ai_sdk_are_the_calls_of_the_run() {
    let step = |input: u32, tool: &str| json!({"usage": {"inputTokens": input, "outputTokens": 1}, "toolCalls": [{"toolName": tool}], "response": {"modelId": "m"}});
    let body = json!({"text": "x", "totalUsage": {"inputTokens": 30, "outputTokens": 2, "totalTokens": 32}, "usage": {"inputTokens": 20, "outputTokens": 1},
        "steps": [step(10, "f"), step(20, "g")], "toolCalls": [{"toolName": "g"}]});
    let read = extract(Api::AiSdk, &body.to_string()).expect("a run");
    assert_eq!(totals(&read), (30, 2));
    assert_eq!(read.tools_called, ["f", "g"]);
    assert_eq!(read.iterations.iter().map(|step| step.usage.get(TokenKind::Input).get()).collect::<Vec<_>>(), [10, 20]);
}

#[test]
fn embeddings_have_an_input_and_no_output() {
    let body = json!({"object": "list", "data": [{"embedding": [0.1, 0.2]}], "model": "text-embedding-3-small", "usage": {"prompt_tokens": 8, "total_tokens": 8}});
    let read = extract(Api::OpenaiEmbeddings, &body.to_string()).expect("a body");
    assert_eq!(totals(&read), (8, 0));
    assert!(!read.partial);
}

#[test]
fn server_side_searches_are_counted() {
    let body = json!({"object": "response", "status": "completed", "output": [{"type": "web_search_call", "action": {"type": "search"}},
        {"type": "web_search_call", "action": {"type": "open_page"}}, {"type": "function_call", "name": "f"}], "usage": {"input_tokens": 1, "output_tokens": 1}});
    let read = extract(Api::OpenaiResponses, &body.to_string()).expect("a body");
    assert_eq!(read.usage.as_ref().expect("stated").server_tool_requests["web_search"].get(), 1);
    assert_eq!((read.stop_kind, read.server_tools_called.len()), (Some(StopKind::ToolUse), 2));
}
