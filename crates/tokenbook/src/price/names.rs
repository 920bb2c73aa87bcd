//! An index from names to numbers that ignores ASCII case, and the search for names that are near.

/// Names in any number of places, found without allocating.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    /// Position in `entries` plus 1, or 0 where the slot is free; a power of two long.
    slots: Vec<u32>,
    entries: Vec<Entry>,
    /// All names behind one another.
    names: String,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    start: u32,
    length: u32,
    value: u32,
    /// Position plus 1 of the next entry of the same name, or 0.
    next: u32,
}

/// Multiplies eight bytes at a time, with the bit that tells the cases of letters apart set in all of them. Names are
/// short, and the index is built from our own files, not from attackers'.
fn hash(name: &str) -> usize {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    const LOWER: u64 = 0x2020_2020_2020_2020;
    let mix = |hash: u64, word: u64| {
        let product = u128::from(hash ^ word | LOWER) * u128::from(ODD);
        #[expect(clippy::cast_possible_truncation, reason = "both halves of the product are used")]
        let folded = product as u64 ^ (product >> 64) as u64;
        folded
    };
    let (words, rest) = name.as_bytes().as_chunks::<8>();
    let hash = words.iter().fold(name.len() as u64, |hash, word| mix(hash.rotate_left(7), u64::from_le_bytes(*word)));
    let rest = rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
    #[expect(clippy::cast_possible_truncation, reason = "a hash may lose bits")]
    let hash = mix(hash.rotate_left(7), rest) as usize;
    hash
}

impl Index {
    pub(super) fn with_capacity(names: usize) -> Self {
        Self {
            slots: vec![0; (names * 2).next_power_of_two().max(8)],
            entries: Vec::with_capacity(names),
            names: String::with_capacity(names * 32),
        }
    }

    /// Adds a value under a name; several values of one name keep the order they were added in. Gives the entry's
    /// number.
    pub(super) fn insert(&mut self, name: &str, value: u32) -> u32 {
        if (self.entries.len() + 1) * 2 > self.slots.len() {
            let mut larger = Self::with_capacity(self.slots.len().max(8));
            for (name, value) in self.iter() {
                larger.push(name, value);
            }
            *self = larger;
        }
        self.push(name, value)
    }

    fn push(&mut self, name: &str, value: u32) -> u32 {
        const LIMIT: &str = "a catalog is smaller than 4 GiB";
        let number = u32::try_from(self.entries.len()).expect(LIMIT);
        match self.slot(name) {
            Ok(head) => {
                let mut last = head;
                while self.entries[last].next != 0 {
                    last = self.entries[last].next as usize - 1;
                }
                self.entries[last].next = number + 1;
            }
            Err(free) => self.slots[free] = number + 1,
        }
        let start = u32::try_from(self.names.len()).expect(LIMIT);
        let length = u32::try_from(name.len()).expect(LIMIT);
        self.names.push_str(name);
        self.entries.push(Entry { start, length, value, next: 0 });
        number
    }

    /// The name of an entry.
    pub(super) fn name(&self, number: u32) -> &str {
        let entry = self.entries[number as usize];
        &self.names[entry.start as usize..][..entry.length as usize]
    }

    /// The value of an entry.
    pub(super) fn value(&self, number: u32) -> u32 {
        self.entries[number as usize].value
    }

    /// The number of entries.
    #[expect(clippy::cast_possible_truncation, reason = "checked in `push`")]
    pub(super) const fn len(&self) -> u32 {
        self.entries.len() as u32
    }

    /// The first entry of a name, or the free slot where it belongs.
    fn slot(&self, name: &str) -> Result<usize, usize> {
        let mask = self.slots.len() - 1;
        let mut slot = hash(name) & mask;
        loop {
            match self.slots[slot] {
                0 => return Err(slot),
                taken => {
                    let known = self.name(taken - 1);
                    if known == name || known.eq_ignore_ascii_case(name) {
                        return Ok(taken as usize - 1);
                    }
                }
            }
            slot = (slot + 1) & mask;
        }
    }

    /// Every value of a name.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = u32> {
        let mut next = if self.slots.is_empty() { None } else { self.slot(name).ok() };
        std::iter::from_fn(move || {
            let entry = self.entries[next?];
            next = (entry.next != 0).then(|| entry.next as usize - 1);
            Some(entry.value)
        })
    }

    /// Every name with its value, in the order they were added.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, u32)> {
        (0..).zip(&self.entries).map(|(number, entry)| (self.name(number), entry.value))
    }
}

/// How far apart two names may be and still be suggested, as a share of the longer one: a third.
const NEAR: usize = 3;

/// A distance for suggestions: the edits between the names, or none when they are too far apart to help.
///
/// Names that share their first dash-separated words count as near even where the rest differs, because the usual
/// mistake is a wrong version or a missing suffix.
pub(super) fn distance(wanted: &str, name: &str) -> Option<usize> {
    let (long, short) = if wanted.len() >= name.len() { (wanted, name) } else { (name, wanted) };
    let limit = long.len() / NEAR;
    if short.is_empty() || long.len() - short.len() > limit.max(9) {
        return None;
    }
    if long.get(..short.len()).is_some_and(|head| head.eq_ignore_ascii_case(short)) && short.len() >= 2 {
        return Some(long.len() - short.len());
    }
    edits(wanted.as_bytes(), name.as_bytes(), limit.max(1))
}

/// The Levenshtein distance, unless it is above `limit`.
fn edits(a: &[u8], b: &[u8], limit: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) > limit {
        return None;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        let mut least = row[0];
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(!x.eq_ignore_ascii_case(y));
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
            least = least.min(row[j + 1]);
        }
        if least > limit {
            return None;
        }
    }
    Some(row[b.len()]).filter(|edits| *edits <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case_and_keep_their_order() {
        let mut index = Index::default();
        assert_eq!(index.all("x").count(), 0);
        for number in 0..1_000 {
            index.insert(&format!("name-{}", number % 500), number);
        }
        assert_eq!(index.all("NAME-7").collect::<Vec<_>>(), [7, 507]);
        assert_eq!(index.all("name-500").count(), 0);
        assert_eq!(index.iter().count(), 1_000);
    }

    #[test]
    fn near_names_are_near_and_far_names_are_not() {
        assert_eq!(distance("gpt-4p", "gpt-4o"), Some(1));
        assert_eq!(distance("gpt-4", "gpt-4-turbo"), Some(6));
        assert_eq!(distance("o1-pro", "claude-opus-4"), None);
        assert_eq!(distance("", "gpt-4o"), None);
    }
}
