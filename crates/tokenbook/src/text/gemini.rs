//! Counting the tokens of a text for Gemini: by the vocabulary of Gemma 4, which splits every recorded text as Gemini does.
//!
//! A text is cut before its spaces, as no token has one behind something else, and in each piece the two neighbours are
//! merged that give the token of the lowest rank, until none do. A character that is no token is as many as it has bytes.
//! The table is in the program and read in place.

mod layout;

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

use layout::{ALONE, BUCKET_BITS, Entry, RANK, RANK_BITS, VERBATIM};

/// The table is in the program, or fetched by a page.
#[inline]
fn table() -> &'static [u8] {
    #[cfg(target_family = "wasm")]
    return super::lazy::gemini();
    #[cfg(not(target_family = "wasm"))]
    include_bytes!("../../data/vocab/gemini.merges")
}

const STARTS: usize = (1 << BUCKET_BITS) + 1;

/// Bytes of the longest token.
const LONGEST: usize = 93;

/// The rank of a piece that is a token.
#[inline]
fn rank(piece: &[u8]) -> Option<u32> {
    let table = table();
    let asked = Entry::of(piece, 0);
    let start = |bucket: usize| {
        let at = bucket * 4;
        u32::from_le_bytes([table[at], table[at + 1], table[at + 2], table[at + 3]]) as usize
    };
    let entries = &table[STARTS * 4..][start(asked.bucket()) * 6..start(asked.bucket() + 1) * 6];
    entries.as_chunks::<6>().0.iter().find_map(|&[a, b, c, d, e, f]| {
        let entry = u64::from_le_bytes([a, b, c, d, e, f, 0, 0]);
        (entry >> RANK_BITS == asked.fingerprint()).then(|| u32::try_from(entry & RANK).unwrap_or(ALONE))
    })
}

/// Counts the tokens of a text.
pub(crate) fn count(text: &str) -> u64 {
    thread_local! {
        static MEMO: RefCell<Memo> = RefCell::new(Memo::new());
    }
    // The sign that stands for a space in the vocabulary reads as one.
    if text.contains('\u{2581}') {
        return count(&text.replace('\u{2581}', " "));
    }
    // Asked for before anything is held: a page may not have it yet, and throws.
    table();
    MEMO.with_borrow_mut(|memo| Pieces(text.as_bytes()).map(|piece| memo.count(piece)).sum())
}

/// Cuts a text where no token crosses: before spaces, around line breaks, and around tags.
struct Pieces<'a>(&'a [u8]);

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let text = self.0;
        let first = *text.first()?;
        let end = if first == b'\n' {
            text.iter().position(|&byte| byte != b'\n').unwrap_or(text.len())
        } else if let Some(tag) = tag(text) {
            tag
        } else {
            let spaces = text.iter().position(|&byte| byte != b' ').unwrap_or(text.len());
            let ends = |at: usize| match text[at] {
                b'\n' => true,
                b' ' => !(text[at - 1] == b'>' && text[at + 1..].starts_with(b"</") && tag(&text[at + 1..]).is_none()),
                b'<' => tag(&text[at..]).is_some(),
                _ => false,
            };
            (spaces.max(1)..text.len()).find(|&at| ends(at)).unwrap_or(text.len())
        };
        let (piece, rest) = text.split_at(end);
        self.0 = rest;
        Some(piece)
    }
}

/// The length of the tag that a text starts with, which is one token.
fn tag(text: &[u8]) -> Option<usize> {
    if text.first() != Some(&b'<') {
        return None;
    }
    let end = text.iter().take(16).position(|&byte| byte == b'>')? + 1;
    (rank(&text[..end]) == Some(VERBATIM)).then_some(end)
}

/// The tokens of a piece.
fn merged(piece: &[u8]) -> u64 {
    if rank(piece).is_some() {
        return 1;
    }
    let Ok(text) = std::str::from_utf8(piece) else { return piece.len() as u64 };
    let mut parts: Vec<Part> = text
        .char_indices()
        .enumerate()
        .map(|(at, (start, c))| Part { start, end: start + c.len_utf8(), before: at.wrapping_sub(1), after: at + 1 })
        .collect();
    let mut waiting = BinaryHeap::with_capacity(parts.len());
    let offer = |parts: &[Part], waiting: &mut BinaryHeap<Reverse<(u32, usize, usize)>>, at: usize| {
        let Some(next) = parts.get(parts[at].after) else { return };
        let pair = &piece[parts[at].start..next.end];
        if let Some(rank) = (pair.len() <= LONGEST).then(|| rank(pair)).flatten().filter(|&rank| rank < VERBATIM) {
            waiting.push(Reverse((rank, at, next.end)));
        }
    };
    for at in 0..parts.len() {
        offer(&parts, &mut waiting, at);
    }
    while let Some(Reverse((_, at, end))) = waiting.pop() {
        // What was offered may have been merged with something else since.
        let next = parts[at].after;
        if parts[at].is_gone() || parts.get(next).is_none_or(|next| next.end != end) {
            continue;
        }
        parts[at].end = end;
        parts[at].after = parts[next].after;
        parts[next].end = parts[next].start;
        if let Some(after) = parts.get(parts[at].after).map(|_| parts[at].after) {
            parts[after].before = at;
        }
        if let Some(before) = parts.get(parts[at].before).map(|_| parts[at].before) {
            offer(&parts, &mut waiting, before);
        }
        offer(&parts, &mut waiting, at);
    }
    parts.iter().filter(|part| !part.is_gone()).map(|part| part.tokens(piece)).sum()
}

/// A piece of a piece, between others.
struct Part {
    start: usize,
    end: usize,
    before: usize,
    after: usize,
}

impl Part {
    /// Whether it was merged into the one before it.
    fn is_gone(&self) -> bool {
        self.start == self.end
    }

    fn tokens(&self, piece: &[u8]) -> u64 {
        let part = &piece[self.start..self.end];
        if rank(part).is_some() { 1 } else { part.len() as u64 }
    }
}

/// Pieces counted before, bounded: a slot holds the last that fell into it.
struct Memo(Vec<(u128, u8)>);

impl Memo {
    const SLOT_BITS: u32 = 13;

    fn new() -> Self {
        Self(vec![(0, 0); 1 << Self::SLOT_BITS])
    }

    fn count(&mut self, piece: &[u8]) -> u64 {
        // 15 bytes and their number: no piece has the key of another, or that of an empty slot.
        let mut key = [0; 16];
        if piece.len() >= key.len() {
            return merged(piece);
        }
        key[..piece.len()].copy_from_slice(piece);
        key[15] = u8::try_from(piece.len()).unwrap_or(0);
        let halves = key.as_chunks::<8>().0.iter().map(|half| u64::from_le_bytes(*half));
        let mixed =
            halves.fold(0, |mixed: u64, half| (mixed.rotate_left(31) ^ half).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let key = u128::from_le_bytes(key);
        let slot = &mut self.0[(mixed >> (64 - Self::SLOT_BITS)) as usize];
        if slot.0 != key {
            *slot = (key, u8::try_from(merged(piece)).unwrap_or(u8::MAX));
        }
        u64::from(slot.1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Counts as its definition says, without cuts, heap or memory: tags first, then the lowest rank, leftmost first.
    fn defined(text: &str) -> u64 {
        let text = text.replace('\u{2581}', " ");
        if let Some(at) = (0..text.len()).find(|&at| text.is_char_boundary(at) && tag(&text.as_bytes()[at..]).is_some())
        {
            let end = at + tag(&text.as_bytes()[at..]).unwrap_or(0);
            return defined(&text[..at]) + 1 + defined(&text[end..]);
        }
        let mut parts: Vec<String> = text.chars().map(String::from).collect();
        loop {
            let pair = |at: usize| parts[at].clone() + &parts[at + 1];
            let ranked = (1..parts.len())
                .filter_map(|at| Some((rank(pair(at - 1).as_bytes()).filter(|&rank| rank < VERBATIM)?, at - 1)));
            let Some((_, at)) = ranked.min() else { break };
            parts[at] = pair(at);
            parts.remove(at + 1);
        }
        parts.iter().map(|part| if rank(part.as_bytes()).is_some() { 1 } else { part.len() as u64 }).sum()
    }

    #[test]
    fn known_texts_have_their_counts() {
        // Source: Gemma 3's tokenizer, by splintr 0.22.
        for (text, tokens) in [
            ("", 0),
            ("Hello world, why is the sky blue?", 9),
            ("a <b>bold</b> x", 6),
            ("<table><tr><td>", 3),
            ("1 > </b>", 4),
            ("x> </y>", 4),
            ("\t\t\tfoo", 2),
            ("  two  spaces ", 5),
            ("\r\n", 2),
            ("a\u{2581}b", 2),
            ("\n \n", 3),
            ("<h1>Hi</h1>\n\n\n<p>x</p>", 11),
            ("日本語のテキスト", 3),
            ("😀👍🏽", 3),
            ("\0\u{1}", 2),
        ] {
            assert_eq!(count(text), tokens, "{text:?}");
        }
    }

    #[test]
    fn long_pieces_take_no_more_than_their_length_says() {
        let text = "漢字仮名交じり文".repeat(20_000);
        assert!(count(&text) > 20_000);
        assert!(count(&"a".repeat(1 << 18)) > 1000);
    }

    proptest! {
        #[test]
        fn it_counts_as_defined(text in "(\\PC|[ \n\t<>/b\u{2581}]| the| of|</?b>|> </){0,30}") {
            prop_assert_eq!(count(&text), defined(&text), "{:?}", text);
            prop_assert_eq!(count(&text), defined(&text), "{:?}, again", text);
        }
    }
}
