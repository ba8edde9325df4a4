//! A gateway with everything it needs: registry, keys, replay memory, clock, log.

use std::future::Future;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use countersign::{Keys, Scheme, Timestamp};
use countersign_proxy::{Clock, Control, Gateway, Handles, ReadyCheck, Sockets};
use countersign_store::users::Lookalikes;
use countersign_store::{ClockMark, Registry, Snapshots, Users};
use tokio::sync::oneshot;

use crate::config::Config;
use crate::exit::{self, Failure};
use crate::handover::{Door, Offer, Predecessor};
use crate::last_use::LastUseWriter;
use crate::place::Place;
use crate::replay::{Replay, reach};
use crate::seal_keys::{self, SealKeys};
use crate::users::RegistryUsers;
use crate::{moment, output, token_keys, wire};

mod locks;
mod start;

pub(crate) use locks::{HandedLocks, Locks};
pub(crate) use start::Start;

/// A gateway that is bound, and not yet serving.
pub(crate) struct Serving {
    gateway: Gateway,
    config: Config,
    registry: Registry,
    snapshots: Snapshots,
    replay: Replay,
    uses: LastUseWriter,
    seal_keys: SealKeys,
    clock: Clock,
    marking: Arc<AtomicBool>,
    predecessor: Option<Predecessor>,
    /// Where another process may ask to take over, and what it gets then.
    door: Option<(Door, Sockets)>,
    /// Last, so that nobody else begins before all of the above has ended.
    locks: Locks,
}

impl Serving {
    /// Opens everything and binds the addresses. Where another process serves so far, it has stood back when this returns.
    pub(crate) async fn prepare(place: &Place, start: Start, log: Box<dyn Write + Send>) -> Result<Self, Failure> {
        let config = &place.config;
        let Start { locks, sockets, mut predecessor, may_be_taken_over } = start;
        // Whatever does not need the memory is done before anybody has to wait for it.
        wire::settings(config, Vec::new())?;
        // By this one the keys are followed from now on: opening the memory makes it no jump, by which they would be stale.
        let noted = ClockMark::noted_in(&config.data);
        let clock = Clock::new(moment::now, noted.unwrap_or(Timestamp::from_millis(0)));
        let registry = place.registry_to_write().await?;
        if let Some(token) = &config.token {
            token_keys::ensure(&registry, token, clock.now()).await?;
        }
        let seal_keys = SealKeys::of(config)?;
        seal_keys::renew(&registry, config, clock.now()).await?;
        let following = clock.clone();
        let snapshots = Snapshots::follow(&registry, config.registry.max_stale, move || following.now()).await?;
        seal_keys.take_own(&snapshots, clock.now());
        let uses = LastUseWriter::start(&registry);
        let users = Users::open(&registry).await?;
        for Lookalikes(one, other) in registry.lookalikes(LOOKALIKES).await? {
            let hint = format!("countersign user show {one}, countersign user show {other}");
            output::warning("the addresses of two users look alike: one could be taken for the other", &[hint]);
        }
        if let Some(predecessor) = &mut predecessor {
            predecessor.stop().await?;
        }
        let replay = Replay::open(&config.replay, locks.data(), reach(config), &clock).await?;
        let settings = wire::settings(config, replay.raised())?;
        let marking = Arc::new(AtomicBool::new(true));
        let (keys, own_keys) = (snapshots.clone(), snapshots.clone());
        let (aging, aged_by) = (snapshots.clone(), clock.clone());
        let handles = Handles {
            clock: clock.clone(),
            log,
            checks: vec![data_directory(&marking), replay.check(&clock)],
            measures: replay.measures(&clock),
            snapshot_age: Some(Arc::new(move || aging.age(aged_by.now()))),
            used: Some(uses.used()),
            token_keys: Some(Arc::new(move |now| own_keys.token_keys(now))),
            users: Some(Arc::new(RegistryUsers(users))),
            openers: Some(seal_keys.source()),
            sockets,
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
        let to_hand_on = may_be_taken_over.then(|| gateway.sockets()).transpose().map_err(Failure::ours)?;
        snapshots.keys(clock.now())?;
        if let Some(predecessor) = &mut predecessor {
            predecessor.replace().await?;
            // From here on the other one never decides again: nothing that fails may keep this one from it.
            if let Err(fault) = locks.name_me() {
                output::warning(
                    format!("the lock names the process before: {fault}"),
                    &["it holds all the same".to_owned()],
                );
            }
        }
        let door = to_hand_on.and_then(|sockets| Some((Door::open(locks.data().dir())?, sockets)));
        Ok(Self {
            gateway,
            config: config.clone(),
            registry,
            snapshots,
            replay,
            uses,
            seal_keys,
            clock,
            marking,
            predecessor,
            door,
            locks,
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

    /// Where the replay memory begins, after an end that was none: what was signed before is unavailable. Of the schemes that
    /// routes take.
    pub(crate) fn floors(&self) -> Vec<(Scheme, Timestamp)> {
        let admitted = reach(&self.config).max_skew;
        self.replay.floors().into_iter().filter(|(scheme, _)| admitted.of(*scheme).is_some()).collect()
    }

    /// What steers it while it serves.
    pub(crate) fn control(&self) -> Control {
        self.gateway.control()
    }

    /// What takes in another configuration while this one is served.
    pub(crate) fn reloader(&self) -> Reloader {
        let (replay, clock) = (self.replay.clone(), self.clock.clone());
        let (registry, seal_keys) = (self.registry.clone(), self.seal_keys.clone());
        Reloader { control: self.gateway.control(), config: self.config.clone(), registry, replay, clock, seal_keys }
    }

    /// Serves until `shutdown` is ready, then ends in order: the replay memory is written down for the next start. Also where
    /// another process took over: then its id is given back.
    pub(crate) async fn run(self, shutdown: impl Future<Output = ()>) -> Result<Option<u32>, Failure> {
        let Self { gateway, config, registry, snapshots, replay, uses, seal_keys, clock, marking, locks, .. } = self;
        // Whoever served so far sees by it that this process does now.
        drop(self.predecessor);
        let marks = tokio::spawn(mark(replay.clone(), clock.clone(), marking));
        let renews = tokio::spawn(seal_keys.clone().keep_renewed(registry.clone(), clock.clone()));
        let follows = tokio::spawn(seal_keys.follow(snapshots.clone(), clock.clone()));
        let offered = self.door;
        let successor = offered.as_ref().map(|(door, _)| door.successor()).unwrap_or_default();
        let control = gateway.control();
        let (ending, ended) = oneshot::channel::<()>();
        let mut running = std::pin::pin!(gateway.run(async {
            shutdown.await;
            let _ = ending.send(());
        }));
        let offering = async {
            let Some((door, sockets)) = offered else { return std::future::pending().await };
            let (replay, clock) = (replay.clone(), clock.clone());
            let limit = config.gateway.limits.handover_timeout;
            let offer = Offer { control, replay, clock, locks: &locks, sockets, door, limit };
            tokio::select! {
                pid = offer.until_taken() => pid,
                // An error says that nobody waits for the signal any more, since another process is there.
                Ok(()) = ended => {
                    // Let go of, or callers would wait at sockets that nobody looks at.
                    drop(offer);
                    match successor.pid() {
                        Some(pid) => pid,
                        None => std::future::pending().await,
                    }
                }
            }
        };
        let (ended, taken) = {
            let mut offering = std::pin::pin!(offering);
            tokio::select! {
                outcome = &mut running => {
                    // Idle workers end before the other process has told whoever watches that it is the one to watch.
                    let taken = if successor.pid().is_some() { Some(offering.await) } else { None };
                    (Some(outcome), taken)
                }
                pid = &mut offering => (None, Some(pid)),
            }
        };
        if taken.is_some() {
            // What is still on its way keeps nobody from anything.
            marks.abort();
            drop(locks);
        }
        let outcome = match ended {
            Some(outcome) => outcome,
            None => running.await,
        };
        for task in [&marks, &follows, &renews] {
            task.abort();
        }
        drop(snapshots);
        // Whoever took over goes on from what was written for it.
        let closed = if taken.is_some() { Ok(()) } else { replay.close(clock.now()) };
        uses.end().await;
        registry.close().await;
        outcome.map_err(Failure::ours)?;
        closed?;
        Ok(taken)
    }
}

/// So many pairs of users are named at a start.
const LOOKALIKES: u32 = 20;

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
    registry: Registry,
    replay: Replay,
    clock: Clock,
    seal_keys: SealKeys,
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
            if let Some(token) = &config.token {
                token_keys::ensure(&self.registry, token, moment::now()).await?;
            }
            let files = wire::openers(&config)?;
            let raised = self.replay.raise(reach(&config), &self.clock).await?;
            let settings = wire::settings(&config, raised)?;
            let (control, new) = (self.control.clone(), settings.clone());
            let reloaded = tokio::task::spawn_blocking(move || control.reload(&new)).await.map_err(Failure::ours)?;
            reloaded.map_err(Failure::usage)?;
            self.seal_keys.take(&config, &files);
            seal_keys::renew(&self.registry, &config, self.clock.now()).await?;
            let opened = |it: &Config| {
                let (registry, replay) = (it.registry.clone(), it.replay.clone());
                (it.data.clone(), registry.url, registry.max_stale, replay.url, replay.max_entries)
            };
            Ok(self.control.needs_restart(&settings) || opened(&self.config) != opened(&config))
        };
        taken.await.inspect_err(|failure: &Failure| self.control.reload_failed(&failure.message))
    }
}
