use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Semaphore;

use crate::admin;
use crate::control::Control;
use crate::gate::{Gate, Health};
use crate::handles::Handles;
use crate::listen;
use crate::log::Log;
use crate::metrics::Metrics;
use crate::rate::Rates;
use crate::record::Recorder;
use crate::settings::{GatewaySettings, InvalidSettings};
use crate::sockets::Sockets;
use crate::spool::Room;
use crate::steering::{Phase, Steering};
use crate::table::Table;
use crate::tls::{Handshakes, vigil};
use crate::worker::Worker;

/// A gateway that is bound, and not yet serving.
pub struct Gateway {
    gate: Arc<Gate>,
    settings: GatewaySettings,
    opened: Opened,
    /// Whether somebody else holds the sockets, too.
    kept_open: bool,
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
        let Handles {
            keys,
            token_keys,
            openers,
            replay,
            clock,
            log,
            checks,
            snapshot_age,
            measures,
            used,
            users,
            mut sockets,
        } = handles;
        let metrics = Arc::new(Metrics::default());
        let rates = Rates::new();
        let table = Table::new(&settings, &metrics, &rates)?.with_tls(&settings, &clock, None)?;
        if settings.tokens.is_some() && token_keys.is_none() {
            return Err(InvalidSettings("there are no keys for user tokens".to_owned()).into());
        }
        if settings.exchange.is_some() && (users.is_none() || settings.tokens.is_none()) {
            return Err(InvalidSettings("the exchange has no users, or no tokens for them".to_owned()).into());
        }
        if settings.listen.is_empty() {
            return Err(InvalidSettings("no address to listen on".to_owned()).into());
        }
        let workers = match settings.workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            count => count,
        };
        let room = match &settings.spool_dir {
            Some(dir) => Room::in_files(dir).map_err(|fault| GatewayError::Spool { dir: dir.clone(), fault })?,
            None => Room::default(),
        };
        let opened = Opened::at(&settings, workers, &mut sockets)?;
        let kept_open = sockets.kept_open;
        let log = Log::start(log, Arc::clone(&metrics)).map_err(GatewayError::Worker)?;
        let gate = Gate {
            table: ArcSwap::from_pointee(table),
            keys,
            token_keys,
            openers,
            replay,
            users,
            recorder: Recorder::new(used),
            clock,
            log,
            metrics,
            rates,
            room: Arc::new(room),
            connections: Arc::default(),
            health: Health::new(checks, snapshot_age, measures),
            steering: Steering::new(workers),
            deciding: Arc::default(),
            handshakes: Handshakes::default(),
        };
        Ok(Self { gate: Arc::new(gate), settings, opened, kept_open })
    }

    /// Where callers are heard, in the order of the settings.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.opened.addresses
    }

    /// Where health and metrics are told.
    #[must_use]
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.opened.admin.as_ref().map(|(_, address)| *address)
    }

    /// Its sockets once more, to be handed to another process. As long as they are held, nobody who waits in their queues is
    /// reset, but not answered either.
    ///
    /// # Errors
    /// Where there are no descriptors left.
    pub fn sockets(&self) -> io::Result<Sockets> {
        Ok(Sockets {
            listen: self.opened.listeners.iter().flatten().map(TcpListener::try_clone).collect::<io::Result<_>>()?,
            admin: self.opened.admin.as_ref().map(|(listener, _)| listener.try_clone()).transpose()?,
            kept_open: self.kept_open,
        })
    }

    /// What steers it while it runs.
    #[must_use]
    pub fn control(&self) -> Control {
        Control { gate: Arc::clone(&self.gate), settings: Arc::new(self.settings.clone()) }
    }

    /// Serves until `shutdown` is ready, then ends in order: `/readyz` says so, after the configured delay no more callers
    /// are taken, requests at hand get their grace, and what is open after that is cut off. After [`Control::hand_over`] only
    /// what was decided on ends.
    ///
    /// Runs inside a tokio runtime, which serves the admin listener only; the workers have their own.
    ///
    /// # Errors
    /// [`GatewayError::Worker`] where a worker can't start or ends by itself. All others are stopped then.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), GatewayError> {
        let Self { gate, settings, opened: Opened { listeners, admin, .. }, kept_open } = self;
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
                kept_open,
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
        let vigil = tokio::spawn(vigil::watch(Arc::clone(&gate)));
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
        let last = limits.shutdown_grace + Duration::from_secs(5);
        let late = |_| Err(io::Error::other("it did not end in time"));
        let outcome = tokio::select! {
            // Idle workers may end before this hears why.
            outcome = &mut ended => match *gate.steering.phase().borrow() {
                Phase::HandedOver => outcome,
                _ => outcome.and(Err(io::Error::other("it ended by itself"))),
            },
            () = gate.steering.handed_over() => {
                // Who asks now is answered by the other process.
                health.as_ref().inspect(|health| health.abort());
                tokio::select! {
                    outcome = tokio::time::timeout(last, ended) => outcome.unwrap_or_else(late),
                    () = gate.steering.over() => Ok(()),
                }
            }
            () = shutdown => {
                gate.health.stopping.store(true, Relaxed);
                gate.metrics.stopping.store(1, Relaxed);
                gate.log.note(gate.clock.now(), "stopping", "");
                let in_order = async {
                    tokio::time::sleep(limits.shutdown_delay).await;
                    gate.steering.end();
                    tokio::time::timeout(last, ended).await.unwrap_or_else(late)
                };
                tokio::select! {
                    outcome = in_order => outcome,
                    () = gate.steering.over() => Ok(()),
                }
            }
        };
        drop(workers);
        vigil.abort();
        gate.log.flush().await;
        watching.abort();
        if let Some(health) = health {
            health.abort();
        }
        outcome.map_err(GatewayError::Worker)
    }
}

/// Where it listens.
struct Opened {
    addresses: Vec<SocketAddr>,
    /// Per worker, one or more listeners per address.
    listeners: Vec<Vec<TcpListener>>,
    admin: Option<(TcpListener, SocketAddr)>,
}

impl Opened {
    /// By sockets that listen already, as far as there are any for the addresses.
    fn at(settings: &GatewaySettings, workers: usize, sockets: &mut Sockets) -> Result<Self, GatewayError> {
        let mut listeners: Vec<Vec<TcpListener>> = (0..workers).map(|_| Vec::new()).collect();
        let mut addresses = Vec::new();
        for address in &settings.listen {
            let mut open = || match sockets.take(*address) {
                there if !there.is_empty() => listen::adopt(&there, workers),
                _ => {
                    let (address, opened) = listen::open(*address, workers)?;
                    Ok((address, opened.into_iter().map(|one| vec![one]).collect()))
                }
            };
            let (address, opened) = open().map_err(|e| GatewayError::Listen(*address, e))?;
            addresses.push(address);
            for (worker, opened) in listeners.iter_mut().zip(opened) {
                worker.extend(opened);
            }
        }
        let admin = match &settings.admin {
            Some(admin) => {
                let mut open = || match sockets.take_admin(admin.listen) {
                    Some(there) => listen::adopt(&[there], 1)
                        .map(|(address, opened)| (address, opened.into_iter().flatten().collect())),
                    None => listen::open(admin.listen, 1),
                };
                let opened = open().map_err(|e| GatewayError::Listen(admin.listen, e))?;
                opened.1.into_iter().next().map(|listener| (listener, opened.0))
            }
            None => None,
        };
        Ok(Self { addresses, listeners, admin })
    }
}

/// However serving ends, no worker outlives it.
struct CutOff(Arc<Gate>);

impl Drop for CutOff {
    fn drop(&mut self) {
        self.0.steering.cut_off();
    }
}
