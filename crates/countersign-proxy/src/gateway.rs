use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use arc_swap::ArcSwap;
use countersign::Openers;
use tokio::sync::Semaphore;

use crate::admin;
use crate::gate::{Gate, Health};
use crate::handles::Handles;
use crate::log::Log;
use crate::metrics::Metrics;
use crate::rate::Rates;
use crate::record::Recorder;
use crate::settings::{GatewaySettings, InvalidSettings};
use crate::spool::Room;
use crate::steering::Steering;
use crate::table::Table;
use crate::worker::Worker;

/// A gateway that is bound, and not yet serving.
pub struct Gateway {
    gate: Arc<Gate>,
    settings: GatewaySettings,
    addresses: Vec<SocketAddr>,
    /// Per worker, one listener per address.
    listeners: Vec<Vec<TcpListener>>,
    admin: Option<(TcpListener, SocketAddr)>,
}

/// Steers a gateway that runs.
#[derive(Clone)]
pub struct Control {
    gate: Arc<Gate>,
    settings: Arc<GatewaySettings>,
}

/// Why a gateway did not start, or did not go on.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The settings make none.
    #[error(transparent)]
    Settings(#[from] InvalidSettings),
    /// An address could not be bound.
    #[error("can't listen on {0}: {1}")]
    Listen(SocketAddr, io::Error),
    /// Bodies can't be kept there.
    #[error("can't keep bodies in {}: {fault}", dir.display())]
    Spool {
        /// The directory.
        dir: PathBuf,
        /// What stands in the way.
        fault: io::Error,
    },
    /// A thread could not be started, or ended.
    #[error("a worker ended: {0}")]
    Worker(io::Error),
}

impl Gateway {
    /// Judges the settings and binds the addresses. Callers may connect from now on, and are answered once it runs.
    ///
    /// # Errors
    /// [`GatewayError`] for settings that make no gateway, or an address or a directory that can't be had.
    pub fn bind(settings: GatewaySettings, handles: Handles) -> Result<Self, GatewayError> {
        let Handles { keys, replay, clock, log, checks, snapshot_age, measures, used } = handles;
        let metrics = Arc::new(Metrics::default());
        let rates = Rates::new();
        let table = Table::new(&settings, &metrics, &rates)?;
        if settings.listen.is_empty() {
            return Err(InvalidSettings("no address to listen on".to_owned()).into());
        }
        let workers = match settings.workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            count => count,
        };
        let mut listeners: Vec<Vec<TcpListener>> = (0..workers).map(|_| Vec::new()).collect();
        let mut addresses = Vec::new();
        for address in &settings.listen {
            let (address, opened) =
                crate::listen::open(*address, workers).map_err(|e| GatewayError::Listen(*address, e))?;
            addresses.push(address);
            for (worker, listener) in listeners.iter_mut().zip(opened) {
                worker.push(listener);
            }
        }
        let room = match &settings.spool_dir {
            Some(dir) => Room::in_files(dir).map_err(|fault| GatewayError::Spool { dir: dir.clone(), fault })?,
            None => Room::default(),
        };
        let admin = match &settings.admin {
            Some(admin) => {
                let opened = crate::listen::open(admin.listen, 1).map_err(|e| GatewayError::Listen(admin.listen, e))?;
                opened.1.into_iter().next().map(|listener| (listener, opened.0))
            }
            None => None,
        };
        let log = Log::start(log, Arc::clone(&metrics)).map_err(GatewayError::Worker)?;
        let gate = Gate {
            table: ArcSwap::from_pointee(table),
            keys,
            replay,
            openers: Openers::default(),
            recorder: Recorder::new(used),
            clock,
            log,
            metrics,
            rates,
            room: Arc::new(room),
            connections: Arc::default(),
            health: Health::new(checks, snapshot_age, measures),
            steering: Steering::new(workers),
        };
        Ok(Self { gate: Arc::new(gate), settings, addresses, listeners, admin })
    }

    /// Where callers are heard, in the order of the settings.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where health and metrics are told.
    #[must_use]
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(|(_, address)| *address)
    }

    /// What steers it while it runs.
    #[must_use]
    pub fn control(&self) -> Control {
        Control { gate: Arc::clone(&self.gate), settings: Arc::new(self.settings.clone()) }
    }

    /// Serves until `shutdown` is ready, then ends in order: `/readyz` says so, after the configured delay no more callers
    /// are taken, requests at hand get their grace, and what is open after that is cut off.
    ///
    /// Runs inside a tokio runtime, which serves the admin listener only; the workers have their own.
    ///
    /// # Errors
    /// [`GatewayError::Worker`] where a worker can't start or ends by itself. All others are stopped then.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), GatewayError> {
        let Self { gate, settings, listeners, admin, .. } = self;
        let limits = &settings.limits;
        let places = Arc::new(Semaphore::new(limits.max_connections.min(Semaphore::MAX_PERMITS)));
        let mut ends = Vec::new();
        let workers = CutOff(Arc::clone(&gate));
        for (number, listeners) in listeners.into_iter().enumerate() {
            let worker = Worker {
                number,
                listeners,
                gate: Arc::clone(&gate),
                places: Arc::clone(&places),
                grace: limits.shutdown_grace,
            };
            ends.push(worker.start(format!("countersign-{number}")).map_err(GatewayError::Worker)?);
        }
        let hosts = settings.admin.map(|admin| admin.hosts).unwrap_or_default();
        let health = match admin {
            Some((listener, _)) => {
                let listener = tokio::net::TcpListener::from_std(listener).map_err(GatewayError::Worker)?;
                Some(tokio::spawn(admin::serve(listener, hosts, Arc::clone(&gate))))
            }
            None => None,
        };
        let watched = Arc::clone(&gate);
        let watching = tokio::spawn(async move { crate::upstream::watch(&watched.table).await });
        let mut ended = std::pin::pin!(async {
            let mut outcome = Ok(());
            for end in ends {
                outcome = outcome.and(end.await.unwrap_or_else(|_| Err(io::Error::other("it panicked"))));
                if outcome.is_err() {
                    break;
                }
            }
            outcome
        });
        let outcome = tokio::select! {
            outcome = &mut ended => outcome.and(Err(io::Error::other("it ended by itself"))),
            () = shutdown => {
                gate.health.stopping.store(true, Relaxed);
                gate.metrics.stopping.store(1, Relaxed);
                gate.log.note(gate.clock.now(), "stopping", "");
                let in_order = async {
                    tokio::time::sleep(limits.shutdown_delay).await;
                    gate.steering.end();
                    let last = limits.shutdown_grace + Duration::from_secs(5);
                    let late = |_| Err(io::Error::other("it did not end in time"));
                    tokio::time::timeout(last, ended).await.unwrap_or_else(late)
                };
                tokio::select! {
                    outcome = in_order => outcome,
                    () = gate.steering.over() => Ok(()),
                }
            }
        };
        drop(workers);
        gate.log.flush().await;
        watching.abort();
        if let Some(health) = health {
            health.abort();
        }
        outcome.map_err(GatewayError::Worker)
    }
}

/// However serving ends, no worker outlives it.
struct CutOff(Arc<Gate>);

impl Drop for CutOff {
    fn drop(&mut self) {
        self.0.steering.cut_off();
    }
}

impl Control {
    /// Swaps routes, limits and public addresses as a whole; requests at hand end under what they began with. Addresses,
    /// workers, the number of connections and where bodies wait need a restart, and keep what they are.
    ///
    /// # Errors
    /// [`InvalidSettings`]: the last good settings stay, and `/readyz`, the metrics and the log say so.
    pub fn reload(&self, settings: &GatewaySettings) -> Result<(), InvalidSettings> {
        match Table::new(settings, &self.gate.metrics, &self.gate.rates) {
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
