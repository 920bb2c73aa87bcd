//! The sums that a rollup keeps for one group of calls, and their compact form on disk.

use tokenbook::{Error, ErrorCode, Result, TokenKind};

/// Token kinds in the order of the file format: new kinds go to the end, none ever moves.
pub(crate) const KINDS: [TokenKind; 18] = [
    TokenKind::Input,
    TokenKind::CacheRead,
    TokenKind::CacheWrite,
    TokenKind::CacheWrite5m,
    TokenKind::CacheWrite1h,
    TokenKind::Output,
    TokenKind::Reasoning,
    TokenKind::CacheWrite30m,
    TokenKind::CacheWrite12h,
    TokenKind::CacheWrite24h,
    TokenKind::InputAudio,
    TokenKind::InputImage,
    TokenKind::InputVideo,
    TokenKind::CacheReadAudio,
    TokenKind::CacheReadImage,
    TokenKind::CacheReadVideo,
    TokenKind::OutputAudio,
    TokenKind::OutputImage,
];

/// How many of [`KINDS`] have a column of their own in the table of calls; the rest are rare.
pub(crate) const COLUMN_KINDS: usize = 7;

/// One sum of a group. The numbers are those of the file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sum {
    Calls = 0,
    Failed = 1,
    Unpriced = 2,
    Stated = 3,
    UnknownUsage = 4,
    Partial = 5,
    Truncated = 6,
    TruncationKnown = 7,
    Cost = 8,
    DurationMs = 9,
    DurationCalls = 10,
    FirstTokenMs = 11,
    FirstTokenCalls = 12,
    LimitedCalls = 13,
    LimitTokens = 14,
    LimitedOutput = 15,
    OfferingCalls = 16,
    CallingCalls = 17,
    ToolsOffered = 18,
    ToolsCalled = 19,
    DefinitionTokens = 20,
    ResultTokens = 21,
    ServerToolRequests = 22,
}

/// What groups of calls are put in order by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rank {
    Cost,
    Calls,
    Tokens,
}

/// Where the sums by token kind begin.
const FIRST_KIND: usize = 32;
/// How many sums there are room for.
const FIELDS: usize = FIRST_KIND + KINDS.len();

/// The sums of a group of calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sums([u128; FIELDS]);

impl Default for Sums {
    fn default() -> Self {
        Self([0; FIELDS])
    }
}

/// The share of one call in the sums, without its zeros.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Share(Vec<(u8, u64)>);

impl Share {
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn add(&mut self, sum: Sum, value: u64) {
        if value != 0 {
            self.0.push((sum as u8, value));
        }
    }

    /// Adds tokens of the kind at `index` of [`KINDS`].
    #[expect(clippy::cast_possible_truncation, reason = "fields are numbered below 64")]
    pub(crate) fn add_kind(&mut self, index: usize, tokens: u64) {
        if tokens != 0 {
            self.0.push(((FIRST_KIND + index) as u8, tokens));
        }
    }
}

impl Sums {
    /// Several groups as one.
    pub(crate) fn of_all<'sums>(groups: impl IntoIterator<Item = &'sums Self>) -> Self {
        let mut all = Self::default();
        groups.into_iter().for_each(|sums| all.add(sums));
        all
    }

    pub(crate) fn get(&self, sum: Sum) -> u128 {
        self.0[sum as usize]
    }

    /// The tokens of the kind at `index` of [`KINDS`].
    pub(crate) fn kind(&self, index: usize) -> u128 {
        self.0[FIRST_KIND + index]
    }

    pub(crate) fn add_share(&mut self, share: &Share) {
        for &(field, value) in &share.0 {
            self.0[usize::from(field)] += u128::from(value);
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (sum, more) in self.0.iter_mut().zip(other.0) {
            *sum += more;
        }
    }

    /// Takes off what is a part of these sums.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::CorruptData`] when it is none.
    pub(crate) fn subtract(&mut self, part: &Self) -> Result<()> {
        for (sum, less) in self.0.iter_mut().zip(part.0) {
            *sum = sum.checked_sub(less).ok_or_else(corrupt)?;
        }
        Ok(())
    }

    /// What calls are put in order by.
    pub(crate) fn rank(&self, by: Rank) -> u128 {
        match by {
            Rank::Cost => self.get(Sum::Cost),
            Rank::Calls => self.get(Sum::Calls),
            Rank::Tokens => self.0[FIRST_KIND..].iter().sum(),
        }
    }

    /// The same of sums in compact form, without reading all of them out.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::CorruptData`] when `bytes` is no such form.
    pub(crate) fn rank_of_written(mut bytes: &[u8], by: Rank) -> Result<u128> {
        let wanted = match by {
            Rank::Cost => 1 << Sum::Cost as u32,
            Rank::Calls => 1 << Sum::Calls as u32,
            Rank::Tokens => u64::MAX << FIRST_KIND,
        };
        let bits = u64::try_from(read_varint(&mut bytes)?).map_err(|_| corrupt())?;
        let before = wanted & wanted.wrapping_neg();
        for _ in 0..(bits & (before - 1)).count_ones() {
            let end = bytes.iter().position(|byte| *byte < 0x80).ok_or_else(corrupt)?;
            bytes = &bytes[end + 1..];
        }
        // What is wanted stands together.
        let mut rank = 0_u128;
        for _ in 0..(bits & wanted).count_ones() {
            rank = rank.checked_add(read_varint(&mut bytes)?).ok_or_else(corrupt)?;
        }
        Ok(rank)
    }

    /// The compact form: a bit for each sum that isn't 0, then those sums.
    pub(crate) fn write(&self, to: &mut Vec<u8>) {
        to.clear();
        let bits = (0..FIELDS).filter(|&field| self.0[field] != 0).fold(0_u64, |bits, field| bits | 1 << field);
        write_varint(bits.into(), to);
        for value in self.0.into_iter().filter(|value| *value != 0) {
            write_varint(value, to);
        }
    }

    /// Adds sums in compact form.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::CorruptData`] when `bytes` is no such form.
    pub(crate) fn add_written(&mut self, bytes: &[u8]) -> Result<()> {
        let mut rest = bytes;
        let mut bits = u64::try_from(read_varint(&mut rest)?).map_err(|_| corrupt())?;
        if bits >> FIELDS != 0 {
            return Err(corrupt());
        }
        while bits != 0 {
            let field = bits.trailing_zeros() as usize;
            bits &= bits - 1;
            let sum = self.0[field].checked_add(read_varint(&mut rest)?);
            self.0[field] = sum.ok_or_else(corrupt)?;
        }
        if rest.is_empty() { Ok(()) } else { Err(corrupt()) }
    }
}

#[cold]
fn corrupt() -> Error {
    Error::new(ErrorCode::CorruptData, "a rollup can't be read")
}

#[expect(clippy::cast_possible_truncation, reason = "seven bits at a time")]
fn write_varint(mut value: u128, to: &mut Vec<u8>) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

#[inline]
fn read_varint(bytes: &mut &[u8]) -> Result<u128> {
    // Nine bytes hold 63 bits: nearly every sum is read without 128-bit arithmetic.
    let mut value = 0_u64;
    for (at, &byte) in bytes.iter().take(9).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte < 0x80 {
            *bytes = &bytes[at + 1..];
            return Ok(value.into());
        }
    }
    let mut value = u128::from(value);
    for (at, &byte) in bytes.iter().enumerate().take(18).skip(9) {
        value |= u128::from(byte & 0x7f) << (7 * at);
        if byte < 0x80 {
            *bytes = &bytes[at + 1..];
            return Ok(value);
        }
    }
    Err(corrupt())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_token_kind_has_its_place() {
        for kind in TokenKind::ALL {
            assert_eq!(KINDS.iter().filter(|known| **known == kind).count(), 1, "{}", kind.name());
        }
    }

    proptest! {
        #[test]
        fn writing_and_reading_are_inverse(values in prop::collection::vec(prop_oneof![Just(0), 0..(1_u128 << 100)], FIELDS)) {
            let mut sums = Sums::default();
            sums.0.copy_from_slice(&values);
            let mut bytes = Vec::new();
            sums.write(&mut bytes);
            let mut back = Sums::default();
            back.add_written(&bytes).expect("our own form");
            for rank in [Rank::Cost, Rank::Calls, Rank::Tokens] {
                prop_assert_eq!(Sums::rank_of_written(&bytes, rank).expect("our own form"), sums.rank(rank));
            }
            prop_assert_eq!(&back, &sums);
            back.subtract(&sums).expect("a part");
            prop_assert_eq!(back, Sums::default());
        }

        #[test]
        fn reading_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = Sums::default().add_written(&bytes);
        }
    }
}
