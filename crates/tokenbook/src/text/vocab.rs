//! Vocabularies: from bytes to a token's id and back, and which two tokens merge into which.
#![expect(
    clippy::cast_possible_truncation,
    reason = "ids have 18 bits, and hashes are cut to the bits that a table has"
)]

use super::hash::{ID_BITS, bytes_hash, merge_group, merge_hash, merge_slot, pair_key};
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
    /// Slots of merges: two tokens' ids above the one that they merge into, or all ones.
    pub(super) merges: &'static [u64],
    /// The seed of each group of pairs, by which each of them finds its slot.
    pub(super) seeds: &'static [u16],
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
        let Tables { merges, seeds, byte_pairs, .. } = self.tables;
        let (group_bits, bits) = (seeds.len().trailing_zeros(), merges.len().trailing_zeros());
        Merges { byte_pairs, seeds, slots: merges, group_bits, bits }
    }

    /// What two tokens merge into; if they don't, some number from [`Vocab::limit`] on.
    pub(super) fn merge(&self, left: u32, right: u32) -> u32 {
        self.merges().merge(left, right)
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

/// The merges of a vocabulary.
#[derive(Clone, Copy)]
pub(super) struct Merges {
    byte_pairs: &'static [u32; 1 << 16],
    seeds: &'static [u16],
    slots: &'static [u64],
    group_bits: u32,
    bits: u32,
}

/// Where a merge would be.
#[derive(Clone, Copy)]
pub(super) struct Place {
    slot: usize,
    /// What the slot holds beside the id.
    want: u64,
}

impl Place {
    /// Some place.
    pub(super) const ANY: Self = Self { slot: 0, want: 0 };
}

impl Merges {
    /// Where the merge of two tokens would be.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    pub(super) fn place(self, left: u32, right: u32) -> Place {
        let key = pair_key(left, right);
        let hash = merge_hash(key);
        let seed = self.seeds[merge_group(hash, self.group_bits)];
        Place { slot: merge_slot(hash, seed, self.bits), want: key << ID_BITS }
    }

    /// Asks for the memory of a place.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    pub(super) fn prefetch(self, place: Place) {
        raw::prefetch(self.slots, place.slot);
    }

    /// What two tokens merge into; if they don't, some number from [`Vocab::limit`] on that has no more than 24 bits.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    pub(super) fn merge(self, left: u32, right: u32) -> u32 {
        self.at(self.place(left, right))
    }

    /// The same of two single bytes.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    pub(super) fn of_bytes(self, left: u32, right: u32) -> u32 {
        self.byte_pairs[((left & 255) << 8 | right & 255) as usize]
    }

    /// The same as [`Merges::merge`] at a place that is known.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    pub(super) fn at(self, place: Place) -> u32 {
        // More than any id unless the slot is that of the pair.
        (self.slots[place.slot] ^ place.want).min((1 << 24) - 1) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_halves_merges_and_others_do_not() {
        for vocab in [&R50K, &P50K, &CL100K, &O200K] {
            for id in 256..vocab.limit {
                let (left, right) = vocab.halves(id);
                if left != NONE {
                    assert_eq!(vocab.merge(left, right), id);
                }
                // The same two the other way round, if this makes something, make it of them.
                let other = vocab.merge(right, left);
                assert!(other >= vocab.limit || vocab.halves(other) == (right, left), "{right} {left}: {other}");
                assert!(vocab.merge(id, BORDER) >= vocab.limit && vocab.merge(BORDER, id) >= vocab.limit);
            }
        }
    }
}
