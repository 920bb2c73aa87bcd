//! What a word or a run of symbols costs.

use super::letters::{END, Hash, LONGEST, START, is_latin, spelled, uncapitalized};
use super::memo::{Kind, Memo};
use super::table::{Letters, Symbols};
use super::weights::weights;
use super::{Generation, UNITS};

/// Characters in the longest piece of a run of symbols that is looked up.
const LONGEST_SYMBOLS: usize = 8;

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
        let mut hash = Hash::new();
        hash.add(run.as_bytes());
        let whole = Symbols::of(hash);
        match self.generation {
            Generation::New => {
                if let Some((tokens, absorbs)) = beside_spaces(whole, spaced) {
                    return (tokens * UNITS, absorbs);
                }
            }
            Generation::Old => {
                if whole.is_old_token_with_space() && spaced || whole.is_old_token() && !spaced {
                    return (UNITS, false);
                }
            }
        }
        self.pieces(run, spaced)
    }

    /// The fewest tokens that make up a run of symbols.
    fn pieces(&self, run: &str, spaced: bool) -> (u64, bool) {
        // Costs of the last starts only, as no piece is longer.
        let mut best = [(u64::MAX, false); LONGEST_SYMBOLS + 1];
        best[0] = (0, false);
        for (at, start) in run.char_indices().map(|(start, _)| start).enumerate() {
            let (cost, _) = best[at % (LONGEST_SYMBOLS + 1)];
            best[at % (LONGEST_SYMBOLS + 1)] = (u64::MAX, false);
            let space = spaced && at == 0;
            let mut hash = Hash::new();
            for (length, c) in run[start..].chars().take(LONGEST_SYMBOLS).enumerate() {
                hash.add_char(c);
                let Some((tokens, absorbs)) = self.piece(Symbols::of(hash), (length == 0).then_some(c), space) else {
                    continue;
                };
                let slot = &mut best[(at + length + 1) % (LONGEST_SYMBOLS + 1)];
                if cost + tokens < slot.0 {
                    *slot = (cost + tokens, absorbs);
                }
            }
        }
        let (tokens, absorbs) = best[run.chars().count() % (LONGEST_SYMBOLS + 1)];
        (tokens * UNITS, absorbs)
    }

    fn piece(&self, symbols: Symbols, alone: Option<char>, spaced: bool) -> Option<(u64, bool)> {
        let unknown = || alone.map(|c| (symbol(c) + u64::from(spaced), false));
        match self.generation {
            Generation::Old if spaced && symbols.is_old_token_with_space() => Some((1, false)),
            Generation::Old if symbols.is_old_token() => Some((1 + u64::from(spaced), false)),
            Generation::Old => unknown(),
            Generation::New => beside_spaces(symbols, spaced).or_else(unknown),
        }
    }
}

/// The tokens of a piece in the new generation with the space before it, and whether it takes the one after it: those do that
/// have one with both (` + `).
fn beside_spaces(symbols: Symbols, spaced: bool) -> Option<(u64, bool)> {
    let tokens = symbols.tokens()?;
    let costs = spaced && symbols.space_before_costs();
    Some((tokens + u64::from(costs), !symbols.space_after_costs() || spaced && !costs))
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
    if is_old_token(word) {
        return UNITS;
    }
    if !word.starts_with(is_latin) {
        return new(word);
    }
    let mut share = weights().old_of_new;
    match Case::of(word) {
        Case::Small => {}
        Case::First(small) => {
            if is_old_token(&small) {
                return 2 * UNITS;
            }
        }
        Case::Capitals(small) => {
            if is_old_token(&small) {
                return 2 * UNITS;
            }
            share = weights().old_of_new_capitals;
        }
        Case::Mixed => {
            let mut parts = Humps(word);
            let first = parts.next().unwrap_or_default();
            if first.len() < word.len() {
                let parts = old(first) + parts.map(|part| old(part) + weights().seam_old).sum::<u64>();
                // Letters at random have many seams.
                return parts.min(new(word));
            }
        }
    }
    let new = new(word);
    (weights().old_constant + new * share / 64).clamp(UNITS, new.max(UNITS))
}

fn is_old_token(word: &str) -> bool {
    let mut hash = Hash::new();
    hash.add(word.as_bytes());
    Letters::of(hash).is_old_token()
}

/// The cost of a letter that stands alone, the same in both generations.
pub(super) fn alone(c: char) -> u64 {
    let mut hash = Hash::new();
    hash.add_char(c);
    Letters::of(hash).alone().unwrap_or_else(|| spelled(c)) * UNITS
}

/// The cost of a digit that isn't ASCII.
pub(super) fn digit(c: char) -> u64 {
    let mut hash = Hash::new();
    hash.add_char(c);
    Symbols::of(hash).tokens().unwrap_or(2) * UNITS
}

fn new(word: &str) -> u64 {
    if is_token(word) {
        UNITS
    } else if let Some(small) = uncapitalized(word) {
        UNITS + if is_token(&small) { UNITS } else { put_together(&small) }
    } else {
        put_together(word)
    }
}

/// Whether the word is a token with the marks around it.
fn is_token(word: &str) -> bool {
    let mut hash = Hash::new();
    hash.add_char(START);
    hash.add(word.as_bytes());
    hash.add_char(END);
    Letters::of(hash).is_token()
}

fn put_together(word: &str) -> u64 {
    let tokens = pieces(word);
    let is_cyrillic = word.starts_with(|c| matches!(c, '\u{400}'..='\u{52f}'));
    tokens * if is_cyrillic && tokens > 2 { weights().cyrillic } else { UNITS }
}

/// The fewest tokens that make up a word and the marks around it.
fn pieces(word: &str) -> u64 {
    // A mark that is in no piece is a token.
    let mut fewest = Fewest { to: [u64::MAX; LONGEST + 1], to_end: u64::MAX };
    fewest.to[0] = 1;
    let mut start = Hash::new();
    start.add_char(START);
    fewest.extend((0, 0), start, word);
    let mut last = 0;
    for (at, (offset, c)) in word.char_indices().enumerate() {
        let before = fewest.take(at);
        fewest.reach(at + 1, before + spelled(c));
        fewest.extend((at, before), Hash::new(), &word[offset..]);
        last = at + 1;
    }
    fewest.to_end.min(fewest.take(last) + 1)
}

/// The fewest tokens to each place in a word.
struct Fewest {
    /// To the last places only, as no piece is longer.
    to: [u64; LONGEST + 1],
    /// To behind the mark at the end, with that in a piece.
    to_end: u64,
}

impl Fewest {
    fn take(&mut self, at: usize) -> u64 {
        std::mem::replace(&mut self.to[at % (LONGEST + 1)], u64::MAX)
    }

    fn reach(&mut self, at: usize, tokens: u64) {
        let slot = &mut self.to[at % (LONGEST + 1)];
        *slot = (*slot).min(tokens);
    }

    /// Tries each token that goes on from a place that so many tokens lead to.
    fn extend(&mut self, (at, tokens): (usize, u64), mut hash: Hash, letters: &str) {
        let mut letters = letters.chars();
        for to in at + 1..=at + LONGEST {
            let Some(c) = letters.next() else { return };
            hash.add_char(c);
            if Letters::of(hash).is_token() {
                self.reach(to, tokens + 1);
            }
            if letters.as_str().is_empty() {
                hash.add_char(END);
                if Letters::of(hash).is_token() {
                    self.to_end = self.to_end.min(tokens + 1);
                }
                return;
            }
        }
    }
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
