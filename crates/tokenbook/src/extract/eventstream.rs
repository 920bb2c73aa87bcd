//! AWS event streams: the binary framing of `ConverseStream` and `InvokeModelWithResponseStream`.
//!
//! A message is: its length and that of its headers (4 bytes each, big-endian), a CRC-32 of these, the headers, the
//! payload, and a CRC-32 of everything before it
//! (documented at <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html>).

use super::framing::Sink;
use crate::error::{Error, Result};

/// The largest message that is believed: AWS caps a payload at 16 MiB and headers at 128 KiB.
const LARGEST: usize = 24 << 20;
const PRELUDE: usize = 12;
const CHECKSUM: usize = 4;

/// The messages of an event stream.
#[derive(Debug, Clone, Default)]
pub(super) struct EventStream {
    held: Vec<u8>,
    is_corrupt: bool,
}

impl EventStream {
    pub(super) fn push(&mut self, bytes: &[u8], sink: &mut impl Sink) -> Result<()> {
        if self.is_corrupt {
            return Err(corrupt("it was corrupt before"));
        }
        self.held.extend_from_slice(bytes);
        let mut done = 0;
        let result = loop {
            match message(&self.held[done..]) {
                Ok(None) => break Ok(()),
                Ok(Some(message)) => {
                    done += message.length;
                    deliver(&message, sink);
                }
                Err(error) => {
                    self.is_corrupt = true;
                    break Err(error);
                }
            }
        };
        self.held.drain(..done);
        result
    }
}

fn corrupt(what: &str) -> Error {
    Error::invalid(format!("not an AWS event stream: {what}"))
}

struct Message<'m> {
    length: usize,
    kind: Option<&'m str>,
    name: Option<&'m str>,
    payload: &'m [u8],
}

fn deliver(message: &Message<'_>, sink: &mut impl Sink) {
    match message.kind {
        Some("exception" | "error") => sink.exception(message.name.unwrap_or("error")),
        _ if message.payload.is_empty() => {}
        _ => sink.event(message.name, message.payload),
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4).map(|word| u32::from_be_bytes(word.try_into().expect("four bytes")))
}

/// Reads the first message, `None` where it isn't whole yet.
fn message(bytes: &[u8]) -> Result<Option<Message<'_>>> {
    let (Some(length), Some(headers), Some(checksum)) = (word(bytes, 0), word(bytes, 4), word(bytes, 8)) else {
        return Ok(None);
    };
    if crc32(&bytes[..8]) != checksum {
        return Err(corrupt("the checksum of a prelude is wrong"));
    }
    let (length, headers) = (length as usize, headers as usize);
    if length > LARGEST || length < headers.saturating_add(PRELUDE + CHECKSUM) {
        return Err(corrupt("the length of a message is impossible"));
    }
    let Some(whole) = bytes.get(..length) else { return Ok(None) };
    let (content, _) = whole.split_at(length - CHECKSUM);
    if word(whole, length - CHECKSUM) != Some(crc32(content)) {
        return Err(corrupt("the checksum of a message is wrong"));
    }
    let (head, payload) = content[PRELUDE..].split_at(headers);
    let mut message = Message { length, kind: None, name: None, payload };
    read_headers(head, &mut message)?;
    Ok(Some(message))
}

fn read_headers<'m>(mut head: &'m [u8], message: &mut Message<'m>) -> Result<()> {
    let cut = || corrupt("a header is cut off");
    while let Some((&length, rest)) = head.split_first() {
        let (name, rest) = rest.split_at_checked(length.into()).ok_or_else(cut)?;
        let (&kind, rest) = rest.split_first().ok_or_else(cut)?;
        let (size, rest) = match kind {
            0 | 1 => (0, rest),
            2 => (1, rest),
            3 => (2, rest),
            4 => (4, rest),
            5 | 8 => (8, rest),
            9 => (16, rest),
            6 | 7 => {
                let (size, rest) = rest.split_first_chunk::<2>().ok_or_else(cut)?;
                (u16::from_be_bytes(*size).into(), rest)
            }
            _ => return Err(corrupt("a header has no known type")),
        };
        let (value, rest) = rest.split_at_checked(size).ok_or_else(cut)?;
        if kind == 7 {
            let value = std::str::from_utf8(value).map_err(|_| corrupt("a header is no text"))?;
            match name {
                b":message-type" => message.kind = Some(value),
                b":event-type" | b":exception-type" | b":error-code" => message.name = Some(value),
                _ => {}
            }
        }
        head = rest;
    }
    Ok(())
}

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0_u32;
    while index < 256 {
        let mut crc = index;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
            bit += 1;
        }
        table[index as usize] = crc;
        index += 1;
    }
    table
};

/// CRC-32 as in zip and Ethernet.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| (crc >> 8) ^ TABLE[usize::from(crc.to_le_bytes()[0] ^ byte)])
}

/// Reads standard base64, with or without padding; `None` for anything else.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=').as_bytes();
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for group in text.chunks(4) {
        let mut bits = 0_u32;
        for byte in group {
            let six = match byte {
                b'A'..=b'Z' => byte - b'A',
                b'a'..=b'z' => byte - b'a' + 26,
                b'0'..=b'9' => byte - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                _ => return None,
            };
            bits = bits << 6 | u32::from(six);
        }
        let three = (bits << (6 * (4 - group.len()))).to_be_bytes();
        match group.len() {
            1 => return None,
            length => bytes.extend_from_slice(&three[1..length]),
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_common_one() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn base64_is_read_with_and_without_padding() {
        for (text, bytes) in
            [("", &b""[..]), ("Zg==", b"f"), ("Zg", b"f"), ("Zm8=", b"fo"), ("Zm9v", b"foo"), ("+/+/", b"\xfb\xff\xbf")]
        {
            assert_eq!(base64(text).as_deref(), Some(bytes), "{text}");
        }
        for text in ["Z", "Zm9v\n", "Zm 9", "Zm9vY"] {
            assert_eq!(base64(text), None, "{text}");
        }
    }
}
