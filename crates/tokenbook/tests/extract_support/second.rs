//! Reads a recorded response a second way, out of plain JSON values.

use serde_json::Value;

pub(crate) fn text<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value[key].as_str().filter(|text| !text.is_empty())
}

fn number(value: &Value, path: &str) -> u64 {
    value.pointer(path).and_then(Value::as_u64).unwrap_or(0)
}

/// The totals of input and output that a recorded usage states, and the tokens read from a cache.
pub(crate) fn expected(record: &Value) -> (u64, Option<u64>, u64) {
    let usage = &record["usage"];
    let n = |path| number(usage, path);
    match text(record, "api").expect("an API") {
        "anthropic.messages" | "bedrock.invoke.anthropic" | "vertex.rawPredict.anthropic" => {
            let read = n("/cache_read_input_tokens");
            (n("/input_tokens") + read + n("/cache_creation_input_tokens"), Some(n("/output_tokens")), read)
        }
        "anthropic.count_tokens" => (n("/input_tokens"), None, 0),
        "openai.responses" => (n("/input_tokens"), Some(n("/output_tokens")), n("/input_tokens_details/cached_tokens")),
        "openai.chat" | "mistral.chat" | "openai.completions" => chat(usage),
        "google.generateContent" => (
            n("/promptTokenCount") + n("/toolUsePromptTokenCount"),
            Some(n("/candidatesTokenCount") + n("/thoughtsTokenCount")),
            n("/cachedContentTokenCount"),
        ),
        "google.countTokens" => (n("/totalTokens"), None, 0),
        "bedrock.converse" => {
            let read = n("/cacheReadInputTokens");
            (n("/inputTokens") + read + n("/cacheWriteInputTokens"), usage["outputTokens"].as_u64(), read)
        }
        "cohere.chat" if usage.get("tokens").is_some() => {
            (n("/tokens/input_tokens"), Some(n("/tokens/output_tokens")), n("/cached_tokens"))
        }
        "cohere.chat" => (n("/billed_units/input_tokens"), Some(n("/billed_units/output_tokens")), 0),
        "ollama.chat" => (n("/prompt_eval_count"), Some(n("/eval_count")), 0),
        other => panic!("{other} is not in the ground truth's list"),
    }
}

/// Chat completions, where the total says what `completion_tokens` and `prompt_tokens` leave out.
fn chat(usage: &Value) -> (u64, Option<u64>, u64) {
    let n = |path| number(usage, path);
    let (input, output, total) = (n("/prompt_tokens"), n("/completion_tokens"), n("/total_tokens"));
    let reasoning = n("/completion_tokens_details/reasoning_tokens").max(n("/reasoning_tokens"));
    let cached = n("/prompt_tokens_details/cached_tokens")
        .max(n("/prompt_cache_hit_tokens"))
        .max(n("/cache_read_input_tokens"))
        .max(n("/cached_tokens"))
        .max(n("/num_cached_tokens"));
    // xAI, Vercel's gateway and Perplexity's research charge for reasoning beside the completion.
    let beside =
        total == input + output + reasoning || usage.get("market_cost").is_some() || n("/reasoning_tokens") > output;
    let output = if beside { output + reasoning } else { output };
    if total == input + n("/completion_tokens") + cached {
        return (input + cached, Some(output), cached); // A host whose input leaves the cache out.
    }
    (input, Some(output), cached.min(input))
}

/// The id, model, stop reason and client tools of a response.
pub(crate) type Head = (Option<String>, Option<String>, Option<String>, Vec<String>);

/// Reads the head of a response a second way.
pub(crate) fn head(record: &Value) -> Head {
    let response = &record["response"];
    let events = response.as_array().map_or(std::slice::from_ref(response), Vec::as_slice);
    match text(record, "api").expect("an API") {
        "anthropic.messages" | "bedrock.invoke.anthropic" | "vertex.rawPredict.anthropic" => {
            anthropic(events, response)
        }
        "openai.responses" => responses(events, response),
        "openai.chat" | "mistral.chat" | "openai.completions" => completions(events, response),
        "google.generateContent" => google(events, response),
        "bedrock.converse" => converse(events, response),
        "cohere.chat" => cohere(events, response),
        "ollama.chat" => ollama(events, response),
        _ => (None, None, None, Vec::new()),
    }
}

fn names(list: Vec<&Value>) -> Vec<String> {
    list.into_iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn first(events: &[Value], key: &str) -> Option<String> {
    events.iter().find_map(|event| text(event, key)).map(str::to_owned)
}

fn anthropic(events: &[Value], response: &Value) -> Head {
    let message =
        events.iter().find(|event| event["type"] == "message_start").map_or(response, |event| &event["message"]);
    let blocks = message["content"].as_array().into_iter().flatten();
    let blocks = blocks.chain(events.iter().map(|event| &event["content_block"]));
    let tools = names(blocks.filter(|block| block["type"] == "tool_use").map(|block| &block["name"]).collect());
    let delta = events
        .iter()
        .filter(|event| event["type"] == "message_delta")
        .find_map(|event| text(&event["delta"], "stop_reason"));
    let stop = delta.or_else(|| text(message, "stop_reason"));
    (text(message, "id").map(str::to_owned), text(message, "model").map(str::to_owned), stop.map(str::to_owned), tools)
}

fn responses(events: &[Value], response: &Value) -> Head {
    let whole =
        events.iter().rev().find(|event| event.get("usage").is_some() || event["response"]["usage"].is_object());
    let whole = whole.map_or(response, |event| event.get("response").unwrap_or(event));
    let mut items: Vec<&Value> = whole["output"].as_array().into_iter().flatten().collect();
    if items.is_empty() {
        items = events
            .iter()
            .filter(|event| event["type"] == "response.output_item.done")
            .map(|event| &event["item"])
            .collect();
    }
    let tools = items.iter().filter_map(|item| match item["type"].as_str() {
        Some("function_call" | "custom_tool_call") => text(item, "name"),
        Some("computer_call") => Some("computer"),
        _ => None,
    });
    let stop = text(&whole["incomplete_details"], "reason").or_else(|| text(whole, "status"));
    let tools = tools.map(str::to_owned).collect();
    (text(whole, "id").map(str::to_owned), text(whole, "model").map(str::to_owned), stop.map(str::to_owned), tools)
}

fn completions(events: &[Value], _: &Value) -> Head {
    let choices = || events.iter().flat_map(|event| event["choices"].as_array().into_iter().flatten());
    let stop = choices().find_map(|choice| text(choice, "finish_reason"));
    let calls = choices().flat_map(|choice| {
        let message = choice.get("message").or_else(|| choice.get("delta")).unwrap_or(&Value::Null);
        let calls = message["tool_calls"].as_array().into_iter().flatten().map(|call| &call["function"]["name"]);
        calls.chain([&message["function_call"]["name"]])
    });
    let tools = names(calls.filter(|name| name.as_str().is_some_and(|name| !name.is_empty())).collect());
    (first(events, "id"), first(events, "model"), stop.map(str::to_owned), tools)
}

fn google(events: &[Value], _: &Value) -> Head {
    let candidates = || events.iter().flat_map(|event| event["candidates"].as_array().into_iter().flatten());
    let mut stop = candidates().filter_map(|candidate| match &candidate["finishReason"] {
        Value::String(word) => Some(word.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    });
    let parts = candidates().flat_map(|candidate| candidate["content"]["parts"].as_array().into_iter().flatten());
    (
        first(events, "responseId"),
        first(events, "modelVersion"),
        stop.next_back(),
        names(parts.map(|part| &part["functionCall"]["name"]).collect()),
    )
}

fn converse(events: &[Value], response: &Value) -> Head {
    let stop =
        events.iter().find_map(|event| text(event, "stopReason").or_else(|| text(&event["messageStop"], "stopReason")));
    let blocks = response["output"]["message"]["content"].as_array().into_iter().flatten();
    let blocks = blocks.chain(events.iter().map(|event| &event["contentBlockStart"]["start"]));
    (None, None, stop.map(str::to_owned), names(blocks.map(|block| &block["toolUse"]["name"]).collect()))
}

fn cohere(events: &[Value], response: &Value) -> Head {
    let whole = events.iter().find_map(|event| event.get("response")).unwrap_or(&events[0]);
    let id = text(whole, "id").or_else(|| text(whole, "response_id"));
    let stop =
        events.iter().find_map(|event| text(event, "finish_reason").or_else(|| text(&event["delta"], "finish_reason")));
    let calls = response["message"]["tool_calls"].as_array().into_iter().flatten();
    let calls = calls.chain(whole["tool_calls"].as_array().into_iter().flatten());
    let starts = events
        .iter()
        .filter(|event| event["type"] == "tool-call-start")
        .map(|event| &event["delta"]["message"]["tool_calls"]);
    let tools = calls.chain(starts).map(|call| call["function"].get("name").unwrap_or(&call["name"]));
    (id.map(str::to_owned), None, stop.map(str::to_owned), names(tools.collect()))
}

fn ollama(events: &[Value], _: &Value) -> Head {
    let calls = events.iter().flat_map(|event| event["message"]["tool_calls"].as_array().into_iter().flatten());
    (
        None,
        first(events, "model"),
        first(events, "done_reason"),
        names(calls.map(|call| &call["function"]["name"]).collect()),
    )
}
