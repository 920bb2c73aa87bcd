//! Instants into buckets of a named time zone.

use std::collections::HashMap;

use jiff::civil;
use jiff::tz::TimeZone;
use tokenbook::{Date, Error, Result, Timestamp};

pub(crate) const MS_PER_HOUR: i64 = 3_600_000;
const MS_PER_DAY: i64 = 86_400_000;

/// A unit of time that reports group by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Unit {
    Hour,
    Day,
    Week,
    Month,
}

/// A named time zone, with its days.
///
/// A day is what lies between its first instant and the next day's first instant: also when clocks go back over
/// midnight, days follow each other without gap or overlap.
pub(crate) struct Calendar {
    zone: TimeZone,
    utc: bool,
    starts: HashMap<i64, i64>,
}

impl Calendar {
    /// Finds a zone by its IANA name.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`](tokenbook::ErrorCode::InvalidArgument) for an unknown name.
    pub(crate) fn new(name: &str) -> Result<Self> {
        let zone = TimeZone::get(name).map_err(|_| {
            let shown: String = name.chars().take(60).collect();
            Error::invalid(format!("time_zone: expected an IANA name such as \"Europe/Berlin\", got {shown:?}"))
        })?;
        let utc = zone.iana_name() == Some("UTC");
        Ok(Self { zone, utc, starts: HashMap::new() })
    }

    /// The zone's name in its proper spelling.
    pub(crate) fn name(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }

    fn offset_ms(&self, at: i64) -> i64 {
        if self.utc {
            return 0;
        }
        jiff::Timestamp::from_millisecond(at).map_or(0, |at| i64::from(self.zone.to_offset(at).seconds()) * 1_000)
    }

    /// The day number that holds an instant.
    pub(crate) fn day_of(&mut self, at: i64) -> i64 {
        let mut day = (at + self.offset_ms(at)).div_euclid(MS_PER_DAY);
        if !self.utc {
            while at < self.day_start(day) {
                day -= 1;
            }
            while at >= self.day_start(day + 1) {
                day += 1;
            }
        }
        day
    }

    /// The first instant of a day.
    pub(crate) fn day_start(&mut self, day: i64) -> i64 {
        if self.utc {
            return day * MS_PER_DAY;
        }
        if let Some(start) = self.starts.get(&day) {
            return *start;
        }
        let start = civil_date(day)
            .to_zoned(self.zone.clone())
            .map_or(day * MS_PER_DAY, |start| start.timestamp().as_millisecond());
        self.starts.insert(day, start);
        start
    }

    /// The bucket that holds an instant: the instant it starts at for hours, its first day's number otherwise.
    pub(crate) fn bucket_of(&mut self, unit: Unit, at: i64) -> i64 {
        match unit {
            Unit::Hour => {
                let offset = self.offset_ms(at);
                (at + offset).div_euclid(MS_PER_HOUR) * MS_PER_HOUR - offset
            }
            Unit::Day => self.day_of(at),
            Unit::Week | Unit::Month => {
                let day = self.day_of(at);
                Self::first_day(unit, day)
            }
        }
    }

    /// The first day of the week or month that a day lies in.
    pub(crate) fn first_day(unit: Unit, day: i64) -> i64 {
        match unit {
            Unit::Hour | Unit::Day => day,
            Unit::Week => day - (day + 3).rem_euclid(7), // 1970-01-01 was a Thursday.
            Unit::Month => day - i64::from(civil_date(day).day() - 1),
        }
    }

    /// The bucket after `bucket`.
    pub(crate) fn next(&mut self, unit: Unit, bucket: i64) -> i64 {
        match unit {
            // An offset that changes by half an hour makes an hour of 30 or 90 minutes.
            Unit::Hour => {
                let next = self.bucket_of(unit, bucket + MS_PER_HOUR);
                if next > bucket { next } else { bucket + MS_PER_HOUR }
            }
            Unit::Day => bucket + 1,
            Unit::Week => bucket + 7,
            Unit::Month => bucket + i64::from(civil_date(bucket).days_in_month()),
        }
    }

    /// Whether the zone's offset is a whole number of hours all through a range.
    pub(crate) fn has_whole_hours(&self, from: i64, to: i64) -> bool {
        let whole = |at: i64| self.offset_ms(at) % MS_PER_HOUR == 0;
        if self.utc {
            return true;
        }
        let Ok(start) = jiff::Timestamp::from_millisecond(from) else { return false };
        whole(from)
            && self.zone.following(start).take_while(|change| change.timestamp().as_millisecond() < to).all(|change| {
                let at = change.timestamp().as_millisecond();
                at % MS_PER_HOUR == 0 && whole(at)
            })
    }
}

#[expect(clippy::cast_possible_truncation, reason = "clamped to the days of years 1 to 9998")]
fn civil_date(day: i64) -> civil::Date {
    let day = day.clamp(-719_000, 2_900_000) as i32;
    civil::date(1970, 1, 1).saturating_add(jiff::Span::new().days(day))
}

/// A day number as a date, kept inside the range of dates.
#[expect(clippy::cast_possible_truncation, reason = "clamped to the range of dates")]
pub(crate) fn date(day: i64) -> Date {
    let last = i64::from(Timestamp::MAX.date().days());
    Date::from_days(day.clamp(0, last) as i32).expect("clamped to the range of dates")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(text: &str) -> i64 {
        text.parse::<Timestamp>().expect("an instant").ms()
    }

    #[test]
    fn days_have_23_24_or_25_hours() {
        let mut berlin = Calendar::new("Europe/Berlin").expect("known");
        let hours = |calendar: &mut Calendar, day: &str| {
            let day = i64::from(day.parse::<Date>().expect("a day").days());
            (calendar.day_start(day + 1) - calendar.day_start(day)) / MS_PER_HOUR
        };
        assert_eq!(hours(&mut berlin, "2026-03-29"), 23);
        assert_eq!(hours(&mut berlin, "2026-10-25"), 25);
        assert_eq!(hours(&mut berlin, "2026-11-22"), 24);
    }

    #[test]
    fn the_repeated_hour_is_two_buckets() {
        let mut berlin = Calendar::new("Europe/Berlin").expect("known");
        let (first, second) = (ms("2026-10-25T00:30:00Z"), ms("2026-10-25T01:30:00Z"));
        assert_eq!(berlin.bucket_of(Unit::Hour, first), ms("2026-10-25T00:00:00Z"));
        assert_eq!(berlin.bucket_of(Unit::Hour, second), ms("2026-10-25T01:00:00Z"));
        assert_eq!(berlin.day_of(first), berlin.day_of(second));
    }

    #[test]
    fn half_hour_zones_and_unknown_names_are_told_apart() {
        let mut kolkata = Calendar::new("asia/kolkata").expect("names are found in any case");
        assert_eq!(kolkata.name(), "Asia/Kolkata");
        assert!(!kolkata.has_whole_hours(0, i64::from(u32::MAX)));
        assert_eq!(kolkata.bucket_of(Unit::Hour, ms("2026-11-22T10:45:00Z")), ms("2026-11-22T10:30:00Z"));
        assert!(Calendar::new("Mars/Olympus").is_err());
        let berlin = Calendar::new("Europe/Berlin").expect("known");
        assert!(berlin.has_whole_hours(ms("2000-01-01T00:00:00Z"), ms("2030-01-01T00:00:00Z")));
    }

    #[test]
    fn days_follow_each_other_when_clocks_go_back_over_midnight() {
        // At 00:01 on 1987-10-25, St. John's went back to 23:01 of the day before.
        let mut zone = Calendar::new("America/St_Johns").expect("known");
        let mut last = i64::MIN;
        for minute in 0..(60 * 48) {
            let day = zone.day_of(ms("1987-10-24T12:00:00Z") + minute * 60_000);
            assert!(day >= last);
            last = day;
        }
    }

    #[test]
    fn weeks_start_on_monday_and_months_on_the_first() {
        let mut utc = Calendar::new("UTC").expect("known");
        let at = ms("2026-11-22T10:00:00Z");
        let week = utc.bucket_of(Unit::Week, at);
        let month = utc.bucket_of(Unit::Month, at);
        assert_eq!((date(week).to_string(), date(month).to_string()), ("2026-11-16".into(), "2026-11-01".into()));
        let next = (utc.next(Unit::Week, week), utc.next(Unit::Month, month));
        assert_eq!((date(next.0).to_string(), date(next.1).to_string()), ("2026-11-23".into(), "2026-12-01".into()));
    }
}
