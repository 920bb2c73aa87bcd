//! Google `generateContent` and `streamGenerateContent`, on the Gemini API and Vertex AI.
//!
//! `promptTokenCount` includes `cachedContentTokenCount`; `thoughtsTokenCount` is not in `candidatesTokenCount`;
//! `toolUsePromptTokenCount` (what Google's own tools read) is input beside the prompt and is charged as input; the
//! total is the sum of the four (documented at <https://ai.google.dev/api/generate-content#UsageMetadata> and
//! <https://ai.google.dev/gemini-api/docs/url-context>; 664 recorded answers agree, checked 2026-11-22). Each piece of
//! a stream states the numbers so far. The names that Google's Python SDKs write (`prompt_token_count`) are read too.

use serde_json::value::RawValue;

use super::draft::{Draft, error_class};
use super::json::{Length, List, Maybe, Present, Raw, Text, When, Word, parse, pick};
use super::split::{Inclusive, Modalities, split_output};
use super::tree::{Node, Object};
use super::{Reading, StopKind, Warning, contradiction, sum};
use crate::error::Result;
use crate::quantity::Count;
use crate::usage::Side;

/// Google's `promptTokenCount` includes what was read from a cache.
pub(super) const INPUT_INCLUDES_CACHE: bool = true;

pick! { Response {
    id: Text<'a> = "responseId" | "response_id",
    model: Text<'a> = "modelVersion" | "model_version",
    created: When = "createTime" | "create_time",
    candidates: Maybe<List<Candidate<'a>>> = "candidates",
    feedback: Maybe<Feedback<'a>> = "promptFeedback" | "prompt_feedback",
    usage: Raw<'a> = "usageMetadata" | "usage_metadata",
    error: Raw<'a> = "error",
} }

pick! { Feedback {
    reason: Word<'a> = "blockReason" | "block_reason",
} }

pick! { Candidate {
    finish: Word<'a> = "finishReason" | "finish_reason",
    content: Content<'a> = "content",
    grounding: Grounding<'a> = "groundingMetadata" | "grounding_metadata",
} }

pick! { Content {
    parts: List<Part<'a>> = "parts",
} }

pick! { Part {
    text: Text<'a> = "text",
    call: Function<'a> = "functionCall" | "function_call",
    code: Present = "executableCode" | "executable_code",
} }

pick! { Function {
    name: Text<'a> = "name",
} }

pick! { Grounding {
    queries: Length = "webSearchQueries" | "web_search_queries",
} }

impl Draft {
    fn google(&mut self, response: &Response<'_>) {
        Self::keep(&mut self.id, response.id.get());
        Self::keep(&mut self.model, response.model.get());
        self.created_at = self.created_at.or(response.created.0);
        for candidate in response.candidates.0.iter().flat_map(|list| &list.0) {
            if let Some(reason) = candidate.finish.get() {
                self.cut_off |= StopKind::from_word(reason).is_truncation();
                self.stop = Some(reason.to_owned());
                self.is_final = true;
            }
            for part in &candidate.content.parts.0 {
                self.hear(&part.text);
                self.tools.extend(part.call.name.owned());
                if part.code.0 {
                    self.server_tools.push("code_execution".to_owned());
                }
            }
            if candidate.grounding.queries.0 > 0 {
                self.requests.insert("google_search".to_owned(), candidate.grounding.queries.0);
            }
        }
        if let Some(reason) = response.feedback.0.as_ref().and_then(|feedback| feedback.reason.get()) {
            Self::keep(&mut self.stop, Some(reason));
            self.stop_kind = Some(StopKind::ContentFilter);
            self.is_final = true;
        }
        self.take_usage(response.usage.0);
    }
}

pub(super) fn body(draft: &mut Draft, json: &str) -> Result<Option<&'static str>> {
    if json.trim_start().starts_with('[') {
        // What `streamGenerateContent` answers without `alt=sse`.
        let pieces: Vec<&RawValue> = parse(json)?;
        for piece in pieces {
            event(draft, piece.get())?;
        }
        draft.is_stream = true;
        let is_told = draft.usage.is_some() || draft.stop.is_some() || draft.error.is_some();
        return Ok((!is_told).then_some("`candidates`"));
    }
    let response: Response<'_> = parse(json)?;
    if response.candidates.0.is_none() && response.feedback.0.is_none() && response.usage.0.is_none() {
        return Ok(Some("`candidates`"));
    }
    draft.google(&response);
    Ok(None)
}

pub(super) fn event(draft: &mut Draft, json: &str) -> Result<()> {
    let response: Response<'_> = parse(json)?;
    if let Some(error) = response.error.0 {
        draft.error = Some(error_class(error));
    }
    draft.google(&response);
    Ok(())
}

/// The modalities of a list of details, and their sum.
fn modalities(usage: Object<'_, '_>, keys: [&str; 2]) -> Result<(Modalities, Count)> {
    let mut of = Modalities::default();
    let mut all = Count::ZERO;
    for node in keys.iter().flat_map(|key| usage.list(key)) {
        let Some(detail) = Object::new(node, "usage.tokensDetails[]")? else { continue };
        let tokens = detail.count_of(&["tokenCount", "token_count"])?.unwrap_or_default();
        all = all.checked_add(tokens)?;
        let slot = match detail.get("modality") {
            Some(Node::Text(name)) => match name.as_ref() {
                "AUDIO" => &mut of.audio,
                "IMAGE" => &mut of.image,
                "VIDEO" => &mut of.video,
                _ => continue, // Documents are charged as text.
            },
            Some(Node::Whole(2)) => &mut of.image,
            Some(Node::Whole(3)) => &mut of.video,
            Some(Node::Whole(4)) => &mut of.audio,
            _ => continue,
        };
        *slot = slot.checked_add(tokens)?;
    }
    Ok((of, all))
}

fn added(one: Modalities, two: Modalities) -> Result<Modalities> {
    Ok(Modalities {
        audio: one.audio.checked_add(two.audio)?,
        image: one.image.checked_add(two.image)?,
        video: one.video.checked_add(two.video)?,
    })
}

pub(super) fn read(usage: Object<'_, '_>) -> Result<Reading> {
    let mut reading = Reading::default();
    let prompt = usage.count_of(&["promptTokenCount", "prompt_token_count"])?;
    let candidates = usage.count_of(&["candidatesTokenCount", "candidates_token_count", "responseTokenCount"])?;
    let stated_thoughts = usage.count_of(&["thoughtsTokenCount", "thoughts_token_count"])?;
    let mut thoughts = stated_thoughts.unwrap_or_default();
    let tool_use = usage.count_of(&["toolUsePromptTokenCount", "tool_use_prompt_token_count"])?.unwrap_or_default();
    let cached = usage.count_of(&["cachedContentTokenCount", "cached_content_token_count"])?.unwrap_or_default();
    let total = usage.count_of(&["totalTokenCount", "total_token_count"])?;
    // Google leaves out what is 0, so with a total the rest is known.
    let candidates_or_none = candidates.unwrap_or_default();
    if let (Some(prompt), Some(total)) = (prompt, total)
        && stated_thoughts.is_none()
        && candidates.is_some()
        && let Ok(over) = total.checked_sub(sum([prompt, candidates_or_none, tool_use])?)
        && !over.is_zero()
    {
        // Early thinking models had thoughts in the total only.
        thoughts = over;
        reading.warnings.push(Warning::ReasoningFromTotal);
    } else if let (Some(prompt), Some(total)) = (prompt, total)
        && sum([prompt, candidates_or_none, thoughts, tool_use])? != total
    {
        let numbers = [
            ("total", total),
            ("prompt", prompt),
            ("candidates", candidates_or_none),
            ("thoughts", thoughts),
            ("tool_use_prompt", tool_use),
        ];
        return Err(contradiction("the total is not the sum of its parts", &numbers));
    }
    match prompt {
        None => reading.lacks(Side::Input),
        Some(prompt) => {
            let (of_prompt, in_prompt) = modalities(usage, ["promptTokensDetails", "prompt_tokens_details"])?;
            let (of_tools, _) = modalities(usage, ["toolUsePromptTokensDetails", "tool_use_prompt_tokens_details"])?;
            let (of_cache, in_cache) = modalities(usage, ["cacheTokensDetails", "cache_tokens_details"])?;
            let mut split = added(of_prompt, of_tools)?;
            if in_prompt > prompt && !sum([split.audio, split.image, split.video])?.is_zero() {
                split = Modalities::default();
                reading.warnings.push(Warning::ModalitiesDisagree);
            }
            let inclusive = Inclusive {
                total: prompt.checked_add(tool_use)?,
                cached,
                written: Count::ZERO,
                modalities: split,
                cached_modalities: (in_cache == cached && !cached.is_zero()).then_some(of_cache),
            };
            if inclusive.split(&mut reading).is_err() {
                // Google's splits by modality don't always add up; its counts do.
                let plain = Inclusive { modalities: Modalities::default(), cached_modalities: None, ..inclusive };
                plain.split(&mut reading)?;
                reading.warnings.push(Warning::ModalitiesDisagree);
            }
        }
    }
    if candidates.is_none() && total.is_none() && thoughts.is_zero() {
        reading.lacks(Side::Output);
    } else {
        let (mut of, _) = modalities(usage, ["candidatesTokensDetails", "candidates_tokens_details"])?;
        if sum([of.audio, of.image])? > candidates_or_none {
            of = Modalities::default();
            reading.warnings.push(Warning::ModalitiesDisagree);
        }
        split_output(&mut reading, sum([candidates_or_none, thoughts])?, thoughts, of.audio, of.image)?;
    }
    reading.service_tier = match (
        usage.text("serviceTier").or(usage.text("service_tier")),
        usage.text("trafficType").or(usage.text("traffic_type")),
    ) {
        (Some(tier), _) => Some(tier.to_ascii_lowercase()),
        (None, Some("ON_DEMAND_FLEX")) => Some("flex".to_owned()),
        (None, Some("ON_DEMAND_PRIORITY")) => Some("priority".to_owned()),
        (None, Some("PROVISIONED_THROUGHPUT")) => Some("provisioned_throughput".to_owned()),
        _ => None,
    };
    Ok(reading)
}
