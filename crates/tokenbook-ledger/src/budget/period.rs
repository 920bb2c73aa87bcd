//! The stretch of time that a budget counts over.

use tokenbook::Count;

use crate::budget::{Budget, Period};
use crate::calendar::{Calendar, Unit};

/// How many parts a rolling window is counted in: what has left it only in part still counts.
const PARTS: i64 = 60;

/// A budget's periods; an instant lies in exactly one bucket.
pub(crate) struct Periods {
    period: Period,
    calendar: Calendar,
    window_ms: i64,
    width_ms: i64,
    /// The bucket that was asked for last.
    last: (i64, i64),
}

impl Periods {
    /// The periods of a budget that was checked when it was set.
    pub(crate) fn new(budget: &Budget) -> tokenbook::Result<Self> {
        let calendar = Calendar::new(budget.time_zone.as_deref().unwrap_or("UTC"))?;
        let minutes = budget.window_minutes.map_or(1, Count::get);
        let window_ms = i64::try_from(minutes).unwrap_or(i64::MAX / 60_000).saturating_mul(60_000);
        Ok(Self {
            period: budget.period,
            calendar,
            window_ms,
            width_ms: window_ms.div_euclid(PARTS).max(1),
            last: (0, 0),
        })
    }

    /// The bucket that holds an instant, from its first instant to the next one's.
    pub(crate) fn bucket(&mut self, at: i64) -> (i64, i64) {
        if (self.last.0..self.last.1).contains(&at) {
            return self.last;
        }
        let unit = match self.period {
            Period::Total => return (0, i64::MAX),
            Period::Rolling => {
                let start = at.div_euclid(self.width_ms) * self.width_ms;
                return (start, start + self.width_ms);
            }
            Period::Hour => Unit::Hour,
            Period::Day => Unit::Day,
            Period::Week => Unit::Week,
            Period::Month => Unit::Month,
        };
        let bucket = self.calendar.bucket_of(unit, at);
        let next = self.calendar.next(unit, bucket);
        self.last = if unit == Unit::Hour {
            (bucket, next)
        } else {
            (self.calendar.day_start(bucket), self.calendar.day_start(next))
        };
        self.last
    }

    /// The first instant of the first bucket that counts at `at`; all later ones count too, so that a clock that goes back
    /// doesn't hide what was spent.
    pub(crate) fn first_bucket(&mut self, at: i64) -> i64 {
        match self.period {
            Period::Rolling => self.bucket(at - self.window_ms + 1).0,
            _ => self.bucket(at).0,
        }
    }

    /// Whether the period has a first and a last instant.
    pub(crate) fn bounds(&mut self, at: i64) -> Option<(i64, i64)> {
        (!matches!(self.period, Period::Rolling | Period::Total)).then(|| self.bucket(at))
    }

    pub(crate) fn is_rolling(&self) -> bool {
        self.period == Period::Rolling
    }

    /// Starts of the buckets of a rolling window.
    pub(crate) fn buckets_of_window(&mut self, at: i64) -> Vec<(i64, i64)> {
        let mut buckets = Vec::new();
        let mut start = self.first_bucket(at);
        while start <= at {
            buckets.push((start, start + self.width_ms));
            start += self.width_ms;
        }
        buckets
    }

    /// The bucket before which a rolling budget's counts are no longer needed.
    pub(crate) fn forgotten_before(&self, at: i64) -> i64 {
        at - 2 * self.window_ms - self.width_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn periods(period: &str, zone: &str) -> Periods {
        let budget = format!(r#"{{"name": "b", "limit_tokens": 1, "period": "{period}", "time_zone": "{zone}"}}"#);
        Periods::new(&serde_json::from_str(&budget).expect("a budget")).expect("a zone")
    }

    fn ms(text: &str) -> i64 {
        text.parse::<tokenbook::Timestamp>().expect("an instant").ms()
    }

    #[test]
    fn a_day_ends_at_midnight_of_its_zone_also_when_clocks_change() {
        let mut berlin = periods("day", "Europe/Berlin");
        let day = berlin.bucket(ms("2026-03-29T12:00:00Z"));
        assert_eq!(day, (ms("2026-03-28T23:00:00Z"), ms("2026-03-29T22:00:00Z")));
        assert_eq!(berlin.bucket(day.1 - 1), day);
        assert_eq!(berlin.bucket(day.1).0, day.1);
        assert_eq!(
            berlin.bucket(ms("2026-10-25T12:00:00Z")).1 - berlin.bucket(ms("2026-10-25T12:00:00Z")).0,
            25 * 3_600_000
        );
    }

    #[test]
    fn months_and_weeks_follow_each_other_without_gap() {
        for period in ["hour", "day", "week", "month"] {
            let mut periods = periods(period, "America/Sao_Paulo");
            let mut at = ms("2018-10-01T00:00:00Z");
            for _ in 0..60 {
                let (start, end) = periods.bucket(at);
                assert!(start <= at && at < end, "{period}");
                assert_eq!(periods.bucket(end - 1), (start, end), "{period}");
                at = end;
            }
        }
    }

    #[test]
    fn a_rolling_window_counts_at_least_what_lies_in_it_and_a_sixtieth_more_at_most() {
        let budget = r#"{"name": "b", "limit_tokens": 1, "period": "rolling", "window_minutes": 7}"#;
        let mut rolling = Periods::new(&serde_json::from_str(budget).expect("a budget")).expect("a zone");
        for at in [1_000_000_000_000, 1_000_000_000_001, 1_000_000_006_999] {
            let first = rolling.first_bucket(at);
            assert!(first < at - 420_000 + 2 && first > at - 420_000 - 7_001, "{at}: {first}");
            assert!(rolling.buckets_of_window(at).len() <= 61);
        }
    }
}
