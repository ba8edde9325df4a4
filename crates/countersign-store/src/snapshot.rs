//! The keys of the registry as the data path reads them: an immutable snapshot, swapped as a whole, never older than it
//! says.
//!
//! Beside the database there may be a directory of trusted sites (`sites`), whose keys `merge` adds.
//!
//! A task asks the registry five times a second for its generation, a number that every change raises, whichever
//! process made it, and loads the keys anew when it moved. While the registry can't be read the last snapshot stands,
//! marked stale; after `max_stale` there are no keys any more, since a revocation could have been missed.

mod listed;
mod load;
mod merge;
mod site_file;
mod sites;

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use countersign::{Keys, Timestamp, TokenKeys, Unavailable};
use tokio::sync::watch;

use crate::registry::{Error, OwnKeys, Registry};
pub use listed::SiteKeys;
use load::{Loaded, Source};

/// A registry that is followed. Clones share one task, which ends with the last of them.
#[derive(Clone, Debug)]
pub struct Snapshots {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    loaded: ArcSwap<Loaded>,
    /// Milliseconds: when the registry was last asked and answered that the snapshot is its present.
    confirmed: AtomicI64,
    max_stale: Duration,
    failure: Mutex<Option<String>>,
    changed: watch::Sender<u64>,
}

impl Snapshots {
    /// Loads the keys and follows the registry from then on, on the runtime of the caller. `now` is the clock by which
    /// the age of a snapshot is told; it does not go back.
    ///
    /// # Errors
    /// [`Error`] when the first load fails: there is nothing to serve yet.
    pub async fn follow(
        registry: &Registry,
        max_stale: Duration,
        now: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let asked = now();
        let mut source = Source::new(registry.clone(), max_stale);
        let loaded = source.load(asked).await?;
        let (changed, _) = watch::channel(0);
        let shared = Arc::new(Shared {
            loaded: ArcSwap::from_pointee(loaded),
            confirmed: AtomicI64::new(asked.as_millis()),
            max_stale,
            failure: Mutex::new(None),
            changed,
        });
        tokio::spawn(follow(Arc::downgrade(&shared), source, now));
        Ok(Self { shared })
    }

    /// The present keys. Reads two words of memory; takes no lock.
    ///
    /// # Errors
    /// [`Unavailable`] when the registry has not been reached for longer than `max_stale`.
    pub fn keys(&self, now: Timestamp) -> Result<Arc<Keys>, Unavailable> {
        self.not_too_old(now)?;
        Ok(Arc::clone(&self.shared.loaded.load().keys))
    }

    /// The present keys of our own, opened. The same `Arc` as long as nothing changed.
    ///
    /// # Errors
    /// As [`Snapshots::keys`].
    pub fn own_keys(&self, now: Timestamp) -> Result<Arc<OwnKeys>, Unavailable> {
        self.not_too_old(now)?;
        Ok(Arc::clone(&self.shared.loaded.load().own_keys))
    }

    /// The present keys that user tokens are signed with, and what was revoked.
    ///
    /// # Errors
    /// As [`Snapshots::keys`].
    pub fn token_keys(&self, now: Timestamp) -> Result<Arc<TokenKeys>, Unavailable> {
        self.not_too_old(now)?;
        Ok(Arc::clone(&self.shared.loaded.load().token_keys))
    }

    fn not_too_old(&self, now: Timestamp) -> Result<(), Unavailable> {
        if self.age(now) > self.shared.max_stale {
            let failure = self.failure().unwrap_or_else(|| "nobody asks it any more".to_owned());
            let detail = format!("not read since {}: {failure}", self.confirmed_at());
            return Err(Unavailable::new("registry", detail));
        }
        Ok(())
    }

    /// How long ago the registry confirmed the snapshot: below a second while all is well.
    #[must_use]
    pub fn age(&self, now: Timestamp) -> Duration {
        let millis = now.as_millis().saturating_sub(self.shared.confirmed.load(Ordering::Acquire));
        Duration::from_millis(u64::try_from(millis).unwrap_or(0))
    }

    /// When the registry last confirmed the snapshot.
    #[must_use]
    pub fn confirmed_at(&self) -> Timestamp {
        Timestamp::from_millis(self.shared.confirmed.load(Ordering::Acquire))
    }

    /// When the keys were last loaded.
    #[must_use]
    pub fn loaded_at(&self) -> Timestamp {
        self.shared.loaded.load().at
    }

    /// Why the registry can't be read at the moment: the snapshot is stale while this says something.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.shared.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Rows and files that make no key, in words for the operator: they were left out, and verify nothing, or are not as
    /// they should be.
    #[must_use]
    pub fn broken(&self) -> Vec<String> {
        self.shared.loaded.load().broken.clone()
    }

    /// Tells of each new snapshot, and of the registry failing or answering again, by a number that grows.
    #[must_use]
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.shared.changed.subscribe()
    }
}

/// How often the registry is asked. "A key revoked anywhere stops working everywhere within a second."
const EVERY: Duration = Duration::from_millis(200);

async fn follow(shared: Weak<Shared>, mut source: Source, now: impl Fn() -> Timestamp) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(generation) = shared.upgrade().map(|shared| shared.loaded.load().generation) else { return };
        // Before it is asked: what it answers holds for a moment no earlier.
        let asked = now();
        let answer = source.news_since(generation, asked).await;
        let Some(shared) = shared.upgrade() else { return };
        shared.take(answer, asked);
    }
}

impl Shared {
    fn take(&self, answer: Result<Option<Loaded>, Error>, asked: Timestamp) {
        let (news, failure) = match answer {
            Ok(news) => (news, None),
            Err(error) => (None, Some(error.to_string())),
        };
        let has_news = news.is_some();
        if let Some(loaded) = news {
            self.loaded.store(Arc::new(loaded));
        }
        if failure.is_none() {
            self.confirmed.fetch_max(asked.as_millis(), Ordering::Release);
        }
        let turned = {
            let mut standing = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
            let turned = standing.is_some() != failure.is_some();
            *standing = failure;
            turned
        };
        if has_news || turned {
            self.changed.send_modify(|count| *count += 1);
        }
    }
}
