//! Shared secrets and private keys of our own at rest: sealed with AES-256-GCM under a key that lies beside the registry, not in it, so that a copy
//! of the database alone gives nothing away.

mod file;

use std::fmt;
use std::path::PathBuf;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::{digest, hkdf, hmac};
use countersign::{Scheme, SharedSecret};
use zeroize::Zeroizing;

use crate::file::FileError;

/// The key under which a data directory's shared secrets are sealed. [`SealingKey::open_or_create`] loads it.
pub struct SealingKey {
    seal: RandomizedNonceKey,
    fingerprint: hmac::Key,
}

/// What a sealed secret is bound to: moved to another row, it does not open.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The scheme of the key.
    pub scheme: Scheme,
    /// Its id.
    pub id: &'a str,
    /// Its version.
    pub version: u32,
    /// The partner whose it is.
    pub partner: &'a str,
}

/// What a sealed private key of our own is bound to.
#[derive(Clone, Copy, Debug)]
pub struct OwnPlace<'a> {
    /// What it is for.
    pub usage: &'a str,
    /// Its thumbprint.
    pub id: &'a str,
    /// The one algorithm it is for.
    pub algorithm: &'a str,
}

impl SealingKey {
    /// Seals a secret: one byte of format, 12 of nonce, ciphertext, 16 of tag.
    ///
    /// # Errors
    /// [`SecretsError::Crypto`] when the provider fails, for want of randomness.
    pub fn seal(&self, place: Place<'_>, secret: &SharedSecret) -> Result<Vec<u8>, SecretsError> {
        self.seal_bound(place.bound(), secret.expose())
    }

    /// Seals a private key of our own, in the same form.
    ///
    /// # Errors
    /// As [`SealingKey::seal`].
    pub fn seal_own(&self, place: OwnPlace<'_>, private: &[u8]) -> Result<Vec<u8>, SecretsError> {
        self.seal_bound(place.bound(), private)
    }

    fn seal_bound(&self, bound: Vec<u8>, plain: &[u8]) -> Result<Vec<u8>, SecretsError> {
        let mut buffer = Vec::with_capacity(plain.len() + AES_256_GCM.tag_len());
        buffer.extend_from_slice(plain);
        let nonce = self
            .seal
            .seal_in_place_append_tag(Aad::from(bound), &mut buffer)
            .map_err(|_| SecretsError::Crypto("sealing failed"))?;
        Ok([&[FORMAT][..], nonce.as_ref(), &buffer].concat())
    }

    /// Opens what [`SealingKey::seal`] made for the same place under the same key.
    ///
    /// # Errors
    /// [`SecretsError::Crypto`] when it was sealed for another place, under another key, or was changed.
    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<SharedSecret, SecretsError> {
        let mut opened = self.open_bound(place.bound(), sealed)?;
        Ok(SharedSecret::new(std::mem::take(&mut *opened)))
    }

    /// Opens what [`SealingKey::seal_own`] made for the same place under the same key.
    ///
    /// # Errors
    /// As [`SealingKey::open`].
    pub fn open_own(&self, place: OwnPlace<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SecretsError> {
        self.open_bound(place.bound(), sealed)
    }

    fn open_bound(&self, bound: Vec<u8>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SecretsError> {
        const FAILED: SecretsError =
            SecretsError::Crypto("the secret was sealed under another key or for another place");
        let [FORMAT, rest @ ..] = sealed else { return Err(FAILED) };
        let (nonce, rest) = rest.split_first_chunk::<12>().ok_or(FAILED)?;
        let mut buffer = Zeroizing::new(rest.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = self.seal.open_in_place(nonce, Aad::from(bound), &mut buffer).map_err(|_| FAILED)?.len();
        buffer.truncate(length);
        Ok(buffer)
    }

    /// What a secret is recognised by when it is added again: an HMAC, since the plain hash of a weak secret could be
    /// guessed. Equal for secrets that are the same HMAC key (RFC 2104 §2: one longer than a block stands for its
    /// hash).
    #[must_use]
    pub fn fingerprint(&self, secret: &SharedSecret) -> [u8; 32] {
        const BLOCK: usize = 64;
        let mut block = Zeroizing::new([0; BLOCK]);
        let bytes = secret.expose();
        if let Some(start) = block.get_mut(..bytes.len()) {
            start.copy_from_slice(bytes);
        } else {
            block[..32].copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
        }
        let mut out = [0; 32];
        out.copy_from_slice(hmac::sign(&self.fingerprint, &*block).as_ref());
        out
    }

    fn from_bytes(bytes: &[u8; 32]) -> Result<Self, SecretsError> {
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, b"countersign secrets").extract(bytes);
        let derive = |purpose: &[u8]| -> Result<Zeroizing<[u8; 32]>, SecretsError> {
            let mut out = Zeroizing::new([0; 32]);
            root.expand(&[purpose], hkdf::HKDF_SHA256)
                .and_then(|key| key.fill(&mut *out))
                .map_err(|_| SecretsError::Crypto("deriving a key failed"))?;
            Ok(out)
        };
        let seal = RandomizedNonceKey::new(&AES_256_GCM, &*derive(b"seal")?)
            .map_err(|_| SecretsError::Crypto("the sealing key could not be set up"))?;
        let fingerprint = hmac::Key::new(hmac::HMAC_SHA256, &*derive(b"fingerprint")?);
        Ok(Self { seal, fingerprint })
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey(…)")
    }
}

impl Place<'_> {
    /// The additional data: each part with its length, so that no two places share bytes.
    fn bound(&self) -> Vec<u8> {
        let version = self.version.to_be_bytes();
        let parts = [self.scheme.as_str().as_bytes(), self.id.as_bytes(), &version, self.partner.as_bytes()];
        bound("countersign sealed secret 1", &parts)
    }
}

impl OwnPlace<'_> {
    /// The same, apart from those of secrets.
    fn bound(&self) -> Vec<u8> {
        let parts = [self.usage, self.id, self.algorithm].map(str::as_bytes);
        bound("countersign sealed own key 1", &parts)
    }
}

fn bound(kind: &str, parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = kind.as_bytes().to_vec();
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

/// Why secrets can't be sealed or opened. Never holds one.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// Group or others may read the sealing key.
    #[error("{} may be read by others (mode {mode:03o})", path.display())]
    Readable {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is not a sealing key.
    #[error("{} is not a sealing key", path.display())]
    Damaged {
        /// The key file.
        path: PathBuf,
    },
    /// There is no sealing key.
    #[error("{} is missing, and secrets of the registry are sealed under it", path.display())]
    Missing {
        /// The key file.
        path: PathBuf,
    },
    /// The file could not be read or made.
    #[error(transparent)]
    File(#[from] FileError),
    /// The provider refused.
    #[error("{0}")]
    Crypto(&'static str),
}

impl SecretsError {
    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Readable { path, .. } => {
                let path = path.display();
                Some(format!("chmod 600 {path}; if others could read it, replace every shared secret"))
            }
            Self::Damaged { path } | Self::Missing { path } => {
                Some(format!("put {} back from a backup; without it the shared secrets are lost", path.display()))
            }
            Self::File(_) | Self::Crypto(_) => None,
        }
    }
}

const FORMAT: u8 = 1;
