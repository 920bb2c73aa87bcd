//! A provider's usage object, read strictly: a number that is no count is an error that names its field.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::json::Key;
use crate::error::{Error, Result};
use crate::money::Usd;
use crate::quantity::Count;

/// A small JSON value that borrows its texts. Depth is bounded by `serde_json`'s limit of 128.
#[derive(Debug, Clone)]
pub(super) enum Node<'a> {
    Null,
    Flag(bool),
    Whole(u64),
    Negative(i64),
    Fraction(f64),
    Text(Cow<'a, str>),
    List(Vec<Node<'a>>),
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
}

impl fmt::Display for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Flag(flag) => flag.fmt(f),
            Self::Whole(number) => number.fmt(f),
            Self::Negative(number) => number.fmt(f),
            Self::Fraction(number) => write!(f, "{number:?}"),
            // Texts may be a user's: their kind is shown, not their content.
            Self::Text(_) => f.write_str("a text"),
            Self::List(_) => f.write_str("a list"),
            // How the language layers write what JSON can't say.
            Self::Object(fields) => match fields.as_slice() {
                [(key, Self::Text(word))] if key == "$not_json" && word.len() <= 20 => f.write_str(word),
                _ => f.write_str("an object"),
            },
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Node<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NodeVisitor;
        impl<'de> Visitor<'de> for NodeVisitor {
            type Value = Node<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any JSON value")
            }
            fn visit_unit<E>(self) -> Result<Node<'de>, E> {
                Ok(Node::Null)
            }
            fn visit_bool<E>(self, flag: bool) -> Result<Node<'de>, E> {
                Ok(Node::Flag(flag))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Node<'de>, E> {
                Ok(Node::Whole(number))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Node<'de>, E> {
                Ok(Node::Negative(number))
            }
            fn visit_f64<E>(self, number: f64) -> Result<Node<'de>, E> {
                Ok(Node::Fraction(number))
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Node<'de>, E> {
                Ok(Node::Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Node<'de>, E> {
                Ok(Node::Text(Cow::Owned(text.to_owned())))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node<'de>, A::Error> {
                let mut all = Vec::new();
                while let Some(one) = list.next_element()? {
                    all.push(one);
                }
                Ok(Node::List(all))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node<'de>, A::Error> {
                let mut all = Vec::new();
                while let Some(Key(key)) = map.next_key()? {
                    all.push((key, map.next_value()?));
                }
                Ok(Node::Object(all))
            }
        }
        deserializer.deserialize_any(NodeVisitor)
    }
}

/// An object inside a usage, with the path that errors name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Object<'n, 'a> {
    fields: &'n [(Cow<'a, str>, Node<'a>)],
    path: &'static str,
}

impl<'n, 'a> Object<'n, 'a> {
    /// Takes a node as an object. Null and an empty list (how PHP writes an empty object) are no object.
    ///
    /// # Errors
    ///
    /// `invalid_argument` for any other value.
    pub(super) fn new(node: &'n Node<'a>, path: &'static str) -> Result<Option<Self>> {
        match node {
            Node::Object(fields) => Ok(Some(Self { fields, path })),
            Node::Null => Ok(None),
            Node::List(list) if list.is_empty() => Ok(None),
            other => Err(Error::invalid(format!("{path}: expected an object of token counts, got {other}"))),
        }
    }

    /// The last field of this name, as JSON readers commonly take it.
    pub(super) fn get(&self, key: &str) -> Option<&'n Node<'a>> {
        self.fields.iter().rev().find(|(name, _)| name == key).map(|(_, node)| node)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.get(key).is_some_and(|node| !matches!(node, Node::Null))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&'n str, &'n Node<'a>)> {
        self.fields.iter().map(|(name, node)| (&**name, node))
    }

    /// A count, `None` where it is absent or null.
    ///
    /// # Errors
    ///
    /// `invalid_argument` for what is no whole number from 0 to 2⁵³ − 1.
    pub(super) fn count(&self, key: &str) -> Result<Option<Count>> {
        self.get(key).map_or(Ok(None), |node| self.as_count(key, node))
    }

    /// The first count that is there under one of several names.
    pub(super) fn count_of(&self, keys: &[&str]) -> Result<Option<Count>> {
        for key in keys {
            if let Some(count) = self.count(key)? {
                return Ok(Some(count));
            }
        }
        Ok(None)
    }

    /// A count, 0 where it is absent: for a *detail* of a number that is known.
    pub(super) fn detail(&self, key: &str) -> Result<Count> {
        Ok(self.count(key)?.unwrap_or_default())
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be a whole number in range"
    )]
    pub(super) fn as_count(&self, key: &str, node: &Node<'_>) -> Result<Option<Count>> {
        let whole = match node {
            Node::Null => return Ok(None),
            Node::Whole(number) => Count::new(*number).ok(),
            Node::Fraction(number) if (0.0..=9_007_199_254_740_991.0).contains(number) && number.fract() == 0.0 => {
                Count::new(*number as u64).ok()
            }
            _ => None,
        };
        whole.map(Some).ok_or_else(|| {
            Error::invalid(format!("{}.{key}: expected a whole number from 0 to {}, got {node}", self.path, Count::MAX))
        })
    }

    /// An object within, `None` where it is absent or null.
    ///
    /// # Errors
    ///
    /// `invalid_argument` for what is no object.
    pub(super) fn object(&self, key: &str, path: &'static str) -> Result<Option<Object<'n, 'a>>> {
        self.get(key).map_or(Ok(None), |node| Object::new(node, path))
    }

    pub(super) fn text(&self, key: &str) -> Option<&'n str> {
        match self.get(key) {
            Some(Node::Text(text)) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        match self.get(key) {
            Some(Node::Flag(flag)) => Some(*flag),
            _ => None,
        }
    }

    pub(super) fn list(&self, key: &str) -> &'n [Node<'a>] {
        match self.get(key) {
            Some(Node::List(list)) => list,
            _ => &[],
        }
    }

    /// An amount in dollars, `None` where it is absent, null or no number.
    ///
    /// # Errors
    ///
    /// `invalid_argument` for a negative amount and for one beyond [`Usd`]'s range.
    pub(super) fn dollars(&self, key: &str) -> Result<Option<Usd>> {
        let text = match self.get(key) {
            Some(Node::Whole(number)) => number.to_string(),
            // The shortest text that reads back as the same float is what the provider wrote.
            Some(Node::Fraction(number)) => number.to_string(),
            Some(Node::Negative(number)) => number.to_string(),
            _ => return Ok(None),
        };
        let amount = Usd::parse_rounded(&text).map_err(|error| error.context(format!("{}.{key}", self.path)))?;
        if amount.pico() < 0 {
            return Err(Error::invalid(format!("{}.{key}: expected no negative amount, got {text}", self.path)));
        }
        Ok(Some(amount))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_count_names_its_field() {
        for (value, got) in [
            ("-1", "-1"),
            ("1.5", "1.5"),
            ("true", "true"),
            ("\"secret\"", "a text"),
            ("9007199254740992", "9007199254740992"),
            ("18446744073709551616", "1.8446744073709552e19"),
            ("[1]", "a list"),
            (r#"{"$not_json": "NaN"}"#, "NaN"),
        ] {
            let json = format!("{{\"n\":{value}}}");
            let node: Node<'_> = serde_json::from_str(&json).expect("JSON");
            let object = Object::new(&node, "usage").expect("an object").expect("not null");
            let error = object.count("n").expect_err("no count");
            assert_eq!(
                error.message(),
                format!("usage.n: expected a whole number from 0 to 9007199254740991, got {got}")
            );
        }
    }

    #[test]
    fn amounts_keep_the_digits_the_provider_wrote() {
        let node: Node<'_> =
            serde_json::from_str(r#"{"a": 6.5e-05, "b": 0.00015062799999999998, "c": 1, "d": "1", "e": -1}"#)
                .expect("JSON");
        let object = Object::new(&node, "usage").expect("an object").expect("not null");
        let dollars = |key| object.dollars(key).expect("an amount").map(|amount| amount.to_string());
        assert_eq!(dollars("a").as_deref(), Some("0.000065"));
        assert_eq!(dollars("b").as_deref(), Some("0.000150628"));
        assert_eq!(dollars("c").as_deref(), Some("1"));
        assert_eq!(dollars("d"), None);
        assert!(object.dollars("e").is_err());
    }
}
