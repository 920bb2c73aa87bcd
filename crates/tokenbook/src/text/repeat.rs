//! Counting pieces that repeat a few bytes over and over, such as a rule of equals signs, without merging all of them.
//!
//! A sequence of tokens is the encoding of its bytes exactly if each two neighbours are. So where the same token comes
//! again after a whole number of repetitions, everything from the one to the other can be repeated as often as one
//! likes: no two tokens become neighbours that were not.

use super::vocab::Vocab;

/// Shorter pieces are merged.
const SHORTEST: usize = 1024;

/// The part of a piece in which tokens have to come again.
const PART: usize = 512;

/// The longest unit that is looked for.
const LONGEST_UNIT: usize = 16;

/// The number of tokens of a piece that repeats one short unit, the last time perhaps not wholly; `None` for others.
pub(super) fn count(vocab: &Vocab, piece: &[u8]) -> Option<u64> {
    if piece.len() < SHORTEST {
        return None;
    }
    let unit = (1..=LONGEST_UNIT).find(|&unit| piece[unit..PART] == piece[..PART - unit])?;
    if piece[unit..] != piece[..piece.len() - unit] {
        return None;
    }
    let (cycle, _) = cycle(vocab, &tokens(vocab, &piece[..PART]), |length| length % unit == 0)?;
    let rest = PART + (piece.len() - PART) % cycle;
    let tokens = tokens(vocab, &piece[..rest]);
    let (_, per_cycle) = self::cycle(vocab, &tokens, |length| length == cycle)?;
    Some((tokens.len() + (piece.len() - rest) / cycle * per_cycle) as u64)
}

fn tokens(vocab: &Vocab, piece: &[u8]) -> Vec<u32> {
    let mut tokens = Vec::new();
    vocab.extend_piece(piece, 0, &mut tokens);
    tokens
}

/// The bytes and the tokens from one token to where it comes again, if that is a fitting number of bytes.
fn cycle(vocab: &Vocab, tokens: &[u32], fits: impl Fn(usize) -> bool) -> Option<(usize, usize)> {
    (0..tokens.len()).find_map(|first| {
        let mut length = 0;
        (first + 1..tokens.len()).find_map(|next| {
            length += vocab.length(tokens[next - 1]);
            (tokens[next] == tokens[first] && fits(length)).then_some((length, next - first))
        })
    })
}
