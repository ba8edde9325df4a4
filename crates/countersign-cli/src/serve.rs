//! A gateway with everything it needs: registry, keys, replay memory, clock, log.

use std::future::Future;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use countersign::{Keys, Timestamp};
use countersign_proxy::{Clock, Control, Gateway, Handles, ReadyCheck};
use countersign_store::{DataLock, MemoryReplay, Registry, Snapshots};

use crate::config::Config;
use crate::exit::Failure;
use crate::place::Place;
use crate::{moment, wire};

/// A gateway that is bound, and not yet serving.
pub(crate) struct Serving {
    gateway: Gateway,
    config: Config,
    registry: Registry,
    snapshots: Snapshots,
    replay: Arc<MemoryReplay>,
    clock: Clock,
    marking: Arc<AtomicBool>,
    /// Last, so that nobody else begins before all of the above has ended.
    _lock: DataLock,
}

impl Serving {
    /// Opens everything and binds the addresses.
    pub(crate) async fn prepare(place: &Place, log: Box<dyn Write + Send>) -> Result<Self, Failure> {
        let config = &place.config;
        let settings = wire::settings(config)?;
        let lock = DataLock::acquire(&config.data)?;
        let replay = MemoryReplay::open(&lock, config.replay.max_entries, moment::now(), max_skew(config))?;
        let replay = Arc::new(replay);
        let clock = match replay.last_clock() {
            Some(last) => Clock::new(moment::now, last),
            None => Clock::system(),
        };
        let registry = place.registry_to_write().await?;
        let following = clock.clone();
        let snapshots = Snapshots::follow(&registry, config.registry.max_stale, move || following.now()).await?;
        let marking = Arc::new(AtomicBool::new(true));
        let (keys, aging, aged_by) = (snapshots.clone(), snapshots.clone(), clock.clone());
        let handles = Handles {
            clock: clock.clone(),
            log,
            checks: vec![data_directory(&marking)],
            snapshot_age: Some(Arc::new(move || aging.age(aged_by.now()))),
            ..Handles::new(Arc::new(move |now| keys.keys(now)), Arc::clone(&replay) as _)
        };
        let gateway = Gateway::bind(settings, handles).map_err(|fault| {
            let failure = Failure::usage(&fault);
            match fault {
                countersign_proxy::GatewayError::Listen(..) => {
                    failure.hint("another process has this address: stop it, or write another one under `listen`")
                }
                countersign_proxy::GatewayError::Worker(_) => Failure::ours(fault),
                countersign_proxy::GatewayError::Settings(_) => failure,
            }
        })?;
        Ok(Self { gateway, config: config.clone(), registry, snapshots, replay, clock, marking, _lock: lock })
    }

    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        self.gateway.addresses()
    }

    pub(crate) fn admin_address(&self) -> Option<SocketAddr> {
        self.gateway.admin_address()
    }

    pub(crate) fn keys(&self) -> Result<Arc<Keys>, Failure> {
        Ok(self.snapshots.keys(self.clock.now())?)
    }

    /// Rows of the registry that make no key.
    pub(crate) fn broken(&self) -> Vec<String> {
        self.snapshots.broken()
    }

    /// Where the replay memory begins, after an end that was none: what was signed before is unavailable.
    pub(crate) fn floor(&self) -> Option<Timestamp> {
        self.replay.floor()
    }

    /// What takes in another configuration while this one is served.
    pub(crate) fn reloader(&self) -> Reloader {
        Reloader { control: self.gateway.control(), config: self.config.clone(), replay: Arc::clone(&self.replay) }
    }

    /// Serves until `shutdown` is ready, then ends in order: the replay memory is written down for the next start.
    pub(crate) async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), Failure> {
        let Self { gateway, registry, snapshots, replay, clock, marking, config: _, _lock } = self;
        let marks = tokio::spawn(mark(Arc::clone(&replay), clock.clone(), marking));
        let outcome = gateway.run(shutdown).await;
        marks.abort();
        drop(snapshots);
        let closed = replay.close(clock.now());
        registry.close().await;
        outcome.map_err(Failure::ours)?;
        Ok(closed?)
    }
}

/// Notes every second what time the verdicts go by.
async fn mark(replay: Arc<MemoryReplay>, clock: Clock, marking: Arc<AtomicBool>) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    loop {
        ticks.tick().await;
        let (replay, now) = (Arc::clone(&replay), clock.now());
        let noted = tokio::task::spawn_blocking(move || replay.mark_clock(now)).await;
        marking.store(matches!(noted, Ok(Ok(()))), Relaxed);
    }
}

fn data_directory(marking: &Arc<AtomicBool>) -> ReadyCheck {
    let marking = Arc::clone(marking);
    let check =
        move || if marking.load(Relaxed) { Ok(()) } else { Err("the clock's mark can't be written".to_owned()) };
    ReadyCheck { name: "data", check: Arc::new(check) }
}

/// Takes in another configuration.
pub(crate) struct Reloader {
    control: Control,
    /// What was there at the start.
    config: Config,
    replay: Arc<MemoryReplay>,
}

impl Reloader {
    /// Swaps routes and limits; the last good ones stay where the new ones can't be had. `Ok(true)` where some of what is new
    /// waits for a restart.
    pub(crate) async fn reload(&self, new: Result<Config, Failure>) -> Result<bool, Failure> {
        let taken = async {
            let config = new?;
            let settings = wire::settings(&config)?;
            let (replay, skew) = (Arc::clone(&self.replay), max_skew(&config));
            tokio::task::spawn_blocking(move || replay.raise_max_skew(skew)).await.map_err(Failure::ours)??;
            self.control.reload(&settings).map_err(Failure::usage)?;
            let opened =
                |it: &Config| (it.data.clone(), it.registry.url.clone(), it.registry.max_stale, it.replay.max_entries);
            Ok(self.control.needs_restart(&settings) || opened(&self.config) != opened(&config))
        };
        taken.await.inspect_err(|failure: &Failure| self.control.reload_failed(&failure.message))
    }
}

/// How far in the future any message of any route may lie.
fn max_skew(config: &Config) -> Duration {
    let skews = config.routes.iter().flat_map(|route| route.schemes.iter().map(|scheme| route.max_skew(*scheme)));
    skews.max().unwrap_or_default()
}
