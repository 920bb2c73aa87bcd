//! JSON as it was written: objects keep their order, which tool definitions are counted in, and text is borrowed.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json<'a> {
    Null,
    Bool(bool),
    Number(Number),
    String(Cow<'a, str>),
    Array(Vec<Json<'a>>),
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

/// How JSON is written as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spacing {
    /// `", "` and `": "` between items, as Python's `json.dumps` has them.
    Spaced,
    /// The same, with escapes for all that isn't ASCII: as `json.dumps` writes unless told otherwise.
    SpacedAscii,
    /// Nothing but `,` and `:`.
    Compact,
    /// The same, with escapes for all that isn't ASCII.
    CompactAscii,
}

impl<'a> Json<'a> {
    /// The value of a key; absent when it is null, or when this isn't an object. The last of equal keys counts.
    pub(super) fn get(&self, key: &str) -> Option<&Json<'a>> {
        match self {
            Self::Object(fields) => {
                fields.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value).filter(|v| **v != Self::Null)
            }
            _ => None,
        }
    }

    /// The value of a key, null too.
    pub(super) fn field(&self, key: &str) -> Option<&Json<'a>> {
        self.fields().iter().rev().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The first of these keys that is there.
    pub(super) fn first_of(&self, keys: &[&str]) -> Option<&Json<'a>> {
        keys.iter().find_map(|key| self.get(key))
    }

    pub(super) fn str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The text of a key.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.get(key)?.str()
    }

    /// The items of an array; nothing for anything else.
    pub(super) fn items(&self) -> &[Json<'a>] {
        match self {
            Self::Array(items) => items,
            _ => &[],
        }
    }

    /// The items of the array at a key; nothing where there is none.
    pub(super) fn list(&self, key: &str) -> &[Json<'a>] {
        self.get(key).map_or(&[], Self::items)
    }

    /// The fields of an object; nothing for anything else.
    pub(super) fn fields(&self) -> &[(Cow<'a, str>, Json<'a>)] {
        match self {
            Self::Object(fields) => fields,
            _ => &[],
        }
    }

    pub(super) fn is_true(&self, key: &str) -> bool {
        self.get(key) == Some(&Self::Bool(true))
    }

    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Null => true,
            Self::String(text) => text.is_empty(),
            Self::Array(items) => items.is_empty(),
            Self::Object(fields) => fields.is_empty(),
            Self::Bool(_) | Self::Number(_) => false,
        }
    }

    /// Appends it as text.
    pub(super) fn write(&self, out: &mut String, spacing: Spacing) {
        let (comma, colon, quote): (_, _, fn(&str, &mut String)) = match spacing {
            Spacing::Spaced => (", ", ": ", quote),
            Spacing::SpacedAscii => (", ", ": ", quote_ascii),
            Spacing::Compact => (",", ":", quote),
            Spacing::CompactAscii => (",", ":", quote_ascii),
        };
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Number(number) => out.push_str(&number.to_string()),
            Self::String(text) => quote(text, out),
            Self::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push_str(comma);
                    }
                    item.write(out, spacing);
                }
                out.push(']');
            }
            Self::Object(fields) => {
                out.push('{');
                for (index, (name, value)) in fields.iter().enumerate() {
                    if index > 0 {
                        out.push_str(comma);
                    }
                    quote(name, out);
                    out.push_str(colon);
                    value.write(out, spacing);
                }
                out.push('}');
            }
        }
    }

    /// It as text in the style of Python's `json.dumps`.
    pub(super) fn spaced(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, Spacing::Spaced);
        out
    }

    /// It as text without spaces.
    pub(super) fn compact(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, Spacing::Compact);
        out
    }
}

/// Appends a text in quotes, with what JSON needs escaped.
pub(super) fn quote(text: &str, out: &mut String) {
    out.push('"');
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        // All that is escaped is ASCII, so that cuts beside it are between characters.
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[from..at]);
        from = at + 1;
        escape(byte, out);
    }
    out.push_str(&text[from..]);
    out.push('"');
}

/// Appends a text in quotes, with all that isn't ASCII escaped too.
pub(super) fn quote_ascii(text: &str, out: &mut String) {
    if text.is_ascii() {
        return quote(text, out);
    }
    out.push('"');
    for char in text.chars() {
        match u8::try_from(char) {
            Ok(byte) if byte.is_ascii() && byte >= b' ' && byte != b'"' && byte != b'\\' => out.push(char),
            Ok(byte) if byte.is_ascii() => escape(byte, out),
            _ => char.encode_utf16(&mut [0; 2]).iter().for_each(|&unit| escape_unit(unit, out)),
        }
    }
    out.push('"');
}

fn escape(byte: u8, out: &mut String) {
    match byte {
        b'"' => out.push_str("\\\""),
        b'\\' => out.push_str("\\\\"),
        b'\n' => out.push_str("\\n"),
        b'\r' => out.push_str("\\r"),
        b'\t' => out.push_str("\\t"),
        0x8 => out.push_str("\\b"),
        0xc => out.push_str("\\f"),
        _ => escape_unit(u16::from(byte), out),
    }
}

/// Appends a unit of UTF-16 as `\u` and four digits.
fn escape_unit(unit: u16, out: &mut String) {
    out.push_str("\\u");
    for shift in [12, 8, 4, 0] {
        out.push(char::from_digit(u32::from(unit >> shift & 15), 16).unwrap_or('0'));
    }
}

impl<'de> Deserialize<'de> for Json<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json<'de>, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json<'de>, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json<'de>, E> {
        Ok(Number::from_f64(value).map_or(Json::Null, Json::Number))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::String(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json<'de>, E> {
        Ok(Json::String(Cow::Owned(text.to_owned())))
    }

    fn visit_string<E>(self, text: String) -> Result<Json<'de>, E> {
        Ok(Json::String(Cow::Owned(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json<'de>, A::Error> {
        let mut items = Vec::with_capacity(room(seq.size_hint()));
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json<'de>, A::Error> {
        let mut fields = Vec::with_capacity(room(map.size_hint()));
        while let Some(Key(key)) = map.next_key()? {
            fields.push((key, map.next_value()?));
        }
        Ok(Json::Object(fields))
    }
}

/// Room for as many as are said to come, within reason.
fn room(said: Option<usize>) -> usize {
    said.unwrap_or(0).min(64)
}

/// A key, borrowed where it has no escapes.
struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_str(JsonVisitor)? {
            Json::String(text) => Ok(Self(text)),
            _ => Err(serde::de::Error::custom("expected a text as key")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Json<'_> {
        serde_json::from_str(text).expect("the test's JSON is right")
    }

    #[test]
    fn keys_stay_in_order() {
        let text = r#"{"b": [1, 2.5, null], "a": {"y": "é\n", "x": true}}"#;
        assert_eq!(parse(text).spaced(), text);
        assert_eq!(parse(text).compact(), r#"{"b":[1,2.5,null],"a":{"y":"é\n","x":true}}"#);
    }

    #[test]
    fn what_is_not_ascii_is_escaped_where_that_is_asked_for() {
        let mut out = String::new();
        parse(r#"{"é": ["😀", "a\u0001\n"]}"#).write(&mut out, Spacing::SpacedAscii);
        assert_eq!(out, r#"{"\u00e9": ["\ud83d\ude00", "a\u0001\n"]}"#);
    }

    #[test]
    fn numbers_are_written_as_they_were_read() {
        let text = "[0.30000000000000004, 1.5e-300, 5e-324, 1.7976931348623157e+308, 9007199254740993, -0.1]";
        assert_eq!(parse(text).spaced(), text);
    }

    #[test]
    fn null_reads_as_absent() {
        assert_eq!(parse(r#"{"a": null}"#).get("a"), None);
    }
}
