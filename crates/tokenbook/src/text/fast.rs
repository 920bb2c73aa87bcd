//! Counting without writing tokens down.
//!
//! Most pieces are found in a small table of recent ones. The others wait in a list until there are enough of them to
//! hide how long memory takes; then they are looked up in the vocabulary, in what the thread remembers, or merged.

use super::cache::{Cache, LONGEST_KEPT};
use super::hash::{MEDIUM_COUNT, joint_bit, medium_hash, medium_key, short_bucket, short_slot};
use super::raw;
use super::scan::{self, Scan, WINDOW, Window};
use super::split::Pattern;
use super::vocab::Vocab;

/// Pieces that wait for memory together.
const WAITING: usize = 96;

/// What is read at once.
const READ: usize = size_of::<Window>();

/// A way to count that goes on from one part of a text to the next.
pub(super) struct Job<'a> {
    pattern: Pattern,
    vocab: &'static Vocab,
    cache: &'a mut Cache,
    /// Starts and lengths of pieces that are not in the table of recent ones.
    waiting: [(usize, usize); WAITING + WINDOW],
    count: usize,
}

/// Counts a text.
pub(super) fn count(text: &[u8], pattern: Pattern, vocab: &'static Vocab) -> u64 {
    if let [_] = text {
        return 1;
    }
    Cache::with(vocab, |cache| {
        raw::count(&mut Job { pattern, vocab, cache, waiting: [(0, 0); WAITING + WINDOW], count: 0 }, text)
    })
}

impl Job<'_> {
    /// The number of tokens of a text.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    pub(super) fn count<S: Scan>(&mut self, whole: &[u8]) -> u64 {
        // The last bytes are copied to where enough can be read behind them.
        let mut copy = [0; 2 * READ];
        let (mut total, mut done) = (0, 0);
        for ending in [false, true] {
            let (text, space, stop) = if ending {
                let rest = &whole[done..];
                copy[..rest.len()].copy_from_slice(rest);
                (&copy[..rest.len()], &copy[..], rest.len())
            } else {
                (whole, whole, whole.len().saturating_sub(READ - 1))
            };
            let mut from = 0;
            while from < stop {
                let window: &Window = space[from..].first_chunk().expect("it stops before");
                let pieces = if self.pattern == Pattern::R50k {
                    None
                } else {
                    let masks = S::masks(window);
                    scan::pieces(self.pattern, window, &masks).map(|pieces| (pieces, masks.digit))
                };
                if let Some((pieces, digit)) = pieces {
                    total += self.window(window, pieces, digit, from);
                    from += pieces.end as usize;
                } else {
                    // What the scanner doesn't cover, up to where it may be worth asking again.
                    loop {
                        let end = self.pattern.end(text, from);
                        total += self.piece(text, from, end);
                        from = end;
                        if from >= stop || self.count >= WAITING {
                            break;
                        }
                        let next: &[u8; 8] = space[from..].first_chunk().expect("it stops before");
                        if self.pattern != Pattern::R50k && next.is_ascii() {
                            break;
                        }
                    }
                }
                if self.count >= WAITING {
                    total += self.waited(text);
                }
            }
            total += self.waited(space);
            done = from;
        }
        total
    }

    /// The number of tokens of a window's settled pieces.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    fn window(&mut self, window: &Window, pieces: scan::Pieces, digit: u64, from: usize) -> u64 {
        let starts = pieces.starts;
        let ends = (starts | (1 << pieces.end)) >> 1;
        // Single bytes and groups of up to three digits are tokens.
        let simple = starts & (ends | digit);
        let mut total = u64::from(simple.count_ones());
        let mut rest = starts & !simple;
        let mut count = self.count;
        while rest != 0 {
            let at = rest.trailing_zeros();
            rest &= rest - 1;
            let length = (ends >> at).trailing_zeros() as usize + 1;
            let start = at as usize & (WINDOW - 1);
            let word = u64::from_le_bytes(*window[start..].first_chunk().expect("16 bytes follow the last start"));
            let found = self.cache.recent(kept(word, length));
            let miss = found.wrapping_sub(1) >= 15 || length > 8;
            total += if miss { 0 } else { found };
            self.waiting[count] = (from + start, length);
            count += usize::from(miss);
        }
        self.count = count;
        total
    }

    /// The number of tokens of a piece, or 0 if it has to wait.
    #[inline]
    fn piece(&mut self, text: &[u8], start: usize, end: usize) -> u64 {
        let length = end - start;
        if length == 1 {
            return 1;
        }
        if length > 15 {
            return self.long(text, start, end);
        }
        if start + 16 > text.len() {
            return self.look_up(text, start, medium_key(&text[start..end]));
        }
        if length <= 8 {
            let word = u64::from_le_bytes(*text[start..].first_chunk().expect("16 bytes"));
            let found = self.cache.recent(kept(word, length));
            // A key doesn't tell NUL bytes at the end from none.
            if found.wrapping_sub(1) < 15 && text[end - 1] != 0 {
                return found;
            }
        }
        self.waiting[self.count] = (start, length);
        self.count += 1;
        0
    }

    /// The number of tokens of the pieces that waited.
    #[inline(never)]
    fn waited(&mut self, text: &[u8]) -> u64 {
        let mut keys = [[0; 2]; WAITING + WINDOW];
        let count = std::mem::take(&mut self.count);
        let tables = self.vocab.tables;
        for (key, &(start, length)) in keys.iter_mut().zip(&self.waiting[..count]) {
            if length > 15 {
                continue;
            }
            *key = if let Some(words) = text[start..].first_chunk::<16>() {
                let low = u64::from_le_bytes(*words.first_chunk().expect("16 bytes"));
                let high = u64::from_le_bytes(*words.last_chunk().expect("16 bytes"));
                [kept(low, length), kept(high, length.saturating_sub(8)) | ((length as u64) << 56)]
            } else {
                medium_key(&text[start..start + length])
            };
            if length <= 8 {
                raw::prefetch(tables.short, short_bucket(key[0], tables.short.len().trailing_zeros()));
            } else {
                raw::prefetch(tables.medium, medium_hash(*key) as usize & (tables.medium.len() - 1));
            }
            self.cache.prefetch(*key);
        }
        let mut total = 0;
        for (&key, index) in keys[..count].iter().zip(0..) {
            let (start, length) = self.waiting[index];
            total += if length > 15 { self.long(text, start, start + length) } else { self.look_up(text, start, key) };
        }
        total
    }

    /// The number of tokens of a piece of up to 15 bytes.
    fn look_up(&mut self, text: &[u8], start: usize, key: [u64; 2]) -> u64 {
        let tables = self.vocab.tables;
        let length = (key[1] >> 56) as usize;
        let printed = text[start + length - 1] != 0;
        if length <= 8 && printed {
            let bits = tables.short.len().trailing_zeros();
            let want = short_slot(key[0], bits);
            let bucket = tables.short[short_bucket(key[0], bits)];
            let found = (bucket[0] ^ want).min(bucket[1] ^ want);
            if found.wrapping_sub(1) < 15 {
                self.cache.keep_recent(key[0], found);
                return found;
            }
        }
        let mut slot = medium_hash(key) as usize & (tables.medium.len() - 1);
        let count = loop {
            let entry = tables.medium[slot];
            if entry[0] == key[0] && (entry[1] ^ key[1]) << (64 - MEDIUM_COUNT) == 0 {
                break entry[1] >> MEDIUM_COUNT;
            }
            if entry[1] == 0 {
                break self.cache.medium(key).unwrap_or_else(|| {
                    let count = self.vocab.count_piece(&text[start..start + length]);
                    self.cache.keep_medium(key, count);
                    count
                });
            }
            slot = (slot + 1) & (tables.medium.len() - 1);
        };
        if length <= 8 && printed {
            self.cache.keep_recent(key[0], count);
        }
        count
    }

    /// The number of tokens of a piece of more than 15 bytes.
    fn long(&mut self, text: &[u8], start: usize, end: usize) -> u64 {
        let piece = &text[start..end];
        if piece[piece.len() - 3] >= 0xe0 && self.pattern != Pattern::R50k {
            return self.joints(text, start, end);
        }
        if piece.len() > LONGEST_KEPT {
            return self.vocab.count_piece(piece);
        }
        let mut bytes = [0; 32];
        bytes[..piece.len()].copy_from_slice(piece);
        let (words, _) = bytes.as_chunks();
        let mut key = [0; 4];
        for (number, word) in key.iter_mut().zip(words) {
            *number = u64::from_le_bytes(*word);
        }
        key[3] |= (piece.len() as u64) << 56;
        if let Some(count) = self.cache.long(key) {
            return count;
        }
        let count = self.vocab.count_piece(piece);
        self.cache.keep_long(key, count);
        count
    }

    /// The number of tokens of a piece with characters of three bytes: it falls apart where no token holds two of them
    /// side by side, and most of the parts are single characters or words of the vocabulary.
    fn joints(&mut self, text: &[u8], start: usize, end: usize) -> u64 {
        const NOT_WIDE: u32 = 0;
        let tables = self.vocab.tables;
        let bits = tables.joints.len().trailing_zeros() + 6;
        let mut total = 0;
        let mut part = start;
        let mut last = NOT_WIDE;
        let mut at = start;
        while at < end {
            let first = text[at];
            if !(0xe0..0xf0).contains(&first) {
                at += 1;
                last = NOT_WIDE;
                continue;
            }
            let point = (u32::from(first & 0x0f) << 12)
                | (u32::from(text[at + 1] & 0x3f) << 6)
                | u32::from(text[at + 2] & 0x3f);
            if last != NOT_WIDE {
                let bit = joint_bit(last, point, bits);
                if (tables.joints[bit / 64] >> (bit % 64)) & 1 == 0 {
                    total += self.part(text, part, at, last);
                    part = at;
                }
            }
            last = point;
            at += 3;
        }
        total + self.part(text, part, end, last)
    }

    /// The number of tokens of a part of a piece; `last` is its last character if that has three bytes.
    #[inline]
    fn part(&mut self, text: &[u8], start: usize, end: usize, last: u32) -> u64 {
        if end - start == 3 && last != 0 {
            return (self.vocab.tables.alone[last as usize / 32] >> (last % 32 * 2)) & 3;
        }
        if end - start > 15 {
            return self.vocab.count_piece(&text[start..end]);
        }
        if self.count >= WAITING {
            return self.waited(text) + self.piece(text, start, end);
        }
        self.piece(text, start, end)
    }
}

/// The first `length` bytes of a word.
#[inline]
fn kept(word: u64, length: usize) -> u64 {
    if length < 8 { word & ((1 << (8 * length)) - 1) } else { word }
}
