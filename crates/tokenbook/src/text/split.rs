//! Where pieces end: the regular expressions of the encodings, written out by hand.
//!
//! A text is first split into pieces, then each piece into tokens. These functions are the definition; the fast paths
//! are tested against them, and they are tested against tiktoken.

use std::cell::Cell;

use super::class::{
    BLANK, Closed, LETTER, LOWER, Look, MARK, NEWLINE, NUMBER, OTHER, Open, SPACE, UNCASED, UPPER, at, is_unprinted,
    point,
};

/// How an encoding splits text into pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pattern {
    /// Of `r50k_base` and `p50k_base`.
    R50k,
    /// Of `cl100k_base`.
    Cl100k,
    /// Of `o200k_base` and `o200k_harmony`.
    O200k,
    /// Of `qwen`: nearly that of `cl100k_base`, with single digits.
    Qwen,
    /// Of `qwen3_5`, in which marks are part of words.
    Qwen35,
    /// Of `deepseek_v3`.
    Deepseek,
    /// Of `kimi_k2`: nearly that of `o200k_base`, with Chinese characters apart.
    Kimi,
    /// Of `tekken`: that of `o200k_base` with single digits and without contractions.
    Tekken,
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
            Self::Qwen => qwen(text, from, LETTER),
            Self::Qwen35 => qwen(text, from, LETTER | MARK),
            Self::Deepseek => deepseek(text, from),
            Self::Kimi => kimi(text, from),
            Self::Tekken => tekken(text, from),
        }
    }

    /// Whether the arithmetic on windows covers it.
    pub(super) fn is_scanned(self) -> bool {
        !matches!(self, Self::R50k | Self::Deepseek)
    }

    /// Whether every digit is a piece.
    pub(super) fn has_single_digits(self) -> bool {
        matches!(self, Self::Qwen | Self::Qwen35 | Self::Tekken)
    }

    /// Whether its words are split where upper case follows lower case.
    pub(super) fn is_like_o200k(self) -> bool {
        matches!(self, Self::O200k | Self::Kimi | Self::Tekken)
    }

    /// Whether slashes among the newlines behind punctuation belong to it.
    pub(super) fn has_slashes_behind_punctuation(self) -> bool {
        matches!(self, Self::O200k | Self::Tekken)
    }

    /// Whether a mark is part of the word before it.
    pub(super) fn has_marks_in_words(self) -> bool {
        self.is_like_o200k() || self == Self::Qwen35
    }

    /// Whether `'s` and the like belong to the word before them, or are pieces.
    pub(super) fn has_contractions(self) -> bool {
        self != Self::Tekken
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
    blanks(text, from).last_alone_unless_at_end()
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
    if let Some(start) = other_start(text, from, class, OTHER | MARK) {
        return run(text, run(text, start, OTHER | MARK), NEWLINE);
    }
    let blanks = blanks(text, from);
    if blanks.is_last {
        blanks.end
    } else if blanks.after_newline > 0 {
        blanks.after_newline
    } else {
        blanks.last_alone_unless_at_end()
    }
}

/// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?W+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`, in which `W` are
/// the classes of words; marks that are part of words are no punctuation.
fn qwen(text: impl Look, from: usize, word: u8) -> usize {
    let contraction = contraction(text, from);
    if contraction > 0 {
        return from + contraction;
    }
    let (class, length) = at(text, from);
    if class & word != 0 {
        return run(text, from + length, word);
    }
    if class & NUMBER != 0 {
        return from + length;
    }
    if class != NEWLINE && at(text, from + length).0 & word != 0 {
        return run(text, from + length, word);
    }
    let other = (OTHER | MARK) & !word;
    if let Some(start) = other_start(text, from, class, other) {
        return run(text, run(text, start, other), NEWLINE);
    }
    blanks(text, from).up_to_newline()
}

/// Three patterns, each on what the one before has left: `\p{N}{1,3}`, `[一-龥぀-ゟ゠-ヿ]+`, and
/// ``[!-/:-@\[-`{-~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+``; what none of
/// them matches is a piece up to where one does.
fn deepseek(text: impl Look, from: usize) -> usize {
    let (class, length) = at(text, from);
    if class & NUMBER != 0 {
        return numbers(text, from);
    }
    if is_east_asian(text, from) {
        let mut end = from;
        while at(text, end).1 > 0 && is_east_asian(text, end) {
            end += at(text, end).1;
        }
        return end;
    }
    let text = Left(text);
    let next = at(text, from + length).0;
    if text.bytes()[from].is_ascii_punctuation() && is_ascii_letter(text, from + 1) {
        let mut end = from + 1;
        while is_ascii_letter(text, end) {
            end += 1;
        }
        return end;
    }
    if class & (LETTER | MARK) != 0 {
        return run(text, from, LETTER | MARK);
    }
    let unprinted = class == OTHER && is_unprinted(text, from);
    if (class == SPACE || unprinted) && next & (LETTER | MARK) != 0 {
        return run(text, from + length, LETTER | MARK);
    }
    if unprinted {
        let mut end = from + length;
        while at(text, end).0 == OTHER
            && is_unprinted(text, end)
            && at(text, end + at(text, end).1).0 & (LETTER | MARK) == 0
        {
            end += at(text, end).1;
        }
        return end;
    }
    let start = if text.bytes()[from] == b' ' { from + 1 } else { from };
    let mut end = start;
    while at(text, end).0 == OTHER && !is_unprinted(text, end) {
        end += at(text, end).1;
    }
    if end > start {
        return run(text, end, NEWLINE);
    }
    blanks(text, from).up_to_newline()
}

/// `[一-龥぀-ゟ゠-ヿ]`.
fn is_east_asian(text: impl Look, at: usize) -> bool {
    text.bytes()[at] >= 0xe3 && matches!(point(text.bytes(), at), 0x4e00..=0x9fa5 | 0x3040..=0x30ff)
}

fn is_ascii_letter(text: impl Look, at: usize) -> bool {
    let byte = text.bytes().get(at);
    if byte.is_none() {
        text.touch_end();
    }
    byte.is_some_and(u8::is_ascii_alphabetic)
}

/// What the patterns of numbers and of East Asian characters have left of a text: it ends before one of them.
#[derive(Clone, Copy)]
struct Left<T>(T);

impl<T: Look> Look for Left<T> {
    fn bytes(&self) -> &[u8] {
        self.0.bytes()
    }

    fn touch_end(&self) {
        self.0.touch_end();
    }

    fn seen(&self, at: usize, class: u8, length: usize) -> (u8, usize) {
        if class & NUMBER != 0 || is_east_asian(self.0, at) { (0, 0) } else { (class, length) }
    }
}

/// The pattern of `o200k_base` without slashes behind punctuation, and with `[\p{Han}]+` before it, which no word holds.
fn kimi(text: impl Look, from: usize) -> usize {
    let mut end = from;
    while end < text.bytes().len() && is_han(text, end) {
        end += at(text, end).1;
    }
    if end > from {
        at(text, end);
        return end;
    }
    let text = NoHan(text);
    let (class, length) = at(text, from);
    if class & NUMBER != 0 {
        return numbers(text, from);
    }
    if let Some(end) = word(text, from, class, length) {
        return end + contraction(text, end);
    }
    if let Some(start) = other_start(text, from, class, OTHER | MARK) {
        return run(text, run(text, start, OTHER | MARK), NEWLINE);
    }
    blanks(text, from).up_to_newline()
}

/// `\p{Han}`.
fn is_han(text: impl Look, at: usize) -> bool {
    text.bytes()[at] >= 0xe2
        && matches!(
            point(text.bytes(), at),
            0x2e80..=0x2e99 | 0x2e9b..=0x2ef3 | 0x2f00..=0x2fd5 | 0x3005 | 0x3007 | 0x3021..=0x3029 | 0x3038..=0x303b
            | 0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xf900..=0xfa6d | 0xfa70..=0xfad9 | 0x1_6fe2..=0x1_6fe3
            | 0x1_6ff0..=0x1_6ff1 | 0x2_0000..=0x2_a6df | 0x2_a700..=0x2_b739 | 0x2_b740..=0x2_b81d
            | 0x2_b820..=0x2_cea1 | 0x2_ceb0..=0x2_ebe0 | 0x2_ebf0..=0x2_ee5d | 0x2_f800..=0x2_fa1d
            | 0x3_0000..=0x3_134a | 0x3_1350..=0x3_23af
        )
}

/// A text in which Chinese letters are none, so that no word goes on with them.
#[derive(Clone, Copy)]
struct NoHan<T>(T);

impl<T: Look> Look for NoHan<T> {
    fn bytes(&self) -> &[u8] {
        self.0.bytes()
    }

    fn touch_end(&self) {
        self.0.touch_end();
    }

    fn seen(&self, at: usize, class: u8, length: usize) -> (u8, usize) {
        if class & LETTER != 0 && is_han(self.0, at) { (0, length) } else { (class, length) }
    }
}

/// The pattern of `o200k_base`: two for words in which upper case precedes lower case, with an optional first character
/// and contraction, then `\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`.
fn o200k(text: impl Look, from: usize) -> usize {
    let (class, length) = at(text, from);
    if class & NUMBER != 0 {
        return numbers(text, from);
    }
    if let Some(end) = word(text, from, class, length) {
        return end + contraction(text, end);
    }
    punctuation_or_blanks(text, from, class)
}

/// The same with `\p{N}`, and without contractions.
fn tekken(text: impl Look, from: usize) -> usize {
    let (class, length) = at(text, from);
    if class & NUMBER != 0 {
        return from + length;
    }
    word(text, from, class, length).unwrap_or_else(|| punctuation_or_blanks(text, from, class))
}

/// ` ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`.
fn punctuation_or_blanks(text: impl Look, from: usize, class: u8) -> usize {
    if let Some(start) = other_start(text, from, class, OTHER | MARK) {
        let mut end = run(text, start, OTHER | MARK);
        while matches!(text.bytes().get(end), Some(b'\r' | b'\n' | b'/')) {
            end += 1;
        }
        if end == text.bytes().len() {
            text.touch_end();
        }
        return end;
    }
    blanks(text, from).up_to_newline()
}

/// The end of a word in which upper case precedes lower case, with an optional first character.
fn word(text: impl Look, from: usize, class: u8, length: usize) -> Option<usize> {
    if class & LETTER != 0 {
        cased(text, from).or_else(|| capitals(text, from))
    } else if class == NEWLINE {
        None
    } else {
        // The optional first character is greedy; a mark can also be the start of the word itself.
        let after = from + length;
        cased(text, after)
            .or_else(|| if class == MARK { cased(text, from) } else { None })
            .or_else(|| capitals(text, after))
    }
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
fn other_start(text: impl Look, from: usize, class: u8, others: u8) -> Option<usize> {
    if class & others != 0 {
        Some(from)
    } else if text.bytes()[from] == b' ' && at(text, from + 1).0 & others != 0 {
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
    /// Whether the text ends with it.
    is_last: bool,
}

impl Blanks {
    /// `\s+$|\s+(?!\S)|\s+`: the last character belongs to what follows, unless it is the only one.
    fn last_alone_unless_at_end(&self) -> usize {
        if self.is_last || self.last == self.from { self.end } else { self.last }
    }

    /// `\s*[\r\n]+|\s+(?!\S)|\s+`.
    fn up_to_newline(&self) -> usize {
        if self.after_newline > 0 { self.after_newline } else { self.last_alone_unless_at_end() }
    }
}

fn blanks(text: impl Look, from: usize) -> Blanks {
    let mut blanks = Blanks { from, last: from, end: from, after_newline: 0, is_last: false };
    loop {
        let (class, length) = at(text, blanks.end);
        if class & BLANK == 0 {
            blanks.is_last = length == 0;
            return blanks;
        }
        blanks.last = blanks.end;
        blanks.end += length;
        if class & NEWLINE != 0 {
            blanks.after_newline = blanks.end;
        }
    }
}
