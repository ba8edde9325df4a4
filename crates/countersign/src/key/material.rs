use std::fmt;

use zeroize::Zeroizing;

use super::{InvalidKey, thumbprint};
use crate::algorithm::Algorithm;
use crate::primitive;
use crate::{key_file, pem};

/// What a verifier holds of a key.
#[derive(Clone)]
pub enum Material {
    /// A SubjectPublicKeyInfo in DER, RFC 5280 §4.1.2.7.
    Public(Vec<u8>),
    /// A secret both sides hold, for HMAC only. Wiped when dropped.
    Shared(SharedSecret),
}

impl Material {
    /// From a PEM file with a public key (SPKI, or PKCS#1 for RSA).
    ///
    /// # Errors
    /// [`InvalidKey`] when there is none, or when it is a private key.
    pub fn from_public_pem(text: &[u8]) -> Result<Self, InvalidKey> {
        if !pem::is_armoured(text) {
            return Err(InvalidKey::found("no PEM armour", "a PUBLIC KEY block"));
        }
        Self::from_public_file(text, None)
    }

    /// From a file with a public key: SubjectPublicKeyInfo or, for RSA, PKCS#1, in PEM (RFC 7468) or DER, or a JWK (RFC 7517)
    /// of kty `RSA`, `EC`, `OKP` or `AKP`. With `algorithm`, the file must not say that the key is for another.
    ///
    /// Whether the key is a good one, is for [`VerifyingKey::new`](crate::VerifyingKey::new) to say.
    ///
    /// # Errors
    /// [`InvalidKey`] for anything else, among it private keys, certificates and shared secrets; for a JWK that says by
    /// `use`, `key_ops` or `alg` that it is not to verify with, or not by this algorithm; and for one with a member twice.
    ///
    /// ```
    /// use countersign::{Algorithm, Material};
    ///
    /// let jwk = br#"{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    /// let key = Material::from_public_file(jwk, Some(Algorithm::Ed25519))?;
    /// assert_eq!(key.thumbprint().as_deref(), Some("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"));
    /// # Ok::<(), countersign::InvalidKey>(())
    /// ```
    pub fn from_public_file(file: &[u8], algorithm: Option<Algorithm>) -> Result<Self, InvalidKey> {
        let (spki, purpose) = key_file::public(file)?;
        if let Some(algorithm) = algorithm {
            purpose.check(algorithm)?;
        }
        Ok(Self::Public(spki))
    }

    /// From a file with a shared secret: its bytes as they stand, less one final LF, or a JWK of kty `oct`. Whatever else the
    /// bytes look like, they are the secret.
    ///
    /// # Errors
    /// [`InvalidKey`] for a file in PEM armour, for a JWK of another kty, and for one that is not for `hmac-sha256`.
    pub fn from_secret_file(file: &[u8]) -> Result<Self, InvalidKey> {
        key_file::shared(file).map(Self::Shared)
    }

    /// The RFC 7638 thumbprint of a public key: SHA-256 over its JWK, in base64url. `None` for a shared secret, which it would
    /// give away to whoever can guess (RFC 7638 §7), and for bytes that are no key of ours.
    #[must_use]
    pub fn thumbprint(&self) -> Option<String> {
        match self {
            Self::Public(spki) => thumbprint::of(spki),
            Self::Shared(_) => None,
        }
    }

    /// The SHA-256 of the material (for a secret, of the block that HMAC makes of it, RFC 2104 §2, so that secrets which sign
    /// alike are one): what replay memory and "one scheme" go by, since the same key may stand in the
    /// registry under two names.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        match self {
            Self::Public(spki) => primitive::sha256(spki),
            Self::Shared(secret) => primitive::sha256(primitive::mac_block(secret.expose()).as_slice()),
        }
    }
}

impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Public(spki) => write!(f, "Public({} bytes)", spki.len()),
            Self::Shared(_) => f.write_str("Shared(…)"),
        }
    }
}

/// A secret both sides hold. Never printed, wiped when dropped.
#[derive(Clone)]
pub struct SharedSecret(Zeroizing<Vec<u8>>);

impl SharedSecret {
    /// From a secret file: its bytes as they stand, less one final LF.
    #[must_use]
    pub fn from_file(mut bytes: Vec<u8>) -> Self {
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
        }
        Self(Zeroizing::new(bytes))
    }

    /// From the bytes of a secret as they stand.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes themselves, to be sealed or handed to a MAC. Nothing else.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedSecret(…)")
    }
}
