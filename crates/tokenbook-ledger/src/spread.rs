//! How the sizes of a group of calls are spread: histograms that add up, and the compact form of them on disk.

use tokenbook::{Error, ErrorCode, Result};

/// The sizes of one call whose spread is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) duration_ms: Option<u64>,
    pub(crate) first_token_ms: Option<u64>,
    pub(crate) input_tokens: Option<u64>,
    pub(crate) output_tokens: Option<u64>,
    /// The output limit that was sent.
    pub(crate) limit: Option<u64>,
}

/// What is measured. The numbers are those of the file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    DurationMs = 0,
    FirstTokenMs = 1,
    InputTokens = 2,
    OutputTokens = 3,
    /// Output ÷ limit in eleven steps: (0, 10 %], … (90 %, 100 %], above.
    Utilization = 4,
}

const BITS: u32 = 10;
/// The finest steps of a histogram: sixteen to each doubling.
const STEPS: u64 = 16;
/// The steps of the utilization; the last is above the limit.
pub(crate) const UTILIZATION_STEPS: usize = 11;

/// The place of a value: values below 16 have one of their own, the others share one with those within 1/16.
#[expect(clippy::cast_possible_truncation, reason = "there are fewer than 1,024 places")]
fn place(value: u64) -> u16 {
    if value < STEPS {
        return value as u16;
    }
    let octave = value.ilog2() - 4;
    (STEPS as u16) * (octave as u16 + 1) + ((value >> octave) & (STEPS - 1)) as u16
}

/// The smallest and the largest value of a place.
fn values(place: u16) -> (u64, u64) {
    let place = u64::from(place);
    if place < STEPS {
        return (place, place);
    }
    let octave = place / STEPS - 1;
    let first = (STEPS + place % STEPS) << octave;
    (first, first + (1 << octave) - 1)
}

/// The step of the utilization that a call lies in.
#[expect(clippy::cast_possible_truncation, reason = "there are eleven steps")]
fn step(output: u64, limit: u64) -> u16 {
    let tenths = (u128::from(output) * 10).div_ceil(u128::from(limit.max(1)));
    tenths.clamp(1, UTILIZATION_STEPS as u128) as u16 - 1
}

/// One call's sizes as places in histograms.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Codes([u16; 5]);

impl Codes {
    /// Where a size is unknown.
    const NONE: u16 = u16::MAX;

    pub(crate) fn of(sizes: &Sizes) -> Self {
        let code =
            |measure: Measure, place: Option<u16>| place.map_or(Self::NONE, |place| (measure as u16) << BITS | place);
        let used = sizes.output_tokens.zip(sizes.limit).map(|(output, limit)| step(output, limit));
        Self([
            code(Measure::DurationMs, sizes.duration_ms.map(place)),
            code(Measure::FirstTokenMs, sizes.first_token_ms.map(place)),
            code(Measure::InputTokens, sizes.input_tokens.map(place)),
            code(Measure::OutputTokens, sizes.output_tokens.map(place)),
            code(Measure::Utilization, used),
        ])
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = u16> {
        self.0.into_iter().filter(|code| *code != Self::NONE)
    }
}

/// Places of a page.
const PAGE: usize = 16;
/// Pages there may be.
const PAGES: usize = 5 * (1 << BITS) / PAGE;
/// One more than the largest code.
const CODES: u16 = 5 << BITS;

/// Counts by code, in pages that are made when one of their codes first comes: adding is two look-ups, and few of the places
/// there could be are ever used.
#[derive(Debug, Clone, Default)]
struct Counts {
    /// For each page one more than its number in `pages`, 0 for none; empty before the first code.
    table: Vec<u16>,
    pages: Vec<[u64; PAGE]>,
}

impl Counts {
    fn at(&mut self, code: u16) -> &mut u64 {
        if self.table.is_empty() {
            self.table.resize(PAGES, 0);
        }
        let place = usize::from(code) % PAGE;
        let number = &mut self.table[usize::from(code) / PAGE];
        if *number == 0 {
            self.pages.push([0; PAGE]);
            *number = u16::try_from(self.pages.len()).expect("fewer than 65,536 pages");
        }
        &mut self.pages[usize::from(*number) - 1][place]
    }

    fn get(&self, code: u16) -> u64 {
        match self.table.get(usize::from(code) / PAGE) {
            None | Some(0) => 0,
            Some(number) => self.pages[usize::from(*number) - 1][usize::from(code) % PAGE],
        }
    }

    /// Those from `first` to before `end` that are not 0, by code.
    fn range(&self, first: u16, end: u16) -> impl Iterator<Item = (u16, u64)> {
        let pages =
            if self.table.is_empty() { 0..0 } else { usize::from(first) / PAGE..usize::from(end).div_ceil(PAGE) };
        pages
            .filter(|page| self.table[*page] > 0)
            .flat_map(move |page| {
                let counts = &self.pages[usize::from(self.table[page]) - 1];
                let start = u16::try_from(page * PAGE).expect("codes have 13 bits");
                (start..).zip(counts.iter().copied())
            })
            .filter(move |(code, count)| *count > 0 && (first..end).contains(code))
    }

    fn all(&self) -> impl Iterator<Item = (u16, u64)> {
        self.range(0, CODES)
    }

    fn add(&mut self, other: &Self) {
        for (page, number) in other.table.iter().enumerate().filter(|(_, number)| **number > 0) {
            let from = &other.pages[usize::from(*number) - 1];
            self.at(u16::try_from(page * PAGE).expect("codes have 13 bits"));
            let to = &mut self.pages[usize::from(self.table[page]) - 1];
            to.iter_mut().zip(from).for_each(|(sum, more)| *sum += more);
        }
    }
}

impl PartialEq for Counts {
    fn eq(&self, other: &Self) -> bool {
        self.all().eq(other.all())
    }
}

impl Eq for Counts {}

/// The histograms of a group of calls, with its first and last instant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Spread {
    /// Of the first and the last call, in milliseconds; none without a call.
    pub(crate) instants: Option<(i64, i64)>,
    counts: Counts,
}

impl Spread {
    pub(crate) fn add_call(&mut self, at: i64, codes: impl Iterator<Item = u16>) {
        self.add_instants(at, at);
        for code in codes {
            *self.counts.at(code) += 1;
        }
    }

    fn add_instants(&mut self, first: i64, last: i64) {
        let (known_first, known_last) = self.instants.unwrap_or((first, last));
        self.instants = Some((known_first.min(first), known_last.max(last)));
    }

    pub(crate) fn add(&mut self, other: &Self) {
        if let Some((first, last)) = other.instants {
            self.add_instants(first, last);
        }
        self.counts.add(&other.counts);
    }

    /// Takes off the counts of what is a part of this; the instants stay.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::CorruptData`] when it is none.
    pub(crate) fn subtract(&mut self, part: &Self) -> Result<()> {
        for (code, less) in part.counts.all() {
            let count = self.counts.at(code);
            *count = count.checked_sub(less).ok_or_else(corrupt)?;
        }
        Ok(())
    }

    /// How many calls lie in each place of a measure, smallest first, with the place's smallest and largest value.
    fn of(&self, measure: Measure) -> impl Iterator<Item = (u64, u64, u64)> {
        let first = (measure as u16) << BITS;
        self.counts.range(first, first + (1 << BITS)).map(move |(code, count)| {
            let (low, high) = values(code - first);
            (low, high, count)
        })
    }

    pub(crate) fn count(&self, measure: Measure) -> u64 {
        self.of(measure).map(|(.., count)| count).sum()
    }

    /// The smallest value, rounded down by less than 1/16.
    pub(crate) fn smallest(&self, measure: Measure) -> Option<u64> {
        self.of(measure).next().map(|(low, ..)| low)
    }

    /// The value that `per_mille` of a thousand values are not above: within 1/32 of a value that was seen (nearest rank,
    /// the middle of its place).
    pub(crate) fn quantile(&self, measure: Measure, per_mille: u64) -> Option<u64> {
        let count = self.count(measure);
        let rank = (u128::from(count) * u128::from(per_mille)).div_ceil(1_000).max(1);
        let mut seen = 0;
        self.of(measure).find_map(|(low, high, count)| {
            seen += u128::from(count);
            (seen >= rank).then_some(low + (high - low) / 2)
        })
    }

    /// The calls in each of the eleven steps of the utilization.
    pub(crate) fn utilization(&self) -> [u64; UTILIZATION_STEPS] {
        let mut steps = [0; UTILIZATION_STEPS];
        let first = (Measure::Utilization as u16) << BITS;
        for (at, step) in (first..).zip(&mut steps) {
            *step = self.counts.get(at);
        }
        steps
    }

    /// The compact form: the instants, then each place's distance from the last and its count.
    pub(crate) fn write(&self, to: &mut Vec<u8>) {
        to.clear();
        let Some((first, last)) = self.instants else { return };
        write(first.unsigned_abs(), to);
        write(last.abs_diff(first), to);
        let mut before = 0;
        for (code, count) in self.counts.all() {
            write((code - before).into(), to);
            write(count, to);
            before = code;
        }
    }

    /// Adds histograms in compact form.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::CorruptData`] when `bytes` is no such form.
    pub(crate) fn add_written(&mut self, mut bytes: &[u8]) -> Result<()> {
        let first = i64::try_from(read(&mut bytes)?).map_err(|_| corrupt())?;
        let length = i64::try_from(read(&mut bytes)?).map_err(|_| corrupt())?;
        self.add_instants(first, first.checked_add(length).ok_or_else(corrupt)?);
        let mut code = 0_u16;
        while !bytes.is_empty() {
            let distance = u16::try_from(read(&mut bytes)?).map_err(|_| corrupt())?;
            code = code.checked_add(distance).filter(|code| *code < CODES).ok_or_else(corrupt)?;
            let count = self.counts.at(code);
            *count = count.checked_add(read(&mut bytes)?).ok_or_else(corrupt)?;
        }
        Ok(())
    }
}

#[cold]
fn corrupt() -> Error {
    Error::new(ErrorCode::CorruptData, "a rollup of sizes can't be read")
}

#[expect(clippy::cast_possible_truncation, reason = "seven bits at a time")]
fn write(mut value: u64, to: &mut Vec<u8>) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

fn read(bytes: &mut &[u8]) -> Result<u64> {
    let mut value = 0_u64;
    for (at, &byte) in bytes.iter().take(9).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte < 0x80 {
            *bytes = &bytes[at + 1..];
            return Ok(value);
        }
    }
    Err(corrupt())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spread(values: &[u64]) -> Spread {
        let mut spread = Spread::default();
        for value in values {
            spread.add_call(7, Codes::of(&Sizes { duration_ms: Some(*value), ..Sizes::default() }).iter());
        }
        spread
    }

    #[test]
    fn utilization_steps_hold_their_upper_edge() {
        let steps = [(0, 0), (1, 0), (10, 0), (11, 1), (90, 8), (91, 9), (100, 9), (101, 10), (5_000, 10)];
        for (output, expected) in steps {
            assert_eq!(step(output, 100), expected, "{output}");
        }
    }

    #[test]
    fn quantiles_of_small_values_are_exact() {
        let all = spread(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        let of = |per_mille| all.quantile(Measure::DurationMs, per_mille);
        assert_eq!((of(500), of(900), of(990), of(0)), (Some(5), Some(9), Some(10), Some(1)));
        assert_eq!(spread(&[]).quantile(Measure::DurationMs, 500), None);
    }

    #[test]
    fn what_is_left_of_a_spread_is_the_rest_of_its_calls() {
        let mut all = spread(&[1, 2, 2, 500]);
        all.subtract(&spread(&[2, 500])).expect("a part");
        assert_eq!(all, spread(&[1, 2]));
        assert_eq!(all.subtract(&spread(&[3])).expect_err("no part").code(), ErrorCode::CorruptData);
    }

    proptest! {
        #[test]
        fn a_value_lies_in_its_place(value in prop_oneof![0..100_u64, 0..1_u64 << 53]) {
            let (low, high) = values(place(value));
            prop_assert!(low <= value && value <= high && place(low) == place(high) && place(high) < 1 << BITS);
            prop_assert!((high - low) * 16 <= low);
        }

        #[test]
        fn quantiles_are_within_a_thirty_second(mut sizes in prop::collection::vec(0..1_u64 << 40, 1..200), per_mille in 1..1_000_u64) {
            let found = spread(&sizes).quantile(Measure::DurationMs, per_mille).expect("there are values");
            sizes.sort_unstable();
            let rank = (sizes.len() as u64 * per_mille).div_ceil(1_000).max(1);
            let exact = sizes[usize::try_from(rank).expect("small") - 1];
            prop_assert!(found.abs_diff(exact) * 32 <= exact, "{found} for {exact}");
        }

        #[test]
        fn writing_and_reading_are_inverse(sizes in prop::collection::vec(any::<u32>().prop_map(u64::from), 1..50)) {
            let all = spread(&sizes);
            let mut bytes = Vec::new();
            all.write(&mut bytes);
            let mut back = Spread::default();
            back.add_written(&bytes).expect("our own form");
            prop_assert_eq!(back, all);
        }

        #[test]
        fn reading_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = Spread::default().add_written(&bytes);
        }
    }
}
