//! A gateway with everything it needs: registry, keys, replay memory, clock, log.

use std::future::Future;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use countersign::{Keys, Timestamp};
use countersign_proxy::{Clock, Control, Gateway, Handles, ReadyCheck};
use countersign_store::replay::Reach;
use countersign_store::{DataLock, LockError, MemoryReplay, Registry, Snapshots};

use crate::config::Config;
use crate::exit::{self, Failure, io};
use crate::last_use::LastUseWriter;
use crate::place::Place;
use crate::{moment, wire};

/// A gateway that is bound, and not yet serving.
pub(crate) struct Serving {
    gateway: Gateway,
    config: Config,
    registry: Registry,
    snapshots: Snapshots,
    replay: Arc<MemoryReplay>,
    uses: LastUseWriter,
    clock: Clock,
    marking: Arc<AtomicBool>,
    /// Last, so that nobody else begins before all of the above has ended.
    _locks: (DataLock, Option<DataLock>),
}

impl Serving {
    /// Opens everything and binds the addresses.
    pub(crate) async fn prepare(place: &Place, log: Box<dyn Write + Send>) -> Result<Self, Failure> {
        let config = &place.config;
        let lock = DataLock::acquire(&config.data)?;
        let registry_lock = lock_registry(place, &lock)?;
        let replay = MemoryReplay::open(&lock, config.replay.max_entries, moment::now(), reach(config))?;
        let settings = wire::settings(config, replay.raised())?;
        let replay = Arc::new(replay);
        let clock = match replay.last_clock() {
            Some(last) => Clock::new(moment::now, last),
            None => Clock::system(),
        };
        let registry = place.registry_to_write().await?;
        let following = clock.clone();
        let snapshots = Snapshots::follow(&registry, config.registry.max_stale, move || following.now()).await?;
        let uses = LastUseWriter::start(&registry);
        let marking = Arc::new(AtomicBool::new(true));
        let (keys, aging, aged_by) = (snapshots.clone(), snapshots.clone(), clock.clone());
        let handles = Handles {
            clock: clock.clone(),
            log,
            checks: vec![data_directory(&marking), memory_begins(&replay, &clock)],
            snapshot_age: Some(Arc::new(move || aging.age(aged_by.now()))),
            used: Some(uses.used()),
            ..Handles::new(Arc::new(move |now| keys.keys(now)), Arc::clone(&replay) as _)
        };
        let gateway = Gateway::bind(settings, handles).map_err(|fault| {
            use countersign_proxy::GatewayError;
            match &fault {
                GatewayError::Listen(address, why) => exit::unbound(address, why, "write another under `listen`"),
                GatewayError::Spool { .. } => {
                    Failure::usage(fault).hint("name a directory that it may write to: spool_dir in [gateway]")
                }
                GatewayError::Worker(_) => Failure::ours(fault),
                GatewayError::Settings(_) => Failure::usage(fault),
            }
        })?;
        Ok(Self {
            gateway,
            config: config.clone(),
            registry,
            snapshots,
            replay,
            uses,
            clock,
            marking,
            _locks: (lock, registry_lock),
        })
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

    /// What follows the registry.
    pub(crate) fn snapshots(&self) -> &Snapshots {
        &self.snapshots
    }

    /// Rows of the registry and files of trusted sites that make no key.
    pub(crate) fn broken(&self) -> Vec<String> {
        self.snapshots.broken()
    }

    /// Where the replay memory begins, after an end that was none: what was signed before is unavailable.
    pub(crate) fn floor(&self) -> Option<Timestamp> {
        self.replay.floor()
    }

    /// What steers it while it serves.
    pub(crate) fn control(&self) -> Control {
        self.gateway.control()
    }

    /// What takes in another configuration while this one is served.
    pub(crate) fn reloader(&self) -> Reloader {
        let (replay, clock) = (Arc::clone(&self.replay), self.clock.clone());
        Reloader { control: self.gateway.control(), config: self.config.clone(), replay, clock }
    }

    /// Serves until `shutdown` is ready, then ends in order: the replay memory is written down for the next start.
    pub(crate) async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), Failure> {
        let Self { gateway, registry, snapshots, replay, uses, clock, marking, config: _, _locks } = self;
        let marks = tokio::spawn(mark(Arc::clone(&replay), clock.clone(), marking));
        let outcome = gateway.run(shutdown).await;
        marks.abort();
        drop(snapshots);
        let closed = replay.close(clock.now());
        uses.end().await;
        registry.close().await;
        outcome.map_err(Failure::ours)?;
        Ok(closed?)
    }
}

/// Two gateways with the same keys and a memory each would let a request pass once at each: whoever remembers alone is alone
/// with its registry, too, wherever that is.
fn lock_registry(place: &Place, data: &DataLock) -> Result<Option<DataLock>, Failure> {
    let file = place.registry_file()?;
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(dir).map_err(|fault| io("can't make", dir, &fault))?;
    let same = |a: &Path, b: &Path| matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b);
    if same(dir, data.dir()) {
        return Ok(None);
    }
    match DataLock::acquire(dir) {
        Ok(lock) => Ok(Some(lock)),
        Err(LockError::Held { pid, .. }) => {
            let by = pid.map_or_else(String::new, |pid| format!(" (process {pid})"));
            let failure = Failure::usage(format!("the registry in {} is served by another gateway{by}", dir.display()));
            Err(failure.hint("each would let the same request pass once: let one gateway serve all routes"))
        }
        Err(error) => Err(error.into()),
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

/// After an end that was none, what was signed before the floor is unavailable: until then no request can pass.
fn memory_begins(replay: &MemoryReplay, clock: &Clock) -> ReadyCheck {
    let (floor, clock) = (replay.floor(), clock.clone());
    let check = move || match floor {
        Some(floor) if clock.now() < floor => {
            Err(format!("the gateway did not end in order, and what was signed before {floor} could be a replay"))
        }
        _ => Ok(()),
    };
    ReadyCheck { name: "replay memory", check: Arc::new(check) }
}

/// Takes in another configuration.
pub(crate) struct Reloader {
    control: Control,
    /// What was there at the start.
    config: Config,
    replay: Arc<MemoryReplay>,
    clock: Clock,
}

impl Reloader {
    /// Swaps routes and limits; the last good ones stay where the new ones can't be had. `Ok(true)` where some of what is new
    /// waits for a restart.
    pub(crate) async fn reload(&self, new: Result<Config, Failure>) -> Result<bool, Failure> {
        let taken = async {
            let config = new?;
            if config.routes.is_empty() {
                // A file that was caught half-written looks like this, and would take everything away.
                return Err(Failure::usage("the new configuration has no route: there would be nothing to serve"));
            }
            // Judged before anything is raised for it.
            wire::settings(&config, Vec::new())?;
            let (replay, clock, reach) = (Arc::clone(&self.replay), self.clock.clone(), reach(&config));
            let raising = tokio::task::spawn_blocking(move || replay.raise(reach, || clock.now()));
            let settings = wire::settings(&config, raising.await.map_err(Failure::ours)??)?;
            self.control.reload(&settings).map_err(Failure::usage)?;
            let opened =
                |it: &Config| (it.data.clone(), it.registry.url.clone(), it.registry.max_stale, it.replay.max_entries);
            Ok(self.control.needs_restart(&settings) || opened(&self.config) != opened(&config))
        };
        taken.await.inspect_err(|failure: &Failure| self.control.reload_failed(&failure.message))
    }
}

/// What the routes admit under, all together.
fn reach(config: &Config) -> Reach {
    let skews = config.routes.iter().flat_map(|route| route.schemes.iter().map(|scheme| route.max_skew(*scheme)));
    let ages = config.routes.iter().map(|route| route.max_age);
    Reach { max_skew: skews.max().unwrap_or_default(), max_age: ages.max().unwrap_or_default() }
}
