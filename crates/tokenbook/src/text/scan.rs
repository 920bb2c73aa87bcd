//! Where pieces start in 64 bytes at once, by arithmetic on one bit per byte. What a character is, is known by its bytes for
//! ASCII, simple letters of two bytes, and most ideographs, kana, Hangul and punctuation of three; of others it is looked up.
//!
//! A window starts where a piece starts, so nothing is carried from one to the next. What the window's end may still
//! change is left to the next window.

use super::bpe::SMALL;
use super::class::{self, LOWER, MARK, NUMBER, OTHER, UNCASED, UPPER};
use super::fast::Job;
use super::split::Pattern;
use super::vocab::Vocab;

/// Bytes looked at together.
pub(super) const WINDOW: usize = 64;

/// A window and what is read behind it.
pub(super) type Window = [u8; 80];

/// Which of 64 bytes are what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Masks {
    pub(super) letter: u64,
    pub(super) upper: u64,
    pub(super) digit: u64,
    pub(super) space: u64,
    /// Tab, vertical tab and form feed.
    pub(super) tab: u64,
    pub(super) newline: u64,
    pub(super) apostrophe: u64,
    pub(super) slash: u64,
    /// All bytes of letters without case.
    pub(super) uncased: u64,
    /// All bytes but the last of characters that are neither letters, digits nor blanks.
    pub(super) inner: u64,
    /// What is not for this scanner: NUL, and the rest of what is not ASCII.
    pub(super) stop: u64,
}

/// Which bytes may be part of the letters of two bytes that are covered: Latin-1 and basic Cyrillic.
pub(super) struct Wide {
    /// First bytes of U+00C0 to U+00FF.
    pub(super) latin: u64,
    /// First bytes of U+0400 to U+043F.
    pub(super) cyrillic: u64,
    /// First bytes of U+0440 to U+047F.
    pub(super) cyrillic_lower: u64,
    /// Bytes from 80 to 9F.
    pub(super) from_80: u64,
    /// Bytes from A0 to AF.
    pub(super) from_a0: u64,
    /// Bytes from B0 to BF.
    pub(super) from_b0: u64,
    /// The second byte of `ß`, the first lower case letter of Latin-1.
    pub(super) sharp_s: u64,
    /// The second byte of `×`.
    pub(super) times: u64,
    /// The second byte of `÷`, and of U+4DC0 to U+4DFF, which are symbols.
    pub(super) divided: u64,
    /// First bytes of characters of three bytes.
    pub(super) three: u64,
}

/// Which bytes may be part of the characters of three bytes that are covered.
pub(super) struct Three {
    /// First bytes of U+2000 to U+2FFF, and so on.
    pub(super) e2: u64,
    pub(super) e3: u64,
    pub(super) e4: u64,
    pub(super) ea: u64,
    pub(super) ed: u64,
    pub(super) ef: u64,
    /// First bytes of U+4000 to U+DFFF.
    pub(super) from_e4: u64,
    /// Bytes that are just this.
    pub(super) x80: u64,
    pub(super) x81: u64,
    pub(super) x82: u64,
    pub(super) x83: u64,
    pub(super) x9e: u64,
    pub(super) xa0: u64,
    pub(super) xbb: u64,
    pub(super) xbc: u64,
    /// Bytes from 81 to 84, and so on.
    pub(super) x81_84: u64,
    pub(super) x81_8f: u64,
    pub(super) x88_a0: u64,
    pub(super) x90_a7: u64,
    pub(super) x97_9c: u64,
    pub(super) x9a_a0: u64,
}

impl Masks {
    /// Covers these letters too: both of their bytes are letters, and what ends a run or starts one is the same.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    pub(super) fn add_wide(&mut self, wide: &Wide) {
        let (latin, cyrillic) = (wide.latin << 1, wide.cyrillic << 1);
        let upper = (latin & wide.from_80 & !wide.sharp_s & !wide.times) | (cyrillic & (wide.from_80 | wide.from_a0));
        let lower = (latin & (wide.from_a0 | wide.from_b0 | wide.sharp_s) & !wide.divided)
            | (cyrillic & wide.from_b0)
            | ((wide.cyrillic_lower << 1) & wide.from_80);
        let letter = upper | lower;
        self.letter |= letter | (letter >> 1);
        self.upper |= upper | (upper >> 1);
        self.stop &= !(letter | (letter >> 1));
    }

    /// Covers characters of three bytes: most ideographs, kana and Hangul, which are letters without case, and punctuation
    /// that is common with them and in typeset text.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    pub(super) fn add_three(&mut self, wide: &Wide, three: &Three) {
        // Each by its last byte, so that one that the window cuts is not there.
        let both = |first: u64, second: u64| (first << 2) & (second << 1);
        let whole = three.from_e4 & !(three.e4 | three.ea | three.ed);
        let letter = (whole << 2)
            | ((three.e4 << 2) & !(wide.divided << 1))
            | both(three.ea, wide.from_b0)
            | both(three.ed, wide.from_80 & !(three.x9e | wide.sharp_s))
            | (both(three.e3, three.x81) & !three.x80)
            | (both(three.e3, three.x82) & !(three.x97_9c | three.xa0))
            | (both(three.e3, three.x83) & !three.xbb);
        let other = (both(three.e2, three.x80) & three.x90_a7)
            | (both(three.e3, three.x80) & (three.x81_84 | three.x88_a0))
            | (both(three.e3, three.x83) & three.xbb)
            | (both(three.ef, three.xbc) & (three.x81_8f | three.x9a_a0));
        let bytes = |last: u64| last | (last >> 1) | (last >> 2);
        self.uncased = bytes(letter);
        self.letter |= self.uncased;
        self.inner = (other >> 2) | (other >> 1);
        self.stop &= !bytes(letter | other);
    }

    /// Covers characters of two and of three bytes, whose first bytes these are, by their classes: all but digits and blanks.
    ///
    /// A mark goes on with the word before it in the patterns that have marks in words; where it starts something, it may be
    /// more than one thing. In the others it is like punctuation. So are radicals, but in Kimi, where they start a piece of
    /// Chinese characters unless punctuation is before them.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    pub(super) fn add_others(&mut self, pattern: Pattern, window: &Window, twos: u64, threes: u64) {
        // First bytes of each class, by the number of its bit.
        let (mut two, mut three) = ([0u64; 8], [0u64; 8]);
        let number = |class: u8| class.trailing_zeros() as usize % 8;
        // Those that the window cuts are left out.
        let mut rest = self.stop & twos & (u64::MAX >> 1);
        while rest != 0 {
            let at = rest.trailing_zeros() as usize;
            two[number(class::of_two(window, at))] |= rest & rest.wrapping_neg();
            rest &= rest - 1;
        }
        rest = self.stop & threes & (u64::MAX >> 2);
        while rest != 0 {
            let at = rest.trailing_zeros() as usize;
            // As little covered as numbers.
            let is_apart = pattern == Pattern::Kimi && class::is_radical(window, at);
            let class = if is_apart { NUMBER } else { class::of_three(window, at) };
            three[number(class)] |= rest & rest.wrapping_neg();
            rest &= rest - 1;
        }
        // With the bytes that follow.
        let bytes = |two: u64, three: u64| two | (two << 1) | three | (three << 1) | (three << 2);
        let all = |class: u8| bytes(two[number(class)], three[number(class)]);
        let (upper, uncased) = (all(UPPER), all(UNCASED));
        let letter = upper | uncased | all(LOWER);
        self.letter |= letter;
        self.upper |= upper;
        let (mut mark, mut other_two, mut other_three) = (0, two[number(OTHER)], three[number(OTHER)]);
        if pattern.has_marks_in_words() {
            mark = all(MARK);
            mark &= !mark.wrapping_add(mark & (self.letter << 1));
        } else {
            other_two |= two[number(MARK)];
            other_three |= three[number(MARK)];
        }
        self.letter |= mark;
        self.uncased |= uncased | mark;
        self.inner |= other_two | other_three | (other_three << 1);
        self.stop &= !(letter | mark | bytes(other_two, other_three));
    }
}

/// A way to make masks, and to merge with the same instructions.
pub(super) trait Scan: Sized {
    /// The masks of the first 64 bytes.
    fn masks(window: &Window) -> Masks;

    /// The masks with what else is covered in a pattern's windows. Masks go in and out by value, so that they stay in
    /// registers where this isn't called.
    #[inline]
    fn with_others(masks: Masks, _pattern: Pattern, _window: &Window) -> Masks {
        masks
    }

    /// Whether a text may go on with what the masks cover, by its next bytes.
    #[inline]
    fn covers(next: [u8; 8]) -> bool {
        // All but characters of four bytes, which are mostly emoji.
        next.iter().all(|&byte| byte < 0xf0)
    }

    /// [`Job::scan`] with the same instructions, compiled once.
    fn scan(job: &mut Job<'_>, text: &[u8], space: &[u8], from: usize, stop: usize, owner: usize) -> usize;

    /// [`Vocab::count_piece`] with the same instructions.
    fn count_piece(vocab: &Vocab, piece: &[u8]) -> u64;

    /// [`Job::merge_missed`] with the same instructions.
    fn merge_missed(job: &mut Job<'_>, text: &[u8]);

    /// The number of tokens of each piece of which many are merged fast, told to `done` with the piece's number; the
    /// numbers of the others are told to `longer`.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    fn count_short<'a>(
        vocab: &Vocab,
        mut pieces: impl Iterator<Item = (usize, &'a [u8])>,
        done: impl FnMut(usize, u64),
        mut longer: impl FnMut(usize),
    ) {
        // By hand, since a filter is not always compiled into the loop.
        let short = std::iter::from_fn(|| {
            loop {
                let (number, piece) = pieces.next()?;
                if piece.len() <= SMALL {
                    return Some((number, piece));
                }
                longer(number);
            }
        });
        vocab.count_small(short, done);
    }
}

/// Bits of a byte's kind; a slash is `APOSTROPHE | SPACE`, which nothing else is.
const KINDS: [u8; 256] = {
    let mut kinds = [0; 256];
    let mut byte = 0u8;
    loop {
        kinds[byte as usize] = match byte {
            b'a'..=b'z' => 1,
            b'A'..=b'Z' => 1 | 2,
            b'0'..=b'9' => 4,
            b' ' => 8,
            b'\t' | 11 | 12 => 16,
            b'\r' | b'\n' => 32,
            b'\'' => 64,
            b'/' => 64 | 8,
            0 | 0x80..=0xff => 128,
            _ => 0,
        };
        if byte == u8::MAX {
            break kinds;
        }
        byte += 1;
    }
};

/// The way that any processor has.
pub(super) struct Portable;

impl Scan for Portable {
    fn scan(job: &mut Job<'_>, text: &[u8], space: &[u8], from: usize, stop: usize, owner: usize) -> usize {
        job.scan::<Self>(text, space, from, stop, owner)
    }

    fn count_piece(vocab: &Vocab, piece: &[u8]) -> u64 {
        vocab.count_piece(piece)
    }

    fn merge_missed(job: &mut Job<'_>, text: &[u8]) {
        job.merge_missed::<Self>(text);
    }

    #[inline]
    fn covers(next: [u8; 8]) -> bool {
        u64::from_le_bytes(next) & 0x8080_8080_8080_8080 == 0
    }

    #[inline]
    fn masks(window: &Window) -> Masks {
        let mut planes = [0u64; 8];
        for eight in (0..WINDOW).step_by(8) {
            let mut kinds = [0; 8];
            for (kind, byte) in kinds.iter_mut().zip(&window[eight..eight + 8]) {
                *kind = KINDS[usize::from(*byte)];
            }
            let rows = transposed(u64::from_le_bytes(kinds)).to_le_bytes();
            for (plane, row) in planes.iter_mut().zip(rows) {
                *plane |= u64::from(row) << eight;
            }
        }
        let slash = planes[6] & planes[3];
        Masks {
            letter: planes[0],
            upper: planes[1],
            digit: planes[2],
            space: planes[3] ^ slash,
            tab: planes[4],
            newline: planes[5],
            apostrophe: planes[6] ^ slash,
            slash,
            uncased: 0,
            inner: 0,
            stop: planes[7],
        }
    }
}

/// Bit `i` of byte `j` to bit `j` of byte `i`.
fn transposed(bits: u64) -> u64 {
    let swap = |bits: u64, mask: u64, distance: u32| {
        let moved = (bits ^ (bits >> distance)) & mask;
        bits ^ moved ^ (moved << distance)
    };
    let bits = swap(bits, 0x00aa_00aa_00aa_00aa, 7);
    let bits = swap(bits, 0x0000_cccc_0000_cccc, 14);
    swap(bits, 0x0000_0000_f0f0_f0f0, 28)
}

/// Pieces of a window that are settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pieces {
    /// Where they start, below `end`.
    pub(super) starts: u64,
    /// Where the last one ends; 0 if none is settled, which is at most 63.
    pub(super) end: u32,
}

/// All bits below this one; it is at most 63.
#[inline]
fn below(bit: u32) -> u64 {
    (1u64 << bit) - 1
}

/// The pieces of a window that starts where a piece starts, for all patterns that are scanned.
///
/// `left` is how much is left of the text, or [`WINDOW`] where there is more or may be. `None` where the arithmetic doesn't cover
/// what is there; the definition has to be asked.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled once per instruction set")]
pub(super) fn pieces(pattern: Pattern, window: &Window, masks: &Masks, left: u32) -> Option<Pieces> {
    let o200k = pattern.is_like_o200k();
    let mut limit = masks.stop.trailing_zeros().min(left);
    if pattern == Pattern::Kimi {
        // Chinese characters are apart, and others stop here with them.
        limit = limit.min(masks.uncased.trailing_zeros());
    } else if o200k {
        // Upper case behind letters without case may belong to their word or not.
        limit = limit.min((masks.upper & (masks.uncased << 1)).trailing_zeros());
    }
    if limit == 0 {
        return None;
    }
    let valid = if limit == 64 { u64::MAX } else { below(limit) };
    let top = valid & !(valid >> 1);
    let letter = masks.letter & valid;
    let digit = masks.digit & valid;
    let space = masks.space & valid;
    let newline = masks.newline & valid;
    let blank = space | newline | (masks.tab & valid);
    // Nothing comes behind that could change a piece. What white space is at an end, each pattern says by itself.
    let is_end = limit == left && left < 64 && blank & top == 0;
    let other = valid & !(letter | digit | blank);

    // Newlines right behind other characters belong to them, in some patterns with slashes from the first newline on.
    let joint = newline & (other << 1);
    let mut joined = newline & (newline.wrapping_add(joint) ^ newline);
    if pattern.has_slashes_behind_punctuation() && (joined << 1) & masks.slash != 0 {
        let run = newline | (masks.slash & valid);
        let rest = run & !joint;
        // Of each run, what comes before that newline.
        let before = rest & (rest.wrapping_add(rest & !(run << 1)) ^ rest);
        joined = run & !before;
    }
    let other = other & !joined;
    let blank = blank & !joined;
    let newline = newline & !joined;
    // Blanks between two newlines of one run: only the last newline counts.
    let level = blank & !newline;
    if level.wrapping_add(level & (newline << 1)) & !level & newline != 0 {
        return None;
    }
    let last = blank & !(blank >> 1) & !newline;
    let behind_newline = (newline << 1) & !newline;
    let mut starts = (blank & !(blank << 1)) | last | (behind_newline & blank);

    let other_start = other & !(other << 1);
    // One such character by itself belongs to the word behind it.
    let first = other_start & !(space << 1);
    let inner = masks.inner;
    let first_end = (first & !inner) | (inner.wrapping_add(first & inner) & !inner);
    let single = first_end & !(other >> 1);
    starts |= first;
    let letter_start = letter & !(letter << 1);
    starts |= letter_start & !((single | last) << 1);

    let digit_start = digit & !(digit << 1);
    starts |= digit_start;
    let mut third = digit_start;
    let four = digit & (digit << 1) & (digit << 2) & (digit << 3);
    if pattern.has_single_digits() {
        (starts, third) = (starts | digit, 0);
    }
    while third != 0 {
        third = (third << 3) & four;
        starts |= third;
    }

    if o200k {
        starts |= letter & masks.upper & ((letter & !masks.upper) << 1);
    }
    // Where a word ends that may still get a contraction.
    let mut open = 64;
    let mut quotes = match o200k {
        _ if !pattern.has_contractions() => 0,
        true => masks.apostrophe & other & (letter << 1),
        false => masks.apostrophe & single,
    };
    quotes &= (letter >> 1) | top;
    let mut done = 0;
    while quotes != 0 {
        let at = quotes.trailing_zeros();
        quotes &= quotes - 1;
        // A word has one contraction at most.
        if o200k && at == done && at > 0 {
            continue;
        }
        let end = at + contraction(window, at);
        if end > at && end <= limit.min(63) {
            let inside = below(end) & !below(at + 1);
            starts &= !inside;
            if o200k {
                starts &= !(1 << at);
            }
            starts |= (1 << end) & letter;
            done = end;
        } else if o200k && !is_end && at + 3 > limit.min(63) {
            open = at;
            break;
        }
    }

    let starts = (starts | 1) & valid;
    if is_end { Some(Pieces { starts, end: limit }) } else { settled(valid, blank, starts, open) }
}

/// Cuts off what may change with what comes behind the window.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled once per instruction set")]
fn settled(valid: u64, blank: u64, starts: u64, open: u32) -> Option<Pieces> {
    let top = valid.ilog2();
    let mut end = if (blank >> top) & 1 == 1 {
        // The first of the last run of blanks.
        64 - (valid & !blank).leading_zeros()
    } else {
        starts.ilog2()
    };
    if end >= open {
        end = 63 - (starts & below(open)).leading_zeros().min(63);
    }
    (end > 0 && end < 64).then_some(Pieces { starts: starts & below(end), end })
}

/// The length of the contraction at an apostrophe, or 0.
#[inline]
fn contraction(window: &Window, at: u32) -> u32 {
    let at = at as usize & 63;
    match (window[at + 1] | 0x20, window[at + 2] | 0x20) {
        (b's' | b'd' | b'm' | b't', _) => 2,
        (b'l', b'l') | (b'v' | b'r', b'e') => 3,
        // Regardless of case, `ſ` is an `s`.
        _ if window[at + 1..at + 3] == [0xc5, 0xbf] => 3,
        _ => 0,
    }
}
