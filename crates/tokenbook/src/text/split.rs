//! Where pieces end: the regular expressions of the encodings, written out by hand.
//!
//! A text is first split into pieces, then each piece into tokens. These functions are the definition; the fast paths
//! are tested against them, and they are tested against tiktoken.

use std::cell::Cell;

use super::class::{BLANK, Closed, LETTER, LOWER, Look, MARK, NEWLINE, NUMBER, OTHER, Open, UNCASED, UPPER, at};

/// How an encoding splits text into pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pattern {
    /// Of `r50k_base` and `p50k_base`.
    R50k,
    /// Of `cl100k_base`.
    Cl100k,
    /// Of `o200k_base` and `o200k_harmony`.
    O200k,
}

impl Pattern {
    /// The end of the piece that starts at `from`, which is before the end of the text.
    #[inline]
    pub(super) fn end(self, text: &[u8], from: usize) -> usize {
        self.look(Closed(text), from)
    }

    /// The same in a text that may go on, if it can't change any more.
    pub(super) fn settled_end(self, text: &[u8], from: usize) -> Option<usize> {
        let touched = Cell::new(false);
        let end = self.look(Open(text, &touched), from);
        (!touched.get()).then_some(end)
    }

    #[inline]
    fn look(self, text: impl Look, from: usize) -> usize {
        match self {
            Self::R50k => r50k(text, from),
            Self::Cl100k => cl100k(text, from),
            Self::O200k => o200k(text, from),
        }
    }
}

/// A place at least so far into a text where a piece starts whatever is before it, and the pieces before it are the same
/// whatever is behind it; `None` if none is seen.
///
/// Such places are before a space between two letters, and between a newline that follows anything but white space and a
/// letter: in all patterns a letter run ends there, or newlines do, and no piece goes on with a letter behind them.
pub(super) fn certain_start(text: &str, from: usize) -> Option<usize> {
    let text = Closed(text.as_bytes());
    memchr::memchr2_iter(b' ', b'\n', &text.0[from..]).map(|found| from + found).find_map(|found| {
        let before = (0..found).rev().find(|&before| !(0x80..0xc0).contains(&text.0[before]))?;
        let (before, behind) = (at(text, before).0, at(text, found + 1).0);
        if behind & LETTER == 0 {
            None
        } else if text.0[found] == b' ' {
            (before & LETTER != 0).then_some(found)
        } else {
            (before & BLANK == 0).then_some(found + 1)
        }
    })
}

/// `'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s`.
fn r50k(text: impl Look, from: usize) -> usize {
    if text.bytes().len() < from + 3 {
        text.touch_end();
    }
    let contraction = match text.bytes()[from..] {
        [b'\'', b's' | b'd' | b'm' | b't', ..] => 2,
        [b'\'', b'l', b'l', ..] | [b'\'', b'v' | b'r', b'e', ..] => 3,
        _ => 0,
    };
    if contraction > 0 {
        return from + contraction;
    }
    let start = from + usize::from(text.bytes()[from] == b' ');
    let (class, _) = at(text, start);
    for kind in [LETTER, NUMBER, OTHER | MARK] {
        if class & kind != 0 {
            return run(text, start, kind);
        }
    }
    blanks(text, from).last_alone_unless_at_end(text)
}

/// `'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s`.
fn cl100k(text: impl Look, from: usize) -> usize {
    let contraction = contraction(text, from);
    if contraction > 0 {
        return from + contraction;
    }
    let (class, length) = at(text, from);
    if class & LETTER != 0 {
        return run(text, from + length, LETTER);
    }
    if class & NUMBER != 0 {
        return numbers(text, from);
    }
    if class != NEWLINE && at(text, from + length).0 & LETTER != 0 {
        return run(text, from + length, LETTER);
    }
    if let Some(start) = other_start(text, from, class) {
        return run(text, run(text, start, OTHER | MARK), NEWLINE);
    }
    let blanks = blanks(text, from);
    if blanks.end == text.bytes().len() {
        blanks.end
    } else if blanks.after_newline > 0 {
        blanks.after_newline
    } else {
        blanks.last_alone_unless_at_end(text)
    }
}

/// The pattern of `o200k_base`: two for words in which upper case precedes lower case, with an optional first character
/// and contraction, then `\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`.
fn o200k(text: impl Look, from: usize) -> usize {
    let (class, length) = at(text, from);
    if class & NUMBER != 0 {
        return numbers(text, from);
    }
    let word = if class & LETTER != 0 {
        cased(text, from).or_else(|| capitals(text, from))
    } else if class == NEWLINE {
        None
    } else {
        // The optional first character is greedy; a mark can also be the start of the word itself.
        let after = from + length;
        cased(text, after)
            .or_else(|| if class == MARK { cased(text, from) } else { None })
            .or_else(|| capitals(text, after))
    };
    if let Some(end) = word {
        return end + contraction(text, end);
    }
    if let Some(start) = other_start(text, from, class) {
        let mut end = run(text, start, OTHER | MARK);
        while matches!(text.bytes().get(end), Some(b'\r' | b'\n' | b'/')) {
            end += 1;
        }
        if end == text.bytes().len() {
            text.touch_end();
        }
        return end;
    }
    let blanks = blanks(text, from);
    if blanks.after_newline > 0 { blanks.after_newline } else { blanks.last_alone_unless_at_end(text) }
}

/// `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+` with its backtracking.
fn cased(text: impl Look, from: usize) -> Option<usize> {
    let mut here = from;
    let mut after_uncased = None;
    loop {
        let (class, length) = at(text, here);
        if class & LOWER != 0 {
            return Some(run(text, here, LOWER | UNCASED | MARK));
        }
        if class & (UPPER | UNCASED | MARK) == 0 {
            return after_uncased;
        }
        here += length;
        if class != UPPER {
            after_uncased = Some(here);
        }
    }
}

/// `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*` where [`cased`] found nothing: upper case alone.
fn capitals(text: impl Look, from: usize) -> Option<usize> {
    let end = run(text, from, UPPER);
    (end > from).then_some(end)
}

/// The length of `(?i:'s|'t|'re|'ve|'m|'ll|'d)` at `from`, or 0. Regardless of case, `ſ` is an `s`.
pub(super) fn contraction(text: impl Look, from: usize) -> usize {
    let Some((first, rest)) = text.bytes()[from..].split_first() else {
        text.touch_end();
        return 0;
    };
    if *first != b'\'' {
        return 0;
    }
    if rest.len() < 2 {
        text.touch_end();
    }
    match rest {
        [b's' | b'S' | b'd' | b'D' | b'm' | b'M' | b't' | b'T', ..] => 2,
        [b'l' | b'L', b'l' | b'L', ..] | [b'v' | b'V' | b'r' | b'R', b'e' | b'E', ..] | [0xc5, 0xbf, ..] => 3,
        _ => 0,
    }
}

/// The end of the characters of these classes.
fn run(text: impl Look, from: usize, classes: u8) -> usize {
    let mut here = from;
    loop {
        let (class, length) = at(text, here);
        if class & classes == 0 {
            return here;
        }
        here += length;
    }
}

/// The end of at most three numerals.
fn numbers(text: impl Look, from: usize) -> usize {
    let mut here = from;
    for _ in 0..3 {
        let (class, length) = at(text, here);
        if class & NUMBER == 0 {
            break;
        }
        here += length;
    }
    here
}

/// Where ` ?[^\s\p{L}\p{N}]+` has its second part, if it matches.
fn other_start(text: impl Look, from: usize, class: u8) -> Option<usize> {
    if class & (OTHER | MARK) != 0 {
        Some(from)
    } else if text.bytes()[from] == b' ' && at(text, from + 1).0 & (OTHER | MARK) != 0 {
        Some(from + 1)
    } else {
        None
    }
}

/// A run of white space.
struct Blanks {
    from: usize,
    /// The start of its last character.
    last: usize,
    end: usize,
    /// Behind its last newline; 0 if there is none.
    after_newline: usize,
}

impl Blanks {
    /// `\s+$|\s+(?!\S)|\s+`: the last character belongs to what follows, unless it is the only one.
    fn last_alone_unless_at_end(&self, text: impl Look) -> usize {
        if self.end == text.bytes().len() || self.last == self.from { self.end } else { self.last }
    }
}

fn blanks(text: impl Look, from: usize) -> Blanks {
    let mut blanks = Blanks { from, last: from, end: from, after_newline: 0 };
    loop {
        let (class, length) = at(text, blanks.end);
        if class & BLANK == 0 {
            return blanks;
        }
        blanks.last = blanks.end;
        blanks.end += length;
        if class & NEWLINE != 0 {
            blanks.after_newline = blanks.end;
        }
    }
}
