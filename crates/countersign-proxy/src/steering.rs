//! How far a gateway is with its end, and who has to know.

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
}

impl Default for Steering {
    fn default() -> Self {
        Self { phase: watch::Sender::new(Phase::Serving), winding_down: watch::Sender::new(false) }
    }
}

impl Steering {
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
