//! Whether an hour of one tool is out of the ordinary for its hour of the week.
#![expect(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "statistics of counts; amounts never come here"
)]

use crate::alert::numeric::{rounded, tail};

const HOURS_OF_WEEK: usize = 168;
const WEEKS: usize = 4;
/// How likely so many calls may be at most in an ordinary hour.
pub(crate) const UNLIKELY: f64 = 1e-4;

/// From which excess on an unlikely hour is worth telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpikeLimits {
    /// How many percent above the usual.
    pub more_percent: u64,
    /// How many calls above the usual.
    pub more: u64,
}

impl Default for SpikeLimits {
    fn default() -> Self {
        Self { more_percent: 50, more: 4 }
    }
}

/// What an hour looks like beside the hours before it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spike {
    /// The calls that are usual at that hour of the week.
    pub usual: f64,
    /// How likely so many calls are in an ordinary hour.
    pub probability: f64,
    /// Whether it is out of the ordinary and worth telling.
    pub fires: bool,
}

/// Judges the last of `hours`, each the calls of one hour, oldest first, by up to four weeks before it.
///
/// The usual is the mean of the same hour of the week over four weeks, by itself or with its neighbours, whichever is more, the
/// largest value left out, moved with the level of the last week; with less than three weeks it is that of the trailing seven days. Counts are taken as
/// negative binomial, as wide as these hours are around their means.
pub fn judge_hour(hours: &[u64], limits: SpikeLimits) -> Option<Spike> {
    let (&count, before) = hours.split_last()?;
    let before = &before[before.len().saturating_sub(WEEKS * HOURS_OF_WEEK + 1)..];
    let (usual, size) = if before.len() >= 3 * HOURS_OF_WEEK { seasonal(before) } else { trailing(before)? };
    let more = count as f64 - usual;
    let worth = more >= limits.more as f64 && more * 100.0 >= usual * limits.more_percent as f64;
    // A mean of nothing would make any call impossible: half a call a week is always thinkable.
    let mean = usual.max(0.5 / HOURS_OF_WEEK as f64);
    let probability = if worth { rounded(tail(count, mean, size)) } else { 1.0 };
    Some(Spike { usual: rounded(usual), probability, fires: worth && probability < UNLIKELY })
}

fn mean(values: &[u64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<u64>() as f64 / values.len() as f64 }
}

/// The values of earlier weeks at these many hours after or before the hour that follows `before`.
fn reference(before: &[u64], sides: &[i64]) -> Vec<u64> {
    let hours = |week: usize| i64::try_from(week * HOURS_OF_WEEK).expect("four weeks at most");
    let ago = (1..=WEEKS).flat_map(|week| sides.iter().map(move |side| hours(week) - side));
    ago.filter_map(|ago| before.len().checked_sub(usize::try_from(ago).ok()?)).map(|at| before[at]).collect()
}

/// Leaves the largest value out: an earlier spike is no measure of the usual.
fn without_largest(values: &mut Vec<u64>) {
    if let Some(at) = (0..values.len()).max_by_key(|at| values[*at]) {
        values.swap_remove(at);
    }
}

fn seasonal(before: &[u64]) -> (f64, f64) {
    // With its neighbours, since four values tell little; by itself, since a weekly job runs at its hour alone.
    let usual = |sides: &[i64]| {
        let mut values = reference(before, sides);
        without_largest(&mut values);
        mean(&values)
    };
    let center = usual(&[0]).max(usual(&[-1, 0, 1]));
    // How counts are spread around the mean of their own hour of the week, of all hours that are known.
    let (mut excess, mut squares) = (0.0, 0.0);
    let weeks = before.len() / HOURS_OF_WEEK;
    let start = before.len() - weeks * HOURS_OF_WEEK;
    for hour in 0..HOURS_OF_WEEK {
        let mut same: Vec<u64> = (0..weeks).map(|week| before[start + week * HOURS_OF_WEEK + hour]).collect();
        without_largest(&mut same);
        let own = mean(&same);
        let spread = same.iter().map(|value| (*value as f64 - own).powi(2)).sum::<f64>() / (same.len() - 1) as f64;
        excess += spread - own;
        squares += own * own;
    }
    // What grows is judged by how it has grown since the middle of the four weeks, as far as the last week tells.
    let last = mean(&before[before.len() - HOURS_OF_WEEK..]);
    let all = mean(&before[start..]);
    let level = if all > 0.0 { (last / all).clamp(1.0, 1.5) } else { 1.0 };
    (center * level, width(excess, squares))
}

/// The size of the negative binomial whose variance is mean + excess of squares; never as narrow as Poisson's, since few
/// weeks tell little of the width.
fn width(excess: f64, squares: f64) -> f64 {
    const NARROWEST: f64 = 0.02;
    if squares <= 0.0 {
        return 1.0;
    }
    // The largest left out takes off about as much again from the spread of few values.
    1.0 / (2.0 * excess / squares).max(NARROWEST)
}

fn trailing(before: &[u64]) -> Option<(f64, f64)> {
    if before.len() < 24 {
        return None;
    }
    let mut values = before[before.len().saturating_sub(HOURS_OF_WEEK)..].to_vec();
    without_largest(&mut values);
    let center = mean(&values);
    let spread = values.iter().map(|value| (*value as f64 - center).powi(2)).sum::<f64>() / (values.len() - 1) as f64;
    Some((center, width((spread - center) / 2.0, center * center)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quiet_tool_that_wakes_up_once_is_no_spike_and_a_flood_is() {
        let mut hours = vec![0; 700];
        hours.push(2);
        assert!(!judge_hour(&hours, SpikeLimits::default()).expect("judged").fires);
        *hours.last_mut().expect("pushed") = 40;
        assert!(judge_hour(&hours, SpikeLimits::default()).expect("judged").fires);
    }

    #[test]
    fn a_busy_hour_that_is_busy_each_week_is_no_spike() {
        let hour = |at: usize| if at % 168 == 20 { 900 + (at as u64 * 7) % 60 } else { 50 + (at as u64 * 13) % 20 };
        let hours: Vec<u64> = (0..=(168 * 4 + 20)).map(hour).collect();
        let spike = judge_hour(&hours, SpikeLimits::default()).expect("judged");
        assert!(!spike.fires && spike.usual > 800.0, "{spike:?}");
        let at_another_hour: Vec<u64> =
            (0..=(168 * 4 + 50)).map(|at| if at == 168 * 4 + 50 { 900 } else { hour(at) }).collect();
        assert!(judge_hour(&at_another_hour, SpikeLimits::default()).expect("judged").fires);
    }

    #[test]
    fn too_short_a_past_says_nothing() {
        assert_eq!(judge_hour(&[1_000; 20], SpikeLimits::default()), None);
        assert_eq!(judge_hour(&[], SpikeLimits::default()), None);
    }
}
