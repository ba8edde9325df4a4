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
use countersign_store::{DataLock, LockError, Registry, RegistryLock, Snapshots};

use crate::config::Config;
use crate::exit::{self, Failure, io};
use crate::last_use::LastUseWriter;
use crate::place::Place;
use crate::replay::{self, Replay};
use crate::{output, wire};

/// A gateway that is bound, and not yet serving.
pub(crate) struct Serving {
    gateway: Gateway,
    config: Config,
    registry: Registry,
    snapshots: Snapshots,
    replay: Replay,
    uses: LastUseWriter,
    clock: Clock,
    marking: Arc<AtomicBool>,
    /// Last, so that nobody else begins before all of the above has ended.
    _locks: Locks,
}

impl Serving {
    /// Opens everything and binds the addresses.
    pub(crate) async fn prepare(place: &Place, log: Box<dyn Write + Send>) -> Result<Self, Failure> {
        let config = &place.config;
        let lock = DataLock::acquire(&config.data)?;
        let registry_locks = lock_registry(place, &lock)?;
        let (replay, clock) = Replay::open(&config.replay, &lock, reach(config)).await?;
        let settings = wire::settings(config, replay.raised())?;
        let registry = place.registry_to_write().await?;
        let following = clock.clone();
        let snapshots = Snapshots::follow(&registry, config.registry.max_stale, move || following.now()).await?;
        let uses = LastUseWriter::start(&registry);
        let marking = Arc::new(AtomicBool::new(true));
        let (keys, aging, aged_by) = (snapshots.clone(), snapshots.clone(), clock.clone());
        let handles = Handles {
            clock: clock.clone(),
            log,
            checks: vec![data_directory(&marking), replay.check(&clock)],
            measures: replay.measures(&clock),
            snapshot_age: Some(Arc::new(move || aging.age(aged_by.now()))),
            used: Some(uses.used()),
            ..Handles::new(Arc::new(move |now| keys.keys(now)), replay.store())
        };
        let gateway = Gateway::bind(settings, handles).map_err(|fault| {
            use countersign_proxy::GatewayError;
            match &fault {
                GatewayError::Listen(address, why) => exit::unbound(address, why, "write another under `listen`"),
                GatewayError::Spool { .. } => {
                    Failure::usage(fault).hint("name a directory that it may write to: spool_dir in [gateway]")
                }
                GatewayError::Worker(_) => Failure::ours(fault),
                GatewayError::Settings(_) => {
                    Failure::usage(fault).hint("countersign lint says what is wrong with which file")
                }
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
            _locks: (lock, registry_locks),
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
        let (replay, clock) = (self.replay.clone(), self.clock.clone());
        Reloader { control: self.gateway.control(), config: self.config.clone(), replay, clock }
    }

    /// Serves until `shutdown` is ready, then ends in order: the replay memory is written down for the next start.
    pub(crate) async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), Failure> {
        let Self { gateway, registry, snapshots, replay, uses, clock, marking, config: _, _locks } = self;
        let marks = tokio::spawn(mark(replay.clone(), clock.clone(), marking));
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

/// The data directory's, the registry's own, and the data directory's that the registry lies in, where that is another.
type Locks = (DataLock, (RegistryLock, Option<DataLock>));

/// Two gateways with the same keys and a memory each would let a request pass once at each: whoever remembers alone is alone
/// with its registry, too, wherever that is. Those that share a memory may share a registry.
fn lock_registry(place: &Place, data: &DataLock) -> Result<(RegistryLock, Option<DataLock>), Failure> {
    let file = place.registry_file()?;
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(dir).map_err(|fault| io("can't make", dir, &fault))?;
    let held = |error| match error {
        LockError::Held { pid, .. } => {
            let by = pid.map_or_else(String::new, |pid| format!(" (process {pid})"));
            let failure = Failure::usage(format!("the registry in {} is served by another gateway{by}", dir.display()));
            failure.hint("each would let the same request pass once: let one gateway serve all routes").hint(
                "or let them share their replay memory: url = \"redis://…\" in [replay], the same one for each of them",
            )
        }
        LockError::File(error) => error.into(),
    };
    if replay::is_shared(&place.config.replay)? {
        return Ok((RegistryLock::beside_others(dir).map_err(held)?, None));
    }
    let same = |a: &Path, b: &Path| matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b);
    let its_data = if same(dir, data.dir()) { None } else { Some(DataLock::acquire(dir).map_err(held)?) };
    Ok((RegistryLock::alone(dir).map_err(held)?, its_data))
}

/// Notes every second what time the verdicts go by, and says where the replay memory stops or begins to admit.
async fn mark(replay: Replay, clock: Clock, marking: Arc<AtomicBool>) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    let mut told = replay.missing(clock.now());
    loop {
        ticks.tick().await;
        let now = clock.now();
        let marked = replay.clone();
        let noted = tokio::task::spawn_blocking(move || marked.mark_clock(now)).await;
        marking.store(matches!(noted, Ok(Ok(()))), Relaxed);
        let missing = replay.missing(now);
        if missing != told {
            match &missing {
                Some(why) => output::warning(format!("the replay memory does not admit: {why}"), &[]),
                None => output::note!("the replay memory admits again"),
            }
            told = missing;
        }
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
    replay: Replay,
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
            let raised = self.replay.raise(reach(&config), &self.clock).await?;
            let settings = wire::settings(&config, raised)?;
            let (control, new) = (self.control.clone(), settings.clone());
            let reloaded = tokio::task::spawn_blocking(move || control.reload(&new)).await.map_err(Failure::ours)?;
            reloaded.map_err(Failure::usage)?;
            let opened = |it: &Config| {
                let (registry, replay) = (it.registry.clone(), it.replay.clone());
                (it.data.clone(), registry.url, registry.max_stale, replay.url, replay.max_entries)
            };
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
