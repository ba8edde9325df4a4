use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use countersign::Timestamp;

/// The clock of verdicts: it may stand still, but never goes back, since a step back would make stale signatures fresh and
/// spent ones unknown. Clones share their floor.
#[derive(Clone)]
pub struct Clock(Arc<Shared>);

struct Shared {
    source: Box<dyn Fn() -> Timestamp + Send + Sync>,
    floor: AtomicI64,
}

impl Clock {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self::new(system_time, Timestamp::from_millis(0))
    }

    /// A clock that reads `source` and begins no earlier than `floor`: the latest time that an earlier run has judged by.
    pub fn new(source: impl Fn() -> Timestamp + Send + Sync + 'static, floor: Timestamp) -> Self {
        Self(Arc::new(Shared { source: Box::new(source), floor: AtomicI64::new(floor.as_millis()) }))
    }

    /// Answers nothing earlier than `floor` from here on.
    pub fn not_before(&self, floor: Timestamp) {
        self.0.floor.fetch_max(floor.as_millis(), Ordering::Relaxed);
    }

    /// Now, and never before an earlier answer.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let now = (self.0.source)().as_millis();
        let mut floor = self.0.floor.load(Ordering::Relaxed);
        if floor < now {
            floor = self.0.floor.fetch_max(now, Ordering::Relaxed);
        }
        Timestamp::from_millis(floor.max(now))
    }
}

fn system_time() -> Timestamp {
    // A clock before 1970 reads as 1970: nothing verifies then.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_back_is_not_followed() {
        let time = Arc::new(AtomicI64::new(5_000));
        let source = Arc::clone(&time);
        let clock =
            Clock::new(move || Timestamp::from_millis(source.load(Ordering::Relaxed)), Timestamp::from_millis(1_000));
        assert_eq!(clock.now().as_millis(), 5_000);
        time.store(2_000, Ordering::Relaxed);
        assert_eq!(clock.clone().now().as_millis(), 5_000);
        time.store(6_000, Ordering::Relaxed);
        assert_eq!(clock.now().as_millis(), 6_000);
    }

    #[test]
    fn an_earlier_run_is_a_floor() {
        let clock = Clock::new(|| Timestamp::from_millis(1), Timestamp::from_millis(9));
        assert_eq!(clock.now().as_millis(), 9);
        let following = clock.clone();
        clock.not_before(Timestamp::from_millis(12));
        clock.not_before(Timestamp::from_millis(7));
        assert_eq!(following.now().as_millis(), 12);
    }
}
