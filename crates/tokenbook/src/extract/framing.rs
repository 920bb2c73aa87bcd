//! Cutting the raw bytes of a stream into events: server-sent events, JSON values one after another, AWS event streams.
//!
//! Bytes may arrive cut anywhere; only the unfinished event is held.

use super::eventstream::EventStream;
use crate::error::Result;

/// Takes the events of a stream: the name, where one stands outside of the data, and the data.
pub(super) trait Sink {
    fn event(&mut self, name: Option<&str>, data: &[u8]);
    /// An error that the framing itself reports.
    fn exception(&mut self, class: &str);
}

/// How a stream is cut into events, found out from its first byte.
#[derive(Debug, Clone)]
pub(super) enum Framing {
    Unknown,
    Lines(Lines),
    Values(Values),
    Binary(EventStream),
}

impl Framing {
    /// Takes the next bytes.
    ///
    /// # Errors
    ///
    /// `invalid_argument` when an AWS event stream is corrupt.
    pub(super) fn push(&mut self, mut bytes: &[u8], may_be_binary: bool, sink: &mut impl Sink) -> Result<()> {
        if let Self::Unknown = self {
            // A byte order mark and blank lines may come first.
            let first = |b: &u8| !b.is_ascii_whitespace() && !matches!(b, 0xEF | 0xBB | 0xBF);
            let Some(start) = bytes.iter().position(first) else { return Ok(()) };
            bytes = &bytes[start..];
            *self = match bytes[0] {
                0 if may_be_binary => Self::Binary(EventStream::default()),
                b'{' | b'[' => Self::Values(Values::default()),
                _ => Self::Lines(Lines::default()),
            };
        }
        match self {
            Self::Unknown => {}
            Self::Lines(lines) => lines.push(bytes, sink),
            Self::Values(values) => values.push(bytes, sink),
            Self::Binary(messages) => messages.push(bytes, sink)?,
        }
        Ok(())
    }

    /// Hands out what the end of the stream left without its terminator.
    pub(super) fn end(&mut self, sink: &mut impl Sink) {
        if let Self::Lines(lines) = self {
            lines.end(sink);
        }
    }
}

/// Server-sent events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).
#[derive(Debug, Clone, Default)]
pub(super) struct Lines {
    line: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    name: Vec<u8>,
    after_return: bool,
}

impl Lines {
    fn push(&mut self, mut bytes: &[u8], sink: &mut impl Sink) {
        while !bytes.is_empty() {
            if std::mem::take(&mut self.after_return) && bytes[0] == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let Some(end) = memchr::memchr2(b'\n', b'\r', bytes) else {
                self.line.extend_from_slice(bytes);
                return;
            };
            if self.line.is_empty() {
                self.take_line(&bytes[..end], sink);
            } else {
                let mut line = std::mem::take(&mut self.line);
                line.extend_from_slice(&bytes[..end]);
                self.take_line(&line, sink);
                line.clear();
                self.line = line;
            }
            self.after_return = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
        }
    }

    fn take_line(&mut self, line: &[u8], sink: &mut impl Sink) {
        if line.is_empty() {
            self.dispatch(sink);
            return;
        }
        let (field, value) = match memchr::memchr(b':', line) {
            Some(0) => return, // A comment.
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &[][..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => {
                if self.has_data {
                    self.data.push(b'\n');
                }
                self.data.extend_from_slice(value);
                self.has_data = true;
            }
            b"event" => {
                self.name.clear();
                self.name.extend_from_slice(value);
            }
            _ => {}
        }
    }

    fn dispatch(&mut self, sink: &mut impl Sink) {
        if self.has_data {
            sink.event(std::str::from_utf8(&self.name).ok(), &self.data);
        }
        self.data.clear();
        self.has_data = false;
        self.name.clear();
    }

    fn end(&mut self, sink: &mut impl Sink) {
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() {
            self.take_line(&line, sink);
        }
        self.dispatch(sink);
    }
}

/// JSON values one after another: one a line, or the elements of one list.
#[derive(Debug, Clone, Default)]
pub(super) struct Values {
    value: Vec<u8>,
    depth: u64,
    in_string: bool,
    escaped: bool,
}

impl Values {
    fn push(&mut self, bytes: &[u8], sink: &mut impl Sink) {
        let mut start = 0;
        let mut at = 0;
        while at < bytes.len() {
            if self.in_string {
                if std::mem::take(&mut self.escaped) {
                    at += 1;
                    continue;
                }
                match memchr::memchr2(b'"', b'\\', &bytes[at..]) {
                    None => break,
                    Some(offset) => {
                        at += offset;
                        if bytes[at] == b'\\' {
                            self.escaped = true;
                        } else {
                            self.in_string = false;
                        }
                        at += 1;
                    }
                }
                continue;
            }
            let byte = bytes[at];
            if self.depth == 0 {
                match byte {
                    b'{' => {
                        self.flush(&bytes[start..at], sink);
                        start = at;
                        self.depth = 1;
                    }
                    // Between values stand the brackets and commas of a list, and line ends.
                    b'\n' | b'\r' | b'[' | b']' | b',' => {
                        self.flush(&bytes[start..at], sink);
                        start = at + 1;
                    }
                    _ => {}
                }
            } else {
                match byte {
                    b'"' => self.in_string = true,
                    b'{' | b'[' => self.depth += 1,
                    b'}' | b']' => {
                        self.depth -= 1;
                        if self.depth == 0 {
                            self.flush(&bytes[start..=at], sink);
                            start = at + 1;
                        }
                    }
                    _ => {}
                }
            }
            at += 1;
        }
        self.value.extend_from_slice(&bytes[start..]);
    }

    /// Hands out what is held and `rest`, unless both are blank.
    fn flush(&mut self, rest: &[u8], sink: &mut impl Sink) {
        if self.value.is_empty() {
            if !rest.trim_ascii().is_empty() {
                sink.event(None, rest);
            }
            return;
        }
        self.value.extend_from_slice(rest);
        if !self.value.trim_ascii().is_empty() {
            sink.event(None, &self.value);
        }
        self.value.clear();
    }
}
