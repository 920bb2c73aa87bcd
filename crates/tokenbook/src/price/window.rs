//! Weekly windows: hours of some weekdays in a fixed offset from UTC, with the days that are excepted.

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::time::{Date, Timestamp};

/// When a price row applies within the week, such as Monday to Friday 09:00 to 12:00 at +08:00, holidays excepted.
#[derive(Debug, Clone)]
pub struct Window {
    /// Minutes east of UTC.
    offset: i64,
    /// Bit 0 is Monday.
    days: u8,
    /// Half-open ranges of minutes of the local day; one may wrap past midnight.
    hours: Vec<(u16, u16)>,
    /// Local days on which the window is shut.
    except: Vec<Date>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    zone: Option<String>,
    #[serde(default)]
    days: Vec<String>,
    #[serde(default)]
    hours: Vec<String>,
    #[serde(default)]
    except: Vec<Date>,
}

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const MINUTES_PER_DAY: i64 = 1440;

impl Window {
    /// Whether the window is open at an instant.
    pub fn contains(&self, at: Timestamp) -> bool {
        let minute = at.ms().div_euclid(60_000) + self.offset;
        let (day, minute) = (minute.div_euclid(MINUTES_PER_DAY), minute.rem_euclid(MINUTES_PER_DAY));
        // 1970-01-01 was a Thursday.
        let weekday = (day + 3).rem_euclid(7);
        if self.days & (1 << weekday) == 0 {
            return false;
        }
        let open = |(from, to): &(u16, u16)| {
            let (from, to) = (i64::from(*from), i64::from(*to));
            if from < to { from <= minute && minute < to } else { minute >= from || minute < to }
        };
        self.hours.iter().any(open) && !self.except.iter().any(|date| i64::from(date.days()) == day)
    }

    fn read(written: Written) -> Result<Self> {
        let mut days = 0;
        for name in &written.days {
            let day = DAYS
                .iter()
                .position(|day| day == name)
                .ok_or_else(|| Error::invalid(format!("expected a day from mon to sun, got {name:?}")))?;
            days |= 1 << day;
        }
        let mut hours = Vec::new();
        for range in &written.hours {
            let fault = || Error::invalid(format!("expected hours such as \"09:00-12:00\", got {range:?}"));
            let (from, to) = range.split_once('-').ok_or_else(fault)?;
            hours.push((minutes(from).ok_or_else(fault)?, minutes(to).ok_or_else(fault)?));
        }
        Ok(Self {
            offset: offset(written.zone.as_deref().unwrap_or("UTC"))?,
            days: if written.days.is_empty() { 0x7f } else { days },
            hours: if hours.is_empty() { vec![(0, 0)] } else { hours },
            except: written.except,
        })
    }
}

/// Minutes of the day in `09:30`; `24:00` is midnight at its end.
fn minutes(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    if hour.len() != 2 || minute.len() != 2 {
        return None;
    }
    let (hour, minute) = (hour.parse::<u16>().ok()?, minute.parse::<u16>().ok()?);
    (hour < 24 && minute < 60 || (hour, minute) == (24, 0)).then_some(hour * 60 + minute)
}

/// Minutes east of UTC in `UTC` or `+08:00`.
fn offset(text: &str) -> Result<i64> {
    let fault = || Error::invalid(format!("expected a zone such as \"UTC\" or \"+08:00\", got {text:?}"));
    if text == "UTC" {
        return Ok(0);
    }
    let (sign, rest) = match text.split_at_checked(1) {
        Some(("+", rest)) => (1, rest),
        Some(("-", rest)) => (-1, rest),
        _ => return Err(fault()),
    };
    minutes(rest).map(|minutes| sign * i64::from(minutes)).ok_or_else(fault)
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Self::read(Written::deserialize(deserializer)?).map_err(|error| serde::de::Error::custom(error.message()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("an instant")
    }

    #[test]
    fn windows_open_by_local_weekday_and_hour() {
        let window: Window = serde_json::from_str(
            r#"{"zone": "+08:00", "days": ["mon", "tue", "wed", "thu", "fri"], "hours": ["09:00-12:00", "14:00-18:00"],
                "except": ["2026-10-01"]}"#,
        )
        .expect("a window");
        assert!(window.contains(at("2026-09-07T01:00:00Z")));
        assert!(!window.contains(at("2026-09-07T04:00:00Z")));
        assert!(window.contains(at("2026-09-07T09:59:59.999Z")));
        assert!(!window.contains(at("2026-09-05T02:00:00Z")), "a Saturday");
        assert!(!window.contains(at("2026-10-01T02:00:00Z")), "a holiday");
    }

    #[test]
    fn windows_may_wrap_past_midnight() {
        let window: Window = serde_json::from_str(r#"{"hours": ["16:30-00:30"]}"#).expect("a window");
        assert!(window.contains(at("2025-06-01T16:30:00Z")));
        assert!(window.contains(at("2025-06-01T00:29:00Z")));
        assert!(!window.contains(at("2025-06-01T00:30:00Z")));
    }

    #[test]
    fn misspelt_windows_are_refused() {
        for text in [r#"{"days": ["monday"]}"#, r#"{"hours": ["9-12"]}"#, r#"{"zone": "Mars"}"#, r#"{"hour": []}"#] {
            serde_json::from_str::<Window>(text).expect_err(text);
        }
    }
}
