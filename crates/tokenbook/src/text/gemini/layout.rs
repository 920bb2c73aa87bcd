//! How the table of pieces is laid out (`data/vocab/gemini.merges`).
//!
//! 32,769 little-endian `u32` starts of the buckets, then entries of six bytes without keys: the rank in the low 18 bits, a
//! fingerprint of 30 above it. A piece that isn't there is taken for one once in a hundred million questions.

/// Bits of the hash that choose a bucket.
pub(crate) const BUCKET_BITS: u32 = 15;
pub(crate) const RANK_BITS: u32 = 18;
pub(crate) const RANK: u64 = (1 << RANK_BITS) - 1;

const FINGERPRINT_BITS: u32 = 30;

/// The rank of a character that is a token and comes out of no merge.
pub(crate) const ALONE: u32 = (1 << RANK_BITS) - 1;
/// The rank of a tag, which is a token wherever it stands.
pub(crate) const VERBATIM: u32 = (1 << RANK_BITS) - 2;

/// A piece: its bucket and its fingerprint above its rank.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry(pub(crate) u64);

impl Entry {
    /// The entry of a piece with a rank of 18 bits.
    #[inline]
    pub(crate) fn of(piece: &[u8], rank: u32) -> Self {
        Self(hash(piece) & !RANK | u64::from(rank))
    }

    #[inline]
    pub(crate) const fn bucket(self) -> usize {
        (self.0 >> (64 - BUCKET_BITS)) as usize
    }

    /// What tells the pieces of a bucket apart.
    #[inline]
    pub(crate) const fn fingerprint(self) -> u64 {
        self.0 >> RANK_BITS & ((1 << FINGERPRINT_BITS) - 1)
    }
}

/// 64 well mixed bits of a piece, eight bytes at a time.
#[inline]
fn hash(piece: &[u8]) -> u64 {
    let mut hash = piece.len() as u64;
    let mut add = |word: u64| hash = ((hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15)).rotate_left(29);
    let (words, rest) = piece.as_chunks::<8>();
    for word in words {
        add(u64::from_le_bytes(*word));
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    add(u64::from_le_bytes(last));
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash ^= hash >> 29;
    hash = hash.wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ hash >> 32
}
