//! Cohere chat, versions 1 and 2.
//!
//! `tokens` is what the model read and wrote, `billed_units` what is charged (the preamble is free)
//! (<https://docs.cohere.com/v2/docs/how-does-cohere-pricing-work>, read 2026-11-22). The usage is `tokens`, and
//! `billed` the units; answers without `tokens` have the units for both. `cached_tokens` is part of
//! `tokens.input_tokens`, and `reasoning_tokens` of `tokens.output_tokens` (recorded answers agree).

use super::Reading;
use super::draft::Draft;
use super::json::{List, Maybe, Raw, Text, parse, pick};
use super::split::{Inclusive, split_output};
use super::tree::Object;
use crate::error::Result;
use crate::quantity::Count;
use crate::usage::{Side, TokenKind, Usage};

/// Cohere's `tokens.input_tokens` includes what was read from a cache.
pub(super) const INPUT_INCLUDES_CACHE: bool = true;

pick! { Response {
    id: Text<'a> = "id",
    v1_id: Text<'a> = "response_id",
    generation_id: Text<'a> = "generation_id",
    finish_reason: Text<'a> = "finish_reason",
    message: Maybe<Message<'a>> = "message",
    text: Maybe<Text<'a>> = "text",
    calls: List<Call<'a>> = "tool_calls",
    usage: Raw<'a> = "usage",
    meta: Raw<'a> = "meta",
} }

pick! { Message {
    calls: List<Call<'a>> = "tool_calls",
    content: List<Content<'a>> = "content",
    plan: Text<'a> = "tool_plan",
} }

pick! { Content {
    text: Text<'a> = "text" | "thinking",
} }

pick! { Call {
    name: Text<'a> = "name",
    function: Function<'a> = "function",
} }

pick! { Function {
    name: Text<'a> = "name",
    arguments: Text<'a> = "arguments",
} }

pick! { Event {
    kind: Text<'a> = "type" | "event_type",
    id: Text<'a> = "id" | "generation_id",
    delta: Delta<'a> = "delta",
    text: Text<'a> = "text",
    finish_reason: Text<'a> = "finish_reason",
    response: Maybe<Response<'a>> = "response",
} }

pick! { Delta {
    message: Message<'a> = "message",
    finish_reason: Text<'a> = "finish_reason",
    usage: Raw<'a> = "usage",
    error: Text<'a> = "error",
} }

impl Draft {
    fn cohere_calls(&mut self, calls: &List<Call<'_>>) {
        for call in &calls.0 {
            self.tools.extend(call.function.name.owned().or_else(|| call.name.owned()));
        }
    }

    fn cohere(&mut self, response: &Response<'_>) {
        for id in [&response.id, &response.v1_id, &response.generation_id] {
            Self::keep(&mut self.id, id.get());
        }
        if let Some(reason) = response.finish_reason.owned() {
            self.stop = Some(reason);
        }
        self.cohere_calls(&response.calls);
        if let Some(message) = &response.message.0 {
            self.cohere_calls(&message.calls);
        }
        // Version 1 has more than tokens in `meta`, and at times no tokens.
        let is_told = |meta: &&str| meta.contains("\"billed_units\"") || meta.contains("\"tokens\"");
        self.take_usage(response.usage.0.or(response.meta.0.filter(is_told)));
    }
}

pub(super) fn body(draft: &mut Draft, json: &str) -> Result<Option<&'static str>> {
    let response: Response<'_> = parse(json)?;
    let told = response.usage.0.is_some() || response.meta.0.is_some() || response.finish_reason.get().is_some();
    if !told || (response.message.0.is_none() && response.text.0.is_none()) {
        return Ok(Some("`message` or `text` with `usage` or `meta`"));
    }
    draft.cohere(&response);
    Ok(None)
}

pub(super) fn event(draft: &mut Draft, json: &str) -> Result<()> {
    let event: Event<'_> = parse(json)?;
    let message = &event.delta.message;
    match event.kind.get() {
        Some("message-start" | "stream-start") => Draft::keep(&mut draft.id, event.id.get()),
        Some("text-generation") => draft.hear(&event.text),
        Some("content-delta" | "tool-plan-delta" | "tool-call-delta") => {
            draft.hear(&message.plan);
            message.calls.0.iter().for_each(|call| draft.hear(&call.function.arguments));
            message.content.0.iter().for_each(|content| draft.hear(&content.text));
        }
        Some("tool-call-start") => draft.cohere_calls(&message.calls),
        Some("message-end") => {
            if let Some(reason) = event.delta.finish_reason.owned() {
                draft.stop = Some(reason);
            }
            draft.take_usage(event.delta.usage.0);
            draft.is_final = draft.usage.is_some();
            if event.delta.error.get().is_some() {
                draft.error = Some("error".to_owned());
            }
        }
        Some("stream-end") => {
            if let Some(response) = &event.response.0 {
                // The whole answer repeats what came in pieces, and names it by another id first.
                draft.id = None;
                draft.tools.clear();
                draft.cohere(response);
            }
            Draft::keep(&mut draft.stop, event.finish_reason.get());
            draft.is_final = draft.usage.is_some();
        }
        None => {
            draft.take_error(json)?;
        }
        _ => {}
    }
    Ok(())
}

pub(super) fn read(usage: Object<'_, '_>) -> Result<Reading> {
    let mut reading = Reading::default();
    let units = usage.object("billed_units", "usage.billed_units")?;
    let tokens = usage.object("tokens", "usage.tokens")?;
    let within = |object: Option<Object<'_, '_>>, key: &str| object.map_or(Ok(None), |object| object.count(key));
    let billed = (within(units, "input_tokens")?, within(units, "output_tokens")?);
    let used = (within(tokens, "input_tokens")?, within(tokens, "output_tokens")?);
    let cached = usage.detail("cached_tokens")?;
    match used.0.or(billed.0) {
        Some(input) => {
            // Billed units leave out what the cache holds.
            let cached = if used.0.is_some() { cached } else { Count::ZERO };
            Inclusive { total: input, cached, ..Inclusive::default() }.split(&mut reading)?;
        }
        None => reading.lacks(Side::Input),
    }
    match used.1.or(billed.1) {
        Some(output) => {
            let reasoning = within(tokens, "reasoning_tokens")?.unwrap_or_default();
            split_output(&mut reading, output, reasoning, Count::ZERO, Count::ZERO)?;
        }
        None => reading.lacks(Side::Output),
    }
    if let (Some(input), Some(output)) = billed
        && used.0.is_some()
    {
        reading.billed = Some(Usage::new().with(TokenKind::Input, input).with(TokenKind::Output, output));
    }
    if let Some(units) = units {
        reading.request("search", units.detail("search_units")?);
    }
    Ok(reading)
}
