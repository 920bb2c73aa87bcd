//! The one place of the libraries that reads the machine's clock.

use tokenbook::{Error, ErrorCode, Result, Timestamp};

/// The instant that an operation takes where its arguments name none.
pub(crate) fn now() -> Result<Timestamp> {
    ms().and_then(|ms| Timestamp::from_ms(ms).ok())
        .ok_or_else(|| Error::new(ErrorCode::Unavailable, "the machine's clock is not between 1970 and 2999"))
}

/// Measures how long something takes, whatever is done to the machine's clock meanwhile.
#[cfg(feature = "ledger")]
pub(crate) struct Stopwatch(std::time::Instant);

#[cfg(feature = "ledger")]
impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "this is the real clock that the rule points to")]
    pub(crate) fn started(ms_ago: u64) -> Self {
        let now = std::time::Instant::now();
        Self(now.checked_sub(std::time::Duration::from_millis(ms_ago)).unwrap_or(now))
    }

    /// Whole milliseconds since the start.
    pub(crate) fn ms(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Milliseconds since 1970.
#[cfg(not(target_family = "wasm"))]
#[expect(clippy::disallowed_methods, reason = "this is the real clock that the rule points to")]
fn ms() -> Option<i64> {
    use std::time::{SystemTime, UNIX_EPOCH};

    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok()
}

#[cfg(target_family = "wasm")]
static CLOCK: std::sync::OnceLock<fn() -> i64> = std::sync::OnceLock::new();

/// Milliseconds since 1970.
#[cfg(target_family = "wasm")]
fn ms() -> Option<i64> {
    CLOCK.get().map(|clock| clock())
}

/// Says what gives the milliseconds since 1970, where the standard library knows no clock; only the first word counts.
#[cfg(target_family = "wasm")]
pub fn use_clock(clock: fn() -> i64) {
    let _ = CLOCK.set(clock);
}
