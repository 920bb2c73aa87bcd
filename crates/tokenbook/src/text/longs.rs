//! Numbers of tokens of pieces of 16 to 62 bytes met before.
//!
//! Memory that is touched for the first time costs as much as counting a part of its size, so the pieces lie side by side
//! in the order in which they came, and a small index finds them by their hashes.
#![expect(clippy::cast_possible_truncation, reason = "hashes are cut to the bits that an index has")]

use super::hash::medium_hash;
use super::raw;

/// Sets of four places for pieces of up to 30 bytes.
const SETS: usize = 1 << 14;

/// The same for pieces of up to 62 bytes.
const LONGER_SETS: usize = 1 << 13;

/// A piece of up to `8 * W - 2` bytes: its bytes, a place for its count, and its length.
pub(super) type Key<const W: usize> = [u64; W];

/// Room for a piece of up to 30 bytes; one of up to 62 takes two.
type Unit = [u64; 4];

/// The first unit in use: 0 stands for none, and longer pieces start at even ones, which are whole cache lines.
const FIRST: usize = 2;

/// As many as all places need, and one that may be left over.
const UNITS: usize = FIRST + 4 * (SETS + 2 * LONGER_SETS) + 2;

/// Bits for the number of a unit, below bits of the piece's hash.
const NUMBER_BITS: u32 = 18;

/// The place of the count in a key's last word.
const COUNT: u32 = 48;

const COUNT_MASK: u64 = 0xff << COUNT;

/// Bounded: where all places of a piece are taken, it takes that of another one. Valid where all is 0.
#[repr(C, align(64))]
pub(super) struct Longs {
    sets: [[u32; 4]; SETS],
    longer_sets: [[u32; 4]; LONGER_SETS],
    taken: Taken,
    units: [Unit; UNITS],
}

/// What is taken of the units.
#[repr(C, align(64))]
struct Taken {
    units: usize,
    /// One that was left out before a longer piece, or 0.
    left_out: usize,
    /// How often a piece was kept.
    pieces: usize,
}

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

/// A hash of a key.
#[inline]
pub(super) fn hash<const W: usize>(key: &Key<W>) -> u64 {
    let (mut even, mut odd) = (0u64, 0u64);
    for pair in key.chunks_exact(2) {
        even = even.rotate_left(23) ^ pair[0];
        odd = odd.rotate_left(41) ^ pair[1];
    }
    medium_hash([even, odd])
}

/// The bits of a hash that stand beside the number of a unit.
#[inline]
fn mark(hash: u64) -> u32 {
    (hash >> 8) as u32 >> NUMBER_BITS << NUMBER_BITS
}

/// The number of a unit beside such bits.
#[inline]
fn number(slot: u32) -> usize {
    slot as usize & ((1 << NUMBER_BITS) - 1)
}

/// The set of a hash, of so many: a power of two.
#[inline]
pub(super) fn place(hash: u64, sets: usize) -> usize {
    (hash >> 40) as usize & (sets - 1)
}

impl Longs {
    #[inline]
    fn sets<const W: usize>(&self) -> &[[u32; 4]] {
        if W == 4 { &self.sets } else { &self.longer_sets }
    }

    fn sets_mut<const W: usize>(&mut self) -> &mut [[u32; 4]] {
        if W == 4 { &mut self.sets } else { &mut self.longer_sets }
    }

    /// Asks for the memory where the index would name a piece.
    #[inline]
    pub(super) fn prefetch<const W: usize>(&self, hash: u64) {
        if self.taken.pieces > 0 {
            let sets = self.sets::<W>();
            raw::prefetch(sets, place(hash, sets.len()));
        }
    }

    /// Asks for the memory where the piece would be.
    #[inline]
    pub(super) fn prefetch_piece<const W: usize>(&self, hash: u64) {
        if self.taken.pieces > 0 {
            let sets = self.sets::<W>();
            for slot in sets[place(hash, sets.len())] {
                if slot >> NUMBER_BITS == mark(hash) >> NUMBER_BITS {
                    raw::prefetch(&self.units, number(slot));
                }
            }
        }
    }

    /// The count of a piece, if it is known.
    #[inline]
    pub(super) fn get<const W: usize>(&self, key: &Key<W>, hash: u64) -> Option<u64> {
        if self.taken.pieces == 0 {
            return None;
        }
        let sets = self.sets::<W>();
        let place = place(hash, sets.len());
        match self.find(sets[place], key, hash) {
            // Nothing has gone into the next set before this one was full.
            None if sets[place][3] != 0 => self.find(sets[place ^ 1], key, hash),
            found => found,
        }
    }

    #[inline]
    fn find<const W: usize>(&self, set: [u32; 4], key: &Key<W>, hash: u64) -> Option<u64> {
        set.into_iter().find_map(|slot| {
            if slot >> NUMBER_BITS != mark(hash) >> NUMBER_BITS {
                return None;
            }
            let kept = self.units[number(slot)..][..W / 4].as_flattened();
            let is_it = kept[..W - 1] == key[..W - 1] && (kept[W - 1] ^ key[W - 1]) & !COUNT_MASK == 0;
            is_it.then_some((kept[W - 1] & COUNT_MASK) >> COUNT)
        })
    }

    /// Remembers the count of a piece, unless it is known by now: in its set, in the next one if there is room only there,
    /// or in the place of another. Which one comes round, since the oldest is what a text that is read again needs next.
    pub(super) fn keep<const W: usize>(&mut self, key: &Key<W>, hash: u64, count: u64) {
        if self.get(key, hash).is_some() {
            return;
        }
        self.taken.pieces += 1;
        let sets = self.sets::<W>();
        let place = place(hash, sets.len());
        let free = |place: usize| sets[place].iter().position(|slot| *slot == 0).map(|slot| (place, slot));
        let found = free(place).or_else(|| free(place ^ 1));
        let (place, slot) = found.unwrap_or((place, self.taken.pieces % 4));
        let number = if found.is_some() { self.take::<W>() } else { number(sets[place][slot]) };
        self.sets_mut::<W>()[place][slot] = mark(hash) | number as u32;
        let kept = self.units[number..][..W / 4].as_flattened_mut();
        kept.copy_from_slice(key);
        kept[W - 1] |= count << COUNT;
    }

    /// The number of a unit, or of two, that are free.
    fn take<const W: usize>(&mut self) -> usize {
        let Taken { units, left_out, .. } = &mut self.taken;
        if W == 4 && *left_out > 0 {
            return std::mem::take(left_out);
        }
        if W > 4 && *units % 2 == 1 {
            *left_out = FIRST + *units;
            *units += 1;
        }
        let number = FIRST + *units;
        *units += W / 4;
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::cache::Known;
    use crate::text::raw::Zeroed;

    #[test]
    fn a_full_set_spills_into_the_next_one_and_then_gives_way() {
        let mut known = Zeroed::<Known>::new();
        let longs = &mut known.longs;
        let keys: Vec<Key<8>> = (0..9).map(|number| key(&[b'a' + number; 40])).collect();
        // All with the hash of one set.
        let hash = 6 << 40;
        for (number, key) in (1..).zip(&keys[..8]) {
            assert_eq!(longs.get(key, hash), None);
            longs.keep(key, hash, number);
        }
        for (number, key) in (1..).zip(&keys[..8]) {
            assert_eq!(longs.get(key, hash), Some(number));
        }
        longs.keep(&keys[8], hash, 9);
        assert_eq!(longs.get(&keys[8], hash), Some(9));
        assert_eq!(keys.iter().filter(|key| longs.get(key, hash).is_some()).count(), 8);
        // The other set's own keys look there first.
        assert_eq!(longs.get(&key::<8>(b"the neighbour"), 7 << 40), None);
    }

    #[test]
    fn there_is_room_for_all_that_the_index_can_name() {
        let mut known = Zeroed::<Known>::new();
        let longs = &mut known.longs;
        let mut numbers = 0..u64::MAX;
        let mut keep = |longs: &mut Longs, is_long: bool| {
            let bytes = numbers.next().map(u64::to_le_bytes).expect("enough").repeat(3);
            if is_long {
                let key = key::<4>(&bytes);
                longs.keep(&key, hash(&key), 3);
                assert_eq!(longs.get(&key, hash(&key)), Some(3));
            } else {
                let key = key::<8>(&bytes);
                longs.keep(&key, hash(&key), 255);
                assert_eq!(longs.get(&key, hash(&key)), Some(255));
            }
        };
        // In turns, so that units are left out, and then more of either than there are places.
        for number in 0..800_000 {
            keep(longs, if number < 100_000 { number % 3 == 0 } else { number < 450_000 });
        }
        assert!(longs.sets.iter().chain(&longs.longer_sets).all(|set| set.iter().all(|slot| *slot > 0)));
        assert_eq!(FIRST + longs.taken.units, UNITS - usize::from(longs.taken.left_out == 0) - 1);
    }
}
