//! Estimating the tokens of a text for Claude, whose tokenizers are not public.
//!
//! Two tokenizers are in use. A text is split into words, numbers, punctuation and spaces as measured on the counting
//! endpoint. A word has the fewest tokens that give it, of a vocabulary that was inferred from measured counts
//! (`data/claude/pieces.bin`, made by `cargo xtask claude`); runs of symbols are looked up there too. All arithmetic is in
//! whole 64ths of a token, so that every platform gives the same estimate.

pub(crate) mod letters;
mod memo;
mod table;
pub(crate) mod weights;
mod word;

use std::cell::RefCell;

use letters::{is_latin, stands_alone};
use memo::Memo;
use word::Words;

/// Parts of a token that estimates are made in.
pub(crate) const UNITS: u64 = 64;

/// Which of Claude's tokenizers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Generation {
    /// Claude 3 to 4.6.
    Old,
    /// Opus 4.7 and later, Sonnet 5, Fable 5.
    New,
}

/// Estimates the tokens of a text, in 64ths of a token.
pub(crate) fn units(generation: Generation, text: &str) -> u64 {
    thread_local! {
        static MEMO: RefCell<Memo> = RefCell::new(Memo::new());
    }
    MEMO.with_borrow_mut(|memo| {
        let words = Words::new(generation, memo);
        let mut scan = Scan { generation, words, total: 0, pending: false, before: Before::Start };
        scan.text(text);
        scan.total
    })
}

/// What a character is to the splitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Letter,
    Number,
    Space,
    Symbol,
}

const ASCII: [Class; 128] = {
    let mut classes = [Class::Symbol; 128];
    let mut byte = 0;
    while byte < 128_u8 {
        classes[byte as usize] = match byte {
            b'a'..=b'z' | b'A'..=b'Z' => Class::Letter,
            b'0'..=b'9' => Class::Number,
            b' ' | b'\t'..=b'\r' => Class::Space,
            _ => Class::Symbol,
        };
        byte += 1;
    }
    classes
};

fn class(c: char) -> Class {
    if let Some(class) = ASCII.get(c as usize) {
        *class
    } else if matches!(c, '\u{2010}'..='\u{2027}' | '\u{2190}'..='\u{245f}' | '\u{2500}'..='\u{2767}') {
        // Dashes, quotes, arrows and lines are common and slow to look up.
        Class::Symbol
    } else if c.is_alphabetic() {
        Class::Letter
    } else if c.is_numeric() {
        Class::Number
    } else if c.is_whitespace() {
        Class::Space
    } else {
        Class::Symbol
    }
}

/// What is one token with the apostrophe before it in the old generation.
const OLD_ENDINGS: [&str; 7] = ["s", "t", "m", "re", "ve", "ll", "d"];

/// What came before the run that is being counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Start,
    Letters,
    Number,
    Space,
    /// Punctuation, and whether its last token takes a following space with it.
    Symbols {
        absorbs: bool,
    },
    /// An apostrophe right after a word: `'s` and its like are one token with it in the old generation.
    Apostrophe {
        absorbs: bool,
    },
}

struct Scan<'m> {
    generation: Generation,
    words: Words<'m>,
    total: u64,
    /// Whether a single space stands before the run, which most words take into their token.
    pending: bool,
    before: Before,
}

impl Scan<'_> {
    fn text(&mut self, text: &str) {
        let mut rest = text;
        while let Some(&byte) = rest.as_bytes().first() {
            if byte == b' '
                && rest.as_bytes().get(1).is_some_and(|&next| next < 0x80 && ASCII[next as usize] != Class::Space)
            {
                self.pending = true;
                rest = &rest[1..];
                continue;
            }
            let letters = ascii_letters(rest.as_bytes());
            if letters > 0 && rest.as_bytes().get(letters).is_none_or(u8::is_ascii) {
                self.letters(rest, letters, true);
                rest = &rest[letters..];
                continue;
            }
            let kind = first_class(rest).unwrap_or(Class::Symbol);
            let end = run_end(rest, kind);
            match kind {
                Class::Letter => self.letters(rest, end, false),
                Class::Number => self.number(&rest[..end]),
                Class::Space => self.space(&rest[..end], first_class(&rest[end..])),
                Class::Symbol => self.symbols(rest, end),
            }
            rest = &rest[end..];
        }
    }

    fn letters(&mut self, text: &str, end: usize, is_ascii: bool) {
        let spaced = std::mem::take(&mut self.pending);
        let run = &text[..end];
        if spaced {
            let alone = !is_ascii && run.starts_with(stands_alone);
            // Measured: what doesn't take the space behind it leaves it to no word either, in the new generation.
            let left = self.generation == Generation::New
                && matches!(self.before, Before::Symbols { absorbs: false } | Before::Apostrophe { absorbs: false });
            if self.before == Before::Number || alone || left {
                self.total += UNITS;
            }
        }
        if is_ascii {
            let before = matches!(self.before, Before::Apostrophe { .. }) && !spaced;
            match self.generation {
                // The apostrophe was counted already, and the pair is one token.
                Generation::Old if before && OLD_ENDINGS.iter().any(|ending| run.eq_ignore_ascii_case(ending)) => {}
                Generation::New if before && matches!(run, "s" | "t") => {}
                _ => self.total += self.words.word(text, end),
            }
        } else {
            for piece in ScriptRuns(run) {
                self.total += match piece.chars().next() {
                    Some(letter) if stands_alone(letter) => word::alone(letter),
                    _ => self.words.word(piece, piece.len()),
                };
            }
        }
        self.before = Before::Letters;
    }

    fn number(&mut self, run: &str) {
        let ascii = run.bytes().filter(u8::is_ascii).count() as u64;
        self.total += UNITS * ascii.div_ceil(3);
        if ascii < run.len() as u64 {
            self.total += run.chars().filter(|c| !c.is_ascii()).map(word::digit).sum::<u64>();
        }
        // A space next to a digit is always a token of its own.
        if std::mem::take(&mut self.pending) {
            self.total += UNITS;
        }
        self.before = Before::Number;
    }

    fn symbols(&mut self, text: &str, end: usize) {
        let run = &text[..end];
        let spaced = std::mem::take(&mut self.pending);
        let after_number = self.before == Before::Number;
        let absorbed = self.generation == Generation::New
            && matches!(self.before, Before::Symbols { absorbs: true } | Before::Apostrophe { absorbs: true });
        let (cost, absorbs) = self.words.symbols(text, end, spaced && !after_number && !absorbed);
        self.total += cost + if spaced && after_number { UNITS } else { 0 };
        // Measured: ` 'word` costs a token more than its pieces in the old generation.
        let quotes = run == "'" && spaced && first_class(&text[end..]) == Some(Class::Letter);
        if self.generation == Generation::Old && quotes {
            self.total += UNITS;
        }
        self.before = if run == "'" && self.before == Before::Letters && !spaced {
            Before::Apostrophe { absorbs }
        } else {
            Before::Symbols { absorbs }
        };
    }

    /// Counts white space; a last single space is left to what follows.
    fn space(&mut self, run: &str, next: Option<Class>) {
        if run == " " {
            if next.is_some() {
                self.pending = true;
            } else {
                self.total += UNITS;
            }
            return;
        }
        let mut rest = run;
        while let Some(first) = rest.chars().next() {
            let same = |c: char| match first {
                '\r' | '\n' => matches!(c, '\r' | '\n'),
                _ => c == first,
            };
            let end = rest.find(|c| !same(c)).unwrap_or(rest.len());
            let (part, after) = rest.split_at(end);
            let length = part.chars().count() as u64;
            self.total += match first {
                ' ' if after.is_empty() && next.is_some() && next != Some(Class::Number) => {
                    self.pending = true;
                    // In the old generation the last space goes to what follows.
                    let left = length - u64::from(self.generation == Generation::Old);
                    UNITS * left.div_ceil(16)
                }
                ' ' | '\t' | '\r' | '\n' => UNITS * length.div_ceil(16),
                _ => UNITS * length,
            };
            rest = after;
        }
        self.before = Before::Space;
    }
}

fn first_class(text: &str) -> Option<Class> {
    match text.as_bytes().first() {
        Some(&byte) if byte < 0x80 => Some(ASCII[byte as usize]),
        _ => text.chars().next().map(class),
    }
}

fn run_end(text: &str, kind: Class) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte < 0x80 {
            if ASCII[byte as usize] != kind {
                return at;
            }
            at += 1;
        } else {
            let c = text[at..].chars().next().unwrap_or_default();
            if class(c) != kind {
                return at;
            }
            at += c.len_utf8();
        }
    }
    at
}

/// How many ASCII letters come first, eight at once: where a word ends is hard to foretell, so that branches on it are slow.
fn ascii_letters(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * ONES;
    let mut at = 0;
    while let Some(eight) = bytes[at..].first_chunk() {
        let eight = u64::from_le_bytes(*eight);
        let small = (eight & !HIGH) | (0x20 * ONES);
        // No sum carries into the next byte, as each byte is below 0x80.
        let from_a = small + (0x80 - 0x61) * ONES;
        let beyond_z = small + (0x80 - 0x7b) * ONES;
        let other = !(from_a & !beyond_z & !eight) & HIGH;
        if other != 0 {
            return at + other.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    at + bytes[at..].iter().take_while(|byte| byte.is_ascii_alphabetic()).count()
}

/// Splits letters into words: Latin ones, letters that stand alone, and others.
struct ScriptRuns<'a>(&'a str);

impl<'a> Iterator for ScriptRuns<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let first = self.0.chars().next()?;
        let end = if stands_alone(first) {
            first.len_utf8()
        } else {
            let latin = is_latin(first);
            self.0.find(|c| is_latin(c) != latin || stands_alone(c)).unwrap_or(self.0.len())
        };
        let (run, rest) = self.0.split_at(end);
        self.0 = rest;
        Some(run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(generation: Generation, text: &str) -> u64 {
        (units(generation, text) + UNITS / 2) / UNITS
    }

    #[test]
    fn common_words_are_one_token_in_the_old_generation() {
        assert_eq!(tokens(Generation::Old, "Why is the sky blue?"), 6);
    }

    #[test]
    fn a_space_next_to_a_digit_is_a_token() {
        assert_eq!(tokens(Generation::Old, "say it in 10 words"), 7);
    }

    #[test]
    fn an_ending_is_one_token_with_its_apostrophe() {
        assert_eq!(tokens(Generation::Old, "it's"), 2);
        assert_eq!(tokens(Generation::New, "it's"), 2);
    }

    #[test]
    fn capital_letters_cost_a_token_in_the_new_generation() {
        assert_eq!(tokens(Generation::New, "english word") + 1, tokens(Generation::New, "english Word"));
    }

    /// As measured, each of them.
    #[test]
    fn words_have_the_fewest_tokens_with_their_marks() {
        for (text, wanted) in [
            ("ก", 2),
            ("ฉ", 4),
            ("สมุทรปราการ", 9),
            ("البشرية", 4),
            ("ﴘ", 5),
            ("Επειδή", 5),
            ("ΑΧ", 6),
            ("international", 1),
            ("ValueError", 4),
            ("データを", 2),
        ] {
            assert_eq!(tokens(Generation::New, text), wanted, "{text}");
        }
    }

    #[test]
    fn marks_that_are_no_letters_part_words() {
        let parts = |parts: &[&str]| parts.iter().map(|part| tokens(Generation::New, part)).sum::<u64>();
        assert_eq!(tokens(Generation::New, "เพื่อน"), parts(&["เพื", "\u{e48}", "อน"]));
        assert_eq!(tokens(Generation::New, "धर्म"), parts(&["धर", "\u{94d}", "म"]));
        assert_eq!(tokens(Generation::New, "Пу\u{301}шкин"), parts(&["Пу", "\u{301}", "шкин"]));
    }

    #[test]
    fn letters_that_stand_alone_add_up_and_take_no_space() {
        assert_eq!(tokens(Generation::New, "상태"), tokens(Generation::New, "상") + tokens(Generation::New, "태"));
        for text in ["상태", "日本"] {
            assert_eq!(tokens(Generation::New, &format!(", {text}")), tokens(Generation::New, &format!(",{text}")) + 1);
        }
    }

    #[test]
    fn a_space_after_other_white_space_is_a_token_in_the_new_generation() {
        assert_eq!(tokens(Generation::New, "\n *"), 3);
        assert_eq!(tokens(Generation::New, "\t in"), 3);
        assert_eq!(tokens(Generation::New, "\n    in"), 3);
    }

    /// As measured, each of them.
    #[test]
    fn what_does_not_take_the_space_behind_it_leaves_it_to_no_word_in_the_new_generation() {
        for (text, wanted) in [
            ("— T", 2),
            ("’ said", 3),
            ("-> I", 3),
            ("() -> It", 4),
            ("+ a", 3),
            ("a + b", 3),
            ("#### P", 3),
            ("= t", 2),
        ] {
            assert_eq!(tokens(Generation::New, text), wanted, "{text}");
        }
    }

    #[test]
    fn ascii_letters_are_found_eight_at_once() {
        for byte in 0..=u8::MAX {
            for at in 0..20 {
                let mut bytes = [b'k'; 20];
                bytes[at] = byte;
                let end = if byte.is_ascii_alphabetic() { 20 } else { at };
                assert_eq!(ascii_letters(&bytes), end, "{byte} at {at}");
            }
        }
    }

    #[test]
    fn common_symbols_are_what_the_tables_say() {
        for c in ('\u{2000}'..='\u{2800}').filter(|&c| class(c) == Class::Symbol) {
            assert!(!c.is_alphabetic() && !c.is_numeric() && !c.is_whitespace(), "{c:?}");
        }
    }

    #[test]
    fn long_runs_take_time_linear_in_their_length() {
        for run in ["a", "é", "ж", "漢", "!", "€", " ", "\n", "7"] {
            let text = run.repeat(100_000);
            assert!(units(Generation::New, &text) > 0, "{run:?}");
            assert!(units(Generation::Old, &text) > 0, "{run:?}");
        }
    }
}
