use std::fmt;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use countersign::{BoxFuture, ReplayStore, Seen, Timestamp, Unavailable, Use, UseMark};

use super::per_scheme::{Floors, Millis};
use super::restart::{Disk, Start};
use super::shard::{Mark, Shard, Spread, cut, slot_of};
use super::state_file::Terms;

/// The replay memory of one gateway: constant time, a fixed capacity, and a floor after an unclean end.
///
/// It remembers for as long as a use could verify and never evicts: full, it is [`Unavailable`]. An orderly end
/// ([`MemoryReplay::close`]) hands the marks to the next start. After a crash they are gone, so whatever was signed
/// before the floor can't be judged and is [`Unavailable`].
pub struct MemoryReplay {
    pub(super) shards: Box<[Mutex<Shard>]>,
    /// Over the shards. Each of them spreads its marks by numbers of its own.
    spread: Spread,
    pub(super) used: AtomicUsize,
    capacity: usize,
    swept: AtomicI64,
    pub(super) start: Start,
    pub(super) floors: Floors,
    /// Milliseconds behind the moment of signing for which it remembers at least, but for a minute: a request that began
    /// under shorter routes than those of now is remembered as long as these could admit it again.
    pub(super) window: AtomicI64,
    /// What a later start has to know; `None` after an orderly end, when nothing is written any more.
    pub(super) terms: Mutex<Option<Terms>>,
    /// The same from an orderly end on, in case that it was none.
    pub(super) closed: Mutex<Option<Terms>>,
    pub(super) disk: Option<Disk>,
}

impl MemoryReplay {
    /// A memory without a file, for the demo and for tests: a restart forgets everything.
    #[must_use]
    pub fn ephemeral(capacity: usize) -> Self {
        let terms = Terms { max_skew: Millis::default(), max_age: 0, raised: Vec::new(), floors: Floors::default() };
        Self::new(capacity, Start::First, terms, None)
    }

    /// The number of marks that it holds, ended ones that were not dropped yet counted.
    #[must_use]
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// The number of marks that it can hold.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    pub(super) fn new(capacity: usize, start: Start, terms: Terms, disk: Option<Disk>) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::new(Shard::new(Timestamp::from_millis(i64::MIN)))).collect();
        let (used, swept) = (AtomicUsize::new(0), AtomicI64::new(i64::MIN));
        let (floors, window) = (terms.floors, AtomicI64::new(terms.window()));
        let (terms, closed) = (Mutex::new(Some(terms)), Mutex::default());
        Self { shards, spread: Spread::at_random(), used, capacity, swept, start, floors, window, terms, closed, disk }
    }

    fn spend(&self, once: &Use, now: Timestamp) -> Result<Seen, Unavailable> {
        if let Some(floor) = self.floors.of(once.scheme()).filter(|floor| once.signed() < *floor) {
            let left = floor.as_millis().saturating_sub(now.as_millis());
            let unavailable =
                Unavailable::new(NAME, "signed before the memory begins: the gateway before did not end in order");
            return Err(unavailable.for_the_next(Duration::from_millis(u64::try_from(left).unwrap_or(0))));
        }
        // The chain asks for `created` + age + skew + a minute. Anything else is a slip of ours, and would stay for
        // ages.
        let window = u64::try_from(self.window.load(Ordering::SeqCst)).unwrap_or(0);
        let until = once.until().max(once.signed().after(Duration::from_millis(window) + MINUTE));
        if until > now.after(MAX_AHEAD) {
            return Err(Unavailable::new(NAME, format!("asked to remember until {until}")));
        }
        let marks = Marks::of(once, |mark| self.shard_of(mark));
        match self.try_spend(&marks, until, now)? {
            Some(seen) => Ok(seen),
            None if self.sweep(now) => self.try_spend(&marks, until, now)?.ok_or_else(|| self.full()),
            None => Err(self.full()),
        }
    }

    /// `None` when there is no room.
    fn try_spend(&self, marks: &Marks, until: Timestamp, now: Timestamp) -> Result<Option<Seen>, Unavailable> {
        let (at, first) = marks.first;
        let mut shard = self.shard(at, until, now)?;
        let mut other = match marks.second {
            Some((its, _)) if its != at => Some(self.shard(its, until, now)?),
            _ => None,
        };
        let second = marks.second.map(|(_, mark)| mark);
        if shard.contains(&first) || second.is_some_and(|mark| other.as_ref().unwrap_or(&shard).contains(&mark)) {
            return Ok(Some(Seen::Again));
        }
        let count = 1 + usize::from(second.is_some());
        let room = |used: usize| used.checked_add(count).filter(|needed| *needed <= self.capacity);
        if self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).is_err() {
            return Ok(None);
        }
        shard.insert(first, slot_of(until));
        if let Some(mark) = second {
            other.as_mut().unwrap_or(&mut shard).insert(mark, slot_of(until));
        }
        Ok(Some(Seen::First))
    }

    /// A shard that can judge what is used until `until`.
    fn shard(&self, at: usize, until: Timestamp, now: Timestamp) -> Result<MutexGuard<'_, Shard>, Unavailable> {
        let mut shard = self.shards[at].lock().map_err(|_| Unavailable::new(NAME, "broken by a panic"))?;
        if shard.closed {
            return Err(Unavailable::new(NAME, "the gateway is ending"));
        }
        let dropped = shard.advance(now, STEP);
        if dropped > 0 {
            self.used.fetch_sub(dropped, Ordering::Relaxed);
        }
        if !shard.remembers(until) {
            return Err(Unavailable::new(NAME, format!("what could be used until {until} is forgotten by now")));
        }
        Ok(shard)
    }

    /// Drops whatever has ended, everywhere. At most once a second, so that a full memory under a flood stays cheap.
    fn sweep(&self, now: Timestamp) -> bool {
        let millis = now.as_millis();
        let due = |last: i64| (millis >= last.saturating_add(1000)).then_some(millis);
        if self.swept.fetch_update(Ordering::Relaxed, Ordering::Relaxed, due).is_err() {
            return false;
        }
        for shard in &self.shards {
            if let Ok(mut shard) = shard.lock() {
                let dropped = shard.advance(now, usize::MAX);
                self.used.fetch_sub(dropped, Ordering::Relaxed);
            }
        }
        true
    }

    #[cfg(test)]
    pub(super) fn spend_for_test(&self, once: &Use, now: Timestamp) -> Option<Seen> {
        self.spend(once, now).ok()
    }

    fn full(&self) -> Unavailable {
        Unavailable::new(NAME, format!("full: it holds {} marks", self.capacity))
    }

    pub(super) fn shard_of(&self, mark: &Mark) -> usize {
        usize::try_from(self.spread.hash_one(mark) % SHARDS).unwrap_or(0)
    }
}

impl ReplayStore for MemoryReplay {
    fn first_use<'a>(&'a self, once: &'a Use, now: Timestamp) -> BoxFuture<'a, Result<Seen, Unavailable>> {
        Box::pin(std::future::ready(self.spend(once, now)))
    }

    fn admits(&self, now: Timestamp) -> Option<bool> {
        let began = self.begin().is_none_or(|begin| now >= begin);
        let open = self.shards.iter().all(|shard| shard.lock().is_ok_and(|shard| !shard.closed));
        // One use has two marks at most.
        let room = self.used() + 2 <= self.capacity || self.sweep(now) && self.used() + 2 <= self.capacity;
        Some(began && open && room)
    }
}

/// The marks of one use, each with its shard, in the order of their shards, so that no two calls wait for each other.
struct Marks {
    first: (usize, Mark),
    second: Option<(usize, Mark)>,
}

impl Marks {
    fn of(once: &Use, shard_of: impl Fn(&Mark) -> usize) -> Self {
        let placed = |mark: &UseMark| {
            let mark = cut(mark);
            (shard_of(&mark), mark)
        };
        let first = placed(once.first());
        match once.second().map(placed).filter(|second| *second != first) {
            Some(second) => Self { first: first.min(second), second: Some(first.max(second)) },
            None => Self { first, second: None },
        }
    }
}

impl fmt::Debug for MemoryReplay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryReplay({} of {}, {:?})", self.used(), self.capacity, self.start)
    }
}

/// A million marks, some 60 MB: 2500 requests a second at the default age.
pub const DEFAULT_CAPACITY: usize = 1_000_000;

/// The longest that a use can be remembered, and so the longest `max_age` + 2 × `max_skew` + 60 s of any route.
pub const MAX_AHEAD: Duration = Duration::from_secs(32 * 24 * 60 * 60);

const MINUTE: Duration = Duration::from_secs(60);
const NAME: &str = "replay store";
const SHARDS: u64 = 64;
/// Ended marks that one call drops at most: more than it adds, so they never pile up, and few enough to wait for.
const STEP: usize = 64;
