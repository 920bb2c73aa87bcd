//! Instants and days, in UTC and without a clock.

use std::fmt;
use std::str::FromStr;

use serde::de;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, Result};

/// An instant in whole milliseconds UTC, from 1970-01-01 to 2999-12-31.
///
/// The range refuses what is certainly a mistake (seconds taken for milliseconds land in 1970, microseconds beyond the
/// end) and is held exactly by every language. Text is RFC 3339: any offset is read, `Z` and three decimals are printed.
///
/// ```
/// use tokenbook::Timestamp;
/// let at: Timestamp = "2026-11-22T11:00:00+01:00".parse()?;
/// assert_eq!(at.to_string(), "2026-11-22T10:00:00.000Z");
/// # Ok::<(), tokenbook::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const MIN: Self = Self(0);

    /// 2999-12-31T23:59:59.999Z.
    pub const MAX: Self = Self(32_503_679_999_999);

    /// Makes an instant from milliseconds since 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`](crate::ErrorCode::InvalidArgument) outside the years 1970 to 2999.
    pub fn from_ms(ms: i64) -> Result<Self> {
        if (Self::MIN.0..=Self::MAX.0).contains(&ms) {
            Ok(Self(ms))
        } else {
            Err(Error::invalid(format!("expected an instant from 1970-01-01 to 2999-12-31, got {ms} ms")))
        }
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn ms(self) -> i64 {
        self.0
    }

    /// The day in UTC.
    #[expect(clippy::cast_possible_truncation, reason = "the range holds 376,200 days")]
    pub const fn date(self) -> Date {
        Date((self.0.div_euclid(MS_PER_DAY)) as i32)
    }
}

const MS_PER_DAY: i64 = 86_400_000;

impl FromStr for Timestamp {
    type Err = Error;

    /// Reads RFC 3339; a time without `Z` or an offset is refused, since it names no instant.
    fn from_str(text: &str) -> Result<Self> {
        let fault = || {
            Error::invalid(format!("expected an instant such as \"2026-11-22T10:00:00.000Z\", got {:?}", clipped(text)))
        };
        if text.len() > 64 {
            return Err(fault());
        }
        let instant: jiff::Timestamp = text.parse().map_err(|_| fault())?;
        // Rounded down, so that 23:59:59.9999 stays on its day.
        Self::from_ms(instant.as_nanosecond().div_euclid(1_000_000).try_into().map_err(|_| fault())?)
            .map_err(|_| Error::invalid(format!("expected an instant from 1970-01-01 to 2999-12-31, got {text:?}")))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instant = jiff::Timestamp::from_millisecond(self.0).expect("our range lies inside jiff's");
        write!(f, "{instant:.3}")
    }
}

/// A day of the Gregorian calendar, from 1970-01-01 to 2999-12-31, printed `2026-11-22`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(i32);

impl Date {
    /// Makes a day from the number of days since 1970-01-01.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`](crate::ErrorCode::InvalidArgument) outside the years 1970 to 2999.
    pub fn from_days(days: i32) -> Result<Self> {
        if (0..=Timestamp::MAX.date().0).contains(&days) {
            Ok(Self(days))
        } else {
            Err(Error::invalid(format!("expected a day from 1970-01-01 to 2999-12-31, got day {days}")))
        }
    }

    /// Days since 1970-01-01.
    pub const fn days(self) -> i32 {
        self.0
    }

    /// The first instant of the day in UTC.
    pub const fn start(self) -> Timestamp {
        Timestamp(self.0 as i64 * MS_PER_DAY)
    }

    /// The day of the week, 0 for Monday to 6 for Sunday.
    #[expect(clippy::cast_sign_loss, reason = "a remainder of a positive number by 7")]
    pub const fn weekday(self) -> u8 {
        ((self.0 + 3) % 7) as u8 // 1970-01-01 was a Thursday.
    }
}

impl FromStr for Date {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let fault = || Error::invalid(format!("expected a day such as \"2026-11-22\", got {:?}", clipped(text)));
        let plain = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        if !plain {
            return Err(fault());
        }
        let date: jiff::civil::Date = text.parse().map_err(|_| fault())?;
        let start = date.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| fault())?.timestamp();
        Ok(Timestamp::from_ms(start.as_millisecond()).map_err(|_| fault())?.date())
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instant = jiff::Timestamp::from_millisecond(self.start().0).expect("our range lies inside jiff's");
        fmt::Display::fmt(&instant.to_zoned(jiff::tz::TimeZone::UTC).date(), f)
    }
}

/// The first characters of `text`, so that a message never repeats a long input.
fn clipped(text: &str) -> String {
    text.chars().take(40).collect()
}

macro_rules! serde_as_text {
    ($type:ident, $visitor:ident, $expecting:literal) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
                deserializer.deserialize_str($visitor)
            }
        }

        struct $visitor;

        impl de::Visitor<'_> for $visitor {
            type Value = $type;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($expecting)
            }

            fn visit_str<E: de::Error>(self, value: &str) -> std::result::Result<$type, E> {
                value.parse().map_err(E::custom)
            }
        }
    };
}

serde_as_text!(Timestamp, TimestampVisitor, "an instant such as \"2026-11-22T10:00:00.000Z\"");
serde_as_text!(Date, DateVisitor, "a day such as \"2026-11-22\"");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn instants_read_any_offset_and_print_utc() {
        let print = |text: &str| text.parse::<Timestamp>().expect("an instant").to_string();
        assert_eq!(print("2026-11-22T00:30:00+01:00"), "2026-11-21T23:30:00.000Z");
        assert_eq!(print("2026-11-22 10:00:00.1239Z"), "2026-11-22T10:00:00.123Z");
        assert_eq!(print("2999-12-31T23:59:59.999Z"), Timestamp::MAX.to_string());
    }

    #[test]
    fn what_names_no_instant_in_range_is_refused() {
        for text in [
            "",
            "2026-11-22",
            "2026-11-22T10:00:00",
            "0000-01-01T00:00:00Z",
            "9999-12-31T23:59:59Z",
            "1969-12-31T23:59:59Z",
            "now",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text:?} was accepted");
        }
        for text in ["", "2026-1-2", "2026-02-30", "0000-01-01", "9999-12-31", "20261122"] {
            assert!(text.parse::<Date>().is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn weekdays_start_on_monday() {
        let weekday = |text: &str| text.parse::<Date>().expect("a day").weekday();
        assert_eq!((weekday("2026-11-22"), weekday("2026-11-23"), weekday("1970-01-01")), (6, 0, 3));
    }

    proptest! {
        #[test]
        fn printing_and_reading_are_inverse(ms in 0..=Timestamp::MAX.0) {
            let at = Timestamp(ms);
            prop_assert_eq!(at.to_string().parse::<Timestamp>().expect("our own print"), at);
            prop_assert_eq!(at.date().to_string().parse::<Date>().expect("our own print"), at.date());
        }
    }
}
