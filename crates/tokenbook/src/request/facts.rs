//! What a request says of its call beside its text: the model, the output limit and the tools.

use super::body::{Block, Body};
use super::json::Json;
use super::output::limit_of;
use super::{RequestCount, count, parse, read};
use crate::api::Api;
use crate::error::Result;
use crate::quantity::Count;

/// What a request says of its call beside its text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestFacts {
    /// The model as sent; absent where the format carries it in the URL.
    pub model: Option<String>,
    /// The most output tokens that the request allows; absent where it names no limit.
    pub max_tokens: Option<Count>,
    /// The tools that the request offers, by name: the caller's own, then the provider's by their type.
    pub tools_offered: Vec<String>,
}

/// Reads what a request says of its call beside its text.
///
/// ```
/// use tokenbook::{Api, request::facts};
/// let body = br#"{"model": "gpt-5", "max_completion_tokens": 100, "messages": [], "tools": [
///     {"type": "function", "function": {"name": "search"}}]}"#;
/// assert_eq!(facts(Api::OpenaiChat, body)?.tools_offered, ["search"]);
/// # Ok::<(), tokenbook::Error>(())
/// ```
///
/// # Errors
///
/// [`ErrorCode::InvalidArgument`](crate::ErrorCode::InvalidArgument) when the body isn't a JSON object, or when the wire
/// format has no requests.
pub fn facts(api: Api, body: &[u8]) -> Result<RequestFacts> {
    let json = parse(body)?;
    of(api, &json, &read(api, &json)?)
}

/// Reads what [`facts`] reads and counts what [`count_request`](super::count_request) counts, parsing the body once.
///
/// The count is there once a model is known, the caller's or the body's; inside it there is none for a request without tools,
/// of which there is nothing to tell apart, nor for one that can't be counted.
///
/// # Errors
///
/// As [`facts`].
pub fn facts_and_tools(
    api: Api,
    body: &[u8],
    model: Option<&str>,
) -> Result<(RequestFacts, Option<Option<RequestCount>>)> {
    let json = parse(body)?;
    let body = read(api, &json)?;
    let facts = of(api, &json, &body)?;
    let model = model.or(facts.model.as_deref());
    let counted = model.map(|model| if has_tools(&body) { count(&body, model).ok() } else { None });
    Ok((facts, counted))
}

fn of(api: Api, json: &Json<'_>, body: &Body<'_>) -> Result<RequestFacts> {
    let own = body.tools.iter().map(|tool| tool.name.to_owned());
    let tools_offered = own.chain(body.provider_tools.iter().map(|kind| kind.clone().into_owned())).collect();
    let model = body.model.as_ref().map(|model| model.clone().into_owned());
    Ok(RequestFacts { model, max_tokens: limit_of(api, json)?, tools_offered })
}

fn has_tools(body: &Body<'_>) -> bool {
    let is_result = |block: &Block<'_>| matches!(block, Block::Result { .. });
    !body.tools.is_empty()
        || !body.provider_tools.is_empty()
        || body.messages.iter().any(|message| message.blocks.iter().any(is_result))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::count_request;

    #[test]
    fn one_parse_finds_what_several_found() -> Result<()> {
        let tools = br#"{"model": "gpt-5", "max_completion_tokens": 9, "messages": [{"role": "user", "content": "hi"}],
            "tools": [{"type": "function", "function": {"name": "search", "parameters": {"type": "object"}}}]}"#;
        let result = br#"{"model": "gpt-5", "messages": [{"role": "tool", "tool_call_id": "a", "content": "found"}]}"#;
        let plain = br#"{"model": "gpt-5", "messages": [{"role": "user", "content": "hi"}]}"#;
        for (body, counts) in [(&tools[..], true), (result, true), (plain, false)] {
            let (found, counted) = facts_and_tools(Api::OpenaiChat, body, None)?;
            assert_eq!(found, facts(Api::OpenaiChat, body)?);
            let alone = count_request(Api::OpenaiChat, body, Some("gpt-5"))?;
            assert_eq!(counted, Some(counts.then_some(alone)));
        }
        Ok(())
    }
}
