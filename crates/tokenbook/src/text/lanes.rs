//! Counting the tokens of many short pieces by merging them side by side.
//!
//! One piece's merges wait for each other and for memory, so a step of every piece is done in turn. A step has no branch
//! that depends on the text but one, whether anything is left to merge: places that aren't there have ids of their own.
#![expect(clippy::cast_possible_truncation, reason = "places are below 64")]

use super::bpe::{MIDDLE, NEVER, PLACE_BITS, SMALL, packed};
use super::vocab::{BORDER, Find, Merges, Vocab};

/// Pieces that are merged in turns.
const LANES: usize = 8;

/// A piece while it is merged. Its first token is at place 1, and `N` is a power of two with room for its bytes between
/// the borders at both ends.
struct Lane<const N: usize> {
    number: usize,
    ids: [u32; N],
    /// What the token at each place and the next may merge into, with the place below, so that the least is the one to do.
    pairs: [u32; N],
    /// A bit for each place that has a token, and for the borders.
    live: u64,
    /// Tokens that are left.
    count: u64,
    /// The places of the last merge's token and of its neighbours.
    at: usize,
    before: usize,
    after: usize,
    /// Where the pairs of that token with its neighbours would be.
    left: (usize, u32),
    right: (usize, u32),
}

impl<const N: usize> Lane<N> {
    const EMPTY: Self = Self {
        number: 0,
        ids: [BORDER; N],
        pairs: [NEVER; N],
        live: 0,
        count: 0,
        at: 0,
        before: 0,
        after: 0,
        left: (0, 0),
        right: (0, 0),
    };

    /// Begins with bytes, or with characters that are sure to become tokens, and asks for the memory of their pairs.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    fn fill(&mut self, vocab: &Vocab, merges: Merges, number: usize, piece: &[u8]) {
        self.number = number;
        self.pairs = [NEVER; N];
        let mut last = 0;
        if piece.is_ascii() {
            for &byte in piece {
                last += 1;
                self.ids[last & (N - 1)] = vocab.single(byte);
            }
        } else {
            vocab.begin_with(piece, |id| {
                let before = self.ids[last & (N - 1)];
                if last > 0 && before | id >= 256 {
                    merges.prefetch(merges.place(before, id).0);
                }
                last += 1;
                self.ids[last & (N - 1)] = id;
            });
        }
        self.ids[(last + 1) & (N - 1)] = BORDER;
        self.count = last as u64;
        self.live = u64::MAX >> (62 - last);
    }

    /// Looks up the pairs that it begins with.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    fn begin<F: Find>(&mut self, merges: Merges) {
        for place in 1..self.count as usize {
            let (left, right) = (self.ids[place & (N - 1)], self.ids[(place + 1) & (N - 1)]);
            self.pairs[place & (N - 1)] = packed(merges.first::<F>(left, right), place);
        }
    }

    /// Merges one pair and asks for the memory of its new neighbours' pairs; `false` if nothing is left to merge.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    fn step(&mut self, merges: Merges, limit: u32) -> bool {
        let least = self.pairs[1..=N / 2].iter().copied().fold(NEVER, u32::min);
        let (id, at) = (least >> PLACE_BITS, least as usize & (N - 1));
        if id >= limit {
            return false;
        }
        let above = self.live >> at >> 1;
        let right = (at + 1 + above.trailing_zeros() as usize) & (N - 1);
        let after = (at + 1 + (above & above.wrapping_sub(1)).trailing_zeros() as usize) & (N - 1);
        let below = self.live & ((1 << at) - 1);
        let before = (63 - below.leading_zeros() as usize) & (N - 1);
        self.count -= 1;
        self.live &= !(1 << right);
        self.ids[at] = id;
        self.pairs[right] = NEVER;
        (self.at, self.before, self.after) = (at, before, after);
        self.left = merges.place(self.ids[before], id);
        self.right = merges.place(id, self.ids[after]);
        merges.prefetch(self.left.0);
        merges.prefetch(self.right.0);
        true
    }

    /// Looks up the pairs of the token that the last step made.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    fn settle<F: Find>(&mut self, merges: Merges) {
        let id = |place: usize| self.ids[place & (N - 1)];
        let (before, merged, after) = (id(self.before), id(self.at), id(self.after));
        let left = packed(merges.at::<F>(self.left, before, merged), self.before);
        let right = packed(merges.at::<F>(self.right, merged, after), self.at);
        self.pairs[self.at & (N - 1)] = right;
        self.pairs[self.before & (N - 1)] = left;
    }
}

impl Vocab {
    /// The number of tokens of each piece of at most [`SMALL`] bytes, told to `done` with the piece's number.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    pub(super) fn count_small<'a, F: Find>(
        &self,
        pieces: impl Iterator<Item = (usize, &'a [u8])>,
        done: impl FnMut(usize, u64),
    ) {
        self.count_pieces::<F, { 2 * SMALL }>(pieces, done);
    }

    /// The same of pieces of at most [`MIDDLE`] bytes.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    pub(super) fn count_middle<'a, F: Find>(
        &self,
        pieces: impl Iterator<Item = (usize, &'a [u8])>,
        done: impl FnMut(usize, u64),
    ) {
        self.count_pieces::<F, { 2 * MIDDLE }>(pieces, done);
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    fn count_pieces<'a, F: Find, const N: usize>(
        &self,
        mut pieces: impl Iterator<Item = (usize, &'a [u8])>,
        mut done: impl FnMut(usize, u64),
    ) {
        let (merges, limit) = (self.merges(), self.limit);
        let mut lanes = [Lane::<N>::EMPTY; LANES];
        // The lanes in use come first.
        let mut order: [usize; LANES] = std::array::from_fn(|lane| lane);
        let mut used = 0;
        loop {
            let kept = used;
            while used < LANES
                && let Some((number, piece)) = pieces.next()
            {
                lanes[order[used]].fill(self, merges, number, piece);
                used += 1;
            }
            if used == 0 {
                return;
            }
            for &lane in &order[..kept] {
                lanes[lane].settle::<F>(merges);
            }
            for &lane in &order[kept..used] {
                lanes[lane].begin::<F>(merges);
            }
            let mut turn = 0;
            while turn < used {
                let lane = &mut lanes[order[turn]];
                if lane.step(merges, limit) {
                    turn += 1;
                } else {
                    done(lane.number, lane.count);
                    used -= 1;
                    order.swap(turn, used);
                }
            }
        }
    }
}
