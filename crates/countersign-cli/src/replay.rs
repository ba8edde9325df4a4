//! The memory of what was admitted: a gateway's own, or one that many share.

use std::sync::Arc;
use std::time::Duration;

use countersign::{Raised, ReplayStore, Scheme, Timestamp};
use countersign_proxy::{Clock, ExchangeSettings, Measure, ReadyCheck};
use countersign_store::replay::{Reach, RedisAddress, Skews};
use countersign_store::{ClockMark, DataLock, MemoryReplay, RedisReplay};

use crate::config::{self, ReplayUrl, SecretUrl, Source};
use crate::exit::{Failure, io};
use crate::{moment, output};

/// Where a gateway remembers.
#[derive(Clone)]
pub(crate) enum Replay {
    Alone(Arc<MemoryReplay>),
    Shared(Arc<RedisReplay>),
}

impl Replay {
    /// Opens the memory that the configuration names. From then on `clock` is not behind the latest time that an earlier run
    /// judged by. A shared memory that can't be reached is no failure: the gateway answers 503 until it can.
    pub(crate) async fn open(
        config: &config::Replay,
        lock: &DataLock,
        reach: Reach,
        clock: &Clock,
    ) -> Result<Self, Failure> {
        let Some(address) = shared(config)? else {
            let memory = MemoryReplay::open(lock, config.max_entries, moment::now(), reach)?;
            memory.last_clock().into_iter().for_each(|last| clock.not_before(last));
            return Ok(Self::Alone(Arc::new(memory)));
        };
        let mark = ClockMark::open(lock)?;
        mark.last().into_iter().for_each(|last| clock.not_before(last));
        let following = clock.clone();
        let store = RedisReplay::follow(address, lock, mark, reach, move || following.now())?;
        if let Err(why) = store.ready(FIRST_WAIT).await {
            let then = "until then requests that need it are answered 503, and /readyz says so".to_owned();
            output::warning(format!("the replay store does not admit yet: {why}"), &[then]);
        }
        Ok(Self::Shared(Arc::new(store)))
    }

    pub(crate) fn store(&self) -> Arc<dyn ReplayStore> {
        match self {
            Self::Alone(memory) => Arc::clone(memory) as _,
            Self::Shared(store) => Arc::clone(store) as _,
        }
    }

    /// The shorter ages of before that still matter.
    pub(crate) fn raised(&self) -> Vec<Raised> {
        match self {
            Self::Alone(memory) => memory.raised(),
            Self::Shared(store) => store.raised(),
        }
    }

    /// Tells the memory of longer ages before they are admitted.
    pub(crate) async fn raise(&self, reach: Reach, clock: &Clock) -> Result<Vec<Raised>, Failure> {
        match self {
            Self::Alone(memory) => {
                let (memory, clock) = (Arc::clone(memory), clock.clone());
                let raising = tokio::task::spawn_blocking(move || memory.raise(reach, || clock.now()));
                Ok(raising.await.map_err(Failure::ours)??)
            }
            Self::Shared(store) => Ok(store.raise(reach).await?),
        }
    }

    /// What was signed before is unavailable, after an end of this gateway that was none: for each scheme that has such a floor.
    pub(crate) fn floors(&self) -> Vec<(Scheme, Timestamp)> {
        match self {
            Self::Alone(memory) => {
                Scheme::ALL.into_iter().filter_map(|scheme| Some((scheme, memory.floor_of(scheme)?))).collect()
            }
            // What it lost it says itself, whenever that is.
            Self::Shared(_) => Vec::new(),
        }
    }

    /// Why it does not admit at `now`, in words.
    pub(crate) fn missing(&self, now: Timestamp) -> Option<String> {
        match self {
            Self::Alone(memory) => {
                let begin = memory.begin().filter(|begin| now < *begin)?;
                Some(format!("the gateway did not end in order, and what was signed before {begin} could be a replay"))
            }
            Self::Shared(store) => store.missing(now),
        }
    }

    /// Notes what time the verdicts go by. Writes a file.
    pub(crate) fn mark_clock(&self, now: Timestamp) -> Result<(), countersign_store::FileError> {
        match self {
            Self::Alone(memory) => memory.mark_clock(now),
            Self::Shared(store) => store.mark_clock(now),
        }
    }

    /// Admits nothing from here on, and hands over to the next start.
    pub(crate) fn close(&self, now: Timestamp) -> Result<(), countersign_store::FileError> {
        match self {
            Self::Alone(memory) => memory.close(now),
            Self::Shared(store) => store.close(now),
        }
    }

    /// Goes on after [`Replay::close`], where whoever was to take over did not. Inside the runtime; not from an async worker.
    pub(crate) fn reopen(&self) -> Result<(), countersign_store::FileError> {
        match self {
            Self::Alone(memory) => memory.reopen(),
            Self::Shared(store) => {
                store.reopen();
                Ok(())
            }
        }
    }

    /// Whether others remember there, too.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self, Self::Shared(_))
    }

    /// For `/readyz`.
    pub(crate) fn check(&self, clock: &Clock) -> ReadyCheck {
        let (replay, clock) = (self.clone(), clock.clone());
        ReadyCheck { name: "replay memory", check: Arc::new(move || replay.missing(clock.now()).map_or(Ok(()), Err)) }
    }

    /// For `/metrics`.
    pub(crate) fn measures(&self, clock: &Clock) -> Vec<Measure> {
        let (replay, clock) = (self.clone(), clock.clone());
        let available = Arc::new(move || f64::from(u8::from(replay.missing(clock.now()).is_none())));
        let mut measures =
            vec![gauge("countersign_replay_available", "Whether the replay memory admits (1) or not (0)", available)];
        match self.clone() {
            Self::Alone(memory) => {
                let its = Arc::clone(&memory);
                measures.extend([
                    gauge(
                        "countersign_replay_entries",
                        "Marks of requests that it remembers",
                        Arc::new(move || its.used() as f64),
                    ),
                    gauge(
                        "countersign_replay_capacity",
                        "Marks that it can remember",
                        Arc::new(move || memory.capacity() as f64),
                    ),
                ]);
            }
            Self::Shared(store) => {
                let of = |number: fn(countersign_store::replay::RedisNumbers) -> f64| {
                    let store = Arc::clone(&store);
                    Arc::new(move || number(store.numbers()))
                };
                measures.extend([
                    counter(
                        "countersign_replay_uses_total",
                        "Requests that the shared memory was asked for",
                        of(|it| it.uses as f64),
                    ),
                    counter(
                        "countersign_replay_batches_total",
                        "Commands in which it was asked",
                        of(|it| it.batches as f64),
                    ),
                    counter(
                        "countersign_replay_connects_total",
                        "Connections to it that were made",
                        of(|it| it.connects as f64),
                    ),
                    counter(
                        "countersign_replay_losses_total",
                        "Times that it was found to lack something",
                        of(|it| it.losses as f64),
                    ),
                    gauge(
                        "countersign_replay_clock_offset_seconds",
                        "Its clock less ours",
                        of(|it| {
                            Duration::from_millis(it.clock_offset.unsigned_abs())
                                .as_secs_f64()
                                .copysign(it.clock_offset as f64)
                        }),
                    ),
                ]);
            }
        }
        measures
    }
}

/// What the routes admit under, all together, and the exchange of trusted sites with them.
pub(crate) fn reach(config: &config::Config) -> Reach {
    let exchange = config.token.is_some().then_some(ExchangeSettings::WINDOW);
    let max_skew = Skews::each(|scheme| {
        let its = |route: &config::Route| route.schemes.iter().copied().find(|it| it.as_str() == scheme.as_str());
        let routes = config.routes.iter().filter_map(|route| Some(route.max_skew(its(route)?))).max();
        routes.max(exchange.filter(|_| scheme == Scheme::TrustedSite))
    });
    let ages = config.routes.iter().map(|route| route.max_age).chain(exchange);
    Reach { max_skew, max_age: ages.max().unwrap_or_default() }
}

/// The address of a shared memory; `None` for one of its own.
fn shared(config: &config::Replay) -> Result<Option<RedisAddress>, Failure> {
    let url = match &config.url {
        Source::Url(ReplayUrl::Memory) => return Ok(None),
        Source::Url(ReplayUrl::Redis(url)) => url.clone(),
        Source::File(file) => {
            let text = std::fs::read_to_string(file).map_err(|fault| io("can't read", file, &fault))?;
            let wrong = |expected: String| Failure::usage(format!("{}: {expected}", file.display()));
            match ReplayUrl::parse(text.strip_suffix('\n').unwrap_or(&text)).map_err(wrong)? {
                ReplayUrl::Memory => return Ok(None),
                ReplayUrl::Redis(url) => url,
            }
        }
    };
    RedisAddress::parse(SecretUrl::expose(&url)).map(Some).map_err(Failure::usage)
}

/// Whether others may remember in it, too.
pub(crate) fn is_shared(config: &config::Replay) -> Result<bool, Failure> {
    Ok(shared(config)?.is_some())
}

fn gauge(name: &'static str, help: &'static str, read: Arc<dyn Fn() -> f64 + Send + Sync>) -> Measure {
    Measure { name, counter: false, help, read }
}

fn counter(name: &'static str, help: &'static str, read: Arc<dyn Fn() -> f64 + Send + Sync>) -> Measure {
    Measure { name, counter: true, help, read }
}

/// More than a memory needs that begins now.
const FIRST_WAIT: Duration = Duration::from_secs(4);
