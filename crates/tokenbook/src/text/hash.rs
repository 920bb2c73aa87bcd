//! Hashes shared by the build script, which places entries, and the engine, which finds them.
#![expect(clippy::cast_possible_truncation, reason = "hashes are cut to the bits that a table has")]

/// An odd constant with well-mixed bits (the golden ratio), so that multiplying by it is a bijection.
pub(crate) const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

/// Bits of a token id.
pub(crate) const ID_BITS: u32 = 18;

/// Two token ids as one key.
pub(crate) fn pair_key(left: u32, right: u32) -> u64 {
    (u64::from(left) << ID_BITS) | u64::from(right)
}

/// Where a pair's search starts in a table of `1 << bits` slots.
pub(crate) fn pair_slot(key: u64, bits: u32) -> usize {
    (key.wrapping_mul(MIX) >> (64 - bits)) as usize
}

/// A hash of bytes, for tables of whole tokens.
pub(crate) fn bytes_hash(bytes: &[u8]) -> u64 {
    let mut hash = (bytes.len() as u64).wrapping_mul(MIX);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        hash = fold(hash ^ u64::from_le_bytes(*word), MIX);
    }
    let mut last = 0;
    for &byte in rest {
        last = (last << 8) | u64::from(byte);
    }
    fold(hash ^ last, 0xd6e8_feb8_6659_fd93)
}

/// Both halves of a 128-bit product, folded.
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a).wrapping_mul(u128::from(b));
    (product >> 64) as u64 ^ product as u64
}
