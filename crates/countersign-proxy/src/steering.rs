//! How far a gateway is with its end, and who has to know.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// What workers do about their listeners.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Whoever comes is served.
    Serving,
    /// Whoever waits in the kernel's queue is taken, then the listeners close, and what is at hand may end.
    Ending,
    /// What is still open is cut off.
    Over,
}

/// The way to everybody who has to know.
pub(crate) struct Steering {
    phase: watch::Sender<Phase>,
    /// The same for connections, which end with the request at hand.
    winding_down: watch::Sender<bool>,
    begun: Instant,
    /// When each worker last had its turn, in milliseconds from the beginning on.
    beats: Box<[AtomicU64]>,
}

impl Steering {
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            phase: watch::Sender::new(Phase::Serving),
            winding_down: watch::Sender::new(false),
            begun: Instant::now(),
            beats: (0..workers).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// Says every second that a worker has its turn; goes on until it is dropped.
    pub(crate) async fn beat(&self, worker: usize) {
        let mut ticks = tokio::time::interval(BEAT);
        loop {
            ticks.tick().await;
            if let Some(beat) = self.beats.get(worker) {
                beat.store(self.millis(), Relaxed);
            }
        }
    }

    /// Whether every worker had its turn lately.
    pub(crate) fn is_alive(&self) -> bool {
        let now = self.millis();
        self.beats.iter().all(|beat| now.saturating_sub(beat.load(Relaxed)) < DEAD)
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// No further callers.
    pub(crate) fn end(&self) {
        self.phase.send_if_modified(|phase| {
            let before = *phase;
            *phase = before.max(Phase::Ending);
            *phase != before
        });
        self.winding_down.send_replace(true);
    }

    /// Nothing more at all.
    pub(crate) fn cut_off(&self) {
        self.phase.send_replace(Phase::Over);
        self.winding_down.send_replace(true);
    }

    pub(crate) fn phase(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    pub(crate) fn winding_down(&self) -> watch::Receiver<bool> {
        self.winding_down.subscribe()
    }

    /// Whether a connection ends with its answer.
    pub(crate) fn is_winding_down(&self) -> bool {
        *self.winding_down.borrow()
    }

    /// Ready once everything is to be cut off.
    pub(crate) async fn over(&self) {
        // The sender is ours: it does not go.
        let _ = self.phase().wait_for(|phase| *phase == Phase::Over).await;
    }
}

const BEAT: Duration = Duration::from_secs(1);
/// In milliseconds. Whatever takes long runs elsewhere: a worker that is silent for so long is stuck.
const DEAD: u64 = 10_000;
