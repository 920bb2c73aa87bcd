//! Counting a text that comes in chunks.

use super::class::{Closed, LETTER, LOWER, NEWLINE, OTHER, SPACE, UNCASED, UPPER, at};
use super::split::Pattern;
use super::{Encoding, fast, normal};
use crate::quantity::Count;

/// A count kept up to date while a text grows, such as a streamed response.
///
/// After every chunk the total is what [`Encoding::count`] gives for all text so far, at a cost that depends on the chunk
/// and not on what came before: only the end of the text whose pieces may still change is kept.
///
/// ```
/// use tokenbook::Encoding;
/// let mut counter = Encoding::O200kBase.counter();
/// for chunk in ["Hel", "lo, wor", "ld!"] {
///     counter.push(chunk);
/// }
/// assert_eq!(counter.total(), Encoding::O200kBase.count("Hello, world!"));
/// ```
#[derive(Debug, Clone)]
pub struct Counter {
    encoding: Encoding,
    /// Tokens of the pieces that can't change any more.
    settled: u64,
    /// The text behind them.
    tail: String,
    /// The tail's tokens.
    open: u64,
    /// Bytes of a character whose end has not come yet.
    partial: Vec<u8>,
    /// The pieces of a long tail with their tokens, so that growing is cheap.
    long: Vec<Piece>,
}

/// A piece of the tail and its tokens.
#[derive(Debug, Clone)]
struct Piece {
    start: usize,
    tokens: Vec<u32>,
}

/// Tails up to this many bytes are simply counted again.
const SHORT: usize = 256;

impl Counter {
    pub(super) fn new(encoding: Encoding) -> Self {
        Self { encoding, settled: 0, tail: String::new(), open: 0, partial: Vec::new(), long: Vec::new() }
    }

    /// The encoding counted in.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Adds a chunk of text.
    pub fn push(&mut self, chunk: &str) {
        if !self.partial.is_empty() {
            // Text can't continue a character, so the one begun before was broken.
            self.partial.clear();
            self.add("\u{fffd}");
        }
        self.add(chunk);
    }

    /// Adds a chunk of UTF-8 that may end or start inside a character; broken bytes are counted as U+FFFD.
    pub fn push_bytes(&mut self, chunk: &[u8]) {
        let mut joined = std::mem::take(&mut self.partial);
        joined.extend_from_slice(chunk);
        let mut chunks = joined.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            self.add(chunk.valid());
            let broken = chunk.invalid();
            let unfinished =
                chunks.peek().is_none() && std::str::from_utf8(broken).is_err_and(|error| error.error_len().is_none());
            if unfinished {
                self.partial = broken.to_vec();
            } else if !broken.is_empty() {
                self.add("\u{fffd}");
            }
        }
    }

    /// The number of tokens of everything so far, without a character whose end has not come yet.
    pub fn total(&self) -> Count {
        super::counted(self.settled + self.open)
    }

    fn add(&mut self, chunk: &str) {
        if chunk.is_empty() {
            return;
        }
        let vocab = self.encoding.vocab();
        let normalized = self.encoding.is_normalized();
        let alike = if normalized && !normal::is_settled(chunk) {
            let changing = self.tail.split_off(normal::last_start(&self.tail)) + chunk;
            self.tail.push_str(&normal::composed(&changing));
            false
        } else {
            let alike = self.grows_alike(chunk);
            self.tail.push_str(chunk);
            alike
        };
        if alike && let Some(last) = self.long.last_mut() {
            let piece = &self.tail.as_bytes()[last.start..];
            self.open -= last.tokens.len() as u64;
            vocab.extend_piece(piece, piece.len() - chunk.len(), &mut last.tokens);
            self.open += last.tokens.len() as u64;
            return;
        }
        self.long.clear();
        let pattern = self.encoding.pattern();
        // What a mark can still change stays.
        let changing = if normalized { normal::last_start(&self.tail) } else { self.tail.len() };
        let mut from = 0;
        while from < self.tail.len()
            && let Some(end) = pattern.settled_end(self.tail.as_bytes(), from).filter(|&end| end <= changing)
        {
            self.settled += vocab.count_piece(&self.tail.as_bytes()[from..end]);
            from = end;
        }
        self.tail.drain(..from);
        if self.tail.len() <= SHORT {
            self.open = fast::count(self.tail.as_bytes(), pattern, vocab);
        } else {
            self.split_long_tail();
        }
    }

    /// Whether the chunk only makes the last piece of a long tail longer, because it goes on with the same characters.
    fn grows_alike(&self, chunk: &str) -> bool {
        if self.long.is_empty() {
            return false;
        }
        let kind = |character: char| {
            let class = at(Closed(character.encode_utf8(&mut [0; 4]).as_bytes()), 0).0;
            match (class, self.encoding.pattern()) {
                // Letters of some scripts and signs of some kinds are apart.
                (UNCASED | OTHER, Pattern::Deepseek | Pattern::Kimi) => 0,
                (LOWER | UPPER, Pattern::Deepseek) if !character.is_ascii() => 0,
                (LOWER | UNCASED, Pattern::O200k | Pattern::Kimi | Pattern::Tekken) => LOWER,
                (UPPER, Pattern::O200k | Pattern::Kimi | Pattern::Tekken) => UPPER,
                (LOWER | UPPER | UNCASED, _) => LETTER,
                (SPACE | NEWLINE, _) => class,
                (OTHER, _) if character != '/' => OTHER,
                _ => 0,
            }
        };
        // As many as a contraction has: behind it the piece would be over.
        let mut last = self.tail.chars().rev().take(4).map(kind);
        let Some(first) = last.next().filter(|&first| first != 0) else { return false };
        last.all(|kind| kind == first) && chunk.chars().all(|character| kind(character) == first)
    }

    /// Notes the pieces of a long tail and their tokens.
    fn split_long_tail(&mut self) {
        let text = self.tail.as_bytes();
        self.open = 0;
        let mut start = 0;
        while start < text.len() {
            let end = self.encoding.pattern().end(text, start);
            let mut tokens = Vec::new();
            // A token as a whole is also what its bytes merge into.
            self.encoding.vocab().extend_piece(&text[start..end], 0, &mut tokens);
            self.open += tokens.len() as u64;
            self.long.push(Piece { start, tokens });
            start = end;
        }
    }
}
