use std::fmt;
use std::time::Duration;

/// A moment, in whole milliseconds since 1970-01-01T00:00:00Z (leap seconds not counted, as in POSIX).
///
/// The core never asks for the time: every function that judges age is handed `now`. Arithmetic saturates, so that no
/// number a sender writes can wrap around.
///
/// ```
/// use std::time::Duration;
/// use countersign::Timestamp;
///
/// let created = Timestamp::from_secs(1_618_884_473);
/// assert_eq!(created.after(Duration::from_millis(1500)).as_millis(), 1_618_884_474_500);
/// assert_eq!(Timestamp::from_secs(i64::MAX).as_secs(), i64::MAX / 1000);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From seconds since the epoch; saturates beyond ±9.2 × 10^15.
    #[must_use]
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// From milliseconds since the epoch.
    #[must_use]
    pub const fn from_millis(milliseconds: i64) -> Self {
        Self(milliseconds)
    }

    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// This moment and `duration` later; parts of a millisecond are dropped.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }

    /// This moment and `duration` earlier; parts of a millisecond are dropped.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }
}

/// RFC 3339 in UTC with milliseconds, or the bare number of milliseconds outside the years 0 to 9999.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(moment) => write!(f, "{moment:.3}"),
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_rfc_3339() {
        assert_eq!(Timestamp::from_secs(1_618_884_473).to_string(), "2021-04-20T02:07:53.000Z");
        assert_eq!(Timestamp::from_millis(i64::MAX).to_string(), "9223372036854775807ms");
    }
}
