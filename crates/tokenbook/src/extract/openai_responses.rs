//! OpenAI Responses, also Azure, xAI and other hosts.
//!
//! `input_tokens` includes what was read from and written to a cache, `output_tokens` includes reasoning, and the total
//! is their sum (documented at <https://platform.openai.com/docs/api-reference/responses/object>; 1,129 recorded
//! answers agree, checked 2026-11-22).

use super::draft::{Draft, error_class};
use super::json::{Index, List, Maybe, Raw, Text, When, parse, pick};
use super::openai_chat::{Sums, stated_cost};
use super::split::{Modalities, split_writes};
use super::tree::Object;
use super::{Reading, StopKind};
use crate::error::Result;
use crate::quantity::Count;

/// The Responses API's `input_tokens` includes what was read from and written to a cache.
pub(super) const INPUT_INCLUDES_CACHE: bool = true;

pick! { Response {
    id: Text<'a> = "id",
    model: Text<'a> = "model",
    created_at: When = "created_at",
    object: Text<'a> = "object",
    status: Text<'a> = "status",
    incomplete: Incomplete<'a> = "incomplete_details",
    output: Maybe<List<Item<'a>>> = "output",
    usage: Raw<'a> = "usage",
    service_tier: Text<'a> = "service_tier",
    tool_usage: ToolUsage<'a> = "tool_usage",
    error: Raw<'a> = "error",
} }

pick! { Incomplete {
    reason: Text<'a> = "reason",
} }

pick! { ToolUsage {
    web_search: WebSearch<'a> = "web_search",
} }

pick! { WebSearch {
    requests: Index = "num_requests",
} }

pick! { Item {
    kind: Text<'a> = "type",
    name: Text<'a> = "name",
    action: Action<'a> = "action",
} }

pick! { Action {
    kind: Text<'a> = "type",
} }

pick! { Event {
    kind: Text<'a> = "type",
    response: Maybe<Response<'a>> = "response",
    item: Item<'a> = "item",
    delta: Text<'a> = "delta",
    code: Text<'a> = "code",
} }

impl Draft {
    fn item(&mut self, item: &Item<'_>) {
        let Some(kind) = item.kind.get() else { return };
        match kind {
            "function_call" | "custom_tool_call" => self.tools.extend(item.name.owned()),
            // Run by the caller, though OpenAI defines them.
            "computer_call" | "local_shell_call" | "shell_call" | "apply_patch_call" => {
                self.tools.extend(kind.strip_suffix("_call").map(str::to_owned));
            }
            "mcp_call" => self.server_tools.extend(item.name.owned()),
            _ => {
                let Some(tool) = kind.strip_suffix("_call") else { return };
                self.server_tools.push(tool.to_owned());
                // Opening and searching a page that was found is free.
                if matches!(tool, "web_search" | "file_search")
                    && !matches!(item.action.kind.get(), Some("open_page" | "find_in_page" | "find"))
                {
                    self.count_request(tool);
                }
            }
        }
    }

    fn response(&mut self, response: &Response<'_>) {
        Self::keep(&mut self.id, response.id.get());
        if let Some(model) = response.model.owned() {
            self.model = Some(model);
        }
        self.created_at = response.created_at.0.or(self.created_at);
        if let Some(tier) = response.service_tier.owned() {
            self.service_tier = Some(tier);
        }
        match response.status.get() {
            Some("queued" | "in_progress") | None => {}
            Some(status) => self.stop = Some(response.incomplete.reason.get().unwrap_or(status).to_owned()),
        }
        if let Some(error) = response.error.0 {
            self.error = Some(error_class(error));
            self.stop_kind = Some(StopKind::Error);
        }
        let items = response.output.0.as_ref().map_or(&[][..], |list| &list.0);
        if !items.is_empty() {
            // The whole list replaces what a stream told item by item.
            self.tools.clear();
            self.server_tools.clear();
            self.requests.clear();
        }
        for item in items {
            self.item(item);
        }
        if let Some(searches) = response.tool_usage.web_search.requests.0 {
            self.requests.insert("web_search".to_owned(), searches);
        }
        self.take_usage(response.usage.0);
    }
}

pub(super) fn body(draft: &mut Draft, json: &str) -> Result<Option<&'static str>> {
    let response: Response<'_> = parse(json)?;
    if !response.object.is("response") && (response.output.0.is_none() || response.status.get().is_none()) {
        return Ok(Some("`output` with `status`"));
    }
    draft.response(&response);
    Ok(None)
}

pub(super) fn event(draft: &mut Draft, json: &str) -> Result<()> {
    let event: Event<'_> = parse(json)?;
    let Some(kind) = event.kind.get() else {
        draft.take_error(json)?;
        return Ok(());
    };
    if let Some(response) = &event.response.0 {
        draft.response(response);
    }
    match kind {
        "response.completed" | "response.incomplete" | "response.failed" | "response.cancelled" => {
            draft.is_final = draft.usage.is_some();
        }
        "response.output_item.done" => draft.item(&event.item),
        "error" if !draft.take_error(json)? => {
            draft.error = Some(event.code.get().unwrap_or("error").to_owned());
        }
        _ if kind.strip_suffix(".delta").is_some() => draft.hear(&event.delta),
        _ => {}
    }
    Ok(())
}

pub(super) fn read(usage: Object<'_, '_>) -> Result<Reading> {
    let mut reading = Reading::default();
    let details = usage.object("input_tokens_details", "usage.input_tokens_details")?;
    let out = usage.object("output_tokens_details", "usage.output_tokens_details")?;
    let part = |object: Option<Object<'_, '_>>, key: &str| object.map_or(Ok(Count::ZERO), |object| object.detail(key));
    let written = part(details, "cache_write_tokens")?;
    split_writes(&mut reading, Some(written), &[])?;
    Sums {
        input: usage.count("input_tokens")?,
        output: usage.count("output_tokens")?,
        total: usage.count("total_tokens")?,
        cached: part(details, "cached_tokens")?,
        written,
        reasoning: part(out, "reasoning_tokens")?,
        audio: part(out, "audio_tokens")?,
        image: part(out, "image_tokens")?,
        modalities: Modalities {
            audio: part(details, "audio_tokens")?,
            image: part(details, "image_tokens")?,
            video: part(details, "video_tokens")?,
        },
        ..Sums::default()
    }
    .settle(&mut reading)?;
    reading.request("live_search_source", usage.detail("num_sources_used")?);
    reading.stated = stated_cost(usage, false)?;
    Ok(reading)
}
