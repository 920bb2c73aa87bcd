//! Classes of characters, as tiktoken's regular expressions see them.

use std::cell::Cell;

use super::raw;
use super::scan::{WINDOW, Window};

/// `\p{Lu}` and `\p{Lt}`.
pub(super) const UPPER: u8 = 1;
/// `\p{Ll}`.
pub(super) const LOWER: u8 = 2;
/// `\p{Lm}` and `\p{Lo}`.
pub(super) const UNCASED: u8 = 4;
/// `\p{M}`.
pub(super) const MARK: u8 = 8;
/// `\p{N}`.
pub(super) const NUMBER: u8 = 16;
/// `\s` without the two newlines.
pub(super) const SPACE: u8 = 32;
/// Carriage return and line feed.
pub(super) const NEWLINE: u8 = 64;
/// Everything else: punctuation, symbols, controls, unassigned.
pub(super) const OTHER: u8 = 128;

/// `\p{L}`.
pub(super) const LETTER: u8 = UPPER | LOWER | UNCASED;
/// `\s`.
pub(super) const BLANK: u8 = SPACE | NEWLINE;

/// A text to look at.
pub(super) trait Look: Copy {
    /// Its bytes, valid UTF-8.
    fn bytes(&self) -> &[u8];

    /// Notes that the answer depends on where the text ends.
    fn touch_end(&self);

    /// The class and the length that a character is seen with, which are its own unless something is hidden.
    #[inline]
    fn seen(&self, _at: usize, class: u8, length: usize) -> (u8, usize) {
        (class, length)
    }
}

/// A text that ends where it ends.
#[derive(Clone, Copy)]
pub(super) struct Closed<'a>(pub(super) &'a [u8]);

impl Look for Closed<'_> {
    #[inline]
    fn bytes(&self) -> &[u8] {
        self.0
    }

    #[inline]
    fn touch_end(&self) {}
}

/// A text that may go on, and whether its end was met.
#[derive(Clone, Copy)]
pub(super) struct Open<'a>(pub(super) &'a [u8], pub(super) &'a Cell<bool>);

impl Look for Open<'_> {
    #[inline]
    fn bytes(&self) -> &[u8] {
        self.0
    }

    #[inline]
    fn touch_end(&self) {
        self.1.set(true);
    }
}

/// The class and the length of the character that starts at `at`; `(0, 0)` at the end.
#[inline]
pub(super) fn at(text: impl Look, at: usize) -> (u8, usize) {
    let Some(&first) = text.bytes().get(at) else {
        text.touch_end();
        return (0, 0);
    };
    if first < 0x80 {
        return text.seen(at, raw::CLASS[usize::from(first)], 1);
    }
    let (class, length) = wide(text.bytes(), at, first);
    text.seen(at, class, length)
}

/// The same for a character of several bytes.
#[inline]
fn wide(text: &[u8], at: usize, first: u8) -> (u8, usize) {
    // U+5000 to U+9FFF and U+B000 to U+CFFF: ideographs and syllables without exception.
    if matches!(first, 0xe5..=0xe9 | 0xeb | 0xec) {
        return (UNCASED, 3);
    }
    let bytes = text[at..].first_chunk::<4>().copied().unwrap_or_else(|| {
        let mut bytes = [0; 4];
        bytes[..text.len() - at].copy_from_slice(&text[at..]);
        bytes
    });
    let [_, second, third, fourth] = bytes.map(|byte| usize::from(byte & 0x3f));
    let first = usize::from(first);
    let (page, low, length) = if first >= 0xf0 {
        (((first & 0x07) << 12) | (second << 6) | third, fourth, 4)
    } else if first >= 0xe0 {
        (((first & 0x0f) << 6) | second, third, 3)
    } else {
        (first & 0x1f, second, 2)
    };
    (of(page, low), length)
}

/// The class of a character of two bytes.
#[inline]
pub(super) fn of_two(window: &Window, at: usize) -> u8 {
    let bytes = &window[at % WINDOW..][..2];
    of(usize::from(bytes[0] & 0x1f), usize::from(bytes[1] & 0x3f))
}

/// The class of a character of three bytes.
#[inline]
pub(super) fn of_three(window: &Window, at: usize) -> u8 {
    let bytes = &window[at % WINDOW..][..3];
    of(usize::from(bytes[0] & 0x0f) << 6 | usize::from(bytes[1] & 0x3f), usize::from(bytes[2] & 0x3f))
}

/// Whether a character of three bytes is one of U+2E80 to U+2FFF: the radicals of Chinese characters, which are symbols.
#[inline]
pub(super) fn is_radical(window: &Window, at: usize) -> bool {
    let at = at % WINDOW;
    window[at] == 0xe2 && window[at + 1] >= 0xba
}

/// The class of a character by its page and its place there, one of 64.
#[inline]
fn of(page: usize, low: usize) -> u8 {
    let number = raw::PAGES.get(page).map_or(0, |&number| usize::from(number));
    raw::CLASS.get((number << 6) | low).copied().unwrap_or(OTHER)
}

/// Whether a character of class [`OTHER`] is neither punctuation nor a symbol: a control, a format, one that is not assigned.
pub(super) fn is_unprinted(text: impl Look, at: usize) -> bool {
    let point = point(text.bytes(), at);
    let behind = raw::UNPRINTED.partition_point(|&(first, _)| first <= point);
    behind > 0 && point <= raw::UNPRINTED[behind - 1].1
}

/// The code point of the character that starts at `at`.
pub(super) fn point(text: &[u8], at: usize) -> u32 {
    let low = |at: usize| u32::from(text[at] & 0x3f);
    match text[at] {
        first @ 0..0x80 => u32::from(first),
        first @ 0x80..0xe0 => u32::from(first & 0x1f) << 6 | low(at + 1),
        first @ 0xe0..0xf0 => u32::from(first & 0x0f) << 12 | low(at + 1) << 6 | low(at + 2),
        first => u32::from(first & 0x07) << 18 | low(at + 1) << 12 | low(at + 2) << 6 | low(at + 3),
    }
}
