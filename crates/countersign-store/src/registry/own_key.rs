//! Keys that this deployment itself owns, one in use for each purpose, and their rotation with overlap.

mod change;
mod row;

use std::fmt;
use std::time::Duration;

use countersign::{KeyPair, KeyState, Timestamp};
use zeroize::Zeroizing;

pub(crate) use row::{SELECT, own_key_of};

/// What a key of our own is for. Different purposes have different keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OwnUse {
    /// Signs user tokens.
    Token,
    /// Opens fields that others sealed for us.
    Seal,
}

impl OwnUse {
    /// As it stands in the registry: `token`, `seal`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Seal => "seal",
        }
    }
}

impl fmt::Display for OwnUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A key to add, made for this purpose alone.
pub struct OwnKeyAdd {
    /// What it is for.
    pub usage: OwnUse,
    /// The one algorithm it is for, as JOSE names it: `EdDSA`, `RS256`, `RSA-OAEP-256`, `ECDH-ES+A256KW`.
    pub algorithm: String,
    /// Both halves; the private one is sealed before it is written.
    pub pair: KeyPair,
}

/// How one key gives way to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overlap {
    /// From when a key is published until it is in use: as long as anybody may go by what was published before.
    pub lead: Duration,
    /// How long what was made with the former is taken after that.
    pub tail: Duration,
}

/// A key of our own as the registry has it. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnKeyEntry {
    /// What it is for.
    pub usage: OwnUse,
    /// Its RFC 7638 thumbprint, which is the `kid`.
    pub id: String,
    /// The one algorithm it is for, as JOSE names it.
    pub algorithm: String,
    /// The SubjectPublicKeyInfo in DER.
    pub public: Vec<u8>,
    /// When it was added: published from then on.
    pub added: Timestamp,
    /// In use from this moment on.
    pub not_before: Timestamp,
    /// When its successor takes its place.
    pub superseded: Option<Timestamp>,
    /// Until when what was made with it is taken.
    pub not_after: Option<Timestamp>,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
    /// Why it was revoked.
    pub reason: Option<String>,
}

impl OwnKeyEntry {
    /// What it does at `now`: `pending` is published only, `active` makes and is taken, `retiring` is taken only.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> KeyState {
        if self.revoked.is_some() {
            KeyState::Revoked
        } else if self.not_after.is_some_and(|end| end <= now) {
            KeyState::Retired
        } else if self.superseded.is_some_and(|end| end <= now) {
            KeyState::Retiring
        } else if now < self.not_before {
            KeyState::Pending
        } else {
            KeyState::Active
        }
    }
}

/// A key of our own with its private half.
pub struct OwnKey {
    /// What it is, and when.
    pub entry: OwnKeyEntry,
    /// PKCS#8 in PEM. Wiped when dropped.
    pub private: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for OwnKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnKey").field(&self.entry.usage).field(&self.entry.id).finish()
    }
}

/// The keys of our own that are neither revoked nor past their end, as a snapshot has them, opened.
#[derive(Debug, Default)]
pub struct OwnKeys(Vec<OwnKey>);

impl OwnKeys {
    pub(crate) fn new(keys: Vec<OwnKey>) -> Self {
        Self(keys)
    }

    /// Those for one purpose, the newest first.
    pub fn of(&self, usage: OwnUse) -> impl Iterator<Item = &OwnKey> {
        self.0.iter().filter(move |key| key.entry.usage == usage)
    }
}
