//! Limits on how often. Two of them: what a source of connections may ask before anything dear is done for it, and what a
//! partner may ask of a route once it has proved who it is, so that strangers can't spend it.
//!
//! Both count by the generic cell rate algorithm: of each source or partner one number is kept, the moment at which all it
//! asked for would be worked off at the agreed rate. Whoever is further ahead of now than a burst is refused.

mod partners;
mod sources;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use countersign::{Quota, Tally};
use http::{HeaderMap, HeaderValue};

pub(crate) use partners::PartnerRates;
pub(crate) use sources::{Sources, network};

/// All that is counted. It outlives reloads: a new configuration gives nobody a new burst.
pub(crate) struct Rates {
    pub(crate) sources: Sources,
    routes: Mutex<BTreeMap<String, Arc<PartnerRates>>>,
    began: Instant,
}

impl Rates {
    pub(crate) fn new() -> Self {
        Self { sources: Sources::default(), routes: Mutex::default(), began: Instant::now() }
    }

    /// What is counted for a route; the same across reloads.
    pub(crate) fn route(&self, name: &str) -> Arc<PartnerRates> {
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(routes.entry(name.to_owned()).or_default())
    }

    /// The time that all of it is counted by: never set, never set back.
    pub(crate) fn time(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.began)
    }
}

/// What a quota leaves to whoever is counted by it, after this request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    name: &'static str,
    quota: Quota,
    tally: Tally,
}

impl Standing {
    pub(crate) fn is_over(&self) -> bool {
        self.tally.wait.is_some()
    }

    /// For how long to wait.
    pub(crate) fn wait(&self) -> Duration {
        self.tally.wait.unwrap_or_default()
    }

    /// Adds the fields `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers §3, §4), beside those of an
    /// API behind that counts, too. Times in whole seconds, upwards.
    pub(crate) fn tell(&self, headers: &mut HeaderMap) {
        let Self { name, quota, tally: Tally { remaining, reset, wait } } = self;
        let until = wait.unwrap_or(*reset);
        let policy = format!("\"{name}\";q={};w={}", quota.requests, seconds(quota.per));
        let limit = format!("\"{name}\";r={remaining};t={}", seconds(until));
        for (field, value) in [("ratelimit-policy", policy), ("ratelimit", limit)] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.append(field, value);
            }
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, quota: Quota { requests, per }, .. } = self;
        write!(f, "this {name} asked for more than {requests} in {per:?}")
    }
}

/// The moment at which everything is worked off, in nanoseconds of the clock that the caller counts by; 0 for long ago.
#[derive(Debug, Default)]
struct Cell(AtomicU64);

impl Cell {
    /// Takes one request out of the quota, if it is there. Who is ahead by a quota of before owes no more than one of now.
    fn take(&self, name: &'static str, quota: Quota, now: Duration) -> Standing {
        let (now, step, burst) = (nanos(now), quota.step(), quota.burst());
        let held = |done: u64| done.clamp(now, now.saturating_add(burst));
        let due = |done: u64| held(done).saturating_add(step);
        let over = |done: u64| due(done) - now > burst;
        let then = |done: u64| if over(done) { held(done) } else { due(done) };
        // It always gives a value, so it can't fail.
        let done = self.0.fetch_update(Relaxed, Relaxed, |done| Some(then(done))).unwrap_or_else(|done| done);
        let ahead = Duration::from_nanos(then(done) - now);
        Standing { name, quota, tally: quota.tally(ahead, over(done)) }
    }

    /// Whether one more would be too much.
    fn is_spent(&self, quota: Quota, now: Duration) -> bool {
        let now = nanos(now);
        self.0.load(Relaxed).max(now).saturating_add(quota.step()) - now > quota.burst()
    }

    /// Takes so many more, whether they are there or not. The debt ends: never more than a burst is owed.
    fn charge(&self, quota: Quota, requests: u64, now: Duration) {
        let (now, most) = (nanos(now), quota.burst());
        let cost = quota.step().saturating_mul(requests);
        let charged = |done: u64| done.max(now).saturating_add(cost).min(now.saturating_add(most)).max(done);
        // It always gives a value, so it can't fail.
        let _ = self.0.fetch_update(Relaxed, Relaxed, |done| Some(charged(done)));
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests;
