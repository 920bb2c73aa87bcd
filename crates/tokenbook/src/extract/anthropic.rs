//! Anthropic Messages, also through Bedrock's `InvokeModel` and Vertex AI's `rawPredict`.
//!
//! `input_tokens` leaves out both cache reads and cache writes (documented at
//! <https://platform.claude.com/docs/en/build-with-claude/prompt-caching>; recorded answers were checked 2026-11-22).
//! Thinking is part of `output_tokens`. In a stream `message_start` states the input and `message_delta` *cumulative*
//! numbers that may revise it (server tools add to the input). `cache_creation` splits the writes by time to live;
//! after server-tool loops it may cover less than `cache_creation_input_tokens` (seen in recorded answers), and the
//! rest then has an unknown one.

use super::draft::Draft;
use super::eventstream::base64;
use super::json::{List, Maybe, Raw, Text, parse, pick};
use super::split::{split_output, split_writes};
use super::tree::Object;
use super::{Iteration, Reading, contradiction};
use crate::error::{Error, Result};
use crate::quantity::Count;
use crate::usage::{Side, TokenKind, Usage};

/// Anthropic's `input_tokens` is what was neither read from nor written to a cache.
pub(super) const INPUT_INCLUDES_CACHE: bool = false;

pick! { Message {
    kind: Text<'a> = "type",
    id: Text<'a> = "id",
    model: Text<'a> = "model",
    stop_reason: Text<'a> = "stop_reason",
    content: Maybe<List<Block<'a>>> = "content",
    usage: Raw<'a> = "usage",
    error: Raw<'a> = "error",
} }

pick! { Block {
    kind: Text<'a> = "type",
    name: Text<'a> = "name",
} }

pick! { Event {
    kind: Text<'a> = "type",
    message: Maybe<Message<'a>> = "message",
    block: Block<'a> = "content_block",
    delta: Delta<'a> = "delta",
    usage: Raw<'a> = "usage",
    error: Raw<'a> = "error",
    bytes: Text<'a> = "bytes",
    chunk: Chunk<'a> = "chunk",
} }

pick! { Chunk {
    bytes: Text<'a> = "bytes",
} }

pick! { Delta {
    stop_reason: Text<'a> = "stop_reason",
    text: Text<'a> = "text" | "partial_json" | "thinking",
} }

impl Draft {
    fn anthropic_block(&mut self, block: &Block<'_>) {
        let Some(name) = block.name.owned() else { return };
        match block.kind.get() {
            Some("tool_use") => self.tools.push(name),
            Some("server_tool_use" | "mcp_tool_use") => self.server_tools.push(name),
            _ => {}
        }
    }

    fn anthropic_message(&mut self, message: &Message<'_>) {
        self.id = message.id.owned();
        self.model = message.model.owned();
        if let Some(reason) = message.stop_reason.owned() {
            self.stop = Some(reason);
        }
        for block in message.content.0.iter().flat_map(|list| &list.0) {
            self.anthropic_block(block);
        }
        self.take_usage(message.usage.0);
    }
}

pub(super) fn body(draft: &mut Draft, json: &str) -> Result<Option<&'static str>> {
    let message: Message<'_> = parse(json)?;
    if message.error.0.is_some() || message.kind.is("error") {
        return Ok(Some("`content`"));
    }
    if !message.kind.is("message") && message.content.0.is_none() {
        return Ok(Some("`content`"));
    }
    draft.anthropic_message(&message);
    Ok(None)
}

pub(super) fn event(draft: &mut Draft, json: &str) -> Result<()> {
    let event: Event<'_> = parse(json)?;
    match event.kind.get() {
        Some("message_start") => {
            if let Some(message) = &event.message.0 {
                draft.anthropic_message(message);
            }
        }
        Some("content_block_start") => draft.anthropic_block(&event.block),
        Some("content_block_delta") => draft.hear(&event.delta.text),
        Some("message_delta") => {
            if let Some(reason) = event.delta.stop_reason.owned() {
                draft.stop = Some(reason);
            }
            if event.usage.0.is_some() {
                draft.merge_usage(event.usage.0)?;
                draft.is_final = true;
            }
        }
        Some("error") => {
            draft.take_error(json)?;
        }
        None if event.error.0.is_some() => {
            draft.take_error(json)?;
        }
        // A server that answers a streamed request in one piece.
        Some("message") => {
            body(draft, json)?;
            draft.is_final = true;
        }
        // Bedrock's `chunk`, as it stands in the payload or as SDKs hand it out.
        None => {
            if let Some(bytes) = event.bytes.get().or(event.chunk.bytes.get()) {
                let inner = base64(bytes).and_then(|bytes| String::from_utf8(bytes).ok());
                let inner = inner.ok_or_else(|| Error::invalid("`bytes` is no base64 of a JSON text"))?;
                if !inner.contains("\"type\"") {
                    return Err(Error::invalid("`bytes` holds no event with a `type`"));
                }
                return self::event(draft, &inner);
            }
        }
        _ => {}
    }
    Ok(())
}

const TTLS: [(&str, TokenKind); 5] = [
    ("ephemeral_5m_input_tokens", TokenKind::CacheWrite5m),
    ("ephemeral_30m_input_tokens", TokenKind::CacheWrite30m),
    ("ephemeral_1h_input_tokens", TokenKind::CacheWrite1h),
    ("ephemeral_12h_input_tokens", TokenKind::CacheWrite12h),
    ("ephemeral_24h_input_tokens", TokenKind::CacheWrite24h),
];

/// The cache writes of a `cache_creation` object by time to live.
pub(super) fn writes_by_ttl(usage: Object<'_, '_>) -> Result<Vec<(TokenKind, Count)>> {
    let Some(detail) = usage.object("cache_creation", "usage.cache_creation")? else { return Ok(Vec::new()) };
    TTLS.iter().map(|(name, kind)| Ok((*kind, detail.detail(name)?))).collect()
}

/// Reads the counts that the whole and each of its iterations have.
fn read_counts(usage: Object<'_, '_>, reading: &mut Reading) -> Result<()> {
    let input = usage.count("input_tokens")?;
    let output = usage.count("output_tokens")?;
    let read = usage.count("cache_read_input_tokens")?;
    let written = usage.count("cache_creation_input_tokens")?;
    let by_ttl = writes_by_ttl(usage)?;
    reading.set(TokenKind::CacheRead, read.unwrap_or_default());
    split_writes(reading, written, &by_ttl)?;
    match input {
        Some(input) => reading.set(TokenKind::Input, input),
        None => reading.lacks(Side::Input),
    }
    match output {
        Some(output) => {
            let thinking = match usage.object("output_tokens_details", "usage.output_tokens_details")? {
                Some(details) => details.detail("thinking_tokens")?,
                None => Count::ZERO,
            };
            split_output(reading, output, thinking, Count::ZERO, Count::ZERO)?;
        }
        None => reading.lacks(Side::Output),
    }
    Ok(())
}

pub(super) fn read(usage: Object<'_, '_>) -> Result<Reading> {
    let mut reading = Reading::default();
    read_counts(usage, &mut reading)?;
    read_iterations(usage, &mut reading)?;
    if let Some(tools) = usage.object("server_tool_use", "usage.server_tool_use")? {
        for (name, node) in tools.iter() {
            if let (Some(tool), Some(requests)) = (name.strip_suffix("_requests"), tools.as_count(name, node)?) {
                reading.request(tool, requests);
            }
        }
    }
    reading.service_tier = usage.text("service_tier").map(str::to_owned);
    reading.region = usage.text("inference_geo").filter(|geo| *geo != "not_available").map(str::to_owned);
    reading.speed = usage.text("speed").map(str::to_owned);
    reading.stated = super::openai_chat::stated_cost(usage, false)?;
    Ok(reading)
}

/// Reads `iterations`: the calls inside the call.
///
/// The fields at the top leave out compactions and advisors, and after a fallback they are those of the attempt that
/// answered, so the call's usage is the sum of what is billed. An attempt that was blocked before any output is not
/// (<https://github.com/BerriAI/litellm/pull/27067> and <https://github.com/BerriAI/litellm/pull/39294>, which compare
/// with invoices, read 2026-11-22; documented at
/// <https://platform.claude.com/docs/en/build-with-claude/refusals-and-fallback>).
fn read_iterations(usage: Object<'_, '_>, reading: &mut Reading) -> Result<()> {
    let list = usage.list("iterations");
    let mut children = Vec::with_capacity(list.len());
    for node in list {
        let Some(one) = Object::new(node, "usage.iterations[]")? else { continue };
        let mut child = Reading::default();
        read_counts(one, &mut child)?;
        children.push(Iteration {
            kind: one.text("type").unwrap_or("message").to_owned(),
            model: one.text("model").map(str::to_owned),
            usage: child.usage,
            billed: true,
        });
    }
    if children.is_empty() {
        return Ok(());
    }
    if let Some(answered) = children.iter().position(|child| child.kind == "fallback_message") {
        for child in &mut children[..answered] {
            child.billed = child.kind != "message" || !child.usage.total_output_tokens()?.is_zero();
        }
    }
    let mut all = Usage::new();
    let mut billed = Usage::new();
    for child in &children {
        all = all.checked_add(&child.usage)?;
        if child.billed {
            billed = billed.checked_add(&child.usage)?;
        }
    }
    let (top, sums) = (&reading.usage, &all);
    let numbers = [
        ("input", top.total_input_tokens()?),
        ("input_of_iterations", sums.total_input_tokens()?),
        ("output", top.total_output_tokens()?),
        ("output_of_iterations", sums.total_output_tokens()?),
    ];
    if numbers[1].1 < numbers[0].1 || numbers[3].1 < numbers[2].1 {
        return Err(contradiction("the iterations add up to less than the whole", &numbers));
    }
    let same = billed.total_input_tokens()? == numbers[0].1 && billed.total_output_tokens()? == numbers[2].1;
    if !same || reading.unknown.contains(&true) {
        reading.usage = billed;
        reading.unknown = [false, false];
    } // Otherwise the top says the same in more detail.
    reading.iterations = children;
    Ok(())
}
