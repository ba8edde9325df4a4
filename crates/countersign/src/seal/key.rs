use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::der::{Form, Kind};
use crate::json::{self, Document, Value};
use crate::key::{InvalidKey, Material};
use crate::key_file::{self, Purpose};
use crate::primitive::{self, Key256, Unwrapping, Wrapping};

/// How content keys are wrapped: decided by the key, never by the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyManagement {
    RsaOaep256,
    EcdhEsA256Kw,
}

impl KeyManagement {
    /// As `alg` has it (RFC 7518 §4.1).
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::RsaOaep256 => "RSA-OAEP-256",
            Self::EcdhEsA256Kw => "ECDH-ES+A256KW",
        }
    }

    pub(super) fn parse(alg: &str) -> Option<Self> {
        [Self::RsaOaep256, Self::EcdhEsA256Kw].into_iter().find(|known| known.as_str() == alg)
    }
}

/// The public half of a recipient's key: what seals for them.
pub struct SealingKey {
    id: String,
    pub(super) management: KeyManagement,
    pub(super) wrapping: Wrapping,
    pub(super) spki: Vec<u8>,
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SealingKey").field(&self.id).finish()
    }
}

impl SealingKey {
    /// From a public key on P-256 or of RSA, 2048 to 8192 bits: SPKI or PKCS#1 in PEM or DER, or a JWK, whose `kid` is kept
    /// where it has one.
    ///
    /// # Errors
    /// [`InvalidKey`] where the file is no such key.
    pub fn from_file(file: &[u8]) -> Result<Self, InvalidKey> {
        let (spki, purpose) = key_file::public(file)?;
        check(purpose)?;
        let key = Self::from_spki(spki)?;
        let named = Document::parse(file).ok().and_then(|jwk| Some(jwk.root().member("kid")?.as_str()?.into_owned()));
        Ok(Self { id: named.filter(|id| (1..=LONGEST_ID).contains(&id.len())).unwrap_or(key.id), ..key })
    }

    /// All that can be sealed for in a JWK set (RFC 7517 §5), the current one first as its owner publishes them. Keys for
    /// signatures, and kinds that nothing is sealed for, are passed over.
    ///
    /// # Errors
    /// [`InvalidKey`] where the file is no set.
    pub fn from_set(file: &[u8]) -> Result<Vec<Self>, InvalidKey> {
        let set = Document::parse(file).ok();
        let keys =
            set.as_ref().and_then(|set| set.root().member("keys")).filter(|keys| keys.kind() == json::Kind::Array);
        let keys = keys.ok_or_else(|| InvalidKey::found("something else", "a JWK set: {\"keys\": […]}"))?;
        let sealing = |key: Value<'_, '_>| Self::from_file(key.text().as_bytes()).ok();
        // §5: "Implementations SHOULD ignore JWKs within a JWK Set that use \"kty\" values that are not understood".
        Ok(keys.elements().take(MOST).filter_map(sealing).collect())
    }

    fn from_spki(spki: Vec<u8>) -> Result<Self, InvalidKey> {
        let other = || InvalidKey::found("a key of another kind", "one to seal for: RSA, or EC on P-256");
        let (management, wrapping) = match Form::of(&spki) {
            Some(Form::Spki(Kind::Rsa, _)) => {
                primitive::refuse_weak_rsa(&spki)?;
                (KeyManagement::RsaOaep256, Wrapping::rsa(&spki))
            }
            Some(Form::Spki(Kind::P256, point)) => (KeyManagement::EcdhEsA256Kw, Some(Wrapping::P256(point.to_vec()))),
            _ => return Err(other()),
        };
        let wrapping = wrapping.ok_or_else(other)?;
        let id = Material::Public(spki.clone()).thumbprint().ok_or_else(other)?;
        Ok(Self { id, management, wrapping, spki })
    }

    /// Its `kid`: the one of its JWK, or the RFC 7638 thumbprint.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its RFC 7638 thumbprint, whatever it is called.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        Material::Public(self.spki.clone()).thumbprint().unwrap_or_default()
    }

    /// How its content keys are wrapped, as JWE's `alg` has it.
    #[must_use]
    pub fn algorithm(&self) -> &'static str {
        self.management.as_str()
    }

    /// As a JWK (RFC 7517) to be published, with `kid`, `alg` and `"use": "enc"`.
    #[must_use]
    pub fn jwk(&self) -> String {
        let base64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let material = match &self.wrapping {
            Wrapping::Rsa(_) => {
                let (n, e) = primitive::rsa_numbers(&self.spki).unwrap_or_default();
                format!(r#""kty":"RSA","n":"{}","e":"{}""#, base64(&n), base64(&e))
            }
            Wrapping::P256(point) => {
                let (x, y) = coordinates(point).unwrap_or_default();
                format!(r#""kty":"EC","crv":"P-256","x":"{}","y":"{}""#, base64(x), base64(y))
            }
        };
        let mut kid = Vec::new();
        json::print_python_str(&self.id, &mut kid);
        let kid = String::from_utf8_lossy(&kid);
        format!(r#"{{{material},"kid":{kid},"alg":"{}","use":"enc"}}"#, self.algorithm())
    }
}

/// The private half of a recipient's key: what opens.
pub struct OpeningKey {
    public: SealingKey,
    pub(super) unwrapping: Unwrapping,
    decoy: Decoy,
}

/// A wrapped content key that is nobody's: opened in place of one that this key can't even begin with.
pub(super) enum Decoy {
    Rsa { modulus: Vec<u8>, wrapped: Vec<u8> },
    P256 { point: Vec<u8>, wrapped: Vec<u8> },
}

impl OpeningKey {
    /// From a private key on P-256 or of RSA: PKCS#8, PKCS#1 or SEC 1 in PEM or DER, or a JWK.
    ///
    /// # Errors
    /// [`InvalidKey`] where the file is no such key.
    pub fn from_file(file: &[u8]) -> Result<Self, InvalidKey> {
        let (secret, purpose) = key_file::private(file, None)?;
        check(purpose)?;
        let other = || InvalidKey::found(secret.name(), "a private key to open with: RSA, or EC on P-256");
        let unwrapping = Unwrapping::of(&secret).ok_or_else(other)?;
        let public = SealingKey::from_spki(secret.spki().ok_or_else(other)?)?;
        let decoy = Decoy::of(&public).ok_or_else(other)?;
        Ok(Self { public, unwrapping, decoy })
    }

    pub(super) fn decoy(&self) -> &Decoy {
        &self.decoy
    }

    /// What seals for it.
    #[must_use]
    pub fn public(&self) -> &SealingKey {
        &self.public
    }
}

impl Decoy {
    fn of(key: &SealingKey) -> Option<Self> {
        let nobodys = Key256::new([0; 32]);
        match &key.wrapping {
            wrapping @ Wrapping::Rsa(_) => {
                let (modulus, _) = primitive::rsa_numbers(&key.spki)?;
                Some(Self::Rsa { modulus, wrapped: wrapping.rsa_oaep(&nobodys)? })
            }
            wrapping @ Wrapping::P256(_) => {
                let (point, _) = wrapping.agree()?;
                Some(Self::P256 { point, wrapped: primitive::wrap(&nobodys, &nobodys)? })
            }
        }
    }
}

/// A key that says it is for signatures is for nothing else: what one use gives away may break the other.
fn check(purpose: Purpose) -> Result<(), InvalidKey> {
    match purpose {
        Purpose::Any | Purpose::Seal => Ok(()),
        Purpose::Only(_) | Purpose::Pss => Err(InvalidKey::found("a key for signatures only", "one to seal for")),
    }
}

/// Both coordinates of an uncompressed point on P-256.
pub(super) fn coordinates(point: &[u8]) -> Option<(&[u8], &[u8])> {
    point.strip_prefix(&[0x04]).filter(|point| point.len() == 64).map(|point| point.split_at(32))
}

/// Bytes of a `kid`.
const LONGEST_ID: usize = 256;

/// Keys of one set.
const MOST: usize = 64;
