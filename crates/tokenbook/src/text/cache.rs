//! Numbers of tokens of pieces met before, per thread and bounded.

use std::cell::RefCell;

use super::hash::{MEDIUM_COUNT, medium_hash, short_bucket, short_slot};
use super::raw;
use super::scan::WINDOW;
use super::vocab::Vocab;

/// Recent pieces of up to 8 bytes: `1 << RECENT` pairs of slots of 8 bytes, which stay in a core's own memory.
const RECENT: u32 = 13;

/// Recent pieces of 9 to 15 bytes: pairs of slots of 16 bytes.
const RECENT_MEDIUM: usize = 1 << 12;

/// What no key has in its lower bits.
const EMPTY: u64 = 1 << (RECENT - 1);

/// Sets of four slots of 16 bytes for pieces of up to 15 bytes.
const MEDIUM: usize = 1 << 15;

/// Sets of four slots of 32 bytes for pieces of up to 31 bytes.
const LONG: usize = 1 << 14;

/// The longest piece that is kept.
pub(super) const LONGEST_KEPT: usize = 31;

/// Misses before memory is taken: a few short texts don't need it.
const PATIENCE: u32 = 64;

/// The count is in the upper half of a key's last byte, the length in the lower.
const COUNT_MASK: u64 = !(0xf << MEDIUM_COUNT);

/// Pieces that wait for memory together.
pub(super) const WAITING: usize = 96;

/// Room for those that a window adds to them.
const ROOM: usize = WAITING + WINDOW;

/// What one thread remembers of one vocabulary.
pub(super) struct Cache {
    /// Starts and lengths of pieces that are not recent.
    pub(super) waiting: [(usize, usize); ROOM],
    /// Keys, hashes and starts of the medium ones of them.
    pub(super) keys: [([u64; 2], u64, usize); ROOM],
    /// Keys, starts and lengths of the long ones.
    pub(super) long_keys: [([u64; 4], usize, usize); ROOM],
    misses: u32,
    recent: Box<[[u64; 2]; 1 << RECENT]>,
    recent_medium: Box<[[[u64; 2]; 2]; RECENT_MEDIUM]>,
    medium: Vec<[[u64; 2]; 4]>,
    long: Vec<[[u64; 4]; 4]>,
}

thread_local! {
    static CACHES: RefCell<[Option<Box<Cache>>; 4]> = const { RefCell::new([None, None, None, None]) };
}

impl Cache {
    fn new() -> Self {
        let recent = vec![[EMPTY; 2]; 1 << RECENT].into_boxed_slice().try_into().expect("made with this length");
        let recent_medium =
            vec![[[0; 2]; 2]; RECENT_MEDIUM].into_boxed_slice().try_into().expect("made with this length");
        Self {
            waiting: [(0, 0); ROOM],
            keys: [([0; 2], 0, 0); ROOM],
            long_keys: [([0; 4], 0, 0); ROOM],
            misses: 0,
            recent,
            recent_medium,
            medium: Vec::new(),
            long: Vec::new(),
        }
    }

    /// The count of a short piece if it was met lately: below 16, or more if not. The key 0 is never met.
    #[inline]
    pub(super) fn recent(&self, key: u64) -> u64 {
        let want = short_slot(key, RECENT);
        let bucket = self.recent[short_bucket(key, RECENT)];
        (bucket[0] ^ want).min(bucket[1] ^ want)
    }

    /// Remembers the count of a short piece.
    #[inline]
    pub(super) fn keep_recent(&mut self, key: u64, count: u64) {
        let bucket = &mut self.recent[short_bucket(key, RECENT)];
        bucket[1] = bucket[0];
        bucket[0] = short_slot(key, RECENT) | count;
    }

    /// The count of a medium piece if it was met lately, or 0.
    #[inline]
    pub(super) fn recent_medium(&self, key: [u64; 2], hash: u64) -> u64 {
        let set = &self.recent_medium[place(hash, RECENT_MEDIUM)];
        let count = |slot: [u64; 2]| {
            let same = slot[0] == key[0] && slot[1] & COUNT_MASK == key[1];
            if same { slot[1] >> MEDIUM_COUNT } else { 0 }
        };
        count(set[0]) | count(set[1])
    }

    /// Remembers the count of a medium piece for a while.
    #[inline]
    pub(super) fn keep_recent_medium(&mut self, key: [u64; 2], hash: u64, count: u64) {
        let set = &mut self.recent_medium[place(hash, RECENT_MEDIUM)];
        set[1] = set[0];
        set[0] = [key[0], key[1] | (count << MEDIUM_COUNT)];
    }

    /// Asks for the memory where a medium piece would be.
    #[inline]
    pub(super) fn prefetch(&self, hash: u64) {
        if !self.medium.is_empty() {
            raw::prefetch(&self.medium, place(hash, MEDIUM));
        }
    }

    /// Calls `work` with this thread's cache for a vocabulary.
    pub(super) fn with<T>(vocab: &Vocab, work: impl FnOnce(&mut Self) -> T) -> T {
        let place = vocab.number;
        // Taken out while in use, so that nothing can find it borrowed.
        let mut cache = CACHES
            .try_with(|caches| caches.borrow_mut()[place].take())
            .ok()
            .flatten()
            .unwrap_or_else(|| Box::new(Self::new()));
        let result = work(&mut cache);
        // A thread that is ending has no place to keep it.
        let _ = CACHES.try_with(|caches| caches.borrow_mut()[place] = Some(cache));
        result
    }

    /// The count of a medium piece, if it is known.
    #[inline]
    pub(super) fn medium(&self, key: [u64; 2], hash: u64) -> Option<u64> {
        let set = self.medium.get(place(hash, MEDIUM))?;
        set.iter().find(|slot| slot[0] == key[0] && slot[1] & COUNT_MASK == key[1]).map(|slot| slot[1] >> MEDIUM_COUNT)
    }

    /// Remembers the count of a medium piece.
    pub(super) fn keep_medium(&mut self, key: [u64; 2], hash: u64, count: u64) {
        if self.medium.is_empty() && !self.patient() {
            self.medium = vec![[[0; 2]; 4]; MEDIUM];
        }
        if let Some(set) = self.medium.get_mut(place(hash, MEDIUM)) {
            set.rotate_right(1);
            set[0] = [key[0], key[1] | (count << MEDIUM_COUNT)];
        }
    }

    /// Asks for the memory where a long piece would be.
    #[inline]
    pub(super) fn prefetch_long(&self, key: [u64; 4]) {
        if !self.long.is_empty() {
            let set = place(long_hash(key), LONG);
            raw::prefetch(self.long.as_flattened(), 4 * set);
            raw::prefetch(self.long.as_flattened(), 4 * set + 2);
        }
    }

    /// The count of a long piece, if it is known.
    #[inline]
    pub(super) fn long(&self, key: [u64; 4]) -> Option<u64> {
        let set = self.long.get(place(long_hash(key), LONG))?;
        set.iter()
            .find(|slot| {
                slot[0] == key[0] && slot[1] == key[1] && slot[2] == key[2] && slot[3] & LONG_COUNT_MASK == key[3]
            })
            .map(|slot| ((slot[3] >> LONG_COUNT) & 7) + 1)
    }

    /// Remembers the count of a long piece, if it is one that has room.
    pub(super) fn keep_long(&mut self, key: [u64; 4], count: u64) {
        if self.long.is_empty() && !self.patient() {
            self.long = vec![[[0; 4]; 4]; LONG];
        }
        if count <= 8
            && let Some(set) = self.long.get_mut(place(long_hash(key), LONG))
        {
            set.rotate_right(1);
            set[0] = [key[0], key[1], key[2], key[3] | ((count - 1) << LONG_COUNT)];
        }
    }

    fn patient(&mut self) -> bool {
        self.misses = self.misses.saturating_add(1);
        self.misses < PATIENCE
    }
}

/// In a long key's last byte the lower five bits are the length and the upper three the count less one.
const LONG_COUNT: u32 = 61;
const LONG_COUNT_MASK: u64 = !(7 << LONG_COUNT);

#[inline]
fn long_hash(key: [u64; 4]) -> u64 {
    medium_hash([key[0] ^ key[2].rotate_left(32), key[1] ^ key[3].rotate_left(17)])
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "cut to the bits that a table has")]
fn place(hash: u64, sets: usize) -> usize {
    (hash >> 40) as usize & (sets - 1)
}
