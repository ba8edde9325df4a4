use std::time::Duration;

use tokio::time::Instant;

use crate::settings::Limits;

/// How slowly a body may come: it has some time for itself, and more for each byte that came. So a small body is over soon
/// whatever its sender does, and a large one that keeps its pace is not cut off.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    time: Duration,
    /// Bytes that earn a second; 0 for none.
    rate: u64,
}

impl Pace {
    pub(crate) fn of(limits: &Limits) -> Self {
        Self { time: limits.body_time, rate: limits.min_body_rate }
    }

    /// Until when more has to come of a body that began at `began`, and of which `came` bytes are here.
    pub(crate) fn deadline(self, began: Instant, came: u64) -> Instant {
        let earned = came.saturating_mul(1000).checked_div(self.rate).unwrap_or(0);
        let earned = Duration::from_millis(earned.min(LONGEST));
        began + self.time + earned
    }
}

/// A day: far beyond what any body earns, and no instant overflows by it.
const LONGEST: u64 = 24 * 60 * 60 * 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_earns_time_and_without_a_rate_nothing_does() {
        let began = Instant::now();
        let deadline = |rate, came| Pace { time: Duration::from_secs(2), rate }.deadline(began, came) - began;
        assert_eq!(deadline(1000, 0), Duration::from_secs(2));
        assert_eq!(deadline(1000, 500), Duration::from_millis(2500));
        assert_eq!(deadline(1000, 60_000), Duration::from_secs(62));
        assert_eq!(deadline(0, 60_000), Duration::from_secs(2));
        assert_eq!(deadline(1, u64::MAX), Duration::from_secs(2) + Duration::from_millis(LONGEST));
    }
}
