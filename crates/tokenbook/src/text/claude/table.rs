//! The figures, read in place.
//!
//! `pieces.bin` is a hash table without keys: 16,385 little-endian `u16` offsets of the buckets, then entries of three
//! bytes, a 17-bit fingerprint below a 7-bit value. What a value means depends on the kind of piece that was asked
//! for, see [`Letters`] and [`Symbols`].

use super::letters::Hash;

const BUCKET_BITS: u32 = 14;
const BUCKETS: usize = 1 << BUCKET_BITS;

static TABLE: &[u8] = include_bytes!("../../../data/claude/pieces.bin");

/// The value of the piece with this hash, 0 if it isn't there.
#[inline]
fn find(hash: Hash) -> u8 {
    let mixed = hash.mixed();
    let bucket = (mixed >> (64 - BUCKET_BITS)) as usize;
    let fingerprint = ((mixed >> 33) & 0x1_ffff) as u32;
    let entries = &TABLE[(BUCKETS + 1) * 2..];
    let bounds = &TABLE[bucket * 2..bucket * 2 + 4];
    let start = usize::from(u16::from_le_bytes([bounds[0], bounds[1]]));
    let end = usize::from(u16::from_le_bytes([bounds[2], bounds[3]]));
    let found = entries[start * 3..end * 3].chunks_exact(3).find_map(|entry| {
        let entry = u32::from_le_bytes([entry[0], entry[1], entry[2], 0]);
        (entry & 0x1_ffff == fingerprint).then_some(u8::try_from(entry >> 17).unwrap_or(0))
    });
    found.unwrap_or(0)
}

/// What is known of a piece made of letters; nothing is known of one that isn't in the table.
#[derive(Clone, Copy)]
pub(super) struct Letters(u8);

impl Letters {
    #[inline]
    pub(super) fn of(hash: Hash) -> Self {
        Self(find(hash))
    }

    /// Whether the piece is one token in the new generation.
    #[inline]
    pub(super) fn is_token(self) -> bool {
        self.0 & 1 == 1
    }

    /// Whether the word, hashed without marks, is one token in the old generation.
    #[inline]
    pub(super) fn is_old_token(self) -> bool {
        self.0 >> 1 & 1 == 1
    }

    /// The tokens of a letter that stands alone.
    #[inline]
    pub(super) fn alone(self) -> Option<u64> {
        Some(u64::from(self.0 >> 2 & 7)).filter(|&tokens| tokens > 0)
    }
}

/// What is known of a piece made of punctuation and symbols.
#[derive(Clone, Copy)]
pub(super) struct Symbols(u8);

impl Symbols {
    pub(super) fn of(hash: Hash) -> Self {
        Self(find(hash))
    }

    /// The tokens in the new generation, without a space on either side.
    pub(super) fn tokens(self) -> Option<u64> {
        Some(u64::from(self.0 & 7)).filter(|&tokens| tokens > 0)
    }

    /// Whether a space before it costs a token in the new generation.
    pub(super) fn space_before_costs(self) -> bool {
        self.0 >> 3 & 1 == 1
    }

    /// Whether a space after it costs a token in the new generation, unless what follows takes it.
    pub(super) fn space_after_costs(self) -> bool {
        self.0 >> 4 & 1 == 1
    }

    /// Whether it is one token in the old generation.
    pub(super) fn is_old_token(self) -> bool {
        self.0 >> 5 & 1 == 1
    }

    /// Whether it is one token together with a space before it in the old generation.
    pub(super) fn is_old_token_with_space(self) -> bool {
        self.0 >> 6 & 1 == 1
    }
}
