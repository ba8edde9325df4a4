//! How far a gateway is with its end, and who has to know.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// What workers do about their listeners.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Whoever comes is served.
    Serving,
    /// Whoever comes waits in the kernel's queue, for another process or for this one.
    Paused,
    /// Whoever waits in the kernel's queue is taken, then the listeners close, and what is at hand may end.
    Ending,
    /// Another process has the queues; what is at hand may end.
    HandedOver,
    /// What is still open is cut off.
    Over,
}

/// The way to everybody who has to know.
pub(crate) struct Steering {
    phase: watch::Sender<Phase>,
    /// The same for connections, which end with the request at hand.
    winding_down: watch::Sender<bool>,
    /// Listeners of which somebody may accept a caller at this moment.
    accepting: AtomicUsize,
    begun: Instant,
    /// When each worker last had its turn, in milliseconds from the beginning on.
    beats: Box<[AtomicU64]>,
}

impl Steering {
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            phase: watch::Sender::new(Phase::Serving),
            winding_down: watch::Sender::new(false),
            accepting: AtomicUsize::new(0),
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

    /// Takes nobody until [`Steering::resume`], and lets connections end with what is at hand.
    pub(crate) fn pause(&self) {
        self.go_on_to(Phase::Paused);
        self.winding_down.send_replace(true);
    }

    /// Takes callers again.
    pub(crate) fn resume(&self) {
        self.winding_down.send_replace(false);
        self.phase.send_if_modified(|phase| {
            let paused = *phase == Phase::Paused;
            if paused {
                *phase = Phase::Serving;
            }
            paused
        });
    }

    /// No further callers.
    pub(crate) fn end(&self) {
        self.go_on_to(Phase::Ending);
        self.winding_down.send_replace(true);
    }

    /// No further callers, and no look at who waits.
    pub(crate) fn hand_over(&self) {
        self.go_on_to(Phase::HandedOver);
    }

    fn go_on_to(&self, next: Phase) {
        self.phase.send_if_modified(|phase| {
            let before = *phase;
            *phase = before.max(next);
            *phase != before
        });
    }

    /// Whether anybody may accept a caller at this moment.
    pub(crate) fn is_accepting(&self) -> bool {
        self.accepting.load(SeqCst) > 0
    }

    /// A listener is looked at, or no longer.
    pub(crate) fn looks(&self, looks: bool) {
        if looks {
            self.accepting.fetch_add(1, SeqCst)
        } else {
            self.accepting.fetch_sub(1, SeqCst)
        };
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

    /// Ready once another process has taken over.
    pub(crate) async fn handed_over(&self) {
        let _ = self.phase().wait_for(|phase| *phase == Phase::HandedOver).await;
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
