//! Counting without JSON, and pricing columns without it: the paths that are called in loops or with millions of numbers.

use tokenbook::cost::CostBatch;
use tokenbook::{Count, Encoding, Error, ErrorCode, Result};

use crate::{guard, ops, text};

/// Finds the encoding of a name, or of a model whose vocabulary is public; it is ready.
pub(crate) fn encoding(name: &str) -> Result<Encoding> {
    let encoding = Encoding::from_name(name).or_else(|| Encoding::for_model(name)).ok_or_else(|| unknown(name))?;
    encoding.ready()?;
    Ok(encoding)
}

#[cold]
fn unknown(name: &str) -> Error {
    let shown: String = name.chars().take(80).collect();
    Error::new(
        ErrorCode::UnknownModel,
        format!("no public vocabulary is known for {shown:?}; `estimate` gives a count with its band"),
    )
    .with("model", shown)
}

/// The name of an encoding or of a model, of which one at most is given.
///
/// # Errors
///
/// [`ErrorCode::InvalidArgument`] when both are.
#[inline]
pub fn encoding_or_model<'a>(encoding: Option<&'a str>, model: Option<&'a str>) -> Result<&'a str> {
    match (encoding, model) {
        (Some(_), Some(_)) => Err(Error::invalid("expected an encoding or a model, got both")),
        (given, other) => Ok(given.or(other).unwrap_or("o200k_base")),
    }
}

/// Counts the tokens of a text exactly, in an encoding or in that of a model.
///
/// # Errors
///
/// [`ErrorCode::UnknownModel`] when `name` is neither, [`ErrorCode::Unavailable`] when the vocabulary isn't here.
pub fn count(text: &str, name: &str) -> Result<u64> {
    guard(|| Ok(encoding(name)?.count(text).get()))
}

/// Counts the tokens of many texts exactly, on all cores.
///
/// # Errors
///
/// [`ErrorCode::UnknownModel`] when `name` is neither an encoding nor a model with a public vocabulary.
pub fn count_batch<T: AsRef<str> + Sync>(texts: &[T], name: &str) -> Result<Vec<u64>> {
    guard(|| Ok(encoding(name)?.count_batch(texts).into_iter().map(Count::get).collect()))
}

/// [`count_batch`] of texts that come as one in UTF-16 with the length of each: the form in which JavaScript hands over
/// many in the least time. A lone surrogate counts as U+FFFD.
///
/// # Errors
///
/// As [`count_batch`], and [`ErrorCode::InvalidArgument`] when the lengths are not those of the text.
pub fn count_batch_utf16(joined: &[u16], lengths: &[u32], name: &str) -> Result<Vec<u32>> {
    guard(|| {
        let encoding = encoding(name)?;
        let (text, ends) = utf8(joined, lengths)?;
        let starts = [0].into_iter().chain(ends.iter().copied());
        let texts: Vec<&str> = starts.zip(&ends).map(|(start, &end)| &text[start..end]).collect();
        Ok(encoding.count_batch(&texts).into_iter().map(narrow).collect())
    })
}

/// The tokens of one of JavaScript's strings, which are shorter than 2³⁰.
fn narrow(count: Count) -> u32 {
    u32::try_from(count.get()).expect("fewer tokens than bytes")
}

/// Texts that come as one, in UTF-8, and where each ends.
fn utf8(joined: &[u16], lengths: &[u32]) -> Result<(String, Vec<usize>)> {
    let wrong = || Error::invalid(format!("the lengths don't add up to the {} of the text", joined.len()));
    let (mut bytes, mut ends, mut rest) = (Vec::with_capacity(joined.len()), Vec::with_capacity(lengths.len()), joined);
    for &length in lengths {
        let (text, behind) = rest.split_at_checked(length as usize).ok_or_else(wrong)?;
        push_utf8(&mut bytes, text);
        ends.push(bytes.len());
        rest = behind;
    }
    let text = String::from_utf8(bytes).expect("written as UTF-8");
    if rest.is_empty() { Ok((text, ends)) } else { Err(wrong()) }
}

/// Writes UTF-16 as UTF-8, with U+FFFD for lone surrogates.
#[expect(clippy::cast_possible_truncation, reason = "bits are taken apart")]
fn push_utf8(bytes: &mut Vec<u8>, units: &[u16]) {
    if units.iter().all(|&unit| unit < 0x80) {
        bytes.extend(units.iter().map(|&unit| unit as u8));
        return;
    }
    let mut units = units;
    while let [unit, behind @ ..] = units {
        let mut point = u32::from(*unit);
        units = behind;
        let low = |bits: u32| 0x80 | (bits & 0x3f) as u8;
        if point < 0x80 {
            bytes.push(point as u8);
            continue;
        }
        if point < 0x800 {
            bytes.extend_from_slice(&[0xc0 | (point >> 6) as u8, low(point)]);
            continue;
        }
        if point & 0xf800 == 0xd800 {
            match units {
                [second @ 0xdc00..=0xdfff, behind @ ..] if point < 0xdc00 => {
                    point = 0x10000 + ((point & 0x3ff) << 10) + u32::from(second & 0x3ff);
                    units = behind;
                    bytes.extend_from_slice(&[
                        0xf0 | (point >> 18) as u8,
                        low(point >> 12),
                        low(point >> 6),
                        low(point),
                    ]);
                    continue;
                }
                _ => point = 0xfffd,
            }
        }
        bytes.extend_from_slice(&[0xe0 | (point >> 12) as u8, low(point >> 6), low(point)]);
    }
}

/// Counts the tokens of a text, or gives `None` as soon as there are more than `limit`.
///
/// # Errors
///
/// [`ErrorCode::InvalidArgument`] for a limit above [`Count::MAX`], [`ErrorCode::UnknownModel`] as in [`count`].
pub fn count_up_to(text: &str, limit: u64, name: &str) -> Result<Option<u64>> {
    guard(|| {
        let limit = Count::new(limit).map_err(|error| error.context("limit"))?;
        Ok(encoding(name)?.count_up_to(text, limit).map(Count::get))
    })
}

/// [`count_up_to`] with the limit as the only kind of number that JavaScript has.
///
/// # Errors
///
/// As [`count_up_to`], and [`ErrorCode::InvalidArgument`] for a limit that is no whole number.
pub fn count_up_to_number(text: &str, limit: f64, name: &str) -> Result<Option<u64>> {
    let whole = serde_json::to_string(&limit)
        .and_then(|json| serde_json::from_str::<Count>(&json))
        .map_err(|_| Error::invalid(format!("limit: expected a whole number from 0 to {}, got {limit}", Count::MAX)))?;
    count_up_to(text, whole.get(), name)
}

/// The operation `count_request` with its arguments as `MessagePack`, in which texts need no escapes. `None` where they are
/// not right, or can't be counted: the operation itself has the words for it.
pub fn count_request_packed(args: &[u8]) -> Option<String> {
    let counted = guard(|| {
        let args = rmp_serde::from_slice(args).map_err(|error| Error::invalid(error.to_string()))?;
        text::write(&ops::request::count_request(args)?)
    });
    counted.ok()
}

/// The operation `cost_batch` with its columns as numbers of 64 bits, little-endian, instead of JSON: `model`, `at_ms`,
/// or a kind of tokens. `args` may hold further columns.
///
/// # Errors
///
/// Those of the operation, in its words; [`ErrorCode::InvalidArgument`] also for a column whose bytes are no whole numbers
/// of 64 bits.
pub fn cost_batch(args: &str, columns: &[(String, &[u8])]) -> Result<String> {
    guard(|| {
        let args = text::without_nulls(args);
        let mut batch: CostBatch = text::read(&args)?;
        for (name, bytes) in columns {
            let (words, []) = bytes.as_chunks::<8>() else {
                return Err(Error::invalid(format!("{name}: {} bytes are no numbers of 64 bits", bytes.len())));
            };
            let numbers = || words.iter().map(|word| i64::from_le_bytes(*word));
            match name.as_str() {
                "at_ms" => batch.at_ms = Some(numbers().collect()),
                "model" => match numbers().map(u32::try_from).collect() {
                    Ok(all) => batch.model = Some(all),
                    Err(_) => return Err(refused("model", numbers())),
                },
                kind => {
                    let counts = numbers().map(|number| u64::try_from(number).ok().and_then(|it| Count::new(it).ok()));
                    match counts.collect() {
                        Some(all) => batch.tokens.insert(kind.to_owned(), all),
                        None => return Err(refused(kind, numbers())),
                    };
                }
            }
        }
        text::write(&ops::price::cost_batch(batch)?)
    })
}

/// What the operation says of the first number that a column can't hold.
fn refused(column: &str, numbers: impl Iterator<Item = i64>) -> Error {
    let numbers: Vec<i64> = numbers.collect();
    let args = if column == "model" {
        serde_json::json!({ "models": [], "model": numbers, "tokens": {} })
    } else {
        serde_json::json!({ "models": [], "tokens": { column: numbers } })
    };
    let read = text::write(&args).and_then(|json| text::read::<CostBatch>(&json).map(drop));
    read.err().unwrap_or_else(|| Error::new(ErrorCode::Internal, format!("a bug: {column} was refused, and is right")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_in_utf16_count_as_the_same_texts() {
        let texts = ["", "a", "caf\u{e9} \u{20ac}", "\u{1f600}", "", "\u{fffd}", "plain words"];
        let joined: Vec<u16> = texts.iter().flat_map(|text| text.encode_utf16()).collect();
        let lengths: Vec<u32> = texts.iter().map(|text| text.encode_utf16().map(|_| 1).sum()).collect();
        let want: Vec<u64> = count_batch(&texts, "gpt-4o").expect("a model");
        let have = count_batch_utf16(&joined, &lengths, "gpt-4o").expect("a model");
        assert_eq!(have.into_iter().map(u64::from).collect::<Vec<_>>(), want);
        let units: Vec<u16> = (0..=u16::MAX).chain((0..=u16::MAX).rev()).chain([0xd800]).collect();
        let mut bytes = Vec::new();
        push_utf8(&mut bytes, &units);
        assert!(bytes == String::from_utf16_lossy(&units).as_bytes());
        // Halves of a pair in two texts are two lone surrogates.
        let halves = count_batch_utf16(&[0xd83d, 0xde00], &[1, 1], "gpt-4o").expect("a model");
        assert_eq!(halves, [1, 1].map(|_| u32::try_from(count("\u{fffd}", "gpt-4o").expect("a model")).expect("few")));
        assert_eq!(count_batch_utf16(&[], &[], "gpt-4o").expect("a model"), [0; 0]);
        for lengths in [&[1][..], &[3], &[1, 2], &[]] {
            let error = count_batch_utf16(&[65, 66], lengths, "gpt-4o").expect_err("not the lengths");
            assert_eq!(error.code(), ErrorCode::InvalidArgument);
        }
        assert_eq!(count_batch_utf16(&[], &[], "no-such").expect_err("no model").code(), ErrorCode::UnknownModel);
    }

    #[test]
    fn a_packed_request_counts_as_the_same_request() {
        let args = serde_json::json!({
            "api": "openai.chat",
            "body": { "model": "gpt-4o", "messages": [{ "role": "user", "content": "\"Why\" is\nthe sky blue?" }] },
        });
        let packed = rmp_serde::to_vec(&args).expect("plain values");
        let want = crate::call("count_request", &args.to_string()).expect("a request");
        assert_eq!(count_request_packed(&packed), Some(want));
        for torn in [&packed[1..], &packed[..packed.len() - 1], &[], &[0xc1], b"\x81\xa3api\xc0"] {
            assert_eq!(count_request_packed(torn), None);
        }
    }

    fn packed(numbers: &[i64]) -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
    }

    fn of(columns: &[(&str, &[i64])]) -> Result<String> {
        let bytes: Vec<_> = columns.iter().map(|(name, numbers)| ((*name).to_owned(), packed(numbers))).collect();
        let columns: Vec<_> = bytes.iter().map(|(name, bytes)| (name.clone(), &bytes[..])).collect();
        cost_batch(r#"{"models": ["gpt-4o", "gpt-5"], "at": "2026-11-22T12:00:00Z", "tokens": {}}"#, &columns)
    }

    #[test]
    fn packed_columns_say_what_json_says() {
        let bounds: [&[i64]; 5] = [&[3, -1], &[1 << 53], &[i64::MIN], &[7, 9_007_199_254_740_991], &[]];
        for numbers in bounds {
            let json = serde_json::json!({
                "models": ["gpt-4o", "gpt-5"], "at": "2026-11-22T12:00:00Z", "tokens": {"input_tokens": numbers},
            });
            let want = crate::call("cost_batch", &json.to_string());
            let have = of(&[("input_tokens", numbers)]);
            match (have, want) {
                (Ok(have), Ok(want)) => assert_eq!(have, want),
                (Err(have), Err(want)) => assert_eq!(crate::fault(&have), crate::fault(&want)),
                (have, want) => panic!("{numbers:?}: {have:?}, {want:?}"),
            }
        }
        assert_eq!(
            of(&[("model", &[1, -1]), ("input_tokens", &[1, 1])]).expect_err("no model").message(),
            crate::call("cost_batch", r#"{"models": [], "model": [1, -1], "tokens": {}}"#)
                .expect_err("no model")
                .message()
        );
        let torn = cost_batch(r#"{"models": [], "tokens": {}}"#, &[("at_ms".to_owned(), &[0; 9])]);
        assert_eq!(torn.expect_err("no numbers").code(), ErrorCode::InvalidArgument);
    }

    #[test]
    fn packed_columns_are_priced() {
        let two =
            of(&[("model", &[0, 1]), ("input_tokens", &[1_000_000, 2_000_000]), ("at_ms", &[1_795_000_000_000; 2])]);
        assert!(two.expect("priced").contains(r#""sum_usd":"5""#));
    }
}
