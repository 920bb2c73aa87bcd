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

/// A hash of a pair's key.
#[inline]
pub(crate) fn merge_hash(key: u64) -> u64 {
    key.wrapping_mul(MIX)
}

/// The group of a pair, one of `1 << bits`. Each group has a seed by which no two pairs of a vocabulary share a slot.
#[inline]
pub(crate) fn merge_group(hash: u64, bits: u32) -> usize {
    (hash >> (64 - bits)) as usize
}

/// The slot of a pair, one of `1 << bits`, by its group's seed.
#[inline]
pub(crate) fn merge_slot(hash: u64, seed: u16, bits: u32) -> usize {
    (hash.rotate_left(32).wrapping_mul(u64::from(seed)) >> (64 - bits)) as usize
}

/// Up to 8 bytes as one number; without NUL bytes no two pieces share it.
pub(crate) fn short_key(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |key, &byte| (key << 8) | u64::from(byte))
}

/// The bucket of a short key in a table of `1 << bits` buckets.
#[inline]
pub(crate) fn short_bucket(key: u64, bits: u32) -> usize {
    (key.wrapping_mul(MIX) >> (64 - bits)) as usize
}

/// What a slot of that bucket holds for the key: multiplying by [`MIX`] is a bijection and the bucket knows the upper
/// bits, so this is the key itself. The lower `bits` bits are free for the count.
#[inline]
pub(crate) fn short_slot(key: u64, bits: u32) -> u64 {
    key.wrapping_mul(MIX) << bits
}

/// Up to 15 bytes as two numbers, with their number above bit 56 of the second.
pub(crate) fn medium_key(bytes: &[u8]) -> [u64; 2] {
    let (low, high) = bytes.split_at(bytes.len().min(8));
    [short_key(low), short_key(high) | ((bytes.len() as u64) << 56)]
}

/// Where the count is in the second number of a medium entry.
pub(crate) const MEDIUM_COUNT: u32 = 60;

/// A hash of a medium key.
#[inline]
pub(crate) fn medium_hash(key: [u64; 2]) -> u64 {
    fold(key[0] ^ MIX, key[1] ^ 0xd6e8_feb8_6659_fd93)
}

/// The bit of a pair of characters below U+10000 in a set of `1 << bits`.
#[inline]
pub(crate) fn joint_bit(left: u32, right: u32, bits: u32) -> usize {
    (((left << 16) | right).wrapping_mul(0x9e37_79b1) >> (32 - bits)) as usize
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
#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a).wrapping_mul(u128::from(b));
    (product >> 64) as u64 ^ product as u64
}
