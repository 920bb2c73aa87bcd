//! The one place of the libraries that reads the machine's clock.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tokenbook::{Error, ErrorCode, Result, Timestamp};

/// The instant that an operation takes where its arguments name none.
#[expect(clippy::disallowed_methods, reason = "this is the real clock that the rule points to")]
pub(crate) fn now() -> Result<Timestamp> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok();
    since
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .and_then(|ms| Timestamp::from_ms(ms).ok())
        .ok_or_else(|| Error::new(ErrorCode::Unavailable, "the machine's clock is not between 1970 and 2999"))
}

/// Measures how long something takes, whatever is done to the machine's clock meanwhile.
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "this is the real clock that the rule points to")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Whole milliseconds since the start.
    pub(crate) fn ms(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
