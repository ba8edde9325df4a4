//! The memory of what was admitted, in Redis or Valkey, shared by many gateways.

mod address;
mod batch;
mod cluster;
mod info;
mod link;
mod mark;
pub(super) mod node;
mod part;
mod reply;
mod settle;
mod shared;
mod spend;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use countersign::{Raised, Timestamp, Unavailable};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

pub use self::address::RedisAddress;
use self::link::Link;
use self::node::NodeFile;
use self::part::{Part, State};
use self::reply::unavailable;
use self::shared::Shared;
use super::restart::Reach;
use super::state_file::StateFile;
use crate::clock::ClockMark;
use crate::file::FileError;
use crate::lock::DataLock;

/// The replay memory of many gateways.
///
/// Each use is spent by an atomic command, and many that wait at the same time by one command together. What can't be
/// told is [`Unavailable`]: no answer, an answer that was lost (the use may have been spent then), a clock more than 30
/// seconds off ours, a server that may evict.
///
/// **Rates** are counted by the same command, for all gateways together and by the store's clock. A store that forgot gives
/// every partner a new burst, and no more.
///
/// **Cluster.** In a Redis Cluster the store has 32 parts, each with a mark of its own in one slot; all uses of a key lie in
/// one of them. Where a slot moves, its part is one that came from another process. What is counted of a partner mostly lies in
/// another part than the uses of its keys, and takes a command of its own.
///
/// **What it notices.** Beside the uses lies a mark of the memory's birth, of the process that holds it and of the terms
/// under which gateways admit. Every use is spent only if the mark is still the one that was looked at; twice a second it
/// is held against what the server says of itself. Emptied, restarted, failed over to a replica, evicted from, or with a
/// clock that ran ahead and went back, the store may lack something: what was signed before that moment, and the longest
/// skew of any gateway for its scheme and 30 seconds, is unavailable from then on. Each node remembers by which memory it admitted last,
/// in its data directory, and so notices what happened while it was away.
///
/// **What it can't notice.** Single keys that someone with access to the store deletes. Two primaries at once, each
/// reached by another gateway: Redis replicates after it answered, so keep `min-replicas-to-write` above zero where a
/// failover can happen; a cluster's primary stops by itself after `cluster-node-timeout`. A clock that runs ahead, and goes back, between two looks.
pub struct RedisReplay {
    shared: Arc<Shared>,
    clock_mark: ClockMark,
    address: RedisAddress,
    task: Mutex<JoinHandle<()>>,
}

/// Numbers for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RedisNumbers {
    /// Uses that were sent.
    pub uses: u64,
    /// Commands that they were sent in.
    pub batches: u64,
    /// Times that the memory was found to lack something.
    pub losses: u64,
    /// Connections that were made.
    pub connects: u64,
    /// The store's clock less ours, in milliseconds.
    pub clock_offset: i64,
}

impl RedisReplay {
    /// Begins to follow the store, without waiting for it: until it is reached and its memory is settled, every use is
    /// unavailable. `clock` is the clock of verdicts, which `mark` is of; `reach` is what the routes admit under. Runs inside
    /// a tokio runtime with timers, which has to go on for as long as this is used.
    ///
    /// # Errors
    /// [`FileError`] when what this node knows of the store can't be read or written.
    pub fn follow(
        address: RedisAddress,
        lock: &DataLock,
        mark: ClockMark,
        reach: Reach,
        clock: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Result<Self, FileError> {
        let ran_before = mark.existed() || StateFile::new(lock.dir()).exists();
        let node = NodeFile::open(lock.dir(), ran_before)?;
        // A memory of its own would not know what is admitted from here on.
        StateFile::new(lock.dir()).remove()?;
        let count = if address.cluster { cluster::PARTS } else { 1 };
        let parts = (0..count).map(|number| Part::new(number.to_string())).collect();
        let shared = Arc::new(Shared::new(Arc::new(clock), parts, reach, node));
        let task = Mutex::new(keep_following(&shared, address.clone()));
        Ok(Self { shared, clock_mark: mark, address, task })
    }

    /// Waits until it admits, but no longer than `most`. Errors are what is missing.
    ///
    /// # Errors
    /// What [`RedisReplay::missing`] says.
    pub async fn ready(&self, most: Duration) -> Result<(), String> {
        let end = Instant::now() + most;
        loop {
            match self.closed() {
                None => return Ok(()),
                Some(why) if Instant::now() >= end => return Err(why),
                Some(_) => sleep(Duration::from_millis(20)).await,
            }
        }
    }

    /// Why it does not admit at `now`; `None` when it does.
    #[must_use]
    pub fn missing(&self, now: Timestamp) -> Option<String> {
        if let Some(why) = self.closed() {
            return Some(why);
        }
        let begins = self.terms(|terms| terms.max_skew.begin(&terms.floors));
        let begin = begins.into_iter().flatten().max().filter(|begin| now < *begin)?;
        let why = self.shared.last_loss().unwrap_or("another gateway found that it lacks something");
        Some(format!("{why}: what was signed before {begin} could be a replay"))
    }

    /// What was signed before this moment is [`Unavailable`] in some scheme; `None` where nothing was ever lost, as far as is
    /// known now.
    #[must_use]
    pub fn floor(&self) -> Option<Timestamp> {
        self.terms(|terms| terms.floors.greatest()).into_iter().flatten().max()
    }

    /// The shorter ages of before that still matter, of any gateway. The store holds them by itself; policies that know
    /// them can say `too_old`.
    #[must_use]
    pub fn raised(&self) -> Vec<Raised> {
        let mut raised: Vec<Raised> = self.terms(|terms| terms.raised.clone()).into_iter().flatten().collect();
        raised.sort_by_key(|it| (it.before, it.max_age));
        raised.dedup();
        raised
    }

    /// Tells the store of a reload that admits a longer age or skew, before it is admitted, and gives back what was
    /// admitted under shorter ages.
    ///
    /// # Errors
    /// [`Unavailable`] when the store did not take it in time; the reload must not go on then. It is told anew as soon as
    /// the store is back, and a longer memory harms nobody.
    pub async fn raise(&self, reach: Reach) -> Result<Vec<Raised>, Unavailable> {
        self.shared.extend(reach);
        let (age, skew) = (super::restart::millis(reach.max_age), reach.skews());
        let end = Instant::now() + RAISE;
        loop {
            let told = self.terms(|terms| terms.max_age >= age && terms.max_skew.covers(&skew));
            if told.len() == self.shared.parts.len() && told.iter().all(|told| *told) {
                return Ok(self.raised());
            }
            if Instant::now() >= end {
                return Err(unavailable(
                    self.closed().unwrap_or_else(|| "it was not told of the longer age".to_owned()),
                ));
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Notes the moment that verdicts go by, see [`ClockMark::mark`]. Every second or so, not from an async worker.
    ///
    /// # Errors
    /// [`FileError`] when it could not be written.
    pub fn mark_clock(&self, now: Timestamp) -> Result<(), FileError> {
        self.clock_mark.mark(now)
    }

    /// Admits nothing from here on. What was admitted is the store's to remember.
    ///
    /// # Errors
    /// [`FileError`] when the clock's mark could not be written.
    pub fn close(&self, now: Timestamp) -> Result<(), FileError> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner).abort();
        self.shared.parts.iter().for_each(|part| part.close("the gateway is ending"));
        self.clock_mark.mark(now)
    }

    /// Follows the store again after [`RedisReplay::close`], where whoever was to take over did not: admits once it is
    /// reached and its memory is settled. Runs inside a tokio runtime, as [`RedisReplay::follow`].
    pub fn reopen(&self) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        task.abort();
        *task = keep_following(&self.shared, self.address.clone());
    }

    /// Numbers for metrics.
    #[must_use]
    pub fn numbers(&self) -> RedisNumbers {
        let counts = &self.shared.counts;
        RedisNumbers {
            uses: counts.uses.load(Relaxed),
            batches: counts.batches.load(Relaxed),
            losses: counts.losses.load(Relaxed),
            connects: counts.connects.load(Relaxed),
            clock_offset: counts.clock_offset.load(Relaxed),
        }
    }

    /// Why some part of it does not admit.
    fn closed(&self) -> Option<String> {
        self.shared.parts.iter().find_map(|part| match &**part.state.load() {
            State::Closed(why) => Some(why.clone()),
            State::Open(_) => None,
        })
    }

    /// Of each part that is open.
    fn terms<T>(&self, of: impl Fn(&super::state_file::Terms) -> T) -> Vec<T> {
        let states = self.shared.parts.iter().map(|part| part.state.load_full());
        let open = states.filter_map(|state| match &*state {
            State::Open(open) => Some(of(&open.mark.terms)),
            State::Closed(_) => None,
        });
        open.collect()
    }
}

impl Drop for RedisReplay {
    fn drop(&mut self) {
        self.task.lock().unwrap_or_else(PoisonError::into_inner).abort();
    }
}

impl fmt::Debug for RedisReplay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisReplay({}, {:?})", self.closed().as_deref().unwrap_or("open"), self.numbers())
    }
}

fn keep_following(shared: &Arc<Shared>, address: RedisAddress) -> JoinHandle<()> {
    let shared = Arc::clone(shared);
    if address.cluster { tokio::spawn(cluster::serve(shared, address)) } else { tokio::spawn(serve(shared, address)) }
}

/// Keeps a connection to the one server.
async fn serve(shared: Arc<Shared>, address: RedisAddress) {
    let all: Vec<usize> = (0..shared.parts.len()).collect();
    let mut wait = SHORTEST_WAIT;
    loop {
        let Some(server) = address.servers.first() else { return };
        match Link::open(Arc::clone(&shared), all.clone(), server.clone(), false).await {
            Ok(link) => {
                shared.counts.connects.fetch_add(1, Relaxed);
                let began = Instant::now();
                link.run().await;
                if began.elapsed() > LONGEST_WAIT {
                    wait = SHORTEST_WAIT;
                }
            }
            Err(why) => shared.parts.iter().for_each(|part| part.close(why.clone())),
        }
        sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

const NAME: &str = "replay store";
const MINUTE: Duration = Duration::from_secs(60);
/// Between two attempts to connect.
const SHORTEST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_millis(500);
/// For the store to take in a longer age.
const RAISE: Duration = Duration::from_secs(3);
