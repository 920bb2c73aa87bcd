//! Counting requests, and splitting what was billed over their parts.

use serde::Deserialize;
use serde_json::value::RawValue;
use tokenbook::attribute::Attribution;
use tokenbook::request::RequestCount;
use tokenbook::{Api, Result, Usage};

use crate::text::json_text;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CountRequestArgs<'a> {
    api: Api,
    #[serde(borrow)]
    body: &'a RawValue,
    model: Option<String>,
}

pub(super) fn count_request(args: CountRequestArgs<'_>) -> Result<RequestCount> {
    let body = json_text("body", args.body)?;
    tokenbook::request::count_request(args.api, body.as_bytes(), args.model.as_deref())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AttributeArgs {
    request: RequestCount,
    usage: Usage,
}

pub(super) fn attribute(args: AttributeArgs) -> Result<Attribution> {
    tokenbook::attribute::attribute(&args.request, &args.usage)
}
