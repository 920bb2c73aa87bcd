//! Vocabularies: from bytes to a token's id and back, and which two tokens merge into which.
#![expect(
    clippy::cast_possible_truncation,
    reason = "ids have 18 bits, and hashes are cut to the bits that a table has"
)]

use super::hash::{Bucket, ID_BITS, MERGE_SLOTS, bytes_hash, low_bits, merge_place, pair_key, spill_place};
use super::raw;

/// The longest token of any vocabulary, in bytes.
pub(super) const LONGEST: usize = 512;

/// No token: two tokens that don't merge.
pub(super) const NONE: u32 = u32::MAX;

/// An id that no token has, for the places before and behind a piece: nothing merges with it.
pub(super) const BORDER: u32 = (1 << ID_BITS) - 1;

/// What the build script made of one vocabulary.
pub(super) struct Tables {
    /// The bytes of all tokens in id order.
    pub(super) bytes: &'static [u8],
    /// Where each token's bytes start, and the end.
    pub(super) starts: &'static [u32],
    /// The two tokens that each token arises from.
    pub(super) halves: &'static [u32],
    /// The ids that two tokens merge into.
    pub(super) merges: &'static [Bucket],
    /// The few of them that their bucket has no room for: the two tokens' ids above that of the merged one, or 0.
    pub(super) spilled: &'static [u64],
    /// The ids that pairs of single bytes merge into, by their ids.
    pub(super) byte_pairs: &'static [u32; 1 << 16],
    /// A hash table of tokens: id + 1, or 0.
    pub(super) ids: &'static [u32],
    /// The id of each single byte.
    pub(super) singles: &'static [u8; 256],
    /// Buckets of four slots: pieces of up to 8 bytes and their number of tokens.
    pub(super) short: &'static [[u64; 4]],
    /// Pieces of up to 15 bytes and their number of tokens.
    pub(super) medium: &'static [[u64; 2]],
    /// A set of pairs of characters of three bytes that some token holds side by side; others never share a token.
    pub(super) joints: &'static [u64],
    /// The number of tokens of each character of three bytes by itself, in two bits.
    pub(super) alone: &'static [u64],
    /// The tokens of the first two bytes of characters, by six bits of each, with which merging may begin unless the byte
    /// before forbids it; or [`NONE`].
    pub(super) pairs: &'static [u32; 1 << 12],
    /// The earliest token that ends with a byte and a first byte of a character, by that byte below six bits of the other.
    pub(super) spoilers: &'static [u32; 1 << 14],
    /// The tokens of characters of three bytes into which the token of their first two is sure to merge, or [`NONE`].
    pub(super) atoms: &'static [u32; 1 << 16],
}

/// How many vocabularies there are.
pub(super) const VOCABS: usize = 9;

/// One vocabulary: tables and how much of them belongs to it.
pub(super) struct Vocab {
    pub(super) tables: &'static Tables,
    /// Tokens have lower ids than this. `r50k_base` is the first part of the table of `p50k_base`.
    pub(super) limit: u32,
    /// Its place among the vocabularies.
    pub(super) number: usize,
}

#[cfg(not(target_family = "wasm"))]
mod built {
    use super::Vocab;
    use crate::text::raw;

    pub(in crate::text) static R50K: Vocab = Vocab { tables: &raw::R50K, limit: 50_256, number: 0 };
    pub(in crate::text) static P50K: Vocab = Vocab { tables: &raw::R50K, limit: 50_281, number: 1 };
    pub(in crate::text) static CL100K: Vocab = Vocab { tables: &raw::CL100K, limit: 100_256, number: 2 };
    pub(in crate::text) static O200K: Vocab = Vocab { tables: &raw::O200K, limit: 199_998, number: 3 };
}

#[cfg(not(target_family = "wasm"))]
pub(super) use built::{CL100K, O200K, P50K, R50K};

impl Vocab {
    /// The id of a single byte; it is below 256.
    #[inline]
    pub(super) fn single(&self, byte: u8) -> u32 {
        u32::from(self.tables.singles[usize::from(byte)])
    }

    /// The bytes of a token, if there is one with this id.
    pub(super) fn bytes(&self, id: u32) -> Option<&'static [u8]> {
        if id >= self.limit {
            return None;
        }
        let starts = self.tables.starts.get(id as usize..id as usize + 2)?;
        let bytes = self.tables.bytes.get(starts[0] as usize..starts[1] as usize)?;
        (!bytes.is_empty()).then_some(bytes)
    }

    /// The number of bytes of a known token.
    pub(super) fn length(&self, id: u32) -> usize {
        (self.tables.starts[id as usize + 1] - self.tables.starts[id as usize]) as usize
    }

    /// The token with these bytes.
    pub(super) fn find(&self, bytes: &[u8]) -> Option<u32> {
        if bytes.len() > LONGEST || bytes.is_empty() {
            return None;
        }
        let mask = self.tables.ids.len() - 1;
        let mut slot = bytes_hash(bytes) as usize & mask;
        loop {
            let id = self.tables.ids[slot].checked_sub(1)?;
            if self.bytes(id) == Some(bytes) {
                return Some(id);
            }
            slot = (slot + 1) & mask;
        }
    }

    /// Its merges, at hand for a loop.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    pub(super) fn merges(&self) -> Merges {
        let bits = self.tables.merges.len().trailing_zeros();
        Merges { tables: self.tables, buckets: self.tables.merges, bits, low: low_bits(bits) }
    }

    /// What two tokens merge into; if they don't, some number from [`Vocab::limit`] on.
    pub(super) fn merge(&self, left: u32, right: u32) -> u32 {
        self.merges().merge::<Portable>(left, right)
    }

    /// The two tokens that a token of several bytes arises from.
    #[inline]
    fn halves(&self, id: u32) -> (u32, u32) {
        let halves = &self.tables.halves[2 * id as usize..][..2];
        (halves[0], halves[1])
    }

    /// The place of the vocabulary of `qwen3_5`.
    #[cfg(test)]
    pub(super) const QWEN35: usize = 5;

    /// Whether the first of the two tokens that a token arises from has so many bytes.
    #[cfg(test)]
    pub(super) fn arises_from(&self, id: u32, first: usize) -> bool {
        id >= 256 && self.length(self.halves(id).0) == first
    }

    /// Whether two tokens, each of which stands for its own bytes, also stand side by side for the bytes of both.
    ///
    /// Goes back in the order of merges along the border. A merge across it spoils the pair if it comes before both of
    /// its halves have gone into something longer; of equal merges the left one comes first.
    pub(super) fn adjacent(&self, left: u32, right: u32) -> bool {
        let (mut left, mut right, mut left_gone, mut right_gone) = (left, right, NONE, NONE);
        loop {
            let across = self.merge(left, right);
            if across < self.limit && across < left_gone && across <= right_gone {
                return false;
            }
            // Single bytes are below 256, so the larger id, the later merge, is never a byte unless both are.
            if left > right && left >= 256 {
                left_gone = left;
                left = self.halves(left).1;
            } else if right >= 256 {
                right_gone = right;
                right = self.halves(right).0;
            } else {
                return true;
            }
        }
    }
}

/// A way to look through a bucket of merges.
pub(super) trait Find {
    /// A bit for each slot that has this mark above the `low` bits of its id.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    fn find(bucket: &Bucket, mark: u32, low: u32) -> u32 {
        let slots = bucket[..MERGE_SLOTS].iter().zip(0..);
        slots.map(|(slot, number)| u32::from((slot ^ mark) >> low == 0) << number).fold(0, |all, bit| all | bit)
    }
}

/// The ways that any processor has.
pub(super) struct Portable;

impl Find for Portable {}

/// The merges of a vocabulary.
#[derive(Clone, Copy)]
pub(super) struct Merges {
    tables: &'static Tables,
    buckets: &'static [Bucket],
    /// Bits of a bucket's number.
    bits: u32,
    /// Bits of an id that are in its slot.
    low: u32,
}

impl Merges {
    /// Where a merge would be: its bucket and its mark there.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    pub(super) fn place(self, left: u32, right: u32) -> (usize, u32) {
        merge_place(pair_key(left, right), self.bits)
    }

    /// Asks for the memory of a bucket.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    pub(super) fn prefetch(self, bucket: usize) {
        raw::prefetch(self.buckets, bucket);
    }

    /// What two tokens merge into; if they don't, some number from [`Vocab::limit`] on.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    pub(super) fn merge<F: Find>(self, left: u32, right: u32) -> u32 {
        self.at::<F>(self.place(left, right), left, right)
    }

    /// The same of two tokens that merging begins with, which may be single bytes.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    pub(super) fn first<F: Find>(self, left: u32, right: u32) -> u32 {
        if left | right < 256 {
            self.tables.byte_pairs[((left & 255) << 8 | right & 255) as usize]
        } else {
            self.merge::<F>(left, right)
        }
    }

    /// The same as [`Merges::merge`] at a place that is known.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    pub(super) fn at<F: Find>(self, (bucket, mark): (usize, u32), left: u32, right: u32) -> u32 {
        let bucket = &self.buckets[bucket];
        let found = F::find(bucket, mark, self.low);
        // One test, which hardly ever holds: whether a pair merges can't be foretold.
        if found | room(bucket) == 0 {
            return self.spilled(left, right);
        }
        let slot = (found | 1 << MERGE_SLOTS).trailing_zeros() as usize & 15;
        high(bucket, slot) << self.low | bucket[slot] & ((1 << self.low) - 1)
    }

    /// What two tokens merge into whose bucket has no room for all.
    #[cold]
    fn spilled(self, left: u32, right: u32) -> u32 {
        let table = self.tables.spilled;
        let key = pair_key(left, right);
        let mut slot = spill_place(key, table.len().trailing_zeros());
        while table[slot] != 0 {
            if table[slot] >> ID_BITS == key {
                return table[slot] as u32 & ((1 << ID_BITS) - 1);
            }
            slot = (slot + 1) & (table.len() - 1);
        }
        NONE
    }
}

/// The upper bits of the id in a slot, or all ones behind the last slot.
#[inline]
fn high(bucket: &Bucket, slot: usize) -> u32 {
    bucket[MERGE_SLOTS + slot / 4] >> (slot % 4 * 8) & 0xff
}

/// 0 if some merges of a bucket found no slot.
#[inline]
fn room(bucket: &Bucket) -> u32 {
    bucket[15] >> 8 & 0xff
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::hash::{ID_BITS, MIX};

    #[test]
    #[expect(clippy::cast_possible_truncation, reason = "half a key has 18 bits")]
    fn a_pair_whose_mark_is_that_of_a_free_slot_does_not_merge() {
        const BITS: u32 = 2 * ID_BITS;
        // Each step doubles how many of the lower bits are right.
        let inverse =
            (0..6).fold(1u64, |inverse, _| inverse.wrapping_mul(2u64.wrapping_sub(MIX.wrapping_mul(inverse))));
        for vocab in [&R50K, &P50K, &CL100K, &O200K] {
            let Merges { bits, low, .. } = vocab.merges();
            for bucket in 0..vocab.tables.merges.len() {
                let hash = (bucket as u64) << (BITS - bits) | ((1 << (BITS - bits)) - 1);
                let key = hash.wrapping_mul(inverse) & ((1 << BITS) - 1);
                assert_eq!(merge_place(key, bits), (bucket, u32::MAX << low));
                let (left, right) = ((key >> ID_BITS) as u32, key as u32 & ((1 << ID_BITS) - 1));
                let merged = vocab.merge(left, right);
                assert!(merged >= vocab.limit || vocab.halves(merged) == (left, right), "{left} {right}: {merged}");
            }
        }
    }
}
