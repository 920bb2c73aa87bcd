//! Comma-separated text by RFC 4180, read and written as a stream.

use std::io::{BufRead, Write};

use tokenbook::{Error, ErrorCode, Result};

/// Longest record that is read, in bytes.
const MAX_RECORD: usize = 4 << 20;

/// Signs at the start of a cell that make a spreadsheet compute it, and the sign that stops it from doing so.
const ACTIVE: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\'', '＝', '＋', '－', '＠'];

/// Puts `'` before text that a spreadsheet would take for a formula.
pub(crate) fn guarded(text: &str) -> String {
    if text.starts_with(ACTIVE) { format!("'{text}") } else { text.to_owned() }
}

/// Takes the `'` of [`guarded`] away again.
pub(crate) fn unguarded(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|text| text.starts_with(ACTIVE)).unwrap_or(cell)
}

/// Writes one record.
pub(crate) fn write<'a>(to: &mut impl Write, cells: impl IntoIterator<Item = &'a str>) -> std::io::Result<()> {
    for (at, cell) in cells.into_iter().enumerate() {
        if at > 0 {
            to.write_all(b",")?;
        }
        // A lone empty cell would be an empty line, which readers skip; no record here has one cell.
        if cell.contains([',', '"', '\r', '\n']) || cell.starts_with(' ') || cell.ends_with(' ') {
            write!(to, "\"{}\"", cell.replace('"', "\"\""))?;
        } else {
            to.write_all(cell.as_bytes())?;
        }
    }
    to.write_all(b"\r\n")
}

/// Reads records one by one.
pub(crate) struct Reader<R> {
    from: R,
    /// The line that the next record starts on.
    pub(crate) line: u64,
    bytes: Vec<u8>,
}

impl<R: BufRead> Reader<R> {
    pub(crate) fn new(from: R) -> Self {
        Self { from, line: 1, bytes: Vec::new() }
    }

    /// Reads the next record's cells, none at the end.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`] for text that isn't CSV, [`ErrorCode::Unavailable`] when it can't be read.
    pub(crate) fn next(&mut self) -> Result<Option<Vec<String>>> {
        loop {
            self.bytes.clear();
            // A record ends with its line, unless a quote is open there.
            let mut quotes = 0;
            loop {
                let start = self.bytes.len();
                read_line(&mut self.from, &mut self.bytes, MAX_RECORD)?;
                if self.bytes.len() == start {
                    if quotes % 2 == 1 {
                        return Err(Error::invalid("a quoted cell never ends"));
                    }
                    break;
                }
                let signs = self.bytes[start..].iter().filter(|byte| **byte == b'"');
                quotes += signs.fold(0, |count, _| count + 1);
                self.line += 1;
                if quotes % 2 == 0 {
                    break;
                }
            }
            if self.bytes.is_empty() {
                return Ok(None);
            }
            let text = std::str::from_utf8(&self.bytes).map_err(|_| Error::invalid("expected UTF-8"))?;
            let text = text.strip_prefix('\u{feff}').unwrap_or(text);
            let text = text.strip_suffix('\n').unwrap_or(text);
            let text = text.strip_suffix('\r').unwrap_or(text);
            if !text.is_empty() {
                return split(text).map(Some);
            }
        }
    }
}

/// Reads one line with its end, at most `most` bytes in all.
pub(crate) fn read_line(from: &mut impl BufRead, to: &mut Vec<u8>, most: usize) -> Result<()> {
    loop {
        let buffer = match from.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Error::new(ErrorCode::Unavailable, format!("can't read: {error}"))),
        };
        let end = memchr(buffer).map_or(buffer.len(), |at| at + 1);
        let ends = end > 0 && buffer[end - 1] == b'\n';
        let empty = buffer.is_empty();
        to.extend_from_slice(&buffer[..end]);
        from.consume(end);
        if to.len() > most {
            return Err(Error::invalid(format!("a record is longer than {most} bytes")));
        }
        if ends || empty {
            return Ok(());
        }
    }
}

fn memchr(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| *byte == b'\n')
}

fn split(text: &str) -> Result<Vec<String>> {
    let mut cells = Vec::new();
    let mut rest = text;
    loop {
        let Some(quoted) = rest.strip_prefix('"') else {
            let end = rest.find(',').unwrap_or(rest.len());
            let cell = &rest[..end];
            if cell.contains('"') {
                return Err(Error::invalid("a quote inside a cell that isn't quoted"));
            }
            cells.push(cell.to_owned());
            match rest[end..].strip_prefix(',') {
                Some(more) => rest = more,
                None => return Ok(cells),
            }
            continue;
        };
        let mut cell = String::new();
        let mut tail = quoted;
        loop {
            let end = tail.find('"').ok_or_else(|| Error::invalid("a quoted cell never ends"))?;
            cell.push_str(&tail[..end]);
            tail = &tail[end + 1..];
            match tail.strip_prefix('"') {
                Some(more) => {
                    cell.push('"');
                    tail = more;
                }
                None => break,
            }
        }
        cells.push(cell);
        match tail.strip_prefix(',') {
            Some(more) => rest = more,
            None if tail.is_empty() => return Ok(cells),
            None => return Err(Error::invalid("text behind the closing quote of a cell")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &[u8]) -> Result<Vec<Vec<String>>> {
        let mut reader = Reader::new(text);
        let mut records = Vec::new();
        while let Some(record) = reader.next()? {
            records.push(record);
        }
        Ok(records)
    }

    #[test]
    fn formulas_are_guarded_and_come_back() {
        for text in ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "'x", "''=x", "＝1", "＠x", "plain", "'", "a=b", ""] {
            let cell = guarded(text);
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠']), "{cell:?}");
            assert_eq!(unguarded(&cell), text);
        }
    }

    #[test]
    fn what_is_no_csv_is_refused() {
        for text in ["a\"b,c\n", "\"a\"b\n", "\"a\n", "\u{fffd}\"\n"] {
            assert!(read(text.as_bytes()).is_err(), "{text:?}");
        }
        assert!(read(b"\xff,a\n").is_err());
        assert_eq!(read("\u{feff}a,b\r\n\r\nc,\n".as_bytes()).expect("read"), [["a", "b"], ["c", ""]]);
    }

    proptest! {
        #[test]
        fn writing_and_reading_are_inverse(records in prop::collection::vec(prop::collection::vec("[a\"',=\r\n é]{0,6}", 2..5), 0..5)) {
            let mut text = Vec::new();
            for record in &records {
                write(&mut text, record.iter().map(String::as_str)).expect("memory");
            }
            prop_assert_eq!(read(&text).expect("our own text"), records);
        }
    }
}
