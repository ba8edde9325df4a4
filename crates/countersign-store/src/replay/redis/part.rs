use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use countersign::{Count, Quota, Seen, Tally, Timestamp, Unavailable, Use};
use tokio::sync::{mpsc, oneshot};

use super::mark::Mark;
use super::{MINUTE, NAME};
use crate::replay::memory::MAX_AHEAD;

/// A memory of its own within the store: a mark, and uses beside it, all in one slot of a cluster. A single server has one.
pub(super) struct Part {
    /// The name of its hash tag.
    pub(super) name: String,
    pub(super) state: ArcSwap<State>,
}

/// What a part can do now.
pub(super) enum State {
    /// Nothing, for this reason.
    Closed(String),
    /// It admits.
    Open(Open),
}

/// How a part admits.
#[derive(Clone)]
pub(super) struct Open {
    /// What stands for the mark.
    pub(super) token: Arc<str>,
    pub(super) mark: Arc<Mark>,
    /// To whoever is connected to its server.
    pub(super) queue: mpsc::Sender<Job>,
}

/// A use that waits for its answer, a request to be counted, or both in one.
pub(super) struct Job {
    pub(super) part: usize,
    pub(super) once: Option<Use>,
    pub(super) count: Option<Counting>,
    pub(super) now: Timestamp,
    /// Whether it was sent already, under a mark that did not stand any more.
    pub(super) again: bool,
    pub(super) answer: oneshot::Sender<Told>,
}

/// What is told of a job.
pub(super) type Told = Result<(Seen, Option<Tally>), Unavailable>;

/// A count of a partner at a route.
pub(super) struct Counting {
    /// What it is called within its part.
    pub(super) name: String,
    pub(super) quota: Quota,
}

impl Counting {
    pub(super) fn of(count: &Count<'_>) -> Self {
        Self { name: format!("rate:{} {}", count.partner, count.route), quota: count.quota }
    }

    /// Which of so many parts it lies in: the same for all gateways.
    pub(super) fn part(&self, parts: usize) -> usize {
        // FNV-1a: a few bytes, spread evenly. Partners are the operator's, so nobody picks names that meet.
        let hash = self
            .name
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        usize::try_from((hash >> 32) % parts as u64).unwrap_or(0)
    }

    /// Step and burst in quarters of a microsecond, which is as fine as the store counts; at least one each.
    pub(super) fn quarters(&self) -> (u64, u64) {
        let quarters = |nanos: u64| (nanos / 250).clamp(1, LONGEST);
        (quarters(self.quota.step()), quarters(self.quota.burst()))
    }
}

impl Part {
    pub(super) fn new(name: String) -> Self {
        let state = ArcSwap::from_pointee(State::Closed("it was not reached yet".to_owned()));
        Self { name, state }
    }

    pub(super) fn close(&self, why: impl Into<String>) {
        self.state.store(Arc::new(State::Closed(why.into())));
    }

    pub(super) fn token_key(&self) -> String {
        self.key("token")
    }

    pub(super) fn mark_key(&self) -> String {
        self.key("mark")
    }

    pub(super) fn high_key(&self) -> String {
        self.key("high")
    }

    /// The key of a use: half of its mark, see [`crate::replay::shard::cut`].
    pub(super) fn use_key(&self, mark: &countersign::UseMark) -> Vec<u8> {
        let mut key = self.key("").into_bytes();
        key.extend(crate::replay::shard::cut(mark).to_be_bytes());
        key
    }

    pub(super) fn count_key(&self, count: &Counting) -> Vec<u8> {
        self.key(&count.name).into_bytes()
    }

    fn key(&self, name: &str) -> String {
        format!("countersign:{{{}}}:{name}", self.name)
    }
}

impl Open {
    /// Until when a use has to be remembered, by the longest age and skew of any gateway.
    ///
    /// # Errors
    /// [`Unavailable`] where it can't be judged by this memory.
    pub(super) fn until(&self, once: &Use, now: Timestamp) -> Result<Timestamp, Unavailable> {
        let terms = &self.mark.terms;
        if let Some(floor) = terms.floors.of(once.scheme()).filter(|floor| once.signed() < *floor) {
            let left = floor.as_millis().saturating_sub(now.as_millis());
            return Err(Unavailable::new(NAME, "signed before its memory begins: it could be a replay")
                .for_the_next(Duration::from_millis(u64::try_from(left).unwrap_or(0))));
        }
        for raised in terms.raised.iter().filter(|raised| once.signed() < raised.before) {
            if once.signed().after(raised.max_age) < now {
                return Err(Unavailable::new(NAME, "admitted under a shorter age, it would be forgotten by now"));
            }
        }
        let window = Duration::from_millis(u64::try_from(terms.window()).unwrap_or(0));
        let until = once.until().max(once.signed().after(window + MINUTE));
        if until > now.after(MAX_AHEAD) {
            return Err(Unavailable::new(NAME, format!("asked to remember until {until}")));
        }
        Ok(until)
    }
}

/// A year, in quarters of a microsecond: beyond it a double would not be exact.
const LONGEST: u64 = 365 * 86_400 * 4_000_000;
