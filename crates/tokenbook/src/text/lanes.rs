//! Counting the tokens of many short pieces by merging them side by side.
//!
//! One piece's merges wait for each other and for memory, so those of several pieces are done side by side, each in three
//! parts that are short enough for a core to have those of all pieces at hand. None of them has a branch that depends on
//! the text: places that aren't there have ids of their own, and what a piece does once nothing is left to merge changes
//! nothing that counts.

use super::bpe::{MIDDLE, NEVER, PLACE_BITS, SMALL, packed};
use super::vocab::{BORDER, Merges, Place, Vocab};

/// Pieces that are merged side by side.
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
    /// The places of the last merge's token and of the one before it.
    at: usize,
    before: usize,
    /// That token between its neighbours.
    around: [u32; 3],
    /// Where its pairs with them would be.
    left: Place,
    right: Place,
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
        around: [BORDER; 3],
        left: Place::ANY,
        right: Place::ANY,
    };

    /// Begins with bytes, or with characters that are sure to become tokens, and looks up their pairs.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    fn fill(&mut self, vocab: &Vocab, merges: Merges, number: usize, piece: &[u8]) {
        self.number = number;
        self.pairs = [NEVER; N];
        let last = if piece.is_ascii() {
            self.fill_bytes(vocab, merges, piece)
        } else {
            self.fill_characters(vocab, merges, piece)
        };
        self.ids[(last + 1) & (N - 1)] = BORDER;
        self.count = last as u64;
        self.live = u64::MAX >> (62 - last);
    }

    /// Places single bytes. Gives the place of the last one.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    fn fill_bytes(&mut self, vocab: &Vocab, merges: Merges, piece: &[u8]) -> usize {
        let (mut last, mut left) = (0, BORDER);
        for &byte in piece {
            let id = vocab.single(byte);
            self.pairs[last & (N - 1)] = packed(merges.of_bytes(left, id), last);
            last += 1;
            self.ids[last & (N - 1)] = id;
            left = id;
        }
        last
    }

    /// Places characters and parts of them. Gives the place of the last one.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    fn fill_characters(&mut self, vocab: &Vocab, merges: Merges, piece: &[u8]) -> usize {
        let (mut last, mut left) = (0, BORDER);
        let mut places = [Place::ANY; N];
        vocab.begin_with(piece, |id| {
            let place = merges.place(left, id);
            merges.prefetch(place);
            places[last & (N - 1)] = place;
            last += 1;
            self.ids[last & (N - 1)] = id;
            left = id;
        });
        for place in 1..last {
            self.pairs[place & (N - 1)] = packed(merges.at(places[place & (N - 1)]), place);
        }
        last
    }

    /// Merges the pair that comes first; `true` if nothing is left to merge.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    fn merge(&mut self, limit: u32) -> bool {
        let least = self.pairs[1..=N / 2].iter().copied().fold(NEVER, u32::min);
        let (id, at) = (least >> PLACE_BITS, least as usize & (N - 1));
        let is_done = id >= limit;
        let above = self.live >> at >> 1;
        let right = (at + 1 + above.trailing_zeros() as usize) & (N - 1);
        let after = (at + 1 + (above & above.wrapping_sub(1)).trailing_zeros() as usize) & (N - 1);
        let below = self.live & ((1 << at) - 1);
        let before = 63usize.wrapping_sub(below.leading_zeros() as usize) & (N - 1);
        self.count -= u64::from(!is_done);
        self.live &= !(1 << right);
        self.ids[at] = id;
        self.pairs[right] = NEVER;
        (self.at, self.before) = (at, before);
        self.around = [self.ids[before], id, self.ids[after]];
        is_done
    }

    /// Finds where the pairs of the token would be that the merge made, and asks for their memory.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    fn locate(&mut self, merges: Merges) {
        let [before, merged, after] = self.around;
        self.left = merges.place(before, merged);
        self.right = merges.place(merged, after);
        merges.prefetch(self.left);
        merges.prefetch(self.right);
    }

    /// Looks up these pairs.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    fn settle(&mut self, merges: Merges) {
        self.pairs[self.at & (N - 1)] = packed(merges.at(self.right), self.at);
        self.pairs[self.before & (N - 1)] = packed(merges.at(self.left), self.before);
    }
}

impl Vocab {
    /// The number of tokens of each piece of at most [`SMALL`] bytes, told to `done` with the piece's number.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    pub(super) fn count_small<'a>(
        &self,
        pieces: impl Iterator<Item = (usize, &'a [u8])>,
        done: impl FnMut(usize, u64),
    ) {
        self.count_pieces::<{ 2 * SMALL }>(pieces, done);
    }

    /// The same of pieces of at most [`MIDDLE`] bytes.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    pub(super) fn count_middle<'a>(
        &self,
        pieces: impl Iterator<Item = (usize, &'a [u8])>,
        done: impl FnMut(usize, u64),
    ) {
        self.count_pieces::<{ 2 * MIDDLE }>(pieces, done);
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    fn count_pieces<'a, const N: usize>(
        &self,
        mut pieces: impl Iterator<Item = (usize, &'a [u8])>,
        mut done: impl FnMut(usize, u64),
    ) {
        let merges = self.merges();
        let mut lanes = [const { Lane::<N>::EMPTY }; LANES];
        // A bit for each lane that has a piece, and for each that is to get one.
        let (mut used, mut free) = (0u32, (1u32 << LANES) - 1);
        loop {
            while free != 0 {
                let lane_number = free.trailing_zeros() as usize % LANES;
                free &= free - 1;
                let lane = &mut lanes[lane_number];
                let was_used = used >> lane_number & 1 == 1;
                if was_used {
                    done(lane.number, lane.count);
                }
                if let Some((number, piece)) = pieces.next() {
                    lane.fill(self, merges, number, piece);
                    used |= 1 << lane_number;
                } else if was_used {
                    *lane = Lane::EMPTY;
                    used &= !(1 << lane_number);
                } else {
                    free = 0;
                }
            }
            if used == 0 {
                return;
            }
            // One short text has few pieces; all lanes are another loop, of a length that is known.
            let reach = (u32::BITS - used.leading_zeros()) as usize;
            free = used
                & if reach == LANES {
                    turn(&mut lanes, merges, self.limit)
                } else {
                    turn(&mut lanes[..reach], merges, self.limit)
                };
        }
    }
}

/// Does the next merge of each lane. Gives a bit for each that has nothing left to merge.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled once per instruction set, and for lanes of a known number")]
fn turn<const N: usize>(lanes: &mut [Lane<N>], merges: Merges, limit: u32) -> u32 {
    let mut done = 0;
    for (lane, number) in lanes.iter_mut().zip(0..LANES) {
        done |= u32::from(lane.merge(limit)) << number;
    }
    for lane in &mut *lanes {
        lane.locate(merges);
    }
    for lane in lanes {
        lane.settle(merges);
    }
    done
}
