//! 64 bytes, or 16 tokens, at a time.
//!
//! A piece is merged in two vectors, one of its tokens and one of what each and the next merge into. What merging takes
//! out is squeezed out of both, so that neighbours stay neighbours and nothing has to be followed from place to place.

use super::arch::{
    __m512i, _mm_cvtsi128_si32, _mm_extract_epi32, _mm_maskz_loadu_epi8, _mm512_add_epi32, _mm512_alignr_epi32,
    _mm512_and_si512, _mm512_castsi512_si128, _mm512_cmpeq_epi8_mask, _mm512_cmpeq_epi32_mask, _mm512_cmplt_epu8_mask,
    _mm512_cmpneq_epi32_mask, _mm512_cvtepu8_epi32, _mm512_loadu_si512, _mm512_mask_compress_epi32,
    _mm512_mask_expand_epi32, _mm512_mask_i32gather_epi32, _mm512_mask_set1_epi32, _mm512_movepi8_mask,
    _mm512_or_si512, _mm512_permutex2var_epi8, _mm512_permutexvar_epi32, _mm512_reduce_min_epu32, _mm512_set1_epi8,
    _mm512_set1_epi32, _mm512_slli_epi32, _mm512_storeu_si512, _mm512_sub_epi8, _mm512_test_epi8_mask,
    _mm512_zextsi128_si512,
};

use crate::text::bpe::NEVER;
use crate::text::fast::Job;
use crate::text::raw::avx2;
use crate::text::scan::{Masks, Scan, Window};
use crate::text::split::Pattern;
use crate::text::vocab::{BORDER, Merges, Place, Vocab};

pub(in crate::text) struct Avx512;

impl Scan for Avx512 {
    #[inline]
    fn masks(window: &Window) -> Masks {
        // SAFETY: `Instructions` alone counts with this, after asking the processor.
        unsafe { masks(window) }
    }

    #[inline]
    fn with_others(masks: Masks, pattern: Pattern, window: &Window) -> Masks {
        // SAFETY: as above.
        unsafe { avx2::with_others(masks, pattern, window) }
    }

    #[inline]
    fn scan(job: &mut Job<'_>, text: &[u8], space: &[u8], from: usize, stop: usize, owner: usize) -> usize {
        // SAFETY: as above.
        unsafe { scan(job, text, space, from, stop, owner) }
    }

    #[inline]
    fn count_piece(vocab: &Vocab, piece: &[u8]) -> u64 {
        // SAFETY: as above.
        unsafe { avx2::count_piece(vocab, piece) }
    }

    #[inline]
    fn merge_missed(job: &mut Job<'_>, text: &[u8]) {
        // SAFETY: as above.
        unsafe { merge_missed(job, text) };
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once per instruction set")]
    fn count_short<'a>(
        vocab: &Vocab,
        pieces: impl Iterator<Item = (usize, &'a [u8])>,
        done: impl FnMut(usize, u64),
        longer: impl FnMut(usize),
    ) {
        // SAFETY: as above.
        unsafe { count_short(vocab, pieces, done, longer) }
    }
}

features! {
    fn scan(job: &mut Job<'_>, text: &[u8], space: &[u8], from: usize, stop: usize, owner: usize) -> usize {
        job.scan::<Avx512>(text, space, from, stop, owner)
    }

    fn merge_missed(job: &mut Job<'_>, text: &[u8]) {
        job.merge_missed::<Avx512>(text);
    }

    #[inline]
    fn masks(window: &Window) -> Masks {
        let bytes = load(window.first_chunk().expect("a window has 80 bytes"));
        let all = |byte: u8| _mm512_set1_epi8(byte.cast_signed());
        let is = |byte: u8| _mm512_cmpeq_epi8_mask(bytes, all(byte));
        // Whether a byte is one of `count` from `first` on.
        let within = |bytes: __m512i, first: u8, count: u8| {
            _mm512_cmplt_epu8_mask(_mm512_sub_epi8(bytes, all(first)), all(count))
        };
        let newline = is(b'\n') | is(b'\r');
        let stop = _mm512_movepi8_mask(bytes) | !_mm512_test_epi8_mask(bytes, bytes);
        let mut masks = Masks {
            letter: within(_mm512_or_si512(bytes, all(0x20)), b'a', 26),
            upper: within(bytes, b'A', 26),
            digit: within(bytes, b'0', 10),
            space: is(b' '),
            tab: within(bytes, b'\t', 5) & !newline,
            newline,
            apostrophe: is(b'\''),
            slash: is(b'/'),
            uncased: 0,
            inner: 0,
            stop,
        };
        if stop != 0 {
            avx2::add_wide(&mut masks, window);
        }
        masks
    }
}

/// The places before and behind one.
const AROUND: [u32; 16] = [u32::MAX, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Pieces that are merged in turns.
const LANES: usize = 8;

/// A piece while it is merged. Its first token is at place 1, behind a border, and there is room for 15.
#[repr(C, align(64))]
struct Lane {
    ids: [u32; 16],
    /// What the token at each place and the next merge into.
    pairs: [u32; 16],
    number: usize,
    /// How many tokens it has whose pairs are still to be looked up.
    begin: usize,
    /// The place of the last merge's token, as a bit; none before the first merge.
    at: u16,
    /// Where the pairs of that token with its neighbours would be.
    left: Place,
    right: Place,
}

impl Lane {
    const EMPTY: Self =
        Self { ids: [BORDER; 16], pairs: [NEVER; 16], number: 0, begin: 0, at: 0, left: Place::ANY, right: Place::ANY };

    features! {
        /// Begins with bytes, or with characters that are sure to become tokens; `false` if there are too many.
        #[inline]
        fn fill(&mut self, vocab: &Vocab, merges: Merges, number: usize, piece: &[u8]) -> bool {
            (self.number, self.begin, self.at) = (number, 0, 0);
            let length = piece.len();
            if length <= 15 {
                let bytes = load_short(piece);
                if _mm512_movepi8_mask(bytes) == 0 {
                    let (low, high) = vocab.tables.singles.split_at(64);
                    let table = |half: &[u8]| load(half.first_chunk().expect("256 bytes"));
                    let singles = _mm512_permutex2var_epi8(table(low), bytes, table(high));
                    let singles = _mm512_cvtepu8_epi32(_mm512_castsi512_si128(singles));
                    let border = _mm512_set1_epi32(BORDER.cast_signed());
                    let places = (1u16 << length) - 1;
                    let ids = _mm512_mask_expand_epi32(border, places << 1, singles);
                    let next = _mm512_alignr_epi32::<1>(border, ids);
                    let both = _mm512_or_si512(_mm512_slli_epi32::<8>(ids), next);
                    store(&mut self.ids, ids);
                    store(&mut self.pairs, gather(vocab.tables.byte_pairs, both, places & !1));
                    return true;
                }
            }
            // Three bytes may be one token.
            if length > 45 {
                return false;
            }
            let mut count = 0;
            let mut ids = [BORDER; 32];
            vocab.begin_with(piece, |id| {
                count += 1;
                ids[count & 31] = id;
            });
            if count > 15 {
                return false;
            }
            self.ids = *ids.first_chunk().expect("32 ids");
            self.pairs = [NEVER; 16];
            self.begin = count;
            for place in 1..count {
                merges.prefetch(merges.place(ids[place], ids[place + 1]));
            }
            true
        }

        /// Looks up the pairs of the token that the last turn made, merges one pair, and asks for the memory of its new
        /// neighbours' pairs. Gives the number of tokens once nothing is left to merge.
        #[inline]
        fn turn(&mut self, merges: Merges, limit: u32) -> Option<u64> {
            let border = _mm512_set1_epi32(BORDER.cast_signed());
            let mut ids = load32(&self.ids);
            let mut pairs = load32(&self.pairs);
            if self.begin > 0 {
                for place in 1..self.begin {
                    let (left, right) = (self.ids[place & 15], self.ids[(place + 1) & 15]);
                    let pair = merges.merge(left, right);
                    pairs = _mm512_mask_set1_epi32(pairs, 1 << place, pair.cast_signed());
                }
                self.begin = 0;
            }
            let left = merges.at(self.left);
            let right = merges.at(self.right);
            pairs = _mm512_mask_set1_epi32(pairs, self.at >> 1, left.cast_signed());
            pairs = _mm512_mask_set1_epi32(pairs, self.at, right.cast_signed());
            let least = _mm512_reduce_min_epu32(pairs);
            if least >= limit {
                return Some(u64::from(_mm512_cmpneq_epi32_mask(ids, border).count_ones()));
            }
            let all = _mm512_set1_epi32(least.cast_signed());
            let hits = _mm512_cmpeq_epi32_mask(pairs, all);
            let at = hits & hits.wrapping_neg();
            let kept = !(at << 1);
            ids = _mm512_mask_set1_epi32(ids, at, least.cast_signed());
            ids = _mm512_mask_compress_epi32(border, kept, ids);
            store(&mut self.ids, ids);
            store(&mut self.pairs, _mm512_mask_compress_epi32(_mm512_set1_epi32(-1), kept, pairs));
            let place = _mm512_set1_epi32(at.trailing_zeros().cast_signed());
            let around = _mm512_permutexvar_epi32(_mm512_add_epi32(place, load32(&AROUND)), ids);
            let around = _mm512_castsi512_si128(around);
            let before = _mm_cvtsi128_si32(around).cast_unsigned();
            let after = _mm_extract_epi32::<1>(around).cast_unsigned();
            self.at = at;
            self.left = merges.place(before, least);
            self.right = merges.place(least, after);
            merges.prefetch(self.left);
            merges.prefetch(self.right);
            None
        }
    }
}

features! {
    /// The number of tokens of each piece that begins with few enough, told to `done` with the piece's number; the numbers
    /// of the others are told to `longer`.
    fn count_short<'a>(
        vocab: &Vocab,
        mut pieces: impl Iterator<Item = (usize, &'a [u8])>,
        mut done: impl FnMut(usize, u64),
        mut longer: impl FnMut(usize),
    ) {
        let (merges, limit) = (vocab.merges(), vocab.limit);
        let mut lanes = [Lane::EMPTY; LANES];
        let mut fill = |lane: &mut Lane| {
            for (number, piece) in pieces.by_ref() {
                if lane.fill(vocab, merges, number, piece) {
                    return true;
                }
                longer(number);
            }
            false
        };
        let mut used = 0;
        while used < LANES && fill(&mut lanes[used]) {
            used += 1;
        }
        while used > 0 {
            let mut lane = 0;
            while lane < used {
                if let Some(count) = lanes[lane].turn(merges, limit) {
                    done(lanes[lane].number, count);
                    if !fill(&mut lanes[lane]) {
                        used -= 1;
                        lanes.swap(lane, used);
                        continue;
                    }
                }
                lane += 1;
            }
        }
    }

    #[inline]
    fn load(bytes: &[u8; 64]) -> __m512i {
        // SAFETY: 64 bytes are there, and the load needs no alignment.
        unsafe { _mm512_loadu_si512(std::ptr::from_ref(bytes).cast()) }
    }

    #[inline]
    fn load32(words: &[u32; 16]) -> __m512i {
        // SAFETY: 64 bytes are there, and the load needs no alignment.
        unsafe { _mm512_loadu_si512(std::ptr::from_ref(words).cast()) }
    }

    #[inline]
    fn store(words: &mut [u32; 16], vector: __m512i) {
        // SAFETY: as above.
        unsafe { _mm512_storeu_si512(std::ptr::from_mut(words).cast(), vector) };
    }

    /// Up to 16 bytes, with zeros behind them.
    #[inline]
    fn load_short(bytes: &[u8]) -> __m512i {
        // None of no bytes: reading one of them would be reading what isn't there.
        let mask = u16::MAX.unbounded_shr(16 - u32::try_from(bytes.len()).unwrap_or(16).min(16));
        // SAFETY: only bytes that are there are read.
        _mm512_zextsi128_si512(unsafe { _mm_maskz_loadu_epi8(mask, bytes.as_ptr().cast()) })
    }

    /// The entries with these numbers at the places of a mask.
    #[inline]
    fn gather(table: &[u32; 1 << 16], numbers: __m512i, places: u16) -> __m512i {
        let numbers = _mm512_and_si512(numbers, _mm512_set1_epi32(0xffff));
        // SAFETY: the table has all numbers of 16 bits.
        unsafe { _mm512_mask_i32gather_epi32::<4>(_mm512_set1_epi32(-1), places, numbers, table.as_ptr().cast()) }
    }
}
