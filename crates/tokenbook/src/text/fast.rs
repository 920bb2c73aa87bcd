//! Counting without writing tokens down.
//!
//! Most pieces are found as a whole in a table of the vocabulary; the rest is remembered per thread, or merged.

use super::cache::{Cache, LONGEST_KEPT};
use super::hash::{MEDIUM_COUNT, joint_bit, medium_hash, medium_key, short_bucket, short_slot};
use super::scan::{self, Scan, WINDOW, Window};
use super::split::Pattern;
use super::vocab::Vocab;

/// A text to be counted.
pub(super) struct Job<'a> {
    pub(super) text: &'a [u8],
    pub(super) pattern: Pattern,
    pub(super) vocab: &'static Vocab,
    pub(super) cache: &'a mut Cache,
}

impl Job<'_> {
    /// The number of tokens.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    pub(super) fn count<S: Scan>(&mut self) -> u64 {
        let text = self.text;
        let (mut from, mut total) = (0, 0);
        if self.pattern == Pattern::R50k {
            while from < text.len() {
                let end = self.pattern.end(text, from);
                total += self.piece(from, end);
                from = end;
            }
            return total;
        }
        let mut last;
        while from < text.len() {
            let rest = &text[from..];
            let window: &Window = if let Some(window) = rest.first_chunk() {
                window
            } else {
                last = [0; size_of::<Window>()];
                last[..rest.len()].copy_from_slice(rest);
                &last
            };
            let masks = S::masks(window);
            if let Some(pieces) = scan::pieces(self.pattern, window, &masks) {
                total += self.window(window, pieces, masks.digit, from);
                from += pieces.end as usize;
            } else {
                // What the scanner doesn't cover, up to where it may be worth asking again.
                loop {
                    let end = self.pattern.end(text, from);
                    total += self.piece(from, end);
                    from = end;
                    let ascii = text.get(from..from + 8).is_some_and(<[u8]>::is_ascii);
                    if ascii || from >= text.len() {
                        break;
                    }
                }
            }
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
        let short = self.vocab.tables.short;
        let bits = short.len().trailing_zeros();
        let mut missed = [0u8; WINDOW];
        let mut misses = 0;
        while rest != 0 {
            let at = rest.trailing_zeros();
            rest &= rest - 1;
            let length = (ends >> at).trailing_zeros() + 1;
            let start = at as usize & (WINDOW - 1);
            let word = u64::from_le_bytes(*window[start..].first_chunk().expect("16 bytes follow the last start"));
            let key = if length < 8 { word & ((1 << (8 * length)) - 1) } else { word };
            let want = short_slot(key, bits);
            let bucket = short[short_bucket(key, bits)];
            let found = (bucket[0] ^ want).min(bucket[1] ^ want);
            let miss = found.wrapping_sub(1) >= 15 || length > 8;
            total += if miss { 0 } else { found };
            missed[misses & (WINDOW - 1)] = at as u8;
            misses += usize::from(miss);
        }
        for &at in &missed[..misses] {
            let length = (ends >> at).trailing_zeros() as usize + 1;
            let start = usize::from(at) & (WINDOW - 1);
            if length <= 15 {
                let words = &window[start..start + 16];
                let low = u64::from_le_bytes(*words.first_chunk().expect("16 bytes"));
                let high = u64::from_le_bytes(*words.last_chunk().expect("16 bytes"));
                total += self.medium(medium_from(low, high, length), from + start);
            } else {
                total += self.long(from + start, from + start + length);
            }
        }
        total
    }

    /// The number of tokens of a piece.
    #[inline]
    fn piece(&mut self, start: usize, end: usize) -> u64 {
        let length = end - start;
        if length == 1 {
            return 1;
        }
        if length > 15 {
            return self.long(start, end);
        }
        let key = if let Some(words) = self.text.get(start..start + 16) {
            let low = u64::from_le_bytes(*words.first_chunk().expect("16 bytes"));
            let high = u64::from_le_bytes(*words.last_chunk().expect("16 bytes"));
            medium_from(low, high, length)
        } else {
            medium_key(&self.text[start..end])
        };
        if length <= 8 {
            let short = self.vocab.tables.short;
            let bits = short.len().trailing_zeros();
            let want = short_slot(key[0], bits);
            let bucket = short[short_bucket(key[0], bits)];
            let found = (bucket[0] ^ want).min(bucket[1] ^ want);
            // A key doesn't tell NUL bytes at the end from none.
            if found.wrapping_sub(1) < 15 && self.text[end - 1] != 0 {
                return found;
            }
        }
        self.medium(key, start)
    }

    /// The number of tokens of a piece of up to 15 bytes that is not in the first table.
    fn medium(&mut self, key: [u64; 2], start: usize) -> u64 {
        let table = self.vocab.tables.medium;
        let mut slot = medium_hash(key) as usize & (table.len() - 1);
        loop {
            let entry = table[slot];
            if entry[0] == key[0] && (entry[1] ^ key[1]) << (64 - MEDIUM_COUNT) == 0 {
                return entry[1] >> MEDIUM_COUNT;
            }
            if entry[1] == 0 {
                break;
            }
            slot = (slot + 1) & (table.len() - 1);
        }
        if let Some(count) = self.cache.medium(key) {
            return count;
        }
        let end = start + (key[1] >> 56) as usize;
        let count = self.vocab.count_piece(&self.text[start..end]);
        self.cache.keep_medium(key, count);
        count
    }

    /// The number of tokens of a piece of more than 15 bytes.
    fn long(&mut self, start: usize, end: usize) -> u64 {
        let piece = &self.text[start..end];
        if piece[piece.len() - 3] >= 0xe0 && self.pattern != Pattern::R50k {
            return self.joints(start, end);
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
    fn joints(&mut self, start: usize, end: usize) -> u64 {
        const NOT_WIDE: u32 = 0;
        let tables = self.vocab.tables;
        let bits = tables.joints.len().trailing_zeros() + 6;
        let mut total = 0;
        let mut part = start;
        let mut last = NOT_WIDE;
        let mut at = start;
        while at < end {
            let first = self.text[at];
            if !(0xe0..0xf0).contains(&first) {
                at += 1;
                last = NOT_WIDE;
                continue;
            }
            let point = (u32::from(first & 0x0f) << 12)
                | (u32::from(self.text[at + 1] & 0x3f) << 6)
                | u32::from(self.text[at + 2] & 0x3f);
            if last != NOT_WIDE {
                let bit = joint_bit(last, point, bits);
                if (tables.joints[bit / 64] >> (bit % 64)) & 1 == 0 {
                    total += self.part(part, at, last);
                    part = at;
                }
            }
            last = point;
            at += 3;
        }
        total + self.part(part, end, last)
    }

    /// The number of tokens of a part of a piece; `last` is its last character if that has three bytes.
    #[inline]
    fn part(&mut self, start: usize, end: usize, last: u32) -> u64 {
        if end - start == 3 && last != 0 {
            return (self.vocab.tables.alone[last as usize / 32] >> (last % 32 * 2)) & 3;
        }
        if end - start <= 15 { self.piece(start, end) } else { self.vocab.count_piece(&self.text[start..end]) }
    }
}

/// The key of a piece of up to 15 bytes from the 16 bytes at its start.
#[inline]
fn medium_from(low: u64, high: u64, length: usize) -> [u64; 2] {
    let keep = |word: u64, bytes: usize| if bytes < 8 { word & ((1 << (8 * bytes)) - 1) } else { word };
    [keep(low, length), keep(high, length.saturating_sub(8)) | ((length as u64) << 56)]
}

/// Counts a text.
pub(super) fn count(text: &[u8], pattern: Pattern, vocab: &'static Vocab) -> u64 {
    Cache::with(vocab, |cache| super::raw::count(&mut Job { text, pattern, vocab, cache }))
}
