//! Correcting estimates by what past calls measured.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::quantity::Count;

/// What a count was estimated to be, and what it was measured to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Sample {
    /// The estimate before the call.
    pub estimated: Count,
    /// What the provider billed.
    pub measured: Count,
}

/// A correction of a model's estimates: a factor and an addend, learned from past calls.
///
/// It is the best of a few simple corrections, none at all among them, by the mean relative error over the past calls (of
/// which none counts for more than 100 %); so it never makes the error on them worse. A few odd calls don't sway it, as it is made of medians, and it is
/// bounded: no estimate is more than doubled or halved, but for an addend of at most 2,048 tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Calibration {
    /// The number of past calls it was learned from.
    pub samples: u64,
    /// The factor, in millionths: 1,000,000 leaves estimates as they are.
    pub factor_millionths: u64,
    /// The tokens added after the factor.
    pub addend: i64,
    /// The mean relative error of the estimates as they were, in millionths.
    pub error_before_millionths: u64,
    /// The mean relative error of the corrected estimates, in millionths.
    pub error_after_millionths: u64,
}

const ONE: i128 = 1_000_000;
const LEAST_FACTOR: i128 = 500_000;
const MOST_FACTOR: i128 = 2_000_000;
const MOST_ADDEND: i128 = 2_048;

/// Fewer calls than this say too little for a factor or an addend, or for both at once.
const FEWEST: usize = 5;
const FEWEST_FOR_BOTH: usize = 12;

/// As many calls, the latest, are looked at: pairs of them are compared.
const MOST: usize = 256;

impl Calibration {
    /// No correction, learned from nothing.
    pub const NONE: Self = Self {
        samples: 0,
        factor_millionths: 1_000_000,
        addend: 0,
        error_before_millionths: 0,
        error_after_millionths: 0,
    };

    /// Learns a correction from past calls of one model, oldest first; the last 256 count.
    ///
    /// ```
    /// use tokenbook::{Count, request::{Calibration, Sample}};
    /// let past: Vec<Sample> = (1..=20)
    ///     .map(|n| Sample { estimated: Count::from(n * 100), measured: Count::from(n * 120) })
    ///     .collect();
    /// let calibration = Calibration::learn(&past);
    /// assert_eq!(calibration.apply(Count::from(1000))?.get(), 1200);
    /// # Ok::<(), tokenbook::Error>(())
    /// ```
    pub fn learn(past: &[Sample]) -> Self {
        let usable: Vec<Sample> =
            past.iter().filter(|sample| !sample.estimated.is_zero() && !sample.measured.is_zero()).copied().collect();
        let recent = &usable[usable.len().saturating_sub(MOST)..];
        if recent.is_empty() {
            return Self::NONE;
        }
        let mut candidates = vec![(ONE, 0)];
        if recent.len() >= FEWEST {
            let ratios = recent.iter().map(|s| i128::from(s.measured.get()) * ONE / i128::from(s.estimated.get()));
            candidates.push((bounded_factor(median(ratios.collect())), 0));
            candidates.push((ONE, addend(recent, ONE)));
        }
        if recent.len() >= FEWEST_FOR_BOTH {
            let slope = bounded_factor(median(slopes(recent)));
            candidates.push((slope, addend(recent, slope)));
        }
        let before = error(recent, ONE, 0);
        let mut best = (before, ONE, 0);
        for (factor, addend) in candidates {
            let after = error(recent, factor, addend);
            if after < best.0 {
                best = (after, factor, addend);
            }
        }
        let (after, factor, addend) = best;
        let count = i128::try_from(recent.len()).unwrap_or(1);
        let narrow = |value: i128| u64::try_from(value).unwrap_or(u64::MAX);
        Self {
            samples: recent.len() as u64,
            factor_millionths: narrow(factor),
            addend: i64::try_from(addend).unwrap_or(0),
            error_before_millionths: narrow(before / count),
            error_after_millionths: narrow(after / count),
        }
    }

    /// Corrects an estimate.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`](crate::ErrorCode::InvalidArgument) when the corrected number is too large to be a count.
    pub fn apply(&self, estimated: Count) -> Result<Count> {
        let corrected = corrected(estimated, i128::from(self.factor_millionths), i128::from(self.addend));
        Count::new(u64::try_from(corrected).unwrap_or(u64::MAX))
    }
}

fn corrected(estimated: Count, factor: i128, addend: i128) -> i128 {
    ((i128::from(estimated.get()) * factor + ONE / 2) / ONE + addend).max(0)
}

/// The sum of the relative errors, in millionths; none counts for more than 100 %, as a call with a wrong usage would.
fn error(samples: &[Sample], factor: i128, addend: i128) -> i128 {
    let one = |sample: &Sample| {
        let measured = i128::from(sample.measured.get());
        ((corrected(sample.estimated, factor, addend) - measured).abs() * ONE / measured).min(ONE)
    };
    samples.iter().map(one).sum()
}

/// The addend that goes with a factor.
fn addend(samples: &[Sample], factor: i128) -> i128 {
    let differences = samples.iter().map(|s| i128::from(s.measured.get()) - corrected(s.estimated, factor, 0));
    median(differences.collect()).clamp(-MOST_ADDEND, MOST_ADDEND)
}

/// How much more was measured for how much more estimated, between all pairs (Theil and Sen).
fn slopes(samples: &[Sample]) -> Vec<i128> {
    let mut slopes = Vec::new();
    for (at, first) in samples.iter().enumerate() {
        for second in &samples[at + 1..] {
            let run = i128::from(second.estimated.get()) - i128::from(first.estimated.get());
            if run != 0 {
                let rise = i128::from(second.measured.get()) - i128::from(first.measured.get());
                slopes.push(rise * ONE / run);
            }
        }
    }
    slopes
}

fn bounded_factor(factor: i128) -> i128 {
    factor.clamp(LEAST_FACTOR, MOST_FACTOR)
}

/// The lower median; 1 where there is nothing, as for samples that are all equal.
fn median(mut values: Vec<i128>) -> i128 {
    if values.is_empty() {
        return ONE;
    }
    let middle = (values.len() - 1) / 2;
    *values.select_nth_unstable(middle).1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample(estimated: u32, measured: u32) -> Sample {
        Sample { estimated: Count::from(estimated), measured: Count::from(measured) }
    }

    #[test]
    fn too_few_calls_correct_nothing() {
        let calibration = Calibration::learn(&[sample(100, 150); 4]);
        assert_eq!((calibration.factor_millionths, calibration.addend, calibration.samples), (1_000_000, 0, 4));
    }

    #[test]
    fn a_constant_that_is_missing_is_learned_as_one() -> Result<()> {
        let past: Vec<_> = (1..=20).map(|n| sample(n * n * 10, n * n * 10 + 300)).collect();
        let calibration = Calibration::learn(&past);
        assert_eq!(calibration.error_after_millionths, 0);
        assert_eq!(calibration.apply(Count::from(5000))?.get(), 5300);
        Ok(())
    }

    #[test]
    fn odd_calls_do_not_sway_it() -> Result<()> {
        let mut past: Vec<_> = (1..=30).map(|n| sample(n * 50, n * 60)).collect();
        past.extend([sample(100, 90_000), sample(100, 1), sample(80_000, 3)]);
        let corrected = Calibration::learn(&past).apply(Count::from(1000))?.get();
        assert!((1190..=1210).contains(&corrected), "{corrected}");
        Ok(())
    }

    proptest! {
        #[test]
        fn it_never_makes_the_error_on_past_calls_worse(
            past in prop::collection::vec((0..200_000_u32, 0..200_000_u32), 0..80),
        ) {
            let past: Vec<_> = past.into_iter().map(|(estimated, measured)| sample(estimated, measured)).collect();
            let calibration = Calibration::learn(&past);
            prop_assert!(calibration.error_after_millionths <= calibration.error_before_millionths);
            prop_assert!((500_000..=2_000_000).contains(&calibration.factor_millionths));
        }
    }
}
