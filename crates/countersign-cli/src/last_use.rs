//! When each key was last used, written to the registry behind the data path.

use std::sync::Arc;
use std::time::Duration;

use countersign_proxy::Used;
use countersign_store::Registry;
use countersign_store::registry::LastUses;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::output;

/// A task that writes a batch every few seconds. A registry that does not take one is warned of once, and tried again: it
/// stops no request.
pub(crate) struct LastUseWriter {
    noted: Arc<LastUses>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl LastUseWriter {
    pub(crate) fn start(registry: &Registry) -> Self {
        let noted = Arc::new(LastUses::default());
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(write(Arc::clone(&noted), registry.clone(), stopped));
        Self { noted, stop, task }
    }

    /// What the data path tells.
    pub(crate) fn used(&self) -> Used {
        let noted = Arc::clone(&self.noted);
        Arc::new(move |identity, at| noted.note(identity, at))
    }

    /// Writes what is left, once nothing can be added, but does not wait for ever.
    pub(crate) async fn end(self) {
        drop(self.stop);
        // What could not be written by then is a date that nobody decides by.
        drop(timeout(LAST_WAIT, self.task).await);
    }
}

const EVERY: Duration = Duration::from_secs(3);
const LAST_WAIT: Duration = Duration::from_secs(6);

async fn write(noted: Arc<LastUses>, registry: Registry, mut stopped: oneshot::Receiver<()>) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        let last = tokio::select! {
            _ = &mut stopped => true,
            _ = ticks.tick() => false,
        };
        let written = noted.write(&registry).await;
        if let Err(error) = &written
            && !failing
        {
            let hints = ["requests pass all the same; it is tried again".to_owned()];
            output::warning(format!("the last use of keys could not be written: {error}"), &hints);
        }
        failing = written.is_err();
        if last {
            return;
        }
    }
}
