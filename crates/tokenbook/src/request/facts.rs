//! What a request says of its call beside its text: the model, the output limit and the tools.

use super::{max_output_tokens, parse, read};
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
    let max_tokens = max_output_tokens(api, body)?;
    let json = parse(body)?;
    let body = read(api, &json)?;
    let own = body.tools.iter().map(|tool| tool.name.to_owned());
    let tools_offered = own.chain(body.provider_tools.iter().map(|kind| kind.clone().into_owned())).collect();
    Ok(RequestFacts { model: body.model.map(std::borrow::Cow::into_owned), max_tokens, tools_offered })
}
