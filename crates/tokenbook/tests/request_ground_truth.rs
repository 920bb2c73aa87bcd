//! Counted requests against what providers measured, on recorded calls.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokenbook::request::{Exactness, RequestCount, count_request};
use tokenbook::{Api, Count, TokenKind, Usage, attribute};

/// A recorded call; the request as it was written, as the order of its keys is counted too.
#[derive(Deserialize)]
struct Record {
    api: Api,
    provider: String,
    model: Option<String>,
    flags: Vec<String>,
    request: Box<RawValue>,
    usage: Value,
}

struct Counted {
    record: Record,
    count: RequestCount,
    measured: u64,
}

/// Flags of requests whose size the provider alone knows.
const HIDDEN: &[&str] = &[
    "builtin_tool",
    "server_tool",
    "deferred_tools",
    "tool_reference",
    "mcp_servers",
    "container",
    "context_management",
    "compaction",
    "programmatic_tools",
    "document_text",
    "citations",
    "search_result",
    "hidden_input",
    "audio",
    "suspect_too",
    "iterations",
];

fn folder() -> PathBuf {
    std::env::var_os("TOKENBOOK_GROUND_TRUTH").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/ground-truth")),
        PathBuf::from,
    )
}

/// Every recorded call with a measured input, identical ones once; or nothing with a printed reason.
fn counted() -> Option<Vec<Counted>> {
    let Ok(file) = std::fs::File::open(folder().join("usage.jsonl.gz")) else {
        #[expect(clippy::print_stdout, reason = "says why nothing was tested")]
        {
            println!("skipped: no ground truth at {}", folder().display());
        }
        return None;
    };
    let mut seen = BTreeSet::new();
    let mut all = Vec::new();
    for line in BufReader::new(flate2::read::GzDecoder::new(file)).lines() {
        let record: Record = serde_json::from_str(&line.expect("text")).expect("a record");
        let Some(measured) = measured(&record).filter(|&tokens| tokens > 0) else { continue };
        let Some(model) = record.model.clone() else { continue };
        if !seen.insert((record.api, model.clone(), record.request.get().to_owned(), measured)) {
            continue;
        }
        let body = record.request.get().as_bytes();
        // Vertex AI counts otherwise, and a caller knows that it is asked.
        let at_vertex = record.provider == "vertex" && record.api == Api::GoogleGenerateContent;
        let model = if at_vertex { format!("publishers/google/models/{model}") } else { model };
        let count = count_request(record.api, body, Some(&model)).expect("every recorded body is counted");
        all.push(Counted { record, count, measured });
    }
    Some(all)
}

fn measured(record: &Record) -> Option<u64> {
    let sum = |keys: &[&str]| keys.iter().map(|key| record.usage[key].as_u64().unwrap_or(0)).sum::<u64>();
    match record.api {
        Api::BedrockConverse => Some(sum(&["inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens"])),
        Api::GoogleGenerateContent => record.usage["promptTokenCount"].as_u64(),
        Api::OllamaChat => {
            record.usage["prompt_eval_count"].as_u64().or_else(|| record.usage["prompt_tokens"].as_u64())
        }
        Api::CohereChat => {
            let tokens = |kind: &str| record.usage[kind]["input_tokens"].as_u64();
            tokens("tokens").or_else(|| tokens("billed_units"))
        }
        Api::MistralChat => record.usage["prompt_tokens"].as_u64(),
        Api::OpenaiChat | Api::OpenaiResponses => {
            record.usage["prompt_tokens"].as_u64().or_else(|| record.usage["input_tokens"].as_u64())
        }
        Api::AnthropicMessages
        | Api::AnthropicCountTokens
        | Api::BedrockInvokeAnthropic
        | Api::VertexRawPredictAnthropic => {
            Some(sum(&["input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"]))
        }
        _ => None,
    }
}

impl Counted {
    fn is_plain(&self) -> bool {
        let hidden = |flag: &String| HIDDEN.iter().any(|start| flag.starts_with(start));
        self.count.exactness != Exactness::LowerBound && !self.record.flags.iter().any(hidden)
    }

    fn has_tools(&self) -> bool {
        let request: Value = serde_json::from_str(self.record.request.get()).expect("JSON");
        let some = |key: &str| request[key].as_array().is_some_and(|list| !list.is_empty());
        some("tools") || some("functions") || !request["toolConfig"].is_null()
    }

    fn is_claude(&self) -> bool {
        let model = self.record.model.as_deref().unwrap_or_default();
        let api = matches!(
            self.record.api,
            Api::AnthropicMessages
                | Api::AnthropicCountTokens
                | Api::BedrockInvokeAnthropic
                | Api::VertexRawPredictAnthropic
        );
        api && !model.contains("claude-2") && !model.contains("claude-v2")
    }

    fn is_new(&self) -> bool {
        let model = self.record.model.as_deref().unwrap_or_default();
        ["opus-4-7", "opus-4-8", "opus-5", "sonnet-5", "fable-5"].iter().any(|name| model.contains(name))
    }

    /// The relative error in thousandths.
    fn error(&self) -> u64 {
        self.count.input_tokens.get().abs_diff(self.measured) * 1000 / self.measured
    }
}

/// Marks of requests that hold more than text, or whose texts were taken out of the recording.
const NOT_TEXT: &[&str] = &[
    "\"image_url\"",
    "\"input_image\"",
    "\"input_audio\"",
    "\"input_file\"",
    "\"inlineData\"",
    "\"fileData\"",
    "attachment://",
];

/// The share of the items, in percent.
fn share<'a>(items: &[&'a Counted], holds: impl Fn(&&'a Counted) -> bool) -> usize {
    items.iter().copied().filter(|item| holds(item)).count() * 100 / items.len()
}

/// Bounds in thousandths: measured there, with a little room.
fn bounded(name: &str, group: &[&Counted], median: u64, p90: u64) {
    assert!(group.len() > 20, "{name}: only {} requests", group.len());
    let mut errors: Vec<u64> = group.iter().map(|item| item.error()).collect();
    errors.sort_unstable();
    let at = |percent: usize| errors[errors.len() * percent / 100];
    assert!(at(50) <= median, "{name}: median error {} thousandths", at(50));
    assert!(at(90) <= p90, "{name}: 90th percentile of the error {} thousandths", at(90));
    let holds = share(group, |item| (item.count.low.get()..=item.count.high.get()).contains(&item.measured));
    assert!(holds >= 90, "{name}: the band holds {holds} % of the measured counts");
}

#[test]
fn parts_and_attribution_sum_exactly_on_every_recorded_request() {
    let Some(all) = counted() else { return };
    for item in &all {
        let sum = item.count.parts.iter().map(|part| part.tokens.get()).sum::<u64>();
        assert_eq!(sum + item.count.framing_tokens.get(), item.count.input_tokens.get());
        assert!(item.count.low <= item.count.input_tokens && item.count.input_tokens <= item.count.high);
        let usage = Usage::default().with(TokenKind::Input, Count::new(item.measured).expect("small"));
        let attribution = attribute(&item.count, &usage).expect("small counts");
        let sum = attribution.parts.iter().map(|part| part.tokens.get()).sum::<u64>();
        assert_eq!(sum + attribution.framing_tokens.get(), item.measured);
    }
}

#[test]
fn claude_requests_are_estimated_within_their_bounds() {
    let Some(all) = counted() else { return };
    let group = |new: bool, tools: bool| -> Vec<&Counted> {
        let wanted =
            |item: &&Counted| item.is_plain() && item.is_claude() && item.is_new() == new && item.has_tools() == tools;
        all.iter().filter(wanted).collect()
    };
    bounded("Claude 3 to 4.6 without tools", &group(false, false), 8, 40);
    bounded("Claude 3 to 4.6 with tools", &group(false, true), 4, 15);
    bounded("newer Claude without tools", &group(true, false), 5, 25);
    bounded("newer Claude with tools", &group(true, true), 6, 25);
}

/// The family that a request was counted for, as far as the recordings tell families apart.
fn family(item: &Counted) -> Option<String> {
    let model = item.record.model.as_deref().unwrap_or_default();
    if let Some(at) = model.find("claude-") {
        let name: Vec<&str> = model[at..].split(['-', '.', '@', ':']).take(4).filter(|word| word.len() < 8).collect();
        return Some(name.join(" "));
    }
    let fitted = item.count.reason.as_deref()?.strip_prefix("counted by figures fitted for ")?;
    Some(fitted.trim_end_matches(" models").to_owned())
}

#[test]
fn bands_hold_nine_of_ten_requests_of_each_family() {
    let Some(all) = counted() else { return };
    let mut families: BTreeMap<(String, bool), Vec<&Counted>> = BTreeMap::new();
    for item in all.iter().filter(|item| item.is_plain()) {
        if let Some(name) =
            family(item).filter(|_| !NOT_TEXT.iter().any(|mark| item.record.request.get().contains(mark)))
        {
            families.entry((name, item.has_tools())).or_default().push(item);
        }
    }
    // A few requests say nothing of nine in ten.
    families.retain(|_, group| group.len() >= 10);
    assert!(families.len() >= 30, "only {} groups", families.len());
    let held =
        |group: &Vec<&Counted>| share(group, |item| (item.count.low..=item.count.high).contains(&count(item.measured)));
    let missed: Vec<String> = families
        .iter()
        .filter(|(_, group)| held(group) < 90)
        .map(|((name, tools), group)| format!("{name}, tools {tools}: {} % of {}", held(group), group.len()))
        .collect();
    assert!(missed.is_empty(), "{missed:#?}");
}

fn count(tokens: u64) -> Count {
    Count::new(tokens).expect("small")
}

#[test]
fn openai_requests_are_counted_within_their_bounds() {
    let Some(all) = counted() else { return };
    let official = |item: &&Counted| {
        let model = item.record.model.as_deref().unwrap_or_default();
        item.is_plain()
            && matches!(item.record.provider.as_str(), "openai" | "azure-openai")
            && ["gpt-3.5", "gpt-4", "gpt-5", "o1", "o3", "o4"].iter().any(|family| model.starts_with(family))
            && !model.contains("search")
            && !item.record.request.get().contains("\"image_url\"")
    };
    let group = |api: Api, tools: bool| -> Vec<&Counted> {
        let wanted = |item: &&Counted| official(item) && item.record.api == api && item.has_tools() == tools;
        all.iter().filter(wanted).collect()
    };
    let chat = group(Api::OpenaiChat, false);
    bounded("OpenAI chat without tools", &chat, 0, 0);
    let right = share(&chat, |item| item.count.input_tokens.get() == item.measured);
    assert!(right >= 98, "{right} % are counted to the token");
    let claimed: Vec<&Counted> = chat.into_iter().filter(|item| item.count.exactness == Exactness::Exact).collect();
    let exact = share(&claimed, |item| item.count.input_tokens.get() == item.measured);
    assert!(exact >= 98, "{exact} % of what is called exact is");
    bounded("OpenAI chat with tools", &group(Api::OpenaiChat, true), 0, 3);
    let responses = group(Api::OpenaiResponses, false);
    bounded("OpenAI Responses without tools", &responses, 0, 0);
    let right = share(&responses, |item| item.count.input_tokens.get() == item.measured);
    assert!(right >= 98, "{right} % of Responses without tools are counted to the token");
    bounded("OpenAI Responses with tools", &group(Api::OpenaiResponses, true), 0, 15);
}

#[test]
fn gemini_requests_are_counted_within_their_bounds() {
    let Some(all) = counted() else { return };
    let gemini = |item: &&Counted| {
        item.is_plain()
            && item.record.api == Api::GoogleGenerateContent
            && item.record.model.as_deref().is_some_and(|model| model.contains("gemini"))
            && !NOT_TEXT.iter().any(|mark| item.record.request.get().contains(mark))
    };
    let group = |tools: bool| -> Vec<&Counted> {
        all.iter().filter(|item| gemini(item) && item.has_tools() == tools).collect()
    };
    let texts = group(false);
    bounded("Gemini without tools", &texts, 0, 10);
    let right = share(&texts, |item| item.count.input_tokens.get() == item.measured);
    assert!(right >= 90, "{right} % of Gemini without tools are counted to the token");
    bounded("Gemini with tools", &group(true), 5, 60);
}

#[test]
fn long_texts_are_estimated_within_a_few_percent() {
    #[derive(Deserialize)]
    struct Long {
        id: String,
        text: String,
        tokens: std::collections::BTreeMap<String, u64>,
    }
    let Ok(lines) = std::fs::read_to_string(folder().join("text-counts.jsonl")) else { return };
    for line in lines.lines() {
        let text: Long = serde_json::from_str(line).expect("a text");
        for (model, &tokens) in &text.tokens {
            let count = tokenbook::request::count_text(model, &text.text).expect("a count");
            let off = count.tokens.get().abs_diff(tokens) * 1000 / tokens;
            // The newer tokenizer's vocabulary is known better.
            let bound = if model.ends_with("4-7") { 25 } else { 40 };
            assert!(off <= bound, "{} for {model}: {off} thousandths off", text.id);
        }
    }
}
