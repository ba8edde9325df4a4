use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use super::VerifyingKey;
use crate::algorithm::{Algorithm, Scheme};
use crate::key_file;
use crate::primitive::{HashedOnce, Public, RunningMac};
use crate::scheme::app_hmac::SameSecret;

/// All keys at one moment: an immutable snapshot, swapped as a whole, read without a lock.
#[derive(Default)]
pub struct Keys {
    by_scheme: [HashMap<String, Vec<Arc<VerifyingKey>>, ById>; 4],
    decoys: Decoys,
    same_secret: SameSecret,
}

impl Keys {
    /// So many versions under one id are tried at most, the newest first: a message costs a stranger no more checks.
    pub const MAX_VERSIONS: usize = 8;

    /// A snapshot of these keys. Versions under one scheme and id are tried newest first.
    #[must_use]
    pub fn new(keys: impl IntoIterator<Item = VerifyingKey>) -> Self {
        let mut snapshot = Self::default();
        for key in keys {
            let key = Arc::new(key);
            snapshot.same_secret.note(&key);
            let record = key.record();
            let versions = snapshot.by_scheme[slot(record.scheme)].entry(record.id.clone()).or_default();
            versions.push(key);
        }
        for versions in snapshot.by_scheme.iter_mut().flat_map(HashMap::values_mut) {
            versions.sort_by_key(|key| std::cmp::Reverse(key.record.version));
        }
        snapshot
    }

    /// The `app-hmac` keys by their secrets, under whatever id.
    pub(crate) fn same_secret(&self) -> &SameSecret {
        &self.same_secret
    }

    /// Every version under this scheme and id, newest first; empty where nobody is known by it.
    #[must_use]
    pub fn versions(&self, scheme: Scheme, id: &str) -> &[Arc<VerifyingKey>] {
        self.by_scheme[slot(scheme)].get(id).map_or(&[], Vec::as_slice)
    }

    /// The number of keys, versions counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_scheme.iter().flat_map(HashMap::values).map(Vec::len).sum()
    }

    /// Whether there is no key at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Spends what checking a signature of a known key would cost, so that the time of an answer does not say which keys
    /// exist.
    pub(crate) fn check_decoy(&self, algorithm: Algorithm, signed: &HashedOnce, signature: &[u8]) {
        if let Some(decoy) = self.decoys.0.get(&algorithm) {
            std::hint::black_box(decoy.check(signed, signature));
        }
    }

    /// The same for a message that passes under a MAC.
    pub(crate) fn decoy_mac(&self) -> Option<RunningMac> {
        self.decoys.0.get(&Algorithm::HmacSha256)?.running_mac()
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({})", self.len())
    }
}

/// Hashes ids of keys by FNV-1a. They are the registry's own, not chosen by who asks for them, and short: a third of what it
/// takes to hash what strangers could have piled up.
type ById = BuildHasherDefault<Fnv>;

struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

const fn slot(scheme: Scheme) -> usize {
    scheme as usize
}

/// A key per algorithm that nobody holds the other half of.
struct Decoys(HashMap<Algorithm, Public>);

impl Default for Decoys {
    fn default() -> Self {
        let mut decoys = HashMap::new();
        for (algorithm, spki) in DECOYS {
            let public = key_file::public(spki.as_bytes()).and_then(|(der, _)| Public::from_spki(*algorithm, &der));
            if let Ok(public) = public {
                decoys.insert(*algorithm, public);
            }
        }
        if let Ok(mac) = Public::from_secret(&[0; 32]) {
            decoys.insert(Algorithm::HmacSha256, mac);
        }
        Self(decoys)
    }
}

const DECOYS: &[(Algorithm, &str)] = &[
    (Algorithm::Ed25519, include_str!("../decoys/ed25519.pem")),
    (Algorithm::EcdsaP256Sha256, include_str!("../decoys/p256.pem")),
    (Algorithm::EcdsaP384Sha384, include_str!("../decoys/p384.pem")),
    (Algorithm::RsaPssSha512, include_str!("../decoys/rsa.pem")),
    (Algorithm::RsaV15Sha256, include_str!("../decoys/rsa.pem")),
    (Algorithm::RsaPssSha256, include_str!("../decoys/rsa.pem")),
    (Algorithm::MlDsa44, include_str!("../decoys/ml-dsa-44.pem")),
    (Algorithm::MlDsa65, include_str!("../decoys/ml-dsa-65.pem")),
    (Algorithm::MlDsa87, include_str!("../decoys/ml-dsa-87.pem")),
];
