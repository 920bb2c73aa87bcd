//! Numbers of tokens of pieces met before, per thread and bounded.

use std::cell::RefCell;

use super::hash::{MEDIUM_COUNT, medium_hash, short_bucket, short_slot};
use super::raw::{self, Instructions, Zeroed};
use super::scan::WINDOW;
use super::spare;
use super::vocab::{VOCABS, Vocab};

/// Recent pieces of up to 8 bytes: `1 << RECENT` pairs of slots of 8 bytes, which stay in a core's second cache.
const RECENT: u32 = 15;

/// Recent pieces of 9 to 15 bytes: pairs of slots of 16 bytes.
const RECENT_MEDIUM: usize = 1 << 13;

/// Sets of four slots of 16 bytes for pieces of up to 15 bytes.
const MEDIUM: usize = 1 << 15;

/// Sets of four slots of 32 bytes for pieces of up to 30 bytes.
const LONG: usize = 1 << 14;

/// Sets of four slots of 64 bytes for pieces of up to 62 bytes.
const LONGER: usize = 1 << 13;

/// Runs of one byte that are too long for all these.
const RUNS: usize = 1 << 8;

/// The longest piece that is kept.
pub(super) const LONGEST_KEPT: usize = 62;

/// The longest one that the smaller slots have room for.
pub(super) const LONG_KEPT: usize = 30;

/// Misses before memory is taken: a few short texts don't need it.
const PATIENCE: u32 = 64;

/// The count is in the upper half of a key's last byte, the length in the lower.
const COUNT_MASK: u64 = !(0xf << MEDIUM_COUNT);

/// Pieces that wait for memory together.
pub(super) const WAITING: usize = 96;

/// Room for those that a window adds to them.
pub(super) const ROOM: usize = WAITING + WINDOW;

/// Room for copies of short texts: several times that of the longest one.
const SCRATCH: usize = 1 << 15;

/// A piece that has to be merged.
pub(super) struct Missed {
    pub(super) start: usize,
    pub(super) length: usize,
    /// The sum that it is a part of, or [`NOBODY`].
    pub(super) owner: usize,
    /// Its key and hash, if it has at most 15 bytes.
    pub(super) key: [u64; 2],
    pub(super) hash: u64,
}

/// A long piece whose tokens are being counted.
pub(super) struct Long<const W: usize> {
    pub(super) key: Key<W>,
    pub(super) hash: u64,
    pub(super) start: usize,
    /// The number of its sum.
    pub(super) owner: usize,
}

/// Places for the numbers of pieces to merge, so that the same one is merged once.
const MISSED_AT: usize = 1024;

/// The owner of a piece that is a part of nothing.
pub(super) const NOBODY: usize = usize::MAX;

/// What one thread remembers of one vocabulary.
pub(super) struct Cache {
    /// Starts and lengths of pieces that are not recent.
    pub(super) waiting: [(usize, usize); ROOM],
    /// Keys, starts and owners of the short ones of them.
    pub(super) short_keys: [([u64; 2], usize, usize); ROOM],
    /// Keys, hashes, starts and owners of the medium ones.
    pub(super) medium_keys: [([u64; 2], u64, usize, usize); ROOM],
    /// The same of both that are not in the vocabulary.
    pub(super) unknown: [([u64; 2], u64, usize, usize); ROOM],
    /// The same of parts of long pieces.
    pub(super) parts: [([u64; 2], u64, usize, usize); ROOM],
    /// Keys, hashes and starts of the long ones.
    pub(super) long_keys: [(Key<4>, u64, usize); ROOM],
    /// The same of those that are longer still.
    pub(super) longer_keys: [(Key<8>, u64, usize); ROOM],
    /// Copies of short texts.
    pub(super) scratch: Vec<u8>,
    /// The number of the text that each block of them belongs to.
    pub(super) owners: [usize; SCRATCH / 64],
    /// Pieces to merge.
    pub(super) missed: Vec<Missed>,
    /// Their numbers by some bits of their hash, as far as they have up to 15 bytes.
    missed_at: [u16; MISSED_AT],
    /// Pieces that are the same as one of them: its number, and their own starts and owners.
    pub(super) again: Vec<(usize, usize, usize)>,
    /// What merging gave.
    pub(super) counts: Vec<u64>,
    /// The numbers of those that are not short.
    pub(super) rest: Vec<usize>,
    /// Long pieces that are not known, some of whose parts may still have to be merged.
    pub(super) longs: Vec<Long<4>>,
    /// The same of those that are longer still.
    pub(super) longers: Vec<Long<8>>,
    /// The sums of both.
    pub(super) sums: Vec<u64>,
    /// The best that this processor has.
    pub(super) instructions: Instructions,
    misses: u32,
    pub(super) known: Zeroed<Known>,
}

/// The counts themselves: numbers only, and valid where all are 0. What has no use yet takes no memory.
#[repr(C)]
pub(super) struct Known {
    recent: [[u64; 2]; 1 << RECENT],
    recent_medium: [[[u64; 2]; 2]; RECENT_MEDIUM],
    /// The byte and the length of runs, and their counts.
    runs: [[u64; 2]; RUNS],
    medium: [[[u64; 2]; 4]; MEDIUM],
    /// Pieces of 16 to 30 bytes.
    pub(super) long: Slots<4, LONG>,
    /// Pieces of up to 62 bytes.
    pub(super) longer: Slots<8, LONGER>,
}

/// A thread's caches, which outlive it.
struct Caches(RefCell<[Option<Box<Cache>>; VOCABS]>);

thread_local! {
    static CACHES: Caches = const { Caches(RefCell::new([const { None }; VOCABS])) };
}

impl Drop for Caches {
    fn drop(&mut self) {
        for (vocab, cache) in self.0.get_mut().iter_mut().enumerate() {
            if let Some(cache) = cache.take() {
                spare::give(vocab, cache);
            }
        }
    }
}

impl Cache {
    pub(super) fn new() -> Self {
        Self {
            waiting: [(0, 0); ROOM],
            short_keys: [([0; 2], 0, 0); ROOM],
            medium_keys: [([0; 2], 0, 0, 0); ROOM],
            unknown: [([0; 2], 0, 0, 0); ROOM],
            parts: [([0; 2], 0, 0, 0); ROOM],
            long_keys: [([0; 4], 0, 0); ROOM],
            longer_keys: [([0; 8], 0, 0); ROOM],
            scratch: Vec::new(),
            owners: [0; SCRATCH / 64],
            missed: Vec::new(),
            missed_at: [0; MISSED_AT],
            again: Vec::new(),
            counts: Vec::new(),
            rest: Vec::new(),
            longs: Vec::new(),
            longers: Vec::new(),
            sums: Vec::new(),
            instructions: Instructions::all().last().expect("any processor can count"),
            misses: 0,
            known: Zeroed::<Known>::new(),
        }
    }

    /// Takes the room for copies of short texts, which is to be given back.
    pub(super) fn scratch(&mut self) -> Vec<u8> {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.resize(SCRATCH, 0);
        scratch
    }

    /// The count of a short piece if it was met lately: from 1 to 15, or anything else if not. The key 0 is never met.
    #[inline]
    pub(super) fn recent(&self, key: u64) -> u64 {
        let want = short_slot(key, RECENT);
        let bucket = self.known.recent[short_bucket(key, RECENT)];
        (bucket[0] ^ want).min(bucket[1] ^ want)
    }

    /// Asks for the memory where a piece of up to 15 bytes would be if it was met lately.
    #[inline]
    pub(super) fn prefetch_recent(&self, key: [u64; 2], hash: u64) {
        if key[1] >> 56 > 8 {
            raw::prefetch(&self.known.recent_medium, place(hash, RECENT_MEDIUM));
        } else {
            raw::prefetch(&self.known.recent, short_bucket(key[0], RECENT));
        }
    }

    /// Remembers the count of a short piece.
    #[inline]
    pub(super) fn keep_recent(&mut self, key: u64, count: u64) {
        let bucket = &mut self.known.recent[short_bucket(key, RECENT)];
        bucket[1] = bucket[0];
        bucket[0] = short_slot(key, RECENT) | count;
    }

    /// The count of a medium piece if it was met lately, or 0.
    #[inline]
    pub(super) fn recent_medium(&self, key: [u64; 2], hash: u64) -> u64 {
        let set = &self.known.recent_medium[place(hash, RECENT_MEDIUM)];
        let count = |slot: [u64; 2]| {
            let same = slot[0] == key[0] && slot[1] & COUNT_MASK == key[1];
            if same { slot[1] >> MEDIUM_COUNT } else { 0 }
        };
        count(set[0]) | count(set[1])
    }

    /// Remembers the count of a medium piece for a while.
    #[inline]
    pub(super) fn keep_recent_medium(&mut self, key: [u64; 2], hash: u64, count: u64) {
        let set = &mut self.known.recent_medium[place(hash, RECENT_MEDIUM)];
        set[1] = set[0];
        set[0] = [key[0], key[1] | (count << MEDIUM_COUNT)];
    }

    /// Asks for the memory where a medium piece would be.
    #[inline]
    pub(super) fn prefetch(&self, hash: u64) {
        if self.misses >= PATIENCE {
            raw::prefetch(&self.known.medium, place(hash, MEDIUM));
        }
    }

    /// Calls `work` with this thread's cache for a vocabulary.
    pub(super) fn with<T>(vocab: &Vocab, work: impl FnOnce(&mut Self) -> T) -> T {
        let place = vocab.number;
        // Taken out while in use, so that nothing can find it borrowed.
        let mut cache = CACHES
            .try_with(|caches| caches.0.borrow_mut()[place].take())
            .ok()
            .flatten()
            .or_else(|| spare::take(place))
            .unwrap_or_else(|| Box::new(Self::new()));
        let result = work(&mut cache);
        // A thread that is ending has no place to keep it.
        let _ = CACHES.try_with(|caches| caches.0.borrow_mut()[place] = Some(cache));
        result
    }

    /// The count of a medium piece, if it is known.
    #[inline]
    pub(super) fn medium(&self, key: [u64; 2], hash: u64) -> Option<u64> {
        if self.misses < PATIENCE {
            return None;
        }
        let set = &self.known.medium[place(hash, MEDIUM)];
        set.iter().find(|slot| slot[0] == key[0] && slot[1] & COUNT_MASK == key[1]).map(|slot| slot[1] >> MEDIUM_COUNT)
    }

    /// Remembers the count of a medium piece.
    pub(super) fn keep_medium(&mut self, key: [u64; 2], hash: u64, count: u64) {
        self.misses = self.misses.saturating_add(1);
        if self.misses >= PATIENCE {
            let set = &mut self.known.medium[place(hash, MEDIUM)];
            (set[3], set[2], set[1]) = (set[2], set[1], set[0]);
            set[0] = [key[0], key[1] | (count << MEDIUM_COUNT)];
        }
    }

    /// Notes that a piece of up to 15 bytes has to be merged, once if it comes again before that is done.
    #[inline]
    pub(super) fn miss(&mut self, key: [u64; 2], hash: u64, start: usize, owner: usize) {
        let at = &mut self.missed_at[place(hash, MISSED_AT)];
        let number = usize::from(*at);
        if self.missed.get(number).is_some_and(|missed| missed.key == key) {
            self.again.push((number, start, owner));
            return;
        }
        *at = u16::try_from(self.missed.len()).unwrap_or(u16::MAX);
        self.missed.push(Missed { start, length: (key[1] >> 56) as usize, owner, key, hash });
    }

    /// The count of a piece that has no other place: indented texts have the same long runs of spaces everywhere.
    pub(super) fn count_longest(&mut self, piece: &[u8], count: impl FnOnce(&[u8]) -> u64) -> u64 {
        if piece[1..] != piece[..piece.len() - 1] {
            return count(piece);
        }
        let run = (piece.len() as u64) << 8 | u64::from(piece[0]);
        let slot = &mut self.known.runs[(piece.len() ^ usize::from(piece[0])) & (RUNS - 1)];
        if slot[0] != run {
            *slot = [run, count(piece)];
        }
        slot[1]
    }
}

/// A piece of up to `8 * W - 2` bytes: its bytes, a place for its count, and its length.
pub(super) type Key<const W: usize> = [u64; W];

/// The key of a piece.
#[inline]
pub(super) fn key<const W: usize>(piece: &[u8]) -> Key<W> {
    let mut key = [0; W];
    let (words, rest) = piece.as_chunks::<8>();
    for (number, word) in key.iter_mut().zip(words) {
        *number = u64::from_le_bytes(*word);
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    key[words.len()] = u64::from_le_bytes(last);
    key[W - 1] |= (piece.len() as u64) << 56;
    key
}

/// A hash of a long key.
#[inline]
pub(super) fn long_hash<const W: usize>(key: &Key<W>) -> u64 {
    let (mut even, mut odd) = (0u64, 0u64);
    for pair in key.chunks_exact(2) {
        even = even.rotate_left(23) ^ pair[0];
        odd = odd.rotate_left(41) ^ pair[1];
    }
    medium_hash([even, odd])
}

/// `N` sets of four pieces of up to `8 * W - 2` bytes.
#[repr(C, align(64))]
pub(super) struct Slots<const W: usize, const N: usize> {
    sets: [[Key<W>; 4]; N],
    /// How often something was kept.
    kept: usize,
}

/// The place of the count in a long key's last word.
const LONG_COUNT: u32 = 48;

impl<const W: usize, const N: usize> Slots<W, N> {
    /// Asks for the memory where a piece would be.
    #[inline]
    pub(super) fn prefetch(&self, hash: u64) {
        if self.kept > 0 {
            let first = 4 * place(hash, N);
            for slot in (0..4).step_by(8 / W) {
                raw::prefetch(self.sets.as_flattened(), first + slot);
            }
        }
    }

    /// The count of a piece, if it is known.
    #[inline]
    pub(super) fn get(&self, key: &Key<W>, hash: u64) -> Option<u64> {
        if self.kept == 0 {
            return None;
        }
        let place = place(hash, N);
        let set = &self.sets[place];
        let is_it =
            |slot: &&Key<W>| slot[..W - 1] == key[..W - 1] && (slot[W - 1] ^ key[W - 1]) & !(0xff << LONG_COUNT) == 0;
        let slot = match set.iter().find(is_it) {
            Some(slot) => slot,
            // Nothing has gone into the next set before this one was full.
            None if set[3][W - 1] == 0 => return None,
            None => self.sets[place ^ 1].iter().find(is_it)?,
        };
        Some((slot[W - 1] >> LONG_COUNT) & 0xff)
    }

    /// Remembers the count of a piece, unless it is known by now.
    pub(super) fn keep_once(&mut self, key: &Key<W>, hash: u64, count: u64) {
        if self.get(key, hash).is_none() {
            self.keep(key, hash, count);
        }
    }

    /// Remembers the count of a piece: in its set, in the next one if there is room only there, or in the place of
    /// another. Which one comes round, since the oldest is what a text that is read again needs next.
    pub(super) fn keep(&mut self, key: &Key<W>, hash: u64, count: u64) {
        let place = place(hash, N);
        let free = |place: usize| self.sets[place].iter().position(|slot| slot[W - 1] == 0).map(|slot| (place, slot));
        self.kept += 1;
        let (place, slot) = free(place).or_else(|| free(place ^ 1)).unwrap_or((place, self.kept % 4));
        let slot = &mut self.sets[place][slot];
        *slot = *key;
        slot[W - 1] |= count << LONG_COUNT;
    }
}

#[inline]
fn place(hash: u64, sets: usize) -> usize {
    (hash >> 40) as usize & (sets - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_set_spills_into_the_next_one_and_then_gives_way() {
        let mut slots = Slots::<8, { 1 << 4 }> { sets: [[[0; 8]; 4]; 1 << 4], kept: 0 };
        let keys: Vec<Key<8>> = (0..9).map(|number| key(&[b'a' + number; 40])).collect();
        // All with the hash of one set.
        let hash = 6 << 40;
        for (number, key) in (1..).zip(&keys[..8]) {
            assert_eq!(slots.get(key, hash), None);
            slots.keep(key, hash, number);
        }
        for (number, key) in (1..).zip(&keys[..8]) {
            assert_eq!(slots.get(key, hash), Some(number));
        }
        slots.keep(&keys[8], hash, 9);
        assert_eq!(slots.get(&keys[8], hash), Some(9));
        assert_eq!(keys.iter().filter(|key| slots.get(key, hash).is_some()).count(), 8);
        // The other set's own keys look there first.
        assert_eq!(slots.get(&key(b"the neighbour"), 7 << 40), None);
    }
}
