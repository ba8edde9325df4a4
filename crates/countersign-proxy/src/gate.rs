use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};
use std::time::Duration;

use arc_swap::ArcSwap;
use countersign::{Keys, Openers, ReplayStore, Timestamp, Unavailable};

use crate::caller::Connections;
use crate::clock::Clock;
use crate::deciding::Deciding;
use crate::handles::{KeySource, Measure, OpenerSource, ReadyCheck, TokenKeySource, UserStore};
use crate::log::Log;
use crate::metrics::Metrics;
use crate::rate::Rates;
use crate::record::Recorder;
use crate::spool::Room;
use crate::steering::Steering;
use crate::table::Table;
use crate::tls::Handshakes;

/// What all workers share: read by every request, swapped by a reload, locked by nobody.
pub(crate) struct Gate {
    pub(crate) table: ArcSwap<Table>,
    pub(crate) keys: KeySource,
    pub(crate) token_keys: Option<TokenKeySource>,
    pub(crate) openers: Option<OpenerSource>,
    pub(crate) replay: Arc<dyn ReplayStore>,
    pub(crate) users: Option<Arc<dyn UserStore>>,
    pub(crate) recorder: Recorder,
    pub(crate) clock: Clock,
    pub(crate) log: Log,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) rates: Rates,
    pub(crate) room: Arc<Room>,
    pub(crate) connections: Arc<Connections>,
    pub(crate) health: Health,
    pub(crate) steering: Steering,
    pub(crate) deciding: Arc<Deciding>,
    pub(crate) handshakes: Handshakes,
}

/// What `/readyz` asks for.
#[derive(Default)]
pub(crate) struct Health {
    pub(crate) checks: Vec<ReadyCheck>,
    pub(crate) snapshot_age: Option<Arc<dyn Fn() -> Duration + Send + Sync>>,
    pub(crate) measures: Vec<Measure>,
    pub(crate) stopping: AtomicBool,
    /// When the replay store last failed, in milliseconds; 0 for never, or not since it last answered.
    replay_failed: AtomicI64,
    pub(crate) failed_reload: ArcSwap<Option<String>>,
}

impl Health {
    pub(crate) fn new(
        checks: Vec<ReadyCheck>,
        snapshot_age: Option<Arc<dyn Fn() -> Duration + Send + Sync>>,
        measures: Vec<Measure>,
    ) -> Self {
        Self { checks, snapshot_age, measures, ..Self::default() }
    }
}

impl Gate {
    /// The keys at `now`.
    pub(crate) fn keys(&self, now: Timestamp) -> Result<Arc<Keys>, Unavailable> {
        (self.keys)(now)
    }

    /// What opens sealed fields now.
    pub(crate) fn openers(&self, table: &Table) -> Arc<Openers> {
        self.openers.as_ref().map_or_else(|| Arc::clone(&table.openers), |openers| openers())
    }

    /// What is missing for this gateway to serve, in words; nothing when it is ready.
    pub(crate) fn missing(&self) -> Vec<(&'static str, String)> {
        let now = self.clock.now();
        let health = &self.health;
        let mut missing = Vec::new();
        if health.stopping.load(Relaxed) {
            missing.push(("gateway", "stopping".to_owned()));
        }
        if let Err(unavailable) = self.keys(now) {
            missing.push((unavailable.what(), unavailable.detail().to_owned()));
        }
        if !self.log.is_working() {
            missing.push(("log", "the last lines could not be written".to_owned()));
        }
        let failed = health.replay_failed.load(Relaxed);
        // It may have been that one use, or the store may be back: it is asked, where it can tell.
        if failed != 0 && now.as_millis() - failed < REPLAY_FAILURE_COUNTS && self.replay.admits(now) != Some(true) {
            missing.push(("replay store", "the last request got no answer from it".to_owned()));
        }
        if let Some(auth) = self.table.load().client_auth().filter(|auth| auth.required())
            && let Some(stale) = auth.stale(now)
        {
            missing.push(("revocations", stale));
        }
        let failed_checks = health.checks.iter().filter_map(|check| (check.check)().err().map(|why| (check.name, why)));
        missing.extend(failed_checks);
        missing
    }

    /// Remembers whether the replay store answered.
    pub(crate) fn replay_answered(&self, answered: bool, now: Timestamp) {
        let failed = &self.health.replay_failed;
        if !answered {
            failed.store(now.as_millis(), Relaxed);
        } else if failed.load(Relaxed) != 0 {
            failed.store(0, Relaxed);
        }
    }
}

/// A gateway out of rotation sees no request that could tell that the store is back; so where the store
/// itself can't tell, a failure counts for a while only.
const REPLAY_FAILURE_COUNTS: i64 = 10_000;
