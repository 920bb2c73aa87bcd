//! Rates: dollars per million tokens, one per kind of tokens, and what a kind without a rate of its own costs.

use std::fmt;

use serde::de;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::error::{Error, Result};
use crate::money::Usd;
use crate::usage::TokenKind;

/// Number of token kinds, the width of a table of rates.
pub(super) const KINDS: usize = TokenKind::ALL.len();

/// A price per token: a whole number of 1e-12 dollars, which is a whole number of 1e-6 dollars per million tokens.
///
/// Every published rate fits this grid; finer ones are refused, so that every cost is exact in 1e-12 dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate(u64);

/// Largest rate, a million dollars per million tokens: far above any real one, and rate × count stays far inside i128.
const MAX_RATE: u64 = 1_000_000_000_000;

impl Rate {
    /// Free of charge, which somebody stated; never "unknown".
    pub const FREE: Self = Self(0);

    /// Makes a rate from whole 1e-12 dollars per token.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`](crate::ErrorCode::InvalidArgument) above one dollar per token.
    pub fn from_pico_per_token(pico: u64) -> Result<Self> {
        if pico <= MAX_RATE { Ok(Self(pico)) } else { Err(Error::invalid("a rate is above 1 dollar per token")) }
    }

    /// Reads dollars per million tokens, such as `2.5`.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`](crate::ErrorCode::InvalidArgument) when `text` is no decimal number, is negative,
    /// is finer than 0.000001 or is above a million dollars.
    pub fn parse_per_mtok(text: &str) -> Result<Self> {
        let fault = |what: &str| Error::invalid(format!("expected dollars per million tokens, got {text:?}: {what}"));
        let pico = Usd::parse(text).map_err(|error| fault(error.message()))?.pico();
        let pico = u64::try_from(pico).map_err(|_| fault("out of range"))?;
        if pico % 1_000_000 != 0 {
            return Err(fault("finer than 0.000001"));
        }
        Self::from_pico_per_token(pico / 1_000_000)
    }

    /// The price of one token in whole 1e-12 dollars.
    pub const fn pico_per_token(self) -> u64 {
        self.0
    }

    /// The price of a million tokens.
    pub fn per_mtok(self) -> Usd {
        Usd::from_pico(i128::from(self.0) * 1_000_000)
    }

    /// The rate times a multiplier.
    pub(super) fn times(self, multiplier: Multiplier) -> Result<Self> {
        let product = u128::from(self.0) * u128::from(multiplier.0);
        if product % u128::from(Multiplier::ONE.0) != 0 {
            return Err(Error::invalid(format!(
                "{} dollars per million tokens times {multiplier} is finer than 0.000001",
                self.per_mtok()
            )));
        }
        let product = u64::try_from(product / u128::from(Multiplier::ONE.0)).unwrap_or(u64::MAX);
        Self::from_pico_per_token(product)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.per_mtok().fmt(f)
    }
}

/// A factor on every token rate of a price, such as 1.1 for processing inside one region; four decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Multiplier(u32);

impl Multiplier {
    /// No change.
    pub const ONE: Self = Self(10_000);

    pub(super) fn parse(text: &str) -> Result<Self> {
        let fault = || Error::invalid(format!("expected a factor from 0.0001 to 100, four decimals, got {text:?}"));
        let pico = Usd::parse(text).map_err(|_| fault())?.pico();
        if pico % 100_000_000 != 0 || !(100_000_000..=100_000_000_000_000).contains(&pico) {
            return Err(fault());
        }
        u32::try_from(pico / 100_000_000).map(Self).map_err(|_| fault())
    }

    /// Applies the factor to a sum of products of rates that were each checked to give a whole number.
    pub(super) const fn apply(self, pico: i128) -> i128 {
        if self.0 == Self::ONE.0 { pico } else { pico * self.0 as i128 / Self::ONE.0 as i128 }
    }
}

impl fmt::Display for Multiplier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Usd::from_pico(i128::from(self.0) * 100_000_000).fmt(f)
    }
}

impl<'de> Deserialize<'de> for Multiplier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        decimal(deserializer)?.with(Self::parse)
    }
}

/// The rates that a price row states, by kind of tokens.
///
/// A kind may be stated to have no price (`null` in a file): then it doesn't cost what its parent costs either.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rates {
    stated: [Option<Rate>; KINDS],
    /// Bit `kind` is set where the kind is stated to have no price.
    unpriced: u32,
}

impl Rates {
    pub(super) const NONE: Self = Self { stated: [None; KINDS], unpriced: 0 };

    /// The rate stated for exactly this kind.
    pub const fn stated(&self, kind: TokenKind) -> Option<Rate> {
        self.stated[kind as usize]
    }

    /// The stated rates, input first.
    pub fn iter(&self) -> impl Iterator<Item = (TokenKind, Rate)> {
        TokenKind::ALL.into_iter().zip(self.stated).filter_map(|(kind, rate)| Some((kind, rate?)))
    }

    pub(super) const fn is_empty(&self) -> bool {
        let mut index = 0;
        while index < KINDS {
            if self.stated[index].is_some() {
                return false;
            }
            index += 1;
        }
        true
    }

    /// The kind whose stated rate is charged for `kind`, or none: then the kind has no price.
    ///
    /// This is the one place that says what a kind without its own rate costs.
    pub(super) fn charged_as(&self, kind: TokenKind) -> Option<TokenKind> {
        use TokenKind as T;
        // A modality with its own price for fresh tokens never borrows the cheaper cache price of text.
        let text_cache = |own: T, fresh: T| match self.stated(fresh) {
            Some(_) => vec![own],
            None => vec![own, T::CacheRead, T::Input],
        };
        let candidates = match kind {
            T::Input | T::Output | T::CacheWrite1h | T::CacheWrite12h | T::CacheWrite24h => vec![kind],
            // A provider without a published cache discount charges cached input as input.
            T::CacheRead | T::InputAudio | T::InputImage | T::InputVideo => vec![kind, T::Input],
            // `cache_write_tokens` is the provider's default time to live: 5 minutes at Anthropic, 30 at OpenAI.
            T::CacheWrite => vec![kind, T::CacheWrite5m, T::CacheWrite30m],
            // Never `input_tokens`: writing costs more than reading afresh, and too low is as wrong as free.
            T::CacheWrite5m | T::CacheWrite30m => vec![kind, T::CacheWrite],
            T::CacheReadAudio => text_cache(kind, T::InputAudio),
            T::CacheReadImage => text_cache(kind, T::InputImage),
            T::CacheReadVideo => text_cache(kind, T::InputVideo),
            T::Reasoning | T::OutputAudio | T::OutputImage => vec![kind, T::Output],
        };
        if self.unpriced & (1 << kind as u32) != 0 {
            return None;
        }
        candidates.into_iter().find(|kind| self.stated(*kind).is_some())
    }

    /// These rates with those of `over` in place of them where it states any.
    pub(super) fn overlaid(&self, over: &Self) -> Self {
        let mut rates = self.clone();
        for kind in TokenKind::ALL {
            rates.put(kind, over.stated(kind), over.unpriced & (1 << kind as u32) != 0);
        }
        rates
    }

    /// States a rate or that there is none; neither leaves the kind as it is.
    const fn put(&mut self, kind: TokenKind, rate: Option<Rate>, unpriced: bool) {
        let bit = 1 << kind as u32;
        if unpriced {
            self.stated[kind as usize] = None;
            self.unpriced |= bit;
        } else if rate.is_some() {
            self.stated[kind as usize] = rate;
            self.unpriced &= !bit;
        }
    }
}

/// Rates looked up for every kind: what the arithmetic runs on.
#[derive(Debug, Clone)]
pub(super) struct Table {
    /// 1e-12 dollars per token, by kind.
    pub(super) pico: [u64; KINDS],
    /// Bit `kind` is set where the kind has a price.
    pub(super) known: u32,
}

impl Table {
    pub(super) fn new(rates: &Rates) -> Self {
        let mut table = Self { pico: [0; KINDS], known: 0 };
        for kind in TokenKind::ALL {
            if let Some(rate) = rates.charged_as(kind).and_then(|kind| rates.stated(kind)) {
                table.pico[kind as usize] = rate.pico_per_token();
                table.known |= 1 << kind as u32;
            }
        }
        table
    }
}

impl<'de> Deserialize<'de> for Rates {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Rates;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("dollars per million tokens by kind, such as {\"input_tokens\": \"2.5\"}")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> std::result::Result<Rates, A::Error> {
                let mut rates = Rates::NONE;
                while let Some(name) = map.next_key::<String>()? {
                    let kind = TokenKind::from_name(&name).ok_or_else(|| {
                        de::Error::custom(format!(
                            "unknown kind of tokens {name:?}; the kinds are {}",
                            TokenKind::ALL.map(TokenKind::name).join(", ")
                        ))
                    })?;
                    if rates.stated(kind).is_some() || rates.unpriced & (1 << kind as u32) != 0 {
                        return Err(de::Error::custom(format!("{name} is there twice")));
                    }
                    let text = map.next_value::<Text>()?;
                    let rate = if text.0 == "null" { None } else { Some(text.with(Rate::parse_per_mtok)?) };
                    rates.put(kind, rate, rate.is_none());
                }
                Ok(rates)
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

/// The digits of a decimal that was written as a JSON string or number, untouched by binary floats.
#[derive(Debug, Clone)]
pub(super) struct Text(String);

impl Text {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads the digits, with the failure in serde's words.
    pub(super) fn with<T, E: de::Error>(&self, read: impl FnOnce(&str) -> Result<T>) -> std::result::Result<T, E> {
        read(&self.0).map_err(|error| E::custom(error.message()))
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        decimal(deserializer)
    }
}

fn decimal<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Text, D::Error> {
    let raw = Box::<RawValue>::deserialize(deserializer)?;
    let text = raw.get();
    Ok(Text(text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_keep_the_published_digits() {
        let rate = Rate::parse_per_mtok("0.075").expect("a rate");
        assert_eq!((rate.pico_per_token(), rate.to_string()), (75_000, "0.075".to_owned()));
        assert_eq!(Rate::parse_per_mtok("0.0028").expect("a rate").to_string(), "0.0028");
    }

    #[test]
    fn rates_finer_than_the_grid_are_refused() {
        let error = Rate::parse_per_mtok("0.1234567").expect_err("too fine");
        assert_eq!(error.message(), "expected dollars per million tokens, got \"0.1234567\": finer than 0.000001");
        Rate::parse_per_mtok("-1").expect_err("negative");
        Rate::parse_per_mtok("1000001").expect_err("above a dollar a token");
    }

    #[test]
    fn multipliers_give_whole_numbers_or_an_error() {
        let tenth = Multiplier::parse("1.1").expect("a factor");
        assert_eq!(Rate::parse_per_mtok("3").expect("a rate").times(tenth).expect("exact").to_string(), "3.3");
        Rate::parse_per_mtok("0.000001").expect("a rate").times(tenth).expect_err("finer than the grid");
    }

    #[test]
    fn a_cache_write_without_a_rate_is_neither_free_nor_input() {
        let rates: Rates =
            serde_json::from_str(r#"{"input_tokens": "3", "output_tokens": 15, "cache_write_tokens": "3.75"}"#)
                .expect("rates");
        assert_eq!(rates.charged_as(TokenKind::CacheWrite5m), Some(TokenKind::CacheWrite));
        assert_eq!(rates.charged_as(TokenKind::CacheWrite1h), None);
        assert_eq!(rates.charged_as(TokenKind::Reasoning), Some(TokenKind::Output));
        assert_eq!(rates.charged_as(TokenKind::CacheRead), Some(TokenKind::Input));
    }

    #[test]
    fn a_kind_stated_to_have_no_price_has_none() {
        let rates: Rates = serde_json::from_str(r#"{"input_tokens": "3", "cache_read_tokens": null}"#).expect("rates");
        assert_eq!(rates.charged_as(TokenKind::CacheRead), None);
        let above: Rates =
            serde_json::from_str(r#"{"input_tokens": null, "cache_read_tokens": "0.6"}"#).expect("rates");
        let above = rates.overlaid(&above);
        assert_eq!(above.charged_as(TokenKind::CacheRead), Some(TokenKind::CacheRead));
        assert_eq!(above.charged_as(TokenKind::Input), None);
    }

    #[test]
    fn cached_audio_never_borrows_the_price_of_cached_text() {
        let rates: Rates =
            serde_json::from_str(r#"{"input_tokens": "0.3", "cache_read_tokens": "0.03", "input_audio_tokens": "1"}"#)
                .expect("rates");
        assert_eq!(rates.charged_as(TokenKind::CacheReadAudio), None);
        assert_eq!(rates.charged_as(TokenKind::CacheReadImage), Some(TokenKind::CacheRead));
    }
}
