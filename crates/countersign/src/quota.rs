use std::time::Duration;

/// How many requests in which time. All of them may come at once; from then on they come back evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// At least one.
    pub requests: u64,
    /// Above zero.
    pub per: Duration,
}

impl Quota {
    /// Nanoseconds until one more request may come; at least one.
    #[must_use]
    pub fn step(self) -> u64 {
        (self.burst() / self.requests.max(1)).max(1)
    }

    /// Nanoseconds that whoever asks may be ahead; at least one.
    #[must_use]
    pub fn burst(self) -> u64 {
        nanos(self.per).max(1)
    }

    /// What it leaves to whoever is `ahead` of now, and was refused or not: the generic cell rate algorithm keeps one number,
    /// the moment at which all that was asked for would be worked off at the agreed rate.
    #[must_use]
    pub fn tally(self, ahead: Duration, refused: bool) -> Tally {
        let (step, burst) = (self.step(), self.burst());
        let ahead = nanos(ahead).min(burst);
        // One more is due a step later, and may come once that is no further ahead than a burst.
        let wait = Duration::from_nanos(ahead.saturating_add(step).saturating_sub(burst));
        Tally { remaining: (burst - ahead) / step, reset: Duration::from_nanos(ahead), wait: refused.then_some(wait) }
    }
}

/// What a quota leaves to whoever is counted by it, after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Requests that may still come at once.
    pub remaining: u64,
    /// Until all of the quota is there again.
    pub reset: Duration,
    /// Until the next one may come, where this one may not.
    pub wait: Option<Duration>,
}

/// What a request counts for where it is counted with its use: the partner that made it, at one route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count<'a> {
    /// The route.
    pub route: &'a str,
    /// The partner whose signature held.
    pub partner: &'a str,
    /// What the partner may ask of the route.
    pub quota: Quota,
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_and_until_when() {
        let quota = Quota { requests: 3, per: Duration::from_secs(1) };
        let ahead = |steps: u32| Duration::from_nanos(quota.step()) * steps;
        assert_eq!(quota.tally(ahead(1), false), Tally { remaining: 2, reset: ahead(1), wait: None });
        assert_eq!(quota.tally(ahead(3), false).remaining, 0);
        // A nanosecond of the division is left.
        let wait = ahead(1).checked_sub(Duration::from_nanos(1));
        assert_eq!(quota.tally(ahead(3), true), Tally { remaining: 0, reset: ahead(3), wait });
    }

    #[test]
    fn quotas_at_their_ends_do_no_harm() {
        for requests in [0, 1, u64::MAX] {
            for per in [Duration::ZERO, Duration::from_secs(1), Duration::MAX] {
                for ahead in [Duration::ZERO, Duration::MAX] {
                    let quota = Quota { requests, per };
                    let tally = quota.tally(ahead, true);
                    assert!(tally.reset <= Duration::from_nanos(quota.burst()) && tally.wait.is_some());
                }
            }
        }
    }
}
