//! Counting requests, and splitting what was billed over their parts.

use serde::Deserialize;
use tokenbook::attribute::Attribution;
use tokenbook::request::{ParsedBody, RequestCount};
use tokenbook::{Api, Result, Usage};

use crate::text::shallow;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CountRequestArgs<'a> {
    api: Api,
    #[serde(borrow)]
    body: ParsedBody<'a>,
    model: Option<String>,
}

pub(crate) fn count_request(args: CountRequestArgs<'_>) -> Result<RequestCount> {
    // A text is taken as JSON text itself, since no body of a provider is one.
    let Some(json) = args.body.text() else { return args.body.count(args.api, args.model.as_deref()) };
    shallow(json).map_err(|error| error.context("body"))?;
    tokenbook::request::count_request(args.api, json.as_bytes(), args.model.as_deref())
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
