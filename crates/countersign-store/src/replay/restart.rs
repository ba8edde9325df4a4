use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use countersign::{Raised, Scheme, Timestamp};

use super::memory::MemoryReplay;
use super::per_scheme::{Floors, Millis, Skews};
use super::shard::{Shard, slot_of};
use super::state_file::{Done, Left, StateFile, Terms};
use crate::clock::ClockMark;
use crate::file::FileError;
use crate::lock::DataLock;

/// How the memory began: for the log and for `/readyz`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Nothing was ever admitted with this data directory.
    First,
    /// The gateway before ended orderly; so many marks were taken over.
    Clean {
        /// How many.
        marks: usize,
    },
    /// The gateway before was killed or crashed, or what it left is damaged: there is a [floor](MemoryReplay::floor)
    /// now.
    Unclean,
}

/// What routes admit under, all together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// The longest skew of any route, for each scheme.
    pub max_skew: Skews,
    /// The longest age of any route.
    pub max_age: Duration,
}

impl Reach {
    pub(super) fn skews(&self) -> Millis {
        self.max_skew.map(|skew| skew.map(millis))
    }
}

pub(super) struct Disk {
    state: StateFile,
    clock: ClockMark,
}

/// From one start to the next.
impl MemoryReplay {
    /// Takes over what the gateway before left in `<data>/replay.state`, and marks it as open there, durably, before
    /// anything is admitted. Keep the lock for as long as this decides. `capacity` counts marks, some 60 bytes each. What
    /// was remembered under a shorter age than that of `reach` is told by [`MemoryReplay::raised`], and has to be judged
    /// by it.
    ///
    /// # Errors
    /// [`FileError`] when the file can't be read or written. A damaged file is no error: it makes a floor.
    pub fn open(lock: &DataLock, capacity: usize, now: Timestamp, reach: Reach) -> Result<Self, FileError> {
        super::redis::node::NodeFile::remove(lock.dir())?;
        let clock = ClockMark::open(lock)?;
        let state = StateFile::new(lock.dir());
        let (given, max_age) = (reach.skews(), millis(reach.max_age));
        // The clock before may have run ahead of this one, by up to a mark's interval more than its last mark says.
        let start = clock.last().map_or(now, |last| now.max(last.after(MARK_INTERVAL)));
        let begin = |max_skew, floors| Terms { max_skew, max_age, raised: Vec::new(), floors };
        let (how, terms, done) = match state.read()? {
            Left::Nothing if !clock.existed() => (Start::First, begin(given, Floors::default()), None),
            Left::Nothing | Left::Damaged => (Start::Unclean, begin(given, given.floors_of_unknown(start)), None),
            Left::Open(before) => {
                let max_skew = before.max_skew.max(given);
                // The floor reaches beyond all that a shorter window could matter to.
                (Start::Unclean, begin(max_skew, max_skew.floors(start).max(before.floors)), None)
            }
            Left::Done(done) => {
                let before = &done.terms;
                let mut terms = Terms { max_age, ..before.clone() };
                terms.raise(before.max_age, start);
                // A longer skew of before counts until a floor reaches beyond all that was admitted under it.
                terms.max_skew = Millis::each(|scheme| {
                    let (given, before) = (given.of(scheme), before.max_skew.of(scheme));
                    let reach = done.horizon.as_millis().saturating_add(before.unwrap_or(0));
                    let lapsed = now.as_millis().saturating_add(given.unwrap_or(0)) >= reach;
                    if lapsed { given } else { before.max(given) }
                });
                (Start::Clean { marks: 0 }, terms, Some(done))
            }
        };
        let disk = Disk { state, clock };
        disk.state.write_open(&terms)?;
        let mut memory = Self::new(capacity, how, terms, Some(disk));
        if let Some(done) = done {
            memory.take_over(done, now);
        }
        Ok(memory)
    }

    /// How it began.
    #[must_use]
    pub fn start(&self) -> Start {
        self.start
    }

    /// What was signed before this moment is [`Unavailable`](countersign::Unavailable) in some scheme; `None` where nothing was
    /// ever forgotten. It outlives orderly ends. Once it has passed, new messages are not concerned.
    #[must_use]
    pub fn floor(&self) -> Option<Timestamp> {
        self.floors.greatest()
    }

    /// The same of one scheme: it lies as far ahead of the start as messages of that scheme may be signed ahead.
    #[must_use]
    pub fn floor_of(&self, scheme: Scheme) -> Option<Timestamp> {
        self.floors.of(scheme)
    }

    /// From when on it admits something again: where the first scheme that routes take has passed its floor.
    #[must_use]
    pub fn begin(&self) -> Option<Timestamp> {
        let terms = self.terms.lock().unwrap_or_else(PoisonError::into_inner);
        terms.as_ref().and_then(|terms| terms.max_skew.begin(&self.floors))
    }

    /// The shorter ages of before that still matter: policies have to be told (`Demands::memory`).
    #[must_use]
    pub fn raised(&self) -> Vec<Raised> {
        let terms = self.terms.lock().unwrap_or_else(PoisonError::into_inner);
        terms.as_ref().map(|terms| terms.raised.clone()).unwrap_or_default()
    }

    /// Tells the memory of a reload that admits a longer age or skew, before it is admitted: from here on it remembers as
    /// long, and gives back what was admitted under shorter ages, for the policies of the reload. The floor after a crash
    /// reaches as far as the skew. Shorter ones change nothing. `now` is the clock of verdicts. Writes a file: not from an
    /// async worker.
    ///
    /// # Errors
    /// [`FileError`] when it could not be written; the reload must not go on then.
    pub fn raise(&self, reach: Reach, now: impl Fn() -> Timestamp) -> Result<Vec<Raised>, FileError> {
        let mut standing = self.terms.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(terms) = &mut *standing else { return Ok(Vec::new()) };
        let mut raised = terms.clone();
        raised.max_age = terms.max_age.max(millis(reach.max_age));
        let max_skew = terms.max_skew.max(reach.skews());
        // First remember longer, then look at the clock: whatever was spent under the shorter age was so before.
        self.window.fetch_max(raised.max_age.saturating_add(max_skew.longest()), Ordering::SeqCst);
        raised.raise(terms.max_age, now());
        raised.max_skew = max_skew;
        if *terms != raised {
            if let Some(disk) = &self.disk {
                disk.state.write_open(&raised)?;
            }
            *terms = raised;
        }
        Ok(terms.raised.clone())
    }

    /// Notes the moment that verdicts go by, see [`ClockMark::mark`]. Every second or so; nothing without a file.
    ///
    /// # Errors
    /// [`FileError`] when it could not be written.
    pub fn mark_clock(&self, now: Timestamp) -> Result<(), FileError> {
        self.disk.as_ref().map_or(Ok(()), |disk| disk.clock.mark(now))
    }

    /// What the clock of the gateway before last said: verdicts start no earlier.
    #[must_use]
    pub fn last_clock(&self) -> Option<Timestamp> {
        self.disk.as_ref().and_then(|disk| disk.clock.last())
    }

    /// Ends orderly: nothing is admitted from here on (every use is unavailable), and the marks are written for the
    /// next start. Writes a file of 24 bytes per mark: not from an async worker.
    ///
    /// # Errors
    /// [`FileError`] when it could not be written: the next start has a floor then, as after a crash.
    pub fn close(&self, now: Timestamp) -> Result<(), FileError> {
        // All at once, so that no use falls between its shard's copy and the end.
        let mut shards: Vec<MutexGuard<'_, Shard>> = Vec::with_capacity(self.shards.len());
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.advance(now, usize::MAX);
            shard.closed = true;
            shards.push(shard);
        }
        let terms = self.terms.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (Some(disk), Some(terms)) = (&self.disk, terms) else { return Ok(()) };
        *self.closed.lock().unwrap_or_else(PoisonError::into_inner) = Some(terms.clone());
        let count = shards.iter().map(|shard| shard.len()).sum();
        let horizon = shards.iter().map(|shard| shard.horizon()).max().unwrap_or(now);
        disk.clock.mark(now)?;
        disk.state.write_done(&terms, horizon, count, shards.iter().flat_map(|shard| shard.entries()))
    }

    /// Goes on after [`MemoryReplay::close`], where whoever was to take over did not, and has admitted nothing: what was
    /// written then is marked as open again, and everything is still remembered here. Writes a file: not from an async worker.
    ///
    /// # Errors
    /// [`FileError`] when it could not be marked: nothing is admitted then, and it can be tried again.
    pub fn reopen(&self) -> Result<(), FileError> {
        let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(terms) = &*closed else { return Ok(()) };
        if let Some(disk) = &self.disk {
            disk.state.write_open(terms)?;
        }
        *self.terms.lock().unwrap_or_else(PoisonError::into_inner) = closed.take();
        for shard in &self.shards {
            shard.lock().unwrap_or_else(PoisonError::into_inner).closed = false;
        }
        Ok(())
    }

    /// What was left is live whatever the capacity says by now: beyond it nothing new comes in until enough has ended.
    fn take_over(&mut self, done: Done, now: Timestamp) {
        for shard in &mut self.shards {
            let shard = shard.get_mut().unwrap_or_else(PoisonError::into_inner);
            shard.advance(done.horizon, 0);
        }
        let mut marks = 0;
        for (mark, slot) in done.entries {
            if slot >= slot_of(done.horizon.max(now)) {
                let at = self.shard_of(&mark);
                self.shards[at].get_mut().unwrap_or_else(PoisonError::into_inner).insert(mark, slot);
                marks += 1;
            }
        }
        for shard in &mut self.shards {
            shard.get_mut().unwrap_or_else(PoisonError::into_inner).advance(now, 0);
        }
        *self.used.get_mut() = marks;
        self.start = Start::Clean { marks };
    }
}

impl Terms {
    /// How long it remembers behind the moment of signing, in milliseconds, but for a minute.
    pub(super) fn window(&self) -> i64 {
        self.max_age.saturating_add(self.max_skew.longest())
    }

    /// The age was `before`, and is another now: whatever was signed until `at` and the skew may have been admitted under it.
    pub(super) fn raise(&mut self, before: i64, at: Timestamp) {
        let duration = |millis: i64| Duration::from_millis(u64::try_from(millis).unwrap_or(0));
        // Without an age there were no routes, and nothing was admitted.
        if 0 < before && before < self.max_age {
            self.raised.push(Raised { before: at.after(duration(self.max_skew.longest())), max_age: duration(before) });
        }
        // What is too old under every age needs none.
        let longest = duration(self.max_age);
        self.raised.retain(|raised| raised.before.after(longest) >= at);
    }
}

/// More than callers let pass between two marks of the clock.
const MARK_INTERVAL: Duration = Duration::from_secs(5);

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
