//! `tokenbook ops`: every operation for any script, one JSON object a line in, one a line out, in order.

use std::io::{BufRead as _, BufReader, BufWriter, Write as _, stdin, stdout};

use serde::Deserialize;
use serde_json::value::RawValue;
use tokenbook_wire::{Book, Error, OPS, Result, call, fault};

use crate::arguments::Arguments;
use crate::failure::Failure;
use crate::place;

/// A line of input.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    op: String,
    #[serde(borrow)]
    args: Option<&'a RawValue>,
}

/// The size of both buffers: large enough that system calls don't show.
const BUFFER: usize = 1 << 18;

pub(crate) fn run(arguments: &Arguments) -> std::result::Result<(), Failure> {
    let mut input = BufReader::with_capacity(BUFFER, stdin().lock());
    let mut output = BufWriter::with_capacity(BUFFER, stdout().lock());
    let mut session = Session { arguments, book: None };
    let mut line = Vec::new();
    loop {
        // Answers wait only while more questions are already here, so that a caller may talk line by line.
        if input.buffer().is_empty() {
            output.flush().map_err(|error| Failure::io("standard output", &error))?;
        }
        line.clear();
        let read = input.read_until(b'\n', &mut line).map_err(|error| Failure::io("standard input", &error))?;
        if read == 0 {
            return output.flush().map_err(|error| Failure::io("standard output", &error));
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let written = match session.answer(&line) {
            Ok(answer) => writeln!(output, r#"{{"ok":{answer}}}"#),
            Err(error) => writeln!(output, r#"{{"error":{}}}"#, fault(&error)),
        };
        written.map_err(|error| Failure::io("standard output", &error))?;
    }
}

struct Session<'a> {
    arguments: &'a Arguments,
    /// Opened by the first operation that needs it.
    book: Option<Book>,
}

impl Session<'_> {
    fn answer(&mut self, line: &[u8]) -> Result<String> {
        let text = std::str::from_utf8(line)
            .map_err(|error| Error::invalid(format!("the line is not valid UTF-8 at byte {}", error.valid_up_to())))?;
        let line: Line = serde_json::from_str(text).map_err(|error| {
            Error::invalid(format!("expected an object such as {{\"op\": \"count\", \"args\": {{…}}}}: {error}"))
        })?;
        let args = line.args.map_or("{}", RawValue::get);
        if !OPS.iter().any(|op| op.name == line.op && op.needs_ledger()) {
            return call(&line.op, args);
        }
        if self.book.is_none() {
            self.book = Some(place::open(self.arguments).map_err(Failure::into_error)?);
        }
        let book = self.book.as_ref().expect("opened above");
        book.call(&line.op, args)
    }
}
