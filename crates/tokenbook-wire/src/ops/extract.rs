//! Reading what was used.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokenbook::extract::{Extraction, StreamExtractor};
use tokenbook::{Api, Count, Error, Result};

use crate::text::json_text;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExtractArgs<'a> {
    api: Api,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
    #[serde(borrow)]
    events: Option<&'a RawValue>,
    max_tokens: Option<Count>,
}

pub(super) fn extract(args: ExtractArgs<'_>) -> Result<Extraction> {
    let extraction = read(args.api, args.body, args.events)?;
    Ok(match args.max_tokens {
        Some(max_tokens) => extraction.with_max_tokens(max_tokens),
        None => extraction,
    })
}

/// Reads a body or the events of a stream, whichever is there.
pub(crate) fn read(api: Api, body: Option<&RawValue>, events: Option<&RawValue>) -> Result<Extraction> {
    match (body, events) {
        (Some(body), None) => tokenbook::extract::extract(api, &json_text("body", body)?),
        (None, Some(events)) => tokenbook::extract::extract_events(api, events.get()),
        (Some(_), Some(_)) => Err(Error::invalid("expected a body or events, got both")),
        (None, None) => Err(Error::invalid("expected a body or events")),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExtractStreamArgs {
    api: Api,
    /// The bytes as text, for what is valid UTF-8.
    text: Option<String>,
    /// The bytes in base64, for any.
    base64: Option<String>,
    max_tokens: Option<Count>,
}

pub(super) fn extract_stream(args: ExtractStreamArgs) -> Result<Extraction> {
    let mut stream = StreamExtractor::new(args.api);
    let bytes = match (args.text, args.base64) {
        (Some(text), None) => text.into_bytes(),
        (None, Some(base64)) => STANDARD.decode(base64).map_err(|error| Error::invalid(format!("base64: {error}")))?,
        _ => return Err(Error::invalid("expected the stream's bytes as text or base64")),
    };
    stream.push(&bytes)?;
    let extraction = stream.finish()?;
    Ok(match args.max_tokens {
        Some(max_tokens) => extraction.with_max_tokens(max_tokens),
        None => extraction,
    })
}
