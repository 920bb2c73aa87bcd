//! An index from names to numbers that ignores ASCII case, and the search for names that are near.

/// Names in any number of places, found without allocating.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    /// Position in `entries` plus 1, or 0 where the slot is free; a power of two long.
    slots: Vec<u32>,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    name: Box<str>,
    value: u32,
    /// Position plus 1 of the next entry of the same name, or 0.
    next: u32,
}

/// FNV-1a over the lower-cased bytes: names are short, and the index is built from our own files, not from attackers'.
fn hash(name: &str) -> usize {
    let fold = |hash: u64, byte: &u8| (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01b3);
    let hash = name.as_bytes().iter().fold(0xcbf2_9ce4_8422_2325, fold);
    #[expect(clippy::cast_possible_truncation, reason = "a hash may lose bits")]
    let hash = (hash ^ (hash >> 32)) as usize;
    hash
}

impl Index {
    pub(super) fn with_capacity(names: usize) -> Self {
        Self { slots: vec![0; (names * 2).next_power_of_two().max(8)], entries: Vec::with_capacity(names) }
    }

    /// Adds a value under a name; several values of one name keep the order they were added in.
    pub(super) fn insert(&mut self, name: &str, value: u32) {
        if (self.entries.len() + 1) * 2 > self.slots.len() {
            let mut larger = Self::with_capacity(self.slots.len().max(8));
            for entry in std::mem::take(&mut self.entries) {
                larger.push(entry.name, entry.value);
            }
            *self = larger;
        }
        self.push(name.into(), value);
    }

    fn push(&mut self, name: Box<str>, value: u32) {
        let position = u32::try_from(self.entries.len() + 1).expect("a catalog has fewer than 2³² names");
        match self.slot(&name) {
            Ok(head) => {
                let mut last = head;
                while self.entries[last].next != 0 {
                    last = self.entries[last].next as usize - 1;
                }
                self.entries[last].next = position;
            }
            Err(free) => self.slots[free] = position,
        }
        self.entries.push(Entry { name, value, next: 0 });
    }

    /// The first entry of a name, or the free slot where it belongs.
    fn slot(&self, name: &str) -> Result<usize, usize> {
        let mask = self.slots.len() - 1;
        let mut slot = hash(name) & mask;
        loop {
            match self.slots[slot] {
                0 => return Err(slot),
                taken => {
                    let entry = taken as usize - 1;
                    if self.entries[entry].name.eq_ignore_ascii_case(name) {
                        return Ok(entry);
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
            let entry = &self.entries[next?];
            next = (entry.next != 0).then(|| entry.next as usize - 1);
            Some(entry.value)
        })
    }

    /// Every name with its value, in the order they were added.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, u32)> {
        self.entries.iter().map(|entry| (&*entry.name, entry.value))
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
