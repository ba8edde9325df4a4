use countersign::{Algorithm, AppHmacForm, KeyState, Material, Scheme, Timestamp};

/// A key to add.
#[derive(Clone, Debug)]
pub struct KeyAdd {
    /// The partner whose key it is; must be there.
    pub partner: String,
    /// What stands on the wire: `[A-Za-z0-9._-]{1,64}`, for RFC 9421 printable ASCII up to 256.
    pub id: String,
    /// The one scheme it is for.
    pub scheme: Scheme,
    /// The one algorithm it is for; must be one of the scheme's, and the material of its kind.
    pub algorithm: Algorithm,
    /// The public key, or the secret both sides hold.
    pub material: Material,
    /// Usable from this moment on; `None`: at once.
    pub not_before: Option<Timestamp>,
    /// Usable before this moment only; `None`: without end.
    pub not_after: Option<Timestamp>,
    /// Whether it waits to be activated.
    pub pending: bool,
    /// How an `app-hmac` key's messages are laid out; `None` for every other scheme.
    pub form: Option<AppHmacForm>,
    /// Whether the material may stand under another partner or scheme too.
    pub shared: bool,
    /// For a laboratory: takes keys whose private halves are printed in specifications.
    pub allow_test_keys: bool,
}

/// What adding a key did.
#[derive(Clone, Debug)]
pub struct KeyAdded {
    /// The key, with the version it was given.
    pub key: KeyEntry,
    /// The versions that were active and are retiring now: they verify until their own `not_after`.
    pub retiring: Vec<KeyEntry>,
}

/// Which versions a change is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySelector {
    /// The id.
    pub id: String,
    /// Decides where the id stands under two schemes; `None` where it stands under one.
    pub scheme: Option<Scheme>,
    /// One version; `None` for all of them.
    pub version: Option<u32>,
}

impl KeySelector {
    /// All versions of an id that stands under one scheme.
    #[must_use]
    pub fn id(id: impl Into<String>) -> Self {
        Self { id: id.into(), scheme: None, version: None }
    }

    /// That id under this scheme.
    #[must_use]
    pub fn scheme(self, scheme: Scheme) -> Self {
        Self { scheme: Some(scheme), ..self }
    }

    /// That version only.
    #[must_use]
    pub fn version(self, version: u32) -> Self {
        Self { version: Some(version), ..self }
    }
}

/// One version of a key as the registry has it. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyEntry {
    /// The partner whose key it is.
    pub partner: String,
    /// Whether the partner is active; keys of a suspended partner are not usable.
    pub partner_active: bool,
    /// What stands on the wire.
    pub id: String,
    /// Which version under that id, from 1.
    pub version: u32,
    /// The one scheme it is for.
    pub scheme: Scheme,
    /// The one algorithm it is for.
    pub algorithm: Algorithm,
    /// Its state, as an operator set it; it says nothing of its validity.
    pub state: KeyState,
    /// Usable from this moment on.
    pub not_before: Option<Timestamp>,
    /// Usable before this moment only.
    pub not_after: Option<Timestamp>,
    /// How an `app-hmac` key's messages are laid out.
    pub form: Option<AppHmacForm>,
    /// The SubjectPublicKeyInfo in DER; `None` for a shared secret.
    pub public_key: Option<Vec<u8>>,
    /// The SHA-256 of the public key; for a secret a value that means something in this registry only.
    pub fingerprint: [u8; 32],
    /// Whether it was added as material that may stand elsewhere too.
    pub shared: bool,
    /// When it was added.
    pub added: Timestamp,
    /// When it was retired or revoked.
    pub ended: Option<Timestamp>,
    /// Why it was revoked.
    pub reason: Option<String>,
    /// When it last verified a message that was admitted, as far as gateways have reported.
    pub last_used: Option<Timestamp>,
}

impl KeyEntry {
    /// Whether it verifies at `now`: active or retiring, inside its validity, its partner active.
    #[must_use]
    pub fn usable(&self, now: Timestamp) -> bool {
        self.partner_active
            && matches!(self.state, KeyState::Active | KeyState::Retiring)
            && self.not_before.is_none_or(|from| from <= now)
            && self.not_after.is_none_or(|until| now < until)
    }
}
