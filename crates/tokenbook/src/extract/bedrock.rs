//! Amazon Bedrock `Converse` and `ConverseStream`.
//!
//! `inputTokens` leaves out `cacheReadInputTokens` and `cacheWriteInputTokens`; `totalTokens` includes them
//! (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html>, read 2026-11-22; recorded
//! answers agree).

use super::draft::Draft;
use super::json::{List, Maybe, Raw, Text, parse, pick};
use super::split::split_writes;
use super::tree::Object;
use super::{Reading, contradiction, sum};
use crate::error::Result;
use crate::quantity::Count;
use crate::usage::{Side, TokenKind};

/// Converse's `inputTokens` is what was neither read from nor written to a cache.
pub(super) const INPUT_INCLUDES_CACHE: bool = false;

pick! { Response {
    output: Maybe<Output<'a>> = "output",
    stop_reason: Text<'a> = "stopReason",
    usage: Raw<'a> = "usage",
    tier: Tier<'a> = "serviceTier",
    performance: Performance<'a> = "performanceConfig",
} }

pick! { Output {
    message: Message<'a> = "message",
} }

pick! { Message {
    content: List<Block<'a>> = "content",
} }

pick! { Block {
    tool: Tool<'a> = "toolUse",
} }

pick! { Tool {
    name: Text<'a> = "name",
    kind: Text<'a> = "type",
    input: Text<'a> = "input",
} }

pick! { Tier {
    kind: Text<'a> = "type",
} }

pick! { Performance {
    latency: Text<'a> = "latency",
} }

pick! { Event {
    start: Start<'a> = "contentBlockStart",
    delta: BlockDelta<'a> = "contentBlockDelta",
    stop: Stop<'a> = "messageStop",
    metadata: Response<'a> = "metadata",
    internal: Raw<'a> = "internalServerException",
    model: Raw<'a> = "modelStreamErrorException",
    throttled: Raw<'a> = "throttlingException",
    invalid: Raw<'a> = "validationException",
    unavailable: Raw<'a> = "serviceUnavailableException",
    message: Text<'a> = "message",
} }

pick! { Start {
    start: Block<'a> = "start",
} }

pick! { BlockDelta {
    delta: Delta<'a> = "delta",
} }

pick! { Delta {
    text: Text<'a> = "text",
    tool: Tool<'a> = "toolUse",
    reasoning: Reasoning<'a> = "reasoningContent",
} }

pick! { Reasoning {
    text: Text<'a> = "text",
} }

pick! { Stop {
    reason: Text<'a> = "stopReason",
} }

impl Draft {
    fn converse_tool(&mut self, tool: &Tool<'_>) {
        let into = if tool.kind.is("server_tool_use") { &mut self.server_tools } else { &mut self.tools };
        into.extend(tool.name.owned());
    }

    fn converse_end(&mut self, response: &Response<'_>) {
        self.take_usage(response.usage.0);
        Self::keep(&mut self.service_tier, response.tier.kind.get());
        Self::keep(&mut self.speed, response.performance.latency.get());
    }
}

pub(super) fn body(draft: &mut Draft, json: &str) -> Result<Option<&'static str>> {
    let response: Response<'_> = parse(json)?;
    let Some(output) = &response.output.0 else { return Ok(Some("`output`")) };
    if response.stop_reason.get().is_none() {
        return Ok(Some("`stopReason`"));
    }
    for block in &output.message.content.0 {
        draft.converse_tool(&block.tool);
    }
    draft.stop = response.stop_reason.owned();
    draft.converse_end(&response);
    Ok(None)
}

/// The names of events and of exceptions, which stand in a header on the wire and as the one key in SDKs.
const EVENTS: [&str; 6] =
    ["messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata"];

pub(super) fn event(draft: &mut Draft, name: Option<&str>, json: &str) -> Result<()> {
    match name {
        Some(name) if EVENTS.contains(&name) => keyed(draft, &format!("{{\"{name}\":{json}}}")),
        _ => keyed(draft, json),
    }
}

fn keyed(draft: &mut Draft, json: &str) -> Result<()> {
    let event: Event<'_> = parse(json)?;
    draft.converse_tool(&event.start.start.tool);
    let delta = &event.delta.delta;
    for said in [&delta.text, &delta.tool.input, &delta.reasoning.text] {
        draft.hear(said);
    }
    if let Some(reason) = event.stop.reason.owned() {
        draft.stop = Some(reason);
    }
    draft.converse_end(&event.metadata);
    draft.is_final |= event.metadata.usage.0.is_some();
    let faults = [
        (event.internal, "internalServerException"),
        (event.model, "modelStreamErrorException"),
        (event.throttled, "throttlingException"),
        (event.invalid, "validationException"),
        (event.unavailable, "serviceUnavailableException"),
    ];
    if let Some((_, class)) = faults.iter().find(|(fault, _)| fault.0.is_some()) {
        draft.error = Some((*class).to_owned());
    } else if event.message.get().is_some() {
        draft.take_error(json)?;
    }
    Ok(())
}

const TTLS: [(&str, TokenKind); 2] = [("5m", TokenKind::CacheWrite5m), ("1h", TokenKind::CacheWrite1h)];

pub(super) fn read(usage: Object<'_, '_>) -> Result<Reading> {
    let mut reading = Reading::default();
    let input = usage.count("inputTokens")?;
    let output = usage.count("outputTokens")?;
    let read = usage.count_of(&["cacheReadInputTokens", "cacheReadInputTokenCount"])?.unwrap_or_default();
    let written = usage.count_of(&["cacheWriteInputTokens", "cacheWriteInputTokenCount"])?;
    let mut by_ttl = Vec::new();
    for node in usage.list("cacheDetails") {
        let Some(detail) = Object::new(node, "usage.cacheDetails[]")? else { continue };
        let kind = TTLS.iter().find(|(ttl, _)| detail.text("ttl") == Some(ttl)).map(|(_, kind)| *kind);
        if let Some(kind) = kind {
            by_ttl.push((kind, detail.detail("inputTokens")?));
        }
    }
    let written = split_writes(&mut reading, written, &by_ttl)?;
    reading.set(TokenKind::CacheRead, read);
    let both = sum([read, written])?;
    if let (Some(input), Some(output), Some(total)) = (input, output, usage.count("totalTokens")?)
        // Some models' totals leave the cache out.
        && !total
            .checked_sub(sum([input, output])?)
            .is_ok_and(|cache| [Count::ZERO, read, written, both].contains(&cache))
    {
        let numbers =
            [("total", total), ("input", input), ("output", output), ("cache_read", read), ("cache_written", written)];
        return Err(contradiction("the total is not the sum of its parts", &numbers));
    }
    match input {
        Some(input) => reading.set(TokenKind::Input, input),
        None => reading.lacks(Side::Input),
    }
    match output {
        Some(output) => reading.set(TokenKind::Output, output),
        None => reading.lacks(Side::Output),
    }
    Ok(reading)
}
