use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use countersign::Timestamp;

use super::mark::Mark;
use super::node::NodeFile;
use super::part::Part;
use super::settle::{Known, Loss};
use crate::replay::restart::Reach;

/// What all connections to a store share.
pub(super) struct Shared {
    /// The clock of verdicts.
    pub(super) clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    pub(super) parts: Box<[Part]>,
    pub(super) counts: Counts,
    reach: Mutex<Reach>,
    node: Arc<Mutex<NodeFile>>,
    last_loss: ArcSwapOption<&'static str>,
}

/// For metrics.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) uses: AtomicU64,
    pub(super) batches: AtomicU64,
    pub(super) losses: AtomicU64,
    pub(super) connects: AtomicU64,
    /// The store's clock less ours, in milliseconds.
    pub(super) clock_offset: AtomicI64,
}

impl Shared {
    pub(super) fn new(
        clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
        parts: Box<[Part]>,
        reach: Reach,
        node: NodeFile,
    ) -> Self {
        let (reach, node) = (Mutex::new(reach), Arc::new(Mutex::new(node)));
        Self { clock, parts, counts: Counts::default(), reach, node, last_loss: ArcSwapOption::empty() }
    }

    pub(super) fn known(&self, part: &str) -> Known {
        self.node.lock().unwrap_or_else(PoisonError::into_inner).known(part)
    }

    /// Writes down by which memory this node admits from here on. Errors are in words.
    pub(super) async fn note(&self, part: &str, mark: &Mark) -> Result<(), String> {
        let skew = mark.terms.max_skew;
        if self.known(part) == Known::Line(mark.line.clone(), skew) {
            return Ok(());
        }
        let (node, part, line) = (Arc::clone(&self.node), part.to_owned(), mark.line.clone());
        let noted = tokio::task::spawn_blocking(move || {
            node.lock().unwrap_or_else(PoisonError::into_inner).note(&part, &line, skew)
        });
        noted.await.map_err(|fault| fault.to_string())?.map_err(|fault| fault.to_string())
    }

    pub(super) fn reach(&self) -> Reach {
        *self.reach.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Longer ages and skews count from here on; shorter ones change nothing.
    pub(super) fn extend(&self, by: Reach) {
        let mut reach = self.reach.lock().unwrap_or_else(PoisonError::into_inner);
        reach.max_age = reach.max_age.max(by.max_age);
        reach.max_skew = reach.max_skew.max(by.max_skew);
    }

    pub(super) fn lost(&self, loss: Loss) {
        self.counts.losses.fetch_add(1, Relaxed);
        self.last_loss.store(Some(Arc::new(loss.why())));
    }

    /// What was lost last, as far as this gateway found it out itself.
    pub(super) fn last_loss(&self) -> Option<&'static str> {
        self.last_loss.load().as_deref().copied()
    }
}
