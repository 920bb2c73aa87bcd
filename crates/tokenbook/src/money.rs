//! Exact amounts of US dollars.

use std::fmt;
use std::str::FromStr;

use serde::de;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, Result};
use crate::quantity::Count;

/// Digits after the decimal point that an amount holds.
const SCALE: i64 = 12;

/// Units of 1e-12 dollars in one dollar.
const PICO_PER_USD: i128 = 1_000_000_000_000;

/// An exact amount of US dollars: a whole number of 1e-12 dollars.
///
/// Every price is a whole number of 1e-12 dollars per token (1e-6 dollars per million tokens; the catalog refuses finer
/// rates), so a cost is a sum of integer products: nothing is ever rounded or divided. A 64-bit integer holds any
/// single cost below 9.2 million dollars, which is how the ledger stores it, and sums are 128 bits wide.
///
/// ```
/// use tokenbook::Usd;
/// let price = Usd::parse("0.0000025")?;
/// assert_eq!(price.pico(), 2_500_000);
/// assert_eq!(price.to_string(), "0.0000025");
/// # Ok::<(), tokenbook::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Usd(i128);

impl Usd {
    /// No dollars: known to be free, never "unknown".
    pub const ZERO: Self = Self(0);

    /// Makes an amount from a whole number of 1e-12 dollars.
    pub const fn from_pico(pico: i128) -> Self {
        Self(pico)
    }

    /// The amount as a whole number of 1e-12 dollars.
    pub const fn pico(self) -> i128 {
        self.0
    }

    /// Reads a decimal number such as `12`, `-0.5` or `2.5e-6`.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`](crate::ErrorCode::InvalidArgument) when `text` is no decimal number, is finer
    /// than 1e-12 dollars, or is larger than 1e24 dollars.
    pub fn parse(text: &str) -> Result<Self> {
        let (number, dropped) = Decimal::read(text)?;
        if dropped {
            return Err(Error::invalid(format!("expected at most {SCALE} digits after the point, got {text:?}")));
        }
        Ok(Self(number))
    }

    /// Reads a decimal number and rounds it, half to even, to 1e-12 dollars.
    ///
    /// For amounts that a *provider states* as a binary float, whose digits beyond 1e-12 are dust; the provider's own
    /// text stays in the usage's `raw`.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`](crate::ErrorCode::InvalidArgument) when `text` is no decimal number or is larger
    /// than 1e24 dollars.
    pub fn parse_rounded(text: &str) -> Result<Self> {
        Decimal::read_rounded(text).map(Self)
    }

    /// Adds.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`](crate::ErrorCode::InvalidArgument) when the sum leaves the range of 128 bits.
    pub fn checked_add(self, other: Self) -> Result<Self> {
        self.0.checked_add(other.0).map(Self).ok_or_else(too_large)
    }

    /// Subtracts.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`](crate::ErrorCode::InvalidArgument) when the difference leaves the range.
    pub fn checked_sub(self, other: Self) -> Result<Self> {
        self.0.checked_sub(other.0).map(Self).ok_or_else(too_large)
    }

    /// Multiplies an amount per piece by a number of pieces.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`](crate::ErrorCode::InvalidArgument) when the product leaves the range of 128 bits.
    pub fn checked_mul(self, pieces: Count) -> Result<Self> {
        self.0.checked_mul(i128::from(pieces.get())).map(Self).ok_or_else(too_large)
    }
}

#[cold]
fn too_large() -> Error {
    Error::invalid("the amount is too large")
}

/// Decimal text in steps, shared by exact and rounded reading.
struct Decimal;

impl Decimal {
    /// Reads `text` into units of 1e-12 and says whether digits other than 0 were cut off.
    fn read(text: &str) -> Result<(i128, bool)> {
        let (value, rest) = Self::split(text)?;
        Ok((value, rest != Rest::Nothing))
    }

    fn read_rounded(text: &str) -> Result<i128> {
        let (value, rest) = Self::split(text)?;
        let step = if text.trim_start().starts_with('-') { -1 } else { 1 };
        Ok(match rest {
            Rest::Nothing | Rest::BelowHalf => value,
            Rest::Half => value + (value % 2), // The remainder carries the sign.
            Rest::AboveHalf => value + step,
        })
    }

    fn split(text: &str) -> Result<(i128, Rest)> {
        let fault = || Error::invalid(format!("expected a decimal number, got {text:?}"));
        let (negative, digits) = match text.as_bytes() {
            [b'-', rest @ ..] => (true, rest),
            rest => (false, rest),
        };
        let (mantissa, exponent) = match digits.iter().position(|byte| matches!(byte, b'e' | b'E')) {
            None => (digits, 0),
            Some(at) => {
                let exponent = std::str::from_utf8(&digits[at + 1..]).ok().and_then(|text| text.parse::<i32>().ok());
                (&digits[..at], exponent.filter(|exponent| exponent.abs() <= 400).ok_or_else(fault)?)
            }
        };
        let (whole, fraction) = match mantissa.iter().position(|byte| *byte == b'.') {
            None => (mantissa, &[][..]),
            Some(at) => (&mantissa[..at], &mantissa[at + 1..]),
        };
        let is_number = !whole.is_empty() && whole.iter().chain(fraction).all(u8::is_ascii_digit);
        let point_ends_it = mantissa.ends_with(b".");
        if !is_number || point_ends_it || mantissa.len() > 400 {
            return Err(fault());
        }

        // Position of the last digit kept, counted from the first digit of the mantissa.
        let keep = i64::try_from(whole.len()).map_err(|_| fault())? + i64::from(exponent) + SCALE;
        let mut value: i128 = 0;
        let mut rest = Rest::Nothing;
        let all = whole.iter().chain(fraction);
        let count = whole.len() + fraction.len();
        for (at, digit) in (0_i64..).zip(all) {
            let digit = i128::from(digit - b'0');
            if at < keep {
                value = value.checked_mul(10).and_then(|value| value.checked_add(digit)).ok_or_else(too_large)?;
            } else if at == keep {
                rest = Rest::first(digit);
            } else if digit != 0 {
                rest = rest.more();
            }
        }
        for _ in i64::try_from(count).map_err(|_| fault())?..keep {
            if value == 0 {
                break;
            }
            value = value.checked_mul(10).ok_or_else(too_large)?;
        }
        if value > PICO_PER_USD * PICO_PER_USD * PICO_PER_USD {
            return Err(too_large());
        }
        Ok((if negative { -value } else { value }, rest))
    }
}

/// What was cut off behind the last digit kept, against half of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rest {
    Nothing,
    BelowHalf,
    Half,
    AboveHalf,
}

impl Rest {
    fn first(digit: i128) -> Self {
        match digit {
            0 => Self::Nothing,
            1..=4 => Self::BelowHalf,
            5 => Self::Half,
            _ => Self::AboveHalf,
        }
    }

    fn more(self) -> Self {
        match self {
            Self::Nothing => Self::BelowHalf,
            Self::Half => Self::AboveHalf,
            other => other,
        }
    }
}

impl FromStr for Usd {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

/// Plain digits, without exponent and without trailing zeros.
impl fmt::Display for Usd {
    /// Prints digits by hand: a batch prints a million amounts, and 128-bit division is most of the usual way.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: usize = 12;
        const PICO: u64 = 1_000_000_000_000;
        let absolute = self.0.unsigned_abs();
        let (whole, mut fraction) = if let Ok(small) = u64::try_from(absolute) {
            (u128::from(small / PICO), small % PICO)
        } else {
            let rest = u64::try_from(absolute % u128::from(PICO)).expect("a remainder of a 64-bit divisor");
            (absolute / u128::from(PICO), rest)
        };
        if self.0 < 0 {
            f.write_str("-")?;
        }
        match u64::try_from(whole) {
            Ok(whole) => write!(f, "{whole}")?,
            Err(_) => write!(f, "{whole}")?,
        }
        if fraction == 0 {
            return Ok(());
        }
        let mut text = [b'.'; 1 + DIGITS];
        for digit in text[1..].iter_mut().rev() {
            *digit = b'0' + u8::try_from(fraction % 10).expect("a digit");
            fraction /= 10;
        }
        let text = std::str::from_utf8(&text).expect("a point and digits");
        f.write_str(text.trim_end_matches('0'))
    }
}

impl Serialize for Usd {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Usd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

struct Visitor;

impl Visitor {
    fn refuse<E: de::Error>(got: &dyn fmt::Display) -> E {
        E::custom(format!("expected an amount of dollars as a string such as \"0.25\", got {got}"))
    }
}

/// Takes text, and whole numbers for convenience; a float is refused, since its digits aren't the caller's.
impl de::Visitor<'_> for Visitor {
    type Value = Usd;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an amount of dollars as a string such as \"0.25\"")
    }

    fn visit_str<E: de::Error>(self, value: &str) -> std::result::Result<Usd, E> {
        Usd::parse(value).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> std::result::Result<Usd, E> {
        Ok(Usd(i128::from(value) * PICO_PER_USD))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> std::result::Result<Usd, E> {
        Ok(Usd(i128::from(value) * PICO_PER_USD))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> std::result::Result<Usd, E> {
        Err(Self::refuse(&value))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> std::result::Result<Usd, E> {
        Err(Self::refuse(&value))
    }

    fn visit_unit<E: de::Error>(self) -> std::result::Result<Usd, E> {
        Err(Self::refuse(&"null"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pico(text: &str) -> i128 {
        Usd::parse(text).expect("a decimal number").pico()
    }

    #[test]
    fn decimal_text_is_read_exactly() {
        assert_eq!(pico("0.0000025"), 2_500_000);
        assert_eq!(pico("2.5e-6"), 2_500_000);
        assert_eq!(pico("12"), 12 * PICO_PER_USD);
        assert_eq!(pico("-0.5"), -PICO_PER_USD / 2);
        assert_eq!(pico("1e-12"), 1);
        assert_eq!(pico("0.0000000000010"), 1);
        assert_eq!(pico("0e99"), 0);
        assert_eq!(pico("0.1e3"), 100 * PICO_PER_USD);
    }

    #[test]
    fn what_is_no_exact_amount_is_refused() {
        for text in [
            "",
            "-",
            ".",
            "1.",
            ".5",
            "1e",
            "NaN",
            "inf",
            "+1",
            "1_000",
            "1e-13",
            "0.0000000000001",
            "1e400",
            "０",
            "1 ",
        ] {
            assert!(Usd::parse(text).is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn stated_amounts_lose_their_float_dust_only() {
        let rounded = |text| Usd::parse_rounded(text).expect("a decimal number").pico();
        assert_eq!(rounded("0.00014365000000000002"), 143_650_000);
        assert_eq!(rounded("0.0000000000005"), 0);
        assert_eq!(rounded("0.0000000000015"), 2);
        assert_eq!(rounded("-0.0000000000015"), -2);
        assert_eq!(rounded("0.00000000000050001"), 1);
        assert_eq!(rounded("9e-20"), 0);
        assert_eq!(rounded("5.7e-06"), 5_700_000);
    }

    proptest! {
        #[test]
        fn printing_and_reading_are_inverse(value in any::<i64>()) {
            let amount = Usd::from_pico(value.into());
            prop_assert_eq!(Usd::parse(&amount.to_string()).expect("our own print"), amount);
        }

        #[test]
        fn reading_never_panics(text in "[-0-9.eE]{0,40}") {
            let _ = Usd::parse(&text);
            let _ = Usd::parse_rounded(&text);
        }
    }
}
