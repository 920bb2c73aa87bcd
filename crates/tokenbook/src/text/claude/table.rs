//! The fitted figures, read in place.
//!
//! `pieces.bin` is a hash table without keys: 16,385 little-endian `u16` offsets of the buckets, then entries of three
//! bytes, a 13-bit fingerprint below an 11-bit value. What a value means depends on the kind of piece that was asked
//! for, see [`Letters`] and [`Symbols`].

const BUCKET_BITS: u32 = 14;
const BUCKETS: usize = 1 << BUCKET_BITS;

static TABLE: &[u8] = include_bytes!("../../../data/claude/pieces.bin");

/// The hash of a piece, taken up byte by byte (FNV-1a, 64 bits).
#[derive(Clone, Copy)]
pub(super) struct Hash(u64);

impl Hash {
    pub(super) const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    #[inline]
    pub(super) fn add(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn of(text: &str) -> Self {
        let mut hash = Self::new();
        hash.add(text.as_bytes());
        hash
    }

    /// The value of the piece with this hash.
    #[inline]
    fn find(self) -> Option<u16> {
        let mixed = (self.0 ^ (self.0 >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let bucket = (mixed >> (64 - BUCKET_BITS)) as usize;
        let fingerprint = ((mixed >> 37) & 0x1fff) as u32;
        let entries = &TABLE[(BUCKETS + 1) * 2..];
        let bounds = &TABLE[bucket * 2..bucket * 2 + 4];
        let start = usize::from(u16::from_le_bytes([bounds[0], bounds[1]]));
        let end = usize::from(u16::from_le_bytes([bounds[2], bounds[3]]));
        entries[start * 3..end * 3].chunks_exact(3).find_map(|entry| {
            let entry = u32::from_le_bytes([entry[0], entry[1], entry[2], 0]);
            (entry & 0x1fff == fingerprint).then_some(u16::try_from(entry >> 13).unwrap_or(0))
        })
    }

    pub(super) fn letters(self) -> Letters {
        Letters(self.find().unwrap_or(0))
    }

    pub(super) fn symbols(self) -> Symbols {
        Symbols(self.find().unwrap_or(0))
    }
}

/// What is known of a piece made of letters; nothing is known of one that isn't in the table.
#[derive(Clone, Copy)]
pub(super) struct Letters(u16);

impl Letters {
    pub(super) fn of(text: &str) -> Self {
        Hash::of(text).letters()
    }

    /// The tokens of the piece as a whole word in the new generation.
    pub(super) fn whole(self) -> Option<u64> {
        Some(u64::from(self.0 & 15)).filter(|&tokens| tokens > 0)
    }

    /// The cost of the piece as a fragment of a word, in eighths of a token.
    pub(super) fn fragment(self) -> Option<u64> {
        Some(u64::from(self.0 >> 4 & 31)).filter(|&eighths| eighths > 0)
    }

    /// Whether the piece is one token in the old generation.
    pub(super) fn single(self) -> bool {
        self.0 >> 9 & 1 == 1
    }
}

/// What is known of a piece made of punctuation and symbols.
#[derive(Clone, Copy)]
pub(super) struct Symbols(u16);

impl Symbols {
    pub(super) fn of(text: &str) -> Self {
        Hash::of(text).symbols()
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
    pub(super) fn single(self) -> bool {
        self.0 >> 5 & 1 == 1
    }

    /// Whether it is one token together with a space before it in the old generation.
    pub(super) fn single_with_space(self) -> bool {
        self.0 >> 6 & 1 == 1
    }
}
