//! 32 bytes at a time.

use std::arch::x86_64::{
    __m256i, _mm256_add_epi8, _mm256_and_si256, _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_min_epu8,
    _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8,
};

use crate::text::fast::Job;
use crate::text::scan::{Masks, Scan, Three, Wide, Window};
use crate::text::split::Pattern;
use crate::text::vocab::Vocab;

pub(in crate::text) struct Avx2;

impl Scan for Avx2 {
    #[inline]
    fn masks(window: &Window) -> Masks {
        // SAFETY: `Instructions` alone counts with this, after asking the processor.
        unsafe { masks(window) }
    }

    #[inline]
    fn with_others(masks: Masks, pattern: Pattern, window: &Window) -> Masks {
        // SAFETY: as above.
        unsafe { with_others(masks, pattern, window) }
    }

    #[inline]
    fn scan(job: &mut Job<'_>, text: &[u8], space: &[u8], from: usize, stop: usize, owner: usize) -> usize {
        // SAFETY: as above.
        unsafe { scan(job, text, space, from, stop, owner) }
    }

    #[inline]
    fn count_piece(vocab: &Vocab, piece: &[u8]) -> u64 {
        // SAFETY: as above.
        unsafe { count_piece(vocab, piece) }
    }

    #[inline]
    fn merge_missed(job: &mut Job<'_>, text: &[u8]) {
        // SAFETY: as above.
        unsafe { merge_missed(job, text) };
    }
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn scan(job: &mut Job<'_>, text: &[u8], space: &[u8], from: usize, stop: usize, owner: usize) -> usize {
    job.scan::<Avx2>(text, space, from, stop, owner)
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
pub(super) fn count_piece(vocab: &Vocab, piece: &[u8]) -> u64 {
    vocab.count_piece(piece)
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn merge_missed(job: &mut Job<'_>, text: &[u8]) {
    job.merge_missed::<Avx2>(text);
}

#[target_feature(enable = "avx2")]
#[inline]
fn masks(window: &Window) -> Masks {
    let (low, high) = (half(window, 0), half(window, 1));
    let mut masks = Masks {
        letter: join(low.letter, high.letter),
        upper: join(low.upper, high.upper),
        digit: join(low.digit, high.digit),
        space: join(low.space, high.space),
        tab: join(low.tab, high.tab),
        newline: join(low.newline, high.newline),
        apostrophe: join(low.apostrophe, high.apostrophe),
        slash: join(low.slash, high.slash),
        uncased: 0,
        inner: 0,
        stop: join(low.stop, high.stop),
    };
    if masks.stop != 0 {
        add_wide(&mut masks, window);
    }
    masks
}

/// Covers what is not ASCII.
#[target_feature(enable = "avx2")]
#[inline]
pub(super) fn add_wide(masks: &mut Masks, window: &Window) {
    let wide = wide(window);
    masks.add_wide(&wide);
    if masks.stop & wide.three != 0 {
        masks.add_three(&wide, &three(window));
    }
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
#[inline(never)]
pub(super) fn with_others(mut masks: Masks, pattern: Pattern, window: &Window) -> Masks {
    let (low, high) = (load(window, 0), load(window, 1));
    // Which bytes have these upper bits.
    let upper = |mask: u8, byte: u8| {
        let half = |bytes: __m256i| {
            let kept = _mm256_and_si256(bytes, _mm256_set1_epi8(mask.cast_signed()));
            _mm256_movemask_epi8(_mm256_cmpeq_epi8(kept, _mm256_set1_epi8(byte.cast_signed()))).cast_unsigned()
        };
        join(half(low), half(high))
    };
    masks.add_others(pattern, window, upper(0xe0, 0xc0), upper(0xf0, 0xe0));
    masks
}

#[target_feature(enable = "avx2")]
#[inline]
fn wide(window: &Window) -> Wide {
    let (low, high) = (wide_half(window, 0), wide_half(window, 1));
    Wide {
        latin: join(low.latin, high.latin),
        cyrillic: join(low.cyrillic, high.cyrillic),
        cyrillic_lower: join(low.cyrillic_lower, high.cyrillic_lower),
        from_80: join(low.from_80, high.from_80),
        from_a0: join(low.from_a0, high.from_a0),
        from_b0: join(low.from_b0, high.from_b0),
        sharp_s: join(low.sharp_s, high.sharp_s),
        times: join(low.times, high.times),
        divided: join(low.divided, high.divided),
        three: join(low.three, high.three),
    }
}

/// The bits of both halves.
fn join(low: u32, high: u32) -> u64 {
    u64::from(low) | (u64::from(high) << 32)
}

struct WideHalf {
    latin: u32,
    cyrillic: u32,
    cyrillic_lower: u32,
    from_80: u32,
    from_a0: u32,
    from_b0: u32,
    sharp_s: u32,
    times: u32,
    divided: u32,
    three: u32,
}

#[target_feature(enable = "avx2")]
#[inline]
fn wide_half(window: &Window, number: usize) -> WideHalf {
    let bytes = load(window, number);
    let bits = |vector: __m256i| _mm256_movemask_epi8(vector).cast_unsigned();
    let is = |byte: u8| bits(_mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(byte.cast_signed())));
    // Whether a byte has these upper bits.
    let upper = |mask: u8, byte: u8| {
        let kept = _mm256_and_si256(bytes, _mm256_set1_epi8(mask.cast_signed()));
        bits(_mm256_cmpeq_epi8(kept, _mm256_set1_epi8(byte.cast_signed())))
    };
    WideHalf {
        latin: is(0xc3),
        cyrillic: is(0xd0),
        cyrillic_lower: is(0xd1),
        from_80: upper(0xe0, 0x80),
        from_a0: upper(0xf0, 0xa0),
        from_b0: upper(0xf0, 0xb0),
        sharp_s: is(0x9f),
        times: is(0x97),
        divided: is(0xb7),
        three: upper(0xf0, 0xe0),
    }
}

#[target_feature(enable = "avx2")]
#[inline]
fn three(window: &Window) -> Three {
    let (low, high) = (load(window, 0), load(window, 1));
    let bits = |low: __m256i, high: __m256i| {
        join(_mm256_movemask_epi8(low).cast_unsigned(), _mm256_movemask_epi8(high).cast_unsigned())
    };
    let is = |byte: u8| {
        let byte = _mm256_set1_epi8(byte.cast_signed());
        bits(_mm256_cmpeq_epi8(low, byte), _mm256_cmpeq_epi8(high, byte))
    };
    // Whether a byte is one of these.
    let within = |first: u8, last: u8| {
        let (shift, most) = (first.wrapping_neg().cast_signed(), (last - first).cast_signed());
        let within = |bytes: __m256i| {
            let offset = _mm256_add_epi8(bytes, _mm256_set1_epi8(shift));
            _mm256_cmpeq_epi8(_mm256_min_epu8(offset, _mm256_set1_epi8(most)), offset)
        };
        bits(within(low), within(high))
    };
    Three {
        e2: is(0xe2),
        e3: is(0xe3),
        e4: is(0xe4),
        ea: is(0xea),
        ed: is(0xed),
        ef: is(0xef),
        from_e4: within(0xe4, 0xed),
        x80: is(0x80),
        x81: is(0x81),
        x82: is(0x82),
        x83: is(0x83),
        x9e: is(0x9e),
        xa0: is(0xa0),
        xbb: is(0xbb),
        xbc: is(0xbc),
        x81_84: within(0x81, 0x84),
        x81_8f: within(0x81, 0x8f),
        x88_a0: within(0x88, 0xa0),
        x90_a7: within(0x90, 0xa7),
        x97_9c: within(0x97, 0x9c),
        x9a_a0: within(0x9a, 0xa0),
    }
}

#[target_feature(enable = "avx2")]
#[inline]
fn load(window: &Window, number: usize) -> __m256i {
    let bytes: &[u8; 32] = window[32 * number..].first_chunk().expect("a window has 80 bytes");
    // SAFETY: 32 bytes are there, and the load needs no alignment.
    unsafe { _mm256_loadu_si256(std::ptr::from_ref(bytes).cast()) }
}

struct Half {
    letter: u32,
    upper: u32,
    digit: u32,
    space: u32,
    tab: u32,
    newline: u32,
    apostrophe: u32,
    slash: u32,
    stop: u32,
}

#[target_feature(enable = "avx2")]
#[inline]
fn half(window: &Window, number: usize) -> Half {
    let bytes = load(window, number);
    let all = |byte: u8| _mm256_set1_epi8(byte.cast_signed());
    let bits = |vector: __m256i| _mm256_movemask_epi8(vector).cast_unsigned();
    // Whether a byte is one of `count` from `first` on.
    let within = |bytes: __m256i, first: u8, count: u8| {
        let offset = _mm256_add_epi8(bytes, all(first.wrapping_neg()));
        _mm256_cmpeq_epi8(_mm256_min_epu8(offset, all(count - 1)), offset)
    };
    let is = |byte: u8| _mm256_cmpeq_epi8(bytes, all(byte));
    let newline = bits(_mm256_or_si256(is(b'\n'), is(b'\r')));
    Half {
        letter: bits(within(_mm256_or_si256(bytes, all(0x20)), b'a', 26)),
        upper: bits(within(bytes, b'A', 26)),
        digit: bits(within(bytes, b'0', 10)),
        space: bits(is(b' ')),
        tab: bits(within(bytes, b'\t', 5)) & !newline,
        newline,
        apostrophe: bits(is(b'\'')),
        slash: bits(is(b'/')),
        stop: bits(_mm256_or_si256(bytes, is(0))),
    }
}
