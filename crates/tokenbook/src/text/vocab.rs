//! Vocabularies: from bytes to a token's id and back, and which two tokens merge into which.
#![expect(
    clippy::cast_possible_truncation,
    reason = "ids have 18 bits, and hashes are cut to the bits that a table has"
)]

use super::hash::{ID_BITS, MERGE_SLOTS, bytes_hash, merge_place, pair_key};
use super::raw;

/// The longest token of any vocabulary, in bytes.
pub(super) const LONGEST: usize = 128;

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
    /// Buckets of merges by their two tokens: a mark of these above the id that they merge into.
    pub(super) merges: &'static [[u32; MERGE_SLOTS]],
    /// The seed of the hash that finds the bucket.
    pub(super) merge_seed: u64,
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
    /// The tokens of characters below U+10000 with which merging may begin, or [`NONE`].
    pub(super) atoms: &'static [u32; 1 << 16],
}

/// How many vocabularies there are.
pub(super) const VOCABS: usize = 4;

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

    /// The token of the first character if merging may begin with it, else [`NONE`], and the bytes that this is about.
    #[inline]
    pub(super) fn atom(&self, bytes: &[u8]) -> (u32, usize) {
        let bits = |at: usize| bytes.get(at).map_or(0, |&byte| usize::from(byte & 0x3f));
        let (point, length) = match bytes[0] {
            first @ ..0x80 => (usize::from(first), 1),
            first @ 0xc2..0xe0 if bytes.len() > 1 => ((usize::from(first & 0x1f) << 6) | bits(1), 2),
            first @ 0xe0..0xf0 if bytes.len() > 2 => ((usize::from(first & 0x0f) << 12) | (bits(1) << 6) | bits(2), 3),
            _ => return (NONE, 1),
        };
        (self.tables.atoms[point & 0xffff], length)
    }

    /// What two single bytes merge into, by their ids, or [`NONE`].
    #[inline]
    pub(super) fn merge_bytes(&self, left: u32, right: u32) -> u32 {
        let id = self.tables.byte_pairs[((left & 255) << 8 | right & 255) as usize];
        if id < self.limit { id } else { NONE }
    }

    /// Where a merge would be: its bucket and its mark there.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    pub(super) fn merge_place(&self, left: u32, right: u32) -> (usize, u32) {
        let bits = self.tables.merges.len().trailing_zeros();
        merge_place(pair_key(left, right), self.tables.merge_seed, bits)
    }

    /// Asks for the memory of a bucket of merges.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    pub(super) fn prefetch_bucket(&self, bucket: usize) {
        raw::prefetch(self.tables.merges, bucket);
    }

    /// What two tokens may merge into, or [`NONE`]: never more than what they do merge into, and seldom something else.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    pub(super) fn merge_guess(&self, left: u32, right: u32) -> u32 {
        self.guess_at(self.merge_place(left, right))
    }

    /// The same at a place that is known.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    pub(super) fn guess_at(&self, (bucket, mark): (usize, u32)) -> u32 {
        // The id is what is left of a slot that has the mark.
        let least = self.tables.merges[bucket].iter().map(|slot| slot ^ mark).fold(NONE, u32::min);
        if least < self.limit { least } else { NONE }
    }

    /// What two tokens merge into, or [`NONE`].
    pub(super) fn merge(&self, left: u32, right: u32) -> u32 {
        let guess = self.merge_guess(left, right);
        if guess == NONE || self.arises(guess, left, right) {
            return guess;
        }
        let (bucket, mark) = self.merge_place(left, right);
        let ids = self.tables.merges[bucket].iter().map(|slot| slot ^ mark);
        ids.filter(|&id| id < self.limit).find(|&id| self.arises(id, left, right)).unwrap_or(NONE)
    }

    /// Asks for the memory of a token's halves.
    #[inline]
    pub(super) fn prefetch_halves(&self, id: u32) {
        raw::prefetch(self.tables.halves, 2 * id as usize);
    }

    /// Whether a token arises from these two.
    #[inline]
    pub(super) fn arises(&self, id: u32, left: u32, right: u32) -> bool {
        self.halves(id) == (left, right)
    }

    /// The two tokens that a token of several bytes arises from.
    #[inline]
    fn halves(&self, id: u32) -> (u32, u32) {
        let halves = &self.tables.halves[2 * id as usize..][..2];
        (halves[0], halves[1])
    }

    /// Whether two tokens, each of which stands for its own bytes, also stand side by side for the bytes of both.
    ///
    /// Goes back in the order of merges along the border. A merge across it spoils the pair if it comes before both of
    /// its halves have gone into something longer; of equal merges the left one comes first.
    pub(super) fn adjacent(&self, left: u32, right: u32) -> bool {
        let (mut left, mut right, mut left_gone, mut right_gone) = (left, right, NONE, NONE);
        loop {
            let across = self.merge(left, right);
            if across != NONE && across < left_gone && across <= right_gone {
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
