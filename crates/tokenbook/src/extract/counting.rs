//! The token counting endpoints: an input and nothing else.

use super::Reading;
use super::draft::{Draft, object_text};
use super::json::{Raw, parse, pick};
use super::tree::Object;
use crate::api::Api;
use crate::error::Result;
use crate::usage::{Side, TokenKind};

pick! { Counted {
    input: Raw<'a> = "input_tokens" | "inputTokens",
    total: Raw<'a> = "totalTokens",
    error: Raw<'a> = "error",
} }

/// The field that holds the count.
const fn field(api: Api) -> &'static str {
    match api {
        Api::GoogleCountTokens => "totalTokens",
        Api::BedrockCountTokens => "inputTokens",
        _ => "input_tokens",
    }
}

pub(super) fn body(draft: &mut Draft, json: &str) -> Result<Option<&'static str>> {
    let counted: Counted<'_> = parse(json)?;
    let count = if draft.api == Api::GoogleCountTokens { counted.total } else { counted.input };
    let Some(count) = count.0.filter(|_| counted.error.0.is_none()) else {
        return Ok(Some(match draft.api {
            Api::GoogleCountTokens => "`totalTokens`",
            Api::BedrockCountTokens => "`inputTokens`",
            _ => "`input_tokens`",
        }));
    };
    draft.usage = Some(match draft.api {
        // Google's details are worth keeping, and its answer holds nothing else.
        Api::GoogleCountTokens => json.to_owned(),
        api => object_text([(field(api), count)].into_iter()),
    });
    Ok(None)
}

pub(super) fn read(api: Api, usage: Object<'_, '_>) -> Result<Reading> {
    let mut reading = Reading::default();
    match usage.count(field(api))? {
        Some(input) => reading.set(TokenKind::Input, input),
        None => reading.lacks(Side::Input),
    }
    Ok(reading)
}
