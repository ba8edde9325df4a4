use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use countersign::Timestamp;

use super::memory::MemoryReplay;
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

pub(super) struct Disk {
    state: StateFile,
    clock: ClockMark,
    /// `None` after an orderly end, when nothing is written any more.
    terms: Mutex<Option<Terms>>,
}

/// From one start to the next.
impl MemoryReplay {
    /// Takes over what the gateway before left in `<data>/replay.state`, and marks it as open there, durably, before
    /// anything is admitted. Keep the lock for as long as this decides. `capacity` counts marks, some 60 bytes each;
    /// `max_skew` is the longest of any route.
    ///
    /// # Errors
    /// [`FileError`] when the file can't be read or written. A damaged file is no error: it makes a floor.
    pub fn open(lock: &DataLock, capacity: usize, now: Timestamp, max_skew: Duration) -> Result<Self, FileError> {
        let clock = ClockMark::open(lock)?;
        let state = StateFile::new(lock.dir());
        let given = millis(max_skew);
        // The clock before may have run ahead of this one, by up to a mark's interval more than its last mark says.
        let start = clock.last().map_or(now, |last| now.max(last.after(MARK_INTERVAL)));
        let floor = |skew: i64| Some(Timestamp::from_millis(start.as_millis().saturating_add(skew)));
        let (how, terms, done) = match state.read()? {
            Left::Nothing if !clock.existed() => (Start::First, Terms { max_skew: given, floor: None }, None),
            Left::Nothing | Left::Damaged => (Start::Unclean, Terms { max_skew: given, floor: floor(given) }, None),
            Left::Open(before) => {
                let max_skew = before.max_skew.max(given);
                (Start::Unclean, Terms { max_skew, floor: floor(max_skew).max(before.floor) }, None)
            }
            Left::Done(done) => {
                // A longer skew of before counts until a floor reaches beyond all that was admitted under it.
                let before = done.terms.max_skew;
                let reach = done.horizon.as_millis().saturating_add(before);
                let max_skew = if now.as_millis().saturating_add(given) >= reach { given } else { before.max(given) };
                (Start::Clean { marks: 0 }, Terms { max_skew, floor: done.terms.floor }, Some(done))
            }
        };
        let disk = Disk { state, clock, terms: Mutex::new(Some(terms)) };
        let mut memory = Self::new(capacity, how, terms.floor, Some(disk));
        if let Some(done) = done {
            memory.take_over(done, now);
        }
        if let Some(disk) = &memory.disk {
            disk.state.write_open(terms)?;
        }
        Ok(memory)
    }

    /// How it began.
    #[must_use]
    pub fn start(&self) -> Start {
        self.start
    }

    /// What was signed before this moment is [`Unavailable`](countersign::Unavailable); `None` where nothing was ever
    /// forgotten. It outlives orderly ends. Once it has passed, new messages are not concerned.
    #[must_use]
    pub fn floor(&self) -> Option<Timestamp> {
        self.floor
    }

    /// Tells the memory of a reload that admits a longer skew, before it is admitted: the floor after a crash must
    /// reach as far. A shorter one changes nothing. Writes a file: not from an async worker.
    ///
    /// # Errors
    /// [`FileError`] when it could not be written; the reload must not go on then.
    pub fn raise_max_skew(&self, max_skew: Duration) -> Result<(), FileError> {
        let Some(disk) = &self.disk else { return Ok(()) };
        let mut standing = disk.terms.lock().unwrap_or_else(PoisonError::into_inner);
        let given = millis(max_skew);
        if let Some(terms) = standing.filter(|terms| given > terms.max_skew) {
            let terms = Terms { max_skew: given, ..terms };
            disk.state.write_open(terms)?;
            *standing = Some(terms);
        }
        Ok(())
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
        let Some(disk) = &self.disk else { return Ok(()) };
        let count = shards.iter().map(|shard| shard.len()).sum();
        let horizon = shards.iter().map(|shard| shard.horizon()).max().unwrap_or(now);
        let mut standing = disk.terms.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(terms) = standing.take() else { return Ok(()) };
        disk.clock.mark(now)?;
        disk.state.write_done(terms, horizon, count, shards.iter().flat_map(|shard| shard.entries()))
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

/// More than callers let pass between two marks of the clock.
const MARK_INTERVAL: Duration = Duration::from_secs(5);

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
