//! What one call used, as disjoint kinds.

use std::collections::BTreeMap;

use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::error::Result;
use crate::quantity::Count;

macro_rules! token_kinds {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal, $side:ident;)+) => {
        /// A kind of billed tokens. Kinds are disjoint: no token is in two of them, so they add up to the total.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum TokenKind {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl TokenKind {
            /// Every kind, input first.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$variant),+];

            /// The field's name in every language, such as `cache_read_tokens`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// What the kind is, in one sentence.
            #[cfg(feature = "schema")]
            pub(crate) const fn about(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!($($doc),+).trim_ascii_start(),)+
                }
            }

            /// Whether these tokens went into the model or came out of it.
            pub const fn side(self) -> Side {
                match self {
                    $(Self::$variant => Side::$side,)+
                }
            }
        }
    };
}

/// The side of a call that tokens are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// What the model read, from a cache or not.
    Input,
    /// What the model wrote, shown or not.
    Output,
}

token_kinds! {
    /// Input that was read afresh: text, and whatever the provider doesn't tell apart.
    Input = "input_tokens", Input;
    /// Input read from a cache.
    CacheRead = "cache_read_tokens", Input;
    /// Input written to a cache whose time to live the provider didn't say.
    CacheWrite = "cache_write_tokens", Input;
    /// Input written to a cache for 5 minutes.
    CacheWrite5m = "cache_write_5m_tokens", Input;
    /// Input written to a cache for 30 minutes.
    CacheWrite30m = "cache_write_30m_tokens", Input;
    /// Input written to a cache for an hour.
    CacheWrite1h = "cache_write_1h_tokens", Input;
    /// Input written to a cache for 12 hours.
    CacheWrite12h = "cache_write_12h_tokens", Input;
    /// Input written to a cache for 24 hours.
    CacheWrite24h = "cache_write_24h_tokens", Input;
    /// Audio input that was read afresh.
    InputAudio = "input_audio_tokens", Input;
    /// Image input that was read afresh.
    InputImage = "input_image_tokens", Input;
    /// Video input that was read afresh.
    InputVideo = "input_video_tokens", Input;
    /// Audio input read from a cache.
    CacheReadAudio = "cache_read_audio_tokens", Input;
    /// Image input read from a cache.
    CacheReadImage = "cache_read_image_tokens", Input;
    /// Video input read from a cache.
    CacheReadVideo = "cache_read_video_tokens", Input;
    /// Output that the caller sees: text and tool calls, and whatever the provider doesn't tell apart.
    Output = "output_tokens", Output;
    /// Output that the model thought and the caller may not see.
    Reasoning = "reasoning_tokens", Output;
    /// Audio output.
    OutputAudio = "output_audio_tokens", Output;
    /// Image output.
    OutputImage = "output_image_tokens", Output;
}

impl TokenKind {
    /// Finds a kind by its name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// The tokens of one call by disjoint kinds, and the requests its server-side tools made.
///
/// In JSON it is one object whose fields are the kinds that are not 0, `server_tool_requests` where there are any, and
/// the sums `total_input_tokens` and `total_output_tokens`, which are checked when read back.
///
/// ```
/// use tokenbook::{Count, TokenKind, Usage};
/// let usage = Usage::new().with(TokenKind::Input, 100u32).with(TokenKind::CacheRead, 900u32);
/// assert_eq!(usage.total_input_tokens()?.get(), 1_000);
/// # Ok::<(), tokenbook::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Usage {
    tokens: [Count; TokenKind::ALL.len()],
    /// Requests made by server-side tools, by the tool's name: `web_search`, `web_fetch`, `code_execution` and so on.
    pub server_tool_requests: BTreeMap<String, Count>,
}

impl Usage {
    /// No tokens of any kind.
    pub const fn new() -> Self {
        Self { tokens: [Count::ZERO; TokenKind::ALL.len()], server_tool_requests: BTreeMap::new() }
    }

    /// The tokens of a kind.
    pub const fn get(&self, kind: TokenKind) -> Count {
        self.tokens[kind as usize]
    }

    /// Sets the tokens of a kind.
    pub const fn set(&mut self, kind: TokenKind, tokens: Count) {
        self.tokens[kind as usize] = tokens;
    }

    /// Sets the tokens of a kind and returns the usage, for building one in an expression.
    #[must_use]
    pub fn with(mut self, kind: TokenKind, tokens: impl Into<Count>) -> Self {
        self.set(kind, tokens.into());
        self
    }

    /// The kinds that are not 0, with their tokens.
    pub fn iter(&self) -> impl Iterator<Item = (TokenKind, Count)> {
        TokenKind::ALL.into_iter().zip(self.tokens).filter(|(_, tokens)| !tokens.is_zero())
    }

    /// The sum of one side's kinds.
    fn total(&self, side: Side) -> Result<Count> {
        self.iter()
            .filter(|(kind, _)| kind.side() == side)
            .try_fold(Count::ZERO, |sum, (_, tokens)| sum.checked_add(tokens))
    }

    /// All tokens that went into the model, cached ones included.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`](crate::ErrorCode::InvalidArgument) when the sum is above [`Count::MAX`].
    pub fn total_input_tokens(&self) -> Result<Count> {
        self.total(Side::Input)
    }

    /// All tokens that the model wrote, reasoning included.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`](crate::ErrorCode::InvalidArgument) when the sum is above [`Count::MAX`].
    pub fn total_output_tokens(&self) -> Result<Count> {
        self.total(Side::Output)
    }

    /// Adds another call's usage, kind by kind.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`](crate::ErrorCode::InvalidArgument) when a sum is above [`Count::MAX`].
    pub fn checked_add(mut self, other: &Self) -> Result<Self> {
        for (sum, more) in self.tokens.iter_mut().zip(other.tokens) {
            *sum = sum.checked_add(more)?;
        }
        for (tool, more) in &other.server_tool_requests {
            let sum = self.server_tool_requests.entry(tool.clone()).or_default();
            *sum = sum.checked_add(*more)?;
        }
        Ok(self)
    }
}

impl Serialize for Usage {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        use serde::ser::Error as _;
        let mut map = serializer.serialize_map(None)?;
        for (kind, tokens) in self.iter() {
            map.serialize_entry(kind.name(), &tokens)?;
        }
        if !self.server_tool_requests.is_empty() {
            map.serialize_entry("server_tool_requests", &self.server_tool_requests)?;
        }
        map.serialize_entry("total_input_tokens", &self.total_input_tokens().map_err(S::Error::custom)?)?;
        map.serialize_entry("total_output_tokens", &self.total_output_tokens().map_err(S::Error::custom)?)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Usage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_map(Visitor)
    }
}

struct Visitor;

impl<'de> de::Visitor<'de> for Visitor {
    type Value = Usage;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object of token counts such as {\"input_tokens\": 100, \"output_tokens\": 20}")
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> std::result::Result<Usage, A::Error> {
        use de::Error as _;
        let mut usage = Usage::new();
        let mut totals = [None; 2];
        let mut seen = 0_u32;
        while let Some(key) = map.next_key::<Key>()? {
            let (slot, bit) = match key {
                Key::Kind(kind) => (None, 1 << kind as u32),
                Key::Total(side) => (Some(side), 1 << (29 + side as u32)),
                Key::ServerTools => (None, 1 << 31),
                // What the provider said travels beside the usage it was read into, and is not read again.
                Key::Raw => {
                    map.next_value::<de::IgnoredAny>()?;
                    continue;
                }
            };
            if seen & bit != 0 {
                return Err(A::Error::custom("a field is there twice"));
            }
            seen |= bit;
            match (key, slot) {
                (Key::Kind(kind), _) => usage.set(kind, map.next_value::<Option<Count>>()?.unwrap_or_default()),
                (_, Some(side)) => totals[side as usize] = map.next_value::<Option<Count>>()?,
                _ => {
                    let requests = map.next_value::<Option<BTreeMap<String, Count>>>()?;
                    usage.server_tool_requests = requests.unwrap_or_default();
                }
            }
        }
        for (side, name) in [(Side::Input, "total_input_tokens"), (Side::Output, "total_output_tokens")] {
            let sum = usage.total(side).map_err(A::Error::custom)?;
            if let Some(stated) = totals[side as usize]
                && stated != sum
            {
                return Err(A::Error::custom(format!("{name} is {stated}, but its kinds add up to {sum}")));
            }
        }
        Ok(usage)
    }
}

#[derive(Clone, Copy)]
enum Key {
    Kind(TokenKind),
    Total(Side),
    ServerTools,
    Raw,
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_str(KeyVisitor)
    }
}

struct KeyVisitor;

impl de::Visitor<'_> for KeyVisitor {
    type Value = Key;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the name of a kind of tokens")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> std::result::Result<Key, E> {
        match name {
            "total_input_tokens" => Ok(Key::Total(Side::Input)),
            "total_output_tokens" => Ok(Key::Total(Side::Output)),
            "server_tool_requests" => Ok(Key::ServerTools),
            "raw" => Ok(Key::Raw),
            _ => TokenKind::from_name(name).map(Key::Kind).ok_or_else(|| {
                let got: String = name.chars().take(60).collect();
                E::custom(format!(
                    "unknown kind of tokens {got:?}; a provider's own usage object is read by `extract`, the kinds are {}",
                    TokenKind::ALL.map(TokenKind::name).join(", ")
                ))
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(json: &str) -> std::result::Result<Usage, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn fields_are_read_by_name_and_null_is_absent() {
        let usage =
            read(r#"{"input_tokens": 5.0, "cache_read_tokens": null, "server_tool_requests": {"web_search": 2}}"#);
        let usage = usage.expect("a usage");
        assert_eq!(usage.get(TokenKind::Input).get(), 5);
        assert_eq!(usage.server_tool_requests["web_search"].get(), 2);
    }

    #[test]
    fn what_is_no_count_is_refused_with_the_value() {
        for (value, got) in [
            ("-1", "-1"),
            ("1.5", "1.5"),
            ("true", "true"),
            ("\"1\"", "\"1\""),
            ("9007199254740992", "9007199254740992"),
            ("1e300", "1e300"),
        ] {
            let message = read(&format!("{{\"input_tokens\": {value}}}")).expect_err("no count");
            assert!(message.starts_with("expected a whole number from 0 to 9007199254740991, got "), "{message}");
            assert!(message.contains(got) || value == "1e300", "{message}");
        }
    }

    #[test]
    fn doubled_and_unknown_fields_and_wrong_totals_are_refused() {
        assert!(read(r#"{"input_tokens": 1, "input_tokens": 1}"#).is_err());
        assert!(read(r#"{"prompt_tokens": 1}"#).expect_err("unknown").contains("extract"));
        assert!(read(r#"{"input_tokens": 1, "total_input_tokens": 2}"#).expect_err("wrong").contains("add up to 1"));
    }

    fn usages() -> impl Strategy<Value = Usage> {
        let tools = prop::collection::btree_map("[a-z_]{1,12}", (0_u32..9).prop_map(Count::from), 0..3);
        (prop::collection::vec(any::<u32>(), TokenKind::ALL.len()), tools).prop_map(|(tokens, tools)| {
            let mut usage = Usage { server_tool_requests: tools, ..Usage::new() };
            for (kind, tokens) in TokenKind::ALL.into_iter().zip(tokens) {
                usage.set(kind, tokens.into());
            }
            usage
        })
    }

    proptest! {
        #[test]
        fn writing_and_reading_are_inverse(usage in usages()) {
            let json = serde_json::to_string(&usage).expect("a usage is written");
            prop_assert_eq!(read(&json), Ok(usage));
        }

        #[test]
        fn the_order_of_adding_does_not_matter(one in usages(), two in usages()) {
            let there = one.clone().checked_add(&two).expect("small");
            let back = two.checked_add(&one).expect("small");
            prop_assert_eq!(there, back);
        }
    }
}
