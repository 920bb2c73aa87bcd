//! The code for 64 bytes at a time on instructions that are written out, so that it is tested on processors without them.
#![expect(non_camel_case_types, clippy::used_underscore_items, reason = "named as the instructions are")]

// What the rest of the code needs is still the processor's.
macro_rules! features {
    ($($item:item)*) => { $(
        #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
        $item
    )* };
}

#[path = "avx512.rs"]
#[expect(clippy::duplicate_mod, reason = "compiled on other instructions")]
pub(super) mod avx512;

mod arch {
    use std::array::from_fn;
    use std::mem::transmute;
    use std::ptr::{read_unaligned, write_unaligned};

    pub(super) use std::arch::x86_64::{__m128i, _mm_cvtsi128_si32, _mm_extract_epi32};

    #[derive(Clone, Copy)]
    pub(super) struct __m512i([u8; 64]);

    fn words(vector: __m512i) -> [u32; 16] {
        let (words, _) = vector.0.as_chunks();
        from_fn(|at| u32::from_le_bytes(words[at]))
    }

    fn vector(words: [u32; 16]) -> __m512i {
        __m512i(from_fn(|at| words[at / 4].to_le_bytes()[at % 4]))
    }

    fn low(vector: __m128i) -> [u8; 16] {
        // SAFETY: both are 16 bytes without meaning.
        unsafe { transmute(vector) }
    }

    /// The bits of the places for which this holds.
    fn mask64(holds: impl Fn(usize) -> bool) -> u64 {
        (0..64).fold(0, |mask, at| mask | u64::from(holds(at)) << at)
    }

    fn mask16(holds: impl Fn(usize) -> bool) -> u16 {
        (0..16).fold(0, |mask, at| mask | u16::from(holds(at)) << at)
    }

    /// Where the mask has a bit the one, elsewhere the other.
    fn blend(mask: u16, one: impl Fn(usize) -> u32, other: __m512i) -> __m512i {
        let other = words(other);
        vector(from_fn(|at| if mask >> at & 1 == 1 { one(at) } else { other[at] }))
    }

    pub(super) unsafe fn _mm_maskz_loadu_epi8(mask: u16, from: *const i8) -> __m128i {
        // SAFETY: the caller says that bytes are there where the mask has a bit.
        let bytes: [u8; 16] =
            from_fn(|at| if mask >> at & 1 == 1 { unsafe { from.cast::<u8>().add(at).read() } } else { 0 });
        // SAFETY: both are 16 bytes without meaning.
        unsafe { transmute(bytes) }
    }

    pub(super) unsafe fn _mm512_loadu_si512(from: *const __m512i) -> __m512i {
        // SAFETY: the caller says that 64 bytes are there.
        unsafe { read_unaligned(from) }
    }

    pub(super) unsafe fn _mm512_storeu_si512(to: *mut __m512i, vector: __m512i) {
        // SAFETY: the caller says that there is room for 64 bytes.
        unsafe { write_unaligned(to, vector) };
    }

    pub(super) unsafe fn _mm512_mask_i32gather_epi32<const SCALE: usize>(
        other: __m512i,
        mask: u16,
        numbers: __m512i,
        table: *const i32,
    ) -> __m512i {
        let numbers = words(numbers);
        // SAFETY: the caller says that the table has the entries where the mask has a bit.
        let entry =
            |at: usize| unsafe { table.cast::<u8>().add(numbers[at] as usize * SCALE).cast::<u32>().read_unaligned() };
        blend(mask, entry, other)
    }

    pub(super) fn _mm512_set1_epi8(byte: i8) -> __m512i {
        __m512i([byte.cast_unsigned(); 64])
    }

    pub(super) fn _mm512_set1_epi32(word: i32) -> __m512i {
        vector([word.cast_unsigned(); 16])
    }

    pub(super) fn _mm512_zextsi128_si512(bytes: __m128i) -> __m512i {
        let bytes = low(bytes);
        __m512i(from_fn(|at| bytes.get(at).copied().unwrap_or(0)))
    }

    pub(super) fn _mm512_castsi512_si128(vector: __m512i) -> __m128i {
        let bytes: [u8; 16] = from_fn(|at| vector.0[at]);
        // SAFETY: both are 16 bytes without meaning.
        unsafe { transmute(bytes) }
    }

    pub(super) fn _mm512_cvtepu8_epi32(bytes: __m128i) -> __m512i {
        vector(low(bytes).map(u32::from))
    }

    pub(super) fn _mm512_add_epi32(one: __m512i, other: __m512i) -> __m512i {
        let (one, other) = (words(one), words(other));
        vector(from_fn(|at| one[at].wrapping_add(other[at])))
    }

    pub(super) fn _mm512_sub_epi8(one: __m512i, other: __m512i) -> __m512i {
        __m512i(from_fn(|at| one.0[at].wrapping_sub(other.0[at])))
    }

    pub(super) fn _mm512_and_si512(one: __m512i, other: __m512i) -> __m512i {
        __m512i(from_fn(|at| one.0[at] & other.0[at]))
    }

    pub(super) fn _mm512_or_si512(one: __m512i, other: __m512i) -> __m512i {
        __m512i(from_fn(|at| one.0[at] | other.0[at]))
    }

    pub(super) fn _mm512_slli_epi32<const BITS: u32>(shifted: __m512i) -> __m512i {
        vector(words(shifted).map(|word| word << BITS))
    }

    pub(super) fn _mm512_alignr_epi32<const WORDS: usize>(high: __m512i, low: __m512i) -> __m512i {
        let both = [words(low), words(high)];
        vector(from_fn(|at| both.as_flattened()[at + WORDS]))
    }

    pub(super) fn _mm512_permutexvar_epi32(places: __m512i, from: __m512i) -> __m512i {
        let from = words(from);
        vector(words(places).map(|place| from[place as usize % 16]))
    }

    pub(super) fn _mm512_permutex2var_epi8(one: __m512i, places: __m512i, other: __m512i) -> __m512i {
        let both = [one.0, other.0];
        __m512i(places.0.map(|place| both.as_flattened()[usize::from(place) % 128]))
    }

    pub(super) fn _mm512_mask_set1_epi32(other: __m512i, mask: u16, word: i32) -> __m512i {
        blend(mask, |_| word.cast_unsigned(), other)
    }

    pub(super) fn _mm512_mask_compress_epi32(other: __m512i, mask: u16, from: __m512i) -> __m512i {
        let mut kept = words(other);
        let chosen = words(from).into_iter().enumerate().filter(|(at, _)| mask >> at & 1 == 1);
        kept.iter_mut().zip(chosen).for_each(|(word, (_, chosen))| *word = chosen);
        vector(kept)
    }

    pub(super) fn _mm512_mask_expand_epi32(other: __m512i, mask: u16, from: __m512i) -> __m512i {
        let from = words(from);
        blend(mask, |at| from[(mask & ((1 << at) - 1)).count_ones() as usize], other)
    }

    pub(super) fn _mm512_reduce_min_epu32(vector: __m512i) -> u32 {
        words(vector).into_iter().fold(u32::MAX, u32::min)
    }

    pub(super) fn _mm512_movepi8_mask(vector: __m512i) -> u64 {
        mask64(|at| vector.0[at] >= 0x80)
    }

    pub(super) fn _mm512_cmpeq_epi8_mask(one: __m512i, other: __m512i) -> u64 {
        mask64(|at| one.0[at] == other.0[at])
    }

    pub(super) fn _mm512_cmplt_epu8_mask(one: __m512i, other: __m512i) -> u64 {
        mask64(|at| one.0[at] < other.0[at])
    }

    pub(super) fn _mm512_test_epi8_mask(one: __m512i, other: __m512i) -> u64 {
        mask64(|at| one.0[at] & other.0[at] != 0)
    }

    pub(super) fn _mm512_cmpeq_epi32_mask(one: __m512i, other: __m512i) -> u16 {
        let (one, other) = (words(one), words(other));
        mask16(|at| one[at] == other[at])
    }

    pub(super) fn _mm512_cmpneq_epi32_mask(one: __m512i, other: __m512i) -> u16 {
        !_mm512_cmpeq_epi32_mask(one, other)
    }
}
