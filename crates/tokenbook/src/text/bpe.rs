//! Byte-pair encoding of one piece.
//!
//! A long piece is encoded window by window, so that the time is proportional to its length whatever it is made of: a
//! sequence of tokens is the encoding of its bytes exactly if each two neighbours are (`Vocab::adjacent`), so windows may
//! be joined wherever that holds.
#![expect(clippy::cast_possible_truncation, reason = "places in a window are below 256")]

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::repeat;
use super::vocab::{NONE, Vocab};

/// Pieces up to this many bytes are merged at once.
const WINDOW: usize = 128;

/// Most pieces that are merged are not longer than this.
pub(super) const SMALL: usize = 16;

/// And few of the others than this.
pub(super) const MIDDLE: usize = 32;

/// No merge is possible: more than any id with its place.
pub(super) const NEVER: u32 = u32::MAX;

/// Bits for a place in a window beside an id in 32 bits.
pub(super) const PLACE_BITS: u32 = 8;

/// A window while it is merged: the lowest pair first, the first of equals.
struct Merge<const N: usize> {
    length: usize,
    ids: [u32; N],
    /// What each token and the next may merge into, and its place below that, so that the least is the one to do.
    pairs: [u32; N],
    next: [u8; N],
    previous: [u8; N],
    /// Tokens that are left.
    count: u64,
}

impl<const N: usize> Merge<N> {
    /// Begins with what is sure to become tokens.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    fn new(vocab: &Vocab, bytes: &[u8]) -> Self {
        let mut merge = Self { length: 0, ids: [0; N], pairs: [NEVER; N], next: [0; N], previous: [0; N], count: 0 };
        vocab.begin_with(bytes, |id| {
            let place = merge.length;
            merge.ids[place] = id;
            merge.next[place] = place as u8 + 1;
            merge.previous[place] = (place as u8).wrapping_sub(1);
            merge.length = place + 1;
        });
        merge.count = merge.length as u64;
        merge
    }

    /// The pair to merge next, if its id is one.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    fn least(&self) -> u32 {
        // The places up to the last pair, in whole vectors.
        let span = self.length.next_multiple_of(8).min(N);
        self.pairs[..span].iter().copied().fold(NEVER, u32::min)
    }

    /// Merges until nothing is left to merge, and gives the number of tokens.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    fn run(&mut self, vocab: &Vocab) -> u64 {
        let merges = vocab.merges();
        for place in 1..self.length {
            self.pairs[place - 1] = packed(merges.merge(self.ids[place - 1], self.ids[place]), place - 1);
        }
        loop {
            let least = self.least();
            let id = least >> PLACE_BITS;
            if id >= vocab.limit {
                return self.count;
            }
            let at = (least & ((1 << PLACE_BITS) - 1)) as usize;
            let right = usize::from(self.next[at]);
            let after = usize::from(self.next[right]);
            self.count -= 1;
            self.ids[at] = id;
            self.pairs[right] = NEVER;
            self.pairs[at] = NEVER;
            self.next[at] = after as u8;
            if after < self.length {
                self.previous[after] = at as u8;
                self.pairs[at] = packed(merges.merge(id, self.ids[after]), at);
            }
            if at > 0 {
                let before = usize::from(self.previous[at]);
                self.pairs[before] = packed(merges.merge(self.ids[before], id), before);
            }
        }
    }

    fn tokens(&self) -> Vec<u32> {
        let mut tokens = Vec::new();
        let mut at = 0;
        while at < self.length {
            tokens.push(self.ids[at]);
            at = usize::from(self.next[at]);
        }
        tokens
    }
}

/// What two tokens merge into, with their place.
#[inline]
pub(super) fn packed(id: u32, place: usize) -> u32 {
    (id << PLACE_BITS) | place as u32
}

impl Vocab {
    /// Tells the tokens that merging begins with: bytes, or characters and parts of them that are sure to become tokens
    /// before anything else can happen to their bytes.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    pub(super) fn begin_with(&self, bytes: &[u8], mut push: impl FnMut(u32)) {
        // A byte that no text has.
        let (mut at, mut before) = (0, 0xc0);
        while at < bytes.len() {
            let (token, length) = self.beginning(&bytes[at..], before);
            push(token);
            at += length;
            before = bytes[at - 1];
        }
    }

    /// The first token that merging begins with, and how many bytes it has, where this byte comes before.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    fn beginning(&self, bytes: &[u8], before: u8) -> (u32, usize) {
        let bits = |at: usize| usize::from(bytes[at] & 0x3f);
        let first = bytes[0];
        if first < 0xc0 || bytes.len() < 2 {
            return (self.single(first), 1);
        }
        let pair = self.tables.pairs[bits(0) << 6 | bits(1)];
        if pair >= self.tables.spoilers[bits(0) << 8 | usize::from(before)] {
            return (self.single(first), 1);
        }
        if (0xe0..0xf0).contains(&first) && bytes.len() > 2 {
            let atom = self.tables.atoms[(bits(0) & 0x0f) << 12 | bits(1) << 6 | bits(2)];
            if atom != NONE {
                return (atom, 3);
            }
        }
        (pair, 2)
    }

    /// Appends the tokens of a piece.
    pub(super) fn encode_piece(&self, piece: &[u8], out: &mut Vec<u32>) {
        if let [byte] = piece {
            out.push(self.single(*byte));
        } else if let Some(id) = self.find(piece) {
            out.push(id);
        } else {
            self.extend_piece(piece, 0, out);
        }
    }

    /// The number of tokens of a piece.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    pub(super) fn count_piece(&self, piece: &[u8]) -> u64 {
        match piece.len() {
            0..=1 => piece.len() as u64,
            2..=SMALL => Merge::<SMALL>::new(self, piece).run(self),
            17..=MIDDLE => {
                if self.find(piece).is_some() {
                    1
                } else {
                    Merge::<MIDDLE>::new(self, piece).run(self)
                }
            }
            33..=WINDOW => {
                if self.find(piece).is_some() {
                    1
                } else {
                    Merge::<WINDOW>::new(self, piece).run(self)
                }
            }
            _ => repeat::count(self, piece).unwrap_or_else(|| {
                let mut tokens = Vec::new();
                self.extend_piece(piece, 0, &mut tokens);
                tokens.len() as u64
            }),
        }
    }

    /// Appends the tokens of `piece[from..]` where `out` ends with tokens of `piece[..from]`, some of which may have to go.
    pub(super) fn extend_piece(&self, piece: &[u8], mut from: usize, out: &mut Vec<u32>) {
        // How far tokens have gone that had to be taken back.
        let (mut width, mut spoiled) = (WINDOW, 0);
        while from < piece.len() {
            let end = piece.len().min(from + width);
            let window = self.merged(&piece[from..end]);
            if from > 0
                && let Some(&last) = out.last()
                && !self.adjacent(last, window[0])
            {
                out.pop();
                spoiled = spoiled.max(from);
                from -= self.length(last);
                width *= 2;
                continue;
            }
            if end == piece.len() {
                out.extend(window);
                return;
            }
            // The last tokens of a window depend on what comes after it.
            let settled = from + width * 3 / 4;
            for (number, id) in window.into_iter().enumerate() {
                let end = from + self.length(id);
                if end > settled && number > 0 {
                    break;
                }
                out.push(id);
                from = end;
            }
            // A window that only brings back what was taken stays wide, or the next one would be spoiled as the last one.
            if from > spoiled {
                width = WINDOW;
            }
        }
    }

    fn merged(&self, bytes: &[u8]) -> Vec<u32> {
        if bytes.len() <= WINDOW {
            let mut merge = Merge::<WINDOW>::new(self, bytes);
            merge.run(self);
            merge.tokens()
        } else {
            self.merged_by_queue(bytes.iter().map(|&byte| self.single(byte)).collect())
        }
    }

    /// Merges by a queue, for windows that had to grow.
    fn merged_by_queue(&self, mut ids: Vec<u32>) -> Vec<u32> {
        const GONE: u32 = NONE;
        let count = ids.len();
        let mut next: Vec<usize> = (1..=count).collect();
        let mut previous: Vec<usize> = (0..count).map(|at| at.wrapping_sub(1)).collect();
        let mut queue = BinaryHeap::new();
        for at in 1..count {
            let id = self.merge(ids[at - 1], ids[at]);
            if id < self.limit {
                queue.push(Reverse((id, at - 1)));
            }
        }
        while let Some(Reverse((id, at))) = queue.pop() {
            let right = next[at];
            if ids[at] == GONE || right >= count || self.merge(ids[at], ids[right]) != id {
                continue;
            }
            ids[at] = id;
            ids[right] = GONE;
            next[at] = next[right];
            if next[at] < count {
                previous[next[at]] = at;
                let id = self.merge(id, ids[next[at]]);
                if id < self.limit {
                    queue.push(Reverse((id, at)));
                }
            }
            if previous[at] < count {
                let id = self.merge(ids[previous[at]], id);
                if id < self.limit {
                    queue.push(Reverse((id, previous[at])));
                }
            }
        }
        ids.retain(|&id| id != GONE);
        ids
    }
}
