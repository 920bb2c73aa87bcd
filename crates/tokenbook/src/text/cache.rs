//! Numbers of tokens of pieces met before, per thread and bounded.

use std::cell::RefCell;

use super::hash::{MEDIUM_COUNT, short_bucket, short_slot};
use super::longs::{Key, Longs, place};
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

/// Runs of one byte that are too long for all these.
const RUNS: usize = 1 << 8;

/// The longest piece that is kept.
pub(super) const LONGEST_KEPT: usize = 62;

/// The longest one that takes half as much room.
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

/// The counts themselves: numbers only, and valid where all are 0. What has no use yet takes no memory, and what every text
/// uses comes first, so that most need two large pages.
#[repr(C)]
pub(super) struct Known {
    recent: [[u64; 2]; 1 << RECENT],
    recent_medium: [[[u64; 2]; 2]; RECENT_MEDIUM],
    /// The byte and the length of runs, and their counts.
    runs: [[u64; 2]; RUNS],
    medium: [[[u64; 2]; 4]; MEDIUM],
    pub(super) longs: Longs,
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
