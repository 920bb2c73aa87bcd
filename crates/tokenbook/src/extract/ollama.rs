//! Ollama's own chat and generate endpoints.
//!
//! `prompt_eval_count` and `eval_count` stand at the top of the answer, and of the last piece of a stream (documented
//! at <https://docs.ollama.com/api/usage>; 85 recorded answers agree, checked 2026-11-22). Ollama says nothing of a
//! cache: older versions leave `prompt_eval_count` out when the prompt was cached, and the input is then unknown.

use super::Reading;
use super::draft::{Draft, object_text};
use super::json::{Flag, List, Maybe, Raw, Text, When, parse, pick};
use super::tree::Object;
use crate::error::Result;
use crate::usage::{Side, TokenKind};

/// Ollama's `prompt_eval_count` is the whole prompt; it tells no cache apart.
pub(super) const INPUT_INCLUDES_CACHE: bool = true;

pick! { Response {
    model: Text<'a> = "model",
    created_at: When = "created_at",
    done: Maybe<Flag> = "done",
    done_reason: Text<'a> = "done_reason",
    message: Message<'a> = "message",
    generated: Text<'a> = "response",
    input: Raw<'a> = "prompt_eval_count",
    output: Raw<'a> = "eval_count",
    error: Raw<'a> = "error",
} }

pick! { Message {
    calls: List<Call<'a>> = "tool_calls",
    content: Text<'a> = "content",
    thinking: Text<'a> = "thinking",
} }

pick! { Call {
    function: Function<'a> = "function",
} }

pick! { Function {
    name: Text<'a> = "name",
} }

impl Draft {
    fn ollama(&mut self, response: &Response<'_>) {
        Self::keep(&mut self.model, response.model.get());
        self.created_at = response.created_at.0.or(self.created_at);
        if let Some(reason) = response.done_reason.owned() {
            self.stop = Some(reason);
        }
        for said in [&response.message.content, &response.message.thinking, &response.generated] {
            self.hear(said);
        }
        for call in &response.message.calls.0 {
            self.tools.extend(call.function.name.owned());
        }
        let counts = [("prompt_eval_count", response.input.0), ("eval_count", response.output.0)];
        if counts.iter().any(|(_, count)| count.is_some()) {
            self.usage = Some(object_text(counts.iter().filter_map(|(name, count)| count.map(|count| (*name, count)))));
        }
        self.is_final |= response.done.0.is_some_and(|done| done.0);
    }
}

pub(super) fn body(draft: &mut Draft, json: &str) -> Result<Option<&'static str>> {
    let response: Response<'_> = parse(json)?;
    if response.done.0.is_none() && response.output.0.is_none() {
        return Ok(Some("`done`"));
    }
    draft.ollama(&response);
    Ok(None)
}

pub(super) fn event(draft: &mut Draft, json: &str) -> Result<()> {
    let response: Response<'_> = parse(json)?;
    if response.error.0.is_some() {
        draft.take_error(json)?;
    }
    draft.ollama(&response);
    Ok(())
}

pub(super) fn read(usage: Object<'_, '_>) -> Result<Reading> {
    let mut reading = Reading::default();
    match usage.count("prompt_eval_count")? {
        Some(input) => reading.set(TokenKind::Input, input),
        None => reading.lacks(Side::Input),
    }
    match usage.count("eval_count")? {
        Some(output) => reading.set(TokenKind::Output, output),
        None => reading.lacks(Side::Output),
    }
    Ok(reading)
}
