//! The keys that open sealed fields while a gateway serves: those of `[seal] keys`, and those that it makes, keeps in the registry and
//! rotates by itself.

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use countersign::{Algorithm, KeyState, Openers, OpeningKey, SigningKey, Timestamp};
use countersign_proxy::{Clock, OpenerSource};
use countersign_store::registry::{Overlap, OwnKey, OwnKeyAdd, OwnUse};
use countersign_store::{Registry, Snapshots};

use crate::config::{Config, Seal, SealAlgorithm};
use crate::exit::Failure;
use crate::{output, wire};

/// What opens now. Cheap to clone; all clones see the same.
#[derive(Clone)]
pub(crate) struct SealKeys {
    present: Arc<ArcSwap<Openers>>,
    parts: Arc<Mutex<Parts>>,
    config: Arc<ArcSwap<Config>>,
}

#[derive(Default)]
struct Parts {
    files: Vec<Arc<OpeningKey>>,
    own: Vec<Arc<OpeningKey>>,
    /// Keys of the registry that are none, told once.
    broken: Vec<String>,
}

impl SealKeys {
    /// With the files of a configuration, and none of the registry yet.
    pub(crate) fn of(config: &Config) -> Result<Self, Failure> {
        let config_of_now = Arc::new(ArcSwap::from_pointee(config.clone()));
        let keys = Self { present: Arc::default(), parts: Arc::default(), config: config_of_now };
        keys.take(config, &wire::openers(config)?);
        Ok(keys)
    }

    /// What the gateway asks.
    pub(crate) fn source(&self) -> OpenerSource {
        let present = Arc::clone(&self.present);
        Arc::new(move || present.load_full())
    }

    /// Takes another configuration in, whose files are these.
    pub(crate) fn take(&self, config: &Config, files: &Openers) {
        self.config.store(Arc::new(config.clone()));
        self.change(|parts| parts.files = files.keys().to_vec());
    }

    /// Takes in what the registry has at `now`: the current one first, then those before it, then the one that is to come.
    pub(crate) fn take_own(&self, snapshots: &Snapshots, now: Timestamp) {
        // Without the registry nothing is verified, and nothing has to be opened.
        let Ok(own) = snapshots.own_keys(now) else { return };
        let rank = |key: &OwnKey| match key.entry.state(now) {
            KeyState::Active => Some(0),
            KeyState::Retiring => Some(1),
            KeyState::Pending => Some(2),
            KeyState::Retired | KeyState::Revoked => None,
        };
        let mut keys: Vec<_> = own.of(OwnUse::Seal).filter_map(|key| Some((rank(key)?, key))).collect();
        keys.sort_by_key(|(rank, _)| *rank);
        let present = self.present.load_full();
        let mut broken = Vec::new();
        let opening = keys.iter().filter_map(|(_, key)| {
            if let Some(known) = present.keys().iter().find(|known| known.public().id() == key.entry.id) {
                return Some(Arc::clone(known));
            }
            let read = OpeningKey::from_file(&key.private);
            read.map(Arc::new).map_err(|fault| broken.push(format!("seal-key {}: {fault}", key.entry.id))).ok()
        });
        let opening: Vec<_> = opening.collect();
        self.change(|parts| {
            for what in broken.iter().filter(|what| !parts.broken.contains(what)) {
                output::warning(what.clone(), &[]);
            }
            parts.broken = broken;
            parts.own = opening;
        });
    }

    /// Follows the registry for ever, and the time at which one key gives way to the next.
    pub(crate) async fn follow(self, snapshots: Snapshots, clock: Clock) {
        let mut changed = snapshots.changed();
        loop {
            self.take_own(&snapshots, clock.now());
            let moved = tokio::time::timeout(Duration::from_secs(1), changed.changed()).await;
            if matches!(moved, Ok(Err(_))) {
                return;
            }
        }
    }

    /// Renews for ever. What fails is tried again, and told once.
    pub(crate) async fn keep_renewed(self, registry: Registry, clock: Clock) {
        let mut told = None;
        loop {
            tokio::time::sleep(EVERY).await;
            let config = self.config.load_full();
            let failed = renew(&registry, &config, clock.now()).await.err().map(|failure| failure.message);
            if let Some(failure) = failed.as_ref().filter(|failure| told.as_ref() != Some(*failure)) {
                output::warning(format!("no new key to seal for could be made: {failure}"), &[]);
            }
            told = failed;
        }
    }

    fn change(&self, change: impl FnOnce(&mut Parts)) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut parts);
        let ids = |keys: &[Arc<OpeningKey>]| keys.iter().map(|key| key.public().id().to_owned()).collect::<Vec<_>>();
        let joined: Vec<_> = parts.files.iter().chain(&parts.own).map(Arc::clone).collect();
        if ids(&joined) != ids(self.present.load().keys()) {
            self.present.store(Arc::new(Openers::new(joined)));
        }
    }
}

/// Makes the first key where the routes need one, and the next where the last has been the current one for long enough. Keys of files
/// are their owner's to rotate.
pub(crate) async fn renew(registry: &Registry, config: &Config, now: Timestamp) -> Result<(), Failure> {
    if !config.seal.keys.is_empty() {
        return Ok(());
    }
    let keys = registry.own_keys(OwnUse::Seal).await?;
    let last = keys.iter().find(|key| key.superseded.is_none() && key.revoked.is_none());
    match last {
        None if config.routes.iter().any(|route| !route.open.is_empty()) => {
            registry.add_own_key(&made(config.seal.algorithm).await?, now).await?;
        }
        Some(last) if last.not_before.after(config.seal.rotate) <= now.after(LEAD) => {
            let next = made(config.seal.algorithm).await?;
            registry.succeed_own_key(&last.id, &next, overlap(&config.seal), now).await?;
        }
        _ => {}
    }
    Ok(())
}

/// A new key, on a thread of its own: RSA takes its time.
pub(crate) async fn made(algorithm: SealAlgorithm) -> Result<OwnKeyAdd, Failure> {
    let (kind, bits, name) = match algorithm {
        SealAlgorithm::EcdhEs => (Algorithm::EcdsaP256Sha256, 0, "ECDH-ES+A256KW"),
        SealAlgorithm::RsaOaep256 => (Algorithm::RsaPssSha256, 3072, "RSA-OAEP-256"),
    };
    let pair = tokio::task::spawn_blocking(move || SigningKey::generate(kind, bits)).await.map_err(Failure::ours)??;
    Ok(OwnKeyAdd { usage: OwnUse::Seal, algorithm: name.to_owned(), pair })
}

pub(crate) fn overlap(seal: &Seal) -> Overlap {
    Overlap { lead: LEAD, tail: seal.overlap }
}

/// As long as somebody may go by what was published before: `max-age` of the JWK set, and a second until all gateways have it.
const LEAD: Duration = Duration::from_secs(301);
const EVERY: Duration = Duration::from_secs(60);
