//! Expands the committed vocabularies and character classes into the tables that the engine reads in place.
#![expect(clippy::cast_possible_truncation, reason = "ids have 18 bits, and a token at most 128 bytes")]

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

#[path = "build/codec.rs"]
mod codec;
#[path = "src/text/hash.rs"]
mod hash;

use hash::{
    FREQUENT_BITS, ID_BITS, MEDIUM_COUNT, bytes_hash, joint_bit, medium_hash, medium_key, pair_bit, pair_key,
    pair_slot, short_bucket, short_key, short_slot,
};

/// Marks the two ids of p50k's table that no token has: `<|endoftext|>` has its own place.
const NONE: u32 = u32::MAX;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-changed=src/text/hash.rs");
    println!("cargo::rerun-if-changed=data/vocab");
    let mut out = Out::new();
    for name in ["r50k_base", "cl100k_base", "o200k_base"] {
        let data = fs::read(format!("data/vocab/{name}.merges")).expect("the vocabulary is in the package");
        let vocabulary = Vocabulary::new(&data, name == "r50k_base");
        out.vocabulary(&name[..name.len() - 5].to_uppercase(), &vocabulary);
    }
    let ranges = fs::read_to_string("data/vocab/unicode-classes.txt").expect("the classes are in the package");
    out.classes(&ranges);
    out.finish();
}

struct Vocabulary {
    /// The bytes of each id.
    tokens: Vec<Vec<u8>>,
    /// The two halves of each id.
    splits: Vec<[u32; 2]>,
    /// The id that two halves merge into.
    pairs: HashMap<(u32, u32), u32>,
}

impl Vocabulary {
    fn new(data: &[u8], r50k: bool) -> Self {
        let (bytes, mut merges) = codec::decode(data);
        let mut tokens: Vec<Vec<u8>> = bytes.iter().map(|&byte| vec![byte]).collect();
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
        Self { tokens, splits, pairs }
    }

    /// The tokens that a piece can be: those of several bytes, none of them NUL. Runs of spaces of p50k are left out, for
    /// r50k doesn't have them.
    fn whole(&self) -> impl Iterator<Item = &[u8]> {
        let runs = self.tokens.iter().position(Vec::is_empty).unwrap_or(usize::MAX);
        self.tokens.iter().take(runs).map(Vec::as_slice).filter(|token| token.len() > 1 && !token.contains(&0))
    }

    /// The tokens of characters below U+10000 that always arise before anything else can happen to their bytes: no token
    /// that starts or ends within the character comes earlier. Merging may begin with them.
    fn atoms(&self) -> Vec<u32> {
        // The earliest longer token that ends with these bytes, and that starts with this one.
        let mut ends: HashMap<&[u8], u32> = HashMap::new();
        let mut starts = [NONE; 256];
        for (token, id) in self.tokens.iter().zip(0..).filter(|(token, _)| token.len() > 1) {
            for length in 1..token.len().min(3) {
                let end = ends.entry(&token[token.len() - length..]).or_insert(id);
                *end = id.min(*end);
            }
            let start = &mut starts[usize::from(token[0])];
            *start = id.min(*start);
        }
        let ends = |bytes: &[u8]| ends.get(bytes).copied().unwrap_or(NONE);
        let single = self.singles();
        let pair = |left, right| self.pairs.get(&(left, right)).copied();
        let mut atoms = vec![NONE; 0x1_0000];
        for point in (0..0x1_0000u32).filter_map(char::from_u32) {
            let mut buffer = [0; 4];
            let atom = match *point.encode_utf8(&mut buffer).as_bytes() {
                [only] => Some(single[usize::from(only)]),
                [first, second] => pair(single[usize::from(first)], single[usize::from(second)])
                    .filter(|&id| id < ends(&[first]) && id < starts[usize::from(second)]),
                [first, second, third] => pair(single[usize::from(first)], single[usize::from(second)])
                    .filter(|&id| id < ends(&[first]) && id < starts[usize::from(second)])
                    .and_then(|two| pair(two, single[usize::from(third)]))
                    .filter(|&id| id < ends(&[first, second]) && id < starts[usize::from(third)]),
                _ => None,
            };
            atoms[point as usize] = atom.unwrap_or(NONE);
        }
        atoms
    }

    fn singles(&self) -> [u32; 256] {
        let mut singles = [0; 256];
        for (token, id) in self.tokens[..256].iter().zip(0..) {
            singles[usize::from(token[0])] = id;
        }
        singles
    }

    /// The number of tokens of a character.
    fn tokens_of(&self, bytes: &[u8]) -> u64 {
        let singles = self.singles();
        let mut ids: Vec<u32> = bytes.iter().map(|&byte| singles[usize::from(byte)]).collect();
        while let Some((id, at)) =
            (1..ids.len()).filter_map(|at| Some((*self.pairs.get(&(ids[at - 1], ids[at]))?, at))).min()
        {
            ids[at - 1] = id;
            ids.remove(at);
        }
        ids.len() as u64
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

struct Out {
    folder: PathBuf,
    code: String,
    big_endian: bool,
}

impl Out {
    fn new() -> Self {
        let folder = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
        let big_endian = env::var_os("CARGO_CFG_TARGET_ENDIAN").is_some_and(|endian| endian == "big");
        Self { folder, code: String::new(), big_endian }
    }

    fn bytes(&mut self, name: &str, bytes: &[u8]) {
        self.file(name, bytes);
        let length = bytes.len();
        writeln!(
            self.code,
            "static {name}: &[u8; {length}] = include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{name}.bin\"));"
        )
        .expect("writing to a string");
    }

    fn words(&mut self, name: &str, kind: &str, length: usize, bytes: &[u8]) {
        self.file(name, bytes);
        writeln!(self.code, "static {name}: Aligned<[{kind}; {length}]> = table!({kind}, {length}, \"/{name}.bin\");")
            .expect("writing to a string");
    }

    fn file(&self, name: &str, bytes: &[u8]) {
        fs::write(self.folder.join(format!("{name}.bin")), bytes).expect("OUT_DIR is writable");
    }

    fn u32s(&mut self, name: &str, values: &[u32]) {
        let big = self.big_endian;
        let bytes: Vec<u8> =
            values.iter().flat_map(|value| if big { value.to_be_bytes() } else { value.to_le_bytes() }).collect();
        self.words(name, "u32", values.len(), &bytes);
    }

    fn u64s(&mut self, name: &str, values: &[u64]) {
        self.words(name, "u64", values.len(), &self.u64_bytes(values));
    }

    fn u64_bytes(&self, values: &[u64]) -> Vec<u8> {
        let big = self.big_endian;
        values.iter().flat_map(|value| if big { value.to_be_bytes() } else { value.to_le_bytes() }).collect()
    }

    fn vocabulary(&mut self, name: &str, vocabulary: &Vocabulary) {
        let mut starts = vec![0u32];
        let mut bytes = Vec::new();
        for token in &vocabulary.tokens {
            bytes.extend_from_slice(token);
            starts.push(bytes.len() as u32);
        }
        self.bytes(&format!("{name}_BYTES"), &bytes);
        self.u32s(&format!("{name}_STARTS"), &starts);
        let halves: Vec<u32> = vocabulary.splits.iter().flatten().copied().collect();
        self.u32s(&format!("{name}_HALVES"), &halves);

        let pair_bits = vocabulary.splits.len().next_power_of_two().trailing_zeros() + 1;
        let mut pairs = vec![0u64; 1 << pair_bits];
        // No pair has this, not even that of the token 0 with itself.
        let mut frequent = vec![u64::MAX; 1 << (FREQUENT_BITS + 1)];
        let mut filter = vec![0u64; 1 << (pair_bits + 2 - 6)];
        let mut byte_pairs = vec![NONE; 1 << 16];
        for (id, &[left, right]) in vocabulary.splits.iter().enumerate() {
            if left != NONE {
                let key = pair_key(left, right);
                if left < 256 && right < 256 {
                    byte_pairs[(left << 8 | right) as usize] = id as u32;
                }
                let bucket = 2 * pair_slot(key, FREQUENT_BITS);
                let free = frequent[bucket..bucket + 2].iter_mut().find(|slot| **slot == u64::MAX);
                if let Some(free) = free.filter(|_| id < 3 << (FREQUENT_BITS - 1)) {
                    *free = (key << ID_BITS) | id as u64;
                    continue;
                }
                let bit = pair_bit(key, pair_bits + 2);
                filter[bit / 64] |= 1 << (bit % 64);
                let mut slot = pair_slot(key, pair_bits);
                while pairs[slot] != 0 {
                    slot = (slot + 1) % pairs.len();
                }
                pairs[slot] = (key << ID_BITS) | id as u64;
            }
        }
        self.u64s(&format!("{name}_PAIRS"), &pairs);
        self.words(&format!("{name}_FREQUENT"), "[u64; 2]", frequent.len() / 2, &self.u64_bytes(&frequent));
        self.u64s(&format!("{name}_PAIR_FILTER"), &filter);
        self.u32s(&format!("{name}_BYTE_PAIRS"), &byte_pairs);

        let mut ids = vec![0u32; 1 << pair_bits];
        for (id, token) in vocabulary.tokens.iter().enumerate().filter(|(_, token)| !token.is_empty()) {
            let mut slot = bytes_hash(token) as usize % ids.len();
            while ids[slot] != 0 {
                slot = (slot + 1) % ids.len();
            }
            ids[slot] = id as u32 + 1;
        }
        self.u32s(&format!("{name}_IDS"), &ids);
        self.pieces(name, vocabulary);
        self.joints(name, vocabulary);
        self.u32s(&format!("{name}_ATOMS"), &vocabulary.atoms());
        let singles = vocabulary.singles().map(|id| id as u8);
        self.bytes(&format!("{name}_SINGLES"), &singles);
        writeln!(
            self.code,
            "pub(in crate::text) static {name}: Tables = Tables {{ bytes: {name}_BYTES, starts: &{name}_STARTS.0, halves: &{name}_HALVES.0, pairs: &{name}_PAIRS.0, frequent: &{name}_FREQUENT.0, pair_filter: &{name}_PAIR_FILTER.0, byte_pairs: &{name}_BYTE_PAIRS.0, ids: &{name}_IDS.0, singles: {name}_SINGLES, short: &{name}_SHORT.0, medium: &{name}_MEDIUM.0, joints: &{name}_JOINTS.0, alone: &{name}_ALONE.0, atoms: &{name}_ATOMS.0 }};"
        )
        .expect("writing to a string");
    }

    /// The numbers of tokens of short and medium pieces.
    fn pieces(&mut self, name: &str, vocabulary: &Vocabulary) {
        let pieces: Vec<(&[u8], u64)> = vocabulary.whole().map(|token| (token, 1)).collect();
        let bits = (pieces.len() / 4).next_power_of_two().trailing_zeros();
        let mut short = vec![0u64; 4 << bits];
        let mut medium = Vec::new();
        for &(piece, count) in &pieces {
            if piece.len() <= 8 {
                let key = short_key(piece);
                let bucket = 4 * short_bucket(key, bits);
                // Earlier tokens are more frequent; those that find no place go to the other table.
                if let Some(free) = short[bucket..bucket + 4].iter_mut().find(|slot| **slot == 0) {
                    *free = short_slot(key, bits) | count;
                    continue;
                }
            }
            if piece.len() <= 15 {
                medium.push((medium_key(piece), count));
            }
        }
        self.words(&format!("{name}_SHORT"), "[u64; 4]", short.len() / 4, &self.u64_bytes(&short));
        let slots = (medium.len() * 3 / 2).next_power_of_two();
        let mut table = vec![[0u64; 2]; slots];
        for (key, count) in medium {
            let mut slot = medium_hash(key) as usize % slots;
            while table[slot][1] != 0 {
                slot = (slot + 1) % slots;
            }
            table[slot] = [key[0], key[1] | (count << MEDIUM_COUNT)];
        }
        self.words(&format!("{name}_MEDIUM"), "[u64; 2]", slots, &self.u64_bytes(table.as_flattened()));
    }

    /// Which characters of three bytes may share a token with which next one, and how many tokens each is alone.
    fn joints(&mut self, name: &str, vocabulary: &Vocabulary) {
        const BITS: u32 = 20;
        let mut joints = vec![0u64; 1 << (BITS - 6)];
        for token in vocabulary.whole() {
            for at in (1..token.len()).filter(|&at| token[at] >= 0xe0 && token[at] < 0xf0) {
                let before = &token[at.saturating_sub(3)..at];
                let start = before.iter().rposition(|byte| !(0x80..0xc0).contains(byte)).unwrap_or(0);
                let (before, after) = (&before[start..], &token[at..token.len().min(at + 3)]);
                if before[0] >= 0xe0 && before.len() < 3 || before[0] >= 0xc0 && before[0] < 0xe0 || before[0] < 0x80 {
                    continue; // The character before has another length.
                }
                for left in matching(before, false) {
                    for right in matching(after, true) {
                        let bit = joint_bit(left, right, BITS);
                        joints[bit / 64] |= 1 << (bit % 64);
                    }
                }
            }
        }
        self.u64s(&format!("{name}_JOINTS"), &joints);
        let mut alone = vec![0u64; 0x1_0000 / 32];
        for point in (0x800..0x1_0000u32).filter_map(char::from_u32) {
            let count = vocabulary.tokens_of(point.encode_utf8(&mut [0; 4]).as_bytes());
            alone[point as usize / 32] |= count << (point as usize % 32 * 2);
        }
        self.u64s(&format!("{name}_ALONE"), &alone);
    }

    /// Two stages: a page number per 64 code points, and 64 classes per page.
    fn classes(&mut self, ranges: &str) {
        let mut classes = vec![0x80u8; 0x11_0000];
        for line in ranges.lines() {
            let fields: Vec<usize> =
                line.split(' ').map(|field| usize::from_str_radix(field, 16).expect("a hexadecimal number")).collect();
            classes[fields[0]..=fields[1]].fill(1 << (fields[2] - 1));
        }
        let mut pages: Vec<&[u8]> = Vec::new();
        let mut numbers = Vec::new();
        for page in classes.chunks(64) {
            let number = pages.iter().position(|known| *known == page).unwrap_or_else(|| {
                pages.push(page);
                pages.len() - 1
            });
            numbers.push(number as u16);
        }
        let big = self.big_endian;
        let bytes: Vec<u8> =
            numbers.iter().flat_map(|number| if big { number.to_be_bytes() } else { number.to_le_bytes() }).collect();
        self.words("CLASS_PAGES", "u16", numbers.len(), &bytes);
        let flat = pages.concat();
        self.bytes("CLASSES", &flat);
        self.code += "pub(in crate::text) static PAGES: &[u16; 17_408] = &CLASS_PAGES.0;\npub(in crate::text) static CLASS: &[u8] = CLASSES;\n";
    }

    fn finish(self) {
        fs::write(Path::new(&self.folder).join("tables.rs"), self.code).expect("OUT_DIR is writable");
    }
}
