use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Answers of one connection of which a part is handed out that the caller has not made room for yet.
#[derive(Debug, Default)]
pub(super) struct Waits {
    next: AtomicU64,
    since: Mutex<HashMap<u64, Instant>>,
}

/// One answer. It waits for the caller from when a part of it is handed out until the next is asked for.
#[derive(Debug)]
pub(super) struct Wait {
    waits: Arc<Waits>,
    number: u64,
}

impl Waits {
    pub(super) fn one(self: &Arc<Self>) -> Wait {
        Wait { waits: Arc::clone(self), number: self.next.fetch_add(1, Relaxed) }
    }

    /// How long the one has waited that waits longest.
    pub(super) fn longest(&self) -> Duration {
        self.since().values().min().map_or(Duration::ZERO, Instant::elapsed)
    }

    fn since(&self) -> MutexGuard<'_, HashMap<u64, Instant>> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wait {
    pub(super) fn begin(&self) {
        self.waits.since().insert(self.number, Instant::now());
    }

    pub(super) fn over(&self) {
        self.waits.since().remove(&self.number);
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.over();
    }
}
