//! The fields of a call that no question selects by, packed into one column.
//!
//! A column costs about as much when it is bound, read and recorded as a field of this form costs altogether, and most calls
//! have few of them: a packed row is half as long and inserted in half the time.

use rusqlite::functions::FunctionFlags;
use rusqlite::types::Value;
use rusqlite::{Connection, Row};
use tokenbook::Result;

use crate::digest::Digest;
use crate::store::prepared::Rest;
use crate::store::{corrupt, sqlite};
use crate::sums::COLUMN_KINDS;

/// Where each field stands. The numbers are those of the file format: new fields go behind the last.
pub(crate) mod field {
    use super::COLUMN_KINDS;

    pub(crate) const FLAGS: usize = 0;
    // Numbers of lists, 0 for none.
    pub(crate) const TAGS: usize = 1;
    pub(crate) const OFFERED: usize = 2;
    pub(crate) const CALLED: usize = 3;
    // Numbers of names, 0 for none.
    pub(crate) const ANSWERED_MODEL: usize = 4;
    pub(crate) const API: usize = 5;
    pub(crate) const NOTE: usize = 6;
    pub(crate) const STOP_REASON: usize = 7;
    pub(crate) const STOP_KIND: usize = 8;
    pub(crate) const ERROR_CLASS: usize = 9;
    pub(crate) const SERVICE_TIER: usize = 10;
    pub(crate) const REGION: usize = 11;
    pub(crate) const EXACTNESS: usize = 12;
    // One more than the value, 0 for none.
    pub(crate) const MAX_TOKENS: usize = 13;
    pub(crate) const DURATION_MS: usize = 14;
    pub(crate) const FIRST_TOKEN_MS: usize = 15;
    /// Tokens of the kinds that are common, in the order of [`KINDS`](crate::sums::KINDS).
    pub(crate) const TOKENS: usize = 16;
    pub(crate) const COUNT: usize = TOKENS + COLUMN_KINDS;
}

/// One tool's tokens: its name's number, those of its definition, those of its results.
pub(crate) type ToolColumn = Vec<(i64, Option<u64>, Option<u64>)>;

/// Packs a call's fields behind what is there: the fingerprint, the numbers, the tools, and the rare fields' JSON.
pub(crate) fn pack(to: &mut Vec<u8>, digest: &Digest, numbers: &[u64; field::COUNT], tools: &ToolColumn, rest: &[u8]) {
    to.extend_from_slice(digest);
    for number in numbers {
        write(to, *number);
    }
    write(to, tools.len() as u64);
    for (tool, definition, result) in tools {
        write(to, tool.unsigned_abs());
        write(to, definition.map_or(0, |tokens| tokens + 1));
        write(to, result.map_or(0, |tokens| tokens + 1));
    }
    to.extend_from_slice(rest);
}

/// A call's fields, unpacked.
pub(crate) struct Packed<'a> {
    numbers: [i64; field::COUNT],
    pub(crate) tools: ToolColumn,
    rest: &'a [u8],
}

impl<'a> Packed<'a> {
    /// Reads the column `data` of a row that begins with the columns of [`facts`](crate::store::row::facts).
    pub(crate) fn of(row: &'a Row<'_>) -> Result<Self> {
        let data = row.get_ref(4).map_err(sqlite)?.as_blob().map_err(|_| corrupt("a call has no data"))?;
        Self::read(data).ok_or_else(|| corrupt("a call can't be unpacked"))
    }

    fn read(data: &'a [u8]) -> Option<Self> {
        let mut rest = data.get(size_of::<Digest>()..)?;
        let mut numbers = [0; field::COUNT];
        for number in &mut numbers {
            *number = read(&mut rest)?;
        }
        let count = read(&mut rest)?;
        let mut tools = ToolColumn::new();
        for _ in 0..count {
            let mut next = || read(&mut rest);
            let (tool, definition, result) = (next()?, next()?, next()?);
            let tokens = |value: i64| value.checked_sub(1).and_then(|value| u64::try_from(value).ok());
            tools.push((tool, tokens(definition), tokens(result)));
        }
        Some(Self { numbers, tools, rest })
    }

    pub(crate) fn number(&self, field: usize) -> i64 {
        self.numbers[field]
    }

    pub(crate) fn optional(&self, field: usize) -> Option<i64> {
        (self.numbers[field] > 0).then(|| self.numbers[field] - 1)
    }

    pub(crate) fn tokens(&self) -> [i64; COLUMN_KINDS] {
        let mut tokens = [0; COLUMN_KINDS];
        tokens.copy_from_slice(&self.numbers[field::TOKENS..]);
        tokens
    }

    pub(crate) fn rest(&self) -> Result<Option<Rest>> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        serde_json::from_slice(self.rest).map(Some).map_err(|_| corrupt("rare fields can't be read"))
    }
}

/// The fingerprint alone.
pub(crate) fn digest_of(data: &[u8]) -> Result<Digest> {
    data.first_chunk().copied().ok_or_else(|| corrupt("a call has no fingerprint"))
}

/// Gives SQL the function `call_field(data, number)`, which the view `calls` is made with; 23 is the rare fields' JSON.
pub(crate) fn add_function(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    connection
        .create_scalar_function("call_field", 2, flags, |context| {
            let wanted = usize::try_from(context.get::<i64>(1)?).unwrap_or(usize::MAX);
            let Ok(data) = context.get_raw(0).as_blob() else { return Ok(Value::Null) };
            Ok(one(data, wanted).unwrap_or(Value::Null))
        })
        .map_err(sqlite)
}

fn one(data: &[u8], wanted: usize) -> Option<Value> {
    if wanted < field::COUNT {
        let mut rest = data.get(size_of::<Digest>()..)?;
        for _ in 0..wanted {
            read(&mut rest)?;
        }
        return read(&mut rest).map(Value::Integer);
    }
    let rest = Packed::read(data)?.rest;
    (wanted == field::COUNT && !rest.is_empty())
        .then(|| String::from_utf8(rest.to_vec()).ok())
        .flatten()
        .map(Value::Text)
}

#[expect(clippy::cast_possible_truncation, reason = "seven bits at a time")]
pub(crate) fn write(to: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

/// Reads a number of at most 63 bits.
pub(crate) fn read(bytes: &mut &[u8]) -> Option<i64> {
    let mut value = 0_i64;
    for (at, &byte) in bytes.iter().take(9).enumerate() {
        value |= i64::from(byte & 0x7f) << (7 * at);
        if byte < 0x80 {
            *bytes = &bytes[at + 1..];
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAX: u64 = i64::MAX.unsigned_abs();

    proptest! {
        #[test]
        fn packing_and_unpacking_are_inverse(
            numbers in prop::collection::vec(prop_oneof![Just(0), 0..200_u64, 0..=MAX], field::COUNT),
            tools in prop::collection::vec((0..i64::MAX, prop::option::of(0..MAX), prop::option::of(0..MAX)), 0..4),
            rest in "[a-z{}]{0,20}",
        ) {
            let numbers: [u64; field::COUNT] = numbers.try_into().expect("so many");
            let mut data = Vec::new();
            pack(&mut data, &[7; 16], &numbers, &tools, rest.as_bytes());
            let back = Packed::read(&data).expect("our own form");
            prop_assert_eq!(digest_of(&data).expect("the fingerprint"), [7; 16]);
            prop_assert_eq!(back.numbers.map(i64::unsigned_abs), numbers);
            prop_assert_eq!(&back.tools, &tools);
            prop_assert_eq!(back.rest, rest.as_bytes());
            for (at, number) in numbers.into_iter().enumerate() {
                prop_assert_eq!(one(&data, at), Some(Value::Integer(number.cast_signed())));
            }
        }

        #[test]
        fn unpacking_never_panics(data in prop::collection::vec(any::<u8>(), 0..80)) {
            for wanted in 0..30 {
                let _ = one(&data, wanted);
            }
        }
    }
}
