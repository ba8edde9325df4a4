use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::gate::Gate;
use crate::settings::{GatewaySettings, InvalidSettings};
use crate::table::Table;

/// Steers a gateway that runs.
#[derive(Clone)]
pub struct Control {
    pub(crate) gate: Arc<Gate>,
    pub(crate) settings: Arc<GatewaySettings>,
}

impl Control {
    /// Swaps routes, limits, public addresses and what TLS is made of as a whole; requests at hand end under what they began
    /// with, connections go on. Addresses, workers, the number of connections and where bodies wait need a restart, and keep
    /// what they are. Reads the files of TLS, so it may block.
    ///
    /// # Errors
    /// [`InvalidSettings`]: the last good settings stay, and `/readyz`, the metrics and the log say so.
    pub fn reload(&self, settings: &GatewaySettings) -> Result<(), InvalidSettings> {
        let former = self.gate.table.load().tls.clone();
        let table = Table::new(settings, &self.gate.metrics, &self.gate.rates);
        match table.and_then(|table| table.with_tls(settings, &self.gate.clock, former.as_deref())) {
            Ok(table) => {
                self.gate.table.store(Arc::new(table));
                self.gate.health.failed_reload.store(Arc::new(None));
                self.gate.metrics.reloads.fetch_add(1, Relaxed);
                self.gate.log.note(self.gate.clock.now(), "reloaded", "");
                Ok(())
            }
            Err(invalid) => {
                self.reload_failed(&invalid.to_string());
                Err(invalid)
            }
        }
    }

    /// Says that a new configuration was not taken, where whoever reads configurations found the fault.
    pub fn reload_failed(&self, reason: &str) {
        self.gate.metrics.failed_reloads.fetch_add(1, Relaxed);
        self.gate.health.failed_reload.store(Arc::new(Some(reason.to_owned())));
        self.gate.log.note(self.gate.clock.now(), "reload failed", reason);
    }

    /// Whether new settings ask for what only a restart can give.
    #[must_use]
    pub fn needs_restart(&self, settings: &GatewaySettings) -> bool {
        let own = &self.settings;
        let admin =
            |settings: &GatewaySettings| settings.admin.as_ref().map(|admin| (admin.listen, admin.hosts.clone()));
        own.listen != settings.listen
            || own.workers != settings.workers
            || own.spool_dir != settings.spool_dir
            || own.limits.max_connections != settings.limits.max_connections
            || admin(own) != admin(settings)
    }

    /// Ends at once what is ending: whoever still waits for an answer is cut off.
    pub fn end_now(&self) {
        self.gate.steering.cut_off();
    }

    /// Stops deciding, so that another process can: takes nobody, and waits until what is at hand is decided, but no longer
    /// than `limit`; what is not decided then is `unavailable`. Answers that were decided on go on. Close the replay memory
    /// afterwards. Undone by [`Control::resume`].
    pub async fn stop_deciding(&self, limit: Duration) {
        let Gate { steering, deciding, .. } = &*self.gate;
        steering.pause();
        let decided = async {
            loop {
                while steering.is_accepting() || deciding.undecided() > 0 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                deciding.stop(true);
                // Who began in between was told so, or is seen here.
                if deciding.undecided() == 0 {
                    break;
                }
                deciding.stop(false);
            }
        };
        let _ = tokio::time::timeout(limit, decided).await;
        deciding.stop(true);
    }

    /// Decides again, where nobody took over. The replay memory has to be open.
    pub fn resume(&self) {
        self.gate.deciding.stop(false);
        self.gate.steering.resume();
    }

    /// Ends what has stopped deciding: another process has taken over, its sockets with the queues included.
    pub fn hand_over(&self) {
        self.gate.steering.hand_over();
    }

    /// Writes a line about the gateway itself to its log.
    pub fn note(&self, event: &str, detail: &str) {
        self.gate.log.note(self.gate.clock.now(), event, detail);
    }

    /// Whether every worker had its turn within the last seconds; for a watchdog that starts the gateway anew.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.gate.steering.is_alive()
    }

    /// What is missing for the gateway to serve; nothing when it is ready.
    #[must_use]
    pub fn missing(&self) -> Vec<(&'static str, String)> {
        self.gate.missing()
    }
}
