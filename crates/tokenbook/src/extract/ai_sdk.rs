//! Results of the Vercel AI SDK: what `generateText` and `streamText` hand out, or their usage object alone.
//!
//! Version 6 states `inputTokens` with its parts (`noCacheTokens`, `cacheReadTokens`, `cacheWriteTokens`), as an object
//! at the provider level; version 5 states `inputTokens` with `cachedInputTokens` in it, except with Anthropic, whose
//! exclusive number it passes on; version 4 states `promptTokens` and `completionTokens` (documented at
//! <https://ai-sdk.dev/docs/reference/ai-sdk-core/generate-text>; no recorded answers were at hand to check). With
//! Gemini, version 5 leaves reasoning out of `outputTokens` and has it in the total.

use super::draft::{Draft, error_class};
use super::json::{Flag, Index, List, Maybe, Present, Raw, Text, When, parse, pick};
use super::openai_chat::Sums;
use super::split::split_writes;
use super::tree::{Node, Object};
use super::{Iteration, Reading, contradiction, sum};
use crate::error::Result;
use crate::quantity::Count;

/// The AI SDK's `inputTokens` includes the cache, except version 5 with Anthropic.
pub(super) const INPUT_INCLUDES_CACHE: bool = true;

pick! { Outcome {
    finish_reason: Reason<'a> = "finishReason",
    usage: Raw<'a> = "usage",
    total_usage: Raw<'a> = "totalUsage",
    calls: List<Call<'a>> = "toolCalls",
    response: Response<'a> = "response",
    metadata: Metadata<'a> = "providerMetadata" | "experimental_providerMetadata",
    steps: List<Step<'a>> = "steps",
    text: Present = "text" | "content" | "object" | "embedding" | "embeddings",
    input: Present = "inputTokens" | "promptTokens",
    output: Present = "outputTokens" | "completionTokens",
    tokens: Present = "tokens",
} }

pick! { Step {
    calls: List<Call<'a>> = "toolCalls",
    response: Response<'a> = "response",
    usage: Raw<'a> = "usage",
} }

pick! { Call {
    name: Text<'a> = "toolName",
    by_provider: Flag = "providerExecuted",
} }

pick! { Response {
    id: Text<'a> = "id",
    model: Text<'a> = "modelId",
    timestamp: When = "timestamp",
} }

pick! { Metadata {
    anthropic: Maybe<Anthropic<'a>> = "anthropic",
} }

pick! { Anthropic {
    written: Index = "cacheCreationInputTokens",
} }

pick! { Part {
    kind: Text<'a> = "type",
    finish_reason: Reason<'a> = "finishReason",
    usage: Raw<'a> = "usage",
    total_usage: Raw<'a> = "totalUsage",
    response: Response<'a> = "response",
    metadata: Metadata<'a> = "providerMetadata",
    name: Text<'a> = "toolName",
    by_provider: Flag = "providerExecuted",
    id: Text<'a> = "id",
    model: Text<'a> = "modelId",
    timestamp: When = "timestamp",
    text: Text<'a> = "text" | "delta" | "textDelta",
    error: Raw<'a> = "error",
} }

/// A finish reason: a word, or at the provider level of version 6 an object with the provider's own word.
#[derive(Debug, Default)]
struct Reason<'a>(Text<'a>);

pick! { ReasonObject {
    unified: Text<'a> = "unified",
} }

impl<'de: 'a, 'a> serde::Deserialize<'de> for Reason<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Raw::deserialize(deserializer)?;
        let text = raw.0.unwrap_or("null");
        if text.starts_with('{') {
            return Ok(Self(parse::<ReasonObject<'a>>(text).map(|reason| reason.unified).unwrap_or_default()));
        }
        Ok(Self(parse(text).unwrap_or_default()))
    }
}

impl Draft {
    fn sdk_call(&mut self, name: &Text<'_>, by_provider: Flag) {
        let into = if by_provider.0 { &mut self.server_tools } else { &mut self.tools };
        into.extend(name.owned());
    }

    fn sdk_response(&mut self, response: &Response<'_>) {
        if let Some(id) = response.id.owned() {
            self.id = Some(id);
        }
        if let Some(model) = response.model.owned() {
            self.model = Some(model);
        }
        self.created_at = response.timestamp.0.or(self.created_at);
    }

    fn sdk_metadata(&mut self, metadata: &Metadata<'_>) -> Result<()> {
        if let Some(anthropic) = &metadata.anthropic.0 {
            self.exclusive = true;
            self.written = Count::new(anthropic.written.0.unwrap_or_default())?;
        }
        Ok(())
    }
}

pub(super) fn body(draft: &mut Draft, json: &str) -> Result<Option<&'static str>> {
    let outcome: Outcome<'_> = parse(json)?;
    if outcome.input.0 || outcome.output.0 {
        draft.usage = Some(json.to_owned());
        return Ok(None);
    }
    let usage = outcome.total_usage.0.or(outcome.usage.0);
    if usage.is_none() && !(outcome.text.0 || outcome.finish_reason.0.get().is_some()) {
        return Ok(Some("`usage`"));
    }
    draft.stop = outcome.finish_reason.0.owned();
    draft.sdk_metadata(&outcome.metadata)?;
    if outcome.steps.0.len() > 1 {
        for step in &outcome.steps.0 {
            draft.sdk_response(&step.response);
            for call in &step.calls.0 {
                draft.sdk_call(&call.name, call.by_provider);
            }
            draft.steps.push((step.response.model.owned(), step.usage.0.map(str::to_owned)));
        }
        // The metadata is the last step's and says nothing of the sum.
        draft.written = Count::ZERO;
    } else {
        for call in &outcome.calls.0 {
            draft.sdk_call(&call.name, call.by_provider);
        }
    }
    draft.sdk_response(&outcome.response);
    draft.take_usage(usage);
    Ok(None)
}

pub(super) fn event(draft: &mut Draft, json: &str) -> Result<()> {
    let part: Part<'_> = parse(json)?;
    match part.kind.get() {
        Some("tool-call") => draft.sdk_call(&part.name, part.by_provider),
        Some("text-delta" | "reasoning-delta" | "reasoning" | "text") => draft.hear(&part.text),
        Some("response-metadata") => {
            let Part { id, model, timestamp, .. } = part;
            draft.sdk_response(&Response { id, model, timestamp, ..Response::default() });
        }
        Some(kind @ ("finish-step" | "step-finish" | "finish")) => {
            draft.sdk_response(&part.response);
            draft.sdk_metadata(&part.metadata)?;
            if let Some(reason) = part.finish_reason.0.owned() {
                draft.stop = Some(reason);
            }
            draft.take_usage(part.total_usage.0.or(part.usage.0));
            draft.is_final = kind == "finish" && draft.usage.is_some();
        }
        Some("error") => draft.error = Some(part.error.0.map_or_else(|| "error".to_owned(), error_class)),
        _ => {}
    }
    Ok(())
}

pub(super) fn read(draft: &Draft, usage: Object<'_, '_>) -> Result<Reading> {
    let mut reading = read_one(draft, usage)?;
    for (model, raw) in &draft.steps {
        let Some(raw) = raw else { continue };
        let node: Node<'_> = parse(raw)?;
        if let Some(step) = Object::new(&node, "steps[].usage")? {
            let usage = read_one(draft, step)?.usage;
            reading.iterations.push(Iteration { kind: "step".to_owned(), model: model.clone(), usage, billed: true });
        }
    }
    Ok(reading)
}

/// The parts of an input or output that is an object.
const PARTS: [&str; 6] = ["total", "noCache", "cacheRead", "cacheWrite", "text", "reasoning"];

fn read_one(draft: &Draft, usage: Object<'_, '_>) -> Result<Reading> {
    let mut reading = Reading::default();
    let nested = |key, path| match usage.get(key) {
        Some(Node::Object(_)) => {
            let parts = usage.object(key, path)?;
            let has = |parts: &Object<'_, '_>| PARTS.iter().any(|part| parts.get(part).is_some());
            Ok(parts.filter(has))
        }
        _ => Ok(None),
    };
    let whole = |key: &str, inside: Option<Object<'_, '_>>| match inside {
        Some(inside) => inside.count("total"),
        None => usage.count(key),
    };
    let (input_parts, output_parts) =
        (nested("inputTokens", "usage.inputTokens")?, nested("outputTokens", "usage.outputTokens")?);
    let input = match whole("inputTokens", input_parts)? {
        None if matches!(usage.get("tokens"), Some(Node::Whole(_))) => usage.count("tokens")?, // An embedding.
        None => usage.count("promptTokens")?,
        some => some,
    };
    let output = match whole("outputTokens", output_parts)? {
        None => usage.count("completionTokens")?,
        some => some,
    };
    let input_details = match input_parts {
        None => usage.object("inputTokenDetails", "usage.inputTokenDetails")?,
        some => some,
    };
    let output_details = match output_parts {
        None => usage.object("outputTokenDetails", "usage.outputTokenDetails")?,
        some => some,
    };
    let within =
        |object: Option<Object<'_, '_>>, keys: &[&str]| object.map_or(Ok(None), |object| object.count_of(keys));
    let fresh = within(input_details, &["noCacheTokens", "noCache"])?;
    let read = within(input_details, &["cacheReadTokens", "cacheRead"])?;
    let written = within(input_details, &["cacheWriteTokens", "cacheWrite"])?;
    let has_parts = fresh.is_some() || read.is_some() || written.is_some();
    let cached = match read {
        None => usage.detail("cachedInputTokens")?,
        Some(read) => read,
    };
    let written = written.unwrap_or(if has_parts { Count::ZERO } else { draft.written });
    if let (Some(input), Some(fresh)) = (input, fresh)
        && sum([fresh, cached, written])? != input
    {
        let numbers = [("input", input), ("no_cache", fresh), ("cache_read", cached), ("cache_write", written)];
        return Err(contradiction("the parts of the input don't add up to it", &numbers));
    }
    split_writes(&mut reading, Some(written), &[])?;
    let reasoning = match within(output_details, &["reasoningTokens", "reasoning"])? {
        None => usage.detail("reasoningTokens")?,
        Some(reasoning) => reasoning,
    };
    Sums {
        input,
        output,
        total: usage.count("totalTokens")?,
        cached,
        written,
        reasoning,
        cache_outside: draft.exclusive && !has_parts,
        ..Sums::default()
    }
    .settle(&mut reading)?;
    Ok(reading)
}
