//! What a word or a run of symbols costs.

use super::memo::{Kind, Memo};
use super::table::{Hash, Letters, Symbols};
use super::weights::weights;
use super::{Generation, UNITS};

/// Characters in the longest piece of a word or a run that is looked up.
const LONGEST: usize = 8;

/// Counts words and runs of symbols for one generation.
pub(super) struct Words<'m> {
    generation: Generation,
    memo: &'m mut Memo,
}

impl<'m> Words<'m> {
    pub(super) fn new(generation: Generation, memo: &'m mut Memo) -> Self {
        Self { generation, memo }
    }

    /// The cost of the run of letters that a text starts with, all Latin or none.
    pub(super) fn word(&mut self, text: &str, length: usize) -> u64 {
        let by = match self.generation {
            Generation::Old => old,
            Generation::New => new,
        };
        self.memo.cost((self.generation, Kind::Word), (text, length), |word| (by(word), false)).0
    }

    /// The cost of the run of symbols that a text starts with, and whether its last token takes a following space with it.
    pub(super) fn symbols(&mut self, text: &str, length: usize, spaced: bool) -> (u64, bool) {
        let rules = Symbolic { generation: self.generation };
        self.memo.cost((self.generation, Kind::Symbols { spaced }), (text, length), |run| rules.symbols(run, spaced))
    }
}

/// What runs of symbols cost in a generation.
struct Symbolic {
    generation: Generation,
}

impl Symbolic {
    fn symbols(&self, run: &str, spaced: bool) -> (u64, bool) {
        let whole = Symbols::of(run);
        match self.generation {
            Generation::New => {
                if let Some(tokens) = whole.tokens() {
                    let space = u64::from(spaced && whole.space_before_costs());
                    return ((tokens + space) * UNITS, !whole.space_after_costs());
                }
            }
            Generation::Old => {
                if whole.single_with_space() && spaced || whole.single() && !spaced {
                    return (UNITS, false);
                }
            }
        }
        self.pieces(run, spaced)
    }

    /// The fewest tokens that make up a run of symbols.
    fn pieces(&self, run: &str, spaced: bool) -> (u64, bool) {
        // Costs of the last starts only, as no piece is longer.
        let mut best = [(u64::MAX, false); LONGEST + 1];
        best[0] = (0, false);
        for (at, start) in run.char_indices().map(|(start, _)| start).enumerate() {
            let (cost, _) = best[at % (LONGEST + 1)];
            best[at % (LONGEST + 1)] = (u64::MAX, false);
            let space = spaced && at == 0;
            let mut hash = Hash::new();
            for (length, c) in run[start..].chars().take(LONGEST).enumerate() {
                let mut bytes = [0; 4];
                hash.add(c.encode_utf8(&mut bytes).as_bytes());
                let Some((tokens, absorbs)) = self.piece(hash.symbols(), (length == 0).then_some(c), space) else {
                    continue;
                };
                let slot = &mut best[(at + length + 1) % (LONGEST + 1)];
                if cost + tokens < slot.0 {
                    *slot = (cost + tokens, absorbs);
                }
            }
        }
        let (tokens, absorbs) = best[run.chars().count() % (LONGEST + 1)];
        (tokens * UNITS, absorbs)
    }

    fn piece(&self, symbols: Symbols, alone: Option<char>, spaced: bool) -> Option<(u64, bool)> {
        let unknown = || alone.map(|c| (symbol(c) + u64::from(spaced), false));
        match self.generation {
            Generation::Old if spaced && symbols.single_with_space() => Some((1, false)),
            Generation::Old if symbols.single() => Some((1 + u64::from(spaced), false)),
            Generation::Old => unknown(),
            Generation::New => match symbols.tokens() {
                Some(tokens) => {
                    let space = u64::from(spaced && symbols.space_before_costs());
                    Some((tokens + space, !symbols.space_after_costs()))
                }
                None => unknown(),
            },
        }
    }
}

/// The cost of a symbol that isn't in the table.
fn symbol(c: char) -> u64 {
    match c {
        '\0'..='\x7f' => 1,
        '\u{80}'..='\u{d7ff}' => 2,
        _ => 3,
    }
}

fn old(word: &str) -> u64 {
    let known = Letters::of(word);
    if known.single() {
        return UNITS;
    }
    if word.chars().next().is_some_and(|c| c >= '\u{250}') {
        return new_of(word, known);
    }
    let mut share = weights().old_of_new;
    match Case::of(word) {
        Case::Small => {}
        Case::First(small) => {
            if Letters::of(&small).single() {
                return 2 * UNITS;
            }
        }
        Case::Capitals(small) => {
            if Letters::of(&small).single() {
                return 2 * UNITS;
            }
            share = weights().old_of_new_capitals;
        }
        Case::Mixed => {
            let mut parts = Humps(word);
            let first = parts.next().unwrap_or_default();
            if first.len() < word.len() {
                return old(first) + parts.map(|part| old(part) + weights().seam_old).sum::<u64>();
            }
        }
    }
    (new_of(word, known) * share / 64).max(UNITS)
}

fn new(word: &str) -> u64 {
    new_of(word, Letters::of(word))
}

fn new_of(word: &str, known: Letters) -> u64 {
    if let Some(tokens) = known.whole() {
        return tokens * UNITS;
    }
    match Case::of(word) {
        Case::Small => fragments(word).max(UNITS),
        Case::First(small) => UNITS + small_word(&small),
        Case::Capitals(small) => {
            let (constant, letter, share) = weights().capitals;
            constant + letter * word.chars().count() as u64 + small_word(&small) * share / 64
        }
        Case::Mixed => {
            let mut parts = Humps(word);
            let first = parts.next().unwrap_or_default();
            if first.len() < word.len() {
                new(first) + parts.map(|part| new(part) + weights().seam_new).sum::<u64>()
            } else {
                UNITS + small_word(&word.to_lowercase())
            }
        }
    }
}

/// The cost of a word in small letters in the new generation.
fn small_word(small: &str) -> u64 {
    match Letters::of(small).whole() {
        Some(tokens) => tokens * UNITS,
        None => fragments(small).max(UNITS),
    }
}

/// The cost of a word outside the table: the cheapest way to put it together.
fn fragments(word: &str) -> u64 {
    // A fragment costs an eighth of a token more when choosing, so that fewer and longer ones win; the sum leaves it out.
    let mut best = [(u64::MAX, 0_u64); LONGEST + 1];
    best[0] = (0, 0);
    let mut count = 0;
    for (at, start) in word.char_indices().map(|(start, _)| start).enumerate() {
        let (choice, cost) = best[at % (LONGEST + 1)];
        best[at % (LONGEST + 1)] = (u64::MAX, 0);
        let mut hash = Hash::new();
        for (length, c) in word[start..].chars().take(LONGEST).enumerate() {
            let mut bytes = [0; 4];
            hash.add(c.encode_utf8(&mut bytes).as_bytes());
            let known = hash.letters().fragment();
            let Some(eighths) = known.or_else(|| (length == 0).then(|| letter(c))) else { continue };
            let slot = &mut best[(at + length + 1) % (LONGEST + 1)];
            if choice + eighths + 1 < slot.0 {
                *slot = (choice + eighths + 1, cost + eighths);
            }
        }
        count = at + 1;
    }
    let (_, eighths) = best[count % (LONGEST + 1)];
    eighths * scale(word) / 8
}

/// The cost of a letter that isn't in the table, in eighths.
fn letter(c: char) -> u64 {
    match c {
        '\0'..='\u{24f}' => 8,
        '\u{250}'..='\u{7ff}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' => 16,
        _ => 24,
    }
}

fn scale(word: &str) -> u64 {
    weights().script(word.chars().next().unwrap_or_default())
}

/// How a word is written.
enum Case {
    /// In small letters, or in a script without capitals.
    Small,
    /// With a capital first letter; the word in small letters.
    First(String),
    /// In capitals, two and more; the word in small letters.
    Capitals(String),
    /// Anything else.
    Mixed,
}

impl Case {
    fn of(word: &str) -> Self {
        if word.bytes().all(|byte| byte.is_ascii_lowercase()) {
            return Self::Small;
        }
        let mut capitals = 0;
        let mut letters = 0;
        for c in word.chars() {
            letters += 1;
            capitals += usize::from(c.is_uppercase());
        }
        let first = word.chars().next().is_some_and(char::is_uppercase);
        if capitals == 0 {
            Self::Small
        } else if capitals == 1 && first {
            Self::First(word.to_lowercase())
        } else if capitals == letters {
            Self::Capitals(word.to_lowercase())
        } else {
            Self::Mixed
        }
    }
}

/// Splits `camelCase` and `HTTPServer` into the words they are made of.
struct Humps<'a>(&'a str);

impl<'a> Iterator for Humps<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let word = self.0;
        if word.is_empty() {
            return None;
        }
        let capitals = word.find(|c: char| !c.is_uppercase()).unwrap_or(word.len());
        let small_follows = word[capitals..].chars().next().is_some_and(char::is_lowercase);
        let last_capital = word[..capitals].char_indices().next_back().map_or(0, |(at, _)| at);
        let end = if capitals > 0 && !small_follows {
            capitals
        } else if last_capital > 0 {
            last_capital
        } else {
            let tail = &word[capitals..];
            capitals + tail.find(char::is_uppercase).unwrap_or(tail.len())
        };
        let (hump, rest) = word.split_at(end);
        self.0 = rest;
        Some(hump)
    }
}
