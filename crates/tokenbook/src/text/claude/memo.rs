//! What words and runs met before cost: texts say the same words again and again.
#![expect(clippy::cast_possible_truncation, reason = "halves of a number, and bits of a hash")]

use super::{Generation, UNITS};

/// Words met before, bounded: a set holds the last two words that fell into it.
pub(super) struct Memo(Vec<Set>);

/// The later one first, and both in one cache line.
#[derive(Clone)]
#[repr(align(64))]
struct Set([Slot; 2]);

#[derive(Clone, Copy, PartialEq, Eq)]
struct Key {
    /// The piece's bytes, and zeros.
    bytes: [u64; 2],
    /// The length, the generation and the kind; 0 in an empty slot.
    tag: u16,
}

/// Small, so that the slots that a text needs stay near.
#[derive(Clone, Copy)]
struct Slot {
    key: Key,
    absorbs: bool,
    cost: u32,
}

/// What a piece is looked up as.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Word,
    Symbols { spaced: bool },
}

const SET_BITS: u32 = 12;

/// Longer pieces are worked out each time; 16 bytes are all that a key holds.
const LONGEST: usize = 16;

impl Memo {
    pub(super) fn new() -> Self {
        let empty = Slot { key: Key { bytes: [0; 2], tag: 0 }, absorbs: false, cost: 0 };
        Self(vec![Set([empty; 2]); 1 << SET_BITS])
    }

    /// What the piece that a text starts with costs, and whether its last token takes a following space with it.
    #[inline]
    pub(super) fn cost(
        &mut self,
        (generation, kind): (Generation, Kind),
        (text, length): (&str, usize),
        work_out: impl FnOnce(&str) -> (u64, bool),
    ) -> (u64, bool) {
        let Some(key) = Key::of(generation, kind, text.as_bytes(), length) else { return work_out(&text[..length]) };
        let Set(slots) = &mut self.0[key.set()];
        for slot in &*slots {
            if slot.key == key {
                return (u64::from(slot.cost), slot.absorbs);
            }
        }
        let (cost, absorbs) = work_out(&text[..length]);
        // 16 bytes cost a few dozen tokens at most.
        debug_assert!(cost < 1000 * UNITS, "{cost}");
        slots[1] = slots[0];
        slots[0] = Slot { key, absorbs, cost: u32::try_from(cost).unwrap_or(u32::MAX) };
        (cost, absorbs)
    }
}

impl Key {
    #[inline]
    fn of(generation: Generation, kind: Kind, text: &[u8], length: usize) -> Option<Self> {
        if length == 0 || length > LONGEST {
            return None;
        }
        // What stands behind the piece is read with it and masked, which costs less than reading by its length.
        let block = text.first_chunk().copied().unwrap_or_else(|| {
            let mut block = [0; LONGEST];
            block[..text.len()].copy_from_slice(text);
            block
        });
        let bytes = u128::from_le_bytes(block) & (u128::MAX >> (128 - 8 * length));
        let kind = match kind {
            Kind::Word => 0,
            Kind::Symbols { spaced: false } => 1,
            Kind::Symbols { spaced: true } => 2,
        };
        let generation = u16::from(generation == Generation::New);
        let bytes = [bytes as u64, (bytes >> 64) as u64];
        Some(Self { bytes, tag: u16::try_from(length).unwrap_or(0) << 3 | kind << 1 | generation })
    }

    #[inline]
    fn set(self) -> usize {
        let [low, high] = self.bytes;
        let high = high ^ u64::from(self.tag) << 48;
        let mixed = low.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ high.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed.wrapping_mul(0x94d0_49bb_1331_11eb) >> (64 - SET_BITS)) as usize
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn short_pieces_differ_in_their_keys() {
        let key = |piece: &str| Key::of(Generation::Old, Kind::Word, piece.as_bytes(), piece.len());
        let pieces =
            ["a", "aa", "aaa", "ab", "ba", "aba", "abb", "aab", "aaaa", "aaaaa", "aaaab", "abcdefgh", "abcdefghi"];
        for (at, one) in pieces.iter().enumerate() {
            assert!(pieces[at + 1..].iter().all(|other| key(one) != key(other)), "{one}");
        }
        assert!(key("").is_none() && key("abcdefghijklmnopq").is_none() && key("abcdefghijklmnop").is_some());
        let text = b"abcdefghijklmnopqrstuvwxyz";
        assert!(
            Key::of(Generation::Old, Kind::Word, text, 9) == key("abcdefghi"),
            "what follows isn't part of the key"
        );
    }

    proptest! {
        #[test]
        fn a_piece_costs_the_same_again(pieces in prop::collection::vec("[a-c]{1,20}", 1..60)) {
            let mut memo = Memo::new();
            for piece in pieces.iter().chain(&pieces) {
                let worked_out = |piece: &str| (piece.bytes().fold(0, |sum, byte| sum * 3 + u64::from(byte)) % 50_000, piece.len() > 3);
                prop_assert_eq!(memo.cost((Generation::New, Kind::Word), (piece, piece.len()), worked_out), worked_out(piece));
            }
        }
    }
}
