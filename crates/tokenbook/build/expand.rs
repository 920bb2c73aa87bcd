//! Expands a compact vocabulary into the tables that the engine reads.
//!
//! The build script does it for programs, which hold the tables; in a browser it is done when a vocabulary has come.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use super::codec;
use super::hash::{
    ID_BITS, MEDIUM_COUNT, bytes_hash, joint_bit, medium_hash, medium_key, merge_group, merge_hash, merge_slot,
    pair_key, short_bucket, short_key, short_slot,
};

/// Marks ids that no token has, such as two of p50k's table: `<|endoftext|>` has its own place.
const NONE: u32 = u32::MAX;

/// The tables of one vocabulary; `Tables` says what each holds.
pub(crate) struct Expanded {
    pub(crate) bytes: Vec<u8>,
    pub(crate) starts: Vec<u32>,
    pub(crate) halves: Vec<u32>,
    pub(crate) merges: Vec<u64>,
    pub(crate) seeds: Vec<u16>,
    pub(crate) byte_pairs: Vec<u32>,
    pub(crate) ids: Vec<u32>,
    pub(crate) singles: [u8; 256],
    pub(crate) short: Vec<[u64; 4]>,
    pub(crate) medium: Vec<[u64; 2]>,
    pub(crate) joints: Vec<u64>,
    pub(crate) alone: Vec<u64>,
    pub(crate) pairs: Vec<u32>,
    pub(crate) spoilers: Vec<u32>,
    pub(crate) atoms: Vec<u32>,
}

/// Expands the compact form of a vocabulary; that of `r50k_base` also holds what `p50k_base` has beyond it.
pub(crate) fn expand(data: &[u8], r50k: bool) -> Expanded {
    Vocabulary::new(data, r50k).expand()
}

struct Vocabulary {
    /// The bytes of each id.
    tokens: Vec<Vec<u8>>,
    /// The two halves of each id.
    splits: Vec<[u32; 2]>,
    /// The id that two halves merge into.
    pairs: HashMap<(u32, u32), u32>,
    /// Tokens have lower ids than this that a piece can be: those behind it are p50k's.
    whole: usize,
}

impl Vocabulary {
    fn new(data: &[u8], r50k: bool) -> Self {
        let (bytes, mut merges) = codec::decode(data);
        let mut tokens: Vec<Vec<u8>> = bytes.iter().map(|&byte| vec![byte]).collect();
        let whole = if r50k { tokens.len() + merges.len() } else { usize::MAX };
        // Places that no token has, because no text gives it: the first merge over again.
        let first = merges[0];
        for merge in merges.iter_mut().skip(1).filter(|merge| **merge == first) {
            *merge = (NONE, NONE);
        }
        if r50k {
            // p50k is r50k and 24 runs of spaces after `<|endoftext|>`; r50k is the same table with a limit on ids.
            let gap = tokens.len() as u32 + merges.len() as u32;
            let space = tokens.iter().position(|token| token == b" ").expect("a space") as u32;
            merges.push((NONE, NONE));
            let run = |length| if length == 1 { space } else { gap + length - 1 };
            for length in 2..=25u32 {
                let left = 1 << (length * 2 / 3).ilog2();
                merges.push((run(left), run(length - left)));
            }
        }
        let mut splits = vec![[NONE; 2]; 256];
        let pairs = merges.iter().zip(256..).map(|(&pair, id)| (pair, id)).collect();
        for (left, right) in merges {
            let token =
                if left == NONE { Vec::new() } else { [&*tokens[left as usize], &*tokens[right as usize]].concat() };
            tokens.push(token);
            splits.push([left, right]);
        }
        Self { tokens, splits, pairs, whole }
    }

    /// The tokens that a piece can be: those of several bytes, none of them NUL. Runs of spaces of p50k are left out, for
    /// r50k doesn't have them.
    fn whole(&self) -> impl Iterator<Item = &[u8]> {
        self.tokens.iter().take(self.whole).map(Vec::as_slice).filter(|token| token.len() > 1 && !token.contains(&0))
    }

    /// What merging may begin with: the tables `pairs`, `spoilers` and `atoms`.
    ///
    /// A merge comes before everything else that can happen to its bytes if no earlier token ends with the first of them
    /// and starts before it, or starts with the last and ends behind it. What stands before a character is known where
    /// merging begins, so the tokens that end with its first byte are told apart by the byte before that.
    fn beginnings(&self) -> (Vec<u32>, Vec<u32>, Vec<u32>) {
        // The earliest longer token that ends with these two bytes, and that starts with this one.
        let mut ends: HashMap<&[u8], u32> = HashMap::new();
        let mut starts = [NONE; 256];
        let mut spoilers = vec![NONE; 1 << 14];
        for (token, id) in self.tokens.iter().zip(0..).filter(|(token, _)| token.len() > 1) {
            let (before, end) = token.split_at(token.len() - 2);
            if end[1] >= 0xc0 {
                let spoiler = &mut spoilers[usize::from(end[1] & 0x3f) << 8 | usize::from(end[0])];
                *spoiler = id.min(*spoiler);
            }
            if !before.is_empty() {
                let end = ends.entry(end).or_insert(id);
                *end = id.min(*end);
            }
            let start = &mut starts[usize::from(token[0])];
            *start = id.min(*start);
        }
        let single = self.singles();
        let pair = |left, right| self.pairs.get(&(left, right)).copied();
        let sure = |id: &u32, last: u8| *id < starts[usize::from(last)];
        let mut pairs = vec![NONE; 1 << 12];
        for (first, second) in (0xc2..=0xf4u8).flat_map(|first| (0x80..0xc0u8).map(move |second| (first, second))) {
            let token = pair(single[usize::from(first)], single[usize::from(second)]).filter(|id| sure(id, second));
            pairs[usize::from(first & 0x3f) << 6 | usize::from(second & 0x3f)] = token.unwrap_or(NONE);
        }
        let mut atoms = vec![NONE; 1 << 16];
        for point in (0x800..0x1_0000u32).filter_map(char::from_u32) {
            let mut buffer = [0; 4];
            let bytes = point.encode_utf8(&mut buffer).as_bytes();
            let two = pairs[usize::from(bytes[0] & 0x3f) << 6 | usize::from(bytes[1] & 0x3f)];
            let spoiler = ends.get(&bytes[..2]).copied().unwrap_or(NONE);
            let token = pair(two, single[usize::from(bytes[2])]).filter(|id| *id < spoiler && sure(id, bytes[2]));
            atoms[point as usize] = token.unwrap_or(NONE);
        }
        (pairs, spoilers, atoms)
    }

    fn singles(&self) -> [u32; 256] {
        let mut singles = [0; 256];
        for (token, id) in self.tokens[..256].iter().zip(0..) {
            singles[usize::from(token[0])] = id;
        }
        singles
    }

    /// The number of tokens of a character.
    fn tokens_of(&self, singles: &[u32; 256], bytes: &[u8]) -> u64 {
        let mut ids: Vec<u32> = bytes.iter().map(|&byte| singles[usize::from(byte)]).collect();
        while let Some((id, at)) =
            (1..ids.len()).filter_map(|at| Some((*self.pairs.get(&(ids[at - 1], ids[at]))?, at))).min()
        {
            ids[at - 1] = id;
            ids.remove(at);
        }
        ids.len() as u64
    }

    fn expand(&self) -> Expanded {
        let mut starts = vec![0u32];
        let mut bytes = Vec::new();
        for token in &self.tokens {
            bytes.extend_from_slice(token);
            starts.push(bytes.len() as u32);
        }
        let pair_bits = self.splits.len().next_power_of_two().trailing_zeros() + 1;
        let mut byte_pairs = vec![NONE; 1 << 16];
        for (id, &[left, right]) in self.splits.iter().enumerate() {
            if left < 256 && right < 256 {
                byte_pairs[(left << 8 | right) as usize] = id as u32;
            }
        }
        let (merges, seeds) = self.merges();
        let mut ids = vec![0u32; 1 << pair_bits];
        for (id, token) in self.tokens.iter().enumerate().filter(|(_, token)| !token.is_empty()) {
            let mut slot = bytes_hash(token) as usize % ids.len();
            while ids[slot] != 0 {
                slot = (slot + 1) % ids.len();
            }
            ids[slot] = id as u32 + 1;
        }
        let (short, medium) = self.pieces();
        let (pairs, spoilers, atoms) = self.beginnings();
        Expanded {
            bytes,
            starts,
            halves: self.splits.iter().flatten().copied().collect(),
            merges,
            seeds,
            byte_pairs,
            ids,
            singles: self.singles().map(|id| id as u8),
            short,
            medium,
            joints: self.joints(),
            alone: self.alone(),
            pairs,
            spoilers,
            atoms,
        }
    }

    /// Slots of merges, each two ids above the one they merge into or all ones, and the seeds by which pairs find theirs.
    fn merges(&self) -> (Vec<u64>, Vec<u16>) {
        let merges = self.splits.iter().zip(0u64..).filter(|([left, _], _)| *left != NONE);
        let merges: Vec<(u64, u64)> = merges.map(|(&[left, right], id)| (pair_key(left, right), id)).collect();
        // A group finds room by few seeds as long as an eighth of the slots is free.
        let bits = (merges.len() * 8 / 7).next_power_of_two().trailing_zeros();
        let group_bits = bits - 3;
        let mut groups: Vec<Vec<(u64, u64)>> = vec![Vec::new(); 1 << group_bits];
        for (key, id) in merges {
            let hash = merge_hash(key);
            groups[merge_group(hash, group_bits)].push((hash, key << ID_BITS | id));
        }
        let mut slots = vec![u64::MAX; 1 << bits];
        let mut seeds = vec![1; groups.len()];
        // Large groups first, while there is much room; but before them that of the pair whose hash is 0, as is its slot by
        // every seed.
        let mut order: Vec<usize> = (0..groups.len()).collect();
        order.sort_by_key(|&group| (group > 0, Reverse(groups[group].len())));
        for group in order {
            let group_slots = |seed| groups[group].iter().map(move |&(hash, _)| merge_slot(hash, seed, bits));
            let is_free = |seed: &u16| {
                group_slots(*seed).all(|slot| slots[slot] == u64::MAX)
                    && group_slots(*seed)
                        .enumerate()
                        .all(|(at, slot)| group_slots(*seed).skip(at + 1).all(|other| other != slot))
            };
            let seed = (1..=u16::MAX).step_by(2).find(is_free).expect("some seed has room for the group");
            for (slot, &(_, entry)) in group_slots(seed).zip(&groups[group]) {
                slots[slot] = entry;
            }
            seeds[group] = seed;
        }
        (slots, seeds)
    }

    /// The numbers of tokens of short and medium pieces.
    fn pieces(&self) -> (Vec<[u64; 4]>, Vec<[u64; 2]>) {
        let pieces: Vec<&[u8]> = self.whole().collect();
        let bits = (pieces.len() / 4).next_power_of_two().trailing_zeros();
        let mut short = vec![[0u64; 4]; 1 << bits];
        let mut medium = Vec::new();
        for &piece in &pieces {
            if piece.len() <= 8 {
                let key = short_key(piece);
                // Earlier tokens are more frequent; those that find no place go to the other table.
                if let Some(free) = short[short_bucket(key, bits)].iter_mut().find(|slot| **slot == 0) {
                    *free = short_slot(key, bits) | 1;
                    continue;
                }
            }
            if piece.len() <= 15 {
                medium.push(medium_key(piece));
            }
        }
        let slots = (medium.len() * 3 / 2).next_power_of_two();
        let mut table = vec![[0u64; 2]; slots];
        for key in medium {
            let mut slot = medium_hash(key) as usize % slots;
            while table[slot][1] != 0 {
                slot = (slot + 1) % slots;
            }
            table[slot] = [key[0], key[1] | (1 << MEDIUM_COUNT)];
        }
        (short, table)
    }

    /// Which characters of three bytes may share a token with which next one.
    fn joints(&self) -> Vec<u64> {
        const BITS: u32 = 20;
        let mut joints = vec![0u64; 1 << (BITS - 6)];
        let mut seen = HashSet::new();
        for token in self.whole() {
            for at in (1..token.len()).filter(|&at| token[at] >= 0xe0 && token[at] < 0xf0) {
                let before = &token[at.saturating_sub(3)..at];
                let start = before.iter().rposition(|byte| !(0x80..0xc0).contains(byte)).unwrap_or(0);
                let (before, after) = (&before[start..], &token[at..token.len().min(at + 3)]);
                if before[0] >= 0xe0 && before.len() < 3 || before[0] >= 0xc0 && before[0] < 0xe0 || before[0] < 0x80 {
                    continue; // The character before has another length.
                }
                // Parts of characters stand for very many.
                if !seen.insert((before, after)) {
                    continue;
                }
                for left in matching(before, false) {
                    for right in matching(after, true) {
                        let bit = joint_bit(left, right, BITS);
                        joints[bit / 64] |= 1 << (bit % 64);
                    }
                }
            }
        }
        joints
    }

    /// How many tokens each character of three bytes is alone.
    fn alone(&self) -> Vec<u64> {
        let singles = self.singles();
        let mut alone = vec![0u64; 0x1_0000 / 32];
        for point in (0x800..0x1_0000u32).filter_map(char::from_u32) {
            let count = self.tokens_of(&singles, point.encode_utf8(&mut [0; 4]).as_bytes());
            alone[point as usize / 32] |= count << (point as usize % 32 * 2);
        }
        alone
    }
}

/// The characters of three bytes that start with these bytes, or end with them.
fn matching(bytes: &[u8], prefix: bool) -> Vec<u32> {
    let bits = |bytes: &[u8]| bytes.iter().fold(0, |bits, byte| (bits << 6) | u32::from(byte & 0x3f));
    let missing = 6 * (3 - bytes.len() as u32);
    if prefix {
        let first = u32::from(bytes[0] & 0x0f) << (6 * (bytes.len() as u32 - 1)) | bits(&bytes[1..]);
        (first << missing..(first + 1) << missing).collect()
    } else if bytes.len() == 3 {
        vec![(bits(bytes)) & 0xffff]
    } else {
        (0..1 << (missing - 2)).map(|first| first << (6 * bytes.len() as u32) | bits(bytes)).collect()
    }
}
