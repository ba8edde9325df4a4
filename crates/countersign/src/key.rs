mod keys;
mod material;
#[cfg(test)]
mod tests_wycheproof;
mod thumbprint;

pub use keys::Keys;
pub use material::{Material, SharedSecret};

use std::borrow::Cow;
use std::fmt;

use crate::algorithm::{Algorithm, Scheme};
use crate::claim::Identity;
use crate::primitive::{HashedOnce, Public, RunningMac};
use crate::time::Timestamp;

/// What a registry knows of one version of a key. Plain data: [`VerifyingKey::new`] makes something of it that verifies.
#[derive(Clone, Debug)]
pub struct KeyRecord {
    /// The partner whose key it is, `[A-Za-z0-9._-]{1,64}`.
    pub partner: String,
    /// Whether the partner is active; keys of a suspended partner are not usable.
    pub partner_active: bool,
    /// What stands on the wire: `keyid`, `site_id`, `AppId`.
    pub id: String,
    /// Which version under that id, from 1.
    pub version: u32,
    /// The one scheme it is for.
    pub scheme: Scheme,
    /// The one algorithm it is for; the material must be of its kind.
    pub algorithm: Algorithm,
    /// Its state, as an operator set it.
    pub state: KeyState,
    /// Usable from this moment on.
    pub not_before: Option<Timestamp>,
    /// Usable before this moment only.
    pub not_after: Option<Timestamp>,
    /// How an `app-hmac` key's messages are laid out; `None` for every other scheme.
    pub form: Option<AppHmacForm>,
    /// The public key, or the secret both sides hold.
    pub material: Material,
}

/// The stations of a key's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyState {
    /// Known, not yet verifying.
    Pending,
    /// Verifies.
    Active,
    /// Verifies until its `not_after`: a newer version has taken over.
    Retiring,
    /// Past its use.
    Retired,
    /// Withdrawn for good.
    Revoked,
}

impl KeyState {
    /// Every state, in the order of a key's life.
    pub const ALL: [KeyState; 5] =
        [KeyState::Pending, KeyState::Active, KeyState::Retiring, KeyState::Retired, KeyState::Revoked];

    /// The word for it in the registry and on the screen.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            KeyState::Pending => "pending",
            KeyState::Active => "active",
            KeyState::Retiring => "retiring",
            KeyState::Retired => "retired",
            KeyState::Revoked => "revoked",
        }
    }
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for KeyState {
    type Err = crate::algorithm::UnknownName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(crate::algorithm::UnknownName("key state"))
    }
}

/// How an `app-hmac` key's messages are laid out, fixed per key: a key admitted under two forms would sign two grammars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AppHmacForm {
    /// The order of the signed parts.
    pub layout: Layout,
    /// The unit of `Timestamp`.
    pub unit: TimestampUnit,
    /// The form of `Nonce`.
    pub nonce: NonceForm,
}

/// The order of the parts that an `app-hmac` signature is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// Method, path with query, timestamp, nonce, body.
    MethodFirst,
    /// Body, nonce, timestamp.
    PayloadFirst,
}

/// The unit of an `app-hmac` timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimestampUnit {
    /// Exactly 10 digits.
    Seconds,
    /// Exactly 13 digits.
    Milliseconds,
}

/// The form of an `app-hmac` nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NonceForm {
    /// 8 lower-case hexadecimal digits.
    Hex8,
    /// 32 lower-case hexadecimal digits.
    Hex32,
    /// A UUID in its lower-case text form, RFC 9562 §4.
    Uuid,
}

/// One version of a key, parsed once when it is loaded. Its algorithm is part of its material: nothing in a message
/// chooses how a signature is checked.
pub struct VerifyingKey {
    record: KeyRecord,
    /// Told of with every message, so that its names are shared.
    identity: Identity,
    fingerprint: [u8; 32],
    public: Public,
}

impl VerifyingKey {
    /// Parses and judges a record.
    ///
    /// # Errors
    /// [`InvalidKey`] when algorithm and scheme do not go together, when the material is not of the algorithm's kind, or
    /// when it is weak: RSA outside 2048 to 8192 bits, a public exponent that is even or 1, an Ed25519 point of small
    /// order, a secret below 16 bytes.
    pub fn new(record: KeyRecord) -> Result<Self, InvalidKey> {
        if !record.scheme.algorithms().contains(&record.algorithm) {
            return Err(InvalidKey::new("this scheme has no such algorithm"));
        }
        if record.form.is_some() != (record.scheme == Scheme::AppHmac) {
            return Err(InvalidKey::new(
                "timestamp unit, nonce form and layout belong to app-hmac keys, and to each of them",
            ));
        }
        let public = match &record.material {
            Material::Public(spki) => Public::from_spki(record.algorithm, spki)?,
            Material::Shared(secret) if record.algorithm.is_symmetric() => Public::from_secret(secret.expose())?,
            Material::Shared(_) => return Err(InvalidKey::new("this algorithm takes a public key, not a secret")),
        };
        if let (Material::Public(spki), Some(form)) = (&record.material, public.spki())
            && *spki != form
        {
            return Err(InvalidKey::new(
                "the public key is not in its one DER form: compressed, bare, or with bytes behind it",
            ));
        }
        let fingerprint = record.material.fingerprint();
        let identity = Identity::of_record(&record);
        Ok(Self { record, identity, fingerprint, public })
    }

    /// What the registry knows of it.
    #[must_use]
    pub fn record(&self) -> &KeyRecord {
        &self.record
    }

    /// Who signs with it.
    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The SHA-256 of its material.
    #[must_use]
    pub fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }

    /// Whether it verifies at `now`: active or retiring, inside its validity, its partner active. Judged by now, never by
    /// what a message says of its own age, so that a stolen key can't sign into the past.
    #[must_use]
    pub fn usable(&self, now: Timestamp) -> bool {
        let record = &self.record;
        record.partner_active
            && matches!(record.state, KeyState::Active | KeyState::Retiring)
            && record.not_before.is_none_or(|from| from <= now)
            && record.not_after.is_none_or(|until| now < until)
    }

    /// The RFC 7638 thumbprint of a public key, see [`Material::thumbprint`].
    #[must_use]
    pub fn thumbprint(&self) -> Option<String> {
        self.record.material.thumbprint()
    }

    pub(crate) fn check(&self, signed: &HashedOnce, signature: &[u8]) -> bool {
        self.public.check(signed, signature)
    }

    /// The same for a message that passes, where the key makes a MAC.
    pub(crate) fn running_mac(&self) -> Option<RunningMac> {
        self.public.running_mac()
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("VerifyingKey").field(&self.record).finish()
    }
}

/// Why a key can't be used, in words for the operator: what was found, and what is wanted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidKey(Cow<'static, str>);

impl InvalidKey {
    pub(crate) const fn new(why: &'static str) -> Self {
        Self(Cow::Borrowed(why))
    }

    pub(crate) fn found(found: impl fmt::Display, wanted: impl fmt::Display) -> Self {
        Self(Cow::Owned(format!("found {found}; wanted {wanted}")))
    }
}
