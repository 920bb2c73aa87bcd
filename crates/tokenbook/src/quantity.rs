//! Whole numbers of tokens, exact in every language.

use std::fmt;

use serde::de;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, ErrorCode, Result};

/// A whole number from 0 to 2⁵³ − 1: a number of tokens, requests or calls.
///
/// ```
/// use tokenbook::Count;
/// let total = Count::new(2)?.checked_add(Count::new(3)?)?;
/// assert_eq!(total.get(), 5);
/// # Ok::<(), tokenbook::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Count(u64);

impl Count {
    /// No tokens.
    pub const ZERO: Self = Self(0);

    /// The largest count: the largest whole number below which JavaScript holds every one exactly.
    pub const MAX: Self = Self((1 << 53) - 1);

    /// Makes a count.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`] above [`Count::MAX`].
    pub fn new(value: u64) -> Result<Self> {
        if value > Self::MAX.0 { Err(Error::invalid(expected(&value))) } else { Ok(Self(value)) }
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Whether it is 0.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Adds, refusing sums above [`Count::MAX`].
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`] when the sum is too large to be held exactly in every language.
    pub fn checked_add(self, other: Self) -> Result<Self> {
        let sum = self.0 + other.0; // Two numbers below 2⁵³ can't overflow 64 bits.
        if sum > Self::MAX.0 {
            Err(Error::invalid(format!("the sum {sum} is above {}", Self::MAX)))
        } else {
            Ok(Self(sum))
        }
    }

    /// Subtracts, refusing a negative difference.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`] when `other` is larger, with both numbers in the message.
    pub fn checked_sub(self, other: Self) -> Result<Self> {
        match self.0.checked_sub(other.0) {
            Some(difference) => Ok(Self(difference)),
            None => Err(Error::new(ErrorCode::InvalidArgument, format!("{self} is less than {other}"))),
        }
    }
}

impl From<u32> for Count {
    fn from(value: u32) -> Self {
        Self(value.into())
    }
}

impl TryFrom<usize> for Count {
    type Error = Error;

    fn try_from(value: usize) -> Result<Self> {
        Self::new(value as u64)
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Serialize for Count {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

/// The sentence that every language shows for a number that isn't a count.
fn expected(got: &dyn fmt::Display) -> String {
    format!("expected a whole number from 0 to {}, got {got}", Count::MAX.0)
}

struct Visitor;

impl<'de> de::Visitor<'de> for Visitor {
    type Value = Count;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number from 0 to {}", Count::MAX.0)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> std::result::Result<Count, E> {
        Count::new(value).map_err(de::Error::custom)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> std::result::Result<Count, E> {
        u64::try_from(value).map_err(|_| de::Error::custom(expected(&value))).and_then(|value| self.visit_u64(value))
    }

    /// Takes `1.0`, which JavaScript and some providers write for 1, and refuses `1.5`.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be a whole number in range"
    )]
    fn visit_f64<E: de::Error>(self, value: f64) -> std::result::Result<Count, E> {
        let in_range = (0.0..=9_007_199_254_740_991.0).contains(&value);
        if in_range && value.fract() == 0.0 {
            Ok(Count(value as u64))
        } else {
            Err(de::Error::custom(expected(&format_args!("{value:?}"))))
        }
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> std::result::Result<Count, E> {
        Err(de::Error::custom(expected(&value)))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> std::result::Result<Count, E> {
        Err(de::Error::custom(expected(&format_args!("{value:?}"))))
    }

    fn visit_unit<E: de::Error>(self) -> std::result::Result<Count, E> {
        Err(de::Error::custom(expected(&"null")))
    }

    /// Words what JSON can't say, which the language layers write as `{"$not_json": "NaN"}`.
    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> std::result::Result<Count, A::Error> {
        use de::Error as _;
        match map.next_entry::<String, String>() {
            Ok(Some((key, value))) if key == "$not_json" => Err(A::Error::custom(expected(&value))),
            _ => Err(A::Error::invalid_type(de::Unexpected::Map, &self)),
        }
    }
}
