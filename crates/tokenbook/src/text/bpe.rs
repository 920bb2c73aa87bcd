//! Byte-pair encoding of one piece.
//!
//! A long piece is encoded window by window, so that the time is proportional to its length whatever it is made of: a
//! sequence of tokens is the encoding of its bytes exactly if each two neighbours are (`Vocab::adjacent`), so windows may
//! be joined wherever that holds.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::vocab::{NONE, Vocab};

/// Pieces up to this many bytes are merged at once.
const WINDOW: usize = 128;

impl Vocab {
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
    pub(super) fn count_piece(&self, piece: &[u8]) -> u64 {
        if piece.len() == 1 || self.find(piece).is_some() {
            return 1;
        }
        let mut tokens = Vec::new();
        self.extend_piece(piece, 0, &mut tokens);
        tokens.len() as u64
    }

    /// Appends the tokens of `piece[from..]` where `out` ends with tokens of `piece[..from]`, some of which may have to go.
    pub(super) fn extend_piece(&self, piece: &[u8], mut from: usize, out: &mut Vec<u32>) {
        let mut width = WINDOW;
        while from < piece.len() {
            let end = piece.len().min(from + width);
            let window = self.merged(&piece[from..end]);
            if from > 0
                && let Some(&last) = out.last()
                && !self.adjacent(last, window[0])
            {
                out.pop();
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
            width = WINDOW;
        }
    }

    fn merged(&self, bytes: &[u8]) -> Vec<u32> {
        let ids = bytes.iter().map(|&byte| self.single(byte)).collect();
        if bytes.len() <= 4 * WINDOW { self.merged_by_scan(ids) } else { self.merged_by_queue(ids) }
    }

    /// Merges the lowest pair, the first of equals, until none is left.
    fn merged_by_scan(&self, mut ids: Vec<u32>) -> Vec<u32> {
        let mut pairs: Vec<u32> = ids.windows(2).map(|pair| self.merge(pair[0], pair[1])).collect();
        while let Some((at, &id)) = pairs.iter().enumerate().min_by_key(|&(_, &id)| id)
            && id != NONE
        {
            ids[at] = id;
            ids.remove(at + 1);
            pairs.remove(at);
            if at > 0 {
                pairs[at - 1] = self.merge(ids[at - 1], id);
            }
            if at < pairs.len() {
                pairs[at] = self.merge(id, ids[at + 1]);
            }
        }
        ids
    }

    /// The same by a queue, for windows that had to grow.
    fn merged_by_queue(&self, mut ids: Vec<u32>) -> Vec<u32> {
        const GONE: u32 = NONE;
        let count = ids.len();
        let mut next: Vec<usize> = (1..=count).collect();
        let mut previous: Vec<usize> = (0..count).map(|at| at.wrapping_sub(1)).collect();
        let mut queue = BinaryHeap::new();
        for at in 1..count {
            let id = self.merge(ids[at - 1], ids[at]);
            if id != NONE {
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
                if id != NONE {
                    queue.push(Reverse((id, at)));
                }
            }
            if previous[at] < count {
                let id = self.merge(ids[previous[at]], id);
                if id != NONE {
                    queue.push(Reverse((id, previous[at])));
                }
            }
        }
        ids.retain(|&id| id != GONE);
        ids
    }
}
