//! Reading the few fields that matter out of JSON of any size, without keeping the rest.
//!
//! Bodies are read into small structs that tolerate every shape (a field of another type counts as absent), because
//! what surrounds the usage is no contract; unread values are skipped iteratively, so nesting depth costs no stack. The
//! usage object itself is cut out verbatim and read strictly by [`super::tree`].

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::{Error, Result};
use crate::time::Timestamp;

/// Reads a whole JSON text.
///
/// # Errors
///
/// `invalid_argument` when `text` is no JSON; the message shows the position but none of the text.
pub(super) fn parse<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| Error::invalid(format!("not JSON: {error}")))
}

/// A struct that picks fields out of an object by name.
pub(super) trait Pick<'de>: Default {
    /// Takes the value of `key`, or skips it.
    fn pick<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error>;
}

/// Declares a struct of picked fields: `field: Type = "name"`.
macro_rules! pick {
    ($(#[$meta:meta])* $name:ident { $($field:ident: $kind:ty = $($key:literal)|+,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Default)]
        struct $name<'a> {
            $($field: $kind,)+
            _of: std::marker::PhantomData<&'a ()>,
        }

        impl<'a> $crate::extract::json::Pick<'a> for $name<'a> {
            fn pick<A: serde::de::MapAccess<'a>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
                match key {
                    $($($key)|+ => self.$field = map.next_value()?,)+
                    _ => { map.next_value::<serde::de::IgnoredAny>()?; }
                }
                Ok(())
            }
        }

        impl<'a> serde::Deserialize<'a> for $name<'a> {
            fn deserialize<D: serde::Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any($crate::extract::json::Lax::new())
            }
        }
    };
}
pub(super) use pick;

/// Visits anything: an object is picked from, everything else is passed over.
pub(super) struct Lax<T>(PhantomData<T>);

impl<T> Lax<T> {
    pub(super) fn new() -> Self {
        Self(PhantomData)
    }
}

/// The arms of a visitor for the types it doesn't want.
macro_rules! otherwise {
    ($default:expr; $($method:ident: $kind:ty),+) => {
        $(fn $method<E: serde::de::Error>(self, _: $kind) -> Result<Self::Value, E> { Ok($default) })+
        fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> { Ok($default) }
    };
}

fn pass_over_list<'de, A: SeqAccess<'de>>(mut list: A) -> Result<(), A::Error> {
    while list.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}

fn pass_over_object<'de, A: MapAccess<'de>>(mut map: A) -> Result<(), A::Error> {
    while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
    Ok(())
}

impl<'de, T: Pick<'de>> Visitor<'de> for Lax<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let mut into = T::default();
        while let Some(Key(key)) = map.next_key()? {
            into.pick(&key, &mut map)?;
        }
        Ok(into)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<T, A::Error> {
        pass_over_list(list)?;
        Ok(T::default())
    }

    otherwise!(T::default(); visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);
}

/// The name of a field, borrowed wherever it holds no escape.
pub(super) struct Key<'a>(pub(super) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a field")
            }
            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(name)))
            }
            fn visit_str<E>(self, name: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

/// A text, or nothing where the value is no text or is empty.
#[derive(Debug, Default, Clone)]
pub(super) struct Text<'a>(pub(super) Option<Cow<'a, str>>);

impl Text<'_> {
    pub(super) fn get(&self) -> Option<&str> {
        self.0.as_deref()
    }

    pub(super) fn is(&self, word: &str) -> bool {
        self.get() == Some(word)
    }

    pub(super) fn owned(&self) -> Option<String> {
        self.get().map(str::to_owned)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any JSON value")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text((!text.is_empty()).then_some(Cow::Borrowed(text))))
            }
            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text((!text.is_empty()).then(|| Cow::Owned(text.to_owned()))))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Text<'de>, A::Error> {
                pass_over_object(map)?;
                Ok(Text(None))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Text<'de>, A::Error> {
                pass_over_list(list)?;
                Ok(Text(None))
            }
            otherwise!(Text(None); visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64);
        }
        deserializer.deserialize_any(TextVisitor)
    }
}

/// What a value is worth as a reason or a class: a text as it stands, a number (Google's enums) in digits.
#[derive(Debug, Default, Clone)]
pub(super) struct Word<'a>(pub(super) Option<Cow<'a, str>>);

impl Word<'_> {
    pub(super) fn get(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Word<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WordVisitor;
        impl<'de> Visitor<'de> for WordVisitor {
            type Value = Word<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any JSON value")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Word<'de>, E> {
                Ok(Word((!text.is_empty()).then_some(Cow::Borrowed(text))))
            }
            fn visit_str<E>(self, text: &str) -> Result<Word<'de>, E> {
                Ok(Word((!text.is_empty()).then(|| Cow::Owned(text.to_owned()))))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Word<'de>, E> {
                Ok(Word(Some(Cow::Owned(number.to_string()))))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Word<'de>, A::Error> {
                pass_over_object(map)?;
                Ok(Word(None))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Word<'de>, A::Error> {
                pass_over_list(list)?;
                Ok(Word(None))
            }
            otherwise!(Word(None); visit_bool: bool, visit_i64: i64, visit_f64: f64);
        }
        deserializer.deserialize_any(WordVisitor)
    }
}

/// A list of picked objects; a single object counts as a list of one.
#[derive(Debug)]
pub(super) struct List<T>(pub(super) Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
            type Value = List<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any JSON value")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<List<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(|one| List(vec![one]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<List<T>, A::Error> {
                let mut all = Vec::new();
                while let Some(one) = list.next_element()? {
                    all.push(one);
                }
                Ok(List(all))
            }
            otherwise!(List::default(); visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);
        }
        deserializer.deserialize_any(ListVisitor(PhantomData))
    }
}

/// How many elements a list has.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Length(pub(super) u64);

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        List::<IgnoredAny>::deserialize(deserializer).map(|list| Self(list.0.len() as u64))
    }
}

/// Whether a field is there and is not null; its content is skipped.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Present(pub(super) bool);

impl<'de> Deserialize<'de> for Present {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::<IgnoredAny>::deserialize(deserializer).map(|value| Self(value.is_some()))
    }
}

/// A flag, false where the value is no flag.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Flag(pub(super) bool);

/// A small whole number such as an index.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Index(pub(super) Option<u64>);

macro_rules! scalar {
    ($name:ident, $default:expr, $method:ident: $kind:ty => $value:expr; $($other:ident: $other_kind:ty),+) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct ScalarVisitor;
                impl<'de> Visitor<'de> for ScalarVisitor {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("any JSON value")
                    }
                    fn $method<E>(self, value: $kind) -> Result<$name, E> {
                        Ok($name($value(value)))
                    }
                    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<$name, A::Error> {
                        pass_over_object(map)?;
                        Ok($name($default))
                    }
                    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<$name, A::Error> {
                        pass_over_list(list)?;
                        Ok($name($default))
                    }
                    otherwise!($name($default); $($other: $other_kind),+);
                }
                deserializer.deserialize_any(ScalarVisitor)
            }
        }
    };
}

scalar!(Flag, false, visit_bool: bool => |flag| flag; visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);
scalar!(Index, None, visit_u64: u64 => Some; visit_bool: bool, visit_i64: i64, visit_f64: f64, visit_str: &str);

/// When a response was made: seconds since 1970 as a number, or RFC 3339; 0 is a redacted time and counts as absent.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct When(pub(super) Option<Timestamp>);

impl When {
    fn from_seconds(seconds: u64) -> Self {
        let ms = i64::try_from(seconds).ok().and_then(|seconds| seconds.checked_mul(1000));
        Self(ms.filter(|ms| *ms > 0).and_then(|ms| Timestamp::from_ms(ms).ok()))
    }
}

impl<'de> Deserialize<'de> for When {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WhenVisitor;
        impl<'de> Visitor<'de> for WhenVisitor {
            type Value = When;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any JSON value")
            }
            fn visit_u64<E>(self, seconds: u64) -> Result<When, E> {
                Ok(When::from_seconds(seconds))
            }
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a cast saturates, and what is out of range is refused after it"
            )]
            fn visit_f64<E>(self, seconds: f64) -> Result<When, E> {
                Ok(When::from_seconds(seconds as u64))
            }
            fn visit_str<E>(self, text: &str) -> Result<When, E> {
                Ok(When(text.parse().ok().filter(|at: &Timestamp| at.ms() > 0)))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<When, A::Error> {
                pass_over_object(map)?;
                Ok(When(None))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<When, A::Error> {
                pass_over_list(list)?;
                Ok(When(None))
            }
            otherwise!(When(None); visit_bool: bool, visit_i64: i64);
        }
        deserializer.deserialize_any(WhenVisitor)
    }
}

/// A value cut out verbatim; `null` counts as absent.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Raw<'a>(pub(super) Option<&'a str>);

impl<'de: 'a, 'a> Deserialize<'de> for Raw<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <&'a RawValue>::deserialize(deserializer)?.get();
        Ok(Self((text != "null").then_some(text)))
    }
}

/// A picked object, or nothing where the value is null or absent.
#[derive(Debug)]
pub(super) struct Maybe<T>(pub(super) Option<T>);

impl<T> Default for Maybe<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Maybe<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pick! { Thing { id: Text<'a> = "id", when: When = "at", list: List<Inner<'a>> = "list" | "lists", raw: Raw<'a> = "raw", } }
    pick! { Inner { name: Text<'a> = "name", said: Text<'a> = "text", } }

    #[test]
    fn fields_of_another_type_count_as_absent() {
        for json in
            ["[1,[2]]", "3", "\"x\"", "null", "true", r#"{"id": {"a": [1]}, "at": [0], "list": "x", "raw": null}"#]
        {
            let thing: Thing = parse(json).expect("JSON");
            assert!(thing.id.get().is_none() && thing.when.0.is_none() && thing.list.0.is_empty(), "{json}");
            assert!(thing.raw.0.is_none());
        }
    }

    #[test]
    fn a_hundred_thousand_levels_need_no_stack() {
        let deep = format!("{{\"other\":{0}{1},\"id\":\"x\"}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(parse::<Thing>(&deep).expect("JSON").id.get(), Some("x"));
        for key in ["id", "raw", "at"] {
            let deep =
                format!("{{\"{key}\":{0}{1}}}", "{\"a\":".repeat(100_000), format_args!("1{}", "}".repeat(100_000)));
            parse::<Thing>(&deep).expect("JSON");
        }
        let deep = format!("{{\"list\":{0}{1}}}", "[".repeat(100_000), "]".repeat(100_000));
        parse::<Thing>(&deep).expect("JSON");
        assert!(parse::<Thing>(&"[".repeat(100_000)).is_err());
    }

    #[test]
    fn one_object_counts_as_a_list_of_one() {
        let thing: Thing = parse(r#"{"list": {"name": "a\u0041", "text": "äö\n"}, "at": 1700000000.5}"#).expect("JSON");
        assert_eq!(thing.list.0[0].name.get(), Some("aA"));
        assert_eq!(thing.list.0[0].said.get(), Some("äö\n"));
        assert_eq!(thing.when.0.expect("a time").to_string(), "2023-11-14T22:13:20.000Z");
    }
}
