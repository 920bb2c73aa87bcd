//! JSON text to arguments and results to JSON text, with errors in the user's words.

use std::borrow::Cow;

#[cfg(feature = "ledger")]
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
#[cfg(feature = "ledger")]
use serde_json::Value;
use serde_json::error::Category;
use serde_json::value::RawValue;
use tokenbook::{Error, ErrorCode, Result};

/// Reads an operation's arguments.
pub(crate) fn read<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T> {
    shallow(json)?;
    read_inside(json)
}

/// Reads a part of arguments that were read already: how deeply they are nested is known.
pub(crate) fn read_inside<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| located(&error))?;
    reader.end().map_err(|error| message(&error))?;
    Ok(value)
}

/// Reads arguments that were taken apart already.
#[cfg(feature = "ledger")]
pub(crate) fn from_value<T: DeserializeOwned>(value: Value) -> Result<T> {
    serde_path_to_error::deserialize(value).map_err(|error| located(&error))
}

/// Words a fault with the field that it lies at.
fn located(error: &serde_path_to_error::Error<serde_json::Error>) -> Error {
    let path = error.path().to_string();
    let fault = message(error.inner());
    // A fault of the text itself lies at no field.
    if path == "." || error.inner().classify() != Category::Data { fault } else { fault.context(path) }
}

/// Writes an operation's result.
pub(crate) fn write(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::new(ErrorCode::Internal, error.to_string()))
}

/// Words a fault of `serde_json`: without line and column where a field says more.
pub(crate) fn message(error: &serde_json::Error) -> Error {
    let text = error.to_string();
    if text.starts_with("recursion limit exceeded") {
        return too_deep();
    }
    match error.classify() {
        Category::Data => Error::invalid(text.rsplit_once(" at line ").map_or(&*text, |(message, _)| message)),
        Category::Io | Category::Syntax | Category::Eof => Error::invalid(format!("not valid JSON: {text}")),
    }
}

/// An error as every language receives it: `{"code": …, "message": …, "details": {…}}`.
#[derive(Serialize)]
pub(crate) struct Fault<'a> {
    code: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    details: &'a std::collections::BTreeMap<&'static str, String>,
}

impl<'a> From<&'a Error> for Fault<'a> {
    fn from(error: &'a Error) -> Self {
        Self { code: error.code().name(), message: error.message(), details: error.details() }
    }
}

/// Deepest nesting of a body, as of all JSON that is read here.
const MAX_DEPTH: usize = 128;

/// Refuses JSON text that is nested too deeply, before anything walks down into it.
pub(crate) fn shallow(json: &str) -> Result<()> {
    let bytes = json.as_bytes();
    // Most bodies have fewer brackets in all than the limit, strings included.
    if memchr::memchr2_iter(b'{', b'[', bytes).take(MAX_DEPTH + 1).count() <= MAX_DEPTH {
        return Ok(());
    }
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'"' => at = after_string(bytes, at),
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(too_deep());
        }
    }
    Ok(())
}

#[cold]
fn too_deep() -> Error {
    Error::invalid(format!("nested more than {MAX_DEPTH} levels deep"))
}

/// The place after the string whose contents start at `at`.
fn after_string(bytes: &[u8], mut at: usize) -> usize {
    while let Some(next) = memchr::memchr2(b'"', b'\\', &bytes[at..]) {
        at += next + 1;
        if bytes[at - 1] == b'"' {
            return at;
        }
        at = (at + 1).min(bytes.len());
    }
    bytes.len()
}

/// A JSON value as text; a string is taken as JSON text itself, since no body of a provider is one.
pub(crate) fn json_text<'a>(field: &str, value: &'a RawValue) -> Result<Cow<'a, str>> {
    if !value.get().starts_with('"') {
        return Ok(Cow::Borrowed(value.get()));
    }
    let json: String = serde_json::from_str(value.get()).map_err(|error| message(&error).context(field))?;
    shallow(&json).map_err(|error| error.context(field))?;
    Ok(Cow::Owned(json))
}
