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
    // Keeping track of the field costs as much as reading; it is asked for only where there is a fault.
    if let Ok(value) = serde_json::from_str(json) {
        return Ok(value);
    }
    let mut reader = serde_json::Deserializer::from_str(json);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| located(&error))?;
    reader.end().map_err(|error| message(&error))?;
    Ok(value)
}

/// The arguments without those that are null, which is how some languages write an absent one.
pub(crate) fn without_nulls(json: &str) -> Cow<'_, str> {
    if memchr::memmem::find(json.as_bytes(), b"null").is_none() {
        return Cow::Borrowed(json);
    }
    // What is no object is refused with its own words by whoever reads it.
    let Ok(Fields(fields)) = serde_json::from_str::<Fields<'_>>(json) else { return Cow::Borrowed(json) };
    if fields.iter().all(|(_, value)| value.get() != "null") {
        return Cow::Borrowed(json);
    }
    let mut kept = String::with_capacity(json.len());
    for (name, value) in fields.iter().filter(|(_, value)| value.get() != "null") {
        kept.push(if kept.is_empty() { '{' } else { ',' });
        kept.push_str(name.get());
        kept.push(':');
        kept.push_str(value.get());
    }
    kept.push_str(if kept.is_empty() { "{}" } else { "}" });
    Cow::Owned(kept)
}

/// The fields of an object as they are written, doubled ones too.
struct Fields<'a>(Vec<(&'a RawValue, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Fields<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_is_absent_and_all_else_stays_as_it_was_written() {
        for (given, kept) in [
            (r#"{"a": null, "b":1 ,"c" : {"d": null}}"#, r#"{"b":1,"c":{"d": null}}"#),
            (r#"{"\u0061": null}"#, "{}"),
            (r#"{"a": 1, "a": 2, "b": null}"#, r#"{"a":1,"a":2}"#),
            (r#"{"a": "null"}"#, r#"{"a": "null"}"#),
            ("null", "null"),
            (r#"{"a": nul"#, r#"{"a": nul"#),
        ] {
            assert_eq!(without_nulls(given), kept, "{given}");
        }
    }
}
