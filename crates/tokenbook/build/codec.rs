//! The compact form of a vocabulary: its merges in rank order, by an adaptive binary arithmetic coder.
//!
//! A byte-pair vocabulary is 256 bytes and a list of merges, each of two earlier tokens. The ids of a merge's halves are
//! coded bit by bit, the right one in the context of the last byte of the left one.

/// Bits of a token id: o200k has 199,998 tokens.
pub(crate) const ID_BITS: u32 = 18;

/// Kinds of last byte that give the right half its context.
const KINDS: usize = 80;

/// One probability per node of a binary tree over ids, learned while coding.
pub(crate) struct Model {
    /// Distance of the probability of a 1 from one half, in 1/65536, with the number of bits seen in the low byte's place.
    nodes: Vec<(i16, u16)>,
}

impl Model {
    pub(crate) fn new(contexts: usize) -> Self {
        // All zero, so that pages which are never met are never touched.
        Self { nodes: vec![(0, 0); contexts << ID_BITS] }
    }

    /// The probability of a 1 at a node, in 1/65536.
    pub(crate) fn one(&self, node: usize) -> u32 {
        (i32::from(self.nodes[node].0) + 32_768).clamp(32, 65_504).unsigned_abs()
    }

    /// Moves the probability toward the bit that came.
    pub(crate) fn learn(&mut self, node: usize, bit: bool) {
        let (offset, seen) = &mut self.nodes[node];
        let target = if bit { 32_767 } else { -32_767 };
        let step = (target - i32::from(*offset)) * 10 / (10 * i32::from(*seen) + 16);
        *offset = i16::try_from((i32::from(*offset) + step).clamp(-32_767, 32_767)).unwrap_or(0);
        *seen = (*seen + 1).min(255);
    }
}

/// Which model context the right half has after a left half that ends in `last` and starts with `first`.
fn kind(first: u8, last: u8) -> usize {
    usize::from(match last {
        b'a'..=b'z' => 1 + last - b'a',
        b'A'..=b'Z' => 27,
        b' ' => 28,
        0x80..=0xbf => 29 + (first & 15),
        0xc0..=0xff => 46 + (last & 31),
        _ => 0,
    })
}

/// What both directions know: the tokens so far by first and last byte, and the models.
pub(crate) struct State {
    ends: Vec<(u8, u8)>,
    /// Of left halves.
    pub(crate) left: Model,
    /// Of right halves, by context.
    pub(crate) right: Model,
}

impl State {
    /// Knows the 256 single bytes.
    pub(crate) fn new(bytes: &[u8; 256]) -> Self {
        Self { ends: bytes.iter().map(|&byte| (byte, byte)).collect(), left: Model::new(1), right: Model::new(KINDS) }
    }

    /// The context of the right half.
    pub(crate) fn context(&self, left: u32) -> usize {
        let (first, last) = self.ends[left as usize];
        kind(first, last)
    }

    /// Adds a token.
    pub(crate) fn push(&mut self, left: u32, right: u32) {
        self.ends.push((self.ends[left as usize].0, self.ends[right as usize].1));
    }
}

/// Reads the 256 bytes in id order and the merges.
pub(crate) fn decode(data: &[u8]) -> ([u8; 256], Vec<(u32, u32)>) {
    let bytes: [u8; 256] = data[..256].try_into().expect("256 bytes");
    let count = u32::from_le_bytes(data[256..260].try_into().expect("4 bytes"));
    let mut rest = data[260..].iter().map(|&byte| u32::from(byte));
    let mut next = || rest.next().unwrap_or(0);
    let mut state = State::new(&bytes);
    let (mut low, mut high) = (0u32, u32::MAX);
    let mut code = (0..4).fold(0, |code, _| (code << 8) | next());
    let mut merges = Vec::with_capacity(count as usize);
    for _ in 0..count {
        let mut halves = [0u32; 2];
        for half in 0..2 {
            let (context, model) =
                if half == 0 { (0, &mut state.left) } else { (state.context(halves[0]), &mut state.right) };
            let mut node = 1usize;
            for _ in 0..ID_BITS {
                let at = (context << ID_BITS) | node;
                let middle = split(low, high, model.one(at));
                let bit = code <= middle;
                if bit {
                    high = middle;
                } else {
                    low = middle + 1;
                }
                model.learn(at, bit);
                node = node * 2 + usize::from(bit);
                while (low ^ high) >> 24 == 0 {
                    low <<= 8;
                    high = (high << 8) | 255;
                    code = (code << 8) | next();
                }
            }
            halves[half] = u32::try_from(node).unwrap_or(0) - (1 << ID_BITS);
        }
        merges.push((halves[0], halves[1]));
        state.push(halves[0], halves[1]);
    }
    (bytes, merges)
}

/// Where the interval of ones ends.
pub(crate) fn split(low: u32, high: u32, one: u32) -> u32 {
    let range = u64::from(high - low);
    low + u32::try_from((range * u64::from(one)) >> 16).unwrap_or(0)
}
