use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::task::coop::has_budget_remaining;
use tokio::time::{Instant, Sleep};

/// A timer that is armed late and re-armed seldom: most deadlines are met, and are never handed to the runtime.
#[derive(Default)]
pub(crate) struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
    /// Whether the runtime will wake the task when it is over.
    armed: bool,
}

impl Alarm {
    /// Ready once `deadline`, which may be another each time, has passed.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        self.armed = false;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        loop {
            if sleep.deadline() > deadline || (sleep.is_elapsed() && sleep.deadline() < deadline) {
                sleep.as_mut().reset(deadline);
            }
            ready!(sleep.as_mut().poll(cx));
            if sleep.deadline() >= deadline {
                return Poll::Ready(());
            }
        }
    }

    /// The same, of one task alone: where it wakes that anyway, and not too late, nothing is asked of the runtime.
    pub(crate) fn poll_at(&mut self, cx: &mut Context<'_>, now: Instant, deadline: Instant) -> Poll<()> {
        let wakes = |sleep: &Pin<Box<Sleep>>| sleep.deadline() > now && sleep.deadline() <= deadline;
        if self.armed && self.sleep.as_ref().is_some_and(wakes) {
            return Poll::Pending;
        }
        let polled = self.poll(cx, deadline);
        // A task that has used up its turn is put off before anything is asked, and is polled again.
        self.armed = polled.is_pending() && has_budget_remaining();
        polled
    }
}
