//! What the next days come to, from the days so far: small methods, picked by their own errors, with honest bands.
//!
//! A pure function of its input, the same on every machine: only basic operations on `f64`, rounded to whole units.
#![expect(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "an estimate; what it is made of is exact"
)]

use serde::Serialize;

/// Days in the rhythm of the series.
const WEEK: usize = 7;
/// Days below which nothing is foretold.
pub(crate) const FEWEST_DAYS: usize = 14;
/// Days from which on a trend and a rhythm can be told apart.
const ENOUGH_DAYS: usize = 21;
/// Days that are looked at; what is older says little of the next.
pub(crate) const MOST_DAYS: usize = 140;
/// Errors that a band of 90 % needs.
const FEWEST_ERRORS: usize = 9;
/// Starts from which the past is foretold to learn the errors.
const MOST_ORIGINS: usize = 40;
/// Days that may be foretold.
pub(crate) const MOST_AHEAD: usize = 92;

/// A method of foretelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ForecastMethod {
    /// The last week again.
    LastWeek,
    /// The mean of the last seven days.
    WeekMean,
    /// Level, damped trend and weekly rhythm (Holt-Winters), its weights from a small grid by their one-day errors.
    HoltWinters,
}

/// What is expected, and the band that holds with 90 %; none where too few errors are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Band {
    /// The estimate.
    pub expected: i128,
    /// The band's lower edge.
    pub low: Option<i128>,
    /// The band's upper edge.
    pub high: Option<i128>,
}

/// What the next days come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prediction {
    /// The method with the smallest error on this series.
    pub method: ForecastMethod,
    /// Days that it was made of.
    pub days_used: usize,
    /// Starts from which the past was foretold.
    pub origins: usize,
    /// Each day.
    pub daily: Vec<Band>,
    /// Each day with all before it: the last is the total.
    pub cumulative: Vec<Band>,
}

/// Foretells the days after a series of whole days, oldest first; none below 14 days.
pub fn predict(daily: &[i128], ahead: usize) -> Option<Prediction> {
    let ahead = ahead.clamp(1, MOST_AHEAD);
    let recent = &daily[daily.len().saturating_sub(MOST_DAYS)..];
    if recent.len() < FEWEST_DAYS {
        return None;
    }
    let days: Vec<f64> = recent.iter().map(|value| *value as f64).collect();
    let methods: &[ForecastMethod] = if days.len() < ENOUGH_DAYS {
        &[ForecastMethod::LastWeek]
    } else {
        &[ForecastMethod::HoltWinters, ForecastMethod::LastWeek, ForecastMethod::WeekMean]
    };
    let tried: Vec<Tried> = methods.iter().map(|method| Tried::new(*method, &days, ahead)).collect();
    let best = tried.into_iter().reduce(|best, other| if other.error < best.error { other } else { best })?;
    let expected = foretell(best.method, &days, ahead);
    let scale = scale_of(&days);
    let mut sum = 0.0;
    let mut single = best.daily_errors;
    let daily_width = quantile(&mut single);
    let mut daily = Vec::with_capacity(ahead);
    let mut cumulative = Vec::with_capacity(ahead);
    let mut widest = 0.0_f64;
    for (value, mut errors) in expected.into_iter().zip(best.sum_errors) {
        sum += value;
        daily.push(band(value, daily_width.map(|width| width * scale)));
        // More days are never surer than fewer.
        let width = quantile(&mut errors).map(|width| width.max(widest));
        widest = width.unwrap_or(widest);
        cumulative.push(band(sum, width.map(|width| width * scale)));
    }
    Some(Prediction { method: best.method, days_used: days.len(), origins: best.origins, daily, cumulative })
}

fn band(value: f64, width: Option<f64>) -> Band {
    let whole = |value: f64| (value.max(0.0) + 0.5).floor() as i128;
    Band {
        expected: whole(value),
        low: width.map(|width| whole(value - width)),
        high: width.map(|width| whole(value + width)),
    }
}

/// How a method did on the past.
struct Tried {
    method: ForecastMethod,
    /// The mean error of the total, in multiples of the level.
    error: f64,
    origins: usize,
    /// The errors of single days, in multiples of the level.
    daily_errors: Vec<f64>,
    /// The errors of the sums up to each day ahead.
    sum_errors: Vec<Vec<f64>>,
}

impl Tried {
    fn new(method: ForecastMethod, days: &[f64], ahead: usize) -> Self {
        let first = if method == ForecastMethod::HoltWinters { 2 * WEEK } else { WEEK };
        let origins = first.max(days.len().saturating_sub(MOST_ORIGINS))..days.len();
        let mut tried =
            Self { method, error: 0.0, origins: 0, daily_errors: Vec::new(), sum_errors: vec![Vec::new(); ahead] };
        let (mut error, mut weight) = (0.0, 0.0);
        for origin in origins {
            let (past, future) = days.split_at(origin);
            let scale = scale_of(past);
            let mut sum = 0.0;
            let reach = future.len().min(ahead);
            for (at, (value, real)) in foretell(method, past, reach).into_iter().zip(future).enumerate() {
                tried.daily_errors.push((value - real).abs() / scale);
                sum += value - real;
                tried.sum_errors[at].push(sum.abs() / scale);
            }
            error += sum.abs() / scale;
            weight += reach as f64;
            tried.origins += 1;
        }
        tried.error = if weight > 0.0 { error / weight } else { f64::MAX };
        tried
    }
}

/// The level that errors are measured in: the mean of the last four weeks, never nothing.
fn scale_of(days: &[f64]) -> f64 {
    let recent = &days[days.len().saturating_sub(4 * WEEK)..];
    let mean = recent.iter().fold(0.0, |sum, value| sum + value) / recent.len().max(1) as f64;
    mean.max(1.0)
}

/// The width that nine of ten errors are within, corrected for their number; none below nine errors.
fn quantile(errors: &mut [f64]) -> Option<f64> {
    if errors.len() < FEWEST_ERRORS {
        return None;
    }
    errors.sort_unstable_by(f64::total_cmp);
    let rank = ((errors.len() + 1) * 9).div_ceil(10).min(errors.len());
    Some(errors[rank - 1])
}

fn foretell(method: ForecastMethod, days: &[f64], ahead: usize) -> Vec<f64> {
    let last = &days[days.len() - WEEK..];
    match method {
        ForecastMethod::LastWeek => (0..ahead).map(|at| last[at % WEEK]).collect(),
        ForecastMethod::WeekMean => {
            let mean = last.iter().fold(0.0, |sum, value| sum + value) / WEEK as f64;
            vec![mean; ahead]
        }
        ForecastMethod::HoltWinters => {
            let mut best: Option<(f64, Smoothed)> = None;
            for level in [0.1, 0.3, 0.6] {
                for trend in [0.0, 0.1] {
                    for season in [0.05, 0.2, 0.4] {
                        let smoothed = Smoothed::new(days, Weights { level, trend, season, damping: 0.95 });
                        if best.as_ref().is_none_or(|(error, _)| smoothed.error < *error) {
                            best = Some((smoothed.error, smoothed));
                        }
                    }
                }
            }
            best.expect("the grid has points").1.ahead(ahead)
        }
    }
}

/// How quickly each part follows the days.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weights {
    pub(crate) level: f64,
    pub(crate) trend: f64,
    pub(crate) season: f64,
    pub(crate) damping: f64,
}

/// Holt-Winters' state after all days.
pub(crate) struct Smoothed {
    level: f64,
    trend: f64,
    season: [f64; WEEK],
    /// The place in the week of the next day.
    next: usize,
    damping: f64,
    /// The sum of the squared one-day errors.
    error: f64,
}

impl Smoothed {
    /// Starts from the means of the first two weeks and follows all days.
    pub(crate) fn new(days: &[f64], weights: Weights) -> Self {
        let mean = |days: &[f64]| days.iter().fold(0.0, |sum, value| sum + value) / WEEK as f64;
        let (first, second) = (mean(&days[..WEEK]), mean(&days[WEEK..2 * WEEK]));
        let mut season = [0.0; WEEK];
        for (at, season) in season.iter_mut().enumerate() {
            *season = (days[at] - first + days[at + WEEK] - second) / 2.0;
        }
        let (mut level, mut trend) = (first, (second - first) / WEEK as f64);
        let mut error = 0.0;
        for (at, value) in days.iter().enumerate() {
            let season = &mut season[at % WEEK];
            let before = level + weights.damping * trend;
            let off = value - before - *season;
            error += off * off;
            let new = weights.level * (value - *season) + (1.0 - weights.level) * before;
            trend = weights.trend * (new - level) + (1.0 - weights.trend) * weights.damping * trend;
            *season = weights.season * (value - before) + (1.0 - weights.season) * *season;
            level = new;
        }
        Self { level, trend, season, next: days.len() % WEEK, damping: weights.damping, error }
    }

    pub(crate) fn ahead(&self, ahead: usize) -> Vec<f64> {
        let (mut reach, mut factor) = (0.0, 1.0);
        (0..ahead)
            .map(|at| {
                factor *= self.damping;
                reach += factor;
                let value = self.level + reach * self.trend + self.season[(self.next + at) % WEEK];
                value.max(0.0)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Beside statsmodels' Holt-Winters with the same start: the weights that it picks, its errors, and what it foretells.
    #[test]
    fn holt_winters_is_that_of_statsmodels() {
        #[derive(serde::Deserialize)]
        struct Figures {
            forecasts: Vec<Case>,
        }
        #[derive(serde::Deserialize)]
        struct Case {
            days: Vec<f64>,
            level: f64,
            trend: f64,
            season: f64,
            squared_errors: f64,
            ahead: Vec<f64>,
        }
        let near = |ours: f64, theirs: f64| (ours - theirs).abs() <= 1e-9 * theirs.abs().max(1.0);
        let figures: Figures =
            serde_json::from_str(include_str!("../../tests/oracle/statsmodels.json")).expect("figures");
        assert_eq!(figures.forecasts.len(), 8);
        for Case { days, level, trend, season, squared_errors, ahead } in figures.forecasts {
            let smoothed = Smoothed::new(&days, Weights { level, trend, season, damping: 0.95 });
            assert!(near(smoothed.error, squared_errors), "{} {squared_errors}", smoothed.error);
            // By the weights of its own choice.
            let ours = foretell(ForecastMethod::HoltWinters, &days, ahead.len());
            for (ours, theirs) in ours.into_iter().zip(ahead) {
                assert!(near(ours, theirs), "{ours} {theirs}");
            }
        }
    }

    #[test]
    fn two_weeks_are_the_least() {
        assert_eq!(predict(&[5; 13], 7), None);
        let found = predict(&[5; 14], 7).expect("enough");
        assert_eq!((found.method, found.cumulative[6].expected), (ForecastMethod::LastWeek, 35));
    }

    #[test]
    fn a_weekly_rhythm_is_carried_on() {
        let week = [100, 110, 120, 110, 100, 20, 10];
        let days: Vec<i128> = (0..70).map(|day| week[day % 7]).collect();
        let found = predict(&days, 14).expect("enough");
        let expected: Vec<i128> = found.daily.iter().map(|band| band.expected).collect();
        assert_eq!(expected, week.repeat(2));
        assert_eq!(found.cumulative[13], Band { expected: 1_140, low: Some(1_140), high: Some(1_140) });
    }

    #[test]
    fn nothing_is_below_zero_and_a_trend_is_damped() {
        let falling: Vec<i128> = (0..40).map(|day| (1_000 - 25 * day).max(0)).collect();
        let found = predict(&falling, 30).expect("enough");
        assert!(found.daily.iter().all(|band| band.expected >= 0 && band.low.is_none_or(|low| low >= 0)));
    }

    proptest! {
        #[test]
        fn bands_hold_their_estimate_and_widen(days in prop::collection::vec(0..1_i128 << 70, 14..160), ahead in 1..40_usize) {
            let found = predict(&days, ahead).expect("enough");
            prop_assert_eq!(found.daily.len(), ahead);
            let mut width = 0;
            for band in &found.cumulative {
                if let (Some(low), Some(high)) = (band.low, band.high) {
                    prop_assert!(low <= band.expected && band.expected <= high);
                    prop_assert!(high - band.expected >= width - (band.expected >> 40) - 2);
                    width = high - band.expected;
                }
            }
        }
    }
}
