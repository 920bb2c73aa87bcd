//! The fingerprint of a call's content: what makes a repeat a repeat, and what shows a changed row.

use std::fmt::Write as _;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokenbook::{Error, Result};

use crate::record::{Call, CallCost, MAX_PRICE_BYTES};

/// The first half of a SHA-256: 2⁶⁴ calls would have to be recorded before two share one by chance.
pub(crate) type Digest = [u8; 16];

/// The chain's value before the first record.
pub(crate) const CHAIN_START: Digest = [0; 16];

/// The chain's value after a record: a function of every record before it, in order.
pub(crate) fn chain(before: &Digest, record: &Digest) -> Digest {
    let mut hash = Sha256::new();
    hash.update(before);
    hash.update(record);
    half(hash)
}

fn half(hash: Sha256) -> Digest {
    let full = hash.finalize();
    let mut half = Digest::default();
    half.copy_from_slice(&full[..16]);
    half
}

/// Fingerprints a normalised call with its id and the JSON text of its price as stored.
pub(crate) fn digest(id: &str, call: &Call, price: Option<&str>, scratch: &mut Vec<u8>) -> Digest {
    scratch.clear();
    let mut fields = Fields(std::mem::take(scratch));
    fields.text(1, Some(id));
    fields.content(call);
    fields.cost(call, price);
    let mut hash = Sha256::new();
    hash.update(&fields.0);
    *scratch = fields.0;
    half(hash)
}

/// The id of a call whose caller gave none: the same content, the same id.
///
/// The cost is no part of it: a newer price catalog must not make another call of the same one.
pub(crate) fn content_id(call: &Call) -> String {
    let mut fields = Fields(Vec::with_capacity(1_024));
    fields.content(call);
    let mut hash = Sha256::new();
    hash.update(&fields.0);
    format!("sha256-{}", hex(&half(hash)))
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes all text");
        text
    })
}

/// Tagged fields: an absent one leaves no trace, so a later version may add fields without changing old fingerprints.
struct Fields(Vec<u8>);

impl Fields {
    fn bytes(&mut self, tag: u8, value: &[u8]) {
        self.0.push(tag);
        self.0.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_le_bytes());
        self.0.extend_from_slice(value);
    }

    fn text(&mut self, tag: u8, value: Option<&str>) {
        if let Some(value) = value {
            self.bytes(tag, value.as_bytes());
        }
    }

    fn number(&mut self, tag: u8, value: Option<u64>) {
        if let Some(value) = value {
            self.0.push(tag);
            self.0.extend_from_slice(&value.to_le_bytes());
        }
    }

    fn texts<'a>(&mut self, tag: u8, values: impl IntoIterator<Item = &'a String>) {
        for value in values {
            self.bytes(tag, value.as_bytes());
        }
    }

    fn cost(&mut self, call: &Call, price: Option<&str>) {
        match &call.cost {
            CallCost::Priced { total_usd, .. } => {
                self.bytes(19, &total_usd.pico().to_le_bytes());
                self.text(20, price);
            }
            CallCost::Stated { total_usd } => self.bytes(21, &total_usd.pico().to_le_bytes()),
            CallCost::Unpriced { reason } => self.text(22, Some(reason)),
        }
    }

    fn content(&mut self, call: &Call) {
        self.number(2, Some(call.at.ms().unsigned_abs()));
        self.text(3, call.provider.as_deref());
        self.text(4, Some(&call.model));
        self.text(5, call.answered_model.as_deref());
        self.text(6, call.api.as_deref());
        self.text(7, call.agent.as_deref());
        self.text(8, call.action.as_deref());
        self.text(9, call.session.as_deref());
        self.texts(10, &call.tags);
        self.text(11, call.operation_id.as_deref());
        self.number(12, call.attempt.map(u64::from));
        self.text(13, call.parent_id.as_deref());
        if let Some(usage) = &call.usage {
            self.0.push(14);
            for (kind, tokens) in usage.iter() {
                self.text(15, Some(kind.name()));
                self.number(16, Some(tokens.get()));
            }
            for (tool, requests) in &usage.server_tool_requests {
                self.text(17, Some(tool));
                self.number(18, Some(requests.get()));
            }
        }
        self.number(23, call.max_tokens.map(tokenbook::Count::get));
        self.text(24, call.stop_reason.as_deref());
        self.text(25, call.stop_kind.as_deref());
        self.number(26, call.truncated.map(u64::from));
        self.number(27, call.partial.then_some(1));
        self.number(28, call.duration_ms.map(tokenbook::Count::get));
        self.number(29, call.time_to_first_token_ms.map(tokenbook::Count::get));
        self.texts(30, &call.tools_offered);
        self.texts(31, &call.tools_called);
        for tool in &call.tool_tokens {
            self.text(32, Some(&tool.tool));
            self.number(33, tool.definition_tokens.map(tokenbook::Count::get));
            self.number(34, tool.result_tokens.map(tokenbook::Count::get));
        }
        self.text(35, Some(call.outcome.name()));
        self.text(36, call.error_class.as_deref());
        self.text(37, call.service_tier.as_deref());
        self.text(38, call.region.as_deref());
        self.number(39, call.batch.map(u64::from));
        self.text(40, call.exactness.as_deref());
        for (key, value) in &call.metadata {
            self.text(41, Some(key));
            self.text(42, Some(value));
        }
    }
}

/// JSON text with sorted keys, so that one price reference has one text.
///
/// # Errors
///
/// [`ErrorCode::InvalidArgument`](tokenbook::ErrorCode::InvalidArgument) for a number that isn't whole: its text would
/// depend on who printed it.
pub(crate) fn canonical_json(value: &Value) -> Result<String> {
    let mut text = String::with_capacity(128);
    write_canonical(value, &mut text, 0)?;
    if text.len() > MAX_PRICE_BYTES {
        return Err(Error::invalid(format!("cost.price: expected at most {MAX_PRICE_BYTES} bytes of JSON")));
    }
    Ok(text)
}

fn write_canonical(value: &Value, text: &mut String, depth: u32) -> Result<()> {
    if depth > 16 {
        return Err(Error::invalid("cost.price: nested too deeply"));
    }
    match value {
        Value::Number(number) if number.is_f64() => {
            return Err(Error::invalid(format!("cost.price: expected whole numbers or text, got {number}")));
        }
        Value::Array(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write_canonical(item, text, depth + 1)?;
            }
            text.push(']');
        }
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            text.push('{');
            for (at, (key, item)) in entries.into_iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write_text(key, text);
                text.push(':');
                write_canonical(item, text, depth + 1)?;
            }
            text.push('}');
        }
        Value::String(value) => write_text(value, text),
        plain => write_plain(plain, text),
    }
    Ok(())
}

/// Writes text: most has nothing to escape and is copied as it is.
fn write_text(value: &str, text: &mut String) {
    if value.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
        text.push('"');
        text.push_str(value);
        text.push('"');
    } else {
        write_plain(value, text);
    }
}

fn write_plain<T: serde::Serialize + ?Sized>(value: &T, text: &mut String) {
    let written = serde_json::to_writer(Utf8(text), value);
    written.expect("plain values are written as they are");
}

/// Takes JSON's bytes into a text without a copy.
struct Utf8<'a>(&'a mut String);

impl std::io::Write for Utf8<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.push_str(std::str::from_utf8(bytes).map_err(std::io::Error::other)?);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The names of the fields in which two calls differ.
pub(crate) fn differences(one: &Call, other: &Call) -> Vec<String> {
    let fields = |call: &Call| match serde_json::to_value(call) {
        Ok(Value::Object(map)) => map,
        _ => serde_json::Map::new(),
    };
    let (one, other) = (fields(one), fields(other));
    let mut names: Vec<String> =
        one.keys().chain(other.keys()).filter(|key| one.get(*key) != other.get(*key)).cloned().collect();
    names.sort_unstable();
    names.dedup();
    names
}
