use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use countersign::Refusal;
use tokio::time::Instant;

use crate::turn;

/// How a body that is not in memory fares on its way to the upstream: when it last moved, and what broke it off where that is
/// not the upstream's fault.
#[derive(Clone, Default)]
pub(crate) struct Course(Arc<Log>);

struct Log {
    begun: Instant,
    /// Milliseconds after that.
    moved: AtomicU64,
    ended: AtomicBool,
    broke: Mutex<Option<Refusal>>,
}

impl Default for Log {
    fn default() -> Self {
        Self { begun: turn::now(), moved: AtomicU64::new(0), ended: AtomicBool::new(false), broke: Mutex::new(None) }
    }
}

impl Course {
    /// When it set out.
    pub(crate) fn begun(&self) -> Instant {
        self.0.begun
    }

    /// A part of it was taken.
    pub(crate) fn moved(&self) {
        let since = u64::try_from(turn::now().duration_since(self.0.begun).as_millis()).unwrap_or(u64::MAX);
        self.0.moved.store(since, Relaxed);
    }

    /// When a part of it was last taken.
    pub(crate) fn last_moved(&self) -> Instant {
        self.0.begun + Duration::from_millis(self.0.moved.load(Relaxed))
    }

    /// All of it was taken from who sent it.
    pub(crate) fn end(&self) {
        self.0.ended.store(true, Relaxed);
    }

    /// Whether all of it was taken from who sent it, as far as that is told.
    pub(crate) fn has_ended(&self) -> bool {
        self.0.ended.load(Relaxed)
    }

    /// It ends here, and is not whole.
    pub(crate) fn break_off(&self, why: Refusal) -> Broken {
        *self.0.broke.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
        Broken
    }

    /// Whether it broke off.
    pub(crate) fn is_broken(&self) -> bool {
        self.0.broke.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Why it broke off.
    pub(crate) fn take_fault(&self) -> Option<Refusal> {
        self.0.broke.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// It broke off: whoever was to read it is left in the middle, so that a part is never taken for the whole.
#[derive(Debug, thiserror::Error)]
#[error("the body broke off")]
pub(crate) struct Broken;
