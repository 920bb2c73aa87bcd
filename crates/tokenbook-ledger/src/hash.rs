//! A fast hash for tables of small keys, seeded anew in each process so that nobody can aim at its weak spots.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::OnceLock;

/// A map with the fast hash.
pub(crate) type FastMap<K, V> = HashMap<K, V, Seed>;

/// What makes the hash differ from process to process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seed(u64);

impl Default for Seed {
    fn default() -> Self {
        Self(RandomState::new().hash_one(0))
    }
}

/// Hashes bytes alike all over the process, and differently in each.
pub(crate) fn hash_of(bytes: &[u8]) -> u64 {
    static SEED: OnceLock<Seed> = OnceLock::new();
    let mut hash = SEED.get_or_init(Seed::default).build_hasher();
    hash.write(bytes);
    hash.finish()
}

impl BuildHasher for Seed {
    type Hasher = Folded;

    fn build_hasher(&self) -> Folded {
        Folded(self.0)
    }
}

/// Multiplies into 128 bits and folds the halves together, eight bytes at a time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Folded(u64);

impl Hasher for Folded {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.write_u64(u64::from_le_bytes(last) ^ (bytes.len() as u64) << 56);
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(value.into());
    }

    #[expect(clippy::cast_possible_truncation, reason = "the two halves of 128 bits")]
    fn write_u64(&mut self, value: u64) {
        let wide = u128::from(self.0 ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0xf39c_c060_5ced_c835;
        self.0 = (wide as u64) ^ ((wide >> 64) as u64);
    }

    fn write_i64(&mut self, value: i64) {
        self.write_u64(value.cast_unsigned());
    }

    fn write_isize(&mut self, value: isize) {
        self.write_u64(value.cast_unsigned() as u64);
    }
}
