//! Counting without writing tokens down.
//!
//! Most pieces are found in a small table of recent ones. The others wait in a list until there are enough of them to
//! hide how long memory takes; then they are looked up in the vocabulary, in what the thread remembers, or merged.
#![expect(clippy::cast_possible_truncation, reason = "hashes are cut to the bits that a table has")]

use super::bpe::MIDDLE;
use super::cache::{Cache, LONG_KEPT, LONGEST_KEPT, Long, Missed, NOBODY, WAITING};
use super::hash::{MEDIUM_COUNT, joint_bit, medium_hash, medium_key, short_bucket, short_slot};
use super::longs;
use super::raw;
use super::scan::{self, Scan, WINDOW, Window};
use super::split::Pattern;
use super::vocab::Vocab;

/// Pieces that are merged together, if there are so many.
const TOGETHER: usize = 400;

/// What is read at once.
const READ: usize = size_of::<Window>();

/// Short texts are copied to where enough can be read behind them, and many of them side by side, each from a block on.
const BLOCK: usize = 64;

/// The longest text that is worth a copy, with the zeros behind it.
const SHORT: usize = 4096;

/// A way to count that goes on from one part of a text to the next, or from one text to another.
pub(super) struct Job<'a> {
    pattern: Pattern,
    vocab: &'static Vocab,
    cache: &'a mut Cache,
    /// Pieces that wait.
    count: usize,
    /// Parts of pieces that wait.
    parts: usize,
    /// Counting may stop above this.
    limit: u64,
    /// The number of tokens of each text.
    totals: &'a mut [u64],
    /// Whether pieces of several texts wait together, so that `cache.owners` tells whose each is.
    many: bool,
}

/// Counts a text.
pub(super) fn count(text: &[u8], pattern: Pattern, vocab: &'static Vocab) -> u64 {
    count_up_to(text, pattern, vocab, u64::MAX)
}

/// Counts a text, or gives any number above the limit if there are more.
pub(super) fn count_up_to(text: &[u8], pattern: Pattern, vocab: &'static Vocab, limit: u64) -> u64 {
    let mut total = [0];
    Cache::with(vocab, |cache| {
        let best = cache.instructions;
        best.count(&mut Job::new(pattern, vocab, cache, limit, &mut total), text);
    });
    total[0]
}

/// Counts many texts: what has to be looked up or merged waits until there is enough of it, whichever text it is from.
pub(super) fn count_many(
    texts: &mut dyn Iterator<Item = &[u8]>,
    pattern: Pattern,
    vocab: &'static Vocab,
    totals: &mut [u64],
) {
    Cache::with(vocab, |cache| {
        let best = cache.instructions;
        best.count_many(&mut Job { many: true, ..Job::new(pattern, vocab, cache, u64::MAX, totals) }, texts);
    });
}

/// Counts texts one by one and all together, with these instructions and nothing in memory.
#[cfg(test)]
pub(super) fn count_with(
    set: raw::Instructions,
    texts: &[&str],
    pattern: Pattern,
    vocab: &'static Vocab,
) -> [Vec<u64>; 2] {
    let mut counts = [vec![0; texts.len()], vec![0; texts.len()]];
    let cache = &mut Cache::new();
    for (text, totals) in texts.iter().zip(counts[0].chunks_mut(1)) {
        set.count(&mut Job::new(pattern, vocab, cache, u64::MAX, totals), text.as_bytes());
    }
    let (cache, totals) = (&mut Cache::new(), &mut counts[1]);
    let mut job = Job { many: true, ..Job::new(pattern, vocab, cache, u64::MAX, totals) };
    set.count_many(&mut job, &mut texts.iter().map(|text| text.as_bytes()));
    counts
}

impl<'a> Job<'a> {
    /// A job on one text.
    fn new(pattern: Pattern, vocab: &'static Vocab, cache: &'a mut Cache, limit: u64, totals: &'a mut [u64]) -> Self {
        Self { pattern, vocab, cache, count: 0, parts: 0, limit, totals, many: false }
    }
}

impl Job<'_> {
    /// Counts one text.
    pub(super) fn count<S: Scan>(&mut self, text: &[u8]) {
        if text.len() + READ > SHORT {
            let done = S::scan(self, text, text, 0, text.len() - (READ - 1), 0);
            self.finish::<S>(text);
            if self.totals[0] > self.limit {
                return;
            }
            let mut copy = [0; 2 * READ];
            let rest = &text[done..];
            copy[..rest.len()].copy_from_slice(rest);
            S::scan(self, &copy[..rest.len()], &copy, 0, rest.len(), 0);
            self.finish::<S>(&copy);
        } else {
            let mut scratch = self.cache.scratch();
            let end = put(&mut scratch, 0, text);
            S::scan(self, &scratch[..text.len()], &scratch[..end], 0, text.len(), 0);
            self.finish::<S>(&scratch[..end]);
            self.cache.scratch = scratch;
        }
    }

    /// Counts many texts.
    pub(super) fn count_many<S: Scan>(&mut self, texts: &mut dyn Iterator<Item = &[u8]>) {
        let mut scratch = self.cache.scratch();
        let mut end = 0;
        for (number, text) in texts.enumerate() {
            let is_long = text.len() + READ > SHORT;
            if is_long || end + SHORT + BLOCK > scratch.len() {
                self.finish::<S>(&scratch[..end]);
                end = 0;
            }
            if is_long {
                let Self { pattern, vocab, .. } = *self;
                let (cache, totals) = (&mut *self.cache, &mut self.totals[number..=number]);
                Job::new(pattern, vocab, cache, u64::MAX, totals).count::<S>(text);
                continue;
            }
            let start = end;
            end = put(&mut scratch, start, text);
            self.cache.owners[start / BLOCK..end / BLOCK].fill(number);
            S::scan(self, &scratch[..start + text.len()], &scratch[..end], start, start + text.len(), number);
        }
        self.finish::<S>(&scratch[..end]);
        self.cache.scratch = scratch;
    }

    /// Counts the pieces of a text from one place to another, or to the end of a piece that goes beyond it. `space` is the
    /// text and what may be read behind it, which is zeros, and `owner` its number. Gives where it stopped.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    pub(super) fn scan<S: Scan>(
        &mut self,
        text: &[u8],
        space: &[u8],
        mut from: usize,
        stop: usize,
        owner: usize,
    ) -> usize {
        let mut total = 0;
        while from < stop {
            let window: &Window = space[from..].first_chunk().expect("it stops before");
            let pieces = if self.pattern.is_scanned() {
                let left = if stop == text.len() { WINDOW.min(stop - from) } else { WINDOW } as u32;
                let mut masks = S::masks(window);
                if masks.stop.trailing_zeros() < left {
                    masks = S::with_others(masks, self.pattern, window);
                }
                scan::pieces(self.pattern, window, &masks, left).map(|pieces| (pieces, masks.digit))
            } else {
                None
            };
            if let Some((pieces, digit)) = pieces {
                total += self.window(window, pieces, digit, from);
                from += pieces.end as usize;
            } else {
                // What the scanner doesn't cover, up to where it may be worth asking again.
                loop {
                    let end = self.pattern.end(text, from);
                    total += self.piece::<S>(text, from, end);
                    from = end;
                    if from >= stop || self.count >= WAITING {
                        break;
                    }
                    let next = space[from..].first_chunk().expect("it stops before");
                    if self.pattern.is_scanned() && S::covers(*next) {
                        break;
                    }
                }
            }
            if self.count >= WAITING {
                self.waited::<S>(space);
            }
            if total + self.totals[owner] > self.limit {
                break;
            }
        }
        self.totals[owner] += total;
        from
    }

    /// Counts what waits.
    fn finish<S: Scan>(&mut self, text: &[u8]) {
        if self.count > 0 {
            self.waited::<S>(text);
        }
        if !self.cache.missed.is_empty() || !self.cache.sums.is_empty() {
            S::merge_missed(self, text);
        }
    }

    /// Adds tokens of a piece to its text.
    #[inline]
    fn add(&mut self, start: usize, count: u64) {
        let owner = if self.many { self.cache.owners[start / BLOCK] } else { 0 };
        self.totals[owner] += count;
    }

    /// Adds tokens of a piece to the sum that it is a part of, or else to its text.
    #[inline]
    fn add_to(&mut self, owner: usize, start: usize, count: u64) {
        if owner == NOBODY { self.add(start, count) } else { self.cache.sums[owner] += count }
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
            let found = self.cache.recent(word & KEPT[length & (WINDOW - 1)]);
            let miss = !known(found);
            total += if miss { 0 } else { found };
            self.cache.waiting[count] = (from + start, length);
            count += usize::from(miss);
        }
        self.count = count;
        total
    }

    /// The number of tokens of a piece, or 0 if it has to wait.
    #[inline]
    fn piece<S: Scan>(&mut self, text: &[u8], start: usize, end: usize) -> u64 {
        let length = end - start;
        if length == 1 {
            return 1;
        }
        if length > 15 {
            if length > LONGEST_KEPT {
                return if self.falls_apart(text, end) {
                    self.joints::<S>(text, start, end)
                } else {
                    self.longest::<S>(&text[start..end])
                };
            }
            self.cache.waiting[self.count] = (start, length);
            self.count += 1;
            return 0;
        }
        if length <= 8 && start + 16 <= text.len() {
            let word = u64::from_le_bytes(*text[start..].first_chunk().expect("16 bytes"));
            let found = self.cache.recent(kept(word, length));
            // A key doesn't tell NUL bytes at the end from none.
            if known(found) && text[end - 1] != 0 {
                return found;
            }
        }
        self.cache.waiting[self.count] = (start, length);
        self.count += 1;
        0
    }

    /// The number of tokens of a piece that is too long for the cache.
    fn longest<S: Scan>(&mut self, piece: &[u8]) -> u64 {
        let vocab = self.vocab;
        self.cache.count_longest(piece, |piece| S::count_piece(vocab, piece))
    }

    /// Counts the pieces that waited.
    #[inline(never)]
    fn waited<S: Scan>(&mut self, text: &[u8]) {
        let (mut shorts, mut mediums, mut longs, mut longers) = (0, 0, 0, 0);
        let tables = self.vocab.tables;
        let short_bits = tables.short.len().trailing_zeros();
        for index in 0..std::mem::take(&mut self.count) {
            let (start, length) = self.cache.waiting[index];
            if length <= 8 {
                let key = key_of(text, start, length);
                raw::prefetch(tables.short, short_bucket(key[0], short_bits));
                self.cache.short_keys[shorts] = (key, start, NOBODY);
                shorts += 1;
                continue;
            }
            if length > LONGEST_KEPT {
                let count = self.longest::<S>(&text[start..start + length]);
                self.add(start, count);
                continue;
            }
            if length > LONG_KEPT {
                let key = longs::key(&text[start..start + length]);
                let hash = longs::hash(&key);
                self.cache.known.longs.prefetch::<8>(hash);
                self.cache.longer_keys[longers] = (key, hash, start);
                longers += 1;
                continue;
            }
            if length > 15 {
                let key = longs::key(&text[start..start + length]);
                let hash = longs::hash(&key);
                self.cache.known.longs.prefetch::<4>(hash);
                self.cache.long_keys[longs] = (key, hash, start);
                longs += 1;
                continue;
            }
            let key = key_of(text, start, length);
            let hash = medium_hash(key);
            let found = self.cache.recent_medium(key, hash);
            if found > 0 {
                self.add(start, found);
                continue;
            }
            raw::prefetch(tables.medium, hash as usize & (tables.medium.len() - 1));
            self.cache.medium_keys[mediums] = (key, hash, start, NOBODY);
            mediums += 1;
        }
        self.short(shorts, mediums);
        for &(_, hash, _) in &self.cache.long_keys[..longs] {
            self.cache.known.longs.prefetch_piece::<4>(hash);
        }
        for &(_, hash, _) in &self.cache.longer_keys[..longers] {
            self.cache.known.longs.prefetch_piece::<8>(hash);
        }
        for index in 0..longs {
            let (key, hash, start) = self.cache.long_keys[index];
            if let Some(count) = self.cache.known.longs.get(&key, hash) {
                self.add(start, count);
            } else {
                let owner = self.long(text, start, start + (key[3] >> 56) as usize);
                self.cache.longs.push(Long { key, hash, start, owner });
            }
        }
        for index in 0..longers {
            let (key, hash, start) = self.cache.longer_keys[index];
            if let Some(count) = self.cache.known.longs.get(&key, hash) {
                self.add(start, count);
            } else {
                let owner = self.long(text, start, start + (key[7] >> 56) as usize);
                self.cache.longers.push(Long { key, hash, start, owner });
            }
        }
        self.parts();
        // Merging many at once hides how long memory takes.
        if self.cache.missed.len() >= TOGETHER || self.cache.sums.len() >= TOGETHER {
            S::merge_missed(self, text);
        }
    }

    /// Counts the pieces of up to 8 and of up to 15 bytes that are not recent, but for those to merge.
    #[inline]
    fn short(&mut self, shorts: usize, mediums: usize) {
        let mut unknown = 0;
        // Most are tokens; what isn't is looked for in what the thread remembers.
        for index in 0..shorts {
            let (key, start, owner) = self.cache.short_keys[index];
            let count = self.in_short(key);
            if count > 0 {
                self.cache.keep_recent(key[0], count);
                self.add_to(owner, start, count);
            } else {
                let hash = medium_hash(key);
                self.cache.prefetch(hash);
                self.cache.unknown[unknown] = (key, hash, start, owner);
                unknown += 1;
            }
        }
        for index in 0..mediums {
            let (key, hash, start, owner) = self.cache.medium_keys[index];
            if let Some(count) = self.in_medium(key, hash) {
                self.cache.keep_recent_medium(key, hash, count);
                self.add_to(owner, start, count);
            } else {
                self.cache.prefetch(hash);
                self.cache.unknown[unknown] = (key, hash, start, owner);
                unknown += 1;
            }
        }
        for index in 0..unknown {
            let (key, hash, start, owner) = self.cache.unknown[index];
            if let Some(count) = self.cache.medium(key, hash) {
                self.keep_recent(key, hash, count);
                self.add_to(owner, start, count);
            } else {
                self.cache.miss(key, hash, start, owner);
            }
        }
    }

    /// Merges the pieces that no table and no cache holds, keeps what they gave, and adds it to what they are parts of.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    pub(super) fn merge_missed<S: Scan>(&mut self, text: &[u8]) {
        let mut missed = std::mem::take(&mut self.cache.missed);
        let mut longer = std::mem::take(&mut self.cache.rest);
        let mut counts = std::mem::take(&mut self.cache.counts);
        let vocab = self.vocab;
        counts.resize(missed.len(), 0);
        let mut tell = |number: usize, count: u64| counts[number] = count;
        let piece = |number: usize| (number, &text[missed[number].start..][..missed[number].length]);
        S::count_short(vocab, (0..missed.len()).map(piece), &mut tell, |number| longer.push(number));
        let longer_pieces = || longer.iter().map(|&number| piece(number));
        if !longer.is_empty() {
            vocab.count_middle(longer_pieces().filter(|(_, piece)| piece.len() <= MIDDLE), &mut tell);
        }
        for (number, piece) in longer_pieces().filter(|(_, piece)| piece.len() > MIDDLE) {
            tell(number, vocab.count_piece(piece));
        }
        for (&Missed { start, length, owner, key, hash }, &count) in missed.iter().zip(&counts) {
            if length <= 15 {
                self.cache.keep_medium(key, hash, count);
                self.keep_recent(key, hash, count);
            }
            self.add_to(owner, start, count);
        }
        for index in 0..self.cache.again.len() {
            let (number, start, owner) = self.cache.again[index];
            self.add_to(owner, start, counts[number]);
        }
        self.cache.again.clear();
        let (mut longs, mut longers) = (std::mem::take(&mut self.cache.longs), std::mem::take(&mut self.cache.longers));
        for Long { key, hash, start, owner } in longs.drain(..) {
            let count = self.cache.sums[owner];
            self.cache.known.longs.keep(&key, hash, count);
            self.add(start, count);
        }
        for Long { key, hash, start, owner } in longers.drain(..) {
            let count = self.cache.sums[owner];
            self.cache.known.longs.keep(&key, hash, count);
            self.add(start, count);
        }
        (self.cache.longs, self.cache.longers) = (longs, longers);
        self.cache.sums.clear();
        missed.clear();
        longer.clear();
        (self.cache.missed, self.cache.rest, self.cache.counts) = (missed, longer, counts);
    }

    /// The number of tokens of a piece of up to 8 bytes by the vocabulary's tables, or 0.
    #[inline]
    fn in_short(&self, key: [u64; 2]) -> u64 {
        let short = self.vocab.tables.short;
        let bits = short.len().trailing_zeros();
        let want = short_slot(key[0], bits);
        let bucket = &short[short_bucket(key[0], bits)];
        let count = bucket.iter().map(|slot| slot ^ want).fold(u64::MAX, u64::min);
        if ends_with_nul(key) {
            0
        } else if known(count) {
            count
        } else if bucket[3] == 0 {
            0
        } else {
            // What found no place in its bucket is in the other table.
            self.in_medium(key, medium_hash(key)).unwrap_or(0)
        }
    }

    /// Remembers the count of a piece of up to 15 bytes for a while.
    #[inline]
    fn keep_recent(&mut self, key: [u64; 2], hash: u64, count: u64) {
        if key[1] >> 56 > 8 {
            self.cache.keep_recent_medium(key, hash, count);
        } else if !ends_with_nul(key) {
            self.cache.keep_recent(key[0], count);
        }
    }

    /// The number of tokens of a piece that the table of medium ones holds.
    fn in_medium(&self, key: [u64; 2], hash: u64) -> Option<u64> {
        let table = self.vocab.tables.medium;
        let mut slot = hash as usize & (table.len() - 1);
        loop {
            let entry = table[slot];
            if entry[0] == key[0] && (entry[1] ^ key[1]) << (64 - MEDIUM_COUNT) == 0 {
                return Some(entry[1] >> MEDIUM_COUNT);
            }
            if entry[1] == 0 {
                return None;
            }
            slot = (slot + 1) & (table.len() - 1);
        }
    }

    /// Whether a piece has characters of three bytes, of which most pairs never share a token.
    #[inline]
    fn falls_apart(&self, text: &[u8], end: usize) -> bool {
        text[end - 3] >= 0xe0 && self.pattern != Pattern::R50k
    }

    /// Begins the sum of a piece of 16 to 62 bytes that is not remembered, and gives the sum's number.
    fn long(&mut self, text: &[u8], start: usize, end: usize) -> usize {
        let owner = self.cache.sums.len();
        self.cache.sums.push(0);
        if !self.falls_apart(text, end) {
            self.cache.missed.push(Missed { start, length: end - start, owner, key: [0; 2], hash: 0 });
            return owner;
        }
        if self.parts + (end - start) > self.cache.parts.len() {
            self.parts();
        }
        let (vocab, cache, parts) = (self.vocab, &mut *self.cache, &mut self.parts);
        let mut alone_sum = 0;
        parts_of(vocab, text, start, end, |start, end, last| {
            let length = end - start;
            if is_alone(start, end, last) {
                alone_sum += alone(vocab, last);
            } else if length > 15 {
                cache.missed.push(Missed { start, length, owner, key: [0; 2], hash: 0 });
            } else {
                let key = key_of(text, start, length);
                let hash = if length > 8 { medium_hash(key) } else { 0 };
                cache.prefetch_recent(key, hash);
                cache.parts[*parts] = (key, hash, start, owner);
                *parts += 1;
            }
        });
        cache.sums[owner] += alone_sum;
        owner
    }

    /// Counts parts of long pieces, but for those to merge.
    #[inline]
    fn parts(&mut self) {
        let tables = self.vocab.tables;
        let short_bits = tables.short.len().trailing_zeros();
        let (mut shorts, mut mediums) = (0, 0);
        for index in 0..std::mem::take(&mut self.parts) {
            let (key, hash, start, owner) = self.cache.parts[index];
            if key[1] >> 56 <= 8 {
                let found = self.cache.recent(key[0]);
                if known(found) && !ends_with_nul(key) {
                    self.cache.sums[owner] += found;
                } else {
                    raw::prefetch(tables.short, short_bucket(key[0], short_bits));
                    self.cache.short_keys[shorts] = (key, start, owner);
                    shorts += 1;
                }
            } else {
                let found = self.cache.recent_medium(key, hash);
                if found > 0 {
                    self.cache.sums[owner] += found;
                } else {
                    raw::prefetch(tables.medium, hash as usize & (tables.medium.len() - 1));
                    self.cache.medium_keys[mediums] = (key, hash, start, owner);
                    mediums += 1;
                }
            }
        }
        self.short(shorts, mediums);
    }

    /// The number of tokens of a longer piece, whose parts may have to wait.
    fn joints<S: Scan>(&mut self, text: &[u8], start: usize, end: usize) -> u64 {
        let mut total = 0;
        parts_of(self.vocab, text, start, end, |start, end, last| {
            if self.count >= WAITING {
                self.waited::<S>(text);
            }
            total += if is_alone(start, end, last) {
                alone(self.vocab, last)
            } else if end - start > LONGEST_KEPT {
                S::count_piece(self.vocab, &text[start..end])
            } else if end - start > 15 {
                self.cache.waiting[self.count] = (start, end - start);
                self.count += 1;
                0
            } else {
                self.piece::<S>(text, start, end)
            };
        });
        total
    }
}

/// Copies a text to a place, with zeros behind it up to where the next one may start; gives that place.
fn put(scratch: &mut [u8], start: usize, text: &[u8]) -> usize {
    let end = (start + text.len() + READ).next_multiple_of(BLOCK);
    scratch[start..start + text.len()].copy_from_slice(text);
    scratch[start + text.len()..end].fill(0);
    end
}

/// Cuts a piece where two characters of three bytes meet that no token holds side by side: merging never crosses such a
/// place, and most of the parts are single characters or words of the vocabulary. Calls `emit` with each part's start,
/// end, and last character if that has three bytes, else 0.
#[inline]
fn parts_of(vocab: &Vocab, text: &[u8], start: usize, end: usize, mut emit: impl FnMut(usize, usize, u32)) {
    let tables = vocab.tables;
    let bits = tables.joints.len().trailing_zeros() + 6;
    let (mut part, mut last, mut at) = (start, 0, start);
    while at < end {
        let first = text[at];
        if !(0xe0..0xf0).contains(&first) {
            at += 1;
            last = 0;
            continue;
        }
        let point =
            (u32::from(first & 0x0f) << 12) | (u32::from(text[at + 1] & 0x3f) << 6) | u32::from(text[at + 2] & 0x3f);
        if last != 0 {
            let bit = joint_bit(last, point, bits);
            if (tables.joints[bit / 64] >> (bit % 64)) & 1 == 0 {
                emit(part, at, last);
                part = at;
            }
        }
        last = point;
        at += 3;
    }
    emit(part, end, last);
}

/// Whether a part is one character of three bytes.
#[inline]
fn is_alone(start: usize, end: usize, last: u32) -> bool {
    end - start == 3 && last != 0
}

/// The number of tokens of a character of three bytes by itself.
#[inline]
fn alone(vocab: &Vocab, point: u32) -> u64 {
    (vocab.tables.alone[point as usize / 32] >> (point % 32 * 2)) & 3
}

/// The bytes of a word that belong to a short piece of this length; none if it is longer.
const KEPT: [u64; WINDOW] = {
    let mut kept = [0; WINDOW];
    let mut length = 1;
    while length <= 8 {
        kept[length] = u64::MAX >> (64 - 8 * length);
        length += 1;
    }
    kept
};

/// Whether what a slot gave is a count: 0 is an empty slot's, and more is another piece's.
#[inline]
fn known(found: u64) -> bool {
    found.wrapping_sub(1) < 15
}

/// The first `length` bytes of a word.
#[inline]
fn kept(word: u64, length: usize) -> u64 {
    if length < 8 { word & ((1 << (8 * length)) - 1) } else { word }
}

/// Whether a piece of up to 8 bytes ends with NUL, which the first word of its key doesn't tell from none.
#[inline]
fn ends_with_nul(key: [u64; 2]) -> bool {
    key[0] >> (((key[1] >> 56) * 8).wrapping_sub(8) & 63) == 0
}

/// The key of a piece of up to 15 bytes.
#[inline]
fn key_of(text: &[u8], start: usize, length: usize) -> [u64; 2] {
    let Some(words) = text[start..].first_chunk::<16>() else { return medium_key(&text[start..start + length]) };
    let low = u64::from_le_bytes(*words.first_chunk().expect("16 bytes"));
    let high = u64::from_le_bytes(*words.last_chunk().expect("16 bytes"));
    [kept(low, length), kept(high, length.saturating_sub(8)) | ((length as u64) << 56)]
}
